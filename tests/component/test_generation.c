/* SPDX-License-Identifier: Apache-2.0 */
/* Generations on a real LMDB store: begun, raced for, chosen, adopted. */
#include <pthread.h>

#include "lib/store_impl.h"
#include "tests/support/generation_fixture.h"

enum { RACES = 40, RACERS = 2 };

/* ---- One process -------------------------------------------------------- */

static void
the_first_attach_makes_generation_one_live(void **state)
{
	struct fixture *fx = *state;
	struct lane lane;

	assert_int_equal(live_number(fx), 0);
	assert_int_equal(attach_live(fx, &lane), 1);
	assert_string_equal(lane.generation, "stock.1");
	assert_int_equal(live_number(fx), 1);
	assert_int_equal(state_of(fx, 1), STORE_GEN_READY);
	assert_int_equal(attach_live(fx, &lane), 1);
}

static void
a_generation_that_other_code_filled_is_a_named_stop(void **state)
{
	struct fixture *fx = *state;
	struct lane lane = {.number = 77};

	(void)attach_live(fx, &lane);
	lane.number = 77;
	assert_int_equal(generation_attach_live(fx->ses, NULL, other.mod, 5,
						&lane, &fx->err),
			 -1);
	assert_int_equal(fx->err.cls, PJ_ERROR_STOP);
	assert_non_null(strstr(fx->err.text, "stock"));
	assert_non_null(strstr(fx->err.text, "rebuild"));
	assert_int_equal(lane.number, 77);
}

static void
a_live_pointer_to_nothing_is_told(void **state)
{
	struct fixture *fx = *state;
	struct lane lane;
	bool moved;

	OK(fx, store_live_move(fx->ses, "stock", 0, 4, &moved, &fx->err));
	assert_int_equal(generation_attach_live(fx->ses, NULL, mine.mod, 5,
						&lane, &fx->err),
			 -1);
	assert_int_equal(fx->err.cls, PJ_ERROR_FATAL);
	assert_non_null(strstr(fx->err.text, "4"));
}

static void
whoever_died_after_moving_the_pointer_is_finished_for(void **state)
{
	struct fixture *fx = *state;
	struct lane lane;
	bool resumed, moved;
	int32_t live;

	assert_int_equal(attach_candidate(fx, &mine, &lane, &live, &resumed),
			 1);
	OK(fx, store_live_move(fx->ses, "stock", 0, 1, &moved, &fx->err));
	assert_int_equal(state_of(fx, 1), STORE_GEN_BUILDING);
	assert_int_equal(attach_live(fx, &lane), 1);
	assert_int_equal(state_of(fx, 1), STORE_GEN_READY);
}

static void
a_candidate_is_gone_on_with_until_it_is_live(void **state)
{
	struct fixture *fx = *state;
	struct lane lane;
	bool resumed;
	int32_t live;

	(void)attach_live(fx, &lane);
	assert_int_equal(attach_candidate(fx, &mine, &lane, &live, &resumed),
			 2);
	assert_int_equal(live, 1);
	assert_false(resumed);
	assert_int_equal(attach_candidate(fx, &mine, &lane, &live, &resumed),
			 2);
	assert_true(resumed);
	assert_string_equal(lane.generation, "stock.2");
	move_live(fx, 1, 2);
	assert_int_equal(attach_candidate(fx, &mine, &lane, &live, &resumed),
			 3);
	assert_int_equal(live, 2);
	assert_false(resumed);
}

static void
a_candidate_of_other_code_is_not_gone_on_with(void **state)
{
	struct fixture *fx = *state;
	struct lane lane;
	bool resumed;
	int32_t live;

	(void)attach_live(fx, &lane);
	(void)attach_candidate(fx, &mine, &lane, &live, &resumed);
	assert_int_equal(attach_candidate(fx, &other, &lane, &live, &resumed),
			 3);
	assert_false(resumed);
	/* Each finds its own again. */
	assert_int_equal(attach_candidate(fx, &mine, &lane, &live, &resumed),
			 2);
	assert_true(resumed);
	assert_int_equal(attach_candidate(fx, &other, &lane, &live, &resumed),
			 3);
	assert_true(resumed);
}

