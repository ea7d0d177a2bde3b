/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a run has to say: its schedule, line by line, when it is traced; the
 * promise that was broken, when one was; and how often each thing was met.
 *
 * A world runs in a process of its own (main.c): broken() ends it.
 */
#ifndef TESTS_SIM_TELL_H
#define TESTS_SIM_TELL_H

#include <stdbool.h>
#include <stdint.h>

/* What can be met, what the runner calls it, and whether a whole run has to. */
#define TELL_MET(X)                                                            \
	X(WORLDS, "worlds", true)                                              \
	X(STEPS, "steps", true)                                                \
	X(FED, "records fed", true)                                            \
	X(WRITES, "writes", true)                                              \
	X(VERIFIED, "verified", true)                                          \
	X(CONFLICTS, "conflicts", true)                                        \
	X(FENCED, "fenced", true)                                              \
	X(FAILOVERS, "failovers", true)                                        \
	X(ROLLED_BACK, "writes rolled back", true)                             \
	X(STALE_WRITES, "writes of a stale primary", true)                     \
	X(STALE_READS, "reads of a stale primary", true)                       \
	X(OLD_READS, "reads of an older snapshot", true)                       \
	X(READS_REFUSED, "reads refused by causality", true)                   \
	X(LOST, "commands lost", true)                                         \
	X(LOST_REPLIES, "replies lost", true)                                  \
	X(PARTIAL, "commands executed in part", true)                          \
	X(DOUBT, "write concern errors", true)                                 \
	X(LATE, "commands delivered late", true)                               \
	X(LATE_EFFECTS, "of them with effect", true)                           \
	X(REFUSED, "documents refused", true)                                  \
	X(CRASHES, "crashes", true)                                            \
	X(CRASHES_MIDWAY, "of them between commands", true)                    \
	X(EVICTIONS, "unaware zombies", true)                                  \
	X(FREEZES, "freezes", true)                                            \
	X(REJOINS, "zombies that rejoined", true)                              \
	X(REBALANCES, "rebalances", true)                                      \
	X(MOVES, "single partitions moved", true)                              \
	X(ADDED, "projections added", true)                                    \
	X(FENCES, "fences around a generation", true)                          \
	X(BROKEN_FENCES, "of them broken by a claim", true)                    \
	X(LETS_GO, "owners that let go for one", true)                         \
	X(PROMOTED, "pointers moved", true)                                    \
	X(NOT_MOVED, "pointers that did not move over a claim", true)          \
	X(LEAPS, "leaps of the clock", true)                                   \
	X(CLAIMS, "claims", true)                                              \
	X(CLAIMS_LOST, "claims lost to another", true)                         \
	X(TAKEN_UNITS, "units that somebody else had written", true)           \
	X(LATE_UNITS, "units that came too late to be new", true)              \
	X(REREADS, "readings begun again for them", true)                      \
	X(REDELIVERED, "records delivered again", true)                        \
	X(PARKINGS, "parkings", true)                                          \
	X(QUEUED, "queued behind them", true)                                  \
	X(REQUESTS, "requests", true)                                          \
	X(RETRIED, "retried", true)                                            \
	X(DISCARDED, "discarded", true)                                        \
	X(CONTENTS, "documents compared with their positions", true)           \
	X(STRANDED, "rows without a queue", false)                             \
	X(UNAUDITED, "discarded without a trace", false)

enum met {
#define TELL_ENUM(NAME, TEXT, MUST) MET_##NAME,
	TELL_MET(TELL_ENUM)
#undef TELL_ENUM
		MET_MAX
};

/* Shared between the runner and the process that runs a world. */
struct tally {
	uint64_t met[MET_MAX];
	char world[96];
	uint64_t seed;
	uint64_t step;
	char why[1024]; /* what was broken */
};

extern struct tally *tally;
extern bool tell_traced;

static inline void
met(enum met what)
{
	tally->met[what]++;
}

static inline void
met_n(enum met what, uint64_t n)
{
	tally->met[what] += n;
}

/* A line of the schedule. */
#define tell(...)                                                              \
	do {                                                                   \
		if (tell_traced)                                               \
			tell_line(__VA_ARGS__);                                \
	} while (0)

void
tell_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A promise of the protocol, or of the simulator itself, does not hold. */
_Noreturn void
broken(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#define REQUIRE(condition, ...)                                                \
	do {                                                                   \
		if (!(condition))                                              \
			broken(__VA_ARGS__);                                   \
	} while (0)

#endif
