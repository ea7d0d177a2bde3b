/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/mem.h"
#include "projector/zone.h"
#include "projector/zone_file.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct zone *
load(const char *name)
{
	struct zone *zone = NULL;
	struct pj_error err;

	if (zone_load(name, &zone, &err) < 0)
		fail_msg("%s", err.text);
	return zone;
}

/* INT64_MIN: not a time. */
static int64_t
parse(const struct zone *zone, const char *text)
{
	/* Exactly as long as it is, so that a sanitizer sees any overrun. */
	size_t len = strlen(text);
	char *copy = mem_alloc(len ? len : 1);
	int64_t ms = INT64_MIN;

	memcpy(copy, text, len);
	(void)!zone_parse(zone, (struct pj_str){copy, len}, &ms);
	free(copy);
	return ms;
}

struct parse_case {
	const char *text;
	int64_t ms;
};

static void
check_parse(const char *name, const struct parse_case *cases, size_t n)
{
	struct zone *zone = load(name);

	for (size_t i = 0; i < n; i++) {
		int64_t ms = parse(zone, cases[i].text);

		if (ms != cases[i].ms)
			fail_msg("%s in %s: %lld, not %lld", cases[i].text,
				 name, (long long)ms, (long long)cases[i].ms);
	}
	zone_free(zone);
}

/* The instants were computed with Python's zoneinfo. */
static void
a_local_time_is_read_in_the_zone(void **state)
{
	static const struct parse_case seoul[] = {
		{"2023-11-15 12:00:04", 1700017204000},
		{"2023-11-15 12:00:04.5", 1700017204500},
		{"2023-11-15 12:00:04.05", 1700017204050},
		{"2023-11-15 12:00:04.120", 1700017204120},
		{"2023-11-15 12:00:04.123456789", 1700017204123},
		{"2023-11-15 12:00:04.999999", 1700017204999},
		{"1970-01-01 09:00:00", 0},
		{"1969-12-31 23:59:59.250", -32400750},
		/* Daylight saving of 1988: +10 */
		{"1988-07-01 12:00:00", 583725600000},
		{"9999-12-31 23:59:59.999", 253402268399999},
	};
	static const struct parse_case fixed[] = {
		{"2023-11-15 12:00:04", 1700061604000},
	};
	static const struct parse_case utc[] = {
		{"2023-11-15 12:00:04", 1700049604000},
		{"0000-01-01 00:00:00", ZONE_MIN_MS},
		{"9999-12-31 23:59:59.999", ZONE_MAX_MS},
		{"2000-02-29 00:00:00", 951782400000},
	};

	(void)state;
	check_parse("Asia/Seoul", seoul, COUNT(seoul));
	check_parse("-03:20", fixed, COUNT(fixed));
	check_parse("UTC", utc, COUNT(utc));
}

static void
a_repeated_local_time_is_the_first_and_a_skipped_one_takes_the_offset_before(
	void **state)
{
	static const struct parse_case berlin[] = {
		/* 2023-10-29 03:00 CEST became 02:00 CET. */
		{"2023-10-29 01:59:59", 1698537599000},
		{"2023-10-29 02:00:00", 1698537600000},
		{"2023-10-29 02:59:59", 1698541199000},
		{"2023-10-29 03:00:00", 1698544800000},
		/* 2023-03-26 02:00 CET became 03:00 CEST. */
		{"2023-03-26 01:59:59", 1679792399000},
		{"2023-03-26 02:00:00", 1679792400000},
		{"2023-03-26 02:30:00", 1679794200000},
		{"2023-03-26 02:59:59", 1679795999000},
		{"2023-03-26 03:00:00", 1679792400000},
	};
	static const struct parse_case seoul[] = {
		/* 1988-05-08 02:00 became 03:00; 1988-10-09 03:00 → 02:00. */
		{"1988-05-08 02:30:00", 579029400000},
		{"1988-10-09 02:30:00", 592331400000},
	};
	static const struct parse_case apia[] = {
		/* The whole of 2011-12-30 was skipped: -10 before, +14 after.
		 */
		{"2011-12-29 23:59:59", 1325239199000},
		{"2011-12-30 12:00:00", 1325282400000},
		{"2011-12-31 00:00:00", 1325239200000},
	};

	(void)state;
	check_parse("Europe/Berlin", berlin, COUNT(berlin));
	check_parse("Asia/Seoul", seoul, COUNT(seoul));
	check_parse("Pacific/Apia", apia, COUNT(apia));
}

