/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes how the load generator reads responses.
 *
 * Checked beside memory: a head that arrives in parts is read as if it came
 * whole; what is handed out lies in the input; a head ends with an empty line.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/reply.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
want(bool ok)
{
	if (!ok)
		abort();
}

static void
look_at(const char *text, size_t size, const struct reply *rep)
{
	want(rep->head_len <= size && rep->head_len <= REPLY_HEAD_MAX);
	want(rep->head_len >= 4 &&
	     memcmp(text + rep->head_len - 4, "\r\n\r\n", 4) == 0);
	want(rep->status >= 200 && rep->status <= 999);
	want(!rep->etag || (rep->etag >= text &&
			    rep->etag + rep->etag_len <= text + rep->head_len));
	want(rep->body_len < 1000000000000);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data, *why = NULL, *why_parts = NULL;
	struct reply whole, parts;
	int rc, rc_parts = 0;

	if (size > 2048)
		return 0;
	rc = reply_read(text, size, &whole, &why);
	for (size_t n = 0; n <= size && rc_parts == 0; n++)
		rc_parts = reply_read(text, n, &parts, &why_parts);
	want(rc == rc_parts && (rc < 0) == (why != NULL) &&
	     (rc < 0) == (why_parts != NULL));
	if (rc == 1) {
		look_at(text, size, &whole);
		want(whole.head_len == parts.head_len &&
		     whole.body_len == parts.body_len &&
		     whole.status == parts.status &&
		     whole.close == parts.close);
	}
	return 0;
}
