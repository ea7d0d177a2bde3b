/* SPDX-License-Identifier: Apache-2.0 */
/* A document's stored form: written straight into the buffer, read back. */
#include "projector/doc.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bsonread.h"
#include "lib/mem.h"
#include "lib/readmodel.h"
#include "lib/str.h"
#include "projector/bsonwrite.h"
#include "projector/doc_data.h"

/* ---- Writing ----------------------------------------------------------------
 */

static void
put_node(struct buf *out, const struct pj_node *node);

static void
put_value(struct buf *out, struct pj_str name, const struct node_value *value)
{
	uint64_t bits;

	switch (value->type) {
	case NODE_NULL:
		(void)put_head(out, BSONREAD_NULL, name, 0);
		break;
	case NODE_BOOL:
		*put_head(out, BSONREAD_BOOL, name, 1) = value->b;
		break;
	case NODE_INT:
		put_i64(out, BSONREAD_INT64, name, value->i);
		break;
	case NODE_NUMBER:
		memcpy(&bits, &value->d, sizeof(bits));
		put_u64(put_head(out, BSONREAD_DOUBLE, name, 8), bits);
		break;
	case NODE_DATE:
		put_i64(out, BSONREAD_DATE, name, value->i);
		break;
	case NODE_STRING:
		put_string(out, name, node_text_str(&value->text));
		break;
	case NODE_CONTAINER:
		(void)put_head(out,
			       value->node->array ? BSONREAD_ARRAY
						  : BSONREAD_OBJECT,
			       name, 0);
		put_node(out, value->node);
		break;
	}
}

static void
put_node(struct buf *out, const struct pj_node *node)
{
	size_t start = open_container(out);
	char room[10];
	uint32_t i;

	for (i = 0; i < node->n; i++) {
		const struct node_entry *entry = &node->entries[i];

		put_value(out,
			  node->array ? decimal(i, room)
				      : node_text_str(&entry->name),
			  &entry->value);
	}
	close_container(out, start);
}

void
doc_encode(struct pj_doc *doc, const struct store_token *token, struct buf *out)
{
	const struct pj_node *root = doc->tree.root;
	size_t start = open_container(out);
	uint32_t i;

	assert(!doc->tree.open);
	doc->token = *token;
	if (doc->revised)
		doc->revision++;
	doc->revised = false;
	put_string(out, str_of(READMODEL_ID), doc->key);
	for (i = 0; i < root->n; i++) {
		struct pj_str name = node_text_str(&root->entries[i].name);

		if (name.len && name.ptr[0] == '_')
			break;
		put_value(out, name, &root->entries[i].value);
	}
	if (doc->state == PJ_DOC_LIVE)
		put_i64(out, BSONREAD_DATE, str_of(READMODEL_UPDATED_AT),
			doc->newest_ms);
	for (; i < root->n; i++)
		put_value(out, node_text_str(&root->entries[i].name),
			  &root->entries[i].value);
	doc_put_meta(out, doc);
	close_container(out, start);
	out->data[out->len] = '\0';
}

/* ---- Reading
 * ----------------------------------------------------------------- */

/* As deep as an event's data can be, and the module's own levels on top. */
enum { MAX_DEPTH = 120 };

static int
load_container(struct node_tree *tree, struct node_shape shape,
	       const struct bsonread_element *el, int depth,
	       struct node_value *ret_value);

static int
load_value(struct pj_node *parent, const struct bsonread_element *el, int depth,
	   struct node_value *ret_value)
{
	struct node_tree *tree = parent->tree;
	struct node_value value = {.type = NODE_NULL};

	switch (el->type) {
	case BSONREAD_NULL:
		break;
	case BSONREAD_BOOL:
		value.type = NODE_BOOL;
		value.b = el->value[0] != 0;
		break;
	case BSONREAD_INT32:
	case BSONREAD_INT64:
		value.type = NODE_INT;
		value.i = el->type == BSONREAD_INT64 ? bsonread_i64(el->value)
						     : bsonread_i32(el->value);
		break;
	case BSONREAD_DOUBLE:
		value.type = NODE_NUMBER;
		value.d = bsonread_f64(el->value);
		break;
	case BSONREAD_DATE:
		value.type = NODE_DATE;
		value.i = bsonread_i64(el->value);
		break;
	case BSONREAD_STRING:
		value = node_value_string(tree, bsonread_text(el));
		break;
	case BSONREAD_OBJECT:
	case BSONREAD_ARRAY:
		return load_container(tree, node_child_shape(parent, el->name),
				      el, depth + 1, ret_value);
	default:
		return -1;
	}
	*ret_value = value;
	return 0;
}