static void
the_rule_at_the_files_end_holds_for_all_later_years(void **state)
{
	static const struct parse_case new_york[] = {
		/* 2090-03-12 and 2090-11-05 are the switches. */
		{"2090-03-12 01:59:59", 3792985199000},
		{"2090-03-12 02:30:00", 3792987000000},
		{"2090-03-12 03:00:00", 3792985200000},
		{"2090-11-05 01:30:00", 3813543000000},
		{"2090-11-05 02:00:00", 3813548400000},
		/* Beyond the calendar's 400 years. */
		{"2890-03-12 03:00:00", 29038546800000},
		{"2890-11-05 01:30:00", 29059104600000},
		{"9999-07-01 12:00:00", 253386460800000},
		{"9999-12-31 12:00:00", 253402275600000},
	};
	static const struct parse_case sydney[] = {
		/* Southern: summer time runs over the new year. */
		{"2090-01-15 12:00:00", 3788125200000},
		{"2090-07-15 12:00:00", 3803767200000},
	};

	(void)state;
	check_parse("America/New_York", new_york, COUNT(new_york));
	check_parse("Australia/Sydney", sydney, COUNT(sydney));
}

static void
an_rfc_3339_time_carries_its_own_offset(void **state)
{
	static const struct parse_case cases[] = {
		{"2023-11-15T03:00:04Z", 1700017204000},
		{"2023-11-15t03:00:04z", 1700017204000},
		{"2023-11-15T03:00:04.000Z", 1700017204000},
		{"2023-11-15T12:00:04+09:00", 1700017204000},
		{"2023-11-14T23:00:04.25-04:00", 1700017204250},
		{"2023-11-15T03:00:04-00:00", 1700017204000},
		{"2023-11-15T03:00:04.1234567890123Z", 1700017204123},
		{"1969-12-31T23:59:59.999Z", -1},
		/* The leap second of 1990. */
		{"1990-12-31T23:59:60Z", 662688000000},
		{"1990-12-31T15:59:60-08:00", 662688000000},
	};

	(void)state;
	check_parse("Asia/Seoul", cases, COUNT(cases));
}

static void
what_is_no_time_is_refused(void **state)
{
	static const char *const texts[] = {
		"",
		" ",
		"2023",
		"2023-11-15",
		"2023-11-15 12:00",
		"2023-11-15 12:00:0",
		"2023-11-15T12:00:04",
		"2023-11-15 12:00:04Z",
		"2023-11-15 12:00:04+09:00",
		"2023-11-15 12:00:04 ",
		" 2023-11-15 12:00:04",
		"2023-11-15  12:00:04",
		"2023-11-15 12:00:04.",
		"2023-11-15 12:00:04,5",
		"2023-11-15 12:00:04.1234567890",
		"2023-11-15 12:00:04.12a",
		"2023-00-15 12:00:04",
		"2023-13-15 12:00:04",
		"2023-11-00 12:00:04",
		"2023-11-31 12:00:04",
		"2023-02-29 12:00:04",
		"1900-02-29 12:00:04",
		"2023-11-15 24:00:00",
		"2023-11-15 12:60:00",
		"2023-11-15 12:00:60",
		"2023-11-15T12:00:60Z",
		"1990-12-30T23:59:60Z",
		"1990-12-31T23:59:61Z",
		"2023-11-15T12:00:04+24:00",
		"2023-11-15T12:00:04+09:60",
		"2023-11-15T12:00:04+0900",
		"2023-11-15T12:00:04+09",
		"2023-11-15T12:00:04ZZ",
		"2023-11-15T12:00:04.Z",
		"2023/11/15 12:00:04",
		"20231115T120004Z",
		"-023-11-15 12:00:04",
		"+023-11-15 12:00:04",
		"12023-11-15 12:00:04",
		"2023-1-15 12:00:04",
		"1700017204000",
		/* Outside of years 0000 to 9999, UTC. */
		"0000-01-01T00:00:00+00:01",
		"9999-12-31T23:59:59-00:01",
		"0000-01-01 00:00:00",
	};
	struct zone *zone = load("Asia/Seoul");

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		if (parse(zone, texts[i]) != INT64_MIN)
			fail_msg("\"%s\" was read", texts[i]);
	}
	zone_free(zone);
}

