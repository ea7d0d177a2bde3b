/* SPDX-License-Identifier: Apache-2.0 */
#include "projector/schema.h"

#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"

enum {
	ID_MAX = 256,	  /* bytes; the contract's limit */
	FIELDS_MAX = 64,  /* masks are 64 bits wide */
	HASH_SIZE = 256,  /* four times the fields: probes stay short */
	CHUNK_MIN = 4096, /* bytes; an event needs a few hundred */
	CHUNK_KEEP = 1 << 20,
};

struct schema_table {
	const struct pj_field *fields;
	unsigned n;
	uint8_t hash[HASH_SIZE]; /* field number + 1; 0 = none */
	size_t len[FIELDS_MAX];	 /* of the names */
	const struct schema_table *items[FIELDS_MAX]; /* of lists */
};

/* Slots and items come from here: their addresses never change. */
struct chunk {
	struct chunk *older;
	size_t size, used;
	alignas(max_align_t) unsigned char bytes[];
};

struct schema {
	struct schema_table **tables;
	size_t n_tables, cap_tables;
	struct chunk *chunk; /* newest and largest */
};

/* ---- Memory ------------------------------------------------------------ */

static void
schema_drop_chunks(struct chunk *chunk)
{
	while (chunk) {
		struct chunk *older = chunk->older;

		free(chunk);
		chunk = older;
	}
}

/* Zeroed. */
static void *
schema_alloc(struct schema *schema, size_t size)
{
	struct chunk *chunk = schema->chunk;
	void *at;

	size = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	if (!chunk || chunk->size - chunk->used < size) {
		size_t room = chunk ? chunk->size * 2 : CHUNK_MIN;

		if (room < size)
			room = size;
		chunk = mem_alloc(sizeof(*chunk) + room);
		*chunk = (struct chunk){.older = schema->chunk, .size = room};
		schema->chunk = chunk;
	}
	at = chunk->bytes + chunk->used;
	chunk->used += size;
	return memset(at, 0, size);
}

void
schema_reset(struct schema *schema)
{
	struct chunk *chunk = schema->chunk;

	if (!chunk)
		return;
	schema_drop_chunks(chunk->older);
	chunk->older = NULL;
	chunk->used = 0;
	if (chunk->size > CHUNK_KEEP) {
		free(chunk);
		schema->chunk = NULL;
	}
}

struct schema *
schema_new(void)
{
	return mem_calloc(1, sizeof(struct schema));
}

void
schema_free(struct schema *schema)
{
	if (!schema)
		return;
	for (size_t i = 0; i < schema->n_tables; i++)
		free(schema->tables[i]);
	free(schema->tables);
	schema_drop_chunks(schema->chunk);
	free(schema);
}

/* ---- Tables ------------------------------------------------------------ */

/* name is not empty. */
static inline unsigned
table_hash(const char *name, size_t len)
{
	unsigned first = (unsigned char)name[0];
	unsigned mid = (unsigned char)name[len / 2];
	unsigned last = (unsigned char)name[len - 1];

	return (unsigned)(len * 37 + first * 5 + mid * 11 + last) % HASH_SIZE;
}

static void
table_put(struct schema_table *table, unsigned field)
{
	const char *name = table->fields[field].name;
	size_t len = strlen(name);
	unsigned at;

	table->len[field] = len;
	if (len == 0)
		return;
	at = table_hash(name, len);
	while (table->hash[at])
		at = (at + 1) % HASH_SIZE;
	table->hash[at] = (uint8_t)(field + 1);
}

/* The field's number, or -1. */
static inline int
table_find(const struct schema_table *table, struct pj_str name)
{
	unsigned at;

	if (name.len == 0)
		return -1;
	at = table_hash(name.ptr, name.len);
	for (; table->hash[at]; at = (at + 1) % HASH_SIZE) {
		int field = table->hash[at] - 1;

		if (table->len[field] == name.len &&
		    !memcmp(table->fields[field].name, name.ptr, name.len))
			return field;
	}
	return -1;
}

const struct schema_table *
schema_table(struct schema *schema, const struct pj_field *fields,
	     unsigned n_fields)
{
	struct schema_table *table;

	for (size_t i = 0; i < schema->n_tables; i++) {
		if (schema->tables[i]->fields == fields)
			return schema->tables[i];
	}
	table = mem_calloc(1, sizeof(*table));
	table->fields = fields;
	table->n = n_fields < FIELDS_MAX ? n_fields : FIELDS_MAX;
	MEM_GROW(schema->tables, schema->n_tables, schema->cap_tables);
	schema->tables[schema->n_tables++] = table;
	for (unsigned i = 0; i < table->n; i++) {
		table_put(table, i);
		if (fields[i].type == PJ_TYPE_LIST)
			table->items[i] = schema_table(schema, fields[i].items,
						       fields[i].n_items);
	}
	return table;
}

/* ---- One object -------------------------------------------------------- */

/* Where in the data we are: `lines[2]`. */
struct place {
	const struct place *up;
	const char *list;
	size_t item;
};

