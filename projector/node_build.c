/* SPDX-License-Identifier: Apache-2.0 */
/* Deep copies into a document: of its own values and of an event's. */
#include "projector/node.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/json.h"
#include "lib/str.h"
#include "projector/event_data.h"

static const struct pj_str no_name = {"", 0};

/* Gives up a container that met a fault. */
static bool
give_up(struct pj_node *node)
{
	struct node_value value = node_value_container(node);

	node_value_release(node->tree, &value);
	return false;
}

/* ---- From the document ------------------------------------------------------
 */

static bool
copy_container(struct node_tree *tree, struct node_shape shape,
	       const struct pj_node *from, struct node_value *ret_value)
{
	struct pj_node *node = node_new(tree, from->array, shape);
	uint32_t i;

	node_reserve(node, from->n);
	for (i = 0; i < from->n; i++) {
		struct pj_str name = node_text_str(&from->entries[i].name);
		struct node_value value;

		if (!node_copy(tree, node_child_shape(node, name),
			       &from->entries[i].value, &value))
			return give_up(node);
		if (from->array)
			node_insert_raw(node, i, no_name, value);
		else if (node_add_raw(node, name, value) < 0)
			return give_up(node);
	}
	*ret_value = node_value_container(node);
	return true;
}

bool
node_copy(struct node_tree *tree, struct node_shape shape,
	  const struct node_value *from, struct node_value *ret_value)
{
	if (from->type == NODE_CONTAINER)
		return copy_container(tree, shape, from->node, ret_value);
	if (from->type == NODE_STRING)
		*ret_value =
			node_value_string(tree, node_text_str(&from->text));
	else
		*ret_value = *from;
	return true;
}

/* ---- From JSON, as given
 * ----------------------------------------------------- */

static bool
from_json(struct node_tree *tree, struct node_shape shape,
	  const struct json_node *tape, uint32_t at,
	  struct node_value *ret_value);

static bool
container_from_json(struct node_tree *tree, struct node_shape shape,
		    const struct json_node *tape, uint32_t at,
		    struct node_value *ret_value)
{
	bool array = tape[at].type == JSON_ARRAY;
	struct pj_node *node = node_new(tree, array, shape);
	uint32_t i;

	node_reserve(node, tape[at].count);
	for (i = at + 1; i < tape[at].skip; i = tape[i].skip) {
		struct pj_str name = no_name;
		struct node_value value;

		if (!array)
			name = tape[i++].str;
		if (!from_json(tree, node_child_shape(node, name), tape, i,
			       &value))
			return give_up(node);
		if (array)
			node_insert_raw(node, node->n, name, value);
		else if (node_add_raw(node, name, value) < 0)
			return give_up(node);
	}
	*ret_value = node_value_container(node);
	return true;
}

/* Recursion is bounded by JSON_MAX_DEPTH. */
static bool
from_json(struct node_tree *tree, struct node_shape shape,
	  const struct json_node *tape, uint32_t at,
	  struct node_value *ret_value)
{
	const struct json_node *json = &tape[at];

	switch ((enum json_type)json->type) {
	case JSON_NULL:
		*ret_value = (struct node_value){.type = NODE_NULL};
		return true;
	case JSON_FALSE:
	case JSON_TRUE:
		*ret_value = (struct node_value){.type = NODE_BOOL,
						 .b = json->type == JSON_TRUE};
		return true;
	case JSON_INT:
		*ret_value =
			(struct node_value){.type = NODE_INT, .i = json->i};
		return true;
	case JSON_REAL:
		*ret_value =
			(struct node_value){.type = NODE_NUMBER, .d = json->d};
		return true;
	case JSON_STRING:
		*ret_value = node_value_string(tree, json->str);
		return true;
	case JSON_ARRAY:
	case JSON_OBJECT:
		break;
	}
	return container_from_json(tree, shape, tape, at, ret_value);
}

/* ---- From an event's field
 * ---------------------------------------------------- */

static bool
item_from_data(struct node_tree *tree, struct node_shape shape,
	       const struct pj_data *item, struct node_value *ret_value)
{
	struct pj_node *node = node_new(tree, false, shape);
	unsigned n = event_data_n_fields(item);
	unsigned i;

	for (i = 0; i < n; i++) {
		struct pj_str name = str_of(event_data_field(item, i)->name);
		struct node_value value;

		if (pj_has(item, i) != PJ_VALUE)
			continue;
		if (!node_from_data(tree, node_child_shape(node, name), item, i,
				    &value) ||
		    node_add_raw(node, name, value) < 0)
			return give_up(node);
	}
	*ret_value = node_value_container(node);
	return true;
}

static bool
list_from_data(struct node_tree *tree, struct node_shape shape,
	       const struct pj_data *data, unsigned field,
	       struct node_value *ret_value)
{
	struct pj_node *list = node_new(tree, true, shape);
	size_t n = pj_list_len(data, field);
	size_t i;

	assert(n < UINT32_MAX);
	node_reserve(list, (uint32_t)n);
	for (i = 0; i < n; i++) {
		struct node_value value;

		if (!item_from_data(tree, node_child_shape(list, no_name),
				    pj_list_at(data, field, i), &value))
			return give_up(list);
		node_insert_raw(list, (uint32_t)i, no_name, value);
	}
	*ret_value = node_value_container(list);
	return true;
}

bool
node_from_data(struct node_tree *tree, struct node_shape shape,
	       const struct pj_data *data, unsigned field,
	       struct node_value *ret_value)
{
	struct event_value json;

	switch (event_data_field(data, field)->type) {
	case PJ_TYPE_STRING:
	case PJ_TYPE_ID:
		*ret_value = node_value_string(tree, pj_string(data, field));
		return true;
	case PJ_TYPE_INT:
	case PJ_TYPE_RATING:
		*ret_value = (struct node_value){.type = NODE_INT,
						 .i = pj_int(data, field)};
		return true;
	case PJ_TYPE_BOOL:
		*ret_value = (struct node_value){.type = NODE_BOOL,
						 .b = pj_bool(data, field)};
		return true;
	case PJ_TYPE_DATE:
		*ret_value = (struct node_value){.type = NODE_DATE,
						 .i = pj_date_ms(data, field)};
		return true;
	case PJ_TYPE_OBJECT:
	case PJ_TYPE_ARRAY:
		json = event_data_value(data, field);
		return from_json(tree, shape, json.tape, json.index, ret_value);
	case PJ_TYPE_LIST:
		return list_from_data(tree, shape, data, field, ret_value);
	}
	abort(); /* tables are checked when a module is loaded */
}
