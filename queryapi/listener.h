/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listening sockets: "127.0.0.1:8080", "[::1]:0", "localhost:8080".
 */
#ifndef QUERYAPI_LISTENER_H
#define QUERYAPI_LISTENER_H

#include <projector/error.h>

#include <stdbool.h>

enum { LISTENER_ADDRESS_MAX = 72 };

/*
 * Binds and listens, non-blocking, TCP_NODELAY (inherited by what is
 * accepted). Port 0 takes a free one; ret_address is what was really bound.
 * Errors: CONFIG for an address that is none, or that is not loopback when
 * public_ok is false; FATAL when it cannot be bound.
 */
int
listener_open(const char *address, bool public_ok, int *ret_fd,
	      char ret_address[LISTENER_ADDRESS_MAX], struct pj_error *err)
	__attribute__((warn_unused_result));

#endif
