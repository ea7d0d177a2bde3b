/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/queue.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "lib/mem.h"

struct queue {
	pthread_mutex_t lock;
	pthread_cond_t not_empty;
	pthread_cond_t not_full;
	void **items;
	size_t cap, head, len;
	bool closed;
};

struct queue *
queue_new(size_t cap)
{
	struct queue *q = mem_calloc(1, sizeof(*q));
	pthread_condattr_t attr;

	q->items = mem_calloc(cap, sizeof(*q->items));
	q->cap = cap;
	(void)pthread_mutex_init(&q->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&q->not_empty, &attr);
	(void)pthread_cond_init(&q->not_full, &attr);
	(void)pthread_condattr_destroy(&attr);
	return q;
}

void
queue_free(struct queue *q)
{
	if (!q)
		return;
	(void)pthread_cond_destroy(&q->not_full);
	(void)pthread_cond_destroy(&q->not_empty);
	(void)pthread_mutex_destroy(&q->lock);
	free(q->items);
	free(q);
}

static void
queue_put(struct queue *q, void *item)
{
	q->items[(q->head + q->len++) % q->cap] = item;
	(void)pthread_cond_signal(&q->not_empty);
}

static void *
queue_take(struct queue *q)
{
	void *item;

	if (q->len == 0)
		return NULL;
	item = q->items[q->head];
	q->head = (q->head + 1) % q->cap;
	q->len--;
	(void)pthread_cond_signal(&q->not_full);
	return item;
}

bool
queue_try_push(struct queue *q, void *item)
{
	bool ok;

	(void)pthread_mutex_lock(&q->lock);
	ok = !q->closed && q->len < q->cap;
	if (ok)
		queue_put(q, item);
	(void)pthread_mutex_unlock(&q->lock);
	return ok;
}

bool
queue_push(struct queue *q, void *item)
{
	bool ok;

	(void)pthread_mutex_lock(&q->lock);
	while (!q->closed && q->len == q->cap)
		(void)pthread_cond_wait(&q->not_full, &q->lock);
	ok = !q->closed;
	if (ok)
		queue_put(q, item);
	(void)pthread_mutex_unlock(&q->lock);
	return ok;
}

void *
queue_try_pop(struct queue *q)
{
	void *item;

	(void)pthread_mutex_lock(&q->lock);
	item = queue_take(q);
	(void)pthread_mutex_unlock(&q->lock);
	return item;
}

static struct timespec
queue_deadline(int timeout_ms)
{
	struct timespec at;

	(void)clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_sec += timeout_ms / 1000;
	at.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
	if (at.tv_nsec >= 1000000000) {
		at.tv_sec++;
		at.tv_nsec -= 1000000000;
	}
	return at;
}

void *
queue_pop(struct queue *q, int timeout_ms)
{
	struct timespec at = queue_deadline(timeout_ms < 0 ? 0 : timeout_ms);
	void *item;

	(void)pthread_mutex_lock(&q->lock);
	while (q->len == 0 && !q->closed) {
		if (timeout_ms < 0)
			(void)pthread_cond_wait(&q->not_empty, &q->lock);
		else if (pthread_cond_timedwait(&q->not_empty, &q->lock, &at))
			break;
	}
	item = queue_take(q);
	(void)pthread_mutex_unlock(&q->lock);
	return item;
}

void
queue_close(struct queue *q)
{
	(void)pthread_mutex_lock(&q->lock);
	q->closed = true;
	(void)pthread_cond_broadcast(&q->not_empty);
	(void)pthread_cond_broadcast(&q->not_full);
	(void)pthread_mutex_unlock(&q->lock);
}

size_t
queue_len(struct queue *q)
{
	size_t len;

	(void)pthread_mutex_lock(&q->lock);
	len = q->len;
	(void)pthread_mutex_unlock(&q->lock);
	return len;
}