static void
a_half_built_candidate_of_other_code_does_not_become_live(void **state)
{
	struct fixture *fx = *state;
	struct lane lane;
	bool resumed;
	int32_t live;

	(void)attach_candidate(fx, &other, &lane, &live, &resumed);
	assert_int_equal(live, 0);
	assert_int_equal(attach_live(fx, &lane), 2);
	assert_int_equal(live_number(fx), 2);
}

/* ---- Chosen ----------------------------------------------------------------
 */

static int
choose(struct fixture *fx, const struct code *code, int32_t number,
       struct lane *lane)
{
	memset(lane, 0, sizeof(*lane));
	return generation_attach_number(fx->ses, NULL, code->mod, number, lane,
					&fx->err);
}

static void
a_generation_is_chosen_by_its_number_or_as_the_unfinished_one(void **state)
{
	struct fixture *fx = *state;
	struct lane lane;
	bool resumed;
	int32_t live;

	(void)attach_live(fx, &lane);
	assert_int_equal(choose(fx, &mine, 0, &lane), -1);
	assert_int_equal(fx->err.cls, PJ_ERROR_FATAL);
	assert_non_null(strstr(fx->err.text, "rebuild stock"));
	(void)attach_candidate(fx, &other, &lane, &live, &resumed);
	(void)attach_candidate(fx, &mine, &lane, &live, &resumed);
	OK(fx, choose(fx, &mine, 0, &lane));
	assert_int_equal(lane.number, 3);
	assert_string_equal(lane.generation, "stock.3");
	assert_ptr_equal(lane.mod, mine.mod);
	OK(fx, choose(fx, &mine, 1, &lane));
	assert_int_equal(lane.number, 1);
}

static void
a_generation_that_is_not_there_or_of_other_code_is_not_chosen(void **state)
{
	struct fixture *fx = *state;
	struct lane lane;
	bool resumed;
	int32_t live;

	(void)attach_live(fx, &lane);
	assert_int_equal(choose(fx, &mine, 9, &lane), -1);
	assert_int_equal(fx->err.cls, PJ_ERROR_FATAL);
	assert_non_null(strstr(fx->err.text, "9 does not exist"));
	(void)attach_candidate(fx, &mine, &lane, &live, &resumed);
	OK(fx, store_generation_set_state(fx->ses, "stock", 2,
					  STORE_GEN_DROPPED, &fx->err));
	assert_int_equal(choose(fx, &mine, 2, &lane), -1);
	assert_int_equal(fx->err.cls, PJ_ERROR_FATAL);
	assert_non_null(strstr(fx->err.text, "2 was dropped"));
	assert_int_equal(choose(fx, &other, 1, &lane), -1);
	assert_int_equal(fx->err.cls, PJ_ERROR_STOP);
	assert_int_equal(lane.number, 0);
}

/* ---- Adopted ---------------------------------------------------------------
 */

static const struct generation_adoption how = {
	.reason = "a comment was changed",
	.by = "kim@host",
	.at_ms = 1700000000000,
};

static int
adopt(struct fixture *fx, const struct code *code, bool *ret_adopted)
{
	int32_t number = 0;
	int rc = generation_adopt(fx->ses, NULL, code->mod, &how, &number,
				  ret_adopted, &fx->err);

	if (rc == 0)
		assert_int_equal(number, live_number(fx));
	return rc;
}

static bool
note_audit(void *arg, const struct store_audit *entry)
{
	struct buf *seen = arg;

	buf_printf(seen, "%s by %s: %s: %s\n", entry->action, entry->by,
		   entry->reason, entry->row.detail);
	assert_int_equal(entry->at_ms, how.at_ms);
	return true;
}

