/* SPDX-License-Identifier: Apache-2.0 */
#include "projector/module_check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "lib/readmodel.h"

/* What every 1.x descriptor has; what was added since may be missing. */
enum {
	DESC_SIZE_1_0 = offsetof(struct pj_projection, field_sets),
	DESC_SIZE_1_1 = DESC_SIZE_1_0 + sizeof(const struct pj_field_set *),
};

/* Masks are 64 bits wide; a partition's topic has a fixed room. */
enum { BITS = 64, TOPIC_NAME_MAX = 249 };

struct check {
	const char *file;
	struct pj_error *err;
};

/* "FILE: FIELD: expected …, found …" */
static int __attribute__((format(printf, 3, 4)))
refuse(const struct check *check, const char *field, const char *fmt, ...)
{
	char text[PJ_ERROR_TEXT];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return pj_error_set(check->err, PJ_ERROR_CONFIG, "%s: %s: %s",
			    check->file, field, text);
}

static const char *
or_none(const char *text)
{
	return text && *text ? text : "none";
}

/* Bits of numbers that a table of n rows does not have. */
static uint64_t
beyond(unsigned n)
{
	return n >= BITS ? 0 : ~UINT64_C(0) << n;
}

static int
check_abi(const struct check *check, const struct pj_projection *desc)
{
	unsigned major = desc->abi >> 16, minor = desc->abi & 0xffff;

	if (major != PJ_ABI_MAJOR || minor > PJ_ABI_MINOR)
		return refuse(check, "abi",
			      "expected %d.0 to %d.%d, found %u.%u; rebuild "
			      "the module",
			      PJ_ABI_MAJOR, PJ_ABI_MAJOR, PJ_ABI_MINOR, major,
			      minor);
	if (desc->size < DESC_SIZE_1_0)
		return refuse(check, "size",
			      "expected at least %d, found %" PRIu32,
			      (int)DESC_SIZE_1_0, desc->size);
	return 0;
}

static int
check_head(const struct check *check, const struct pj_projection *desc,
	   const char *name)
{
	if (!desc->name || strcmp(desc->name, name) != 0)
		return refuse(check, "name", "expected %s, found %s", name,
			      or_none(desc->name));
	if (desc->version == 0 || desc->version > INT32_MAX)
		return refuse(check, "version",
			      "expected 1 or more, found %" PRIu32,
			      desc->version);
	if (!desc->summary)
		return refuse(check, "summary", "expected text, found none");
	if (!desc->key)
		return refuse(check, "key", "expected a function, found none");
	if (!desc->fold)
		return refuse(check, "fold", "expected a function, found none");
	return 0;
}

/* ---- Topics ------------------------------------------------------------ */

static int
check_fields(const struct check *check, const struct pj_field *fields,
	     unsigned n)
{
	if (n == 0 || n > BITS || !fields)
		return refuse(check, "fields of a topic or list",
			      "expected 1 to %d, found %u", BITS, n);
	for (unsigned i = 0; i < n; i++) {
		const struct pj_field *f = &fields[i];

		if (!f->name)
			return refuse(check, "name of a field",
				      "expected text, found none at %u", i);
		if ((unsigned)f->type > PJ_TYPE_LIST)
			return refuse(check, f->name,
				      "expected a type of enum pj_type, "
				      "found %d",
				      (int)f->type);
		if (f->type != PJ_TYPE_LIST)
			continue;
		if (check_fields(check, f->items, f->n_items))
			return -1;
		if (f->items_required & beyond(f->n_items))
			return refuse(check, f->name,
				      "expected required items among %u "
				      "fields, found others",
				      f->n_items);
	}
	return 0;
}

static int
check_types(const struct check *check, const struct pj_topic *topic)
{
	if (topic->n_types == 0 || topic->n_types > BITS || !topic->types)
		return refuse(check, topic->name,
			      "expected 1 to %d event types, found %u", BITS,
			      topic->n_types);
	for (unsigned i = 0; i < topic->n_types; i++) {
		const struct pj_event_type *t = &topic->types[i];

		if (!t->name || !*t->name)
			return refuse(check, topic->name,
				      "expected a name of event type %u, "
				      "found none",
				      i);
		if (t->fields & beyond(topic->n_fields))
			return refuse(check, t->name,
				      "expected fields among the topic's %u, "
				      "found others",
				      topic->n_fields);
		if ((t->required | t->not_null) & ~t->fields)
			return refuse(check, t->name,
				      "expected required and not_null among "
				      "its fields, found others");
	}
	return 0;
}

static int
check_topic(const struct check *check, const struct pj_topic *topic)
{
	if (topic->size < sizeof(struct pj_topic))
		return refuse(check, "size of a topic",
			      "expected %zu, found %" PRIu32,
			      sizeof(struct pj_topic), topic->size);
	if (!topic->name || !*topic->name ||
	    strlen(topic->name) > TOPIC_NAME_MAX)
		return refuse(check, "name of a topic",
			      "expected 1 to %d bytes, found %s",
			      TOPIC_NAME_MAX, or_none(topic->name));
	if (check_fields(check, topic->fields, topic->n_fields))
		return -1;
	return check_types(check, topic);
}

