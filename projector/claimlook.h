/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks at claims beside the pipeline (protocol rule 9): is each row that was
 * claimed still under the epoch it was claimed with?
 *
 * The store proves first that it is the one to be asked (store_sync()), and
 * MongoDB takes until the next flush of its journal for that, up to 100 ms:
 * nobody is to wait for it. So a thread with a session of its own looks, and
 * the pipeline goes on by what it knows (CLAIM_TRUST_MS).
 *
 * Ownership: a look is the looker's from give to take. Thread: one of its own;
 * all calls are the pipeline thread's.
 */
#ifndef PROJECTOR_CLAIMLOOK_H
#define PROJECTOR_CLAIMLOOK_H

#include <projector/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/store.h"

struct claimed {
	char generation[64];
	int32_t source;
	int64_t epoch;
};

struct claimlook {
	struct claimed *rows; /* those of a generation one behind the other */
	size_t n, cap;
	uint32_t round; /* the asker's: which claims these are */
	int64_t asked_boot_ms;
	/* Out: rc is the store's; ours: all rows are as they were claimed. */
	int rc;
	bool ours;
	struct pj_error err;
};

void
claimlook_add(struct claimlook *look, const char *generation, int32_t source,
	      int64_t epoch);
void
claimlook_free(struct claimlook *look);

struct looker;

int
looker_start(struct store *store, struct looker **ret_looker,
	     struct pj_error *err) __attribute__((warn_unused_result));
/* Waits for the look that is under way. */
void
looker_stop(struct looker *looker);

/* One at a time. */
void
looker_give(struct looker *looker, struct claimlook *look);
/* NULL: none is back. */
struct claimlook *
looker_take(struct looker *looker);

#endif
