/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading time texts and turning local times into instants.
 *
 * A zone is a sorted list of transitions (zone_file.c fills it). Behind the
 * last rule-made year the calendar repeats every 400 years, to the weekday, so
 * later instants are looked up whole cycles earlier.
 */
#include "projector/zone.h"

#include "projector/zone_file.h"

#include <stdlib.h>
#include <string.h>

static const int64_t DAY_S = 86400;
/* No zone has ever been farther from UTC; wide is harmless. */
static const int64_t OFFSET_MAX_S = 26 * 3600;

/* Days since 1970-01-01 of a day of the proleptic Gregorian calendar. */
int64_t
zone_days(int64_t year, unsigned month, unsigned day)
{
	/* Years that begin in March put the leap day at their end. */
	int64_t y = year - (month <= 2);
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t yoe = y - era * 400;
	int64_t mp = month > 2 ? (int64_t)month - 3 : (int64_t)month + 9;
	int64_t doy = (153 * mp + 2) / 5 + (int64_t)day - 1;

	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void
zone_civil(int64_t days, int64_t *ret_year, unsigned *ret_month,
	   unsigned *ret_day)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;

	*ret_day = (unsigned)(doy - (153 * mp + 2) / 5 + 1);
	*ret_month = (unsigned)(mp < 10 ? mp + 3 : mp - 9);
	*ret_year = yoe + era * 400 + (*ret_month <= 2);
}

