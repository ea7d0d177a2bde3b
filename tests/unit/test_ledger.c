/* SPDX-License-Identifier: Apache-2.0 */
#define _XOPEN_SOURCE 700
#include "tests/unit/ledger_process.h"

#include <fcntl.h>

static void
a_segfault_leaves_the_record_it_happened_in(void **state)
{
	(void)run_to_its_end(*state, STORE, fold_offset_12, end_by_segfault);
	assert_found_12(*state);
}

static void
an_abort_leaves_the_record_it_happened_in(void **state)
{
	(void)run_to_its_end(*state, STORE, fold_offset_12, abort);
	assert_found_12(*state);
}

static void
a_kill_leaves_the_record_it_happened_in(void **state)
{
	(void)run_to_its_end(*state, STORE, fold_offset_12, end_by_kill);
	assert_found_12(*state);
}

static void
an_exit_at_once_leaves_the_record_it_happened_in(void **state)
{
	(void)run_to_its_end(*state, STORE, fold_offset_12, end_by_exit);
	assert_found_12(*state);
}

static void
decode_with_longest_topic(struct ledger *led)
{
	struct partition part = {.number = INT32_MAX};
	struct record rec = {.partition = &part, .offset = INT64_MAX};

	/* Another one before, so that nothing of it shows. */
	begin(led, STEP_FOLD, 7);
	memset(part.topic, 't', sizeof(part.topic) - 1);
	ledger_begin(led, STEP_DECODE, NULL, &rec);
}

static void
an_end_while_decoding_has_no_generation(void **state)
{
	struct ledger *led;
	const struct ledger_entry *e;

	(void)run_to_its_end(*state, STORE, decode_with_longest_topic,
			     end_by_kill);
	led = open_for(*state, STORE);
	e = ledger_found(led, 0);
	assert_non_null(e);
	assert_string_equal(e->generation, "");
	assert_int_equal(strlen(e->topic), sizeof(e->topic) - 1);
	assert_int_equal(strspn(e->topic, "t"), sizeof(e->topic) - 1);
	assert_int_equal(e->partition, INT32_MAX);
	assert_true(e->offset == INT64_MAX);
	ledger_close(led);
}

static void
key_of_longest_generation(struct ledger *led)
{
	struct record rec = {.partition = &stock, .offset = 12};

	ledger_begin(led, STEP_KEY, &lanes.lane[0], &rec);
}

static void
an_end_in_a_key_function_says_so(void **state)
{
	struct ledger *led;

	(void)run_to_its_end(*state, STORE, key_of_longest_generation,
			     end_by_kill);
	led = open_for(*state, STORE);
	assert_non_null(ledger_found(led, 0));
	assert_string_equal(ledger_found(led, 0)->generation,
			    "member_coupons.2147483647:key");
	ledger_close(led);
}

static void
name_lanes_anew(struct ledger *led)
{
	struct lanes other = lanes;
	struct partition part = {.topic = "price", .number = 4};
	struct record rec = {.partition = &stock, .offset = 12};

	fold_offset_12(led);
	/* The same address, another partition; another generation. */
	strcpy(stock.topic, part.topic);
	stock.number = part.number;
	strcpy(other.lane[1].generation, "stock.3");
	ledger_lanes(led, &other);
	ledger_begin(led, STEP_FOLD, &other.lane[1], &rec);
}

static void
what_is_told_anew_is_what_the_ledger_names(void **state)
{
	struct ledger *led;

	(void)run_to_its_end(*state, STORE, name_lanes_anew, end_by_kill);
	led = open_for(*state, STORE);
	assert_non_null(ledger_found(led, 0));
	assert_string_equal(ledger_found(led, 0)->generation, "stock.3");
	assert_string_equal(ledger_found(led, 0)->topic, "price");
	assert_int_equal(ledger_found(led, 0)->partition, 4);
	ledger_close(led);
}

/* ---- What is no crash of a record ---------------------------------------- */

static void
an_end_between_records_leaves_nothing(void **state)
{
	(void)run_to_its_end(*state, STORE, fold_and_finish, end_by_kill);
	assert_nothing_found(*state, STORE);
}

static void
open_alone(struct ledger *led)
{
	(void)led;
}

static void
an_end_before_the_first_record_leaves_nothing(void **state)
{
	(void)run_to_its_end(*state, STORE, open_alone, end_by_kill);
	assert_nothing_found(*state, STORE);
}

static void
fold_and_close(struct ledger *led)
{
	fold_offset_12(led);
	ledger_close(led);
}

