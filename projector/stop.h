/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SIGTERM and SIGINT: the first asks for a clean end and bounds it, the second
 * ends the process at once.
 *
 * Nine seconds after the first one the process ends by _exit() whatever hangs:
 * a store call, a broker, a disk, a fold. Both ends are safe: everything
 * unsaved is replayed. They count against no record, but for one that kept the
 * process from ending all the time (ledger.h).
 */
#ifndef PROJECTOR_STOP_H
#define PROJECTOR_STOP_H

#include <projector/error.h>

#include <stdatomic.h>

/* Non-zero: asked. Any thread may look. */
extern atomic_int stop_requested;

/*
 * Installs the handlers and ignores SIGPIPE; once, after log_setup(), before
 * other threads start. cut_status: the exit status at the deadline. Errors:
 * FATAL (no thread).
 */
int
stop_install(int cut_status, struct pj_error *err)
	__attribute__((warn_unused_result));

#endif
