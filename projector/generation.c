/* SPDX-License-Identifier: Apache-2.0 */
#include "projector/generation.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

const char *
generation_state_name(enum store_generation_state state)
{
	static const char *const names[] = {
		[STORE_GEN_BUILDING] = "building",
		[STORE_GEN_READY] = "ready",
		[STORE_GEN_DROPPED] = "dropped",
	};

	return names[state];
}

static void
lane_point(struct lane *lane, const struct module *mod, int32_t number)
{
	lane->mod = mod;
	lane->number = number;
	readmodel_generation_id(lane->generation, mod->desc->name, number);
}

int
generation_live(struct store_session *ses, const char *projection,
		struct store_live *ret_live, struct pj_error *err)
{
	struct store_live *rows;
	size_t n;

	if (store_live(ses, &rows, &n, err))
		return -1;
	memset(ret_live, 0, sizeof(*ret_live));
	for (size_t i = 0; i < n; i++)
		if (strcmp(rows[i].projection, projection) == 0)
			*ret_live = rows[i];
	free(rows);
	return 0;
}

int
generation_live_number(struct store_session *ses, const char *projection,
		       int32_t *ret_number, struct pj_error *err)
{
	struct store_live live;

	if (generation_live(ses, projection, &live, err))
		return -1;
	*ret_number = live.number;
	return 0;
}

static int
generation_create(struct store_session *ses, const struct settings *set,
		  const struct module *mod, int32_t number, int64_t now_at_ms,
		  bool *ret_created, struct pj_error *err)
{
	struct store_generation gen = {
		.number = number,
		.version = (int32_t)mod->desc->version,
		.state = STORE_GEN_BUILDING,
		.created_at_ms = now_at_ms,
	};
	int rc;

	(void)memcpy(gen.projection, mod->desc->name,
		     strlen(mod->desc->name) + 1);
	readmodel_generation_id(gen.collection, mod->desc->name, number);
	module_code_hash(mod, set, gen.code_hash);
	gen.reader_json = module_reader_json(mod);
	rc = store_generation_create(ses, &gen, ret_created, err);
	free(gen.reader_json);
	return rc;
}

static int
check_code(const struct store_generation *gen, const struct module *mod,
	   const struct settings *set, struct pj_error *err)
{
	char hash[65];

	module_code_hash(mod, set, hash);
	if (strcmp(hash, gen->code_hash) == 0)
		return 0;
	return pj_error_set(err, PJ_ERROR_STOP,
			    "projection %s: generation %" PRId32
			    " was filled by other code (%.12s, running %.12s: "
			    "sources, options, zone or format changed); run "
			    "'projector rebuild %s', or 'projector generation "
			    "adopt %s' when the documents are the same",
			    gen->projection, gen->number, gen->code_hash, hash,
			    gen->projection, gen->projection);
}

/* The highest number, and the row of `number` (NULL when there is none). */
static int32_t
find_generation(const struct store_generation *rows, size_t n,
		const char *projection, int32_t number,
		const struct store_generation **ret_row)
{
	int32_t highest = 0;

	*ret_row = NULL;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(rows[i].projection, projection) != 0)
			continue;
		if (rows[i].number > highest)
			highest = rows[i].number;
		if (rows[i].number == number)
			*ret_row = &rows[i];
	}
	return highest;
}

/* An unfinished generation of the same code above the live one, or 0. */
static int32_t
find_unfinished(const struct store_generation *rows, size_t n,
		const struct module *mod, const struct settings *set,
		int32_t live)
{
	char hash[65];

	module_code_hash(mod, set, hash);
	for (size_t i = n; i-- > 0;)
		if (strcmp(rows[i].projection, mod->desc->name) == 0 &&
		    rows[i].number > live &&
		    rows[i].state == STORE_GEN_BUILDING &&
		    strcmp(rows[i].code_hash, hash) == 0)
			return rows[i].number;
	return 0;
}

/*
 * A generation above the live one to fill: one that was begun with this code,
 * else the next number. When somebody else takes that number at this moment,
 * what he made of it is looked at again: it may be other code's. 0: another
 * one is live meanwhile, and nothing was made.
 */
