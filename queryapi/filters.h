/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a view may be filtered by: the fields its module declared as indexes,
 * as far as they hold one text, integer or truth each.
 *
 * Nothing that is not declared is ever asked for, and a value is only its
 * type's: never an operator.
 */
#ifndef QUERYAPI_FILTERS_H
#define QUERYAPI_FILTERS_H

#include <projector/error.h>
#include <projector/event.h>

#include "lib/store_page.h"

struct json_t; /* jansson's: lib/json.h has names of its own */

enum { FILTER_VALUE_MAX = 480 }; /* bytes, as of a key */

struct filter {
	char *name;
	enum store_filter_type type;
};

struct filters {
	struct filter *rows;
	size_t n;
};

/*
 * Reads "filters" and "fields" of a generation's reader_json (NULL or of any
 * other shape: none). Left out: types that are no single value, names that a
 * list uses itself (ids, limit, cursor, fields), names that are no field's.
 */
void
filters_read(struct filters *ret_filters, const struct json_t *reader);
void
filters_release(struct filters *filters);

/* The declared filter of that name, or NULL. */
const struct filter *
filters_find(const struct filters *filters, struct pj_str name);

/* Whether a query parameter's name is one that a list uses itself. */
bool
filters_is_reserved(const char *name);

/*
 * The value as a condition for the store, borrowing both. INPUT errors, text
 * for a client: empty, too long, not of the type (int: decimal without sign or
 * with '-', no leading zeros, 64 bits; bool: true, false).
 */
int
filter_value(const struct filter *filter, struct pj_str text,
	     struct store_filter *ret_cond, struct pj_error *err)
	__attribute__((warn_unused_result));

#endif
