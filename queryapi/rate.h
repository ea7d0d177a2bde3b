/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often somebody may ask: token buckets.
 *
 * A bucket holds as many requests as it gets per second; kept as the one time
 * at which it will be full again (the generic cell rate algorithm), so that
 * nothing has to run for it.
 *
 * Memory is bounded: of client addresses RATE_CLIENTS are remembered; the one
 * whose bucket is fullest makes room, which forgives it least.
 *
 * Thread: any. Locks: one per shard of the addresses, leaves.
 */
#ifndef QUERYAPI_RATE_H
#define QUERYAPI_RATE_H

#include <stdatomic.h>
#include <stdint.h>

#include "queryapi/admission.h"

enum { RATE_CLIENTS = 1 << 16 };

struct rate_bucket {
	_Atomic int64_t full_at_ns; /* 0: never used */
};

/* 0: taken; else the nanoseconds until one may be taken. per_s 0: no limit. */
int64_t
rate_take(struct rate_bucket *bucket, uint32_t per_s, int64_t now_ns);

struct rate_addresses;

/* per_s 0: NULL, which takes everything and keeps nothing. */
struct rate_addresses *
rate_addresses_new(uint32_t per_s);
void
rate_addresses_free(struct rate_addresses *rates);
int64_t
rate_addresses_take(struct rate_addresses *rates,
		    const struct admission_address *addr, int64_t now_ns);

/* Monotonic. */
int64_t
rate_now_ns(void);

#endif
