/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Generations of a projection: which one is fed, made, chosen.
 *
 * A generation is a collection, its checkpoints, its parked rows and the hash
 * of the code that fills it. `live` points to the one readers get; promotion.c
 * moves it.
 *
 * Errors: STOP when other code than the running one filled a generation;
 * otherwise the store's.
 * Thread: whoever owns the session.
 */
#ifndef PROJECTOR_GENERATION_H
#define PROJECTOR_GENERATION_H

#include "lib/settings.h"
#include "lib/store.h"
#include "projector/lane.h"

const char *
generation_state_name(enum store_generation_state state);

/*
 * Points the lane at the projection's live generation; with none yet, makes
 * the first one live. Two processes that start at once agree.
 */
int
generation_attach_live(struct store_session *ses, const struct settings *set,
		       const struct module *mod, int64_t now_at_ms,
		       struct lane *lane, struct pj_error *err)
	__attribute__((warn_unused_result));

/*
 * Points the lane at a generation that is being built: goes on with an
 * unfinished one of the same code, else makes the next. *ret_live: number of
 * the live one, 0 = none; *ret_resumed: it had been begun before.
 */
int
generation_attach_candidate(struct store_session *ses,
			    const struct settings *set,
			    const struct module *mod, int64_t now_at_ms,
			    struct lane *lane, int32_t *ret_live,
			    bool *ret_resumed, struct pj_error *err)
	__attribute__((warn_unused_result));

/*
 * Points the lane at a generation that is there; 0 = the unfinished one of this
 * code. FATAL: there is none, or it was dropped. STOP: of other code.
 */
int
generation_attach_number(struct store_session *ses, const struct settings *set,
			 const struct module *mod, int32_t number,
			 struct lane *lane, struct pj_error *err)
	__attribute__((warn_unused_result));

/* The live pointer of a projection; number 0 = none yet. */
int
generation_live(struct store_session *ses, const char *projection,
		struct store_live *ret_live, struct pj_error *err)
	__attribute__((warn_unused_result));
/* Its number alone. */
int
generation_live_number(struct store_session *ses, const char *projection,
		       int32_t *ret_number, struct pj_error *err)
	__attribute__((warn_unused_result));

/*
 * Accepts the running code for the live generation, whose documents other code
 * made: from then on they are taken to be the same. *ret_adopted false: they
 * were already. STOP: version, served fields or filters differ, so they cannot
 * be.
 */
struct generation_adoption {
	const char *reason, *by;
	int64_t at_ms;
};
int
generation_adopt(struct store_session *ses, const struct settings *set,
		 const struct module *mod,
		 const struct generation_adoption *how, int32_t *ret_number,
		 bool *ret_adopted, struct pj_error *err)
	__attribute__((warn_unused_result));

#endif
