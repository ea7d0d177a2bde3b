/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs for the store, and records that came out of its parked rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/mem.h"
#include "projector/job.h"
#include "projector/queued.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- The store, as this test has it: it takes the port's place at link time.
 */

static struct {
	/* What store_parked_unit() hands out, one after the other. */
	const struct store_parked *rows;
	size_t n_rows, handed;
	const struct job_rows *asked; /* whose names it has to be called with */
	bool away;
	int loads; /* calls so far; the one numbered fails_at fails */
	int fails_at;
	char loaded[64]; /* collection and number of keys of each call */
	bool fenced;
	int removed, applied; /* calls */
} dbl;

int
store_parked_unit(struct store_session *ses, const char *generation,
		  const char *unit_type, struct pj_str unit, const char *topic,
		  int32_t partition, int64_t from,
		  bool (*each)(void *arg, const struct store_parked *row),
		  void *arg, struct pj_error *err)
{
	(void)ses;
	assert_string_equal(generation, dbl.asked->generation);
	assert_string_equal(unit_type, dbl.asked->unit_type);
	assert_int_equal(unit.len, dbl.asked->unit.len);
	assert_memory_equal(unit.ptr, dbl.asked->unit.ptr, unit.len);
	assert_string_equal(topic, dbl.asked->topic);
	assert_int_equal(partition, dbl.asked->partition);
	assert_int_equal(from, dbl.asked->first);
	while (dbl.handed < dbl.n_rows && each(arg, &dbl.rows[dbl.handed]))
		dbl.handed++;
	return dbl.away ? pj_error_set(err, PJ_ERROR_RETRY, "away") : 0;
}

int
store_load(struct store_session *ses, const char *collection,
	   struct store_doc *docs, size_t n_docs, struct pj_error *err)
{
	size_t len = strlen(dbl.loaded);

	(void)ses;
	(void)snprintf(dbl.loaded + len, sizeof(dbl.loaded) - len, "%s %zu;",
		       collection, n_docs);
	if (dbl.loads++ == dbl.fails_at)
		return pj_error_set(err, PJ_ERROR_RETRY, "away");
	for (size_t i = 0; i < n_docs; i++) {
		docs[i].bson = mem_calloc(1, 1);
		docs[i].len = 1;
	}
	return 0;
}

int
store_apply(struct store_session *ses, struct store_batch *batch,
	    struct pj_error *err)
{
	(void)ses;
	(void)err;
	batch->fenced = dbl.fenced;
	dbl.applied++;
	return 0;
}

int
store_crash_remove(struct store_session *ses, const struct store_crash *crash,
		   struct pj_error *err)
{
	(void)ses;
	assert_int_equal(crash->offset, dbl.removed);
	assert_int_equal(dbl.applied, 0);
	if (dbl.away)
		return pj_error_set(err, PJ_ERROR_RETRY, "away");
	dbl.removed++;
	return 0;
}

static int
setup(void **state)
{
	(void)state;
	memset(&dbl, 0, sizeof(dbl));
	dbl.fails_at = -1;
	return 0;
}

/* ---- Records out of rows ------------------------------------------------- */

static void
a_queued_record_is_the_parked_one_and_a_copy(void **state)
{
	char unit[] = "unit", key[] = "k\0y", value[] = "{\"a\":1}";
	char name[] = "traceparent", text[] = "00-11", empty[] = "";
	struct pj_str headers[] = {{name, 11}, {text, 5}, {empty, 0},
				   {NULL, 0},  {name, 5}, {empty, 0}};
	struct store_parked row = {
		.generation = "stock.3",
		.unit_type = "key",
		.unit = {unit, 4},
		.topic = "stock",
		.partition = 2,
		.offset = 41,
		.timestamp_ms = 1234,
		.type = "StockChanged",
		.cause = "invalid field",
		.detail = "field quantity: a string",
		.key = {key, 3},
		.value = {value, 7},
		.headers = headers,
		.n_headers = 3,
	};
	struct queued *q = queued_new(&row);

	(void)state;
	memset(unit, '-', 4);
	memset(key, '-', 3);
	memset(value, '-', 7);
	memset(name, '-', 11);
	memset(text, '-', 5);
	memset(headers, 0, sizeof(headers));
	assert_ptr_equal(q->rec.queued, q);
	assert_string_equal(q->generation, "stock.3");
	assert_string_equal(q->unit_type, "key");
	assert_int_equal(q->unit.len, 4);
	assert_memory_equal(q->unit.ptr, "unit", 4);
	assert_int_equal(q->rec.offset, 41);
	assert_int_equal(q->rec.timestamp_ms, 1234);
	assert_false(q->rec.key_null);
	assert_int_equal(q->rec.key.len, 3);
	assert_memory_equal(q->rec.key.ptr, "k\0y", 3);
	assert_int_equal(q->rec.value.len, 7);
	assert_memory_equal(q->rec.value.ptr, "{\"a\":1}", 7);
	assert_int_equal(q->rec.n_headers, 3);
	assert_memory_equal(q->rec.headers[0].name.ptr, "traceparent", 11);
	assert_memory_equal(q->rec.headers[0].value.ptr, "00-11", 5);
	assert_int_equal(q->rec.headers[1].name.len, 0);
	assert_null(q->rec.headers[1].value.ptr);
	assert_int_equal(q->rec.headers[2].name.len, 5);
	/* An empty value is none that is null. */
	assert_non_null(q->rec.headers[2].value.ptr);
	assert_int_equal(q->rec.headers[2].value.len, 0);
	/* Nothing of it is under way, and no line of the log waits for it. */
	assert_int_equal(q->rec.pending, 0);
	assert_false(q->started);
	assert_int_equal(q->stage, QUEUED_FOLDING);
	queued_free(q);
}

