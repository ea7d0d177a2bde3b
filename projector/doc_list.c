/* SPDX-License-Identifier: Apache-2.0 */
/*
 * <projector/document.h>: lists of objects, lists of remembered strings.
 *
 * Invariant: a keyed list ascends by its key field; so does one that was
 * loaded, because it was stored like that.
 */
/* Modules call these by name. */
#pragma GCC visibility push(default)
#include <projector/document.h>
#pragma GCC visibility pop

#include "lib/str.h"
#include "projector/node.h"

static const struct pj_str no_name = {"", 0};

static struct pj_str
key_at(const struct pj_node *list, uint32_t index, const char *field)
{
	const struct node_value *item = &list->entries[index].value;

	return item->type == NODE_CONTAINER ? pj_get_string(item->node, field)
					    : no_name;
}

/* Index of the key, or of where it belongs. */
static bool
search(const struct pj_node *list, const char *field, struct pj_str key,
       uint32_t *ret_index)
{
	uint32_t low = 0;
	uint32_t high = list->n;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		int cmp = str_compare(key_at(list, mid, field), key);

		if (cmp == 0) {
			*ret_index = mid;
			return true;
		}
		if (cmp < 0)
			low = mid + 1;
		else
			high = mid;
	}
	*ret_index = low;
	return false;
}

static bool
is_list(struct pj_node *list)
{
	if (!list->array)
		node_fault(list->tree, "list item set in what is no list");
	return list->array;
}

struct pj_node *
pj_keyed_make(struct pj_node *list, const char *key_field, struct pj_str key)
{
	struct pj_node *item;
	struct node_value value;
	uint32_t i;

	if (!is_list(list))
		return node_scratch(list->tree, false);
	if (search(list, key_field, key, &i)) {
		item = pj_node_at(list, i);
		if (item)
			return item;
	}
	item = node_new(list->tree, false, node_child_shape(list, no_name));
	value = node_value_container(item);
	if (node_add_raw(item, str_of(key_field),
			 node_value_string(list->tree, key)) < 0) {
		node_value_release(list->tree, &value);
		return node_scratch(list->tree, false);
	}
	node_insert(list, i, no_name, value);
	return item;
}

struct pj_node *
pj_keyed_find(struct pj_node *list, const char *key_field, struct pj_str key)
{
	uint32_t i;

	if (!list || !list->array || !search(list, key_field, key, &i))
		return NULL;
	return pj_node_at(list, i);
}

bool
pj_keyed_remove(struct pj_node *list, const char *key_field, struct pj_str key)
{
	uint32_t i;

	if (!list || !list->array || !search(list, key_field, key, &i))
		return false;
	node_remove(list, i);
	return true;
}

/* ---- Capped
 * -------------------------------------------------------------------- */

static struct pj_node *
push(struct pj_node *list, size_t cap, bool front)
{
	struct pj_node *item;

	if (is_list(list) && cap == 0)
		node_fault(list->tree, "a list capped at nothing");
	if (!list->array || cap == 0)
		return node_scratch(list->tree, false);
	while (list->n >= cap)
		node_remove(list, front ? list->n - 1 : 0);
	item = node_new(list->tree, false, node_child_shape(list, no_name));
	node_insert(list, front ? 0 : list->n, no_name,
		    node_value_container(item));
	return item;
}

struct pj_node *
pj_capped_push_front(struct pj_node *list, size_t cap)
{
	return push(list, cap, true);
}

struct pj_node *
pj_capped_push_back(struct pj_node *list, size_t cap)
{
	return push(list, cap, false);
}

/* Index of the first item whose field is that string, or -1. */
static int64_t
find(const struct pj_node *list, const char *field, struct pj_str value)
{
	struct pj_str name = str_of(field);
	uint32_t i;

	for (i = 0; list && i < list->n; i++) {
		const struct node_value *item = &list->entries[i].value;
		const struct node_value *at;

		if (item->type != NODE_CONTAINER)
			continue;
		at = node_get(item->node, name);
		if (at && at->type == NODE_STRING &&
		    str_equal(node_text_str(&at->text), value))
			return i;
	}
	return -1;
}

struct pj_node *
pj_list_find(struct pj_node *list, const char *field, struct pj_str value)
{
	int64_t i = find(list, field, value);

	return i < 0 ? NULL : list->entries[i].value.node;
}

bool
pj_list_remove(struct pj_node *list, const char *field, struct pj_str value)
{
	int64_t i = find(list, field, value);

	if (i < 0)
		return false;
	node_remove(list, (uint32_t)i);
	return true;
}

bool
pj_remember(struct pj_node *list, struct pj_str value, size_t cap)
{
	uint32_t i;

	if (is_list(list) && cap == 0)
		node_fault(list->tree, "a list capped at nothing");
	if (!list->array || cap == 0)
		return false;
	for (i = 0; i < list->n; i++) {
		const struct node_value *at = &list->entries[i].value;

		if (at->type == NODE_STRING &&
		    str_equal(node_text_str(&at->text), value))
			return false;
	}
	while (list->n >= cap)
		node_remove(list, 0);
	node_insert(list, list->n, no_name,
		    node_value_string(list->tree, value));
	return true;
}
