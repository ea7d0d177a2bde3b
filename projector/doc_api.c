/* SPDX-License-Identifier: Apache-2.0 */
/* <projector/document.h>: objects read and changed, and checked arithmetic. */
/* Modules call these by name. */
#pragma GCC visibility push(default)
#include <projector/document.h>
#pragma GCC visibility pop

#include <string.h>

#include "projector/event_data.h"
#include "lib/str.h"
#include "projector/node.h"

/* ---- Reading ----------------------------------------------------------------
 */

static const struct node_value *
get(const struct pj_node *obj, const char *name, enum node_type type)
{
	const struct node_value *value = node_get(obj, str_of(name));

	return value && value->type == type ? value : NULL;
}

bool
pj_node_has(const struct pj_node *obj, const char *name)
{
	return node_find(obj, str_of(name)) >= 0;
}

struct pj_str
pj_get_string(const struct pj_node *obj, const char *name)
{
	const struct node_value *value = get(obj, name, NODE_STRING);

	return value ? node_text_str(&value->text) : PJ_STR("");
}

int64_t
pj_get_int(const struct pj_node *obj, const char *name)
{
	const struct node_value *value = get(obj, name, NODE_INT);

	return value ? value->i : 0;
}

bool
pj_get_bool(const struct pj_node *obj, const char *name)
{
	const struct node_value *value = get(obj, name, NODE_BOOL);

	return value && value->b;
}

int64_t
pj_get_date_ms(const struct pj_node *obj, const char *name)
{
	const struct node_value *value = get(obj, name, NODE_DATE);

	return value ? value->i : 0;
}

struct pj_node *
pj_get_node(struct pj_node *obj, const char *name)
{
	const struct node_value *value = get(obj, name, NODE_CONTAINER);

	return value ? value->node : NULL;
}

/* ---- Changing ---------------------------------------------------------------
 */

bool
pj_set_string(struct pj_node *obj, const char *name, struct pj_str value)
{
	const struct node_value *old = get(obj, name, NODE_STRING);

	/* node_put() compares too; this saves making the copy */
	if (old && str_equal(node_text_str(&old->text), value))
		return false;
	return node_put(obj, str_of(name), node_value_string(obj->tree, value));
}

bool
pj_set_int(struct pj_node *obj, const char *name, int64_t value)
{
	return node_put(obj, str_of(name),
			(struct node_value){.type = NODE_INT, .i = value});
}

bool
pj_set_number(struct pj_node *obj, const char *name, double value)
{
	return node_put(obj, str_of(name),
			(struct node_value){.type = NODE_NUMBER, .d = value});
}

bool
pj_set_bool(struct pj_node *obj, const char *name, bool value)
{
	return node_put(obj, str_of(name),
			(struct node_value){.type = NODE_BOOL, .b = value});
}

bool
pj_set_date_ms(struct pj_node *obj, const char *name, int64_t ms)
{
	return node_put(obj, str_of(name),
			(struct node_value){.type = NODE_DATE, .i = ms});
}

bool
pj_set_null(struct pj_node *obj, const char *name)
{
	return node_put(obj, str_of(name),
			(struct node_value){.type = NODE_NULL});
}

bool
pj_unset(struct pj_node *obj, const char *name)
{
	int64_t at = node_find(obj, str_of(name));

	if (at < 0)
		return false;
	node_remove(obj, (uint32_t)at);
	return true;
}

static struct pj_node *
make(struct pj_node *obj, const char *name, bool array)
{
	const struct node_value *old = get(obj, name, NODE_CONTAINER);
	struct pj_str str = str_of(name);
	struct pj_node *node;

	if (old && old->node->array == array)
		return old->node;
	node = node_new(obj->tree, array, node_child_shape(obj, str));
	if (!node_put(obj, str, node_value_container(node)))
		return node_scratch(obj->tree, array);
	return node;
}

struct pj_node *
pj_make_object(struct pj_node *obj, const char *name)
{
	return make(obj, name, false);
}

struct pj_node *
pj_make_array(struct pj_node *obj, const char *name)
{
	return make(obj, name, true);
}

bool
pj_take(struct pj_node *obj, const char *name, const struct pj_data *data,
	unsigned field)
{
	struct pj_str str = str_of(name);
	enum pj_presence presence = pj_has(data, field);
	enum pj_type type;
	struct node_value value;

	if (presence == PJ_NULL)
		return pj_unset(obj, name);
	if (presence == PJ_ABSENT)
		return false;
	type = event_data_field(data, field)->type;
	if (type == PJ_TYPE_STRING || type == PJ_TYPE_ID)
		return pj_set_string(obj, name, pj_string(data, field));
	return node_from_data(obj->tree, node_child_shape(obj, str), data,
			      field, &value) &&
	       node_put(obj, str, value);
}

bool
pj_mirror(struct pj_node *obj, const char *name, const struct pj_node *from,
	  const char *from_name)
{
	const struct node_value *value = node_get(from, str_of(from_name));
	struct pj_str str = str_of(name);
	const struct node_value *old = node_get(obj, str);
	struct node_value copy;

	if (!value)
		return pj_unset(obj, name);
	/* the usual case; a copy into a shape may also end up equal */
	if (old && node_value_equal(old, value))
		return false;
	return node_copy(obj->tree, node_child_shape(obj, str), value, &copy) &&
	       node_put(obj, str, copy);
}

bool
pj_clear(struct pj_node *obj)
{
	return node_clear(obj);
}

/* ---- Checked arithmetic
 * ------------------------------------------------------- */

int
pj_sum(int64_t a, int64_t b, int64_t *ret_sum, struct pj_error *err)
{
	int64_t sum;

	if (__builtin_add_overflow(a, b, &sum))
		return pj_error_set(err, PJ_ERROR_INPUT, "integer overflow");
	*ret_sum = sum;
	return 0;
}

int
pj_product(int64_t a, int64_t b, int64_t *ret_product, struct pj_error *err)
{
	int64_t product;

	if (__builtin_mul_overflow(a, b, &product))
		return pj_error_set(err, PJ_ERROR_INPUT, "integer overflow");
	*ret_product = product;
	return 0;
}

int
pj_add(struct pj_node *obj, const char *name, int64_t delta,
       struct pj_error *err)
{
	int64_t sum;

	if (__builtin_add_overflow(pj_get_int(obj, name), delta, &sum))
		return pj_error_set(err, PJ_ERROR_INPUT,
				    "field %s: integer overflow", name);
	(void)pj_set_int(obj, name, sum);
	return 0;
}
