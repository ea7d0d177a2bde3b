/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of oracle.h share. */
#ifndef TESTS_SIM_ORACLE_IMPL_H
#define TESTS_SIM_ORACLE_IMPL_H

#include "tests/sim/document.h"
#include "tests/sim/oracle.h"
#include "tests/sim/sight.h"
#include "tests/sim/truth.h"

/* What was seen of one document or unit, at some time or other. */
struct memory {
	/* Stretches of its queue, as its markers had them. */
	struct queue_mark *marks;
	size_t n, cap;
};

struct oracle {
	struct world *w;
	struct eyes eyes;
	struct view *views[LOGS_MAX];
	/* Checked so far: all below is accounted for. */
	int64_t accounted[MODULES][LOGS_MAX];
	struct truth *truths;	/* at rest */
	struct unit_due *units; /* likewise */
	struct doubt *doubts;	/* likewise */
	bool again;		/* what is in doubt has to be taken otherwise */
	size_t n_contents;	/* looked at, or passed over */
	size_t n_rows_due;	/* parked rows that have their reason */
};

/* What a record waits in. */
struct wait {
	const char *type; /* "document", "key", "record" */
	struct pj_str unit;
};

/* Who and what, for a broken promise. */
_Noreturn void
oracle_broken(const struct oracle *oracle, size_t log, const struct view *view,
	      unsigned lane, struct pj_str key, const char *what);

const struct document *
oracle_document(const struct oracle *oracle, const char *generation,
		struct pj_str key);
/* The document that holds a unit's marker; NULL: there is none. */
const struct document *
oracle_unit(const struct oracle *oracle, unsigned lane, size_t log,
	    struct pj_str record_key, int64_t lone_offset,
	    struct row **ret_row);
bool
oracle_row_is_there(const struct oracle *oracle, enum row_kind kind,
		    unsigned lane, size_t log, const struct wait *wait,
		    int64_t offset, const void **ret_content);
/* The marker covers it now, or did at some time, or it was drained at once. */
bool
oracle_is_covered(const struct document *doc, int32_t source, int64_t offset);
bool
oracle_was_covered(const struct oracle *oracle, const struct row *row,
		   int32_t source, int64_t offset);
/* The document holds what its positions say (content.c). */
void
oracle_check_content(struct oracle *oracle, struct lane *lane,
		     struct pj_str key, const struct document *doc);

/* What became of a record that does not wait (any more). */
enum end {
	END_APPLIED,
	END_DISCARDED, /* the audit says so */
	END_UNKNOWN,   /* somebody asked to discard it; the audit is silent */
};
enum end
oracle_end_of(const struct oracle *oracle, unsigned lane, size_t log,
	      const struct wait *wait, int64_t offset);

#endif
