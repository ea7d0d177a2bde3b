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
#include "queryapi/uri.h"

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

/* As a value in a target: what uri_parse() refuses never gets there. */
static void
look_at_query(struct pj_str text)
{
	static const char front[] = "/v?ids=";
	size_t len = sizeof(front) - 1 + text.len;
	char *target = mem_alloc(len), *space = mem_alloc(len);
	const char *detail = NULL;
	struct pj_error err;
	struct uri uri;
	struct ids ids;

	memcpy(target, front, sizeof(front) - 1);
	memcpy(target + sizeof(front) - 1, text.ptr, text.len);
	err.text[0] = '\0';
	if (uri_parse((struct pj_str){target, len}, space, &uri, &detail) < 0)
		want(detail != NULL);
	else if (ids_of_query(uri.params[0].raw, space, &ids, &err) == 0)
		look_at(&ids);
	else
		want(err.cls == PJ_ERROR_INPUT && err.text[0]);
	free(space);
	free(target);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct json_reader *reader;
	struct pj_str text;
	struct pj_error err;
	struct ids ids;

	if (size == 0)
		return 0;
	text = (struct pj_str){(const char *)data + 1, size - 1};
	if (data[0] == '?') {
		look_at_query(text);
		return 0;
	}
	reader = json_reader_new();
	err.text[0] = '\0';
	if (ids_of_body(reader, text, &ids, &err) == 0)
		look_at(&ids);
	else
		want(err.cls == PJ_ERROR_INPUT && err.text[0]);
	json_reader_free(reader);
	return 0;
}
