/* SPDX-License-Identifier: Apache-2.0 */
/* Records that ended the process, counted. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "lib/readmodel.h"
#include "lib/store_fields.h"
#include "lib/store_list.h"
#include "lib/store_rows.h"

static char *
crash_id(const struct store_crash *crash)
{
	return mem_printf("%s/%s/%" PRId32 "/%" PRId64, crash->generation,
			  crash->topic, crash->partition, crash->offset);
}

static int
crash_read(const uint8_t *bson, size_t len, struct store_crash *ret,
	   struct pj_error *err)
{
	struct store_crash row = {0};
	const struct field fields[] = {
		{"generation", FIELD_CHARS, row.generation,
		 sizeof(row.generation)},
		{"topic", FIELD_CHARS, row.topic, sizeof(row.topic)},
		{"partition", FIELD_INT32, &row.partition, 0},
		{"offset", FIELD_INT64, &row.offset, 0},
		{"count", FIELD_INT32, &row.count, 0},
		{"lastAt", FIELD_INT64, &row.last_at_ms, 0},
	};

	if (fields_read(bson, len, READMODEL_CRASHES, fields, 6, err))
		return -1;
	*ret = row;
	return 0;
}

int
store_crash_add(struct store_session *ses, const struct store_crash *crash,
		int32_t *ret_count, struct pj_error *err)
{
	struct store_crash now = {.count = 0};
	char *id = crash_id(crash);
	uint8_t *bson = NULL;
	struct store_row row;
	size_t len;
	int ret = -1;

	if (store_must_write(ses, err))
		goto out;
	row_begin(&row, mem_strdup(id));
	put_text(row.bson, "generation", crash->generation);
	put_text(row.bson, "topic", crash->topic);
	put_int32(row.bson, "partition", crash->partition);
	put_int64(row.bson, "offset", crash->offset);
	row_add(&row, "count", 1);
	row_raise(&row, "lastAt", crash->last_at_ms);
	if (store_row_write_take(ses, READMODEL_CRASHES, &row, NULL, err) ||
	    store_row_load(ses, READMODEL_CRASHES, id, &bson, &len, err) ||
	    (bson && crash_read(bson, len, &now, err)))
		goto out;
	*ret_count = now.count;
	ret = 0;
out:
	free(bson);
	free(id);
	return ret;
}

static int
crash_list(struct store_list *list, void *row, const uint8_t *bson, size_t len)
{
	return crash_read(bson, len, row, &list->err);
}

int
store_crashes(struct store_session *ses, struct store_crash **ret_rows,
	      size_t *ret_n, struct pj_error *err)
{
	struct store_list list = {.row_size = sizeof(struct store_crash),
				  .read = crash_list};

	if (store_list_run(&list, ses, READMODEL_CRASHES, "", "", err)) {
		free(list.rows);
		return -1;
	}
	*ret_rows = (struct store_crash *)(void *)list.rows;
	*ret_n = list.n;
	return 0;
}

int
store_crash_remove(struct store_session *ses, const struct store_crash *crash,
		   struct pj_error *err)
{
	struct store_rows rows = {0};
	int ret;

	if (store_must_write(ses, err))
		return -1;
	store_rows_add(&rows)->id = crash_id(crash);
	ret = ses->store->ops->rows_delete(ses, READMODEL_CRASHES, &rows, err);
	store_rows_release(&rows);
	return ret;
}
