/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that want the same of one store at the same moment. */
#ifndef TESTS_STORE_RACE_H
#define TESTS_STORE_RACE_H

#include "tests/support/store_fixture.h"

#include <pthread.h>

enum { RACERS = 8, RACE_SOURCES = 12 };

struct racer {
	pthread_t thread;
	struct store_session *ses;
	int32_t indexes[RACE_SOURCES];
	int rank, failed;
	bool moved;
	pthread_barrier_t *together;
	struct pj_error err;
};

static void
race(struct fixture *fx, struct racer *racers, int n, void *(*run)(void *))
{
	pthread_barrier_t together;
	int i;

	assert_int_equal(pthread_barrier_init(&together, NULL, (unsigned)n), 0);
	for (i = 0; i < n; i++) {
		racers[i].rank = i;
		racers[i].together = &together;
		racers[i].ses = fixture_session(fx);
	}
	for (i = 0; i < n; i++)
		assert_int_equal(pthread_create(&racers[i].thread, NULL, run,
						&racers[i]),
				 0);
	for (i = 0; i < n; i++)
		assert_int_equal(pthread_join(racers[i].thread, NULL), 0);
	for (i = 0; i < n; i++) {
		store_session_close(racers[i].ses);
		if (racers[i].failed)
			fail_msg("%s", racers[i].err.text);
	}
	pthread_barrier_destroy(&together);
}

#endif
