/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a stored document: refused or written as JSON that a strict
 * reader accepts; what loads as a document encodes to what loads the same.
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
