/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process that keeps a ledger and ends in one of many ways, and what the next
 * one finds. It needs _XOPEN_SOURCE 700 before the first header.
 */
#ifndef TESTS_UNIT_LEDGER_PROCESS_H
#define TESTS_UNIT_LEDGER_PROCESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "projector/ledger.h"
#include "tests/support/scratch.h"

static const char STORE[] = "lmdb /somewhere";

static inline int
setup(void **state)
{
	*state = scratch_make();
	return 0;
}

static inline int
teardown(void **state)
{
	scratch_remove(*state);
	return 0;
}

static inline struct ledger *
open_for(const char *dir, const char *store)
{
	struct ledger *led;
	struct pj_error err;

	if (ledger_open(dir, store, &led, &err))
		fail_msg("%s", err.text);
	return led;
}

static struct partition stock = {.topic = "stock", .number = 3};
static const struct lanes lanes = {
	.lane = {{.index = 0, .generation = "member_coupons.2147483647"},
		 {.index = 1, .generation = "stock.2"}},
	.n = 2,
};

static inline void
begin(struct ledger *led, enum step step, int64_t offset)
{
	struct record rec = {.partition = &stock, .offset = offset};

	ledger_begin(led, step, step == STEP_DECODE ? NULL : &lanes.lane[1],
		     &rec);
}

/* As a program has them that has opened a ledger. */
static struct {
	struct sigaction abrt, segv;
} handlers;

static inline void
take_handlers(void)
{
	char *dir = scratch_make();

	ledger_close(open_for(dir, STORE));
	(void)sigaction(SIGABRT, NULL, &handlers.abrt);
	(void)sigaction(SIGSEGV, NULL, &handlers.segv);
	scratch_remove(dir);
}

/* ---- Ways to end --------------------------------------------------------- */

static inline void
end_by_segfault(void)
{
	/* No sanitizer's null; nobody's page either. */
	volatile uintptr_t nowhere = 4096;

	*(volatile int *)nowhere = 1;
}

static inline void
end_by_kill(void)
{
	(void)kill(getpid(), SIGKILL);
}

static inline void
end_by_calling_exit(void)
{
	exit(0);
}

static inline void
end_by_exit(void)
{
	_exit(0);
}

/*
 * A process that opens the ledger, works as told and ends as told; it must not
 * get further than that.
 */
static inline int
run_to_its_end(const char *dir, const char *store,
	       void (*work)(struct ledger *led), void (*end)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct rlimit none = {0, 0};
		struct ledger *led;
		struct pj_error err;

		(void)setrlimit(RLIMIT_CORE, &none);
		/* Not the test's own. */
		(void)sigaction(SIGABRT, &handlers.abrt, NULL);
		(void)sigaction(SIGSEGV, &handlers.segv, NULL);
		if (ledger_open(dir, store, &led, &err))
			_exit(99);
		ledger_lanes(led, &lanes);
		work(led);
		end();
		_exit(98);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) < 97);
	return status;
}

static inline void
fold_offset_12(struct ledger *led)
{
	begin(led, STEP_FOLD, 11);
	ledger_end(led);
	begin(led, STEP_DECODE, 12);
	begin(led, STEP_FOLD, 12);
}

static inline void
fold_and_finish(struct ledger *led)
{
	fold_offset_12(led);
	ledger_end(led);
}

static inline void
assert_found_12(const char *dir)
{
	struct ledger *led = open_for(dir, STORE);
	const struct ledger_entry *e = ledger_found(led, 0);

	assert_non_null(e);
	assert_string_equal(e->topic, "stock");
	assert_string_equal(e->generation, "stock.2");
	assert_int_equal(e->partition, 3);
	assert_int_equal(e->offset, 12);
	assert_true(e->pid > 0 && e->pid != getpid());
	assert_true(e->started_at_ms > 0);
	assert_null(ledger_found(led, 1));
	ledger_close(led);
}

static inline void
assert_nothing_found(const char *dir, const char *store)
{
	struct ledger *led = open_for(dir, store);

	assert_null(ledger_found(led, 0));
	ledger_close(led);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
