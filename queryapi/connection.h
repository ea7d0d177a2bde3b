/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One client connection: bytes in, requests answered in order, bytes out.
 *
 * One request is worked on at a time; what a client pipelines behind it waits
 * in the input buffer, which has an upper mark. While the store works the
 * socket is still read, so a client that hangs up is noticed and its fetch is
 * abandoned. (A client that closes its sending side only looks the same: it
 * has hung up.)
 *
 * At every moment exactly one phase with one deadline applies; none is moved
 * by a client's trickling.
 *
 * Thread: the loop.
 */
#ifndef QUERYAPI_CONNECTION_H
#define QUERYAPI_CONNECTION_H

#include "queryapi/admission.h"
#include "queryapi/fetch.h"
#include "queryapi/gather.h"
#include "queryapi/watchers.h"

struct connection;

/* Takes the socket. why: not ADMISSION_OK = tells the client 503 and closes. */
void
connection_open(struct loop *lp, int fd, const struct admission_address *addr,
		enum admission_result why);
/* A fetch came back: answers, when somebody waits; frees the fetch. */
void
connection_complete(struct fetch *fetch);
/* Everything a request waited for is there: answers. */
void
connection_gathered(struct gather *gat);
/* A watch rang, and is out. */
void
connection_rung(struct watch *watch);
/* The store is away: whoever waits for it is told. */
void
connection_fail_waiting(struct loop *lp);
/* The loop stops: idle connections end, others behind their answer. */
void
connection_stop_all(struct loop *lp);
/* The stop took too long: all end now. */
void
connection_drop_all(struct loop *lp);

#endif
