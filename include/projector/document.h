/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A document as a fold sees it: an object that can be read and changed.
 *
 * Setters compare before they change and remember what was there. The host
 * therefore knows by itself whether an event changed anything (no change, no
 * write), and a rejected fold leaves the document exactly as it was.
 *
 * Top-level names beginning with `_` are the module's own and never served;
 * `_m` is the host's. All other top-level names must be declared in the
 * projection's shape, which also fixes their order; setting an undeclared one
 * makes the host reject the fold. Names below the top level may come from
 * data: any UTF-8 without U+0000.
 *
 * Never touched by a module: the key, `updatedAt` (the newest time among the
 * events that changed the document), revision and positions.
 *
 * Ownership: everything returned is borrowed; strings and nodes live until the
 * next change of the object that holds them.
 * Errors: what can fail on data (overflow) returns -1 and fills *err (INPUT).
 * Thread: the pipeline thread.
 */
#ifndef PROJECTOR_DOCUMENT_H
#define PROJECTOR_DOCUMENT_H

#include <projector/error.h>
#include <projector/event.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct pj_doc;	/* opaque */
struct pj_node; /* opaque: an object or an array within a document */

/* Served fields in order; ended by an entry whose name is NULL. */
struct pj_shape {
	const char *name;
	/* For OpenAPI: what readers see. */
	enum {
		PJ_SERVED_STRING,
		PJ_SERVED_INT,
		PJ_SERVED_NUMBER,
		PJ_SERVED_BOOL,
		PJ_SERVED_DATE,
		PJ_SERVED_OBJECT, /* fields from .of, or anything when NULL */
		PJ_SERVED_LIST,	  /* items: objects of .of, or anything */
		PJ_SERVED_MAP,	  /* keys from data; values: .of, or integers */
	} type;
	const struct pj_shape *of;
	bool required; /* present in every served document */
	bool nullable;
};

/* ---- The document ------------------------------------------------------ */

enum pj_doc_state {
	PJ_DOC_UNKNOWN, /* no event has made it yet: 404 */
	PJ_DOC_LIVE,
	PJ_DOC_DELETED, /* 410; `_` fields are kept, served ones are gone */
};

enum pj_doc_state
pj_doc_state(const struct pj_doc *doc);

struct pj_str
pj_doc_key(const struct pj_doc *doc);

/*
 * The top-level object. Any change below it makes an unknown document live;
 * a deleted one stays deleted (its kept parts may change) until revived.
 */
struct pj_node *
pj_doc_root(struct pj_doc *doc);

/* Makes a deleted document live again, which is a change. */
void
pj_doc_revive(struct pj_doc *doc);

/* ---- Reading an object ------------------------------------------------- */

/* True when the object has the name, whatever its value. */
bool
pj_node_has(const struct pj_node *obj, const char *name);
struct pj_str
pj_get_string(const struct pj_node *obj, const char *name); /* else "" */
int64_t
pj_get_int(const struct pj_node *obj, const char *name); /* else 0 */
bool
pj_get_bool(const struct pj_node *obj, const char *name); /* else false */
int64_t
pj_get_date_ms(const struct pj_node *obj, const char *name); /* else 0 */
/* The object or array under the name, or NULL. */
struct pj_node *
pj_get_node(struct pj_node *obj, const char *name);

/* ---- Changing an object; true = it really changed ---------------------- */

bool
pj_set_string(struct pj_node *obj, const char *name, struct pj_str value);
bool
pj_set_int(struct pj_node *obj, const char *name, int64_t value);
bool
pj_set_number(struct pj_node *obj, const char *name, double value);
bool
pj_set_bool(struct pj_node *obj, const char *name, bool value);
bool
pj_set_date_ms(struct pj_node *obj, const char *name, int64_t ms);
bool
pj_set_null(struct pj_node *obj, const char *name);
bool
pj_unset(struct pj_node *obj, const char *name);

/* Gets the object (array) under the name, making an empty one: a change. */
struct pj_node *
pj_make_object(struct pj_node *obj, const char *name);
struct pj_node *
pj_make_array(struct pj_node *obj, const char *name);

/*
 * Takes a field of the event: a value is set (with its declared type; objects
 * and arrays as given, lists as their declared fields), PJ_NULL removes, an
 * absent one changes nothing.
 */
bool
pj_take(struct pj_node *obj, const char *name, const struct pj_data *data,
	unsigned field);

/* The value of another object's name, or nothing where that has none. */
bool
pj_mirror(struct pj_node *obj, const char *name, const struct pj_node *from,
	  const char *from_name);

/* Removes all names (entries) below the object (array). */
bool
pj_clear(struct pj_node *obj);

/*
 * Forgets everything but the key and the host's own: served fields and `_`
 * parts. For a document that starts afresh.
 */
void
pj_doc_clear(struct pj_doc *doc);

/* Adds; overflow of int64 is an INPUT error and changes nothing. */
int
pj_add(struct pj_node *obj, const char *name, int64_t delta,
       struct pj_error *err) __attribute__((warn_unused_result));

/* a + b and a * b for amounts; overflow is an INPUT error. */
int
pj_sum(int64_t a, int64_t b, int64_t *ret_sum, struct pj_error *err)
	__attribute__((warn_unused_result));
int
pj_product(int64_t a, int64_t b, int64_t *ret_product, struct pj_error *err)
	__attribute__((warn_unused_result));

/* ---- Maps: objects whose names come from data, in order ---------------- */

enum pj_order {
	PJ_ORDER_BYTES,	  /* ascending by the name's bytes */
	PJ_ORDER_NUMERIC, /* ascending by the number the name spells */
};

/* An entry that is an object; made when absent (a change). */
struct pj_node *
pj_map_object(struct pj_node *map, enum pj_order order, struct pj_str name);
/* The entry, or NULL. */
struct pj_node *
pj_map_find(struct pj_node *map, enum pj_order order, struct pj_str name);
/* An entry that is an integer: adds, and removes the entry when it is 0. */
int
pj_map_add(struct pj_node *map, enum pj_order order, struct pj_str name,
	   int64_t delta, struct pj_error *err)
	__attribute__((warn_unused_result));
bool
pj_map_remove(struct pj_node *map, enum pj_order order, struct pj_str name);
/* Entries by position, for walking a map. */
size_t
pj_node_len(const struct pj_node *node);
struct pj_str
pj_map_name_at(const struct pj_node *map, size_t index);
struct pj_node *
pj_node_at(struct pj_node *node, size_t index); /* object/array, or NULL */

/* ---- Lists of objects -------------------------------------------------- */

/*
 * Keyed lists stay ascending by the bytes of one string field, found by binary
 * search; the entry is made, with that field set, when absent.
 */
struct pj_node *
pj_keyed_make(struct pj_node *list, const char *key_field, struct pj_str key);
struct pj_node *
pj_keyed_find(struct pj_node *list, const char *key_field, struct pj_str key);
bool
pj_keyed_remove(struct pj_node *list, const char *key_field, struct pj_str key);

/* Capped lists: newest in front (or at the end), the oldest falls out. */
struct pj_node *
pj_capped_push_front(struct pj_node *list, size_t cap);
struct pj_node *
pj_capped_push_back(struct pj_node *list, size_t cap);
/* The first object whose string field equals the value, or NULL. */
struct pj_node *
pj_list_find(struct pj_node *list, const char *field, struct pj_str value);
bool
pj_list_remove(struct pj_node *list, const char *field, struct pj_str value);

/* Capped lists of strings (remembered ids): true when newly added. */
bool
pj_remember(struct pj_node *list, struct pj_str value, size_t cap);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
