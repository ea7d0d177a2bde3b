/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS of the data listener: 1.2 and later (RFC 8996), HTTP/1.1 by ALPN.
 *
 * Certificate and key are files, read again on SIGHUP: what was begun with the
 * old ones goes on, and ones that cannot be used change nothing.
 *
 * Thread: any; one mutex around the context in use, a leaf.
 */
#ifndef QUERYAPI_TLS_H
#define QUERYAPI_TLS_H

#include <projector/error.h>

#include <event2/bufferevent.h>
#include <event2/event.h>

#include "lib/settings.h"

struct tls;

/* 0 and NULL: none is configured. Errors: CONFIG, with file and reason. */
int
tls_new(const struct settings *set, struct tls **ret_tls, struct pj_error *err)
	__attribute__((warn_unused_result));
void
tls_free(struct tls *tls);

/* Errors: CONFIG; the old ones stay in use. */
int
tls_reload(struct tls *tls, struct pj_error *err)
	__attribute__((warn_unused_result));

enum { TLS_DATE_MAX = 32 };
/* Until when the certificate in use is good, "2027-01-31T00:00:00Z". */
void
tls_not_after(struct tls *tls, char out[TLS_DATE_MAX]);

/* Takes the socket; says BEV_EVENT_CONNECTED when hands were shaken. */
struct bufferevent *
tls_accept(struct tls *tls, struct event_base *base, int fd);
/* Says that nothing more comes (close_notify): a client can tell it from a
 * connection that was cut. */
void
tls_goodbye(struct bufferevent *bev);

#endif
