/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Live pointers. One row per projection: the generation that readers get, the
 * one before it, and how often the one they get was claimed. The latter is what
 * makes a promotion safe: whoever claims the live generation counts it up
 * before he reads a record, so a pointer that moves by compare-and-set on it
 * moves over nobody.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "lib/readmodel.h"
#include "lib/store_list.h"
#include "lib/store_rows.h"

static int
live_read(struct store_list *list, void *row, const uint8_t *bson, size_t len)
{
	return rows_live_read(bson, len, row, &list->err);
}

int
store_live(struct store_session *ses, struct store_live **ret_rows,
	   size_t *ret_n, struct pj_error *err)
{
	struct store_list list = {.row_size = sizeof(struct store_live),
				  .read = live_read};

	if (store_list_run(&list, ses, READMODEL_LIVE, "", "", err)) {
		free(list.rows);
		return -1;
	}
	*ret_rows = (struct store_live *)(void *)list.rows;
	*ret_n = list.n;
	return 0;
}

bool
store_is_live(const struct store_live *rows, size_t n,
	      const struct store_generation *gen)
{
	for (size_t i = 0; i < n; i++)
		if (rows[i].number == gen->number &&
		    strcmp(rows[i].projection, gen->projection) == 0)
			return true;
	return false;
}

/* claims: as they have to be; NULL: whatever they are. */
static int
live_change(struct store_session *ses, const char *projection, int32_t expected,
	    const int64_t *claims, int32_t number, bool *ret_moved,
	    struct pj_error *err)
{
	struct store_row row = {.id = mem_strdup(projection)};

	row_if(&row, "number", expected);
	if (claims)
		row_if(&row, "claims", *claims);
	row_set_int32(&row, "number", number);
	row_set_int32(&row, "previous", expected);
	return store_row_write_take(ses, READMODEL_LIVE, &row, ret_moved, err);
}

int
store_live_move(struct store_session *ses, const char *projection,
		int32_t expected, int32_t number, bool *ret_moved,
		struct pj_error *err)
{
	struct store_row row;
	int ret;

	if (store_must_write(ses, err))
		return -1;
	if (expected != 0)
		return live_change(ses, projection, expected, NULL, number,
				   ret_moved, err);
	rows_live(&row, projection, number);
	ret = ses->store->ops->row_insert(ses, READMODEL_LIVE, &row, ret_moved,
					  err);
	store_row_release(&row);
	return ret;
}

int
store_live_promote(struct store_session *ses, const char *projection,
		   const struct store_live *seen, int32_t number,
		   bool *ret_moved, struct pj_error *err)
{
	if (seen->number == 0)
		return store_live_move(ses, projection, 0, number, ret_moved,
				       err);
	if (store_must_write(ses, err))
		return -1;
	return live_change(ses, projection, seen->number, &seen->claims, number,
			   ret_moved, err);
}

int
store_live_claimed(struct store_session *ses, const char *generation,
		   struct pj_error *err)
{
	const char *dot = strrchr(generation, '.');
	struct store_row row = {0};

	/* Names of anything else are nobody's pointer. */
	if (!dot)
		return 0;
	row.id = mem_strndup(generation, (size_t)(dot - generation));
	row_if(&row, "number", strtol(dot + 1, NULL, 10));
	row_add(&row, "claims", 1);
	return store_row_write_take(ses, READMODEL_LIVE, &row, NULL, err);
}
