/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A document as it should be: records folded one after the other, straight into
 * a fresh one.
 */
#ifndef TESTS_SIM_TRUTH_H
#define TESTS_SIM_TRUTH_H

#include "lib/buf.h"
#include "projector/doc.h"
#include "tests/sim/sight.h"

enum verdict {
	VERDICT_CHANGED,
	VERDICT_UNCHANGED,
	VERDICT_REPEATED, /* by its number */
	VERDICT_REJECTED,
	VERDICT_GAP,
	VERDICT_TOO_LARGE, /* what no store takes, too */
};

/* A queue as it should be. */
struct due {
	bool open;
	int64_t first, tail, n;
};

struct truth {
	struct truth *next;
	struct lane *lane;
	struct pj_str key;
	struct pj_doc *doc;
	struct buf bytes; /* of doc */
	bool any;	  /* something has to be stored */
	int64_t sequence[LOGS_MAX];
	int64_t last[LOGS_MAX]; /* offset that made a difference; -1 */
	struct due due[LOGS_MAX];
};

void
truth_init(struct truth *t, struct lane *lane, struct pj_str key);
void
truth_release(struct truth *t);
/* Folds it; what is not applied leaves the document as it was. */
enum verdict
truth_fold(struct truth *t, struct eyes *eyes, const struct log *log,
	   size_t part, const struct view *view, const struct sight *sight);
/* What folding it would say. */
enum verdict
truth_try(struct truth *t, struct eyes *eyes, const struct log *log,
	  size_t part, const struct view *view, const struct sight *sight);
/* What stays of a record that is given up (protocol rule 12). */
void
truth_discard(struct truth *t, size_t part, const struct view *view);

const char *
verdict_cause(enum verdict verdict);
static inline bool
verdict_parks(enum verdict verdict)
{
	return verdict > VERDICT_REPEATED;
}

#endif
