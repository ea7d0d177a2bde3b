/* SPDX-License-Identifier: Apache-2.0 */
#include "queryapi/admission.h"

#include <assert.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"

enum { BUCKETS = 1024 };

struct client {
	struct admission_address addr;
	uint32_t n;
	struct client *next;
};

struct admission {
	pthread_mutex_t lock; /* all below */
	uint32_t max, max_per_address, n;
	struct client *buckets[BUCKETS];
};

struct admission *
admission_new(uint32_t max_connections, uint32_t max_per_address)
{
	struct admission *adm = mem_calloc(1, sizeof(*adm));

	(void)pthread_mutex_init(&adm->lock, NULL);
	adm->max = max_connections;
	adm->max_per_address = max_per_address;
	return adm;
}

void
admission_free(struct admission *adm)
{
	if (!adm)
		return;
	for (size_t i = 0; i < BUCKETS; i++) {
		while (adm->buckets[i]) {
			struct client *c = adm->buckets[i];

			adm->buckets[i] = c->next;
			free(c);
		}
	}
	(void)pthread_mutex_destroy(&adm->lock);
	free(adm);
}

void
admission_address_of(const struct sockaddr *sa,
		     struct admission_address *ret_address)
{
	memset(ret_address, 0, sizeof(*ret_address));
	if (sa->sa_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, sa, sizeof(in));
		ret_address->bytes[0] = 4;
		memcpy(ret_address->bytes + 12, &in.sin_addr, 4);
	} else if (sa->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, sa, sizeof(in6));
		if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr)) {
			ret_address->bytes[0] = 4;
			memcpy(ret_address->bytes + 12,
			       in6.sin6_addr.s6_addr + 12, 4);
		} else {
			memcpy(ret_address->bytes, in6.sin6_addr.s6_addr, 8);
		}
	}
}

static struct client **
find(struct admission *adm, const struct admission_address *addr)
{
	uint32_t hash = 2166136261u;
	struct client **at;

	for (size_t i = 0; i < sizeof(addr->bytes); i++)
		hash = (hash ^ addr->bytes[i]) * 16777619u;
	at = &adm->buckets[hash % BUCKETS];
	while (*at && memcmp(&(*at)->addr, addr, sizeof(*addr)) != 0)
		at = &(*at)->next;
	return at;
}

enum admission_result
admission_enter(struct admission *adm, const struct admission_address *addr)
{
	enum admission_result result = ADMISSION_OK;
	struct client **at;

	(void)pthread_mutex_lock(&adm->lock);
	at = find(adm, addr);
	if (adm->n >= adm->max) {
		result = ADMISSION_FULL;
	} else if (*at && (*at)->n >= adm->max_per_address) {
		result = ADMISSION_ADDRESS;
	} else {
		if (!*at) {
			*at = mem_calloc(1, sizeof(**at));
			(*at)->addr = *addr;
		}
		(*at)->n++;
		adm->n++;
	}
	(void)pthread_mutex_unlock(&adm->lock);
	return result;
}

void
admission_leave(struct admission *adm, const struct admission_address *addr)
{
	struct client **at, *gone;

	(void)pthread_mutex_lock(&adm->lock);
	at = find(adm, addr);
	assert(*at && adm->n > 0);
	adm->n--;
	if (--(*at)->n == 0) {
		gone = *at;
		*at = gone->next;
		free(gone);
	}
	(void)pthread_mutex_unlock(&adm->lock);
}
