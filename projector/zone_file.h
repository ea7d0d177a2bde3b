/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of a zone, shared by zone.c (use) and zone_file.c (loading).
 */
#ifndef PROJECTOR_ZONE_FILE_H
#define PROJECTOR_ZONE_FILE_H

#include <projector/error.h>
#include <projector/event.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 400 Gregorian years: 146097 days, which is a whole number of weeks. */
#define ZONE_CYCLE_S (INT64_C(146097) * 86400)

struct zone_transition {
	int64_t at;	/* UTC seconds */
	int32_t offset; /* seconds east of UTC, from then on */
};

struct zone {
	int32_t first_offset; /* before the first transition */
	struct zone_transition *trans;
	size_t n, cap;
	/*
	 * Instants from here on are looked up whole cycles earlier; INT64_MAX
	 * when the last offset holds for ever.
	 */
	int64_t fold_at;
};

/* Calendar, in zone.c. */
int64_t
zone_days(int64_t year, unsigned month, unsigned day);
bool
zone_is_leap(int64_t year);
unsigned
zone_month_days(int64_t year, unsigned month);
/* "Z", "+09:00". */
bool
zone_fixed_offset(struct pj_str text, int32_t *ret_offset);

/*
 * Adds the transitions of a POSIX TZ text ("KST-9",
 * "CET-1CEST,M3.5.0,M10.5.0/3") that lie behind the last one there is, for long
 * enough that the calendar repeats. -1 when the text is none.
 */
int
zone_extend(struct zone *zone, const char *posix, size_t len)
	__attribute__((warn_unused_result));

/* Fills the zone from the bytes of a TZif file, version 2 or later. */
int
zone_file_parse(struct zone *zone, const unsigned char *data, size_t len)
	__attribute__((warn_unused_result));

#endif
