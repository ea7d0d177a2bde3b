/* SPDX-License-Identifier: Apache-2.0 */
/*
 * C11 threads made of POSIX threads, for ThreadSanitizer: it knows only the
 * latter. Debian's librdkafka uses the former; a thread it starts behind the
 * sanitizer's back crashes in the first instrumented callback, and its locks
 * would order nothing.
 *
 * Linked into every program of VARIANT=tsan; the loader finds these before
 * libc's. Objects are libc's own: both kinds share one representation there,
 * and what this file does not define (thrd_current, …) stays libc's.
 */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <threads.h>

static_assert(sizeof(mtx_t) == sizeof(pthread_mutex_t), "glibc");
static_assert(sizeof(cnd_t) == sizeof(pthread_cond_t), "glibc");
static_assert(sizeof(once_flag) == sizeof(pthread_once_t), "glibc");
static_assert(sizeof(thrd_t) == sizeof(pthread_t), "glibc");

#pragma GCC visibility push(default)

struct start {
	thrd_start_t run;
	void *arg;
};

static int
result(int rc)
{
	return rc == 0		 ? thrd_success
	       : rc == ETIMEDOUT ? thrd_timedout
	       : rc == EBUSY	 ? thrd_busy
	       : rc == ENOMEM	 ? thrd_nomem
				 : thrd_error;
}

static void *
run(void *arg)
{
	struct start start = *(struct start *)arg;

	free(arg);
	return (void *)(intptr_t)start.run(start.arg);
}

int
thrd_create(thrd_t *ret_thread, thrd_start_t func, void *arg)
{
	struct start *start = malloc(sizeof(*start));
	int rc;

	if (!start)
		return thrd_nomem;
	*start = (struct start){func, arg};
	rc = pthread_create((pthread_t *)ret_thread, NULL, run, start);
	if (rc != 0)
		free(start);
	return result(rc);
}

int
thrd_join(thrd_t thread, int *ret_value)
{
	void *value;
	int rc = pthread_join(thread, &value);

	if (rc == 0 && ret_value)
		*ret_value = (int)(intptr_t)value;
	return result(rc);
}

int
thrd_detach(thrd_t thread)
{
	return result(pthread_detach(thread));
}

int
mtx_init(mtx_t *mtx, int type)
{
	pthread_mutexattr_t attr;
	int rc;

	(void)pthread_mutexattr_init(&attr);
	if (type & mtx_recursive)
		(void)pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
	rc = pthread_mutex_init((pthread_mutex_t *)mtx, &attr);
	(void)pthread_mutexattr_destroy(&attr);
	return result(rc);
}

int
mtx_lock(mtx_t *mtx)
{
	return result(pthread_mutex_lock((pthread_mutex_t *)mtx));
}

int
mtx_trylock(mtx_t *mtx)
{
	return result(pthread_mutex_trylock((pthread_mutex_t *)mtx));
}

int
mtx_unlock(mtx_t *mtx)
{
	return result(pthread_mutex_unlock((pthread_mutex_t *)mtx));
}

void
mtx_destroy(mtx_t *mtx)
{
	(void)pthread_mutex_destroy((pthread_mutex_t *)mtx);
}

int
cnd_init(cnd_t *cond)
{
	return result(pthread_cond_init((pthread_cond_t *)cond, NULL));
}

int
cnd_signal(cnd_t *cond)
{
	return result(pthread_cond_signal((pthread_cond_t *)cond));
}

int
cnd_broadcast(cnd_t *cond)
{
	return result(pthread_cond_broadcast((pthread_cond_t *)cond));
}

int
cnd_wait(cnd_t *cond, mtx_t *mtx)
{
	return result(pthread_cond_wait((pthread_cond_t *)cond,
					(pthread_mutex_t *)mtx));
}

int
cnd_timedwait(cnd_t *restrict cond, mtx_t *restrict mtx,
	      const struct timespec *restrict until)
{
	return result(pthread_cond_timedwait((pthread_cond_t *)cond,
					     (pthread_mutex_t *)mtx, until));
}

void
cnd_destroy(cnd_t *cond)
{
	(void)pthread_cond_destroy((pthread_cond_t *)cond);
}

void
call_once(once_flag *flag, void (*func)(void))
{
	(void)pthread_once((pthread_once_t *)flag, func);
}

#pragma GCC visibility pop
