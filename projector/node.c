/* SPDX-License-Identifier: Apache-2.0 */
#include "projector/node.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "lib/readmodel.h"
#include "lib/str.h"

enum { FIRST_ENTRIES = 4 };

/* ---- Strings ------------------------------------------------------------- */

struct node_text
node_text_make(struct node_tree *tree, struct pj_str str)
{
	struct node_text text = {0};

	if (str.len <= NODE_TEXT_INLINE) {
		if (str.len)
			memcpy(text.bytes, str.ptr, str.len);
		text.bytes[NODE_TEXT_INLINE] = (char)str.len;
		return text;
	}
	assert(str.len < INT32_MAX);
	text.heap.ptr = mem_strndup(str.ptr, str.len);
	text.heap.len = (uint32_t)str.len;
	text.bytes[NODE_TEXT_INLINE] = (char)NODE_TEXT_HEAP;
	tree->memory += str.len + 1;
	return text;
}

static void
text_release(struct node_tree *tree, struct node_text *text)
{
	if ((unsigned char)text->bytes[NODE_TEXT_INLINE] != NODE_TEXT_HEAP)
		return;
	tree->memory -= (size_t)text->heap.len + 1;
	free(text->heap.ptr);
}

/* ---- Nodes and values ------------------------------------------------------
 */

struct pj_node *
node_new(struct node_tree *tree, bool array, struct node_shape shape)
{
	struct pj_node *node = mem_calloc(1, sizeof(*node));

	node->tree = tree;
	node->array = array;
	node->shape = shape;
	tree->memory += sizeof(*node);
	return node;
}

static void
node_free(struct pj_node *node)
{
	struct node_tree *tree = node->tree;

	node_entries_release(tree, node->entries, node->n, node->cap);
	tree->memory -= sizeof(*node);
	free(node);
}

/* Recursion ends: what comes from data is at most JSON_MAX_DEPTH deep. */
void
node_value_release(struct node_tree *tree, struct node_value *value)
{
	if (value->type == NODE_STRING)
		text_release(tree, &value->text);
	else if (value->type == NODE_CONTAINER)
		node_free(value->node);
}

void
node_entry_release(struct node_tree *tree, struct node_entry *entry)
{
	text_release(tree, &entry->name);
	node_value_release(tree, &entry->value);
}

void
node_entries_release(struct node_tree *tree, struct node_entry *entries,
		     uint32_t n, uint32_t cap)
{
	uint32_t i;

	for (i = 0; i < n; i++)
		node_entry_release(tree, &entries[i]);
	tree->memory -= cap * sizeof(*entries);
	free(entries);
}

void
node_reserve(struct pj_node *node, uint32_t n)
{
	if (n <= node->cap)
		return;
	node->entries =
		mem_reallocarray(node->entries, n, sizeof(*node->entries));
	node->tree->memory += (n - node->cap) * sizeof(*node->entries);
	node->cap = n;
}

void
node_insert_raw(struct pj_node *node, uint32_t index, struct pj_str name,
		struct node_value value)
{
	/* The name may point into an entry that is about to move. */
	struct node_text text = node_text_make(node->tree, name);
	struct node_entry *at;

	assert(index <= node->n);
	if (node->n == node->cap)
		node_reserve(node, node->cap ? node->cap * 2 : FIRST_ENTRIES);
	at = node->entries + index;
	memmove(at + 1, at, (node->n - index) * sizeof(*at));
	at->name = text;
	at->value = value;
	node->n++;
}

int
node_add_raw(struct pj_node *obj, struct pj_str name, struct node_value value)
{
	int64_t place = node_place(obj, name);

	if (place < 0) {
		node_value_release(obj->tree, &value);
		return -1;
	}
	node_insert_raw(obj, (uint32_t)place, name, value);
	return 0;
}

/* ---- Shape ------------------------------------------------------------------
 */

static const struct pj_shape *
shape_find(const struct pj_shape *shape, struct pj_str name)
{
	for (; shape && shape->name; shape++) {
		if (strncmp(shape->name, name.ptr, name.len) == 0 &&
		    shape->name[name.len] == '\0')
			return shape;
	}
	return NULL;
}

