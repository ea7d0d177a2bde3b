/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SipHash-2-4 (Aumasson and Bernstein, "SipHash: a fast short-input PRF",
 * 2012): a hash that nobody without the key can find collisions of.
 */
#ifndef QUERYAPI_SIPHASH_H
#define QUERYAPI_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct siphash_key {
	uint64_t k0, k1;
};

uint64_t
siphash(const struct siphash_key *key, const void *data, size_t len);

#endif
