/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SIGTERM and SIGINT: the first asks for a bounded, clean end, the second ends
 * the process at once (safe: everything unsaved is replayed).
 */
#ifndef PROJECTOR_STOP_H
#define PROJECTOR_STOP_H

#include <signal.h>

extern volatile sig_atomic_t stop_requested;

/* Installs the handlers and ignores SIGPIPE; before threads start. */
void
stop_install(void);

#endif
