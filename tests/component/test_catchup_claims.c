/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The second reader and what it claims: an archive of one topic, and a store
 * that waits where reading begins.
 */
#define _XOPEN_SOURCE 700
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "tests/component/stage_modules.h"
#include "tests/support/scratch.h"
#include "lib/store_impl.h"
#include "projector/catchup.h"

enum { ASK_MS = 5000 };

struct shop {
	char *dir;
	struct host host;
	const char *names[1];
	struct decode_topic topics[1];
	struct store *store;
	struct store_session *ses;
	struct source *source;
	struct partition **parts;
	size_t n_parts;
	struct lanes lanes;
	atomic_int stop;
	struct catchup *cu;
	struct pj_error err;
};

#define OK(sh, call)                                                           \
	do {                                                                   \
		if (call)                                                      \
			fail_msg("%s: %s", #call, (sh)->err.text);             \
	} while (0)

/* ---- A store that waits -------------------------------------------------- */

static struct {
	struct store_ops ops;
	const struct store_ops *real;
	sem_t begins, may;
} gate;

static int
wait_and_check(struct store_session *ses, struct pj_error *err)
{
	(void)sem_post(&gate.begins);
	(void)sem_wait(&gate.may);
	return gate.real->check(ses, err);
}

static void
wait_at_begins(struct store *store)
{
	assert_int_equal(sem_init(&gate.begins, 0, 0), 0);
	assert_int_equal(sem_init(&gate.may, 0, 0), 0);
	gate.real = store->ops;
	gate.ops = *store->ops;
	gate.ops.check = wait_and_check;
	store->ops = &gate.ops;
}

/* ---- The shop ------------------------------------------------------------ */

static void
write_event(const struct shop *sh)
{
	char *path = mem_printf("%s/events", sh->dir);
	FILE *file;

	assert_int_equal(mkdir(path, 0700), 0);
	free(path);
	path = mem_printf("%s/events/steps", sh->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	free(path);
	path = mem_printf("%s/events/steps/0.ndjson", sh->dir);
	file = fopen(path, "w");
	assert_non_null(file);
	fprintf(file, "{\"topic\":\"steps\",\"partition\":0,\"offset\":0,"
		      "\"timestamp\":1,\"key\":\"a\",\"headers\":{},"
		      "\"value\":{\"eventType\":\"Step\",\"data\":{"
		      "\"id\":\"a\",\"n\":1}}}\n");
	assert_int_equal(fclose(file), 0);
	free(path);
}

static void
load_settings(struct shop *sh)
{
	char *events = mem_printf("source.dir=%s/events", sh->dir);
	char *store = mem_printf("store.path=%s/store", sh->dir);
	char *state = mem_printf("projector.state_dir=%s/state", sh->dir);
	const char *const overrides[] = {events, store, state};

	OK(sh, settings_load("/dev/null", overrides, COUNT(overrides),
			     &sh->host.set, &sh->err));
	free(events);
	free(store);
	free(state);
}

static void
make_host(struct shop *sh)
{
	OK(sh, module_adopt(&keyed_projection, "keyed", "linked", NULL,
			    &sh->host.modules[0], &sh->err));
	sh->names[0] = "steps";
	sh->topics[0] = (struct decode_topic){.topic = &steps_topic};
	sh->host.n_modules = 1;
	sh->host.topics = sh->topics;
	sh->host.topic_names = sh->names;
	sh->host.n_topics = 1;
}

static int
open_shop(void **state)
{
	struct shop *sh = mem_calloc(1, sizeof(*sh));
	struct store_settings store;

	mend();
	sh->dir = scratch_make();
	write_event(sh);
	load_settings(sh);
	make_host(sh);
	store = settings_store(sh->host.set, false, "test");
	OK(sh, store_open(&store, &sh->store, &sh->err));
	OK(sh, store_session_open(sh->store, &sh->ses, &sh->err));
	OK(sh, host_open_source(&sh->host, SOURCE_ALL, &sh->source, &sh->err));
	OK(sh, source_partitions(sh->source, ASK_MS, &sh->parts, &sh->n_parts,
				 &sh->err));
	assert_int_equal(sh->n_parts, 1);
	sh->lanes.n = 1;
	sh->lanes.lane[0].mod = sh->host.modules[0];
	sh->lanes.lane[0].elsewhere = true;
	sh->cu = catchup_new(&sh->host, sh->store, &sh->stop);
	*state = sh;
	return 0;
}

static int
close_shop(void **state)
{
	struct shop *sh = *state;

	catchup_free(sh->cu);
	source_close(sh->source);
	store_session_close(sh->ses);
	store_close(sh->store);
	module_free(sh->host.modules[0]);
	settings_free(sh->host.set);
	scratch_remove(sh->dir);
	free(sh);
	return 0;
}

static void
start(struct shop *sh)
{
	wait_at_begins(sh->store);
	OK(sh,
	   catchup_start(sh->cu, &sh->lanes, sh->parts, sh->n_parts, &sh->err));
	assert_int_equal(sem_wait(&gate.begins), 0);
}

static void
end(struct shop *sh)
{
	bool ended;

	assert_int_equal(sem_post(&gate.may), 0);
	OK(sh, catchup_take(sh->cu, true, &sh->lanes, &ended, &sh->err));
	assert_true(ended);
	assert_false(sh->lanes.lane[0].elsewhere);
}

static size_t
n_claimed(struct shop *sh)
{
	struct store_checkpoint *rows;
	size_t n, claimed = 0;

	OK(sh, store_checkpoints(sh->ses, NULL, &rows, &n, &sh->err));
	for (size_t i = 0; i < n; i++)
		claimed += rows[i].epoch > 0;
	free(rows);
	return claimed;
}

/* ---- Tests --------------------------------------------------------------- */

static void
what_it_reads_it_has_claimed(void **state)
{
	struct shop *sh = *state;

	start(sh);
	assert_int_equal(n_claimed(sh), 0);
	end(sh);
	assert_int_equal(n_claimed(sh), 1);
}

/* The partitions are somebody else's by then, and so are the claims. */
static void
who_was_asked_to_stop_claims_nothing(void **state)
{
	struct shop *sh = *state;

	start(sh);
	catchup_stop(sh->cu);
	end(sh);
	assert_int_equal(n_claimed(sh), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_it_reads_it_has_claimed,
						open_shop, close_shop),
		cmocka_unit_test_setup_teardown(
			who_was_asked_to_stop_claims_nothing, open_shop,
			close_shop),
	};

	return cmocka_run_group_tests_name("catchup_claims", tests, NULL, NULL);
}
