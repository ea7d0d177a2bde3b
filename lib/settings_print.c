/* SPDX-License-Identifier: Apache-2.0 */
/* The effective configuration as a file, and the reference. */
#include "lib/settings.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/mem.h"
#include "lib/settings_table.h"

#define MASK "***"

static bool
ends_with(const char *text, size_t len, const char *end)
{
	size_t n = strlen(end);

	return len >= n && strncasecmp(text + len - n, end, n) == 0;
}

static bool
is_secret_property(const char *name)
{
	static const char *const ends[] = {"password", "secret", "jaas.config",
					   "oauthbearer.config", "key.pem"};

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		if (ends_with(name, strlen(name), ends[i]))
			return true;
	return false;
}

/* Options of a connection string that are secrets. */
static bool
is_secret_option(const char *name, size_t len)
{
	return ends_with(name, len, "password") ||
	       ends_with(name, len, "authMechanismProperties");
}

/*
 * mongodb://user:password@host/?option=value: the password, and options that
 * are secrets. An unescaped '@' or '/' in a password is malformed, yet must not
 * show: what counts is the last '@'.
 */
static char *
mask_uri(const char *uri)
{
	struct buf out = BUF_INIT;
	const char *from = strstr(uri, "://");
	const char *at = strrchr(uri, '@');
	const char *colon;

	from = from ? from + 3 : uri;
	colon = at && at > from ? memchr(from, ':', (size_t)(at - from)) : NULL;
	if (colon) {
		buf_add(&out, uri, (size_t)(colon + 1 - uri));
		buf_addstr(&out, MASK);
		uri = at;
	}
	from = strchr(uri, '?');
	if (from) {
		buf_add(&out, uri, (size_t)(from - uri));
		uri = from;
	}
	/* uri is at '?' or '&' before each option. */
	while (from && *uri) {
		size_t name = strcspn(uri + 1, "=&") + 1;
		size_t len = strcspn(uri + 1, "&") + 1;

		if (uri[name] == '=' && is_secret_option(uri + 1, name - 1)) {
			buf_add(&out, uri, name + 1);
			buf_addstr(&out, MASK);
		} else {
			buf_add(&out, uri, len);
		}
		uri += len;
	}
	buf_addstr(&out, uri);
	return buf_detach(&out, NULL);
}

static void
add_pairs(struct buf *out, const struct settings_pair *pairs, size_t n)
{
	buf_addch(out, '{');
	for (size_t i = 0; i < n; i++) {
		char *pair = mem_printf("%s=%s", pairs[i].name,
					is_secret_property(pairs[i].name)
						? MASK
						: pairs[i].value);

		buf_addstr(out, i ? ",\n\t\t   " : "");
		config_add_quoted(out, pair);
		free(pair);
	}
	buf_addch(out, '}');
}

static void
add_list(struct buf *out, char *const *items, size_t n)
{
	buf_addch(out, '{');
	for (size_t i = 0; i < n; i++) {
		buf_addstr(out, i ? ", " : "");
		config_add_quoted(out, items[i]);
	}
	buf_addch(out, '}');
}

static void
add_text(struct buf *out, const struct config_key *key, const char *text)
{
	char *masked;

	if (key->flags & CONFIG_MASKED)
		config_add_quoted(out, *text ? MASK : "");
	else if (key->flags & CONFIG_SECRET) {
		masked = mask_uri(text);
		config_add_quoted(out, masked);
		free(masked);
	} else {
		config_add_quoted(out, text);
	}
}

static void
add_value(struct buf *out, const struct config_key *key, const char *base)
{
	const void *at = base + key->offset;
	unsigned index;
	size_t n = 0;

	if (config_is_list(key->type))
		memcpy(&n, base + key->counter, sizeof(n));
	switch (key->type) {
	case CONFIG_TEXT:
		add_text(out, key,
			 *(char *const *)at ? *(char *const *)at : "");
		break;
	case CONFIG_CHOICE:
		buf_addstr(out, *(char *const *)at);
		break;
	case CONFIG_ENUM:
		memcpy(&index, at, sizeof(index));
		buf_addstr(out, key->choices[index]);
		break;
	case CONFIG_BOOL:
		buf_addstr(out, *(const bool *)at ? "true" : "false");
		break;
	case CONFIG_PAIRS:
		add_pairs(out, *(struct settings_pair *const *)at, n);
		break;
	case CONFIG_LIST:
		add_list(out, *(char *const *const *)at, n);
		break;
	default:
		config_add_number(out, key->type,
				  key->width == sizeof(uint32_t)
					  ? *(const uint32_t *)at
					  : *(const uint64_t *)at);
	}
}

static void
add_section(struct buf *out, const struct config_section *sec, const char *base)
{
	char *title = NULL;

	if (sec->titled)
		memcpy(&title, base, sizeof(title));
	buf_printf(out, "%s%s%s%s {\n", sec->name, title ? " \"" : "",
		   title ? title : "", title ? "\"" : "");
	for (const struct config_key *key = sec->keys; key->name; key++) {
		buf_printf(out, "\t%s = ", key->name);
		add_value(out, key, base);
		buf_addch(out, '\n');
	}
	if (sec->open) {
		const struct settings_projection *proj = (const void *)base;

		for (size_t i = 0; i < proj->n_options; i++)
			buf_printf(out, "\t%s = %s\n", proj->options[i].name,
				   proj->options[i].value);
	}
	buf_addstr(out, "}\n");
}

