/* SPDX-License-Identifier: Apache-2.0 */
#include "queryapi/served.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"

/* A handful of generations live at a time; an old one costs a KB or two. */
struct served_list {
	pthread_mutex_t lock; /* newest; a leaf */
	struct served *newest;
	uint32_t count;
};

struct served_list *
served_list_new(void)
{
	struct served_list *list = mem_calloc(1, sizeof(*list));

	(void)pthread_mutex_init(&list->lock, NULL);
	return list;
}

void
served_list_free(struct served_list *list)
{
	struct served *srv, *older;

	if (!list)
		return;
	for (srv = list->newest; srv; srv = older) {
		older = srv->older;
		for (size_t i = 0; i < SERVED_CHUNKS; i++)
			free(atomic_load(&srv->chunks[i]));
		free(srv);
	}
	(void)pthread_mutex_destroy(&list->lock);
	free(list);
}

static struct served *
served_new(const char *id, uint32_t number, struct served *older)
{
	struct served *srv = mem_calloc(1, sizeof(*srv));
	size_t len = strlen(id);

	memcpy(srv->id, id, len < sizeof(srv->id) ? len : sizeof(srv->id) - 1);
	srv->number = number;
	srv->older = older;
	TAILQ_INIT(&srv->asked);
	TAILQ_INIT(&srv->ahead);
	atomic_init(&srv->since, 0);
	return srv;
}

struct served *
served_find(struct served_list *list, const char *id)
{
	struct served *srv;

	(void)pthread_mutex_lock(&list->lock);
	for (srv = list->newest; srv; srv = srv->older)
		if (strcmp(srv->id, id) == 0)
			break;
	if (!srv)
		srv = list->newest =
			served_new(id, ++list->count, list->newest);
	(void)pthread_mutex_unlock(&list->lock);
	return srv;
}

void
served_list_unfollow(struct served_list *list)
{
	(void)pthread_mutex_lock(&list->lock);
	for (struct served *srv = list->newest; srv; srv = srv->older)
		served_follow(srv, 0);
	(void)pthread_mutex_unlock(&list->lock);
}

/* The feed and the catalog may both be the first. */
static struct served_chunk *
need_chunk(struct served *srv, size_t i)
{
	struct served_chunk *chunk = atomic_load(&srv->chunks[i]);
	struct served_chunk *mine;

	if (chunk)
		return chunk;
	mine = mem_calloc(1, sizeof(*mine));
	if (atomic_compare_exchange_strong(&srv->chunks[i], &chunk, mine))
		return mine;
	free(mine);
	return chunk;
}

bool
served_advance(struct served *srv, int32_t source, int64_t next)
{
	_Atomic int64_t *cell;
	int64_t was;

	if (source < 0 || source >= SERVED_CHUNK * SERVED_CHUNKS)
		return false;
	cell = &need_chunk(srv, (size_t)source / SERVED_CHUNK)
			->next[source % SERVED_CHUNK];
	was = atomic_load(cell);
	while (was < next)
		if (atomic_compare_exchange_weak(cell, &was, next))
			return true;
	return false;
}