/*
 * Puts a stored member behind the others. In an object with declared members
 * it goes to its place instead, and must not be there yet; elsewhere order and
 * uniqueness of names are what they were when it was written.
 */
static int
load_member(struct pj_node *obj, const struct bsonread_element *el, int depth)
{
	struct node_value value;

	if (obj->shape.members && node_find(obj, el->name) >= 0)
		return -1;
	if (load_value(obj, el, depth, &value) < 0)
		return -1;
	return node_add_raw(obj, el->name, value);
}

static int
load_members(struct pj_node *node, struct bsonread r, int depth)
{
	struct bsonread_element el;
	struct node_value value;
	int more;

	while ((more = bsonread_next(&r, &el)) > 0) {
		if (!node->array) {
			if (load_member(node, &el, depth) < 0)
				return -1;
			continue;
		}
		if (load_value(node, &el, depth, &value) < 0)
			return -1;
		node_insert_raw(node, node->n, PJ_STR(""), value);
	}
	return more;
}

static uint32_t
count_members(struct bsonread r)
{
	struct bsonread_element el;
	uint32_t n = 0;

	while (bsonread_next(&r, &el) > 0)
		n++;
	return n;
}

/* Recursion is bounded by MAX_DEPTH. */
static int
load_container(struct node_tree *tree, struct node_shape shape,
	       const struct bsonread_element *el, int depth,
	       struct node_value *ret_value)
{
	struct bsonread r;
	struct pj_node *node;

	if (depth > MAX_DEPTH || bsonread_open(&r, el->value, el->len) < 0)
		return -1;
	node = node_new(tree, el->type == BSONREAD_ARRAY, shape);
	*ret_value = node_value_container(node);
	node_reserve(node, count_members(r));
	if (load_members(node, r, depth) < 0) {
		node_value_release(tree, ret_value);
		return -1;
	}
	return 0;
}

/* `_id`, `updatedAt` and `_m` are the host's and not part of the tree. */
static int
load_top(struct pj_doc *doc, const uint8_t *bson, size_t len)
{
	struct bsonread_element el;
	struct bsonread r;
	bool has_id = false;
	int more;

	if (bsonread_open(&r, bson, len) < 0)
		return -1;
	node_reserve(doc->tree.root, count_members(r));
	while ((more = bsonread_next(&r, &el)) > 0) {
		if (bsonread_is(&el, READMODEL_META)) {
			if (doc_load_meta(doc, &el) < 0)
				return -1;
			continue;
		}
		if (bsonread_is(&el, READMODEL_UPDATED_AT)) {
			if (el.type != BSONREAD_DATE)
				return -1;
			continue;
		}
		if (bsonread_is(&el, READMODEL_ID)) {
			if (el.type != BSONREAD_STRING ||
			    !str_equal(bsonread_text(&el), doc->key))
				return -1;
			has_id = true;
			continue;
		}
		if (load_member(doc->tree.root, &el, 1) < 0)
			return -1;
	}
	return more < 0 || !has_id ? -1 : 0;
}

int
doc_load(const struct pj_shape *shape, struct pj_str key, const uint8_t *bson,
	 size_t len, struct pj_doc **ret_doc, struct pj_error *err)
{
	struct pj_doc *doc = doc_new(shape, key);
	int rc = -1;

	if (load_top(doc, bson, len) < 0) {
		(void)pj_error_set(
			err, PJ_ERROR_FATAL, "stored document \"%.*s\": %s",
			(int)key.len, key.ptr,
			doc->tree.fault ? doc->tree.fault : "damaged");
		goto out;
	}
	if (doc_load_basics(doc, bson, len, err) < 0)
		goto out;
	*ret_doc = doc;
	doc = NULL;
	rc = 0;
out:
	doc_free(doc);
	return rc;
}
