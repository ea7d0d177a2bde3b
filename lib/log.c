/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/utf8.h"

enum { LINE_MAX_BYTES = 2048, QUOTED_MAX_BYTES = 1536 };

static const char *log_prog = "shopview";
static enum log_level log_min = LOG_INFO;
static enum log_format log_fmt = LOG_LOGFMT;

void
log_setup(const char *prog, enum log_level level, enum log_format format)
{
	log_prog = prog;
	log_min = level;
	log_fmt = format;
}

bool
log_enabled(enum log_level level)
{
	return level >= log_min;
}

static const char *
log_level_name(enum log_level level)
{
	static const char *const names[] = {"debug", "info", "warn", "error"};

	return names[level];
}

static bool
log_is_plain(const char *s, size_t len)
{
	size_t n;

	for (size_t i = 0; i < len; i += n) {
		unsigned char c = (unsigned char)s[i];

		if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f)
			return false;
		n = utf8_char(s + i, len - i);
		if (n == 0)
			return false;
	}
	return len > 0;
}

/*
 * The character at s as it stands inside quotes: *ret_n bytes go to out, and
 * how many were read is returned.
 */
static size_t
log_escape(char out[8], const char *s, size_t len, size_t *ret_n)
{
	static const char hex[] = "0123456789abcdef";
	unsigned char c = (unsigned char)*s;
	size_t n = utf8_char(s, len);

	*ret_n = 2;
	out[0] = '\\';
	if (c == '"' || c == '\\') {
		out[1] = (char)c;
	} else if (c == '\n') {
		out[1] = 'n';
	} else if (n == 0 || c < ' ' || c == 0x7f) {
		/* \u00NN is an escape in JSON and in logfmt readers alike. */
		out[1] = 'u';
		out[2] = out[3] = '0';
		out[4] = hex[c >> 4];
		out[5] = hex[c & 15];
		*ret_n = 6;
		return 1;
	} else {
		memcpy(out, s, n);
		*ret_n = n;
	}
	return n;
}

/* In double quotes, cut to fit at a whole character. */
static void
log_quote_always(char *out, size_t size, const char *s, size_t len)
{
	size_t used = 0, n, taken;
	char esc[8];

	if (size < 3) {
		if (size)
			out[0] = '\0';
		return;
	}
	out[used++] = '"';
	for (size_t i = 0; i < len; i += taken) {
		taken = log_escape(esc, s + i, len - i, &n);
		if (used + n + 2 > size)
			break;
		memcpy(out + used, esc, n);
		used += n;
	}
	out[used++] = '"';
	out[used] = '\0';
}

const char *
log_quote(char *out, size_t size, const char *s, size_t len)
{
	if (len < size && log_is_plain(s, len)) {
		memcpy(out, s, len);
		out[len] = '\0';
	} else {
		log_quote_always(out, size, s, len);
	}
	return out;
}

static size_t
log_timestamp(char *out, size_t size)
{
	struct timespec now;
	struct tm tm;
	size_t n;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)gmtime_r(&now.tv_sec, &tm);
	n = strftime(out, size, "%Y-%m-%dT%H:%M:%S", &tm);
	n += (size_t)snprintf(out + n, size - n, ".%03ldZ",
			      now.tv_nsec / 1000000);
	return n;
}

static int
log_head(char *line, size_t size, enum log_level level, const char *event,
	 const char *fields)
{
	char ts[40];
	char quoted[QUOTED_MAX_BYTES];

	(void)log_timestamp(ts, sizeof(ts));
	if (log_fmt == LOG_LOGFMT)
		return snprintf(line, size,
				"ts=%s level=%s prog=%s event=%s%s%s", ts,
				log_level_name(level), log_prog, event,
				*fields ? " " : "", fields);
	/* JSON keeps the fields as one logfmt text under "msg". */
	log_quote_always(quoted, sizeof(quoted), fields, strlen(fields));
	return snprintf(line, size,
			"{\"ts\":\"%s\",\"level\":\"%s\",\"prog\":\"%s\","
			"\"event\":\"%s\",\"msg\":%s}",
			ts, log_level_name(level), log_prog, event, quoted);
}

void
log_line(enum log_level level, const char *event, const char *fmt, ...)
{
	char fields[LINE_MAX_BYTES - 256];
	char line[LINE_MAX_BYTES];
	va_list ap;
	int n;

	if (!log_enabled(level))
		return;
	va_start(ap, fmt);
	n = vsnprintf(fields, sizeof(fields), fmt, ap);
	va_end(ap);
	if (n < 0)
		fields[0] = '\0';
	else if ((size_t)n >= sizeof(fields))
		fields[utf8_trim(fields, sizeof(fields) - 1)] = '\0';
	n = log_head(line, sizeof(line) - 1, level, event, fields);
	if (n < 0)
		return;
	if ((size_t)n > sizeof(line) - 2)
		n = (int)utf8_trim(line, sizeof(line) - 2);
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		return; /* nowhere left to say it */
}

bool
log_is_blocked(void)
{
	struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};

	return poll(&out, 1, 0) == 0;
}

bool
log_gate_open(struct log_gate *gate, long long every_ms,
	      unsigned long *ret_missed)
{
	long long now = (long long)clock_mono_ms();

	if (now < gate->next_mono_ms) {
		gate->missed++;
		return false;
	}
	*ret_missed = gate->missed;
	gate->missed = 0;
	gate->next_mono_ms = now + every_ms;
	return true;
}