static void
a_null_key_and_value_stay_null(void **state)
{
	struct store_parked row = {.generation = "stock.3",
				   .unit_type = "record",
				   .unit = PJ_STR(""),
				   .topic = "stock",
				   .timestamp_ms = -1,
				   .key_null = true,
				   .value_null = true};
	struct queued *q = queued_new(&row);

	(void)state;
	assert_true(q->rec.key_null && q->rec.value_null);
	assert_null(q->rec.key.ptr);
	assert_null(q->rec.value.ptr);
	assert_int_equal(q->rec.timestamp_ms, -1);
	assert_int_equal(q->rec.n_headers, 0);
	queued_free(q);
	queued_free(NULL);
}

/* ---- Rows jobs ----------------------------------------------------------- */

static struct job *
rows_job(int64_t first, int64_t tail, size_t max)
{
	struct job *job = mem_calloc(1, sizeof(*job));

	job->kind = JOB_ROWS;
	strcpy(job->rows.generation, "stock.3");
	strcpy(job->rows.unit_type, "document");
	strcpy(job->rows.topic, "stock");
	job->rows.unit = (struct pj_str){mem_strdup("s:p"), 3};
	job->rows.partition = 2;
	job->rows.first = first;
	job->rows.tail = tail;
	job->rows.max = max;
	dbl.asked = &job->rows;
	return job;
}

static void
free_with_rows(struct job *job)
{
	for (size_t i = 0; i < job->rows.n; i++)
		queued_free(job->rows.got[i]);
	job_free(job);
}

static struct store_parked
row_at(int64_t offset, struct pj_str value)
{
	return (struct store_parked){.generation = "stock.3",
				     .unit_type = "document",
				     .unit = PJ_STR("s:p"),
				     .topic = "stock",
				     .partition = 2,
				     .offset = offset,
				     .key = PJ_STR("s"),
				     .value = value};
}

