/* SPDX-License-Identifier: Apache-2.0 */
/* Values: numbers with units, choices, booleans; and their way back to text. */
#include "lib/config.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "lib/cli.h"

struct unit {
	const char *name;
	uint64_t factor;
};

/* Descending, so that the first that divides is the largest. */
static const struct unit ms_units[] = {
	{"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}, {NULL, 0}};
static const struct unit byte_units[] = {
	{"g", 1 << 30}, {"m", 1 << 20}, {"k", 1 << 10}, {NULL, 0}};
static const struct unit no_units[] = {{NULL, 0}};

static const struct unit *
units_of(enum config_type type)
{
	return type == CONFIG_MS      ? ms_units
	       : type == CONFIG_BYTES ? byte_units
				      : no_units;
}

static const char *
units_text(enum config_type type)
{
	return type == CONFIG_MS      ? "a duration such as 250ms, 5s, 1m or 1h"
	       : type == CONFIG_BYTES ? "a size such as 4096, 64k, 16m or 1g"
				      : "a number without a unit";
}

void
config_add_number(struct buf *out, enum config_type type, uint64_t number)
{
	const struct unit *unit = units_of(type);

	while (unit->name && (number == 0 || number % unit->factor != 0))
		unit++;
	buf_printf(out, "%" PRIu64 "%s",
		   unit->name ? number / unit->factor : number,
		   unit->name ? unit->name : "");
}

static int
out_of_range(const struct config_key *key, const char *text, const char *place,
	     const char *what, struct pj_error *err)
{
	char shown[CONFIG_SHOWN];
	struct buf min = BUF_INIT, max = BUF_INIT;

	config_add_number(&min, key->type, key->min);
	config_add_number(&max, key->type, key->max);
	(void)pj_error_set(err, PJ_ERROR_CONFIG,
			   "%s: %s is '%s', out of the range %s to %s", place,
			   what, config_shown(shown, text), min.data, max.data);
	buf_release(&min);
	buf_release(&max);
	return -1;
}

int
config_number(const struct config_key *key, const char *text, const char *place,
	      const char *what, uint64_t *ret_number, struct pj_error *err)
{
	char shown[CONFIG_SHOWN];
	const struct unit *unit = units_of(key->type);
	uint64_t number = 0, factor = 1;
	bool over = false;
	const char *at = text;

	for (; *at >= '0' && *at <= '9'; at++)
		over |= __builtin_mul_overflow(number, 10, &number) ||
			__builtin_add_overflow(number, (uint64_t)(*at - '0'),
					       &number);
	if (at == text)
		return pj_error_set(err, PJ_ERROR_CONFIG,
				    "%s: %s is '%s', but must be %s", place,
				    what, config_shown(shown, text),
				    units_text(key->type));
	if (*at) {
		while (unit->name && strcmp(unit->name, at) != 0)
			unit++;
		if (!unit->name)
			return pj_error_set(
				err, PJ_ERROR_CONFIG,
				"%s: %s is '%s': wrong unit, must be %s", place,
				what, config_shown(shown, text),
				units_text(key->type));
		factor = unit->factor;
	}
	over |= __builtin_mul_overflow(number, factor, &number);
	if (over || number < key->min || number > key->max)
		return out_of_range(key, text, place, what, err);
	*ret_number = number;
	return 0;
}

int
config_choice(const struct config_key *key, const char *text, const char *place,
	      const char *what, unsigned *ret_index, struct pj_error *err)
{
	char shown[CONFIG_SHOWN];
	struct buf all = BUF_INIT;
	const char *near;
	unsigned n;

	for (n = 0; key->choices[n]; n++) {
		if (strcmp(key->choices[n], text) == 0) {
			*ret_index = n;
			return 0;
		}
	}
	near = n > 1 ? cli_nearest(text, key->choices, n) : NULL;
	for (unsigned i = 0; i < n; i++)
		buf_printf(&all, "%s%s", i ? ", " : "", key->choices[i]);
	(void)pj_error_set(
		err, PJ_ERROR_CONFIG, "%s: %s is '%s', but must be %s%s%s%s%s",
		place, what, config_shown(shown, text), n > 1 ? "one of " : "",
		all.data, near ? " (did you mean '" : "", near ? near : "",
		near ? "'?)" : "");
	buf_release(&all);
	return -1;
}

int
config_bool(const char *text, const char *place, const char *what,
	    bool *ret_value, struct pj_error *err)
{
	static const char *const words[] = {"false", "true", "no",
					    "yes",   "off",  "on"};
	char shown[CONFIG_SHOWN];

	for (unsigned i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (strcasecmp(words[i], text) == 0) {
			*ret_value = i % 2 == 1;
			return 0;
		}
	}
	return pj_error_set(err, PJ_ERROR_CONFIG,
			    "%s: %s is '%s', but must be true or false", place,
			    what, config_shown(shown, text));
}

void
config_add_quoted(struct buf *out, const char *text)
{
	buf_addch(out, '"');
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (strchr("\"\\$", c)) {
			buf_addch(out, '\\');
			buf_addch(out, *text);
		} else if (c < 0x20 || c == 0x7f) {
			buf_printf(out, "\\x%02x", (unsigned)c);
		} else {
			buf_addch(out, *text);
		}
	}
	buf_addch(out, '"');
}

const char *
config_shown(char out[CONFIG_SHOWN], const char *text)
{
	size_t n = 0;

	while (text[n] && n < CONFIG_SHOWN - 4) {
		unsigned char c = (unsigned char)text[n];

		out[n] = text[n];
		if (c < 0x20 || c == 0x7f)
			out[n] = '?';
		n++;
	}
	if (text[n]) {
		/* Not in the middle of a UTF-8 sequence. */
		while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
			n--;
		memcpy(out + n, "...", 3);
		n += 3;
	}
	out[n] = '\0';
	return out;
}
