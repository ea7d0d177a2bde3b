/* SPDX-License-Identifier: Apache-2.0 */
/* Parked rows, counted and scanned over either adapter. Audit: store_audit.c */
#include <stdlib.h>
#include <string.h>

#include "lib/readmodel.h"
#include "lib/store_impl.h"
#include "lib/store_rows.h"
#include "lib/str.h"

int
store_parked_count(struct store_session *ses, const char *generation,
		   int64_t *ret_n, struct pj_error *err)
{
	struct parked_range range;
	int ret;

	rows_parked_range(&range, generation, NULL, NULL);
	ret = ses->store->ops->count(ses, READMODEL_PARKED,
				     store_str(range.after),
				     store_str(range.end), ret_n, err);
	free(range.after);
	free(range.end);
	return ret;
}

struct parked_walk {
	bool (*each)(void *arg, const struct store_parked *row);
	void *arg;
	struct pj_error err;
};

static bool
parked_each(void *arg, const uint8_t *bson, size_t len)
{
	struct parked_walk *walk = arg;
	struct store_parked row;
	struct pj_str *headers;
	bool more;

	if (rows_parked_read(bson, len, &row, &headers, &walk->err))
		return false;
	more = walk->each(walk->arg, &row);
	free(headers);
	return more;
}

static int
parked_walk(struct store_session *ses, const struct parked_range *range,
	    struct parked_walk *walk, struct pj_error *err)
{
	if (ses->store->ops->scan(
		    ses, READMODEL_PARKED, store_str(range->after),
		    store_str(range->end), parked_each, walk, err))
		return -1;
	if (walk->err.cls == PJ_ERROR_NONE)
		return 0;
	*err = walk->err;
	return -1;
}

int
store_parked_scan(struct store_session *ses, const char *generation,
		  bool (*each)(void *arg, const struct store_parked *row),
		  void *arg, struct pj_error *err)
{
	struct parked_walk walk = {.each = each, .arg = arg};
	struct parked_range range;
	int ret;

	rows_parked_range(&range, generation, NULL, NULL);
	ret = parked_walk(ses, &range, &walk, err);
	free(range.after);
	free(range.end);
	return ret;
}

struct parked_search {
	struct pj_str unit;
	bool found;
};

/* Ids of long units are hashes: the unit itself decides. */
static bool
parked_search_each(void *arg, const struct store_parked *row)
{
	struct parked_search *search = arg;

	search->found = str_equal(row->unit, search->unit);
	return !search->found;
}

int
store_parked_has(struct store_session *ses, const char *generation,
		 struct pj_str unit, bool *ret_has, struct pj_error *err)
{
	struct parked_search search = {.unit = unit};
	struct parked_walk walk = {.each = parked_search_each, .arg = &search};
	struct parked_range range;
	int ret;

	rows_parked_range(&range, generation, "document", &unit);
	ret = parked_walk(ses, &range, &walk, err);
	if (ret == 0)
		*ret_has = search.found;
	free(range.after);
	free(range.end);
	return ret;
}

/* Hands on what is of the unit, not only of its hash. */
struct parked_queue {
	struct pj_str unit;
	bool (*each)(void *arg, const struct store_parked *row);
	void *arg;
};

static bool
parked_queue_each(void *arg, const struct store_parked *row)
{
	const struct parked_queue *queue = arg;

	return !str_equal(row->unit, queue->unit) ||
	       queue->each(queue->arg, row);
}

int
store_parked_unit(struct store_session *ses, const char *generation,
		  const char *unit_type, struct pj_str unit, const char *topic,
		  int32_t partition, int64_t from,
		  bool (*each)(void *arg, const struct store_parked *row),
		  void *arg, struct pj_error *err)
{
	struct parked_queue queue = {.unit = unit, .each = each, .arg = arg};
	struct parked_walk walk = {.each = parked_queue_each, .arg = &queue};
	struct parked_range range;
	int ret;

	rows_parked_queue_range(&range, generation, unit_type, unit, topic,
				partition, from);
	ret = parked_walk(ses, &range, &walk, err);
	free(range.after);
	free(range.end);
	return ret;
}
