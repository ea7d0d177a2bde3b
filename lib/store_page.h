/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists: the part of the document store port (store.h) that reads documents
 * without knowing their keys, page by page in key order.
 *
 * A list never skips a document that was there, live and matching, while its
 * pages were read, and never gives a key twice. What is written meanwhile may
 * be seen or not; a page by itself is of one moment in lmdb only.
 *
 * Which fields are indexed a generation's record says (readmodel.h, "filters").
 * mongodb: an index {field, _id} each, made with the generation. lmdb: one
 * index, kept by store_apply() in the documents' own transaction, of the
 * generations that were made since there is one; older ones are looked through
 * within STORE_PAGE_LOOKS (docs/adr/0016).
 */
#ifndef LIB_STORE_PAGE_H
#define LIB_STORE_PAGE_H

#include "lib/buf.h"
#include "lib/store.h"

enum {
	STORE_PAGE_MAX = 100,  /* documents of one page */
	STORE_FILTERS_MAX = 8, /* of one list */
	/* lmdb: documents looked at for one page; it ends there, `more`. */
	STORE_PAGE_LOOKS = 10000,
	/* mongodb: how long the server may look for one. */
	STORE_PAGE_MS = 2000,
	/* err->code of a RETRY, and no server's: it looked longer. */
	STORE_PAGE_TOO_LONG = -50,
};

/*
 * The field has this very value. A value is data: nothing in it is an operator.
 * The field is one at the top of a document, without '.', not `_…` nor `$…`.
 */
struct store_filter {
	const char *field;
	enum store_filter_type {
		STORE_FILTER_STRING,
		STORE_FILTER_INT,
		STORE_FILTER_BOOL,
	} type;
	struct pj_str text; /* string: UTF-8 without U+0000 */
	int64_t number;	    /* int; bool: 0 or 1 */
};

struct store_query {
	const char *collection;
	struct pj_str after; /* keys behind this one; len 0 = from the start */
	const struct store_filter *filters; /* all of them hold */
	size_t n_filters;
	size_t limit; /* 1 to STORE_PAGE_MAX */
};

struct store_page {
	struct store_doc *docs; /* live (`_m.d` 0), by key (bytes) */
	size_t n;
	/*
	 * There are others, or may be: ask again behind `last`. A page may have
	 * fewer than `limit` documents then (STORE_LOAD_BYTES,
	 * STORE_PAGE_LOOKS), even none.
	 */
	bool more;
	struct buf last; /* a key; empty unless `more` */
};

/*
 * Reads a page: majority, primary, never stale. A collection that does not
 * exist is an empty one. Errors: RETRY with code STORE_PAGE_TOO_LONG where a
 * page cannot be had in STORE_PAGE_MS; FATAL for a query that is none.
 * Ownership: to be released by store_page_release(), after a failure too.
 */
int
store_list(struct store_session *ses, const struct store_query *query,
	   struct store_page *ret_page, struct pj_error *err)
	__attribute__((warn_unused_result));
void
store_page_release(struct store_page *page);

#endif
