/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of any kind, read into one array. Private to lib/store*.c. */
#ifndef LIB_STORE_LIST_H
#define LIB_STORE_LIST_H

#include "lib/store_impl.h"

struct store_list {
	size_t row_size;
	/* Fills *row; a failure goes to list->err. */
	int (*read)(struct store_list *list, void *row, const uint8_t *bson,
		    size_t len);
	char *rows; /* malloc'ed */
	size_t n;
	struct pj_error err;
};

/*
 * All rows with ids in (after, end), an empty bound is none. On failure those
 * read so far are in the list: the caller frees them.
 */
int
store_list_run(struct store_list *list, struct store_session *ses,
	       const char *collection, const char *after, const char *end,
	       struct pj_error *err) __attribute__((warn_unused_result));

/* The same of all that hold the conditions, in any order. */
int
store_list_find(struct store_list *list, struct store_session *ses,
		const char *collection, const struct store_cond *conds,
		size_t n_conds, struct pj_error *err)
	__attribute__((warn_unused_result));

#endif
