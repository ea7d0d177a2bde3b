/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of a document's tree, and taking them back. */
#include "projector/node.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"

struct node_change {
	enum {
		CHANGE_INSERT,	/* entry `index` is new */
		CHANGE_REPLACE, /* old.value was at `index` */
		CHANGE_REMOVE,	/* old was at `index` */
		CHANGE_CLEAR,	/* these entries were all */
		CHANGE_SCRATCH, /* old.value was never attached */
	} op;
	uint32_t index;
	struct pj_node *node;
	union {
		struct node_entry old;
		struct {
			struct node_entry *entries;
			uint32_t n, cap;
		} all;
	};
};

void
node_tree_init(struct node_tree *tree, const struct pj_shape *members)
{
	*tree = (struct node_tree){0};
	tree->root = node_new(tree, false, (struct node_shape){members, NULL});
	tree->root->root = true;
}

void
node_tree_release(struct node_tree *tree)
{
	struct node_value root = node_value_container(tree->root);

	if (tree->open)
		node_tree_close(tree, false);
	node_value_release(tree, &root);
	free(tree->fault);
	tree->fault = NULL;
	assert(tree->memory == 0);
	tree->root = NULL;
}

void
node_tree_open(struct node_tree *tree)
{
	assert(!tree->open);
	tree->open = true;
	tree->changed = false;
	tree->served = false;
}

static void
remove_raw(struct pj_node *node, uint32_t index)
{
	struct node_entry *at = node->entries + index;

	node->n--;
	memmove(at, at + 1, (node->n - index) * sizeof(*at));
}

static void
undo_change(struct node_tree *tree, struct node_change *change)
{
	struct pj_node *node = change->node;
	struct node_entry *at;

	switch (change->op) {
	case CHANGE_INSERT:
		node_entry_release(tree, &node->entries[change->index]);
		remove_raw(node, change->index);
		break;
	case CHANGE_REPLACE:
		at = &node->entries[change->index];
		node_value_release(tree, &at->value);
		at->value = change->old.value;
		break;
	case CHANGE_REMOVE:
		/* there was room for it, and entries never shrink */
		assert(node->n < node->cap);
		at = node->entries + change->index;
		memmove(at + 1, at, (node->n - change->index) * sizeof(*at));
		*at = change->old;
		node->n++;
		break;
	case CHANGE_CLEAR:
		assert(node->n == 0);
		node_entries_release(tree, node->entries, 0, node->cap);
		node->entries = change->all.entries;
		node->n = change->all.n;
		node->cap = change->all.cap;
		break;
	case CHANGE_SCRATCH:
		node_value_release(tree, &change->old.value);
		break;
	}
}

static void
forget_change(struct node_tree *tree, struct node_change *change)
{
	switch (change->op) {
	case CHANGE_INSERT:
		break;
	case CHANGE_REPLACE:
	case CHANGE_SCRATCH:
		node_value_release(tree, &change->old.value);
		break;
	case CHANGE_REMOVE:
		node_entry_release(tree, &change->old);
		break;
	case CHANGE_CLEAR:
		node_entries_release(tree, change->all.entries, change->all.n,
				     change->all.cap);
		break;
	}
}

void
node_tree_close(struct node_tree *tree, bool undo)
{
	uint32_t i;

	assert(tree->open);
	if (undo) {
		for (i = tree->n_log; i-- > 0;)
			undo_change(tree, &tree->log[i]);
	} else {
		for (i = 0; i < tree->n_log; i++)
			forget_change(tree, &tree->log[i]);
	}
	free(tree->log);
	tree->log = NULL;
	tree->n_log = tree->cap_log = 0;
	free(tree->fault);
	tree->fault = NULL;
	tree->open = false;
}

void
node_fault(struct node_tree *tree, const char *fmt, ...)
{
	char text[160];
	va_list ap;

	if (tree->fault)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	tree->fault = mem_strdup(text);
}

static struct node_change *
log_push(struct node_tree *tree, struct pj_node *node, uint32_t index)
{
	struct node_change *change;

	assert(tree->open);
	MEM_GROW(tree->log, tree->n_log, tree->cap_log);
	change = &tree->log[tree->n_log++];
	change->node = node;
	change->index = index;
	return change;
}

static void
touch(struct pj_node *node, struct pj_str name)
{
	node->tree->changed = true;
	if (node->root && !(name.len && name.ptr[0] == '_'))
		node->tree->served = true;
}

void
node_insert(struct pj_node *node, uint32_t index, struct pj_str name,
	    struct node_value value)
{
	touch(node, name);
	log_push(node->tree, node, index)->op = CHANGE_INSERT;
	node_insert_raw(node, index, name, value);
}

void
node_replace(struct pj_node *node, uint32_t index, struct node_value value)
{
	struct node_entry *at = &node->entries[index];
	struct node_change *change = log_push(node->tree, node, index);

	touch(node, node_text_str(&at->name));
	change->op = CHANGE_REPLACE;
	change->old.value = at->value;
	at->value = value;
}

void
node_remove(struct pj_node *node, uint32_t index)
{
	struct node_change *change = log_push(node->tree, node, index);

	assert(index < node->n);
	touch(node, node_text_str(&node->entries[index].name));
	change->op = CHANGE_REMOVE;
	change->old = node->entries[index];
	remove_raw(node, index);
}

bool
node_clear(struct pj_node *node)
{
	struct node_change *change;

	if (node->n == 0)
		return false;
	/* served names, when there are any, come before the `_` parts */
	touch(node, node_text_str(&node->entries[0].name));
	change = log_push(node->tree, node, 0);
	change->op = CHANGE_CLEAR;
	change->all.entries = node->entries;
	change->all.n = node->n;
	change->all.cap = node->cap;
	node->entries = NULL;
	node->n = node->cap = 0;
	return true;
}

bool
node_put(struct pj_node *obj, struct pj_str name, struct node_value value)
{
	int64_t at;

	if (obj->array) {
		node_fault(obj->tree, "field \"%.*s\" set in an array",
			   name.len > 80 ? 80 : (int)name.len, name.ptr);
		node_value_release(obj->tree, &value);
		return false;
	}
	at = node_find(obj, name);
	if (at >= 0) {
		if (node_value_equal(&obj->entries[at].value, &value)) {
			node_value_release(obj->tree, &value);
			return false;
		}
		node_replace(obj, (uint32_t)at, value);
		return true;
	}
	at = node_place(obj, name);
	if (at < 0) {
		node_value_release(obj->tree, &value);
		return false;
	}
	node_insert(obj, (uint32_t)at, name, value);
	return true;
}

struct pj_node *
node_scratch(struct node_tree *tree, bool array)
{
	struct node_change *change = log_push(tree, NULL, 0);

	change->op = CHANGE_SCRATCH;
	change->old.value = node_value_container(
		node_new(tree, array, (struct node_shape){NULL, NULL}));
	return change->old.value.node;
}
