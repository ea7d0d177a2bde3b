/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many connections there may be: in all, and per client address (IPv6: per
 * /64, which is what one client has).
 *
 * Thread: any; one mutex, a leaf.
 */
#ifndef QUERYAPI_ADMISSION_H
#define QUERYAPI_ADMISSION_H

#include <stdint.h>
#include <sys/socket.h>

enum admission_result {
	ADMISSION_OK,
	ADMISSION_FULL,	   /* the global limit */
	ADMISSION_ADDRESS, /* this address has its share */
};

/* A client address as it is counted. */
struct admission_address {
	uint8_t bytes[16];
};

struct admission;

struct admission *
admission_new(uint32_t max_connections, uint32_t max_per_address);
void
admission_free(struct admission *adm);

void
admission_address_of(const struct sockaddr *sa,
		     struct admission_address *ret_address);

/* OK: counted, to be given back by admission_leave(). */
enum admission_result
admission_enter(struct admission *adm, const struct admission_address *addr);
void
admission_leave(struct admission *adm, const struct admission_address *addr);

#endif