static void
check_date(const char *name, int64_t ms, const char *want)
{
	struct zone *zone = load(name);
	char out[11];

	zone_local_date(zone, ms, out);
	assert_string_equal(out, want);
	zone_free(zone);
}

static void
the_local_day_is_the_zones(void **state)
{
	(void)state;
	check_date("Asia/Seoul", 1700017204000, "2023-11-15");
	/* 15:00 UTC is midnight in Seoul. */
	check_date("Asia/Seoul", 1700060399999, "2023-11-15");
	check_date("Asia/Seoul", 1700060400000, "2023-11-16");
	check_date("UTC", 1700060400000, "2023-11-15");
	check_date("UTC", -1, "1969-12-31");
	check_date("UTC", 0, "1970-01-01");
	check_date("UTC", 951782400000, "2000-02-29");
	check_date("America/New_York", 3792985199000, "2090-03-12");
	check_date("Asia/Seoul", ZONE_MAX_MS, "9999-12-31");
	check_date("UTC", ZONE_MIN_MS, "0000-01-01");
	check_date("-05:00", ZONE_MIN_MS, "0000-01-01");
	check_date("UTC", INT64_MIN, "0000-01-01");
	check_date("UTC", INT64_MAX, "9999-12-31");
}

static void
every_instant_of_a_century_has_the_local_time_it_is_read_from(void **state)
{
	static const char *const names[] = {"Asia/Seoul", "Europe/Berlin",
					    "America/St_Johns",
					    "Australia/Lord_Howe"};

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		struct zone *zone = load(names[i]);

		/* Noon is neither repeated nor skipped in these zones. */
		for (int64_t day = 0; day < 36525; day += 7) {
			int64_t noon = day * 86400000 + 43200000;
			char text[32];
			char date[11];
			int64_t ms;

			zone_local_date(zone, noon, date);
			memcpy(text, date, 10);
			memcpy(text + 10, " 12:00:00", 10);
			ms = parse(zone, text);
			assert_true(ms > noon - 86400000 &&
				    ms < noon + 86400000);
			zone_local_date(zone, ms, text);
			assert_string_equal(text, date);
		}
		zone_free(zone);
	}
}

static void
an_unknown_zone_is_a_configuration_error_that_names_it(void **state)
{
	static const char *const names[] = {
		"",
		"Asia/Seul",
		"Asia",
		"Asia/",
		"/etc/passwd",
		"../../../etc/passwd",
		"Asia//Seoul",
		"+9",
		"+09:00x",
		"+24:00",
		"tzdata.zi",
		"zone.tab",
		"leapseconds",
		("Asia/"
		 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		 "a"),
	};

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		struct zone *zone = NULL;
		struct pj_error err = {0};

		assert_int_equal(zone_load(names[i], &zone, &err), -1);
		assert_null(zone);
		assert_int_equal(err.cls, PJ_ERROR_CONFIG);
		assert_non_null(strstr(err.text, names[i]));
	}
}

/* ---- Files ------------------------------------------------------------- */

static unsigned char *
read_zone_file(const char *path, size_t *ret_len)
{
	unsigned char *data = mem_alloc(1 << 16);
	FILE *file = fopen(path, "rb");

	assert_non_null(file);
	*ret_len = fread(data, 1, 1 << 16, file);
	(void)fclose(file);
	return data;
}