void
settings_print(const struct settings *set, FILE *out)
{
	struct buf text = BUF_INIT;

	for (const struct config_section *sec = settings_sections; sec->name;
	     sec++) {
		char *first;
		size_t n;

		if (!sec->titled) {
			add_section(&text, sec, (const char *)set);
			continue;
		}
		n = settings_elements(set, sec, &first);
		for (size_t i = 0; i < n; i++)
			add_section(&text, sec, first + i * sec->size);
	}
	(void)fwrite(text.data, 1, text.len, out);
	buf_release(&text);
}

static void
add_kind(struct buf *out, const struct config_key *key)
{
	static const char *const kinds[] = {
		[CONFIG_TEXT] = "text",
		[CONFIG_BOOL] = "true or false",
		[CONFIG_COUNT] = "number",
		[CONFIG_MS] = "duration (ms, s, m, h)",
		[CONFIG_BYTES] = "size (bytes, k, m, g)",
		[CONFIG_PAIRS] = "list of `\"name=value\"`",
		[CONFIG_LIST] = "list of texts",
	};

	if (!key->choices) {
		buf_addstr(out, kinds[key->type]);
		return;
	}
	for (size_t i = 0; key->choices[i]; i++)
		buf_printf(out, "%s`%s`", i ? ", " : "", key->choices[i]);
}

static void
add_row(struct buf *out, const struct config_section *sec,
	const struct config_key *key)
{
	buf_printf(out, "| `%s` | ", key->name);
	add_kind(out, key);
	if (key->def && *key->def)
		buf_printf(out, " | `%s` | ", key->def);
	else
		buf_addstr(out, " | | ");
	if (key->max > 0) {
		config_add_number(out, key->type, key->min);
		buf_addstr(out, " to ");
		config_add_number(out, key->type, key->max);
		buf_addch(out, ' ');
	}
	buf_printf(out, "| %s |", key->text);
	if (!sec->titled) {
		buf_addstr(out, " `");
		settings_env_name(out, sec, key);
		buf_addstr(out, "` |");
	}
	buf_addch(out, '\n');
}

static const char reference_head[] =
	"# Configuration\n"
	"\n"
	"Generated by `projector config --reference`; do not edit.\n"
	"\n"
	"One file serves both programs: the one `-c` names, else the one that\n"
	"`SHOPVIEW_CONFIG` names, else `./shopview.conf` when it is there, "
	"else\n"
	"none. A later source wins: default < file < environment < `-s`.\n"
	"\n"
	"    source {\n"
	"            type = kafka          # a comment\n"
	"            brokers = \"${KAFKA:-127.0.0.1:9092}\"\n"
	"            rdkafka = {\"fetch.wait.max.ms=10\", \"debug=broker\"}\n"
	"    }\n"
	"    topic \"stock\" { zone = UTC }\n"
	"\n"
	"* A value is a word, a `\"string\"` (escapes `\\\"` `\\\\` `\\$` "
	"`\\n` `\\r`\n"
	"  `\\t` `\\xHH`; `${NAME}` is an environment variable and must be "
	"set,\n"
	"  `${NAME:-default}` need not be), or a `'string'` taken as it is.\n"
	"* A number whose name ends in `_ms` or `_bytes` is in that unit, or "
	"says\n"
	"  its own: `250ms`, `5s`, `1m`, `1h`; `64k`, `16m`, `1g` (powers of\n"
	"  1024).\n"
	"* Environment: the variable in the last column; with `_FILE` behind "
	"its\n"
	"  name it names a file that holds the value (for secrets). Several\n"
	"  `name=value` pairs stand on lines of their own, items of other "
	"lists\n"
	"  between commas.\n"
	"* Command line: `-s source.type=kafka`; sections with a title:\n"
	"  `-s topic.stock.zone=UTC`. `-s source.rdkafka=NAME=VALUE` sets one\n"
	"  property and may be repeated.\n"
	"* An unknown or repeated name, a wrong unit, a value out of range: "
	"exit\n"
	"  status 78 and one line with place and nearest valid name.\n";

void
settings_reference(FILE *out)
{
	struct buf text = BUF_INIT;

	buf_addstr(&text, reference_head);
	for (const struct config_section *sec = settings_sections; sec->name;
	     sec++) {
		buf_printf(&text, "\n## %s%s\n\n%s\n", sec->name,
			   sec->titled ? " \"NAME\"" : "", sec->text);
		if (!sec->keys->name)
			continue;
		buf_addstr(&text, sec->titled
					  ? "\n| key | value | default | "
					    "range | meaning |\n"
					    "|---|---|---|---|---|\n"
					  : "\n| key | value | default | "
					    "range | meaning | environment "
					    "|\n|---|---|---|---|---|---|\n");
		for (const struct config_key *key = sec->keys; key->name; key++)
			add_row(&text, sec, key);
	}
	(void)fwrite(text.data, 1, text.len, out);
	buf_release(&text);
}
