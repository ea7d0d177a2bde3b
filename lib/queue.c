/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/queue.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "lib/clock.h"
#include "lib/mem.h"

struct queue_place {
	void *item;
	int64_t since_mono_ms;
};

struct queue {
	pthread_mutex_t lock;
	pthread_cond_t not_empty;
	pthread_cond_t not_full;
	struct queue_place *places;
	size_t cap, head, len;
	bool closed;
};

struct queue *
queue_new(size_t cap)
{
	struct queue *q = mem_calloc(1, sizeof(*q));
	pthread_condattr_t attr;

	q->places = mem_calloc(cap, sizeof(*q->places));
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
	free(q->places);
	free(q);
}

static void
queue_put(struct queue *q, void *item)
{
	q->places[(q->head + q->len++) % q->cap] =
		(struct queue_place){item, clock_mono_ms()};
	(void)pthread_cond_signal(&q->not_empty);
}

static void *
queue_take(struct queue *q)
{
	void *item;

	if (q->len == 0)
		return NULL;
	item = q->places[q->head].item;
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

int64_t
queue_waited_ms(struct queue *q)
{
	int64_t waited_ms = 0;

	(void)pthread_mutex_lock(&q->lock);
	if (q->len)
		waited_ms = clock_mono_ms() - q->places[q->head].since_mono_ms;
	(void)pthread_mutex_unlock(&q->lock);
	return waited_ms;
}
