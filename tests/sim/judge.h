/* SPDX-License-Identifier: Apache-2.0 */
/*
 * At rest: one record in one lane against what the store holds.
 *
 *	judge.c       in its documents
 *	judge_unit.c  in the unit of its key, or alone
 *	verdict.c     all of them, and the documents they lead to
 *
 * Whether a record waits in the unit of its key is the store's word; that it
 * has to, or must not, is judged here. All else is predicted.
 */
#ifndef TESTS_SIM_JUDGE_H
#define TESTS_SIM_JUDGE_H

#include "tests/sim/oracle_impl.h"

/* The queue of a record key, as it should be. */
struct unit_due {
	struct unit_due *next;
	struct row *row;
	size_t log;
	struct due due;
};

/*
 * A record that could be applied later than at first, or given up: its document
 * has to agree with one of both.
 */
struct doubt {
	struct doubt *next;
	const struct lane *lane;
	struct pj_str key;
	const struct view *view;
	bool discarded;
};

/* One record in one lane. */
struct seen {
	struct oracle *oracle;
	size_t log;
	const struct view *view;
	unsigned lane;
};

_Noreturn void
judge_wrong(const struct seen *s, struct pj_str key, const char *what);
struct truth *
judge_truth(const struct seen *s, struct pj_str key);
/* Folded by the modules as they were, or as they are since. */
enum verdict
judge_fold(const struct seen *s, struct truth *t, const struct sight *sight,
	   bool as_mended);
bool
judge_was_discarded(const struct seen *s, const struct wait *wait);
/* It has to wait; cause: for its own fault, NULL: behind others. */
void
judge_due(const struct seen *s, struct due *due, const struct wait *wait,
	  const char *cause);
void
judge_compare_due(const struct due *due, const struct document *doc,
		  int32_t source, struct pj_str name);
/* The next way to take what is in doubt of the document; false: none. */
bool
judge_doubt_next(const struct oracle *oracle, const struct truth *t);

void
judge_document(const struct seen *s, const struct sight *sight);
/* True: it waits, or waited, in the unit of its key; all is said of it. */
bool
judge_unit(const struct seen *s);
void
judge_lone(const struct seen *s, const struct sight *sight);

#endif