static void
a_clean_end_leaves_nothing(void **state)
{
	(void)run_to_its_end(*state, STORE, fold_and_close, end_by_kill);
	assert_nothing_found(*state, STORE);
}

/* ---- Files --------------------------------------------------------------- */

static void
an_entry_is_found_until_it_is_forgotten(void **state)
{
	struct ledger *led;

	(void)run_to_its_end(*state, STORE, fold_offset_12, end_by_kill);
	assert_found_12(*state);
	assert_found_12(*state);
	led = open_for(*state, STORE);
	ledger_forget(led);
	assert_null(ledger_found(led, 0));
	ledger_close(led);
	assert_nothing_found(*state, STORE);
}

static void
fold_offset_13_beside(struct ledger *led)
{
	/* What the earlier process left is kept beside it. */
	if (!ledger_found(led, 0))
		_exit(97);
	begin(led, STEP_FOLD, 13);
}

static void
the_ends_of_several_processes_are_all_found(void **state)
{
	struct ledger *led;

	(void)run_to_its_end(*state, STORE, fold_offset_12, end_by_kill);
	(void)run_to_its_end(*state, STORE, fold_offset_13_beside, end_by_kill);
	led = open_for(*state, STORE);
	assert_non_null(ledger_found(led, 1));
	assert_int_equal(ledger_found(led, 0)->offset +
				 ledger_found(led, 1)->offset,
			 12 + 13);
	assert_null(ledger_found(led, 2));
	ledger_forget(led);
	ledger_forget(led);
	assert_null(ledger_found(led, 0));
	ledger_close(led);
	assert_nothing_found(*state, STORE);
}

static void
an_entry_of_a_process_that_lives_is_not_found(void **state)
{
	struct ledger *alive = open_for(*state, STORE);

	fold_offset_12(alive);
	assert_nothing_found(*state, STORE);
	ledger_close(alive);
}

static void
a_found_entry_is_found_by_one_process_alone(void **state)
{
	struct ledger *first;

	(void)run_to_its_end(*state, STORE, fold_offset_12, end_by_kill);
	first = open_for(*state, STORE);
	assert_non_null(ledger_found(first, 0));
	assert_nothing_found(*state, STORE);
	ledger_close(first);
	assert_found_12(*state);
}

static void
an_entry_of_another_store_is_left_to_it(void **state)
{
	(void)run_to_its_end(*state, STORE, fold_offset_12, end_by_kill);
	assert_nothing_found(*state, "mongodb shopview a,b,c");
	assert_found_12(*state);
}

static char *
the_only_file(const char *dir)
{
	struct ledger *led = open_for(dir, STORE);
	char link[64], path[512];
	ssize_t n;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", led->fd);
	n = readlink(link, path, sizeof(path) - 1);
	assert_true(n > 0);
	path[n] = '\0';
	ledger_close(led);
	return mem_strdup(path);
}

static void
overwrite(const char *path, size_t at, const void *bytes, size_t n)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, n, (off_t)at), n);
	assert_int_equal(close(fd), 0);
}

static void
an_entry_of_another_boot_is_not_found(void **state)
{
	char *path = the_only_file(*state);

	(void)run_to_its_end(*state, STORE, fold_offset_12, end_by_kill);
	overwrite(path, offsetof(struct ledger_page, boot), "00000000", 8);
	free(path);
	assert_nothing_found(*state, STORE);
}

static void
a_file_that_is_no_ledger_is_an_empty_one(void **state)
{
	char *path = the_only_file(*state);
	char noise[300];

	memset(noise, 0xa5, sizeof(noise));
	(void)run_to_its_end(*state, STORE, fold_offset_12, end_by_kill);
	overwrite(path, 0, noise, sizeof(noise));
	assert_nothing_found(*state, STORE);
	assert_int_equal(truncate(path, 5), 0);
	assert_nothing_found(*state, STORE);
	/* A name without its end, in an entry that is one otherwise. */
	(void)run_to_its_end(*state, STORE, fold_offset_12, end_by_kill);
	overwrite(path, offsetof(struct ledger_page, topic), noise,
		  sizeof(((struct ledger_page *)0)->topic));
	assert_nothing_found(*state, STORE);
	free(path);
}

static void
the_directory_is_made_with_its_parents(void **state)
{
	char *dir = mem_printf("%s/a/b/c", (char *)*state);

	assert_nothing_found(dir, STORE);
	free(dir);
}

