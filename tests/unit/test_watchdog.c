/* SPDX-License-Identifier: Apache-2.0 */
#define _XOPEN_SOURCE	700
#define _DEFAULT_SOURCE 1 /* WCOREDUMP */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "projector/watchdog.h"
#include "tests/support/scratch.h"

static int
setup(void **state)
{
	*state = scratch_make();
	return 0;
}

static int
teardown(void **state)
{
	scratch_remove(*state);
	return 0;
}

/* ---- A process that is watched ------------------------------------------- */

struct watched {
	pid_t pid;
	int told, tell, errors;
};

/* In the child: says that it got this far; waits for the parent's word. */
static struct {
	int tell, told;
} child;

static void
tell(void)
{
	(void)!write(child.tell, "x", 1);
}

static void
wait_to_be_told(void)
{
	char byte;

	(void)!read(child.told, &byte, 1);
}

static struct partition delivery = {.topic = "delivery", .number = 2};
static const struct lanes lanes = {
	.lane = {{.index = 0, .generation = "delivery.7"}},
	.n = 1,
};

static void
run_child(const char *dir, uint32_t cpu_ms, void (*work)(struct ledger *led))
{
	struct rlimit core;
	struct watchdog *dog;
	struct ledger *led;
	struct pj_error err;

	/* A core file would be written if nobody forbade it. */
	(void)getrlimit(RLIMIT_CORE, &core);
	core.rlim_cur = core.rlim_max;
	(void)setrlimit(RLIMIT_CORE, &core);
	if (chdir(dir))
		_exit(99);
	log_setup("watched", LOG_INFO, LOG_LOGFMT);
	if (ledger_open(dir, "store", &led, &err) ||
	    watchdog_start(led, cpu_ms, &dog, &err))
		_exit(99);
	ledger_lanes(led, &lanes);
	work(led);
	watchdog_stop(dog);
	ledger_close(led);
	_exit(0);
}

static struct watched
start(const char *dir, uint32_t cpu_ms, void (*work)(struct ledger *led))
{
	int up[2], down[2], errors[2];
	struct watched w;

	assert_int_equal(pipe(up) | pipe(down) | pipe(errors), 0);
	w.pid = fork();
	assert_true(w.pid >= 0);
	if (w.pid == 0) {
		child.tell = up[1];
		child.told = down[0];
		(void)dup2(errors[1], STDERR_FILENO);
		run_child(dir, cpu_ms, work);
	}
	w.told = up[0];
	w.tell = down[1];
	w.errors = errors[0];
	(void)close(up[1]);
	(void)close(down[0]);
	(void)close(errors[1]);
	return w;
}

/* Its end; what it said on stderr in out. */
static int
end_of(struct watched *w, char *out, size_t size)
{
	size_t len = 0;
	ssize_t n;
	int status;

	while (len < size - 1 &&
	       (n = read(w->errors, out + len, size - 1 - len)) > 0)
		len += (size_t)n;
	out[len] = '\0';
	assert_int_equal(waitpid(w->pid, &status, 0), w->pid);
	(void)close(w->told);
	(void)close(w->tell);
	(void)close(w->errors);
	return status;
}

static void
begin(struct ledger *led, int64_t offset)
{
	struct record rec = {.partition = &delivery, .offset = offset};

	ledger_begin(led, STEP_FOLD, &lanes.lane[0], &rec);
}

static void
burn_ms(int64_t ms)
{
	int64_t until = clock_read_ms(CLOCK_THREAD_CPUTIME_ID) + ms;

	while (clock_read_ms(CLOCK_THREAD_CPUTIME_ID) < until)
		;
}

static void
assert_ended_by_the_watchdog(const char *dir, int status, const char *said)
{
	const struct ledger_entry *e;
	struct ledger *led;
	struct pj_error err;

	if (!WIFSIGNALED(status))
		fail_msg("status %d: %s", status, said);
	assert_int_equal(WTERMSIG(status), SIGABRT);
	assert_false(WCOREDUMP(status));
	assert_non_null(strstr(said, "level=error"));
	assert_non_null(strstr(said, "event=record.endless"));
	assert_non_null(strstr(said, "generation=delivery.7"));
	assert_non_null(strstr(said, "at=delivery/2@12 "));
	assert_int_equal(ledger_open(dir, "store", &led, &err), 0);
	e = ledger_found(led, 0);
	assert_non_null(e);
	assert_int_equal(e->offset, 12);
	ledger_close(led);
}

/* ---- Tests --------------------------------------------------------------- */

static void
burn_for_ever_in_one_record(struct ledger *led)
{
	begin(led, 11);
	ledger_end(led);
	begin(led, 12);
	for (;;)
		burn_ms(1000);
}

static void
a_record_that_burns_its_budget_ends_the_process(void **state)
{
	struct watched w = start(*state, 50, burn_for_ever_in_one_record);
	char said[4096];
	int status = end_of(&w, said, sizeof(said));

	assert_ended_by_the_watchdog(*state, status, said);
}

static void
stand_still_in_one_record(struct ledger *led)
{
	begin(led, 12);
	for (;;)
		(void)pause();
}

static void
a_record_that_stands_still_ends_the_process_after_ten_times_as_long(
	void **state)
{
	int64_t began = clock_mono_ms();
	struct watched w = start(*state, 50, stand_still_in_one_record);
	char said[4096];
	int status = end_of(&w, said, sizeof(said));

	assert_ended_by_the_watchdog(*state, status, said);
	assert_true(clock_mono_ms() - began >= 500);
}

static void
burn_in_many_records_and_between_them(struct ledger *led)
{
	for (int i = 0; i < 40; i++) {
		begin(led, 12); /* the same one again, as in a re-fold */
		burn_ms(10);
		ledger_end(led);
	}
	burn_ms(400);
}

static void
records_within_their_budget_go_on_however_many_there_are(void **state)
{
	struct watched w =
		start(*state, 150, burn_in_many_records_and_between_them);
	char said[4096];
	int status = end_of(&w, said, sizeof(said));

	assert_string_equal(said, "");
	assert_int_equal(status, 0);
}

static void
one_record_until_told(struct ledger *led)
{
	begin(led, 12);
	tell();
	wait_to_be_told();
	ledger_end(led);
}

static void
a_process_that_was_stopped_in_a_record_is_not_ended_for_it(void **state)
{
	struct watched w = start(*state, 100, one_record_until_told);
	char said[4096], byte;
	int status;

	assert_int_equal(read(w.told, &byte, 1), 1);
	assert_int_equal(kill(w.pid, SIGSTOP), 0);
	assert_int_equal(waitpid(w.pid, &status, WUNTRACED), w.pid);
	assert_true(WIFSTOPPED(status));
	clock_sleep_ms(1500); /* what is tested: over ten times the budget */
	assert_int_equal(write(w.tell, "x", 1), 1);
	assert_int_equal(kill(w.pid, SIGCONT), 0);
	status = end_of(&w, said, sizeof(said));
	assert_string_equal(said, "");
	assert_int_equal(status, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_record_that_burns_its_budget_ends_the_process),
		TEST(a_record_that_stands_still_ends_the_process_after_ten_times_as_long),
		TEST(records_within_their_budget_go_on_however_many_there_are),
		TEST(a_process_that_was_stopped_in_a_record_is_not_ended_for_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
