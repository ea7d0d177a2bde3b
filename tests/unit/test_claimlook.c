/* SPDX-License-Identifier: Apache-2.0 */
/* Looks at claims, by a thread of their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <time.h>

#include "lib/mem.h"
#include "projector/claimlook.h"

enum { PATIENCE_S = 20 };

/* ---- The store, as this test has it: it takes the port's place at link time.
 */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t change;
	bool holds; /* sync does not come back */
	bool holding;
	bool unproven, away; /* sync, checkpoints fail */
	struct store_checkpoint rows[4];
	size_t n_rows;
	char read[64]; /* generations, in the order they were read */
	int sessions;
} dbl = {.lock = PTHREAD_MUTEX_INITIALIZER, .change = PTHREAD_COND_INITIALIZER};

int
store_session_open(struct store *store, struct store_session **ret_session,
		   struct pj_error *err)
{
	(void)store;
	if (dbl.away)
		return pj_error_set(err, PJ_ERROR_RETRY, "away");
	dbl.sessions++;
	*ret_session = NULL;
	return 0;
}

void
store_session_close(struct store_session *ses)
{
	(void)ses;
	dbl.sessions--;
}

int
store_sync(struct store_session *ses, struct pj_error *err)
{
	(void)ses;
	(void)pthread_mutex_lock(&dbl.lock);
	dbl.holding = true;
	(void)pthread_cond_broadcast(&dbl.change);
	while (dbl.holds)
		(void)pthread_cond_wait(&dbl.change, &dbl.lock);
	dbl.holding = false;
	(void)pthread_mutex_unlock(&dbl.lock);
	return dbl.unproven ? pj_error_set(err, PJ_ERROR_RETRY, "no primary")
			    : 0;
}

int
store_checkpoints(struct store_session *ses, const char *generation,
		  struct store_checkpoint **ret_rows, size_t *ret_n,
		  struct pj_error *err)
{
	struct store_checkpoint *rows;

	(void)ses;
	if (dbl.away)
		return pj_error_set(err, PJ_ERROR_RETRY, "away");
	(void)strcat(strcat(dbl.read, generation), ";");
	rows = mem_calloc(dbl.n_rows + 1, sizeof(*rows));
	*ret_n = 0;
	for (size_t i = 0; i < dbl.n_rows; i++)
		if (strcmp(dbl.rows[i].generation, generation) == 0)
			rows[(*ret_n)++] = dbl.rows[i];
	*ret_rows = rows;
	return 0;
}

static void
stored(const char *generation, int32_t source, int64_t epoch)
{
	struct store_checkpoint *row = &dbl.rows[dbl.n_rows++];

	(void)strcpy(row->generation, generation);
	row->source = source;
	row->epoch = epoch;
}

static int
setup(void **state)
{
	struct looker *looker;
	struct pj_error err;

	dbl.holds = dbl.unproven = dbl.away = false;
	dbl.n_rows = 0;
	dbl.read[0] = '\0';
	stored("shop.1", 0, 5);
	stored("shop.1", 1, 7);
	stored("stock.2", 0, 3);
	assert_int_equal(looker_start(NULL, &looker, &err), 0);
	*state = looker;
	return 0;
}

static int
teardown(void **state)
{
	looker_stop(*state);
	assert_int_equal(dbl.sessions, 0);
	return 0;
}

/* What was claimed, all of which is in place. */
static struct claimlook *
claimed(void)
{
	struct claimlook *look = mem_calloc(1, sizeof(*look));

	claimlook_add(look, "shop.1", 0, 5);
	claimlook_add(look, "shop.1", 1, 7);
	claimlook_add(look, "stock.2", 0, 3);
	look->round = 9;
	return look;
}

static struct claimlook *
back(struct looker *looker)
{
	struct claimlook *look;

	while (!(look = looker_take(looker)))
		(void)sched_yield();
	return look;
}

static void
expect_ours(struct looker *looker, struct claimlook *look, bool ours)
{
	looker_give(looker, look);
	assert_ptr_equal(back(looker), look);
	assert_int_equal(look->rc, 0);
	assert_int_equal(look->ours, ours);
	claimlook_free(look);
}

static void
await_holding(void)
{
	struct timespec until;
	int rc = 0;

	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_S;
	(void)pthread_mutex_lock(&dbl.lock);
	while (!dbl.holding && rc == 0)
		rc = pthread_cond_timedwait(&dbl.change, &dbl.lock, &until);
	(void)pthread_mutex_unlock(&dbl.lock);
	assert_int_equal(rc, 0);
}

/* ---- Tests --------------------------------------------------------------- */

static void
claims_that_are_in_place_are_ours(void **state)
{
	expect_ours(*state, claimed(), true);
	assert_string_equal(dbl.read, "shop.1;stock.2;");
	expect_ours(*state, mem_calloc(1, sizeof(struct claimlook)), true);
}

static void
a_row_of_another_epoch_is_not(void **state)
{
	dbl.rows[1].epoch++;
	expect_ours(*state, claimed(), false);
	assert_string_equal(dbl.read, "shop.1;"); /* that is enough */
	dbl.rows[1].epoch--;
	dbl.rows[2].epoch++;
	expect_ours(*state, claimed(), false);
}

static void
a_row_that_is_gone_is_not(void **state)
{
	dbl.n_rows--;
	expect_ours(*state, claimed(), false);
}

static void
what_no_store_has_proven_is_not_known(void **state)
{
	struct claimlook *look = claimed();

	dbl.unproven = true;
	looker_give(*state, look);
	assert_ptr_equal(back(*state), look);
	assert_int_equal(look->rc, -1);
	assert_int_equal(look->err.cls, PJ_ERROR_RETRY);
	assert_string_equal(dbl.read, ""); /* nothing was read of it */
	dbl.unproven = false;
	dbl.away = true;
	looker_give(*state, look);
	assert_ptr_equal(back(*state), look);
	assert_int_equal(look->rc, -1);
	claimlook_free(look);
}

static void
a_store_that_takes_its_time_is_waited_for_by_nobody(void **state)
{
	struct claimlook *look = claimed();

	dbl.holds = true;
	looker_give(*state, look);
	await_holding();
	assert_null(looker_take(*state));
	(void)pthread_mutex_lock(&dbl.lock);
	dbl.holds = false;
	(void)pthread_cond_broadcast(&dbl.change);
	(void)pthread_mutex_unlock(&dbl.lock);
	assert_ptr_equal(back(*state), look);
	assert_true(look->ours);
	assert_int_equal(look->round, 9);
	claimlook_free(look);
}

/* Its memory is looked after by the sanitizer's run of this test. */
static void
a_look_that_nobody_takes_ends_with_the_looker(void **state)
{
	looker_give(*state, claimed());
}

static void
without_a_store_there_is_no_looker(void **state)
{
	struct looker *looker;
	struct pj_error err;

	(void)state;
	dbl.away = true;
	assert_int_equal(looker_start(NULL, &looker, &err), -1);
	assert_int_equal(err.cls, PJ_ERROR_RETRY);
}

#define LOOKER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		LOOKER(claims_that_are_in_place_are_ours),
		LOOKER(a_row_of_another_epoch_is_not),
		LOOKER(a_row_that_is_gone_is_not),
		LOOKER(what_no_store_has_proven_is_not_known),
		LOOKER(a_store_that_takes_its_time_is_waited_for_by_nobody),
		LOOKER(a_look_that_nobody_takes_ends_with_the_looker),
		LOOKER(without_a_store_there_is_no_looker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
