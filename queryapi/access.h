/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One log line per answer, or per N answers: event=access.
 *
 * Neither keys nor parameters nor credentials are in it: a route's template,
 * and a token's name.
 *
 * Thread: a loop; a line that would make it wait is left out and counted.
 */
#ifndef QUERYAPI_ACCESS_H
#define QUERYAPI_ACCESS_H

#include "queryapi/loop.h"
#include "queryapi/trace.h"

/* What was answered. */
struct access {
	const char *method; /* "-": none that could be read */
	const char *token;  /* its name, or NULL */
	const char *request_id;
	const char *trace_id; /* "" = none */
	enum route_id route;
	int status;
	size_t bytes; /* sent: head and body */
	uint64_t us;
};

void
access_note(struct loop *lp, const struct access *acc);

#endif
