/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of documents are ready beside the whole, and of the sets declared now.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/component/served_double.h"

#define FIELDS ",\"fields\":[{\"name\":\"a\"},{\"name\":\"b\"}],\"fieldSets\":"

/* What a module declared first; then the same set of other fields; then a set
 * of another name. */
static const char first[] = FIELDS "[{\"name\":\"card\",\"fields\":[\"a\"]}]";
static const char changed[] = FIELDS "[{\"name\":\"card\",\"fields\":[\"b\"]}]";
static const char renamed[] = FIELDS "[{\"name\":\"tile\",\"fields\":[\"a\"]}]";

static int
start_with_sets(void **state)
{
	(void)state;
	prepare();
	set.queryapi.queue_depth = 10;
	DOUBLE_SET(dbl.cache = first);
	return start_prepared();
}

static char tag[128];

/* The ETag of the answer at hand, quotes included. */
static const char *
tag_of(void)
{
	const char *at = strstr(answer, "ETag: ");
	size_t len;

	assert_non_null(at);
	len = strcspn(at + 6, "\r");
	assert_true(len < sizeof(tag));
	memcpy(tag, at + 6, len);
	tag[len] = '\0';
	return tag;
}

static bool
has_tag(const char *target, const char *begins)
{
	return get(target) == 200 &&
	       strncmp(tag_of(), begins, strlen(begins)) == 0;
}

/* The picture has the declaration. */
static bool
is_told_of(const char *text)
{
	return get("/openapi.json") == 200 && strstr(answer, text);
}

static void
declare(const char *sets, const char *name)
{
	DOUBLE_SET(dbl.cache = sets);
	WAIT_FOR(is_told_of(name));
}

static bool
has_waiting(const char *count)
{
	return read_answer(ask(server_admin_address(srv), "/status")) == 200 &&
	       strstr(answer, count);
}

static void
one_load_makes_the_whole_and_its_parts(void **state)
{
	(void)state;
	WAIT_FOR(is_following());
	assert_true(has_tag("/v1/shop/a?fields=card", "\"1.7-card-"));
	assert_non_null(strstr(answer, "\r\n\r\n{\"id\":\"a\"}"));
	assert_true(has_tag("/v1/shop/a", "\"1.7\""));
	assert_int_equal(get("/v1/shop?ids=a,a&fields=card"), 200);
	assert_non_null(strstr(answer, "\"document\":{\"id\":\"a\"}"));
	assert_int_equal(double_get(&dbl.loads), 1);
}

static void
a_part_is_as_new_as_the_stream(void **state)
{
	(void)state;
	WAIT_FOR(is_following());
	assert_true(has_tag("/v1/shop/a?fields=card", "\"1.7-card-"));
	DOUBLE_SET(dbl.revision = 8);
	tell_document("a", 8);
	assert_true(has_tag("/v1/shop/a?fields=card", "\"1.8-card-"));
	assert_int_equal(double_get(&dbl.loads), 2);
}

static void
of_what_is_not_there_a_part_is_not_there(void **state)
{
	(void)state;
	WAIT_FOR(is_following());
	assert_int_equal(get("/v1/shop/-x?fields=card"), 404);
	assert_int_equal(get("/v1/shop/-x"), 404);
	assert_int_equal(get("/v1/shop?ids=-x&fields=card"), 200);
	assert_non_null(strstr(answer, "\"found\":false"));
	assert_int_equal(double_get(&dbl.loads), 1);
	assert_int_equal(get("/v1/shop/a?fields=row"), 400);
	assert_non_null(strstr(answer, "this view has card"));
}

/* No revision changes, but the bytes do. */
static void
a_set_that_is_declared_anew_is_rendered_anew(void **state)
{
	char before[sizeof(tag)];

	(void)state;
	WAIT_FOR(is_following());
	assert_true(has_tag("/v1/shop/a?fields=card", "\"1.7-card-"));
	(void)strcpy(before, tag);
	declare(changed, "\"b\":");
	WAIT_FOR(has_tag("/v1/shop/a?fields=card", "\"1.7-card-") &&
		 strcmp(tag, before) != 0);
	assert_int_equal(double_get(&dbl.loads), 2);
	declare(renamed, "tile");
	assert_int_equal(get("/v1/shop/a?fields=card"), 400);
	/* The whole is what it was. */
	assert_true(has_tag("/v1/shop/a", "\"1.7\""));
	assert_int_equal(double_get(&dbl.loads), 2);
	assert_true(has_tag("/v1/shop/a?fields=tile", "\"1.7-tile-"));
	assert_int_equal(double_get(&dbl.loads), 3);
}

static void
a_load_by_an_older_declaration_is_no_answer_by_the_new_one(void **state)
{
	int whole, part, batch;

	(void)state;
	WAIT_FOR(is_following());
	DOUBLE_SET(dbl.hangs = true);
	whole = ask(server_data_address(srv), "/v1/shop/a");
	WAIT_FOR(double_get(&dbl.waiting) == 1);
	declare(renamed, "tile");
	/* These join the load that is at work. */
	part = ask(server_data_address(srv), "/v1/shop/a?fields=tile");
	batch = ask(server_data_address(srv), "/v1/shop?ids=a&fields=tile");
	WAIT_FOR(has_waiting("\"in_flight\":3"));
	DOUBLE_SET(dbl.hangs = false);
	assert_int_equal(read_answer(whole), 200);
	assert_int_equal(read_answer(part), 200);
	assert_int_equal(strncmp(tag_of(), "\"1.7-tile-", 10), 0);
	assert_int_equal(read_answer(batch), 200);
	assert_non_null(strstr(answer, "\"document\":{\"id\":\"a\"}"));
	assert_int_equal(double_get(&dbl.loads), 2);
}

