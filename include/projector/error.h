/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What went wrong, and who has to act: the one error shape of the project.
 *
 * A fallible function returns 0, or -1 with *err filled; outputs are left
 * untouched on failure. The text is complete enough to print alone: it names
 * the thing ("stock/3@120934", "shopview.conf:12"), never ends in a newline
 * and holds no secret.
 *
 * Ownership: the caller owns the struct; nothing in it is allocated.
 * Thread: a struct belongs to the thread that passed it.
 * Limits: text is cut at PJ_ERROR_TEXT - 1 bytes, on a UTF-8 boundary.
 */
#ifndef PROJECTOR_ERROR_H
#define PROJECTOR_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

#define PJ_ERROR_TEXT 320

/* Each class is one action; projector/pipeline.c and main.c map them. */
enum pj_error_class {
	PJ_ERROR_NONE = 0,
	PJ_ERROR_INPUT,	 /* this record is at fault: park it, go on */
	PJ_ERROR_RETRY,	 /* an outage: pause, back off, try the same again */
	PJ_ERROR_CONFIG, /* the configuration is at fault: exit 78 */
	PJ_ERROR_STOP,	 /* a named stop: a person has to decide, exit 65 */
	PJ_ERROR_FATAL,	 /* anything else: log, exit 1, be restarted */
};

struct pj_error {
	enum pj_error_class cls;
	int code; /* library's own code, or 0 */
	char text[PJ_ERROR_TEXT];
};

/* Fills *err and returns -1, so that `return pj_error_set(...)` reads well. */
int
pj_error_set(struct pj_error *err, enum pj_error_class cls, const char *fmt,
	     ...) __attribute__((format(printf, 3, 4)));

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
