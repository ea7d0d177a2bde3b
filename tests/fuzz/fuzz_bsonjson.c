/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a stored document: refused or written as JSON that a strict
 * reader accepts, and so is a part of it, which says the same; what loads as a
 * document encodes to what loads the same.
 */
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bsonjson.h"
#include "projector/doc.h"

static const struct pj_shape inner[] = {
	{.name = "id", .type = PJ_SERVED_STRING},
	{.name = "b", .type = PJ_SERVED_STRING},
	{.name = NULL},
};

static const struct pj_shape shape[] = {
	{.name = "a", .type = PJ_SERVED_STRING},
	{.name = "b", .type = PJ_SERVED_LIST, .of = inner},
	{.name = "c", .type = PJ_SERVED_OBJECT},
	{.name = NULL},
};

static void
check(int ok)
{
	if (!ok)
		abort();
}

/* Of what is written as a whole, a part is written, and nothing else. */
static void
try_part(const uint8_t *data, size_t len, json_t *whole)
{
	static const struct pj_str names[] = {{"a", 1}, {"c", 1}};
	struct buf out = BUF_INIT;
	struct pj_error err;
	const char *name;
	json_t *part, *value;

	check(bsonjson_write_fields(&out, data, len, names, 2, &err) == 0);
	part = json_loadb(out.data, out.len, JSON_ALLOW_NUL, NULL);
	check(part != NULL);
	json_object_foreach(part, name, value)
	{
		check(strcmp(name, "id") == 0 ||
		      ((strcmp(name, "a") == 0 || strcmp(name, "c") == 0) &&
		       json_equal(value, json_object_get(whole, name))));
	}
	for (size_t i = 0; i < 2; i++)
		check(!json_object_get(whole, names[i].ptr) ==
		      !json_object_get(part, names[i].ptr));
	json_decref(part);
	buf_release(&out);
}

static void
try_json(const uint8_t *data, size_t len)
{
	struct pj_error err;
	struct buf out = BUF_INIT;
	json_t *json;

	buf_addch(&out, '>');
	if (bsonjson_write(&out, data, len, &err) == 0) {
		json = json_loadb(out.data + 1, out.len - 1, JSON_ALLOW_NUL,
				  NULL);
		check(json != NULL);
		try_part(data, len, json);
		json_decref(json);
	} else {
		check(strcmp(out.data, ">") == 0);
	}
	buf_release(&out);
}

static void
try_meta(const uint8_t *data, size_t len)
{
	struct bsonjson_position positions[2];
	struct bsonjson_meta meta;
	struct pj_error err;

	if (bsonjson_meta(data, len, &meta, positions, 2, &err) == 0)
		check(meta.n_positions == 0 || positions[0].source >= 0);
}

/* From here on the document is ours, so it must come back to the same bytes. */
static void
try_again(struct pj_doc *doc, struct pj_str key)
{
	static const struct store_token token = {{1}};
	struct buf first = BUF_INIT, second = BUF_INIT;
	struct pj_error err;
	struct pj_doc *again;

	doc_encode(doc, &token, &first);
	check(doc_load(shape, key, (uint8_t *)first.data, first.len, &again,
		       &err) == 0);
	doc_encode(doc, &token, &first);
	doc_encode(again, &token, &second);
	/* `first` holds both of doc's forms; no content changed between */
	check(first.len == 2 * second.len);
	check(memcmp(first.data + second.len, second.data, second.len) == 0);
	doc_free(again);
	buf_release(&first);
	buf_release(&second);
}

static void
try_document(const uint8_t *data, size_t len)
{
	struct pj_str key = PJ_STR("k");
	struct pj_error err;
	struct pj_doc *doc;

	if (doc_load(shape, key, data, len, &doc, &err) < 0)
		return;
	/* counting the revision up from there is nobody's case */
	if (doc_revision(doc) < INT64_MAX - 2)
		try_again(doc, key);
	doc_free(doc);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	try_json(data, len);
	try_meta(data, len);
	try_document(data, len);
	return 0;
}
