/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/json_names.h"

#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "lib/mem.h"
#include "lib/str.h"

void
json_names_init(struct json_names *names)
{
	struct timespec now;

	names->slots = NULL;
	names->cap = 0;
	if (getrandom(names->seed, sizeof(names->seed), GRND_NONBLOCK) ==
	    (ssize_t)sizeof(names->seed))
		return;
	/* Early in boot: the clock and the address have to do. */
	(void)clock_gettime(CLOCK_REALTIME, &now);
	names->seed[0] = (uint64_t)now.tv_nsec << 32 ^ (uint64_t)now.tv_sec;
	names->seed[1] = (uint64_t)(uintptr_t)names;
}

void
json_names_release(struct json_names *names)
{
	free(names->slots);
	names->slots = NULL;
	names->cap = 0;
}

static inline uint64_t
json_names_rotl(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

static inline void
json_names_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = json_names_rotl(v[1], 13) ^ v[0];
	v[3] = json_names_rotl(v[3], 16) ^ v[2];
	v[0] = json_names_rotl(v[0], 32) + v[3];
	v[2] += v[1];
	v[3] = json_names_rotl(v[3], 21) ^ v[0];
	v[1] = json_names_rotl(v[1], 17) ^ v[2];
	v[2] = json_names_rotl(v[2], 32);
}

/* SipHash-1-3. */
static uint64_t
json_names_hash(const uint64_t seed[2], struct pj_str s)
{
	uint64_t v[4] = {seed[0] ^ UINT64_C(0x736f6d6570736575),
			 seed[1] ^ UINT64_C(0x646f72616e646f6d),
			 seed[0] ^ UINT64_C(0x6c7967656e657261),
			 seed[1] ^ UINT64_C(0x7465646279746573)};
	const char *p = s.ptr;
	size_t left = s.len;
	uint64_t w;

	for (; left >= 8; left -= 8, p += 8) {
		memcpy(&w, p, 8);
		v[3] ^= w;
		json_names_round(v);
		v[0] ^= w;
	}
	w = 0;
	memcpy(&w, p, left);
	w |= (uint64_t)s.len << 56;
	v[3] ^= w;
	json_names_round(v);
	v[0] ^= w;
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		json_names_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* An empty table at most half full afterwards: a power of two. */
static size_t
json_names_reset(struct json_names *names, uint32_t count)
{
	size_t size = 64;

	while (size < (size_t)count * 2)
		size *= 2;
	if (names->cap < size) {
		free(names->slots);
		names->slots = mem_calloc(size, sizeof(*names->slots));
		names->cap = size;
	} else {
		memset(names->slots, 0, size * sizeof(*names->slots));
	}
	return size;
}

uint32_t
json_names_repeated(struct json_names *names, const struct json_node *nodes,
		    uint32_t object)
{
	size_t mask = json_names_reset(names, nodes[object].count) - 1;
	uint32_t at = object + 1;

	for (uint32_t i = 0; i < nodes[object].count; i++) {
		uint64_t hash = json_names_hash(names->seed, nodes[at].str);
		uint32_t mark = (uint32_t)(hash >> 32);
		size_t pos = (size_t)hash & mask;
		struct json_names_slot *slot;

		while ((slot = &names->slots[pos])->node) {
			if (slot->hash == mark &&
			    str_equal(nodes[slot->node].str, nodes[at].str))
				return at;
			pos = (pos + 1) & mask;
		}
		slot->hash = mark;
		slot->node = at;
		at = nodes[at + 1].skip;
	}
	return 0;
}