struct check {
	struct schema *schema;
	const struct json_node *tape;
	const struct zone *zone;
	bool failed;
	const char **ret_cause;
	struct pj_error *err;
};

struct rules {
	uint64_t fields, required, not_null;
	bool null_removes;
};

static size_t
place_write(const struct place *place, char *out, size_t size)
{
	size_t len;
	int n;

	if (!place)
		return 0;
	len = place_write(place->up, out, size);
	n = snprintf(out + len, size - len, "%s%s[%zu]", len ? "." : "",
		     place->list, place->item);
	return n < 0 || (size_t)n >= size - len ? size - 1 : len + (size_t)n;
}

/* Tells the first fault; returns false. name NULL: the place itself. */
static bool
check_fail(struct check *chk, const struct place *place, const char *name,
	   const char *cause, const char *what)
{
	char path[128] = "";
	size_t len;

	if (chk->failed)
		return false;
	len = place_write(place, path, sizeof(path));
	if (name)
		(void)snprintf(path + len, sizeof(path) - len, "%s%s",
			       len ? "." : "", name);
	chk->failed = true;
	*chk->ret_cause = cause;
	(void)pj_error_set(chk->err, PJ_ERROR_INPUT, "field %s: %s", path,
			   what);
	return false;
}

static bool
check_fail_type(struct check *chk, const struct place *place, const char *name,
		const struct json_node *node, enum pj_type type)
{
	static const char *const found[] = {
		[JSON_NULL] = "null",
		[JSON_FALSE] = "boolean",
		[JSON_TRUE] = "boolean",
		[JSON_INT] = "integer",
		[JSON_REAL] = "number with a fraction or exponent",
		[JSON_STRING] = "string",
		[JSON_ARRAY] = "array",
		[JSON_OBJECT] = "object",
	};
	static const char *const wanted[] = {
		[PJ_TYPE_STRING] = "a string",	[PJ_TYPE_ID] = "a string",
		[PJ_TYPE_INT] = "an integer",	[PJ_TYPE_RATING] = "an integer",
		[PJ_TYPE_BOOL] = "a boolean",	[PJ_TYPE_DATE] = "a time",
		[PJ_TYPE_OBJECT] = "an object", [PJ_TYPE_ARRAY] = "an array",
		[PJ_TYPE_LIST] = "an array",
	};
	char what[80];

	(void)snprintf(what, sizeof(what), "%s, not %s", found[node->type],
		       wanted[type]);
	return check_fail(chk, place, name, "wrong type", what);
}

/* A document's names cannot hold U+0000, so data kept as given may not. */
static bool
value_has_nul_name(const struct json_node *tape, uint32_t index)
{
	const struct json_node *node = &tape[index];
	uint32_t at = index + 1;

	if (node->type != JSON_OBJECT && node->type != JSON_ARRAY)
		return false;
	for (uint32_t i = 0; i < node->count; i++) {
		if (node->type == JSON_OBJECT && tape[at++].has_nul)
			return true;
		if (value_has_nul_name(tape, at))
			return true;
		at = tape[at].skip;
	}
	return false;
}

/* The three forms of a time, for one node. */
static int
schema_time(const struct zone *zone, const struct json_node *node,
	    int64_t *ret_ms)
{
	if (node->type == JSON_STRING)
		return zone_parse(zone, node->str, ret_ms);
	if (node->type != JSON_INT || node->i < ZONE_MIN_MS ||
	    node->i > ZONE_MAX_MS)
		return -1;
	*ret_ms = node->i;
	return 0;
}

static bool
check_object(struct check *chk, const struct schema_table *table,
	     const struct rules *rules, const struct place *place,
	     uint32_t object, struct pj_data *ret_data);

static bool
check_list(struct check *chk, const struct schema_table *table, unsigned field,
	   const struct place *place, uint32_t index, struct event_slot *slot)
{
	const struct pj_field *decl = &table->fields[field];
	uint32_t count = chk->tape[index].count;
	uint32_t at = index + 1;
	struct place here = {place, decl->name, 0};
	struct rules rules = {UINT64_MAX, decl->items_required, 0, false};

	slot->items = schema_alloc(chk->schema, count * sizeof(*slot->items));
	for (; here.item < count; here.item++) {
		const struct json_node *node = &chk->tape[at];

		if (node->type != JSON_OBJECT)
			return check_fail_type(chk, &here, NULL, node,
					       PJ_TYPE_OBJECT);
		if (!check_object(chk, table->items[field], &rules, &here, at,
				  &slot->items[here.item]))
			return false;
		at = node->skip;
	}
	return true;
}

static bool
check_id(struct check *chk, const struct place *place, const char *name,
	 const struct json_node *node)
{
	static const char cause[] = "invalid id";

	if (node->str.len == 0)
		return check_fail(chk, place, name, cause, "empty");
	if (node->str.len > ID_MAX)
		return check_fail(chk, place, name, cause,
				  "longer than 256 bytes");
	if (node->has_nul)
		return check_fail(chk, place, name, cause, "contains U+0000");
	return true;
}

