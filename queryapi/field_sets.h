/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The named parts of a view's documents that may be asked for instead of the
 * whole (`?fields=card`): as its module declared them, nothing else.
 *
 * Invariant: what was rendered by one declaration is never told to be of
 * another. Ready entries (entry.h) carry the id of the sets they were rendered
 * by, and tags the set's name and a hash of its fields: a declaration can
 * change while no revision does.
 *
 * Thread: immutable once read.
 */
#ifndef QUERYAPI_FIELD_SETS_H
#define QUERYAPI_FIELD_SETS_H

#include <projector/error.h>
#include <projector/event.h>

#include <stddef.h>
#include <stdint.h>

#include "lib/readmodel.h"

struct json_t; /* jansson's: lib/json.h has names of its own */

enum {
	FIELD_SETS_MAX = READMODEL_FIELD_SETS_MAX,
	FIELD_SET_NAME_MAX = 33,
	FIELD_SET_MARK_MAX = 48,
};

struct field_set {
	char name[FIELD_SET_NAME_MAX];
	char mark[FIELD_SET_MARK_MAX]; /* "card-1f2e3d4c", for tags */
	struct pj_str *fields;
	size_t n_fields;
};

struct field_sets {
	struct field_set *rows; /* in the module's order */
	size_t n;
	uint64_t id; /* of all names and fields; 0: there are no sets */
};

/*
 * Reads "fieldSets" and "fields" of a generation's reader_json (NULL or of any
 * other shape: none). Left out: sets that are not named like a projection, or
 * like one before; sets with a field that is not declared, or without any; more
 * than FIELD_SETS_MAX.
 */
void
field_sets_read(struct field_sets *ret_sets, const struct json_t *reader);
void
field_sets_release(struct field_sets *sets);

/* 1 + the index of the set of that name; 0: there is none. */
size_t
field_sets_find(const struct field_sets *sets, struct pj_str name);

/* The same; INPUT, text for a client, when there is none. */
int
field_sets_ask(const struct field_sets *sets, struct pj_str name,
	       size_t *ret_set, struct pj_error *err)
	__attribute__((warn_unused_result));

#endif
