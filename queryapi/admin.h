/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The admin listener: /livez, /readyz, /metrics, /status and a page that plots
 * them. evhttp is good enough here: few, trusted clients, nothing to be fast.
 *
 * Thread: its own; it only reads what others publish.
 */
#ifndef QUERYAPI_ADMIN_H
#define QUERYAPI_ADMIN_H

#include <projector/error.h>

#include <stddef.h>

#include "queryapi/loop.h"

struct admin;

/* Takes *fd (set to -1). What is borrowed lives until admin_stop(). */
int
admin_start(struct loop_shared *shared, const struct loop *loops,
	    size_t n_loops, int *fd, struct admin **ret_adm,
	    struct pj_error *err) __attribute__((warn_unused_result));
void
admin_stop(struct admin *adm);

#endif
