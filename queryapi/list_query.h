/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client asks of a list: limit, cursor, a set of fields and declared
 * filters, from the query of a request target. Strict: whatever is not
 * understood is refused.
 *
 * Pure. Errors: INPUT, the text is for the client.
 */
#ifndef QUERYAPI_LIST_QUERY_H
#define QUERYAPI_LIST_QUERY_H

#include <projector/error.h>

#include "queryapi/cursor.h"
#include "queryapi/field_sets.h"
#include "queryapi/filters.h"
#include "queryapi/uri.h"

enum { LIST_LIMIT_DEFAULT = 20, LIST_LIMIT_MAX = STORE_PAGE_MAX };

struct list_query {
	size_t limit;
	struct buf after;			     /* empty: from the start */
	struct buf space;			     /* what pairs point into */
	struct cursor_pair pairs[STORE_FILTERS_MAX]; /* ascending by name */
	size_t n_pairs;
	struct pj_str fields; /* the set's name, of what is declared; empty:
			       * whole documents */
};

/* To be released, after a failure too. */
int
list_query_read(struct list_query *ret_query, struct pj_str view,
		const struct filters *declared, const struct field_sets *sets,
		const struct uri *uri, struct pj_error *err)
	__attribute__((warn_unused_result));
void
list_query_release(struct list_query *query);

/* The pairs as conditions for a store, by what is declared; borrows both. */
int
list_query_conditions(const struct cursor_pair *pairs, size_t n,
		      const struct filters *declared, struct store_filter *out,
		      struct pj_error *err) __attribute__((warn_unused_result));

/* Appends "/v1/{view}?{filters}&fields=…&limit=…&cursor=…", percent-encoded. */
void
list_query_link(struct buf *out, const struct cursor_list *list, size_t limit,
		struct pj_str fields, struct pj_str cursor);

#endif
