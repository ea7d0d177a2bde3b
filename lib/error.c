/* SPDX-License-Identifier: Apache-2.0 */
#include <projector/error.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Drops the tail of a UTF-8 sequence that the size limit cut in two. */
static void
error_trim(char *text)
{
	size_t len = strlen(text);
	size_t start = len;
	unsigned char lead;
	size_t need;

	if (len < PJ_ERROR_TEXT - 1)
		return;
	while (start > 0 && ((unsigned char)text[start - 1] & 0xc0) == 0x80)
		start--;
	if (start == 0)
		return;
	lead = (unsigned char)text[--start];
	need = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
	if (len - start < need)
		text[start] = '\0';
}

int
pj_error_set(struct pj_error *err, enum pj_error_class cls, const char *fmt,
	     ...)
{
	char text[PJ_ERROR_TEXT];
	va_list ap;

	/* Formatted aside: err->text may be one of the arguments. */
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	error_trim(text);
	err->cls = cls;
	err->code = 0;
	memcpy(err->text, text, sizeof(text));
	return -1;
}
