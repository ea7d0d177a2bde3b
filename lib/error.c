/* SPDX-License-Identifier: Apache-2.0 */
#include <projector/error.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/utf8.h"

int
pj_error_set(struct pj_error *err, enum pj_error_class cls, const char *fmt,
	     ...)
{
	char text[PJ_ERROR_TEXT];
	va_list ap;
	int len;

	/* Formatted aside: err->text may be one of the arguments. */
	va_start(ap, fmt);
	len = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (len < 0)
		text[0] = '\0'; /* what was written is unspecified */
	else if ((size_t)len >= sizeof(text))
		text[utf8_trim(text, sizeof(text) - 1)] = '\0';
	err->cls = cls;
	err->code = 0;
	memcpy(err->text, text, strlen(text) + 1);
	return -1;
}
