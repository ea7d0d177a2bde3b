/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of operators to the source's owner (protocol rule 11). */
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "lib/readmodel.h"
#include "lib/store_fields.h"
#include "lib/store_list.h"
#include "lib/store_rows.h"

/* ---- Rows -------------------------------------------------------------- */

static void
request_row(struct store_row *ret_row, const struct store_request *req)
{
	bson_t *b;

	row_begin(ret_row, mem_strdup(req->id));
	b = ret_row->bson;
	put_text(b, "generation", req->generation);
	put_text(b, "action", req->action);
	put_text(b, "unitType", req->unit_type);
	put_bytes(b, "unit", (struct pj_str){req->unit, req->unit_len}, false);
	put_text(b, "topic", req->topic);
	put_int32(b, "partition", req->partition);
	put_int64(b, "offset", req->offset);
	put_text(b, "reason", req->reason);
	put_text(b, "by", req->by);
	put_int64(b, "at", req->at_ms);
	put_int32(b, "state", STORE_REQ_NEW);
	put_text(b, "result", "");
}

static int
request_read(const uint8_t *bson, size_t len, struct store_request *ret,
	     struct pj_error *err)
{
	struct store_request row = {.state = STORE_REQ_NEW};
	struct pj_str unit, reason, by, result;
	int32_t state;
	const struct field fields[] = {
		{READMODEL_ID, FIELD_CHARS, row.id, sizeof(row.id)},
		{"generation", FIELD_CHARS, row.generation,
		 sizeof(row.generation)},
		{"action", FIELD_CHARS, row.action, sizeof(row.action)},
		{"unitType", FIELD_CHARS, row.unit_type, sizeof(row.unit_type)},
		{"unit", FIELD_BYTES, &unit, 0},
		{"topic", FIELD_CHARS, row.topic, sizeof(row.topic)},
		{"partition", FIELD_INT32, &row.partition, 0},
		{"offset", FIELD_INT64, &row.offset, 0},
		{"reason", FIELD_STR, &reason, 0},
		{"by", FIELD_STR, &by, 0},
		{"at", FIELD_INT64, &row.at_ms, 0},
		{"state", FIELD_INT32, &state, 0},
		{"result", FIELD_STR, &result, 0},
	};

	if (fields_read(bson, len, READMODEL_REQUESTS, fields,
			sizeof(fields) / sizeof(fields[0]), err))
		return -1;
	if (state < STORE_REQ_NEW || state > STORE_REQ_FAILED)
		return pj_error_set(err, PJ_ERROR_FATAL,
				    "damaged row in %s: field 'state'",
				    READMODEL_REQUESTS);
	row.state = (enum store_request_state)state;
	row.unit = mem_strndup(unit.ptr ? unit.ptr : "", unit.len);
	row.unit_len = unit.len;
	row.reason = mem_strndup(reason.ptr, reason.len);
	row.by = mem_strndup(by.ptr, by.len);
	row.result = mem_strndup(result.ptr, result.len);
	*ret = row;
	return 0;
}

/* ---- Adding and ending ------------------------------------------------- */

/* From a command line: it may be anything. */
static int
request_check_text(const char *what, const char *text, struct pj_error *err)
{
	size_t len = strlen(text);

	if (len > STORE_REQUEST_TEXT_MAX)
		return pj_error_set(err, PJ_ERROR_CONFIG,
				    "the %s of a request is longer than %d "
				    "bytes",
				    what, STORE_REQUEST_TEXT_MAX);
	if (!bson_utf8_validate(text, len, false))
		return pj_error_set(err, PJ_ERROR_CONFIG,
				    "the %s of a request is not UTF-8", what);
	return 0;
}

int
store_request_add(struct store_session *ses, const struct store_request *req,
		  struct pj_error *err)
{
	struct store_row row;
	bool inserted;
	int ret;

	if (store_must_write(ses, err) ||
	    request_check_text("reason", req->reason, err) ||
	    request_check_text("author", req->by, err))
		return -1;
	request_row(&row, req);
	/* There already: it was added by an answer that got lost. */
	ret = ses->store->ops->row_insert(ses, READMODEL_REQUESTS, &row,
					  &inserted, err);
	store_row_release(&row);
	return ret;
}

int
store_requests_end(struct store_session *ses, const struct store_ending *ends,
		   size_t n, size_t *ret_ended, struct pj_error *err)
{
	struct store_rows rows = {0};
	int ret;

	if (store_must_write(ses, err))
		return -1;
	for (size_t i = 0; i < n; i++) {
		struct store_row *row = store_rows_add(&rows);

		row->id = mem_strdup(ends[i].id);
		row_if(row, "state", STORE_REQ_NEW);
		row_set_int32(row, "state", (int32_t)ends[i].state);
		row_set_text(row, "result", ends[i].result);
	}
	ret = ses->store->ops->rows_write(ses, READMODEL_REQUESTS, &rows,
					  ret_ended, err);
	store_rows_release(&rows);
	return ret;
}

int
store_request_remove(struct store_session *ses, const char *id,
		     struct pj_error *err)
{
	struct store_rows rows = {0};
	int ret;

	if (store_must_write(ses, err))
		return -1;
	store_rows_add(&rows)->id = mem_strdup(id);
	ret = ses->store->ops->rows_delete(ses, READMODEL_REQUESTS, &rows, err);
	store_rows_release(&rows);
	return ret;
}

/* ---- Listing ----------------------------------------------------------- */

static int
request_list(struct store_list *list, void *row, const uint8_t *bson,
	     size_t len)
{
	return request_read(bson, len, row, &list->err);
}

static int
request_compare(const void *a, const void *b)
{
	const struct store_request *x = a, *y = b;
	int order = (x->at_ms > y->at_ms) - (x->at_ms < y->at_ms);

	return order ? order : strcmp(x->id, y->id);
}

int
store_requests(struct store_session *ses, int state,
	       struct store_request **ret_rows, size_t *ret_n,
	       struct pj_error *err)
{
	struct store_list list = {.row_size = sizeof(struct store_request),
				  .read = request_list};
	const struct store_cond cond = {"state", STORE_IS, state};
	struct store_request *rows;
	int ret = state < 0 ? store_list_run(&list, ses, READMODEL_REQUESTS, "",
					     "", err)
			    : store_list_find(&list, ses, READMODEL_REQUESTS,
					      &cond, 1, err);

	rows = (struct store_request *)(void *)list.rows;
	if (ret) {
		store_requests_free(rows, list.n);
		return -1;
	}
	if (list.n > 1)
		qsort(rows, list.n, sizeof(*rows), request_compare);
	*ret_rows = rows;
	*ret_n = list.n;
	return 0;
}

void
store_requests_free(struct store_request *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(rows[i].unit);
		free(rows[i].reason);
		free(rows[i].by);
		free(rows[i].result);
	}
	free(rows);
}