static int
parse_file(const unsigned char *data, size_t len)
{
	struct zone *zone = mem_calloc(1, sizeof(*zone));
	unsigned char *copy = mem_alloc(len ? len : 1);
	int result;

	memcpy(copy, data, len);
	zone->fold_at = INT64_MAX;
	result = zone_file_parse(zone, copy, len);
	if (result == 0) {
		int64_t ms;
		char date[11];

		(void)!zone_parse(zone, PJ_STR("2023-10-29 02:30:00"), &ms);
		zone_local_date(zone, 1700017204000, date);
	}
	free(copy);
	zone_free(zone);
	return result;
}

static void
a_zone_file_that_is_cut_or_damaged_is_refused_or_read_in_bounds(void **state)
{
	size_t len;
	unsigned char *data =
		read_zone_file("/usr/share/zoneinfo/Europe/Berlin", &len);

	(void)state;
	assert_int_equal(parse_file(data, len), 0);
	for (size_t cut = 0; cut < len; cut++)
		assert_int_equal(parse_file(data, cut), -1);
	for (size_t i = 0; i < len; i++) {
		unsigned char was = data[i];

		data[i] = (unsigned char)(was ^ 0xff);
		(void)parse_file(data, len);
		data[i] = was;
	}
	free(data);
}

static int
extend(const char *posix)
{
	struct zone *zone = mem_calloc(1, sizeof(*zone));
	int result;

	zone->fold_at = INT64_MAX;
	result = zone_extend(zone, posix, strlen(posix));
	zone_free(zone);
	return result;
}

static void
rule_texts_are_read_in_all_their_forms(void **state)
{
	static const char *const good[] = {
		"UTC0",
		"KST-9",
		"<+0330>-3:30",
		"<-03>3",
		"LMT-8:27:52",
		"CET-1CEST,M3.5.0,M10.5.0/3",
		"EST5EDT,M3.2.0,M11.1.0",
		"IST-1GMT0,M10.5.0,M3.5.0/1",
		"<-02>2<-01>,M3.5.0/-1,M10.5.0/0",
		"EET-2EEST,J60/2:30:15,300/26",
	};
	static const char *const bad[] = {
		"",
		"K-9",
		"KST",
		"<KST-9",
		"KST-9x",
		"KST-25",
		"KST-9:60",
		"CET-1CEST",
		"CET-1CEST,M3.5.0",
		"CET-1CEST,M3.5.0,M10.5.0/3x",
		"CET-1CEST,M0.5.0,M10.5.0",
		"CET-1CEST,M13.5.0,M10.5.0",
		"CET-1CEST,M3.6.0,M10.5.0",
		"CET-1CEST,M3.5.7,M10.5.0",
		"CET-1CEST,J0,M10.5.0",
		"CET-1CEST,366,M10.5.0",
		"CET-1CEST,M3.5.0/168,M10.5.0",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		if (extend(good[i]) < 0)
			fail_msg("%s was refused", good[i]);
	}
	for (size_t i = 0; i < COUNT(bad); i++) {
		if (extend(bad[i]) == 0)
			fail_msg("%s was taken", bad[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_local_time_is_read_in_the_zone),
		cmocka_unit_test(
			a_repeated_local_time_is_the_first_and_a_skipped_one_takes_the_offset_before),
		cmocka_unit_test(
			the_rule_at_the_files_end_holds_for_all_later_years),
		cmocka_unit_test(an_rfc_3339_time_carries_its_own_offset),
		cmocka_unit_test(what_is_no_time_is_refused),
		cmocka_unit_test(the_local_day_is_the_zones),
		cmocka_unit_test(
			every_instant_of_a_century_has_the_local_time_it_is_read_from),
		cmocka_unit_test(
			an_unknown_zone_is_a_configuration_error_that_names_it),
		cmocka_unit_test(
			a_zone_file_that_is_cut_or_damaged_is_refused_or_read_in_bounds),
		cmocka_unit_test(rule_texts_are_read_in_all_their_forms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