static void
code_that_makes_the_same_documents_can_be_adopted(void **state)
{
	struct fixture *fx = *state;
	struct buf seen = BUF_INIT;
	char was[65], is[65];
	bool adopted = true;
	struct lane lane;

	(void)attach_live(fx, &lane);
	OK(fx, adopt(fx, &mine, &adopted));
	assert_false(adopted); /* its own */
	OK(fx, adopt(fx, &other, &adopted));
	assert_true(adopted);
	OK(fx, generation_attach_live(fx->ses, NULL, other.mod, 5, &lane,
				      &fx->err));
	assert_int_equal(lane.number, 1);
	assert_int_equal(generation_attach_live(fx->ses, NULL, mine.mod, 5,
						&lane, &fx->err),
			 -1);
	/* Once, however often it is asked. */
	OK(fx, adopt(fx, &other, &adopted));
	assert_false(adopted);
	module_code_hash(mine.mod, NULL, was);
	module_code_hash(other.mod, NULL, is);
	OK(fx,
	   store_audit_scan(fx->ses, "stock.1", note_audit, &seen, &fx->err));
	assert_non_null(seen.data);
	assert_non_null(strstr(seen.data, "adopted by kim@host: a comment was "
					  "changed: "));
	assert_non_null(strstr(seen.data, was));
	assert_non_null(strstr(seen.data, is));
	assert_ptr_equal(strchr(seen.data, '\n') + 1, seen.data + seen.len);
	buf_release(&seen);
}

static void
sets_of_fields_can_be_adopted_without_a_rebuild(void **state)
{
	static const char *const card[] = {"shopId", NULL};
	static const struct pj_field_set sets[] = {{"tile", card},
						   {NULL, NULL}};
	struct fixture *fx = *state;
	struct store_generation *rows;
	struct code code = {.mod = NULL};
	bool adopted = false;
	struct lane lane;
	size_t n;

	(void)attach_live(fx, &lane);
	code_make(&code, "4444");
	code.mod->copy.field_sets = sets;
	OK(fx, adopt(fx, &code, &adopted));
	assert_true(adopted);
	OK(fx, store_generations(fx->ses, &rows, &n, &fx->err));
	assert_int_equal(n, 1);
	assert_non_null(strstr(rows[0].reader_json,
			       "{\"name\":\"tile\",\"fields\":[\"shopId\"]}"));
	store_generations_free(rows, n);
	module_free(code.mod);
}

static void
assert_not_adopted(struct fixture *fx, const struct code *code,
		   const char *what)
{
	bool adopted;
	struct lane lane;

	assert_int_equal(adopt(fx, code, &adopted), -1);
	assert_int_equal(fx->err.cls, PJ_ERROR_STOP);
	if (!strstr(fx->err.text, what))
		fail_msg("\"%s\" does not say \"%s\"", fx->err.text, what);
	assert_int_equal(attach_live(fx, &lane), 1);
}

static void
code_that_makes_other_documents_is_not_adopted(void **state)
{
	static const struct pj_shape fewer[] = {
		{.name = "shopId", .type = PJ_SERVED_STRING, .required = true},
		{.name = NULL},
	};
	struct fixture *fx = *state;
	struct code code = {.mod = NULL};
	struct lane lane;

	(void)attach_live(fx, &lane);
	code_make(&code, "3333");
	code.mod->copy.version++;
	assert_not_adopted(fx, &code, "version");
	code.mod->copy.version--;
	code.mod->copy.shape = fewer;
	assert_not_adopted(fx, &code, "fields");
	code.mod->copy.shape = code.desc.shape;
	code.mod->copy.indexes = NULL;
	assert_not_adopted(fx, &code, "filters");
	module_free(code.mod);
}

static void
with_nothing_live_there_is_nothing_to_adopt_for(void **state)
{
	struct fixture *fx = *state;
	bool adopted;

	assert_int_equal(adopt(fx, &mine, &adopted), -1);
	assert_int_equal(fx->err.cls, PJ_ERROR_FATAL);
}

/* ---- Two at once -------------------------------------------------------- */

enum race { RACE_LIVE, RACE_CANDIDATE };

struct racer {
	pthread_t thread;
	pthread_barrier_t *start;
	struct store_session *ses;
	const struct module *mod;
	enum race race;
	int32_t live;
	struct lane lane;
	bool resumed;
	int rc;
	struct pj_error err;
};

