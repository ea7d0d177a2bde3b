/* SPDX-License-Identifier: Apache-2.0 */
/* A stage of one view whose documents' keys are not the records' keys. */
#ifndef TESTS_COMPONENT_SPREAD_STAGE_H
#define TESTS_COMPONENT_SPREAD_STAGE_H

#include "tests/component/core_stage.h"

static struct stage stage;
static struct lane *spread;

static inline int
open_stage(void **state)
{
	stage_open(&stage);
	spread = stage_lane(&stage, &spread_projection);
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
undecodable(struct stage *st, int64_t offset)
{
	assert_true(st->n_undecodable < COUNT(st->undecodable));
	st->undecodable[st->n_undecodable++] = offset;
}

#endif
