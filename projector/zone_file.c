/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading a zone: TZif files (RFC 8536) and the POSIX TZ text at their end,
 * which rules the time behind the last listed transition.
 */
#include "projector/zone_file.h"

#include "projector/zone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"

static const char ZONE_DIR[] = "/usr/share/zoneinfo";

enum {
	ZONE_NAME_MAX = 64,
	ZONE_FILE_MAX = 1 << 20, /* the largest real one has 4 KiB */
	ZONE_HEADER = 44,
};

/* ---- POSIX TZ ---------------------------------------------------------- */

/* One of the two switches of a year. */
struct zone_rule {
	enum { RULE_MONTH, RULE_JULIAN, RULE_DAY } kind;
	int month, week, day;
	int32_t time_s; /* local, from midnight; may be negative */
};

struct zone_text {
	const char *at, *end;
};

static bool
text_char(struct zone_text *t, char c)
{
	if (t->at == t->end || *t->at != c)
		return false;
	t->at++;
	return true;
}

static bool
text_int(struct zone_text *t, int min, int max, int *ret)
{
	const char *start = t->at;
	int value = 0;

	while (t->at < t->end && t->at - start < 4 && *t->at >= '0' &&
	       *t->at <= '9')
		value = value * 10 + (*t->at++ - '0');
	*ret = value;
	return t->at > start && value >= min && value <= max;
}

/* "KST" or "<+0330>": only its presence matters. */
static bool
text_name(struct zone_text *t)
{
	const char *start = t->at;

	if (text_char(t, '<')) {
		while (t->at < t->end && *t->at != '>')
			t->at++;
		return text_char(t, '>');
	}
	while (t->at < t->end && ((*t->at >= 'A' && *t->at <= 'Z') ||
				  (*t->at >= 'a' && *t->at <= 'z')))
		t->at++;
	return t->at - start >= 3;
}

/* [+-]h[:m[:s]] in seconds. */
static bool
text_time(struct zone_text *t, int max_hours, int32_t *ret_s)
{
	int sign = 1;
	int h;
	int m = 0;
	int s = 0;

	if (text_char(t, '-'))
		sign = -1;
	else
		(void)text_char(t, '+');
	if (!text_int(t, 0, max_hours, &h))
		return false;
	if (text_char(t, ':')) {
		if (!text_int(t, 0, 59, &m))
			return false;
		if (text_char(t, ':') && !text_int(t, 0, 59, &s))
			return false;
	}
	*ret_s = sign * (h * 3600 + m * 60 + s);
	return true;
}

static bool
text_rule(struct zone_text *t, struct zone_rule *rule)
{
	*rule = (struct zone_rule){.kind = RULE_DAY, .time_s = 2 * 3600};
	if (!text_char(t, ','))
		return false;
	if (text_char(t, 'M')) {
		rule->kind = RULE_MONTH;
		if (!text_int(t, 1, 12, &rule->month) || !text_char(t, '.') ||
		    !text_int(t, 1, 5, &rule->week) || !text_char(t, '.') ||
		    !text_int(t, 0, 6, &rule->day))
			return false;
	} else if (text_char(t, 'J')) {
		rule->kind = RULE_JULIAN;
		if (!text_int(t, 1, 365, &rule->day))
			return false;
	} else if (!text_int(t, 0, 365, &rule->day)) {
		return false;
	}
	/* RFC 8536 widens the hours of version 3 files to a week. */
	return !text_char(t, '/') || text_time(t, 167, &rule->time_s);
}

/* Local seconds of the switch in the year, as if the zone were UTC. */
static int64_t
rule_local(const struct zone_rule *rule, int64_t year)
{
	int64_t day = zone_days(year, 1, 1);

	if (rule->kind == RULE_MONTH) {
		unsigned month = (unsigned)rule->month;
		int64_t first = zone_days(year, month, 1);
		/* 1970-01-01 was a Thursday: 4. */
		int64_t weekday = ((first + 4) % 7 + 7) % 7;
		int64_t in = (rule->day - weekday + 7) % 7;

		in += 7 * (rule->week - 1);
		if (in >= zone_month_days(year, month))
			in -= 7; /* week 5 is the last one */
		day = first + in;
	} else if (rule->kind == RULE_JULIAN) {
		/* 29 February is never counted. */
		day += rule->day - 1 + (zone_is_leap(year) && rule->day >= 60);
	} else {
		day += rule->day;
	}
	return day * 86400 + rule->time_s;
}