/* No assertion in here: cmocka is not made for threads. */
static void *
racer_main(void *arg)
{
	struct racer *r = arg;

	(void)pthread_barrier_wait(r->start);
	if (r->race == RACE_LIVE)
		r->rc = generation_attach_live(r->ses, NULL, r->mod, 5,
					       &r->lane, &r->err);
	else
		r->rc = generation_attach_candidate(r->ses, NULL, r->mod, 5,
						    &r->lane, &r->live,
						    &r->resumed, &r->err);
	return NULL;
}

static void
run_race(struct racer *racers, enum race race)
{
	pthread_barrier_t start;

	assert_int_equal(pthread_barrier_init(&start, NULL, RACERS), 0);
	for (int i = 0; i < RACERS; i++) {
		racers[i].start = &start;
		racers[i].race = race;
		assert_int_equal(pthread_create(&racers[i].thread, NULL,
						racer_main, &racers[i]),
				 0);
	}
	for (int i = 0; i < RACERS; i++)
		assert_int_equal(pthread_join(racers[i].thread, NULL), 0);
	pthread_barrier_destroy(&start);
}

/* A store for each race; the racers have sessions of their own. */
static struct fixture *
race_open(struct racer *racers, const struct module *first,
	  const struct module *second)
{
	struct fixture *fx = fixture_new(STORE_LMDB);

	fixture_open(fx);
	memset(racers, 0, RACERS * sizeof(*racers));
	for (int i = 0; i < RACERS; i++) {
		racers[i].ses = fixture_session(fx);
		racers[i].mod = i ? second : first;
	}
	return fx;
}

static void
race_close(struct fixture *fx, struct racer *racers)
{
	for (int i = 0; i < RACERS; i++)
		store_session_close(racers[i].ses);
	fixture_free(fx);
}

static void
two_that_start_at_once_agree_on_the_first_generation(void **state)
{
	struct racer r[RACERS];

	(void)state;
	for (int i = 0; i < RACES; i++) {
		struct fixture *fx = race_open(r, mine.mod, mine.mod);

		run_race(r, RACE_LIVE);
		for (int k = 0; k < RACERS; k++) {
			assert_int_equal(r[k].rc, 0);
			assert_int_equal(r[k].lane.number, 1);
		}
		assert_int_equal(live_number(fx), 1);
		assert_int_equal(state_of(fx, 1), STORE_GEN_READY);
		race_close(fx, r);
	}
}

/* Somebody else begins and ends between two reads of ours. */
static struct {
	struct store_ops ops;
	const struct store_ops *real;
	struct fixture *fx; /* NULL: it is done */
} meanwhile;

static int
scan_meanwhile(struct store_session *ses, const char *collection,
	       struct pj_str after, struct pj_str end, store_each_fn each,
	       void *arg, struct pj_error *err)
{
	struct fixture *fx = meanwhile.fx;
	struct store_session *theirs;
	struct lane lane;

	if (fx && strcmp(collection, READMODEL_GENERATIONS) == 0) {
		meanwhile.fx = NULL;
		theirs = fixture_session(fx);
		OK(fx, generation_attach_live(theirs, NULL, mine.mod, 5, &lane,
					      &fx->err));
		store_session_close(theirs);
	}
	return meanwhile.real->scan(ses, collection, after, end, each, arg,
				    err);
}

static void
begin_meanwhile(struct fixture *fx)
{
	struct store *store = fx->ses->store;

	meanwhile.real = store->ops;
	meanwhile.ops = *store->ops;
	meanwhile.ops.scan = scan_meanwhile;
	meanwhile.fx = fx;
	store->ops = &meanwhile.ops;
}

static void
what_became_live_meanwhile_is_not_begun_once_more(void **state)
{
	struct fixture *fx = *state;
	struct store_generation *rows;
	struct lane lane;
	size_t n;

	begin_meanwhile(fx);
	assert_int_equal(attach_live(fx, &lane), 1);
	assert_null(meanwhile.fx);
	OK(fx, store_generations(fx->ses, &rows, &n, &fx->err));
	assert_int_equal(n, 1);
	assert_int_equal(rows[0].state, STORE_GEN_READY);
	store_generations_free(rows, n);
}

