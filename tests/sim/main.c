/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulator of the delivery protocol.
 *
 * Usage: sim [--seeds N] [--seed X] [--world NAME] [--list]
 *            [--weakness local-reads|stale-reads]
 *
 * Runs N seeds in all, each world its share; or the seed X, with its schedule.
 * A seed that fails is run again for its schedule, the shortest of each world.
 * Worlds run in processes of their own, so that whatever ends one is told.
 *
 * With a weakness the store does what it must not do: then it is an error when
 * nothing breaks.
 */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/sim/oracle.h"
#include "tests/sim/requests.h"
#include "tests/sim/tell.h"
#include "tests/sim/worlds.h"

enum {
	CHAOS_STEPS = 1500,
	CALM_STEPS = 100000,
	CHUNK = 200, /* seeds of one process */
	FAILURES_MAX = 50,
	/* Below that a thing may not be met by chance. */
	WHOLE_RUN_SEEDS = 2000,
	/* Met less often in a whole run, it may not be met by the next one: a
	 * world has to bring it about. */
	MET_LEAST = 20,
	SEED_CPU_S = 60,
};

struct options {
	uint64_t seeds, seed;
	const char *world;
	enum weakness weakness;
};

static struct modules modules;
static struct world world;
static struct options opt = {.seeds = 2000};

/* ---- One world -------------------------------------------------------- */

static void
run_to_rest(void)
{
	const char *why;

	for (unsigned steps = 0; (why = world_unrest(&world)); steps++) {
		REQUIRE(steps < CALM_STEPS, "does not come to rest: %s", why);
		world_step(&world);
	}
}

static void
run_world(const struct world_rules *rules, uint64_t seed)
{
	unsigned steps;

	tally->seed = seed;
	tally->step = 0;
	(void)snprintf(tally->world, sizeof(tally->world), "%s", rules->name);
	world_init(&world, rules, &modules, seed);
	world.wire.weakness = opt.weakness;
	steps = CHAOS_STEPS / 4 + dice_below(&world.dice, CHAOS_STEPS);
	if (rules->slow)
		steps *= 3;
	if (rules->promotes)
		steps *= 3;
	while (steps-- > 0)
		world_step(&world);
	world_settle(&world);
	run_to_rest();
	while (rules->clear && requests_ask_for_all(&world))
		run_to_rest();
	while (world.wire.n_late)
		wire_deliver_late(&world.wire);
	run_to_rest();
	oracle_check_end(world.oracle);
	world_release(&world);
	met(MET_WORLDS);
}

/* ---- Processes -------------------------------------------------------- */

/* 0: all went well. */
static int
in_child(const struct world_rules *rules, uint64_t from, uint64_t n, bool trace)
{
	struct rlimit cpu = {SEED_CPU_S + n / 4, SEED_CPU_S + n / 4};
	int status;
	pid_t pid;

	(void)fflush(stdout);
	tally->why[0] = '\0';
	pid = fork();
	if (pid == 0) {
		tell_traced = trace;
		(void)setrlimit(RLIMIT_CPU, &cpu);
		for (uint64_t i = 0; i < n; i++)
			run_world(rules, from + i);
		(void)fflush(stdout);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid) {
		perror("sim");
		exit(1);
	}
	if (status && tally->why[0] == '\0')
		(void)snprintf(tally->why, sizeof(tally->why), "ended by %s %d",
			       WIFSIGNALED(status) ? "signal" : "status",
			       WIFSIGNALED(status) ? WTERMSIG(status)
						   : WEXITSTATUS(status));
	return status;
}

struct failures {
	uint64_t n, shortest_seed, shortest_steps;
};

static void
note_failure(struct failures *f)
{
	if (f->n++ < FAILURES_MAX)
		printf("FAILED %s seed %" PRIu64 ", step %" PRIu64 ": %s\n",
		       tally->world, tally->seed, tally->step, tally->why);
	if (f->n == 1 || tally->step < f->shortest_steps) {
		f->shortest_seed = tally->seed;
		f->shortest_steps = tally->step;
	}
}

