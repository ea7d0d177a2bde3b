/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checkpoints and who may move them (protocol rules 8, 9): a claim counts a
 * row's epoch up, and only who holds that epoch writes the row.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "lib/readmodel.h"
#include "lib/store_list.h"
#include "lib/store_rows.h"

/* ---- Listing ----------------------------------------------------------- */

static int
checkpoint_read(struct store_list *list, void *row, const uint8_t *bson,
		size_t len)
{
	return rows_checkpoint_read(bson, len, row, NULL, &list->err);
}

static int
checkpoint_compare(const void *a, const void *b)
{
	const struct store_checkpoint *x = a, *y = b;
	int order = strcmp(x->generation, y->generation);

	return order ? order
		     : (x->source > y->source) - (x->source < y->source);
}

int
store_checkpoints(struct store_session *ses, const char *generation,
		  struct store_checkpoint **ret_rows, size_t *ret_n,
		  struct pj_error *err)
{
	struct store_list list = {.row_size = sizeof(struct store_checkpoint),
				  .read = checkpoint_read};
	/* "stock.3/" … "stock.30": '0' is the byte after '/'. */
	char *after =
		generation ? mem_printf("%s/", generation) : mem_strdup("");
	char *end = generation ? mem_printf("%s0", generation) : mem_strdup("");
	int ret = -1;

	if (store_list_run(&list, ses, READMODEL_CHECKPOINTS, after, end,
			   err)) {
		free(list.rows);
		goto out;
	}
	if (list.n > 1)
		qsort(list.rows, list.n, list.row_size, checkpoint_compare);
	*ret_rows = (struct store_checkpoint *)(void *)list.rows;
	*ret_n = list.n;
	ret = 0;
out:
	free(after);
	free(end);
	return ret;
}

/* ---- Rows by name ------------------------------------------------------ */

/* The rows of these, in their order; bson NULL: not there. */
struct named_rows {
	struct store_doc *docs;
	char **ids;
	size_t n;
};

static void
named_add(struct named_rows *rows, const char *generation, int32_t source)
{
	char *id = rows_checkpoint_id(generation, source);

	rows->ids[rows->n] = id;
	rows->docs[rows->n++].key = store_str(id);
}

static void
named_init(struct named_rows *rows, size_t cap)
{
	rows->docs = mem_calloc(cap, sizeof(*rows->docs));
	rows->ids = mem_calloc(cap, sizeof(*rows->ids));
	rows->n = 0;
}

static void
named_release(struct named_rows *rows)
{
	for (size_t i = 0; i < rows->n; i++) {
		free(rows->docs[i].bson);
		free(rows->ids[i]);
	}
	free(rows->docs);
	free(rows->ids);
}

/* ---- Claims ------------------------------------------------------------ */

static int
claim_write(struct store_session *ses, const char *generation,
	    const int32_t *sources, size_t n, const struct store_owner *owner,
	    struct pj_error *err)
{
	struct store_rows rows = {0};
	size_t done;
	int ret;

	for (size_t i = 0; i < n; i++)
		rows_claim(store_rows_add(&rows), generation, sources[i],
			   owner);
	ret = ses->store->ops->rows_write(ses, READMODEL_CHECKPOINTS, &rows,
					  &done, err);
	store_rows_release(&rows);
	return ret;
}

static int
claim_read(struct store_session *ses, struct named_rows *rows,
	   const struct store_owner *owner, struct store_checkpoint *ret_rows,
	   bool *ret_mine, struct pj_error *err)
{
	struct store_owner now;

	if (store_load(ses, READMODEL_CHECKPOINTS, rows->docs, rows->n, err))
		return -1;
	*ret_mine = true;
	for (size_t i = 0; i < rows->n; i++) {
		const struct store_doc *doc = &rows->docs[i];

		if (!doc->bson)
			return pj_error_set(err, PJ_ERROR_RETRY,
					    "%s: checkpoint %s is gone right "
					    "after it was claimed",
					    ses->store->name, rows->ids[i]);
		if (rows_checkpoint_read(doc->bson, doc->len, &ret_rows[i],
					 &now, err))
			return -1;
		if (memcmp(&now, owner, sizeof(now)) != 0)
			*ret_mine = false;
	}
	return 0;
}

int
store_claim(struct store_session *ses, const char *generation,
	    const int32_t *sources, size_t n, const struct store_owner *owner,
	    struct store_checkpoint *ret_rows, bool *ret_mine,
	    struct pj_error *err)
{
	struct named_rows rows;
	int ret = -1;

	if (store_must_write(ses, err))
		return -1;
	named_init(&rows, n);
	for (size_t i = 0; i < n; i++)
		named_add(&rows, generation, sources[i]);
	/* In this order: see promotion.c, which looks the other way round. */
	if (claim_write(ses, generation, sources, n, owner, err) == 0 &&
	    store_live_claimed(ses, generation, err) == 0)
		ret = claim_read(ses, &rows, owner, ret_rows, ret_mine, err);
	named_release(&rows);
	return ret;
}

/* ---- The fence --------------------------------------------------------- */

int
store_is_fenced(struct store_session *ses, const struct store_checkpoint *cps,
		size_t n, bool *ret_fenced, struct pj_error *err)
{
	struct named_rows rows;
	int ret;

	named_init(&rows, n);
	for (size_t i = 0; i < n; i++)
		named_add(&rows, cps[i].generation, cps[i].source);
	ret = store_load(ses, READMODEL_CHECKPOINTS, rows.docs, n, err);
	*ret_fenced = false;
	for (size_t i = 0; ret == 0 && i < n; i++) {
		const struct store_doc *doc = &rows.docs[i];
		struct store_checkpoint now = {.epoch = -1};

		if (doc->bson)
			ret = rows_checkpoint_read(doc->bson, doc->len, &now,
						   NULL, err);
		if (ret == 0 && now.epoch != cps[i].epoch)
			*ret_fenced = true;
		else if (ret == 0 && now.next < cps[i].next)
			ret = pj_error_set(
				err, PJ_ERROR_RETRY,
				"%s: checkpoint %s was not written: it is at "
				"%" PRId64 ", not %" PRId64,
				ses->store->name, rows.ids[i], now.next,
				cps[i].next);
	}
	named_release(&rows);
	return ret;
}
