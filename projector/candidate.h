/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Feeds a generation that is not live until it can take the live one's place,
 * and makes it live (promotion.h). Reads every partition without joining the
 * group, so it disturbs nobody; goes on from the generation's own checkpoints.
 * Progress goes to stderr.
 *
 * Thread: main.
 */
#ifndef PROJECTOR_CANDIDATE_H
#define PROJECTOR_CANDIDATE_H

#include <projector/error.h>

#include "lib/store.h"
#include "projector/host.h"

struct candidate {
	struct host *host; /* with this one module */
	struct store *store;
	struct store_session *ses;
	const char *verb; /* for what is said: "rebuild" */
	struct lane lane;
	int32_t live; /* 0 = none */
};

/* Stopped by a signal before it is live: FATAL, the same command goes on. */
int
candidate_run(const struct candidate *cand, struct pj_error *err)
	__attribute__((warn_unused_result));

#endif
