/* SPDX-License-Identifier: Apache-2.0 */
/* A stage of two projections that read the same, of which one may be stopped.
 */
#ifndef TESTS_COMPONENT_CORE_STOPS_H
#define TESTS_COMPONENT_CORE_STOPS_H

#include "tests/component/core_stage.h"

static struct stage stage;
static struct lane *keyed, *calm;

/* Reads the same, into documents of the same key, and refuses nothing. */
static inline enum pj_fold
calm_fold(const struct pj_options *options, const struct pj_event *ev,
	  struct pj_doc *doc, struct pj_error *err)
{
	(void)options;
	if (pj_event_type(ev) == STEP &&
	    pj_add(pj_doc_root(doc), "count", 1, err))
		return PJ_REJECT;
	return PJ_DONE;
}

static inline int
open_stage(void **state)
{
	static struct pj_projection projection;

	stage_open(&stage);
	keyed = stage_lane(&stage, &keyed_projection);
	projection = keyed_projection;
	projection.name = "calm";
	projection.fold = calm_fold;
	calm = stage_lane(&stage, &projection);
	*state = &stage;
	return 0;
}

static inline int
close_stage(void **state)
{
	(void)state;
	stage_close(&stage);
	return 0;
}

static inline void
assert_stopped(const struct stage *st, const struct lane *lane,
	       const char *where, const char *what)
{
	assert_int_equal(lane->stop.cls, PJ_ERROR_STOP);
	assert_true(st->told_stopped > 0);
	if (!strstr(lane->stop.text, where) || !strstr(lane->stop.text, what))
		fail_msg("%s", lane->stop.text);
}

static inline const struct pj_error *
stopped(struct pj_error *why)
{
	(void)pj_error_set(why, PJ_ERROR_STOP, "stopped");
	return why;
}

#endif
