/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The value tree of a document, with the log that takes changes back.
 *
 * Invariants: between node_tree_open() and node_tree_close() every change of an
 * attached object or array is in the log, newest last, so that undoing from the
 * end meets each index as it was. What a change takes out lives in the log
 * until the bracket ends. An object with declared members holds them in the
 * shape's order, whatever the order of setting. `memory` is the sum of what is
 * allocated for nodes, entries and long strings.
 *
 * Ownership: a tree owns its nodes; a node its entries; an entry name and
 * value. Functions that take a struct node_value consume it.
 * Thread: one tree, one thread.
 */
#ifndef PROJECTOR_NODE_H
#define PROJECTOR_NODE_H

#include <projector/document.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/str.h"

/* ---- Strings: short ones in place --------------------------------------- */

enum { NODE_TEXT_INLINE = 15, NODE_TEXT_HEAP = 0xff };

struct node_text {
	union {
		char bytes[16]; /* the last one: length, or NODE_TEXT_HEAP */
		struct {
			char *ptr;
			uint32_t len;
		} heap;
	};
};

static inline struct pj_str
node_text_str(const struct node_text *text)
{
	unsigned len = (unsigned char)text->bytes[NODE_TEXT_INLINE];

	if (len == NODE_TEXT_HEAP)
		return (struct pj_str){text->heap.ptr, text->heap.len};
	return (struct pj_str){text->bytes, len};
}

/* ---- Values -------------------------------------------------------------- */

enum node_type {
	NODE_NULL,
	NODE_BOOL,
	NODE_INT,
	NODE_NUMBER,
	NODE_DATE, /* .i, ms */
	NODE_STRING,
	NODE_CONTAINER, /* .node: an object or an array */
};

struct node_value {
	enum node_type type;
	union {
		bool b;
		int64_t i;
		double d;
		struct node_text text;
		struct pj_node *node;
	};
};

struct node_entry {
	struct node_text name; /* empty in arrays */
	struct node_value value;
};

/* What is declared for a container; NULL = nothing, anything goes. */
struct node_shape {
	const struct pj_shape *members; /* an object's own names */
	const struct pj_shape *items;	/* names of objects in it */
};

struct pj_node {
	struct node_tree *tree;
	struct node_entry *entries;
	uint32_t n, cap;
	bool array;
	bool root;
	struct node_shape shape;
};

/* ---- The tree ------------------------------------------------------------ */

struct node_change; /* node_log.c */

struct node_tree {
	struct pj_node *root;
	size_t memory;
	struct node_change *log;
	uint32_t n_log, cap_log;
	bool open;
	bool changed; /* in this bracket, even if changed back */
	bool served;  /* a name of the root that readers see was changed */
	char *fault;  /* what the module must not do; NULL = nothing */
};

/* members: what is served; names that begin with `_` are always allowed. */
void
node_tree_init(struct node_tree *tree, const struct pj_shape *members);
void
node_tree_release(struct node_tree *tree);

void
node_tree_open(struct node_tree *tree);
/* Takes back all changes (undo), or lets go of what they took out. */
void
node_tree_close(struct node_tree *tree, bool undo);

/* The first fault is kept; the bracket's changes will be undone. */
void
node_fault(struct node_tree *tree, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* ---- Making values (not attached, not logged) -----------------------------
 */

struct node_text
node_text_make(struct node_tree *tree, struct pj_str str);
static inline struct node_value
node_value_string(struct node_tree *tree, struct pj_str str)
{
	return (struct node_value){.type = NODE_STRING,
				   .text = node_text_make(tree, str)};
}
static inline struct node_value
node_value_container(struct pj_node *node)
{
	return (struct node_value){.type = NODE_CONTAINER, .node = node};
}
struct pj_node *
node_new(struct node_tree *tree, bool array, struct node_shape shape);
/* Makes room for n entries in all, exactly. */
void
node_reserve(struct pj_node *node, uint32_t n);
void
node_value_release(struct node_tree *tree, struct node_value *value);
void
node_entry_release(struct node_tree *tree, struct node_entry *entry);
void
node_entries_release(struct node_tree *tree, struct node_entry *entries,
		     uint32_t n, uint32_t cap);

/* What the parent's shape says of a container under the name. */
struct node_shape
node_child_shape(const struct pj_node *parent, struct pj_str name);

/*
 * Where a name that is not there yet belongs; -1 when it is not declared, which
 * is recorded as a fault.
 */
int64_t
node_place(struct pj_node *obj, struct pj_str name);
/* Puts an entry in without asking or logging. */
void
node_insert_raw(struct pj_node *node, uint32_t index, struct pj_str name,
		struct node_value value);
/* Puts a name in its place, or faults (and consumes the value): -1. */
int
node_add_raw(struct pj_node *obj, struct pj_str name, struct node_value value);

/* node_build.c: deep copies into the shape given; false = a fault. */
bool
node_copy(struct node_tree *tree, struct node_shape shape,
	  const struct node_value *from, struct node_value *ret_value);
/* The value of an event's field; it has one. */
bool
node_from_data(struct node_tree *tree, struct node_shape shape,
	       const struct pj_data *data, unsigned field,
	       struct node_value *ret_value);

/* ---- Reading ---------------------------------------------------------------
 */

/* Same type, same content, same order; doubles by their bits. */
bool
node_value_equal(const struct node_value *a, const struct node_value *b);
/* Index of the name, or -1. NULL is an object without names. */
int64_t
node_find(const struct pj_node *obj, struct pj_str name);
/* The value, or NULL. */
const struct node_value *
node_get(const struct pj_node *obj, struct pj_str name);

/* ---- Logged changes (node_log.c) --------------------------------------------
 */

/* Sets a name; true when it really changed. */
bool
node_put(struct pj_node *obj, struct pj_str name, struct node_value value);
/* For maps and lists, where the caller knows the place. */
void
node_insert(struct pj_node *node, uint32_t index, struct pj_str name,
	    struct node_value value);
void
node_replace(struct pj_node *node, uint32_t index, struct node_value value);
void
node_remove(struct pj_node *node, uint32_t index);
bool
node_clear(struct pj_node *node);
/* A container nobody sees, for a module to go on with after a fault. */
struct pj_node *
node_scratch(struct node_tree *tree, bool array);

#endif