/* The only worker is busy, so the load is taken up after the change. */
static int
ask_before(const char *sets, const char *name)
{
	int busy, fd;

	WAIT_FOR(is_following());
	assert_true(has_tag("/v1/shop/z?fields=card", "\"1.7-card-"));
	DOUBLE_SET(dbl.hangs = true);
	busy = ask(server_data_address(srv), "/v1/shop/b");
	WAIT_FOR(double_get(&dbl.waiting) == 1);
	fd = ask(server_data_address(srv), "/v1/shop/a?fields=card");
	WAIT_FOR(has_waiting("\"queued\":1"));
	declare(sets, name);
	DOUBLE_SET(dbl.hangs = false);
	assert_int_equal(read_answer(busy), 200);
	return fd;
}

static void
who_asked_before_a_declaration_is_answered_by_the_new_one(void **state)
{
	char before[sizeof(tag)];
	int fd;

	(void)state;
	fd = ask_before(changed, "\"b\":");
	assert_int_equal(read_answer(fd), 200);
	(void)strcpy(before, tag_of());
	assert_int_equal(strncmp(before, "\"1.7-card-", 10), 0);
	assert_true(has_tag("/v1/shop/a?fields=card", before));
}

static void
who_asked_before_a_set_went_is_told_so(void **state)
{
	(void)state;
	assert_int_equal(read_answer(ask_before(renamed, "tile")), 400);
	assert_non_null(strstr(answer, "no more"));
}

/* No document changes, so only the stream's word of it wakes. */
static void
who_waits_for_a_part_is_told_when_its_set_is_declared_anew(void **state)
{
	char before[sizeof(tag)], lines[sizeof(tag) + 32];
	int part, whole;

	(void)state;
	WAIT_FOR(is_following());
	assert_true(has_tag("/v1/shop/a?fields=card", "\"1.7-card-"));
	(void)strcpy(before, tag);
	(void)snprintf(lines, sizeof(lines), "If-None-Match: %s\r\n", before);
	part = ask_with(server_data_address(srv),
			"/v1/shop/a?fields=card&wait=60", lines);
	whole = ask_with(server_data_address(srv), "/v1/shop/a?wait=60",
			 "If-None-Match: \"1.7\"\r\n");
	WAIT_FOR(metric_is("\nshopview_watches 2\n"));
	/* The picture may be taken before the stream tells of it. */
	declare(changed, "\"b\":");
	tell(&(struct store_news){.kind = STORE_NEWS_CATALOG});
	WAIT_FOR(metric_is("\nshopview_watches 1\n"));
	assert_int_equal(read_answer(part), 200);
	assert_int_not_equal(strcmp(tag_of(), before), 0);
	assert_int_equal(strncmp(tag, "\"1.7-card-", 10), 0);
	(void)close(whole);
}

#define POLICY                                                                 \
	",\"cache\":{\"maxAge\":1,\"staleWhileRevalidate\":0,"                 \
	"\"staleIfError\":300}"

static int
start_with_stale(void **state)
{
	(void)state;
	prepare();
	DOUBLE_SET(dbl.cache = POLICY FIELDS
		   "[{\"name\":\"card\",\"fields\":[\"a\"]}]");
	return start_prepared();
}

static void
while_the_store_is_away_a_part_is_served_like_the_whole(void **state)
{
	(void)state;
	WAIT_FOR(is_following());
	assert_true(has_tag("/v1/shop/a", "\"1.7\""));
	DOUBLE_SET(dbl.away = true);
	WAIT_FOR(get("/v1/shop/b?fields=card") == 503 && !is_following());
	assert_true(has_tag("/v1/shop/a?fields=card", "\"1.7-card-"));
	assert_non_null(strstr(answer, "detail=stale"));
	DOUBLE_SET(dbl.away = false);
}

static void
a_part_by_an_older_declaration_is_not_even_served_stale(void **state)
{
	(void)state;
	WAIT_FOR(is_following());
	assert_true(has_tag("/v1/shop/a?fields=card", "\"1.7-card-"));
	declare(POLICY FIELDS "[{\"name\":\"tile\",\"fields\":[\"a\"]}]",
		"tile");
	DOUBLE_SET(dbl.away = true);
	WAIT_FOR(get("/v1/shop/b") == 503 && !is_following());
	assert_int_equal(get("/v1/shop/a?fields=tile"), 503);
	assert_true(has_tag("/v1/shop/a", "\"1.7\""));
	assert_non_null(strstr(answer, "detail=stale"));
	DOUBLE_SET(dbl.away = false);
}

#define SERVED(test)                                                           \
	cmocka_unit_test_setup_teardown(test, start_with_sets, stop)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SERVED(one_load_makes_the_whole_and_its_parts),
		SERVED(a_part_is_as_new_as_the_stream),
		SERVED(of_what_is_not_there_a_part_is_not_there),
		SERVED(a_set_that_is_declared_anew_is_rendered_anew),
		SERVED(a_load_by_an_older_declaration_is_no_answer_by_the_new_one),
		SERVED(who_asked_before_a_declaration_is_answered_by_the_new_one),
		SERVED(who_asked_before_a_set_went_is_told_so),
		SERVED(who_waits_for_a_part_is_told_when_its_set_is_declared_anew),
		cmocka_unit_test_setup_teardown(
			while_the_store_is_away_a_part_is_served_like_the_whole,
			start_with_stale, stop),
		cmocka_unit_test_setup_teardown(
			a_part_by_an_older_declaration_is_not_even_served_stale,
			start_with_stale, stop),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