static void
a_rows_job_brings_what_the_marker_says_and_nothing_behind(void **state)
{
	static const int64_t offsets[] = {7, 9, 12, 13, 20};
	struct store_parked rows[COUNT(offsets)];
	struct job *job = rows_job(5, 12, 100);

	(void)state;
	for (size_t i = 0; i < COUNT(offsets); i++)
		rows[i] = row_at(offsets[i], PJ_STR("{}"));
	dbl.rows = rows;
	dbl.n_rows = COUNT(offsets);
	job_run(job, NULL);
	assert_int_equal(job->rc, 0);
	assert_int_equal(job->rows.n, 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(job->rows.got[i]->rec.offset, offsets[i]);
	free_with_rows(job);
}

static void
a_rows_job_brings_no_more_than_was_asked_for(void **state)
{
	struct store_parked rows[5];
	struct job *job;

	(void)state;
	for (int64_t i = 0; i < 5; i++)
		rows[i] = row_at(10 + i, PJ_STR("{}"));
	dbl.rows = rows;
	dbl.n_rows = 5;
	job = rows_job(10, 14, 1);
	job_run(job, NULL);
	assert_int_equal(job->rows.n, 1);
	assert_int_equal(job->rows.got[0]->rec.offset, 10);
	free_with_rows(job);
	dbl.handed = 0;
	job = rows_job(10, 14, 3);
	job_run(job, NULL);
	assert_int_equal(job->rows.n, 3);
	assert_int_equal(job->rows.got[2]->rec.offset, 12);
	free_with_rows(job);
}

/* Bounded by bytes, and yet it always gets on. */
static void
a_rows_job_stops_at_its_bytes_but_brings_one(void **state)
{
	size_t big = JOB_ROWS_BYTES / 2;
	char *value = mem_calloc(1, JOB_ROWS_BYTES + 1);
	struct store_parked rows[4];
	struct job *job = rows_job(10, 14, 100);

	(void)state;
	for (int64_t i = 0; i < 4; i++)
		rows[i] = row_at(10 + i, (struct pj_str){value, big});
	dbl.rows = rows;
	dbl.n_rows = 4;
	job_run(job, NULL);
	assert_in_range(job->rows.n, 1, 2);
	free_with_rows(job);
	dbl.handed = 0;
	rows[0].value.len = JOB_ROWS_BYTES + 1;
	job = rows_job(10, 14, 100);
	job_run(job, NULL);
	assert_int_equal(job->rows.n, 1);
	free_with_rows(job);
	free(value);
}

static void
a_rows_job_of_rows_that_are_gone_brings_nothing(void **state)
{
	struct store_parked behind = row_at(15, PJ_STR("{}"));
	struct job *job = rows_job(10, 14, 100);

	(void)state;
	dbl.rows = &behind;
	dbl.n_rows = 1;
	job_run(job, NULL);
	assert_int_equal(job->rc, 0);
	assert_int_equal(job->rows.n, 0);
	free_with_rows(job);
}

static void
a_rows_job_that_fails_says_so(void **state)
{
	struct store_parked row = row_at(10, PJ_STR("{}"));
	struct job *job = rows_job(10, 14, 100);

	(void)state;
	dbl.rows = &row;
	dbl.n_rows = 1;
	dbl.away = true;
	job_run(job, NULL);
	assert_int_equal(job->rc, -1);
	assert_int_equal(job->err.cls, PJ_ERROR_RETRY);
	free_with_rows(job);
}

/* ---- The others ---------------------------------------------------------- */

static struct job *
load_job(void)
{
	struct job *job = mem_calloc(1, sizeof(*job));

	job->kind = JOB_LOAD;
	job->n_entries = 5;
	job->docs = mem_calloc(5, sizeof(*job->docs));
	job->loads = mem_calloc(2, sizeof(*job->loads));
	job->loads[0] = (struct job_load){"stock.3", 0, 2};
	job->loads[1] = (struct job_load){"parked_units", 2, 3};
	job->n_loads = 2;
	return job;
}

static void
a_load_asks_each_collection_for_its_own(void **state)
{
	struct job *job = load_job();

	(void)state;
	job_run(job, NULL);
	assert_int_equal(job->rc, 0);
	assert_string_equal(dbl.loaded, "stock.3 2;parked_units 3;");
	for (size_t i = 0; i < 5; i++)
		assert_non_null(job->docs[i].bson);
	job_free(job);
}

static void
a_load_that_fails_asks_no_further(void **state)
{
	struct job *job = load_job();

	(void)state;
	dbl.fails_at = 0;
	job_run(job, NULL);
	assert_int_equal(job->rc, -1);
	assert_int_equal(job->err.cls, PJ_ERROR_RETRY);
	assert_string_equal(dbl.loaded, "stock.3 2;");
	job_free(job);
	job_free(NULL);
}

static void
an_apply_job_is_one_call_and_keeps_what_it_was_told(void **state)
{
	struct job *job = mem_calloc(1, sizeof(*job));

	(void)state;
	job->kind = JOB_APPLY;
	dbl.fenced = true;
	job_run(job, NULL);
	assert_int_equal(job->rc, 0);
	assert_true(job->batch.fenced);
	job_free(job);
}

static struct job *
apply_job_with_crashes(size_t n)
{
	struct job *job = mem_calloc(1, sizeof(*job));

	job->kind = JOB_APPLY;
	job->crashes = mem_calloc(n, sizeof(*job->crashes));
	job->n_crashes = n;
	for (size_t i = 0; i < n; i++)
		job->crashes[i].offset = (int64_t)i;
	return job;
}

/* Who ends in between finds the row, and forgets once more. */
static void
crashes_are_forgotten_before_the_row_that_tells_of_them_goes(void **state)
{
	struct job *job = apply_job_with_crashes(3);

	(void)state;
	job_run(job, NULL);
	assert_int_equal(job->rc, 0);
	assert_int_equal(dbl.removed, 3);
	assert_int_equal(dbl.applied, 1);
	job_free(job);
	dbl.removed = dbl.applied = 0;
	dbl.away = true;
	job = apply_job_with_crashes(3);
	job_run(job, NULL);
	assert_int_equal(job->rc, -1);
	assert_int_equal(job->err.cls, PJ_ERROR_RETRY);
	assert_int_equal(dbl.applied, 0);
	job_free(job);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_queued_record_is_the_parked_one_and_a_copy),
		TEST(a_null_key_and_value_stay_null),
		TEST(a_rows_job_brings_what_the_marker_says_and_nothing_behind),
		TEST(a_rows_job_brings_no_more_than_was_asked_for),
		TEST(a_rows_job_stops_at_its_bytes_but_brings_one),
		TEST(a_rows_job_of_rows_that_are_gone_brings_nothing),
		TEST(a_rows_job_that_fails_says_so),
		TEST(a_load_asks_each_collection_for_its_own),
		TEST(a_load_that_fails_asks_no_further),
		TEST(an_apply_job_is_one_call_and_keeps_what_it_was_told),
		TEST(crashes_are_forgotten_before_the_row_that_tells_of_them_goes),
	};

	return cmocka_run_group_tests_name("job", tests, NULL, NULL);
}
