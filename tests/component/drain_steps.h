/* SPDX-License-Identifier: Apache-2.0 */
/* A document with a parked queue, and what its drain begins with. */
#ifndef TESTS_COMPONENT_DRAIN_STEPS_H
#define TESTS_COMPONENT_DRAIN_STEPS_H

#include "tests/component/core_stage.h"

static struct stage stage;
static struct lane *keyed;

static inline int
open_stage(void **state)
{
	stage_open(&stage);
	keyed = stage_lane(&stage, &keyed_projection);
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

/* 1 is applied, 5 is refused, 2 and 3 wait behind it. */
static inline void
park_three(struct stage *st)
{
	refuse_number(5);
	feed(st, STEPS, 0, "a", 1, "");
	feed(st, STEPS, 1, "a", 5, "");
	feed(st, STEPS, 2, "a", 2, "");
	feed(st, STEPS, 3, "a", 3, "");
	settle(st);
	assert_queue("keyed.1", "a", STEPS, 1, 3, 3);
	assert_int_equal(stored(keyed, "a", "_steps"), 1);
	assert_int_equal(scripted.n_rows, 3);
}

static inline bool
retry(struct stage *st)
{
	return request(st, keyed, STEPS, "retry", "document", "a", 1);
}

static inline struct job *
next_rows(struct stage *st)
{
	struct job *job;

	while ((job = next(st)) && job->kind != JOB_ROWS)
		finish(st, job, FINE);
	return job;
}

#endif
