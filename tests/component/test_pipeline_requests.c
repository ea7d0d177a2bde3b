/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What operators ask for, in a whole pipeline: an archive of one topic and a
 * store. Each run takes the requests once, and ends.
 */
#define _XOPEN_SOURCE 700
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "tests/component/stage_modules.h"
#include "tests/support/scratch.h"
#include "lib/log.h"
#include "lib/readmodel.h"
#include "lib/store_impl.h"
#include "projector/generation.h"
#include "projector/pipeline_impl.h"

struct shop {
	char *dir;
	struct settings *set;
	struct store *store;
	struct store_session *ses;
	struct ledger *ledger;
	struct module *mod;
	atomic_int stop;
	unsigned n_asks; /* before the switch, see switch_over() */
	struct pj_error err;
};

#define OK(sh, call)                                                           \
	do {                                                                   \
		if (call)                                                      \
			fail_msg("%s: %s", #call, (sh)->err.text);             \
	} while (0)

/* ---- The shop ------------------------------------------------------------ */

static void
load_settings(struct shop *sh)
{
	char *events = mem_printf("source.dir=%s/events", sh->dir);
	char *store = mem_printf("store.path=%s/store", sh->dir);
	const char *const overrides[] = {events, store};

	OK(sh, settings_load("/dev/null", overrides, COUNT(overrides), &sh->set,
			     &sh->err));
	free(events);
	free(store);
}

static void
make_dir(const struct shop *sh, const char *name)
{
	char *path = mem_printf("%s/%s", sh->dir, name);

	assert_int_equal(mkdir(path, 0700), 0);
	free(path);
}

static int
open_shop(void **state)
{
	struct shop *sh = mem_calloc(1, sizeof(*sh));
	struct store_settings store;
	char *state_dir;

	mend();
	sh->dir = scratch_make();
	make_dir(sh, "events");
	make_dir(sh, "events/steps");
	make_dir(sh, "events/words");
	load_settings(sh);
	store = settings_store(sh->set, false, "test");
	OK(sh, store_open(&store, &sh->store, &sh->err));
	OK(sh, store_session_open(sh->store, &sh->ses, &sh->err));
	state_dir = mem_printf("%s/state", sh->dir);
	OK(sh, ledger_open(state_dir, "test", &sh->ledger, &sh->err));
	free(state_dir);
	OK(sh, module_adopt(&keyed_projection, "keyed", "linked", NULL,
			    &sh->mod, &sh->err));
	*state = sh;
	return 0;
}

static int
close_shop(void **state)
{
	struct shop *sh = *state;

	store_session_close(sh->ses);
	store_close(sh->store);
	ledger_close(sh->ledger);
	module_free(sh->mod);
	settings_free(sh->set);
	scratch_remove(sh->dir);
	free(sh);
	return 0;
}

/* Steps of document "a", from the first offset on. */
static void
write_steps(const struct shop *sh, const int *n, int count)
{
	char *path = mem_printf("%s/events/steps/0.ndjson", sh->dir);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	for (int i = 0; i < count; i++)
		fprintf(file,
			"{\"topic\":\"steps\",\"partition\":0,\"offset\":%d,"
			"\"timestamp\":%d,\"key\":\"a\",\"headers\":{},"
			"\"value\":{\"eventType\":\"Step\",\"data\":{"
			"\"id\":\"a\",\"n\":%d}}}\n",
			i, i, n[i]);
	assert_int_equal(fclose(file), 0);
	free(path);
}

/* ---- Runs ---------------------------------------------------------------- */

/* Requests have been taken by now; nobody asks for answers afterwards. */
static int
stop_when_reading(void *arg, struct pipeline *pipe, bool *ret_done,
		  struct pj_error *err)
{
	struct shop *sh = arg;

	(void)ret_done;
	(void)err;
	if (pipeline_is_reading(pipe))
		atomic_store(&sh->stop, 1);
	return 0;
}

typedef int
tick_fn(void *arg, struct pipeline *pipe, bool *ret_done, struct pj_error *err);

/* tick NULL: to the end of the log. */
static void
run(struct shop *sh, tick_fn *tick)
{
	static const char *const names[] = {"steps", "words"};
	const struct source_settings archive = {.type = SOURCE_ARCHIVE,
						.dir = sh->set->source.dir};
	const struct decode_topic topics[] = {
		{.topic = &steps_topic},
		{.topic = &words_topic},
	};
	struct lanes lanes = {.lane = {{.mod = sh->mod}}, .n = 1};
	struct pipeline_settings settings = {
		.set = sh->set,
		.store = sh->store,
		.session = sh->ses,
		.ledger = sh->ledger,
		.lanes = &lanes,
		.topics = topics,
		.n_topics = COUNT(topics),
		.until_end = !tick,
		.follow_live = true,
		.tick = tick,
		.arg = sh,
		.stop = &sh->stop,
		.quiet = true,
	};

	OK(sh, source_open(&archive, SOURCE_SHARE, names, 2, &settings.source,
			   &sh->err));
	atomic_store(&sh->stop, 0);
	OK(sh, pipeline_run(&settings, &sh->err));
	source_close(settings.source);
}

/* 1 is applied, 5 is refused, 2 waits behind it. */
static void
park_two(struct shop *sh)
{
	static const int n[] = {1, 5, 2};

	refuse_number(5);
	write_steps(sh, n, 3);
	run(sh, NULL);
}

/* ---- Requests ------------------------------------------------------------ */

static char *
fixed(const char *text)
{
	return (char *)(uintptr_t)text;
}

static void
ask_of(struct shop *sh, unsigned id, const char *generation, int32_t partition)
{
	struct store_request req = {
		.action = "retry",
		.unit_type = "document",
		.unit = fixed("a"),
		.unit_len = 1,
		.topic = "steps",
		.partition = partition,
		.offset = 1,
		.reason = fixed(""),
		.by = fixed("somebody"),
	};

	(void)snprintf(req.id, sizeof(req.id), "%032u", id);
	(void)snprintf(req.generation, sizeof(req.generation), "%s",
		       generation);
	OK(sh, store_request_add(sh->ses, &req, &sh->err));
}

static void
ask(struct shop *sh, unsigned id, const char *generation)
{
	ask_of(sh, id, generation, 0);
}

static void
expect(struct shop *sh, unsigned id, enum store_request_state state,
       const char *result)
{
	struct store_request *rows;
	size_t n, found = 0;

	OK(sh, store_requests(sh->ses, -1, &rows, &n, &sh->err));
	for (size_t i = 0; i < n; i++) {
		if (strtoul(rows[i].id, NULL, 10) != id)
			continue;
		found++;
		assert_string_equal(rows[i].result, result);
		assert_int_equal(rows[i].state, state);
	}
	assert_int_equal(found, 1);
	store_requests_free(rows, n);
}

static void
expect_ended(struct shop *sh, size_t n)
{
	struct store_request *rows;
	size_t n_ended;

	OK(sh, store_requests(sh->ses, STORE_REQ_FAILED, &rows, &n_ended,
			      &sh->err));
	assert_int_equal(n_ended, n);
	store_requests_free(rows, n_ended);
}

/* How often anything of requests is changed, from now on; some reads fail. */
static struct store_ops counting;
static int (*rows_write)(struct store_session *ses, const char *collection,
			 const struct store_rows *rows, size_t *ret_done,
			 struct pj_error *err);
static int (*find)(struct store_session *ses, const char *collection,
		   const struct store_cond *conds, size_t n_conds,
		   store_each_fn each, void *arg, struct pj_error *err);
static unsigned n_request_writes, n_failing_reads;

static int
count_writes(struct store_session *ses, const char *collection,
	     const struct store_rows *rows, size_t *ret_done,
	     struct pj_error *err)
{
	if (strcmp(collection, READMODEL_REQUESTS) == 0)
		n_request_writes++;
	return rows_write(ses, collection, rows, ret_done, err);
}

static int
fail_reads(struct store_session *ses, const char *collection,
	   const struct store_cond *conds, size_t n_conds, store_each_fn each,
	   void *arg, struct pj_error *err)
{
	if (strcmp(collection, READMODEL_REQUESTS) == 0 && n_failing_reads) {
		n_failing_reads--;
		return pj_error_set(err, PJ_ERROR_RETRY, "store away");
	}
	return find(ses, collection, conds, n_conds, each, arg, err);
}

static void
watch_requests(struct shop *sh)
{
	counting = *sh->store->ops;
	rows_write = counting.rows_write;
	find = counting.find;
	counting.rows_write = count_writes;
	counting.find = fail_reads;
	sh->store->ops = &counting;
	n_request_writes = n_failing_reads = 0;
}

/* ---- Tests --------------------------------------------------------------- */

static void
a_retry_that_is_done_while_the_process_ends_is_answered(void **state)
{
	struct shop *sh = *state;

	park_two(sh);
	mend();
	ask(sh, 1, "keyed.1");
	run(sh, stop_when_reading);
	expect(sh, 1, STORE_REQ_DONE,
	       "applied 2, discarded 0, nothing is left");
}

/* The next owner would find the request, and nothing parked. */
static int
be_revoked(void *arg, struct pipeline *pipe, bool *ret_done,
	   struct pj_error *err)
{
	struct shop *sh = arg;

	(void)ret_done;
	if (!pipeline_is_reading(pipe))
		return 0;
	if (pipeline_revoked(pipe, err))
		return -1;
	expect(sh, 1, STORE_REQ_DONE,
	       "applied 2, discarded 0, nothing is left");
	atomic_store(&sh->stop, 1);
	return 0;
}

static void
a_retry_that_is_done_is_answered_before_its_partition_goes(void **state)
{
	struct shop *sh = *state;

	park_two(sh);
	mend();
	ask(sh, 1, "keyed.1");
	run(sh, be_revoked);
	assert_int_equal(sh->stop, 1);
}

/* One answer waits, and a retry is under way. */
static int
answer_at_the_end(void *arg, struct pipeline *pipe, bool *ret_done,
		  struct pj_error *err)
{
	struct shop *sh = arg;
	struct core_answer a = {.state = STORE_REQ_DONE, .text = "done"};

	(void)ret_done;
	if (!pipeline_is_reading(pipe))
		return 0;
	(void)snprintf(a.request, sizeof(a.request), "%032u", 2);
	MEM_GROW(pipe->answers, pipe->n_answers, pipe->answers_cap);
	pipe->answers[pipe->n_answers++] = a;
	assert_false(pipeline_is_flushed(pipe));
	OK(sh, pipeline_answer(pipe, err));
	assert_int_equal(n_request_writes, 0);
	OK(sh, pipeline_flush(pipe, REVOKE_FLUSH_MS, err));
	pipe->outage = true;
	OK(sh, pipeline_answer(pipe, err));
	assert_int_equal(n_request_writes, 0);
	pipe->outage = false;
	OK(sh, pipeline_answer(pipe, err));
	assert_int_equal(n_request_writes, 1);
	atomic_store(&sh->stop, 1);
	return 0;
}

static void
a_store_that_is_away_is_not_waited_for_to_answer(void **state)
{
	struct shop *sh = *state;

	park_two(sh);
	mend();
	ask(sh, 1, "keyed.1");
	ask(sh, 2, "other.1");
	watch_requests(sh);
	run(sh, answer_at_the_end);
	assert_int_equal(n_request_writes, 1);
	expect(sh, 1, STORE_REQ_DONE,
	       "applied 2, discarded 0, nothing is left");
	expect(sh, 2, STORE_REQ_DONE, "done");
}

/* The next generation, of the same code. */
static void
begin_next(struct shop *sh)
{
	struct lane lane = {.mod = NULL};
	int32_t live;
	bool resumed;

	OK(sh, generation_attach_candidate(sh->ses, sh->set, sh->mod, 5, &lane,
					   &live, &resumed, &sh->err));
	assert_string_equal(lane.generation, "keyed.2");
}

static void
switch_to_next(struct shop *sh)
{
	bool moved;

	OK(sh, store_live_move(sh->ses, "keyed", 1, 2, &moved, &sh->err));
	assert_true(moved);
}

/*
 * Asked for and not yet taken when the live pointer moves; ends when all has
 * been answered by the owner, who reads the next generation by then.
 */
static int
switch_over(void *arg, struct pipeline *pipe, bool *ret_done,
	    struct pj_error *err)
{
	struct shop *sh = arg;

	(void)ret_done;
	(void)err;
	if (!pipeline_is_reading(pipe))
		return 0;
	if (pipe->set.lanes->lane[0].number == 2) {
		assert_int_equal(pipe->n_answers, 0);
		atomic_store(&sh->stop, 1);
		return 0;
	}
	for (unsigned id = 1; id <= sh->n_asks; id++)
		ask(sh, id, "keyed.1");
	switch_to_next(sh);
	return 0;
}

static const char left_behind[] =
	"generation keyed.1 is not live any more: ask again for what is parked "
	"in the one that is";

static void
a_request_that_a_switch_has_left_behind_ends_and_says_why(void **state)
{
	struct shop *sh = *state;

	park_two(sh);
	begin_next(sh);
	ask_of(sh, 2, "keyed.1", 5); /* another owner's */
	ask(sh, 3, "keyed.3");
	sh->n_asks = 1;
	run(sh, switch_over);
	expect(sh, 1, STORE_REQ_FAILED, left_behind);
	expect(sh, 2, STORE_REQ_NEW, "");
	expect(sh, 3, STORE_REQ_NEW, "");
}

/* What it leaves cannot be read at that moment. */
static int
switch_over_with_the_store_away(void *arg, struct pipeline *pipe,
				bool *ret_done, struct pj_error *err)
{
	if (pipeline_is_reading(pipe) && pipe->set.lanes->lane[0].number == 1)
		n_failing_reads = 2;
	return switch_over(arg, pipe, ret_done, err);
}

static void
a_generation_is_not_left_before_its_requests_are_known(void **state)
{
	struct shop *sh = *state;

	park_two(sh);
	begin_next(sh);
	watch_requests(sh);
	sh->n_asks = 1;
	run(sh, switch_over_with_the_store_away);
	assert_int_equal(n_failing_reads, 0);
	expect(sh, 1, STORE_REQ_FAILED, left_behind);
}

/* Somebody may be feeding it, to make it live once more. */
static void
a_request_for_what_was_live_once_waits_for_who_feeds_it(void **state)
{
	struct shop *sh = *state;

	park_two(sh);
	begin_next(sh);
	switch_to_next(sh);
	run(sh, stop_when_reading);
	ask(sh, 1, "keyed.1");
	run(sh, stop_when_reading);
	expect(sh, 1, STORE_REQ_NEW, "");
}

static void
a_request_for_what_is_being_built_waits_for_who_builds_it(void **state)
{
	struct shop *sh = *state;

	park_two(sh);
	begin_next(sh);
	ask(sh, 1, "keyed.2");
	ask(sh, 2, "other.1"); /* whose projection nobody runs here */
	run(sh, stop_when_reading);
	expect(sh, 1, STORE_REQ_NEW, "");
	expect(sh, 2, STORE_REQ_NEW, "");
}

static void
all_that_ends_in_one_turn_is_answered_in_one_write(void **state)
{
	enum { N = 300 };
	struct shop *sh = *state;

	park_two(sh);
	begin_next(sh);
	watch_requests(sh);
	sh->n_asks = N;
	run(sh, switch_over);
	assert_int_equal(n_request_writes, 1);
	expect_ended(sh, N);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_shop, close_shop)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_retry_that_is_done_while_the_process_ends_is_answered),
		TEST(a_retry_that_is_done_is_answered_before_its_partition_goes),
		TEST(a_store_that_is_away_is_not_waited_for_to_answer),
		TEST(a_request_that_a_switch_has_left_behind_ends_and_says_why),
		TEST(a_generation_is_not_left_before_its_requests_are_known),
		TEST(a_request_for_what_was_live_once_waits_for_who_feeds_it),
		TEST(a_request_for_what_is_being_built_waits_for_who_builds_it),
		TEST(all_that_ends_in_one_turn_is_answered_in_one_write),
	};

	log_setup("test", LOG_ERROR, LOG_LOGFMT);
	return cmocka_run_group_tests_name("pipeline_requests", tests, NULL,
					   NULL);
}