static void
a_candidate_is_above_what_became_live_meanwhile(void **state)
{
	struct fixture *fx = *state;
	struct lane lane;
	bool resumed;
	int32_t live;

	begin_meanwhile(fx);
	assert_int_equal(attach_candidate(fx, &mine, &lane, &live, &resumed),
			 2);
	assert_int_equal(live, 1);
	assert_false(resumed);
}

static void
of_two_codes_that_start_at_once_one_is_stopped(void **state)
{
	struct racer r[RACERS];

	(void)state;
	for (int i = 0; i < RACES; i++) {
		struct fixture *fx = race_open(r, mine.mod, other.mod);
		const struct racer *won, *lost;

		run_race(r, RACE_LIVE);
		assert_int_equal(r[0].rc + r[1].rc, -1);
		won = r[0].rc == 0 ? &r[0] : &r[1];
		lost = won == r ? &r[1] : &r[0];
		assert_int_equal(lost->err.cls, PJ_ERROR_STOP);
		assert_int_equal(won->lane.number, live_number(fx));
		race_close(fx, r);
	}
}

static void
two_rebuilds_of_one_code_build_the_same_candidate(void **state)
{
	struct racer r[RACERS];

	(void)state;
	for (int i = 0; i < RACES; i++) {
		struct fixture *fx = race_open(r, mine.mod, mine.mod);
		struct lane lane;

		(void)attach_live(fx, &lane);
		run_race(r, RACE_CANDIDATE);
		for (int k = 0; k < RACERS; k++) {
			assert_int_equal(r[k].rc, 0);
			assert_int_equal(r[k].lane.number, 2);
			assert_int_equal(r[k].live, 1);
		}
		assert_int_equal(r[0].resumed + r[1].resumed, 1);
		race_close(fx, r);
	}
}

static void
two_rebuilds_of_two_codes_never_share_a_candidate(void **state)
{
	struct racer r[RACERS];

	(void)state;
	for (int i = 0; i < RACES; i++) {
		struct fixture *fx = race_open(r, mine.mod, other.mod);
		struct lane lane;

		(void)attach_live(fx, &lane);
		run_race(r, RACE_CANDIDATE);
		assert_int_equal(r[0].rc | r[1].rc, 0);
		assert_int_equal(r[0].lane.number + r[1].lane.number, 5);
		assert_int_not_equal(r[0].lane.number, r[1].lane.number);
		assert_false(r[0].resumed || r[1].resumed);
		race_close(fx, r);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_LMDB(the_first_attach_makes_generation_one_live),
		ON_LMDB(a_generation_that_other_code_filled_is_a_named_stop),
		ON_LMDB(a_live_pointer_to_nothing_is_told),
		ON_LMDB(whoever_died_after_moving_the_pointer_is_finished_for),
		ON_LMDB(a_candidate_is_gone_on_with_until_it_is_live),
		ON_LMDB(a_candidate_of_other_code_is_not_gone_on_with),
		ON_LMDB(a_half_built_candidate_of_other_code_does_not_become_live),
		ON_LMDB(a_generation_is_chosen_by_its_number_or_as_the_unfinished_one),
		ON_LMDB(a_generation_that_is_not_there_or_of_other_code_is_not_chosen),
		ON_LMDB(code_that_makes_the_same_documents_can_be_adopted),
		ON_LMDB(sets_of_fields_can_be_adopted_without_a_rebuild),
		ON_LMDB(code_that_makes_other_documents_is_not_adopted),
		ON_LMDB(with_nothing_live_there_is_nothing_to_adopt_for),
		cmocka_unit_test(
			two_that_start_at_once_agree_on_the_first_generation),
		ON_LMDB(what_became_live_meanwhile_is_not_begun_once_more),
		ON_LMDB(a_candidate_is_above_what_became_live_meanwhile),
		cmocka_unit_test(
			of_two_codes_that_start_at_once_one_is_stopped),
		cmocka_unit_test(
			two_rebuilds_of_one_code_build_the_same_candidate),
		cmocka_unit_test(
			two_rebuilds_of_two_codes_never_share_a_candidate),
	};

	return cmocka_run_group_tests_name("generation", tests, make_codes,
					   free_codes);
}
