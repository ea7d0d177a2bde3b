/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the process says of itself, as texts.
 */
#ifndef QUERYAPI_STATUS_H
#define QUERYAPI_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "queryapi/loop.h"

/* True while every loop has turned within the last 5 s. */
bool
status_is_alive(const struct loop *loops, size_t n);

/* NULL = ready, else why not. Never the projector's lag: a storefront is
 * better off with old documents than with none. */
const char *
status_unready(struct loop_shared *shared, const struct snapshot *snap);

/* /status: one JSON object. */
void
status_write(struct loop_shared *shared, const struct snapshot *snap,
	     int64_t started_mono_ms, struct buf *out);
/* /metrics: what is no counter. */
void
status_metrics(struct loop_shared *shared, const struct snapshot *snap,
	       struct buf *out);

#endif
