/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a document holds, at any time: exactly the records that its positions
 * say. Where nobody retries or discards that can be told from the log alone.
 */
#include <string.h>

#include "tests/sim/oracle_impl.h"
#include "tests/sim/tell.h"

/* Every so many versions; what stays wrong is seen in the end anyway. */
enum { CONTENT_EVERY = 3 };

/* It waits in the unit of its key for good. */
static bool
is_captured(const struct oracle *oracle, size_t log, size_t event,
	    unsigned lane)
{
	const struct view *view = &oracle->views[log][event];

	for (size_t e = 0; e <= event && view->key.len; e++) {
		const struct view *other = &oracle->views[log][e];

		if (other->key.len != view->key.len ||
		    memcmp(other->key.ptr, view->key.ptr, view->key.len) != 0)
			continue;
		for (size_t i = 0; i < other->n; i++)
			if (other->sights[i].lane == lane &&
			    other->sights[i].kind == SIGHT_KEY)
				return true;
	}
	return false;
}

static void
fold_log(struct oracle *oracle, struct truth *t, size_t log, int64_t position)
{
	for (size_t e = 0; e < oracle->w->logs[log].n; e++) {
		const struct view *view = &oracle->views[log][e];

		for (size_t i = 0; i < view->n; i++) {
			const struct sight *s = &view->sights[i];

			if (view->ev->offset > position ||
			    s->lane != t->lane->index ||
			    s->key.len != t->key.len ||
			    memcmp(s->key.ptr, t->key.ptr, s->key.len) != 0 ||
			    is_captured(oracle, log, e, s->lane))
				continue;
			if (s->kind == SIGHT_DOCUMENT ||
			    verdict_parks(truth_fold(t, &oracle->eyes,
						     &oracle->w->logs[log], log,
						     view, s)))
				oracle_broken(oracle, log, view, s->lane,
					      s->key,
					      "its document passed it, it "
					      "cannot be applied");
		}
	}
}

void
oracle_check_content(struct oracle *oracle, struct lane *lane,
		     struct pj_str key, const struct document *doc)
{
	struct world *w = oracle->w;
	struct truth t;

	if (w->rules->requests || w->rules->mends ||
	    oracle->n_contents++ % CONTENT_EVERY)
		return;
	truth_init(&t, lane, key);
	for (size_t l = 0; l < w->n_logs; l++)
		fold_log(oracle, &t, l,
			 document_position(doc, w->logs[l].source));
	if (!document_same_content(doc, document_new(&w->server.arena,
						     (uint8_t *)t.bytes.data,
						     t.bytes.len)))
		broken("%s/%.*s is not what its positions say",
		       lane->generation, (int)key.len, key.ptr);
	truth_release(&t);
	met(MET_CONTENTS);
}
