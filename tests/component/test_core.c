/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The core under everything that may happen to it: thousands of seeded worlds.
 *
 * A failing seed prints its number; CORE_SEED=n runs that one alone,
 * CORE_SEEDS=n that many of each kind.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <unistd.h>

#include "tests/component/core_oracle.h"

enum { SEEDS = 300, CHAOS_STEPS = 1200, CALM_STEPS = 200000 };

static struct core_modules modules;
static struct world world;
static struct oracle oracle;
static uint64_t running_seed;
static const char *running_name;
static struct core_counts total; /* of the worlds of one test */

static void
print_seed(void)
{
	char text[128];
	int len =
		snprintf(text, sizeof(text),
			 "world \"%s\": run again with CORE_SEED=%" PRIu64 "\n",
			 running_name, running_seed);

	if (write(STDERR_FILENO, text, (size_t)len) < 0)
		abort();
}

static void
on_abort(int number)
{
	(void)number;
	print_seed();
	(void)signal(SIGABRT, SIG_DFL);
	(void)raise(SIGABRT);
}

/* The sanitizers end the process without another word. */
void
__asan_on_error(void);
void
__asan_on_error(void)
{
	print_seed();
}

static void
run_world(const struct world_rules *rules, uint64_t seed)
{
	unsigned steps = 0;

	running_seed = seed;
	running_name = rules->name;
	world_init(&world, rules, &modules, seed);
	oracle_init(&oracle, &world);
	for (; steps < CHAOS_STEPS; steps++) {
		world_step(&world, false);
		oracle_check_checkpoints(&oracle);
	}
	for (size_t i = 0; i < world.n_owners; i++)
		if (world.owners[i].zombie && !world.owners[i].dead)
			owner_die(&world, &world.owners[i]);
	for (steps = 0; !world_is_at_rest(&world); steps++) {
		if (steps == CALM_STEPS)
			fail_msg("does not come to rest");
		world_step(&world, true);
		oracle_check_checkpoints(&oracle);
	}
	while (world.store.n_late)
		fake_deliver_late(&world.store);
	oracle_check_end(&oracle);
	oracle_release(&oracle);
	world_release(&world);
	total.writes += world.counts.writes;
	total.conflicts += world.counts.conflicts;
	total.verified += world.counts.verified;
	total.parked += world.counts.parked;
}

static uint64_t
from_environment(const char *name, uint64_t otherwise)
{
	const char *value = getenv(name);

	return value ? strtoull(value, NULL, 10) : otherwise;
}

static void
run_worlds(const struct world_rules *rules)
{
	uint64_t first = from_environment("CORE_SEED", 1);
	uint64_t n =
		getenv("CORE_SEED") ? 1 : from_environment("CORE_SEEDS", SEEDS);

	memset(&total, 0, sizeof(total));
	for (uint64_t i = 0; i < n; i++)
		run_world(rules, first + i);
	running_name = NULL;
	print_message(
		"%" PRIu64 " worlds: %" PRIu64 " writes, %" PRIu64
		" verified, %" PRIu64 " conflicts, %" PRIu64 " parkings\n",
		n, total.writes, total.verified, total.conflicts, total.parked);
	if (rules->owners > 1 || rules->faults)
		return;
	/* Nobody was in the way: nothing was in doubt. */
	assert_int_equal(total.verified, 0);
	assert_int_equal(total.conflicts, 0);
}

#define WORLD(NAME, ...)                                                       \
	static void NAME(void **state)                                         \
	{                                                                      \
		static const struct world_rules rules = {.name = #NAME,        \
							 __VA_ARGS__};         \
		(void)state;                                                   \
		run_worlds(&rules);                                            \
	}

WORLD(one_owner_and_a_healthy_store, .owners = 1)
WORLD(bad_records_are_parked_and_the_rest_flows, .owners = 1, .bad = true)
WORLD(a_store_that_loses_doubts_and_delays, .owners = 1, .faults = true)
WORLD(documents_that_cannot_be_stored, .owners = 1, .faults = true, .bad = true,
      .heavy = true)
WORLD(several_owners_share_documents, .owners = 3, .faults = true, .bad = true)
WORLD(crashes_and_rebalances, .owners = 2, .faults = true, .crashes = true,
      .bad = true, .heavy = true)
WORLD(zombies_beside_their_successors, .owners = 2, .faults = true,
      .crashes = true, .zombies = true, .bad = true, .heavy = true)
WORLD(next_to_no_memory, .owners = 2, .faults = true, .crashes = true,
      .bad = true, .heavy = true, .tiny = true)
WORLD(everything_at_once, .owners = 3, .faults = true, .crashes = true,
      .zombies = true, .bad = true, .heavy = true, .tiny = true)

static int
load(void **state)
{
	(void)state;
	core_modules_load(&modules);
	return 0;
}

static int
unload(void **state)
{
	(void)state;
	core_modules_free(&modules);
	return 0;
}

/* After a failure: which one it was; the world's memory goes with us. */
static int
tell(void **state)
{
	(void)state;
	if (running_name)
		print_seed();
	running_name = NULL;
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(one_owner_and_a_healthy_store, tell),
		cmocka_unit_test_teardown(
			bad_records_are_parked_and_the_rest_flows, tell),
		cmocka_unit_test_teardown(a_store_that_loses_doubts_and_delays,
					  tell),
		cmocka_unit_test_teardown(documents_that_cannot_be_stored,
					  tell),
		cmocka_unit_test_teardown(several_owners_share_documents, tell),
		cmocka_unit_test_teardown(crashes_and_rebalances, tell),
		cmocka_unit_test_teardown(zombies_beside_their_successors,
					  tell),
		cmocka_unit_test_teardown(next_to_no_memory, tell),
		cmocka_unit_test_teardown(everything_at_once, tell),
	};

	(void)signal(SIGABRT, on_abort);
	return cmocka_run_group_tests_name("core", tests, load, unload);
}