static int
begin_generation(struct store_session *ses, const struct settings *set,
		 const struct module *mod, int64_t now_at_ms, int32_t live,
		 int32_t *ret_number, bool *ret_resumed, struct pj_error *err)
{
	const struct store_generation *row;
	struct store_generation *rows;
	int32_t highest, number, now_live;
	bool created = false;
	size_t n;

	do {
		if (store_generations(ses, &rows, &n, err))
			return -1;
		highest = find_generation(rows, n, mod->desc->name, live, &row);
		number = find_unfinished(rows, n, mod, set, live);
		store_generations_free(rows, n);
		/* After the list: what is ready in it may have become live
		 * since the caller looked. */
		if (generation_live_number(ses, mod->desc->name, &now_live,
					   err))
			return -1;
		if (now_live != live) {
			*ret_number = 0;
			return 0;
		}
		*ret_resumed = number != 0;
		*ret_number = number ? number : highest + 1;
		if (number == 0 && generation_create(ses, set, mod, *ret_number,
						     now_at_ms, &created, err))
			return -1;
	} while (number == 0 && !created);
	return 0;
}

/* The first generation: whoever moves the pointer first decides. */
static int
make_first(struct store_session *ses, const struct settings *set,
	   const struct module *mod, int64_t now_at_ms, struct pj_error *err)
{
	bool resumed, moved;
	int32_t number;

	if (begin_generation(ses, set, mod, now_at_ms, 0, &number, &resumed,
			     err))
		return -1;
	if (number == 0)
		return 0;
	return store_live_move(ses, mod->desc->name, 0, number, &moved, err);
}

int
generation_attach_live(struct store_session *ses, const struct settings *set,
		       const struct module *mod, int64_t now_at_ms,
		       struct lane *lane, struct pj_error *err)
{
	const struct store_generation *row;
	struct store_generation *rows;
	const char *name = mod->desc->name;
	int32_t number;
	size_t n;
	int rc;

	if (generation_live_number(ses, name, &number, err))
		return -1;
	if (number == 0 && (make_first(ses, set, mod, now_at_ms, err) ||
			    generation_live_number(ses, name, &number, err)))
		return -1;
	if (store_generations(ses, &rows, &n, err))
		return -1;
	(void)find_generation(rows, n, name, number, &row);
	rc = row ? check_code(row, mod, set, err)
		 : pj_error_set(err, PJ_ERROR_FATAL,
				"projection %s: live points to generation "
				"%" PRId32 ", which the store does not have",
				name, number);
	/* Also when who made it live did not come to say so. */
	if (rc == 0 && row->state == STORE_GEN_BUILDING)
		rc = store_generation_set_state(ses, name, number,
						STORE_GEN_READY, err);
	if (rc == 0) {
		lane_point(lane, mod, number);
		lane->purged_revision = row->purged_revision;
	}
	store_generations_free(rows, n);
	return rc;
}

int
generation_attach_candidate(struct store_session *ses,
			    const struct settings *set,
			    const struct module *mod, int64_t now_at_ms,
			    struct lane *lane, int32_t *ret_live,
			    bool *ret_resumed, struct pj_error *err)
{
	int32_t live, number;
	bool resumed;

	do {
		if (generation_live_number(ses, mod->desc->name, &live, err) ||
		    begin_generation(ses, set, mod, now_at_ms, live, &number,
				     &resumed, err))
			return -1;
	} while (number == 0);
	lane_point(lane, mod, number);
	*ret_live = live;
	*ret_resumed = resumed;
	return 0;
}

int
generation_attach_number(struct store_session *ses, const struct settings *set,
			 const struct module *mod, int32_t number,
			 struct lane *lane, struct pj_error *err)
{
	const char *name = mod->desc->name;
	const struct store_generation *row;
	struct store_generation *rows;
	int32_t live;
	size_t n;
	int rc;

	if (generation_live_number(ses, name, &live, err) ||
	    store_generations(ses, &rows, &n, err))
		return -1;
	if (number == 0)
		number = find_unfinished(rows, n, mod, set, live);
	(void)find_generation(rows, n, name, number, &row);
	if (number == 0)
		rc = pj_error_set(err, PJ_ERROR_FATAL,
				  "projection %s: no generation of this code "
				  "is being built; 'projector rebuild %s' "
				  "makes one",
				  name, name);
	else if (!row || row->state == STORE_GEN_DROPPED)
		rc = pj_error_set(err, PJ_ERROR_FATAL,
				  "projection %s: generation %" PRId32 " %s",
				  name, number,
				  row ? "was dropped" : "does not exist");
	else
		rc = check_code(row, mod, set, err);
	if (rc == 0)
		lane_point(lane, mod, number);
	store_generations_free(rows, n);
	return rc;
}