bool
zone_is_leap(int64_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

unsigned
zone_month_days(int64_t year, unsigned month)
{
	static const unsigned char days[] = {31, 28, 31, 30, 31, 30,
					     31, 31, 30, 31, 30, 31};

	return month == 2 && zone_is_leap(year) ? 29u : days[month - 1];
}

/* ---- Offsets ----------------------------------------------------------- */

/* The same point of the calendar, in years the table covers. */
static int64_t
zone_fold(const struct zone *zone, int64_t t)
{
	if (zone->n == 0 || t < zone->fold_at)
		return t;
	return t - ((t - zone->fold_at) / ZONE_CYCLE_S + 1) * ZONE_CYCLE_S;
}

/* How many transitions are at or before t. */
static size_t
zone_passed(const struct zone *zone, int64_t t)
{
	size_t low = 0;
	size_t high = zone->n;

	if (zone->n == 0 || t >= zone->trans[zone->n - 1].at)
		return zone->n;
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (zone->trans[mid].at <= t)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* The offset after the first n transitions. */
static int32_t
zone_offset_after(const struct zone *zone, size_t n)
{
	return n == 0 ? zone->first_offset : zone->trans[n - 1].offset;
}

static int32_t
zone_offset_at(const struct zone *zone, int64_t t)
{
	return zone_offset_after(zone, zone_passed(zone, zone_fold(zone, t)));
}

/*
 * The instant of a local time, in seconds. Walks the stretches of constant
 * offset around it: the first stretch that holds the time wins, and a time that
 * lies before the stretch it should be in was skipped.
 */
static int64_t
zone_from_local(const struct zone *zone, int64_t local)
{
	int64_t folded = zone_fold(zone, local);
	size_t i = zone_passed(zone, folded - OFFSET_MAX_S);
	int64_t offset = zone_offset_after(zone, i);

	for (; i < zone->n; i++) {
		const struct zone_transition *next = &zone->trans[i];

		if (folded - offset < next->at)
			break; /* within the stretch before `next` */
		if (folded - next->offset < next->at)
			break; /* in the gap: the offset before it counts */
		offset = next->offset;
	}
	return local - offset;
}

/* ---- Texts ------------------------------------------------------------- */

struct zone_cursor {
	const char *at;
	const char *end;
};

/* Exactly n digits, not above max. */
static bool
zone_digits(struct zone_cursor *cur, int n, unsigned max, unsigned *ret)
{
	unsigned value = 0;

	if (cur->end - cur->at < n)
		return false;
	for (int i = 0; i < n; i++) {
		unsigned digit = (unsigned)(unsigned char)cur->at[i] - '0';

		if (digit > 9)
			return false;
		value = value * 10 + digit;
	}
	if (value > max)
		return false;
	cur->at += n;
	*ret = value;
	return true;
}

static bool
zone_char(struct zone_cursor *cur, char c)
{
	if (cur->at == cur->end || *cur->at != c)
		return false;
	cur->at++;
	return true;
}

/* An optional fraction of 1 to max digits; cut to milliseconds. */
static bool
zone_fraction(struct zone_cursor *cur, size_t max, unsigned *ret_ms)
{
	unsigned ms = 0;
	size_t n = 0;

	*ret_ms = 0;
	if (!zone_char(cur, '.'))
		return true;
	for (; cur->at < cur->end; cur->at++, n++) {
		unsigned digit = (unsigned)(unsigned char)*cur->at - '0';

		if (digit > 9)
			break;
		if (n < 3)
			ms = ms * 10 + digit;
	}
	if (n == 0 || n > max)
		return false;
	for (; n < 3; n++)
		ms *= 10;
	*ret_ms = ms;
	return true;
}

/* "Z", "+09:00": seconds east of UTC. */
static bool
zone_suffix(struct zone_cursor *cur, int64_t *ret_offset)
{
	unsigned hours;
	unsigned minutes;
	int64_t sign = 1;

	*ret_offset = 0;
	if (zone_char(cur, 'Z') || zone_char(cur, 'z'))
		return true;
	if (zone_char(cur, '-'))
		sign = -1;
	else if (!zone_char(cur, '+'))
		return false;
	if (!zone_digits(cur, 2, 23, &hours) || !zone_char(cur, ':') ||
	    !zone_digits(cur, 2, 59, &minutes))
		return false;
	*ret_offset = sign * (int64_t)(hours * 3600 + minutes * 60);
	return true;
}

bool
zone_fixed_offset(struct pj_str text, int32_t *ret_offset)
{
	struct zone_cursor cur = {text.ptr, text.ptr + text.len};
	int64_t offset;

	if (!zone_suffix(&cur, &offset) || cur.at != cur.end)
		return false;
	*ret_offset = (int32_t)offset;
	return true;
}

/* A second 60 is only ever added at the end of a month, UTC. */
static bool
zone_is_leap_second(int64_t seconds)
{
	int64_t year;
	unsigned month;
	unsigned day;

	if (seconds % DAY_S != 0)
		return false;
	zone_civil(seconds / DAY_S, &year, &month, &day);
	return day == 1;
}

int
zone_parse(const struct zone *zone, struct pj_str text, int64_t *ret_ms)
{
	struct zone_cursor cur = {text.ptr, text.ptr + text.len};
	unsigned year, month, day, hour, minute, second, millis;
	int64_t offset;
	int64_t seconds;
	int64_t ms;
	bool local;

	if (!zone_digits(&cur, 4, 9999, &year) || !zone_char(&cur, '-') ||
	    !zone_digits(&cur, 2, 12, &month) || month == 0 ||
	    !zone_char(&cur, '-') || !zone_digits(&cur, 2, 31, &day) ||
	    day == 0 || day > zone_month_days(year, month))
		return -1;
	local = zone_char(&cur, ' ');
	if (!local && !zone_char(&cur, 'T') && !zone_char(&cur, 't'))
		return -1;
	if (!zone_digits(&cur, 2, 23, &hour) || !zone_char(&cur, ':') ||
	    !zone_digits(&cur, 2, 59, &minute) || !zone_char(&cur, ':') ||
	    !zone_digits(&cur, 2, local ? 59 : 60, &second) ||
	    !zone_fraction(&cur, local ? 9 : text.len, &millis))
		return -1;
	seconds = zone_days(year, month, day) * DAY_S + hour * 3600 +
		  minute * 60 + second;
	if (local) {
		seconds = zone_from_local(zone, seconds);
	} else {
		if (!zone_suffix(&cur, &offset))
			return -1;
		seconds -= offset;
		if (second == 60 && !zone_is_leap_second(seconds))
			return -1;
	}
	ms = seconds * 1000 + millis;
	if (cur.at != cur.end || ms < ZONE_MIN_MS || ms > ZONE_MAX_MS)
		return -1;
	*ret_ms = ms;
	return 0;
}

void
zone_local_date(const struct zone *zone, int64_t ms, char out[11])
{
	int64_t seconds;
	int64_t days;
	int64_t year;
	unsigned month;
	unsigned day;

	if (ms < ZONE_MIN_MS)
		ms = ZONE_MIN_MS;
	if (ms > ZONE_MAX_MS)
		ms = ZONE_MAX_MS;
	seconds = ms / 1000 - (ms % 1000 < 0);
	seconds += zone_offset_at(zone, seconds);
	days = seconds / DAY_S - (seconds % DAY_S < 0);
	zone_civil(days, &year, &month, &day);
	if (year < 0 || year > 9999) {
		memcpy(out, year < 0 ? "0000-01-01" : "9999-12-31", 11);
		return;
	}
	out[0] = (char)('0' + year / 1000);
	out[1] = (char)('0' + year / 100 % 10);
	out[2] = (char)('0' + year / 10 % 10);
	out[3] = (char)('0' + year % 10);
	out[4] = '-';
	out[5] = (char)('0' + month / 10);
	out[6] = (char)('0' + month % 10);
	out[7] = '-';
	out[8] = (char)('0' + day / 10);
	out[9] = (char)('0' + day % 10);
	out[10] = '\0';
}

void
zone_free(struct zone *zone)
{
	if (!zone)
		return;
	free(zone->trans);
	free(zone);
}
