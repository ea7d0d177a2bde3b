/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line per event on stderr, logfmt or JSON.
 *
 *	log_info("batch.written", "docs=%zu ms=%" PRIu64, n, ms);
 *	ts=2026-01-02T03:04:05.678Z level=info prog=projector \
 *		event=batch.written docs=…
 *
 * The fields are logfmt: space-separated name=value; a foreign string goes
 * through log_quote() first. Stages and lib/ do not log; programs do, once per
 * error.
 *
 * Thread: any. A line is written by one write(2).
 * Limits: a line is cut at 2048 bytes.
 */
#ifndef LIB_LOG_H
#define LIB_LOG_H

#include <stdbool.h>
#include <stddef.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_LOGFMT, LOG_JSON };

/* Call once, before threads start. */
void
log_setup(const char *prog, enum log_level level, enum log_format format);
bool
log_enabled(enum log_level level);

void
log_line(enum log_level level, const char *event, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * A line would have to wait for whoever reads stderr. For those who must not
 * wait; another thread's line may come in between.
 */
bool
log_is_blocked(void);

#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)
#define log_info(...)  log_line(LOG_INFO, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)

/*
 * Writes s as a logfmt value into out: as it is when it is plain, else in
 * double quotes with \" \\ \n \u00NN escapes (bytes that are no UTF-8 too).
 * Cut to fit, at a whole character. Returns out.
 */
const char *
log_quote(char *out, size_t size, const char *s, size_t len);

/*
 * At most one line per `every_ms` per gate; *ret_missed tells how many were
 * held back since the last. Thread: one gate, one thread.
 */
struct log_gate {
	long long next_mono_ms;
	unsigned long missed;
};
bool
log_gate_open(struct log_gate *gate, long long every_ms,
	      unsigned long *ret_missed);

#endif
