/* SPDX-License-Identifier: Apache-2.0 */
#include "projector/stop.h"

#include <string.h>
#include <unistd.h>

volatile sig_atomic_t stop_requested;

static void
on_signal(int number)
{
	if (stop_requested)
		_exit(128 + number);
	stop_requested = 1;
}

void
stop_install(void)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_handler = on_signal;
	(void)sigemptyset(&action.sa_mask);
	(void)sigaction(SIGTERM, &action, NULL);
	(void)sigaction(SIGINT, &action, NULL);
	action.sa_handler = SIG_IGN;
	(void)sigaction(SIGPIPE, &action, NULL);
}
