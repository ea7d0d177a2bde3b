/* SPDX-License-Identifier: Apache-2.0 */
#include "projector/purge.h"

#include <stdlib.h>
#include <string.h>

#include "lib/bsonjson.h"
#include "lib/bsonread.h"
#include "lib/mem.h"

enum { POSITIONS_MAX = 64 };

/* What a round over one lane has found. */
struct round {
	const struct lane *lane;
	purge_owns_fn owns;
	const void *arg;
	const struct store_checkpoint *points;
	size_t n_points;
	int64_t floor;	 /* revisions up to it may go */
	int64_t highest; /* of all that might go, sooner or later */
	struct store_purge *purges;
	size_t n, cap;
	struct pj_error err;
};

static bool
is_behind(const struct round *round, const struct bsonjson_position *p)
{
	for (size_t i = 0; i < round->n_points; i++)
		if (round->points[i].source == p->source)
			return round->points[i].next > p->offset;
	return false;
}

/* Members of `_m` that keep a tombstone for good. */
static bool
has_more(const struct bsonread_element *meta)
{
	struct bsonread_element el;
	struct bsonread r;

	if (bsonread_open(&r, meta->value, meta->len) < 0)
		return true;
	while (bsonread_next(&r, &el) > 0)
		if (bsonread_is(&el, "k") || bsonread_is(&el, "o") ||
		    bsonread_is(&el, "s"))
			return true;
	return false;
}

/* Its key; ptr NULL when it has to stay. */
static struct pj_str
plain_key(const uint8_t *bson, size_t len)
{
	struct bsonread_element el;
	struct pj_str key = {NULL, 0};
	struct bsonread r;

	if (bsonread_open(&r, bson, len) < 0)
		return key;
	while (bsonread_next(&r, &el) > 0) {
		if (bsonread_is(&el, READMODEL_ID) &&
		    el.type == BSONREAD_STRING)
			key = bsonread_text(&el);
		if (bsonread_is(&el, READMODEL_META) && has_more(&el))
			return (struct pj_str){NULL, 0};
	}
	return key;
}

static bool
may_go(struct round *round, const struct bsonjson_meta *meta,
       const struct bsonjson_position *positions)
{
	if (meta->state != READMODEL_DELETED || meta->n_positions == 0 ||
	    meta->n_positions > POSITIONS_MAX ||
	    !round->owns(round->arg, positions[0].source))
		return false;
	for (size_t i = 0; i < meta->n_positions; i++)
		if (!is_behind(round, &positions[i]))
			return false;
	return true;
}

static bool
look_at(void *arg, const uint8_t *bson, size_t len)
{
	struct bsonjson_position positions[POSITIONS_MAX];
	struct round *round = arg;
	struct store_purge *purge;
	struct bsonjson_meta meta;
	struct pj_str key = plain_key(bson, len);

	if (bsonjson_meta(bson, len, &meta, positions, POSITIONS_MAX,
			  &round->err))
		return false;
	if (!key.ptr || !may_go(round, &meta, positions))
		return true;
	if (meta.revision > round->highest)
		round->highest = meta.revision;
	if (meta.revision > round->floor)
		return true;
	MEM_GROW(round->purges, round->n, round->cap);
	purge = &round->purges[round->n++];
	purge->collection = round->lane->generation;
	purge->key = (struct pj_str){mem_strndup(key.ptr, key.len), key.len};
	memcpy(purge->base.bytes, meta.token, STORE_TOKEN_BYTES);
	return round->n < PURGE_MAX;
}

/* What the store knows by now; everybody who feeds the lane reads it here. */
static int
read_floor(struct purge *purge, struct store_session *ses, struct lane *lane,
	   int64_t now_mono_ms, struct pj_error *err)
{
	struct purge_floor *floor = &purge->floor[lane->index];
	struct store_generation *rows;
	size_t n;

	if (store_generations(ses, &rows, &n, err))
		return -1;
	for (size_t i = 0; i < n; i++)
		if (rows[i].number == lane->number &&
		    strcmp(rows[i].projection, lane->mod->desc->name) == 0)
			lane->purged_revision = rows[i].purged_revision;
	store_generations_free(rows, n);
	if (floor->number == lane->number &&
	    floor->revision == lane->purged_revision)
		return 0;
	*floor = (struct purge_floor){lane->number, lane->purged_revision,
				      now_mono_ms};
	return 0;
}

static int
take_away(struct purge *purge, struct store_session *ses, struct lane *lane,
	  const struct round *round, struct pj_error *err)
{
	struct store_batch batch = {.purges = round->purges,
				    .n_purges = round->n};

	if (round->highest > lane->purged_revision &&
	    store_generation_purged(ses, lane->mod->desc->name, lane->number,
				    round->highest, err))
		return -1;
	if (round->n && store_apply(ses, &batch, err))
		return -1;
	purge->n_purged += round->n;
	return 0;
}

int
purge_lane(struct purge *purge, struct store_session *ses, struct lane *lane,
	   purge_owns_fn owns, const void *arg, int64_t keep_ms,
	   int64_t now_mono_ms, int64_t now_at_ms, struct pj_error *err)
{
	struct round round = {.lane = lane, .owns = owns, .arg = arg};
	const struct purge_floor *floor = &purge->floor[lane->index];
	struct store_checkpoint *points = NULL;
	int rc = -1;

	if (read_floor(purge, ses, lane, now_mono_ms, err) ||
	    store_checkpoints(ses, lane->generation, &points, &round.n_points,
			      err))
		goto out;
	round.points = points;
	if (now_mono_ms - floor->since_mono_ms >= PURGE_FLOOR_MS)
		round.floor = floor->revision;
	if (store_scan_deleted(ses, lane->generation, now_at_ms - keep_ms,
			       look_at, &round, err))
		goto out;
	if (round.err.cls != PJ_ERROR_NONE) {
		*err = round.err;
		goto out;
	}
	rc = take_away(purge, ses, lane, &round, err);
out:
	for (size_t i = 0; i < round.n; i++)
		free((void *)round.purges[i].key.ptr);
	free(round.purges);
	free(points);
	return rc;
}
