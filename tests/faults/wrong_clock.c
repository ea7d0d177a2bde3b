/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A wall clock that is wrong and steps, for one process (LD_PRELOAD).
 *
 * The file that WRONG_CLOCK names holds the seconds to add, as an int64;
 * writing it is a step. The monotonic clock stays true. Waits until a wall time
 * end when the wrong clock gets there, as in the kernel: a step forward ends
 * them, one back prolongs them. (libfaketime does not know C11's
 * cnd_timedwait(), which librdkafka waits in.)
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

static const long SLICE_NS = 20 * 1000 * 1000;
static const long SECOND_NS = 1000 * 1000 * 1000;
/* No machine has been up for so long: below, it is a monotonic time. */
static const time_t WALL_FROM_S = 1000 * 1000 * 1000;

static volatile int64_t *skew_s;
static int (*true_gettime)(clockid_t, struct timespec *);
static int (*true_cond)(pthread_cond_t *, pthread_mutex_t *,
			const struct timespec *);
static int (*true_cnd)(cnd_t *, mtx_t *, const struct timespec *);

static void
setup(void)
{
	static int64_t none;
	const char *path = getenv("WRONG_CLOCK");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *map = MAP_FAILED;

	*(void **)&true_gettime = dlsym(RTLD_NEXT, "clock_gettime");
	*(void **)&true_cond =
		dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
	*(void **)&true_cnd = dlsym(RTLD_NEXT, "cnd_timedwait");
	if (fd >= 0) {
		map = mmap(NULL, sizeof(*skew_s), PROT_READ, MAP_SHARED, fd, 0);
		(void)close(fd);
	}
	skew_s = map == MAP_FAILED ? &none : map;
}

int
clock_gettime(clockid_t clock, struct timespec *ts)
{
	int rc;

	if (!skew_s)
		setup();
	rc = true_gettime(clock, ts);
	if (rc == 0 &&
	    (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		ts->tv_sec += *skew_s;
	return rc;
}

int
gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	struct timespec ts;

	(void)zone;
	(void)clock_gettime(CLOCK_REALTIME, &ts);
	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = ts.tv_nsec / 1000;
	return 0;
}

time_t
time(time_t *out)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	if (out)
		*out = ts.tv_sec;
	return ts.tv_sec;
}

int
timespec_get(struct timespec *ts, int base)
{
	return clock_gettime(CLOCK_REALTIME, ts) ? 0 : base;
}

/* The true end of the next slice of a wait; 0 when the wait is over. */
static int
next_slice(const struct timespec *end, struct timespec *ret_true)
{
	struct timespec now;
	int64_t left_ns;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	if (end->tv_sec - now.tv_sec > 3600 * 24 * 365)
		left_ns = SLICE_NS;
	else
		left_ns = (end->tv_sec - now.tv_sec) * SECOND_NS +
			  end->tv_nsec - now.tv_nsec;
	if (left_ns <= 0)
		return 0;
	(void)true_gettime(CLOCK_REALTIME, ret_true);
	ret_true->tv_nsec += left_ns < SLICE_NS ? left_ns : SLICE_NS;
	if (ret_true->tv_nsec >= SECOND_NS) {
		ret_true->tv_nsec -= SECOND_NS;
		ret_true->tv_sec++;
	}
	return 1;
}

int
pthread_cond_timedwait(pthread_cond_t *restrict cond,
		       pthread_mutex_t *restrict lock,
		       const struct timespec *restrict end)
{
	struct timespec slice;
	int rc;

	if (!skew_s)
		setup();
	if (end->tv_sec < WALL_FROM_S)
		return true_cond(cond, lock, end);
	while (next_slice(end, &slice)) {
		rc = true_cond(cond, lock, &slice);
		if (rc != ETIMEDOUT)
			return rc;
	}
	return ETIMEDOUT;
}

int
cnd_timedwait(cnd_t *restrict cond, mtx_t *restrict lock,
	      const struct timespec *restrict end)
{
	struct timespec slice;
	int rc;

	if (!skew_s)
		setup();
	while (next_slice(end, &slice)) {
		rc = true_cnd(cond, lock, &slice);
		if (rc != thrd_timedout)
			return rc;
	}
	return thrd_timedout;
}
