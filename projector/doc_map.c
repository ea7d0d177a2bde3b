/* SPDX-License-Identifier: Apache-2.0 */
/*
 * <projector/document.h>: maps.
 *
 * Invariant: a map's names ascend in the order its module always gives; so does
 * a map that was loaded, because it was stored like that.
 */
/* Modules call these by name. */
#pragma GCC visibility push(default)
#include <projector/document.h>
#pragma GCC visibility pop

#include "lib/str.h"
#include "projector/node.h"

/* An integer's text: sign and digits without leading zeros. */
struct number {
	bool is_number, negative;
	struct pj_str digits;
};

static struct number
number_of(struct pj_str name)
{
	struct number num = {.digits = name};
	size_t i;

	if (num.digits.len && num.digits.ptr[0] == '-') {
		num.negative = true;
		num.digits.ptr++;
		num.digits.len--;
	}
	for (i = 0; i < num.digits.len; i++) {
		if (num.digits.ptr[i] < '0' || num.digits.ptr[i] > '9')
			return num;
	}
	num.is_number = num.digits.len > 0;
	while (num.digits.len > 1 && num.digits.ptr[0] == '0') {
		num.digits.ptr++;
		num.digits.len--;
	}
	return num;
}

/* By number; equal ones ("1", "01") and what is none (last) by bytes. */
static int
compare_numbers(struct pj_str a, struct pj_str b)
{
	struct number x = number_of(a);
	struct number y = number_of(b);
	int order;

	if (x.is_number != y.is_number)
		return x.is_number ? -1 : 1;
	if (!x.is_number)
		return str_compare(a, b);
	if (x.negative != y.negative)
		return x.negative ? -1 : 1;
	if (x.digits.len != y.digits.len)
		order = x.digits.len < y.digits.len ? -1 : 1;
	else
		order = str_compare(x.digits, y.digits);
	if (x.negative)
		order = -order;
	return order ? order : str_compare(a, b);
}

/* Index of the name, or of where it belongs. */
static bool
search(const struct pj_node *map, enum pj_order order, struct pj_str name,
       uint32_t *ret_index)
{
	uint32_t low = 0;
	uint32_t high = map->n;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		struct pj_str at = node_text_str(&map->entries[mid].name);
		int cmp = order == PJ_ORDER_NUMERIC ? compare_numbers(at, name)
						    : str_compare(at, name);

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

/* Names from data go where names from data are expected. */
static bool
can_hold(struct pj_node *map, struct pj_str name)
{
	if (map->array || map->root || map->shape.members)
		node_fault(map->tree, "map entry set in what is no map");
	else if (name.len && __builtin_memchr(name.ptr, 0, name.len))
		node_fault(map->tree, "a map entry's name with U+0000");
	else
		return true;
	return false;
}

struct pj_node *
pj_map_object(struct pj_node *map, enum pj_order order, struct pj_str name)
{
	struct pj_node *node;
	uint32_t i;
	bool found;

	if (!can_hold(map, name))
		return node_scratch(map->tree, false);
	found = search(map, order, name, &i);
	if (found && map->entries[i].value.type == NODE_CONTAINER &&
	    !map->entries[i].value.node->array)
		return map->entries[i].value.node;
	node = node_new(map->tree, false, node_child_shape(map, name));
	if (found)
		node_replace(map, i, node_value_container(node));
	else
		node_insert(map, i, name, node_value_container(node));
	return node;
}

struct pj_node *
pj_map_find(struct pj_node *map, enum pj_order order, struct pj_str name)
{
	uint32_t i;

	if (!map || map->array || !search(map, order, name, &i))
		return NULL;
	return pj_node_at(map, i);
}

int
pj_map_add(struct pj_node *map, enum pj_order order, struct pj_str name,
	   int64_t delta, struct pj_error *err)
{
	struct node_value value = {.type = NODE_INT, .i = 0};
	uint32_t i;
	bool found;

	if (!can_hold(map, name))
		return pj_error_set(err, PJ_ERROR_INPUT, "%s",
				    map->tree->fault);
	found = search(map, order, name, &i);
	if (found && map->entries[i].value.type == NODE_INT)
		value.i = map->entries[i].value.i;
	if (__builtin_add_overflow(value.i, delta, &value.i))
		return pj_error_set(err, PJ_ERROR_INPUT,
				    "entry \"%.*s\": integer overflow",
				    (int)name.len, name.ptr);
	if (!found && value.i != 0)
		node_insert(map, i, name, value);
	else if (found && value.i == 0)
		node_remove(map, i);
	else if (found && !node_value_equal(&map->entries[i].value, &value))
		node_replace(map, i, value);
	return 0;
}

bool
pj_map_remove(struct pj_node *map, enum pj_order order, struct pj_str name)
{
	uint32_t i;

	if (!map || map->array || !search(map, order, name, &i))
		return false;
	node_remove(map, i);
	return true;
}

size_t
pj_node_len(const struct pj_node *node)
{
	return node ? node->n : 0;
}

struct pj_str
pj_map_name_at(const struct pj_node *map, size_t index)
{
	if (!map || index >= map->n)
		return PJ_STR("");
	return node_text_str(&map->entries[index].name);
}

struct pj_node *
pj_node_at(struct pj_node *node, size_t index)
{
	if (!node || index >= node->n ||
	    node->entries[index].value.type != NODE_CONTAINER)
		return NULL;
	return node->entries[index].value.node;
}
