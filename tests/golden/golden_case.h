/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A golden case: a folder of events and the documents they must give.
 *
 *	events.ndjson   archive lines, in an order their sources could have
 *	expected.json   array: documents as served, ascending by id; deleted
 *	                ones as {"id":…,"deleted":true}
 *	parked.json     array of "topic/partition@offset", ascending, with
 *	                " behind" when it only queues; absent = none
 *	options         absent, or lines `name=value`: options of the module
 *	ordered         absent, or present: the result depends on the order
 *	                in which the sources meet; says why
 *
 * Cases are found by looking: tests/golden/NAME/CASE and
 * projections/NAME/tests/CASE.
 *
 * Ownership: case_free() frees all. Errors: a case that cannot be read ends
 * the process, naming the file.
 */
#ifndef TESTS_GOLDEN_CASE_H
#define TESTS_GOLDEN_CASE_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/settings.h"

struct golden_line {
	const char *text; /* in the case's bytes, without newline */
	size_t len;
	int source; /* which topic-partition, numbered by appearance */
};

struct golden_case {
	char *dir;
	char *projection;
	char *name; /* "stock/ordinary" */
	char *bytes;
	struct golden_line *lines;
	size_t n_lines;
	int n_sources;
	/* One document per string, one form for equal values. */
	char **expected;
	size_t n_expected;
	char **parked;
	size_t n_parked;
	struct settings_projection options;
	bool ordered;
};

struct golden_cases {
	struct golden_case **all;
	size_t n, cap;
};

/* All cases below the current folder whose name begins with `prefix`. */
void
cases_find(const char *prefix, struct golden_cases *ret_cases);
void
cases_release(struct golden_cases *cases);

/*
 * JSON in the one form that equal values have, names in the order given;
 * free() it. NULL when it is no JSON.
 */
char *
golden_canonical(const char *json, size_t len);

#endif