static void
a_directory_that_cannot_be_had_is_a_configuration_error(void **state)
{
	char *file = mem_printf("%s/file", (char *)*state);
	char *dir = mem_printf("%s/state", file);
	int fd = open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	struct ledger *led = NULL;
	struct pj_error err;

	assert_int_equal(close(fd), 0);
	assert_int_equal(ledger_open(dir, STORE, &led, &err), -1);
	assert_int_equal(err.cls, PJ_ERROR_CONFIG);
	assert_non_null(strstr(err.text, "projector.state_dir"));
	assert_non_null(strstr(err.text, dir));
	assert_null(led);
	free(dir);
	free(file);
}

static void
one_process_too_many_is_a_configuration_error(void **state)
{
	int ready[2], go[2], status;
	char byte;
	struct ledger *led;
	struct pj_error err;
	pid_t pid[LEDGER_SLOTS / LEDGERS_OPEN_MAX];

	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(go), 0);
	for (size_t p = 0; p < sizeof(pid) / sizeof(*pid); p++) {
		pid[p] = fork();
		if (pid[p] == 0) {
			bool all = true;

			for (int i = 0; i < LEDGERS_OPEN_MAX; i++)
				if (ledger_open(*state, STORE, &led, &err))
					all = false;
			(void)!write(ready[1], all ? "y" : "n", 1);
			(void)close(go[1]);
			(void)!read(go[0], &byte, 1);
			_exit(0);
		}
		assert_int_equal(read(ready[0], &byte, 1), 1);
		assert_int_equal(byte, 'y');
	}
	assert_int_equal(ledger_open(*state, STORE, &led, &err), -1);
	assert_int_equal(err.cls, PJ_ERROR_CONFIG);
	assert_non_null(strstr(err.text, "in use"));
	(void)close(go[1]);
	for (size_t p = 0; p < sizeof(pid) / sizeof(*pid); p++)
		assert_int_equal(waitpid(pid[p], &status, 0), pid[p]);
	(void)close(go[0]);
	(void)close(ready[0]);
	(void)close(ready[1]);
	assert_nothing_found(*state, STORE);
}

/* ---- Who watches --------------------------------------------------------- */

static void
each_record_is_another_number_and_none_is_even(void **state)
{
	struct ledger *led = open_for(*state, STORE);
	struct ledger_entry e;
	uint64_t first, second;

	assert_int_equal(ledger_seq(led) & 1, 0);
	begin(led, STEP_FOLD, 5);
	first = ledger_seq(led);
	assert_int_equal(first & 1, 1);
	assert_true(ledger_read(led, first, &e));
	assert_int_equal(e.offset, 5);
	begin(led, STEP_FOLD, 5);
	second = ledger_seq(led);
	assert_true(second != first && (second & 1));
	assert_false(ledger_read(led, first, &e));
	ledger_end(led);
	assert_int_equal(ledger_seq(led) & 1, 0);
	assert_false(ledger_read(led, second, &e));
	assert_false(ledger_read(led, ledger_seq(led), &e));
	ledger_end(led);
	assert_int_equal(ledger_seq(led) & 1, 0);
	ledger_close(led);
}

static void
without_a_ledger_nothing_is_written_down(void **state)
{
	(void)state;
	begin(NULL, STEP_FOLD, 5);
	ledger_end(NULL);
	ledger_close(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_segfault_leaves_the_record_it_happened_in),
		TEST(an_abort_leaves_the_record_it_happened_in),
		TEST(a_kill_leaves_the_record_it_happened_in),
		TEST(an_exit_at_once_leaves_the_record_it_happened_in),
		TEST(an_end_while_decoding_has_no_generation),
		TEST(an_end_in_a_key_function_says_so),
		TEST(what_is_told_anew_is_what_the_ledger_names),
		TEST(an_end_between_records_leaves_nothing),
		TEST(an_end_before_the_first_record_leaves_nothing),
		TEST(a_clean_end_leaves_nothing),
		TEST(an_entry_is_found_until_it_is_forgotten),
		TEST(the_ends_of_several_processes_are_all_found),
		TEST(an_entry_of_a_process_that_lives_is_not_found),
		TEST(a_found_entry_is_found_by_one_process_alone),
		TEST(an_entry_of_another_store_is_left_to_it),
		TEST(an_entry_of_another_boot_is_not_found),
		TEST(a_file_that_is_no_ledger_is_an_empty_one),
		TEST(the_directory_is_made_with_its_parents),
		TEST(a_directory_that_cannot_be_had_is_a_configuration_error),
		TEST(one_process_too_many_is_a_configuration_error),
		TEST(each_record_is_another_number_and_none_is_even),
		TEST(without_a_ledger_nothing_is_written_down),
	};

	take_handlers();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
