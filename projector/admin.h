/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The projector's admin listener: /livez, /readyz, /metrics, /status and a page
 * that plots them. Few, trusted clients: evhttp is good enough.
 *
 *	/livez   200 while the pipeline ticked within 30 s
 *	/readyz  200 while partitions are read and the store answers; never lag
 *
 * Thread: its own, which only reads figures that were published; the functions
 * here belong to the pipeline thread.
 * Limits: 8 KiB of request head, 4 KiB of body, 5 s without a byte; GET and
 * HEAD. The number of connections is not limited.
 */
#ifndef PROJECTOR_ADMIN_H
#define PROJECTOR_ADMIN_H

#include <projector/error.h>

#include "projector/figures.h"

enum { ADMIN_ADDRESS_MAX = 320 };

struct admin;

/*
 * Listens on "host:port" ("[::1]:8082"; port 0: a free one) and starts the
 * thread; ret_address is where. Errors: RETRY, the address cannot be had.
 */
int
admin_open(const char *address, struct admin **ret_adm,
	   char ret_address[ADMIN_ADDRESS_MAX], struct pj_error *err)
	__attribute__((warn_unused_result));
/* Shows these figures from now on; takes them. */
void
admin_publish_take(struct admin *adm, struct figures *fig);
/* Bounded: answers under way are cut off. NULL is fine. */
void
admin_close(struct admin *adm);

#endif
