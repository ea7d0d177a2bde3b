/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ends the process when one record does not come to its end.
 *
 * A thread looks at the ledger's sequence number and at the CPU clock of the
 * thread that keeps it. A record that burns more than cpu_ms of CPU time, or
 * that stands still (it sleeps, it waits for I/O: both forbidden in a fold) for
 * ten times as long, is named in one log line; then abort(), without a core
 * file. The ledger still names the record, so the next start counts it, and
 * after some starts it is parked (crashes.h).
 *
 * CPU time is what makes this safe on a busy machine: a fold that does not get
 * the processor does not use up its time. Time in which this thread did not run
 * either (a stopped or frozen process) does not count as standing still.
 *
 * Ownership: watchdog_stop() frees. Errors: FATAL (no thread).
 * Thread: one of its own; start and stop on the thread that is watched.
 */
#ifndef PROJECTOR_WATCHDOG_H
#define PROJECTOR_WATCHDOG_H

#include <projector/error.h>

#include <stdint.h>

#include "projector/ledger.h"

struct watchdog;

/* Watches the calling thread; led outlives the watchdog. */
int
watchdog_start(const struct ledger *led, uint32_t cpu_ms,
	       struct watchdog **ret_dog, struct pj_error *err)
	__attribute__((warn_unused_result));
void
watchdog_stop(struct watchdog *dog);

#endif
