/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The clocks, in milliseconds. Wall time is for people and for event ages;
 * everything that waits or measures uses the monotonic one. Names of wall
 * times end in _at_ms, of monotonic ones in _mono_ms, of the one that also
 * counts a machine's sleep in _boot_ms.
 */
#ifndef LIB_CLOCK_H
#define LIB_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t
clock_read_ms(clockid_t id)
{
	struct timespec ts;

	(void)clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static inline int64_t
clock_mono_ms(void)
{
	return clock_read_ms(CLOCK_MONOTONIC);
}

/* Goes on while the machine sleeps: for what others count on. */
static inline int64_t
clock_boot_ms(void)
{
	return clock_read_ms(CLOCK_BOOTTIME);
}

static inline int64_t
clock_wall_ms(void)
{
	return clock_read_ms(CLOCK_REALTIME);
}

/* Returns early when a signal comes. */
static inline void
clock_sleep_ms(int ms)
{
	struct timespec ts = {ms / 1000, (long)(ms % 1000) * 1000000};

	(void)nanosleep(&ts, NULL);
}

#endif
