/* SPDX-License-Identifier: Apache-2.0 */
#include "projector/watchdog.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/mem.h"

enum {
	LOOKS = 10, /* within the budget: it is passed by a tenth at most */
	LOOK_MIN_MS = 2,
	LOOK_MAX_MS = 1000,
	STOOD_FACTOR = 10,
};

struct watchdog {
	const struct ledger *led;
	int64_t cpu_ms;
	int64_t look_ms;
	clockid_t cpu; /* of the watched thread */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stopping; /* lock */

	/* The thread's own. */
	uint64_t seq;	     /* of the record that is looked at */
	int64_t seq_cpu_ms;  /* the watched thread's, when first seen */
	int64_t seq_wall_ms; /* since then, as far as this thread ran */
	int64_t look_mono_ms;
};

/* A core file of a process this large helps nobody: the line says it all. */
static void
end_process(void)
{
	const struct rlimit none = {0, 0};

	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0);
	(void)signal(SIGABRT, SIG_DFL);
	abort();
}

static void
accuse(const struct watchdog *dog, int64_t cpu_ms)
{
	struct ledger_entry e;

	/* It came to its end after all. */
	if (!ledger_read(dog->led, dog->seq, &e))
		return;
	if (!log_is_blocked())
		log_error("record.endless",
			  "generation=%s at=%s/%" PRId32 "@%" PRId64
			  " cpu_ms=%" PRId64 " wall_ms=%" PRId64
			  " limit_ms=%" PRId64
			  " note=\"the process ends, and the record is parked "
			  "when it did that projector.crash_limit times\"",
			  *e.generation ? e.generation : "-", e.topic,
			  e.partition, e.offset, cpu_ms, dog->seq_wall_ms,
			  dog->cpu_ms);
	ledger_accuse(dog->led);
	end_process();
}

static void
look(struct watchdog *dog)
{
	uint64_t seq = ledger_seq(dog->led);
	int64_t cpu = clock_read_ms(dog->cpu), now = clock_mono_ms();
	int64_t passed = now - dog->look_mono_ms;

	dog->look_mono_ms = now;
	if (!(seq & 1) || seq != dog->seq) {
		dog->seq = seq;
		dog->seq_cpu_ms = cpu;
		dog->seq_wall_ms = 0;
		return;
	}
	dog->seq_wall_ms +=
		passed < 2 * dog->look_ms ? passed : 2 * dog->look_ms;
	if (cpu - dog->seq_cpu_ms > dog->cpu_ms ||
	    dog->seq_wall_ms > STOOD_FACTOR * dog->cpu_ms)
		accuse(dog, cpu - dog->seq_cpu_ms);
}

static void
wait_until(struct watchdog *dog, int64_t mono_ms)
{
	struct timespec ts = {mono_ms / 1000, (long)(mono_ms % 1000) * 1000000};

	while (!dog->stopping &&
	       pthread_cond_timedwait(&dog->wake, &dog->lock, &ts) == 0)
		; /* woken without a reason */
}

static void *
watchdog_main(void *arg)
{
	struct watchdog *dog = arg;

	(void)pthread_mutex_lock(&dog->lock);
	while (!dog->stopping) {
		look(dog);
		wait_until(dog, dog->look_mono_ms + dog->look_ms);
	}
	(void)pthread_mutex_unlock(&dog->lock);
	return NULL;
}

int
watchdog_start(const struct ledger *led, uint32_t cpu_ms,
	       struct watchdog **ret_dog, struct pj_error *err)
{
	struct watchdog *dog = mem_calloc(1, sizeof(*dog));
	pthread_condattr_t mono;
	sigset_t all, before;
	int rc;

	dog->led = led;
	dog->cpu_ms = cpu_ms;
	dog->look_ms = dog->cpu_ms / LOOKS;
	if (dog->look_ms < LOOK_MIN_MS)
		dog->look_ms = LOOK_MIN_MS;
	if (dog->look_ms > LOOK_MAX_MS)
		dog->look_ms = LOOK_MAX_MS;
	dog->look_mono_ms = clock_mono_ms();
	(void)pthread_mutex_init(&dog->lock, NULL);
	(void)pthread_condattr_init(&mono);
	(void)pthread_condattr_setclock(&mono, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&dog->wake, &mono);
	(void)pthread_condattr_destroy(&mono);
	rc = pthread_getcpuclockid(pthread_self(), &dog->cpu);
	/* Signals are the other threads'. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	if (rc == 0)
		rc = pthread_create(&dog->thread, NULL, watchdog_main, dog);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc) {
		(void)pthread_cond_destroy(&dog->wake);
		(void)pthread_mutex_destroy(&dog->lock);
		free(dog);
		return pj_error_set(err, PJ_ERROR_FATAL,
				    "cannot start the watchdog: %s",
				    strerror(rc));
	}
	*ret_dog = dog;
	return 0;
}

void
watchdog_stop(struct watchdog *dog)
{
	if (!dog)
		return;
	(void)pthread_mutex_lock(&dog->lock);
	dog->stopping = true;
	(void)pthread_cond_signal(&dog->wake);
	(void)pthread_mutex_unlock(&dog->lock);
	(void)pthread_join(dog->thread, NULL);
	(void)pthread_cond_destroy(&dog->wake);
	(void)pthread_mutex_destroy(&dog->lock);
	free(dog);
}