/* Stable: of two switches at one instant the later year's stays behind. */
static void
zone_add(struct zone *zone, int64_t at, int32_t offset)
{
	size_t i;

	MEM_GROW(zone->trans, zone->n, zone->cap);
	for (i = zone->n++; i > 0 && zone->trans[i - 1].at > at; i--)
		zone->trans[i] = zone->trans[i - 1];
	zone->trans[i] = (struct zone_transition){at, offset};
}

/* A year in which t lies, give or take one; 0 to 9999. */
static int64_t
zone_year_near(int64_t t)
{
	int64_t year = t / 31556952 + 1970;

	return year < 0 ? 0 : year > 9999 ? 9999 : year;
}

int
zone_extend(struct zone *zone, const char *posix, size_t len)
{
	struct zone_text t = {posix, posix + len};
	struct zone_rule start;
	struct zone_rule end;
	int32_t west;
	int32_t std;
	int32_t dst;
	int64_t last = zone->n ? zone->trans[zone->n - 1].at : INT64_MIN;
	int64_t year = zone->n ? zone_year_near(last) - 1 : 0;

	if (!text_name(&t) || !text_time(&t, 24, &west))
		return -1;
	std = -west;
	if (t.at == t.end) {
		if (zone->n == 0)
			zone->first_offset = std;
		return 0;
	}
	dst = std + 3600;
	if (!text_name(&t))
		return -1;
	if (t.at < t.end && *t.at != ',') {
		if (!text_time(&t, 24, &west))
			return -1;
		dst = -west;
	}
	if (!text_rule(&t, &start) || !text_rule(&t, &end) || t.at != t.end)
		return -1;
	if (zone->n == 0)
		zone->first_offset = std;
	/* Two spare years on either side: none of them is half a listed one. */
	zone->fold_at = zone_days(year + 404, 1, 1) * 86400;
	for (int64_t y = year; y <= year + 406; y++) {
		int64_t to_dst = rule_local(&start, y) - std;
		int64_t to_std = rule_local(&end, y) - dst;

		if (to_dst > last)
			zone_add(zone, to_dst, dst);
		if (to_std > last)
			zone_add(zone, to_std, std);
	}
	return 0;
}

/* ---- TZif -------------------------------------------------------------- */

static uint32_t
be32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

static int64_t
be64(const unsigned char *p)
{
	return (int64_t)((uint64_t)be32(p) << 32 | be32(p + 4));
}

struct tzif {
	size_t n_utc, n_std, n_leap, n_times, n_types, n_chars;
};

/* Reads a header; *ret_body is the size of what follows it. */
static int
tzif_header(const unsigned char *data, size_t len, size_t time_size,
	    struct tzif *h, size_t *ret_body)
{
	if (len < ZONE_HEADER || memcmp(data, "TZif", 4) != 0 || data[4] < '2')
		return -1;
	h->n_utc = be32(data + 20);
	h->n_std = be32(data + 24);
	h->n_leap = be32(data + 28);
	h->n_times = be32(data + 32);
	h->n_types = be32(data + 36);
	h->n_chars = be32(data + 40);
	/* The sum below cannot overflow: each count is below 2^32. */
	*ret_body = h->n_times * (time_size + 1) + h->n_types * 6 + h->n_chars +
		    h->n_leap * (time_size + 4) + h->n_std + h->n_utc;
	return *ret_body <= len - ZONE_HEADER ? 0 : -1;
}

