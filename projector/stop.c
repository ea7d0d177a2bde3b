/* SPDX-License-Identifier: Apache-2.0 */
#include "projector/stop.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/log.h"
#include "projector/ledger.h"

/* A supervisor's usual ten seconds, and room for what is below us. */
enum { CUT_AFTER_S = 9 };

atomic_int stop_requested;

static struct {
	sem_t asked;
	int cut_status;
} stop;

static void
on_signal(int number)
{
	int kept = errno;

	if (stop_requested) {
		ledger_absolve();
		_exit(128 + number);
	}
	stop_requested = 1;
	ledger_mark();
	(void)sem_post(&stop.asked);
	errno = kept;
}

/* A thread, not SIGALRM: it may write a log line as any other. */
static void *
stop_main(void *arg)
{
	struct timespec end;

	(void)arg;
	while (sem_wait(&stop.asked))
		; /* interrupted */
	(void)clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += CUT_AFTER_S;
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL))
		; /* interrupted */
	ledger_absolve();
	if (!log_is_blocked())
		log_warn("stop.cut",
			 "after_s=%d note=\"something hangs, what is not saved "
			 "is replayed at the next start\"",
			 CUT_AFTER_S);
	_exit(stop.cut_status);
}

static int
start_thread(void)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, before;
	int rc;

	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	/* The handler runs on threads that have something to interrupt. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&thread, &attr, stop_main, NULL);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	(void)pthread_attr_destroy(&attr);
	return rc;
}

int
stop_install(int cut_status, struct pj_error *err)
{
	struct sigaction action;
	int rc;

	stop.cut_status = cut_status;
	rc = sem_init(&stop.asked, 0, 0) ? errno : start_thread();
	if (rc)
		return pj_error_set(err, PJ_ERROR_FATAL,
				    "cannot start the stop thread: %s",
				    strerror(rc));
	memset(&action, 0, sizeof(action));
	action.sa_handler = on_signal;
	(void)sigemptyset(&action.sa_mask);
	(void)sigaction(SIGTERM, &action, NULL);
	(void)sigaction(SIGINT, &action, NULL);
	action.sa_handler = SIG_IGN;
	(void)sigaction(SIGPIPE, &action, NULL);
	return 0;
}