struct node_shape
node_child_shape(const struct pj_node *parent, struct pj_str name)
{
	const struct pj_shape *decl;

	if (parent->shape.items)
		return (struct node_shape){parent->shape.items, NULL};
	decl = shape_find(parent->shape.members, name);
	if (!decl || !decl->of)
		return (struct node_shape){NULL, NULL};
	if (decl->type == PJ_SERVED_OBJECT)
		return (struct node_shape){decl->of, NULL};
	return (struct node_shape){NULL, decl->of};
}

/* Entries are a part of the shape in its order: walk both up to `decl`. */
static uint32_t
shape_place(const struct pj_node *obj, const struct pj_shape *decl)
{
	const struct pj_shape *at = obj->shape.members;
	uint32_t i = 0;

	for (; at != decl && i < obj->n; at++) {
		if (str_equal(node_text_str(&obj->entries[i].name),
			      str_of(at->name)))
			i++;
	}
	return i;
}

static bool
is_host_name(struct pj_str name)
{
	return str_equal(name, str_of(READMODEL_ID)) ||
	       str_equal(name, str_of(READMODEL_META)) ||
	       str_equal(name, str_of(READMODEL_UPDATED_AT));
}

int64_t
node_place(struct pj_node *obj, struct pj_str name)
{
	const struct pj_shape *decl;

	if (name.len && memchr(name.ptr, 0, name.len)) {
		node_fault(obj->tree, "a field name with U+0000");
		return -1;
	}
	if (!obj->root && !obj->shape.members)
		return obj->n;
	if (obj->root) {
		if (is_host_name(name)) {
			node_fault(obj->tree,
				   "field \"%.*s\" belongs to the host",
				   (int)name.len, name.ptr);
			return -1;
		}
		if (name.len && name.ptr[0] == '_')
			return obj->n;
	}
	decl = shape_find(obj->shape.members, name);
	if (!decl) {
		node_fault(obj->tree, "undeclared field \"%.*s\"%s",
			   name.len > 80 ? 80 : (int)name.len, name.ptr,
			   obj->root ? "" : " below the top level");
		return -1;
	}
	return shape_place(obj, decl);
}

/* ---- Reading ---------------------------------------------------------------
 */

/* As it is stored, bit for bit: -0.0 is not 0.0. */
static bool
is_same_number(double a, double b)
{
	uint64_t x, y;

	memcpy(&x, &a, sizeof(x));
	memcpy(&y, &b, sizeof(y));
	return x == y;
}

bool
node_value_equal(const struct node_value *a, const struct node_value *b)
{
	uint32_t i;

	if (a->type != b->type)
		return false;
	switch (a->type) {
	case NODE_NULL:
		return true;
	case NODE_BOOL:
		return a->b == b->b;
	case NODE_INT:
	case NODE_DATE:
		return a->i == b->i;
	case NODE_NUMBER:
		return is_same_number(a->d, b->d);
	case NODE_STRING:
		return str_equal(node_text_str(&a->text),
				 node_text_str(&b->text));
	case NODE_CONTAINER:
		break;
	}
	if (a->node->array != b->node->array || a->node->n != b->node->n)
		return false;
	for (i = 0; i < a->node->n; i++) {
		const struct node_entry *x = &a->node->entries[i];
		const struct node_entry *y = &b->node->entries[i];

		if (!str_equal(node_text_str(&x->name),
			       node_text_str(&y->name)) ||
		    !node_value_equal(&x->value, &y->value))
			return false;
	}
	return true;
}

int64_t
node_find(const struct pj_node *obj, struct pj_str name)
{
	uint32_t i;

	if (!obj || obj->array)
		return -1;
	for (i = 0; i < obj->n; i++) {
		if (str_equal(node_text_str(&obj->entries[i].name), name))
			return i;
	}
	return -1;
}

const struct node_value *
node_get(const struct pj_node *obj, struct pj_str name)
{
	int64_t i = node_find(obj, name);

	return i < 0 ? NULL : &obj->entries[i].value;
}