static int
tzif_transitions(struct zone *zone, const unsigned char *body,
		 const struct tzif *h)
{
	const unsigned char *index = body + h->n_times * 8;
	const unsigned char *types = index + h->n_times;

	zone->first_offset = (int32_t)be32(types);
	for (size_t i = 0; i < h->n_times; i++) {
		int64_t at = be64(body + i * 8);
		int32_t offset;

		if (index[i] >= h->n_types ||
		    (i > 0 && at <= zone->trans[i - 1].at))
			return -1;
		offset = (int32_t)be32(types + (size_t)index[i] * 6);
		zone_add(zone, at, offset);
	}
	/* Offsets beyond what RFC 8536 allows are a damaged file. */
	for (size_t i = 0; i < h->n_types; i++) {
		int32_t offset = (int32_t)be32(types + i * 6);

		if (offset < -93600 || offset > 93600)
			return -1;
	}
	return 0;
}

int
zone_file_parse(struct zone *zone, const unsigned char *data, size_t len)
{
	struct tzif h;
	size_t body;
	const unsigned char *footer;
	const unsigned char *end;

	if (tzif_header(data, len, 4, &h, &body) < 0)
		return -1;
	data += ZONE_HEADER + body;
	len -= ZONE_HEADER + body;
	/* "right/" files count leap seconds; our instants do not. */
	if (tzif_header(data, len, 8, &h, &body) < 0 || h.n_types == 0 ||
	    h.n_leap != 0)
		return -1;
	if (tzif_transitions(zone, data + ZONE_HEADER, &h) < 0)
		return -1;
	footer = data + ZONE_HEADER + body;
	len -= ZONE_HEADER + body;
	if (len < 2 || *footer++ != '\n')
		return -1;
	end = memchr(footer, '\n', len - 1);
	if (!end)
		return -1;
	return end == footer ? 0
			     : zone_extend(zone, (const char *)footer,
					   (size_t)(end - footer));
}

/* ---- Loading ----------------------------------------------------------- */

/* A relative path of plain names: never out of the directory. */
static bool
zone_is_name(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len > ZONE_NAME_MAX || name[0] == '/' ||
	    name[len - 1] == '/' || strstr(name, "//"))
		return false;
	return strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			    "abcdefghijklmnopqrstuvwxyz0123456789_+-/") == len;
}

static int
zone_read_file(const char *name, unsigned char *data, size_t size,
	       size_t *ret_len)
{
	char path[sizeof(ZONE_DIR) + 1 + ZONE_NAME_MAX];
	FILE *file;
	int result;

	(void)snprintf(path, sizeof(path), "%s/%s", ZONE_DIR, name);
	file = fopen(path, "rbe");
	if (!file)
		return -1;
	*ret_len = fread(data, 1, size, file);
	result = ferror(file) ? -1 : 0;
	(void)fclose(file);
	return result;
}

int
zone_load(const char *name, struct zone **ret_zone, struct pj_error *err)
{
	struct zone *zone = mem_calloc(1, sizeof(*zone));
	struct pj_str text = {name, strlen(name)};
	unsigned char *data = NULL;
	size_t len;
	int result = -1;

	zone->fold_at = INT64_MAX;
	if (strcmp(name, "UTC") == 0 ||
	    zone_fixed_offset(text, &zone->first_offset)) {
		result = 0;
		goto out;
	}
	data = mem_alloc(ZONE_FILE_MAX);
	if (!zone_is_name(name) ||
	    zone_read_file(name, data, ZONE_FILE_MAX, &len) < 0) {
		(void)pj_error_set(err, PJ_ERROR_CONFIG,
				   "zone \"%s\": not in %s (package tzdata), "
				   "nor UTC, nor an offset like +09:00",
				   name, ZONE_DIR);
		goto out;
	}
	if (zone_file_parse(zone, data, len) < 0) {
		(void)pj_error_set(err, PJ_ERROR_CONFIG,
				   "zone \"%s\": %s/%s is no TZif file of "
				   "version 2 or later without leap seconds",
				   name, ZONE_DIR, name);
		goto out;
	}
	result = 0;
out:
	free(data);
	if (result == 0)
		*ret_zone = zone;
	else
		zone_free(zone);
	return result;
}
