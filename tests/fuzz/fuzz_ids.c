/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes the ids of a batch: the first byte says whether the rest is a body or
 * a parameter's value.
 *
 * Checked beside memory: what is taken is 1 to 100 ids of 1 to 480 bytes
 * without U+0000, and their lengths add up; what is refused has a reason.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "lib/readmodel.h"
#include "queryapi/ids.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
want(bool ok)
{
	if (!ok)
		abort();
}

static void
look_at(const struct ids *ids)
{
	size_t bytes = 0;

	want(ids->n >= 1 && ids->n <= IDS_MAX);
	for (size_t i = 0; i < ids->n; i++) {
		want(ids->at[i].len >= 1 &&
		     ids->at[i].len <= READMODEL_KEY_MAX);
		want(!memchr(ids->at[i].ptr, '\0', ids->at[i].len));
		bytes += ids->at[i].len;
	}
	want(bytes == ids->bytes);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct json_reader *reader;
	struct pj_str text;
	struct pj_error err;
	struct ids ids;
	char *space;
	int rc;

	if (size == 0)
		return 0;
	text = (struct pj_str){(const char *)data + 1, size - 1};
	reader = json_reader_new();
	space = mem_alloc(size);
	err.text[0] = '\0';
	rc = data[0] == '?' ? ids_of_query(text, space, &ids, &err)
			    : ids_of_body(reader, text, &ids, &err);
	if (rc == 0)
		look_at(&ids);
	else
		want(err.cls == PJ_ERROR_INPUT && err.text[0]);
	free(space);
	json_reader_free(reader);
	return 0;
}