/* True: it holds. */
static bool
run_seeds(const struct world_rules *rules, uint64_t from, uint64_t n)
{
	struct failures f = {0, 0, 0};
	uint64_t end = from + n;

	while (from < end && f.n < FAILURES_MAX) {
		uint64_t chunk = end - from < CHUNK ? end - from : CHUNK;

		if (in_child(rules, from, chunk, false) == 0) {
			from += chunk;
			continue;
		}
		note_failure(&f);
		from = tally->seed + 1;
	}
	if (f.n == 0)
		return true;
	printf("---- the schedule of %s, seed %" PRIu64 "\n", rules->name,
	       f.shortest_seed);
	(void)in_child(rules, f.shortest_seed, 1, true);
	printf("---- %s: %s%" PRIu64 " of its seeds failed; again: make sim "
	       "WORLD=%s SEED=%" PRIu64 "\n",
	       rules->name, from < end ? "at least " : "", f.n, rules->name,
	       f.shortest_seed);
	return false;
}

/* ---- The whole -------------------------------------------------------- */

/* False: something hardly ever happened that has to. */
static bool
print_tally(bool whole)
{
#define TELL_NAME(NAME, TEXT, MUST) {TEXT, MUST},
	static const struct {
		const char *text;
		bool must;
	} names[] = {TELL_MET(TELL_NAME)};
#undef TELL_NAME
	bool all = true;

	for (size_t i = 0; i < MET_MAX; i++) {
		printf("%12" PRIu64 " %s\n", tally->met[i], names[i].text);
		if (whole && names[i].must && tally->met[i] < MET_LEAST) {
			printf("FAILED: only %" PRIu64 " %s in the whole run: "
			       "it proves too little about them\n",
			       tally->met[i], names[i].text);
			all = false;
		}
	}
	return all;
}

static const char *
option_value(int argc, char **argv, int *at)
{
	if (++*at < argc)
		return argv[*at];
	fprintf(stderr, "sim: %s needs a value\n", argv[argc - 1]);
	exit(64);
}

static enum weakness
read_weakness(const char *name)
{
	if (strcmp(name, "local-reads") == 0)
		return WEAKNESS_LOCAL_READS;
	if (strcmp(name, "stale-reads") == 0)
		return WEAKNESS_STALE_READS;
	fprintf(stderr, "sim: no such weakness: %s\n", name);
	exit(64);
}

static void
read_options(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--seeds") == 0) {
			opt.seeds = strtoull(option_value(argc, argv, &i), NULL,
					     10);
		} else if (strcmp(argv[i], "--seed") == 0) {
			opt.seed = strtoull(option_value(argc, argv, &i), NULL,
					    10);
		} else if (strcmp(argv[i], "--world") == 0) {
			opt.world = option_value(argc, argv, &i);
		} else if (strcmp(argv[i], "--weakness") == 0) {
			opt.weakness =
				read_weakness(option_value(argc, argv, &i));
		} else if (strcmp(argv[i], "--list") == 0) {
			for (size_t w = 0; w < n_worlds; w++)
				puts(worlds[w].name);
			exit(0);
		} else {
			fprintf(stderr, "sim: what is %s?\n", argv[i]);
			exit(64);
		}
	}
}

static uint64_t
share_of(const struct world_rules *rules)
{
	uint64_t all = 0;

	if (opt.seed)
		return 1;
	for (size_t i = 0; i < n_worlds; i++)
		if (!opt.world || strcmp(worlds[i].name, opt.world) == 0)
			all += worlds[i].share;
	return (opt.seeds * rules->share + all - 1) / all;
}

/* False: it does not hold. */
static bool
run_rules(const struct world_rules *rules)
{
	if (!opt.seed)
		return run_seeds(rules, 1, share_of(rules));
	if (in_child(rules, opt.seed, 1, true) == 0)
		return true;
	printf("FAILED %s seed %" PRIu64 ": %s\n", rules->name, opt.seed,
	       tally->why);
	return false;
}

int
main(int argc, char **argv)
{
	unsigned passed = 0, failed = 0;

	read_options(argc, argv);
	tally = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (tally == MAP_FAILED) {
		perror("sim");
		return 1;
	}
	modules_load(&modules);
	for (size_t i = 0; i < n_worlds; i++) {
		if (opt.world && strcmp(worlds[i].name, opt.world) != 0)
			continue;
		if (run_rules(&worlds[i]))
			passed++;
		else
			failed++;
	}
	modules_free(&modules);
	if (!print_tally(!opt.world && !opt.seed && !opt.weakness &&
			 opt.seeds >= WHOLE_RUN_SEEDS))
		failed++;
	if (opt.weakness) {
		printf("with a weak store %u worlds broke, as they must\n",
		       failed);
		passed = failed > 0;
		failed = !passed;
	}
	printf("%u passed, %u failed\n", passed, failed);
	return failed || passed == 0 ? 1 : 0;
}
