/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time zones and the three forms of time in events.
 *
 * A zone is read once from the system's tz database (or is UTC, or a fixed
 * offset "+09:00"); the process's own TZ is never touched. A repeated local
 * time is the first; a skipped one takes the offset before the gap.
 *
 * Ownership: zone_free() frees. Thread: a zone is immutable after zone_load().
 * Errors: CONFIG for an unknown zone.
 */
#ifndef PROJECTOR_ZONE_H
#define PROJECTOR_ZONE_H

#include <projector/error.h>
#include <projector/event.h>

#include <stdbool.h>
#include <stdint.h>

struct zone;

int
zone_load(const char *name, struct zone **ret_zone, struct pj_error *err)
	__attribute__((warn_unused_result));
void
zone_free(struct zone *zone);

/*
 * What can be written as a date: years 0000 to 9999, UTC. The rest is no time,
 * in the integer form as well.
 */
#define ZONE_MIN_MS (INT64_C(-62167219200) * 1000)
#define ZONE_MAX_MS (INT64_C(253402300799) * 1000 + 999)

/* `yyyy-MM-dd HH:mm:ss[.SSS]` in the zone, or RFC 3339; -1 when it is neither.
 * A local form takes 1 to 9 digits of fraction; all below ms is cut off. */
int
zone_parse(const struct zone *zone, struct pj_str text, int64_t *ret_ms)
	__attribute__((warn_unused_result));

/*
 * "2023-11-15": the local day of the instant; at the edges, where the zone
 * leads out of them, the first or last day of the years 0000 to 9999.
 */
void
zone_local_date(const struct zone *zone, int64_t ms, char out[11]);

#endif