static int
check_reads(const struct check *check, const struct pj_projection *desc)
{
	const struct pj_reads *reads = desc->reads;

	if (!reads || !reads->topic)
		return refuse(check, "reads", "expected a topic, found none");
	for (const struct pj_reads *r = reads; r->topic; r++) {
		if (check_topic(check, r->topic))
			return -1;
		if (!r->types || r->types & beyond(r->topic->n_types))
			return refuse(check, "reads",
				      "expected types of the %u of topic %s, "
				      "found %s",
				      r->topic->n_types, r->topic->name,
				      r->types ? "others" : "none");
		for (const struct pj_reads *o = reads; o < r; o++)
			if (strcmp(o->topic->name, r->topic->name) == 0)
				return refuse(check, "reads",
					      "expected each topic once, "
					      "found %s twice",
					      r->topic->name);
	}
	return 0;
}

/* ---- The document ------------------------------------------------------- */

static const struct pj_shape *
find_served(const struct pj_shape *shape, const char *name)
{
	for (; shape->name; shape++)
		if (strcmp(shape->name, name) == 0)
			return shape;
	return NULL;
}

static int
check_shape(const struct check *check, const struct pj_projection *desc)
{
	if (!desc->shape || !desc->shape->name)
		return refuse(check, "shape", "expected a field, found none");
	for (const struct pj_shape *s = desc->shape; s->name; s++) {
		if (s->name[0] == '_' || strcmp(s->name, "id") == 0 ||
		    strcmp(s->name, READMODEL_UPDATED_AT) == 0)
			return refuse(check, "shape",
				      "expected names other than id, %s and "
				      "_…, found %s",
				      READMODEL_UPDATED_AT, s->name);
		if (find_served(s + 1, s->name))
			return refuse(check, "shape",
				      "expected each name once, found %s twice",
				      s->name);
	}
	return 0;
}

/* What a list takes itself (docs/http-api.md) names no field. */
static bool
is_list_parameter(const char *name)
{
	return strcmp(name, "ids") == 0 || strcmp(name, "limit") == 0 ||
	       strcmp(name, "cursor") == 0 || strcmp(name, "fields") == 0;
}

static int
check_indexes(const struct check *check, const struct pj_projection *desc)
{
	for (const struct pj_index *i = desc->indexes; i && i->field; i++) {
		const struct pj_shape *s = find_served(desc->shape, i->field);

		if (!s)
			return refuse(check, "indexes",
				      "expected fields of the shape, found %s",
				      i->field);
		if (s->type != PJ_SERVED_STRING && s->type != PJ_SERVED_INT &&
		    s->type != PJ_SERVED_BOOL)
			return refuse(check, "indexes",
				      "expected a string, an int or a bool, "
				      "found %s of another type",
				      i->field);
		if (is_list_parameter(i->field) || i->field[0] == '$' ||
		    strchr(i->field, '.'))
			return refuse(check, "indexes",
				      "expected names without '.' and '$', not "
				      "ids, limit, cursor or fields, found %s",
				      i->field);
	}
	return 0;
}

static int
check_field_set(const struct check *check, const struct pj_projection *desc,
		const struct pj_field_set *set)
{
	if (!set->fields || !set->fields[0])
		return refuse(check, "field_sets",
			      "expected a field in %s, found none", set->name);
	for (size_t i = 0; set->fields[i]; i++) {
		const char *name = set->fields[i];

		if (!find_served(desc->shape, name) &&
		    strcmp(name, READMODEL_UPDATED_AT) != 0)
			return refuse(check, "field_sets",
				      "expected fields of the shape in %s, "
				      "found %s",
				      set->name, name);
		for (size_t j = 0; j < i; j++)
			if (strcmp(set->fields[j], name) == 0)
				return refuse(check, "field_sets",
					      "expected each field once in %s, "
					      "found %s twice",
					      set->name, name);
	}
	return 0;
}

static int
check_field_sets(const struct check *check, const struct pj_projection *desc)
{
	/* A module of 1.0 ends before. */
	const struct pj_field_set *sets =
		desc->size >= DESC_SIZE_1_1 ? desc->field_sets : NULL;

	for (size_t i = 0; sets && sets[i].name; i++) {
		if (i == READMODEL_FIELD_SETS_MAX)
			return refuse(check, "field_sets",
				      "expected at most %d, found more",
				      READMODEL_FIELD_SETS_MAX);
		if (!readmodel_is_projection_name(sets[i].name))
			return refuse(check, "field_sets",
				      "expected names [a-z][a-z0-9_]{0,31}, "
				      "found '%s'",
				      sets[i].name);
		for (size_t j = 0; j < i; j++)
			if (strcmp(sets[j].name, sets[i].name) == 0)
				return refuse(check, "field_sets",
					      "expected each name once, "
					      "found %s twice",
					      sets[i].name);
		if (check_field_set(check, desc, &sets[i]))
			return -1;
	}
	return 0;
}

static int
check_options(const struct check *check, const struct pj_option *options)
{
	for (const struct pj_option *o = options; o && o->name; o++)
		if (o->min > o->def || o->def > o->max)
			return refuse(check, o->name,
				      "expected a default from %" PRId64
				      " to %" PRId64 ", found %" PRId64,
				      o->min, o->max, o->def);
	return 0;
}

int
module_check(const struct pj_projection *desc, const char *name,
	     const char *file, struct pj_error *err)
{
	const struct check check = {file, err};

	if (!desc)
		return refuse(&check, "descriptor", "expected one, found NULL");
	/* Version and size first: they say what the rest means. */
	if (check_abi(&check, desc) || check_head(&check, desc, name) ||
	    check_reads(&check, desc) || check_shape(&check, desc) ||
	    check_indexes(&check, desc) || check_field_sets(&check, desc))
		return -1;
	return check_options(&check, desc->options);
}
