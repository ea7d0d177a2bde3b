/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/readmodel.h"

#include <inttypes.h>
#include <stdio.h>

#include "lib/utf8.h"

bool
readmodel_is_projection_name(const char *name)
{
	size_t i;

	if (name[0] < 'a' || name[0] > 'z')
		return false;
	for (i = 1; name[i]; i++) {
		bool lower = name[i] >= 'a' && name[i] <= 'z';
		bool digit = name[i] >= '0' && name[i] <= '9';

		if (!lower && !digit && name[i] != '_')
			return false;
	}
	return i <= 32;
}

void
readmodel_generation_id(char out[READMODEL_GENERATION_ID_MAX],
			const char *projection, int32_t number)
{
	(void)snprintf(out, READMODEL_GENERATION_ID_MAX, "%s.%" PRId32,
		       projection, number);
}

bool
readmodel_is_key(struct pj_str key)
{
	size_t n;

	for (size_t i = 0; i < key.len; i += n) {
		n = utf8_char(key.ptr + i, key.len - i);
		if (n == 0 || key.ptr[i] == '\0')
			return false;
	}
	return key.len > 0 && key.len <= READMODEL_KEY_MAX;
}

/* ---- Parking units ------------------------------------------------------- */

__extension__ typedef unsigned __int128 unit_hash;

/* FNV-1a, 128 bits. */
static unit_hash
hash_unit(struct pj_str s)
{
	const unit_hash prime = ((unit_hash)1 << 88) + 0x13b;
	unit_hash h = ((unit_hash)UINT64_C(0x6c62272e07bb0142) << 64) +
		      UINT64_C(0x62b821756295c58d);
	size_t i;

	for (i = 0; i < s.len; i++) {
		h ^= (unsigned char)s.ptr[i];
		h *= prime;
	}
	return h;
}

void
readmodel_add_unit(struct buf *out, struct pj_str unit)
{
	static const char digits[] = "0123456789abcdef";
	/* Room for '~' and the hash within the same length. */
	const size_t cut = READMODEL_UNIT_PLAIN - 17;
	bool plain = unit.len <= READMODEL_UNIT_PLAIN;
	size_t n = plain ? unit.len : cut;
	size_t i;

	for (i = 0; i < n; i++) {
		unsigned char byte = (unsigned char)unit.ptr[i];

		buf_addch(out, digits[byte >> 4]);
		buf_addch(out, digits[byte & 15]);
	}
	if (!plain) {
		unit_hash h = hash_unit(unit);

		buf_printf(out, "~%016" PRIx64 "%016" PRIx64,
			   (uint64_t)(h >> 64), (uint64_t)h);
	}
}

void
readmodel_unit_key(struct buf *out, const char *generation, int32_t source,
		   const char *unit_type, struct pj_str unit)
{
	readmodel_unit_prefix(out, generation, source);
	buf_printf(out, "%s!", unit_type);
	readmodel_add_unit(out, unit);
}

void
readmodel_lone_key(struct buf *out, const char *generation, int32_t source,
		   int64_t offset)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%020" PRId64, offset);

	readmodel_unit_key(out, generation, source, "record",
			   (struct pj_str){text, (size_t)len});
}

void
readmodel_unit_prefix(struct buf *out, const char *generation, int32_t source)
{
	buf_printf(out, "%s!%" PRId32 "!", generation, source);
}
