/* SPDX-License-Identifier: Apache-2.0 */
#include "queryapi/trace.h"

#include <string.h>

/* "00-<32>-<16>-<2>": where each part begins, and all of it. */
enum { ID_AT = 3, PARENT_AT = 36, FLAGS_AT = 53, LEN = 55 };

/* Lower case alone, as the standard has it. */
static bool
is_hex(const char *s, size_t len, bool *ret_zero)
{
	*ret_zero = true;
	for (size_t i = 0; i < len; i++) {
		if (!(s[i] >= '0' && s[i] <= '9') &&
		    !(s[i] >= 'a' && s[i] <= 'f'))
			return false;
		*ret_zero = *ret_zero && s[i] == '0';
	}
	return true;
}

/* A higher version may say more behind a dash (section 4.3). */
static bool
is_valid(struct pj_str v)
{
	bool id_zero, parent_zero, zero;

	if (v.len < LEN || v.ptr[ID_AT - 1] != '-' ||
	    v.ptr[PARENT_AT - 1] != '-' || v.ptr[FLAGS_AT - 1] != '-')
		return false;
	if (!is_hex(v.ptr, 2, &zero) || memcmp(v.ptr, "ff", 2) == 0)
		return false;
	if (v.len > LEN && (zero || v.ptr[LEN] != '-'))
		return false;
	return is_hex(v.ptr + ID_AT, 32, &id_zero) &&
	       is_hex(v.ptr + PARENT_AT, 16, &parent_zero) &&
	       is_hex(v.ptr + FLAGS_AT, 2, &zero) && !id_zero && !parent_zero;
}

bool
trace_id_of(const struct http_request *req, char ret_id[TRACE_ID_MAX])
{
	size_t from = 0;
	const struct http_header *h =
		http_request_header(req, "traceparent", &from);

	ret_id[0] = '\0';
	if (!h || http_request_header(req, "traceparent", &from) ||
	    !is_valid(h->value))
		return false;
	memcpy(ret_id, h->value.ptr + ID_AT, TRACE_ID_MAX - 1);
	ret_id[TRACE_ID_MAX - 1] = '\0';
	return true;
}
