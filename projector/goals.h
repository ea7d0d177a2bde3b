/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a run to the end ends: what the log of each partition held when reading
 * began.
 *
 * Ownership: goals_release() frees; partitions are borrowed.
 * Errors: RETRY when the log does not answer, STOP for a start behind its end.
 * Thread: the pipeline thread.
 */
#ifndef PROJECTOR_GOALS_H
#define PROJECTOR_GOALS_H

#include "projector/source.h"

struct goal {
	struct partition *part;
	int64_t end;  /* to be reached; -1: the log holds nothing */
	int64_t high; /* next offset of the log */
};

struct goals {
	struct goal *goal;
	size_t n;
};

/* Asks the log; what was set before is forgotten. */
int
goals_set(struct goals *goals, struct source *source, struct partition **parts,
	  size_t n_parts, struct pj_error *err)
	__attribute__((warn_unused_result));
void
goals_release(struct goals *goals);

/*
 * Whether goal i can be reached from `next`. Reading would tell too, but a run
 * to an end that lies before its start reads nothing.
 */
int
goals_check_start(const struct goals *goals, size_t i, int64_t next,
		  struct pj_error *err) __attribute__((warn_unused_result));

#endif