/* Does the JSON have the form of the type? */
static inline bool
type_matches(const struct json_node *node, enum pj_type type)
{
	switch (type) {
	case PJ_TYPE_STRING:
	case PJ_TYPE_ID:
		return node->type == JSON_STRING;
	case PJ_TYPE_INT:
	case PJ_TYPE_RATING:
		return node->type == JSON_INT;
	case PJ_TYPE_BOOL:
		return node->type == JSON_FALSE || node->type == JSON_TRUE;
	case PJ_TYPE_DATE:
		return node->type == JSON_STRING || node->type == JSON_INT;
	case PJ_TYPE_OBJECT:
		return node->type == JSON_OBJECT;
	case PJ_TYPE_ARRAY:
	case PJ_TYPE_LIST:
		return node->type == JSON_ARRAY;
	}
	return false;
}

static inline bool
check_value(struct check *chk, const struct schema_table *table, unsigned field,
	    const struct place *place, uint32_t index, struct event_slot *slot)
{
	const struct pj_field *decl = &table->fields[field];
	const struct json_node *node = &chk->tape[index];

	if (!type_matches(node, decl->type))
		return check_fail_type(chk, place, decl->name, node,
				       decl->type);
	switch (decl->type) {
	case PJ_TYPE_ID:
		return check_id(chk, place, decl->name, node);
	case PJ_TYPE_RATING:
		return (node->i >= 1 && node->i <= 10) ||
		       check_fail(chk, place, decl->name, "invalid rating",
				  "not within 1 to 10");
	case PJ_TYPE_DATE:
		return schema_time(chk->zone, node, &slot->i) == 0 ||
		       check_fail(chk, place, decl->name, "unreadable time",
				  "not a time");
	case PJ_TYPE_OBJECT:
	case PJ_TYPE_ARRAY:
		return !value_has_nul_name(chk->tape, index) ||
		       check_fail(chk, place, decl->name, "invalid name",
				  "a name within contains U+0000");
	case PJ_TYPE_LIST:
		return check_list(chk, table, field, place, index, slot);
	default:
		return true;
	}
}

/* What a null means here; true when it is no fault. */
static bool
check_null(struct check *chk, const struct rules *rules,
	   const struct place *place, const char *name, uint64_t bit,
	   struct event_slot *slot)
{
	if (rules->required & bit ||
	    (rules->null_removes && rules->not_null & bit))
		return check_fail(chk, place, name, "missing field", "null");
	if (rules->null_removes)
		slot->presence = PJ_NULL;
	return true;
}

static bool
check_object(struct check *chk, const struct schema_table *table,
	     const struct rules *rules, const struct place *place,
	     uint32_t object, struct pj_data *ret_data)
{
	const struct json_node *tape = chk->tape;
	struct event_slot *slots =
		schema_alloc(chk->schema, table->n * sizeof(*slots));
	uint32_t end = tape[object].skip;
	uint64_t missing = rules->required;
	bool whole = true;

	*ret_data = (struct pj_data){tape, table->fields, table->n, slots};
	for (uint32_t at = object + 1; at < end; at = tape[at + 1].skip) {
		int field = table_find(table, tape[at].str);
		struct event_slot *slot;

		if (field < 0 || !(rules->fields & PJ_BIT(field)))
			continue;
		missing &= ~PJ_BIT(field);
		slot = &slots[field];
		if (tape[at + 1].type == JSON_NULL) {
			whole &= check_null(chk, rules, place,
					    table->fields[field].name,
					    PJ_BIT(field), slot);
		} else if (check_value(chk, table, (unsigned)field, place,
				       at + 1, slot)) {
			slot->presence = PJ_VALUE;
			slot->index = at + 1;
		} else {
			whole = false;
		}
	}
	for (unsigned i = 0; missing && i < table->n; i++) {
		if (missing & PJ_BIT(i))
			whole = check_fail(chk, place, table->fields[i].name,
					   "missing field", "missing");
	}
	return whole;
}

int
schema_check(struct schema *schema, const struct schema_input *in,
	     struct pj_data *ret_data, const char **ret_cause,
	     struct pj_error *err)
{
	struct check chk = {
		.schema = schema,
		.tape = in->tape,
		.zone = in->zone,
		.ret_cause = ret_cause,
		.err = err,
	};
	struct rules rules = {
		.fields = in->type->fields,
		.required = in->type->required,
		.not_null = in->type->not_null,
		.null_removes = in->type->null_removes,
	};

	return check_object(&chk, in->table, &rules, NULL, in->object, ret_data)
		       ? 0
		       : -1;
}

void
schema_absent(struct schema *schema, const struct schema_table *table,
	      struct pj_data *ret_data)
{
	struct event_slot *slots =
		schema_alloc(schema, table->n * sizeof(*slots));

	*ret_data = (struct pj_data){NULL, table->fields, table->n, slots};
}
