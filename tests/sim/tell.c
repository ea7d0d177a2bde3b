/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/tell.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static struct tally own;
struct tally *tally = &own;
bool tell_traced;

void
tell_line(const char *fmt, ...)
{
	va_list ap;

	(void)printf("%5" PRIu64 "  ", tally->step);
	va_start(ap, fmt);
	(void)vprintf(fmt, ap);
	va_end(ap);
	(void)putchar('\n');
}

void
broken(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(tally->why, sizeof(tally->why), fmt, ap);
	va_end(ap);
	if (tell_traced)
		tell_line("BROKEN: %s", tally->why);
	(void)fflush(stdout);
	_exit(3);
}
