/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scan that goes before libconfuse (lib/config.h says why).
 *
 * Invariant: a text that passes is read by libconfuse's lexer as the same
 * tokens. So what its lexer drops in silence (* and +), leaves open at the end
 * of the text (strings, which would poison the next parse in this process),
 * or reads differently behind a word ($) is refused here.
 */
#include "lib/config.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"

enum token {
	TOK_END,
	TOK_WORD,
	TOK_STRING,
	TOK_VARIABLE, /* a bare ${NAME} */
	TOK_PUNCT,    /* { } = , */
};

struct scan {
	const char *name;
	const char *text;
	size_t len, pos;
	unsigned line;
	struct buf *clean;
	struct pj_error *err;
	/* the current token */
	enum token tok;
	size_t from, to; /* a string's without its quotes */
	unsigned tok_line;
};

static int
fail(struct scan *sc, unsigned line, const char *what)
{
	return pj_error_set(sc->err, PJ_ERROR_CONFIG, "%s:%u: %s", sc->name,
			    line, what);
}

static int
fail_char(struct scan *sc, char c)
{
	unsigned char byte = (unsigned char)c;

	if (byte > 0x20 && byte < 0x7f)
		return pj_error_set(sc->err, PJ_ERROR_CONFIG,
				    "%s:%u: unexpected '%c' (a value with such "
				    "characters needs quotes)",
				    sc->name, sc->line, c);
	return pj_error_set(sc->err, PJ_ERROR_CONFIG,
			    "%s:%u: unexpected byte 0x%02x", sc->name, sc->line,
			    (unsigned)byte);
}

static char
peek(const struct scan *sc, size_t ahead)
{
	return sc->pos + ahead < sc->len ? sc->text[sc->pos + ahead] : '\0';
}

static bool
is_word(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("_.:/@%~-[]", c));
}

/* Takes n bytes; the clean copy gets them, or blanks in their place. */
static void
take(struct scan *sc, size_t n, bool blank)
{
	for (; n > 0; n--) {
		char c = sc->text[sc->pos++];

		if (c == '\n')
			sc->line++;
		buf_addch(sc->clean, blank && c != '\n' ? ' ' : c);
	}
}

static int
skip_comment(struct scan *sc)
{
	unsigned line = sc->line;

	if (peek(sc, 0) == '#' || peek(sc, 1) == '/') {
		while (sc->pos < sc->len && peek(sc, 0) != '\n')
			take(sc, 1, true);
		return 0;
	}
	take(sc, 2, true);
	while (sc->pos < sc->len) {
		if (peek(sc, 0) == '*' && peek(sc, 1) == '/') {
			take(sc, 2, true);
			return 0;
		}
		take(sc, 1, true);
	}
	return fail(sc, line, "this comment is not closed");
}

/* sc->pos is at `$`. Takes ${NAME} or ${NAME:-default}. */
static int
scan_variable(struct scan *sc)
{
	size_t from = sc->pos + 2, at = from, end;
	char *name;
	bool set;

	while (at < sc->len &&
	       (isalnum((unsigned char)sc->text[at]) || sc->text[at] == '_'))
		at++;
	if (peek(sc, 1) != '{' || at == from ||
	    isdigit((unsigned char)sc->text[from]))
		return fail(sc, sc->line,
			    "'$' begins ${NAME} or ${NAME:-default}; write \\$ "
			    "in a \"string\" for the character");
	for (end = at; end < sc->len && sc->text[end] != '}'; end++) {
		unsigned char c = (unsigned char)sc->text[end];

		if (c < 0x20 || strchr("\"'\\${", c))
			break;
	}
	if (end == sc->len || sc->text[end] != '}')
		return fail(sc, sc->line, "this ${NAME} is not closed");
	if (at != end && (sc->text[at] != ':' || sc->text[at + 1] != '-'))
		return fail(sc, sc->line,
			    "a default is written ${NAME:-default}");
	name = mem_strndup(sc->text + from, at - from);
	set = at != end || getenv(name);
	if (!set)
		(void)pj_error_set(sc->err, PJ_ERROR_CONFIG,
				   "%s:%u: ${%.64s} is not set", sc->name,
				   sc->line, name);
	free(name);
	if (!set)
		return -1;
	take(sc, end + 1 - sc->pos, false);
	return 0;
}

/* sc->pos is at a backslash in a "string". */
static int
scan_escape(struct scan *sc)
{
	char c = peek(sc, 1);

	if (c && strchr("\"\\$nrt", c)) {
		take(sc, 2, false);
		return 0;
	}
	if (c == 'x' && isxdigit((unsigned char)peek(sc, 2)) &&
	    isxdigit((unsigned char)peek(sc, 3)) &&
	    (peek(sc, 2) != '0' || peek(sc, 3) != '0')) {
		take(sc, 4, false);
		return 0;
	}
	return fail(sc, sc->line,
		    "unknown escape in a \"string\"; known are \\\" \\\\ \\$ "
		    "\\n \\r \\t \\xHH");
}

static int
scan_string(struct scan *sc)
{
	char quote = peek(sc, 0);

	take(sc, 1, false);
	sc->from = sc->pos;
	while (sc->pos < sc->len && peek(sc, 0) != '\n') {
		char c = peek(sc, 0);

		if (c == quote) {
			sc->to = sc->pos;
			take(sc, 1, false);
			return 0;
		}
		if (c == '\r' && peek(sc, 1) == '\n')
			break;
		if (((unsigned char)c < 0x20 && c != '\t') || c == 0x7f)
			return fail_char(sc, c);
		if (quote == '"' && c == '\\') {
			if (scan_escape(sc))
				return -1;
		} else if (quote == '"' && c == '$') {
			if (scan_variable(sc))
				return -1;
		} else if (c == '\\' &&
			   (peek(sc, 1) == '\\' || peek(sc, 1) == '\'')) {
			take(sc, 2, false);
		} else {
			take(sc, 1, false);
		}
	}
	return fail(sc, sc->line, "this string is not closed on its line");
}

/* The next token into sc->tok. */
static int
next(struct scan *sc)
{
	char c;

	while (sc->pos < sc->len) {
		c = peek(sc, 0);
		if (c && strchr(" \t\r\n", c))
			take(sc, 1, true);
		else if (c == '#' || (c == '/' && (peek(sc, 1) == '/' ||
						   peek(sc, 1) == '*'))) {
			if (skip_comment(sc))
				return -1;
		} else
			break;
	}
	sc->tok_line = sc->line;
	sc->from = sc->to = sc->pos;
	sc->tok = TOK_END;
	if (sc->pos == sc->len)
		return 0;
	c = peek(sc, 0);
	if (c == '"' || c == '\'') {
		sc->tok = TOK_STRING;
		return scan_string(sc);
	}
	if (c == '$') {
		sc->tok = TOK_VARIABLE;
		return scan_variable(sc);
	}
	if (c && strchr("{}=,", c)) {
		sc->tok = TOK_PUNCT;
		take(sc, 1, false);
		sc->to = sc->pos;
		return 0;
	}
	if (!is_word(c))
		return fail_char(sc, c);
	sc->tok = TOK_WORD;
	while (is_word(peek(sc, 0)))
		take(sc, 1, false);
	sc->to = sc->pos;
	/* libconfuse would take `$` as part of the word. */
	return peek(sc, 0) == '$' ? fail_char(sc, '$') : 0;
}

static bool
at_punct(const struct scan *sc, char c)
{
	return sc->tok == TOK_PUNCT && sc->text[sc->from] == c;
}

/* "PLACE: expected X, found Y" */
static int
expected(struct scan *sc, const char *what)
{
	char shown[CONFIG_SHOWN];
	char *found;

	if (sc->tok == TOK_END)
		return pj_error_set(sc->err, PJ_ERROR_CONFIG,
				    "%s:%u: expected %s, found the end of the "
				    "file",
				    sc->name, sc->tok_line, what);
	/* A string or a variable may hold a secret. */
	if (sc->tok == TOK_STRING || sc->tok == TOK_VARIABLE)
		return pj_error_set(sc->err, PJ_ERROR_CONFIG,
				    "%s:%u: expected %s, found a string",
				    sc->name, sc->tok_line, what);
	found = mem_strndup(sc->text + sc->from, sc->to - sc->from);
	(void)pj_error_set(sc->err, PJ_ERROR_CONFIG,
			   "%s:%u: expected %s, found '%s'", sc->name,
			   sc->tok_line, what, config_shown(shown, found));
	free(found);
	return -1;
}

/* The same section, title and key as an earlier item's, or NULL. */
static const struct config_item *
find_item(const struct config *conf, const struct config_section *sec,
	  const char *title, const char *name)
{
	for (size_t i = 0; i < conf->n_items; i++) {
		const struct config_item *it = &conf->items[i];

		if (it->section == sec && !it->title == !title &&
		    (!title || strcmp(it->title, title) == 0) &&
		    !it->name == !name &&
		    (!name || strcmp(it->name, name) == 0))
			return it;
	}
	return NULL;
}

/* Appends an item; takes title and name. */
static int
add_item_take(struct scan *sc, struct config *conf,
	      const struct config_section *sec, char *title, char *name)
{
	const struct config_item *old = find_item(conf, sec, title, name);
	struct config_item *it;

	if (old || conf->n_items == CONFIG_MAX_ITEMS) {
		const char *kind = name ? "key" : title ? sec->name : "section";
		const char *what = name ? name : title ? title : sec->name;
		char shown[CONFIG_SHOWN];

		if (old)
			(void)pj_error_set(
				sc->err, PJ_ERROR_CONFIG,
				"%s:%u: %s '%s' is here a second time (first "
				"in line %u)",
				sc->name, sc->tok_line, kind,
				config_shown(shown, what), old->line);
		else
			(void)pj_error_set(sc->err, PJ_ERROR_CONFIG,
					   "%s:%u: more than %d settings",
					   sc->name, sc->tok_line,
					   CONFIG_MAX_ITEMS);
		free(title);
		free(name);
		return -1;
	}
	MEM_GROW(conf->items, conf->n_items, conf->cap_items);
	it = &conf->items[conf->n_items++];
	memset(it, 0, sizeof(*it));
	it->section = sec;
	it->title = title;
	it->name = name;
	it->key = name ? config_find_key(sec, name) : NULL;
	it->line = sc->tok_line;
	return 0;
}

static bool
is_value(const struct scan *sc)
{
	return sc->tok == TOK_WORD || sc->tok == TOK_STRING ||
	       sc->tok == TOK_VARIABLE;
}

/* The values behind `key =`; leaves the token behind them current. */
static int
scan_values(struct scan *sc, struct config_item *it)
{
	bool list = it->key && config_is_list(it->key->type);

	if (is_value(sc)) {
		it->n_values = 1;
		return next(sc);
	}
	if (!at_punct(sc, '{'))
		return expected(sc, "a value");
	if (!list)
		return expected(sc, "one value (this key takes no list)");
	do {
		if (next(sc))
			return -1;
		if (at_punct(sc, '}'))
			break;
		if (!is_value(sc))
			return expected(sc, "a value or '}' of the list");
		it->n_values++;
		if (next(sc))
			return -1;
	} while (at_punct(sc, ','));
	if (!at_punct(sc, '}'))
		return expected(sc, "',' or '}' of the list");
	return next(sc);
}

/* The current token, a word, is a key. */
static int
scan_key(struct scan *sc, struct config *conf, const struct config_section *sec,
	 const char *title)
{
	char place[PJ_ERROR_TEXT];
	char *name = mem_strndup(sc->text + sc->from, sc->to - sc->from);

	if (!config_find_key(sec, name) &&
	    !(sec->open && config_is_open_key(name))) {
		(void)snprintf(place, sizeof(place), "%s:%u", sc->name,
			       sc->tok_line);
		(void)config_unknown_key(sec, place, name, sc->err);
		free(name);
		return -1;
	}
	if (add_item_take(sc, conf, sec, title ? mem_strdup(title) : NULL,
			  name))
		return -1;
	if (next(sc))
		return -1;
	if (!at_punct(sc, '='))
		return expected(sc, "'=' behind the key");
	if (next(sc))
		return -1;
	return scan_values(sc, &conf->items[conf->n_items - 1]);
}

/* A title is kept plain, so that what the text shows is what it means. */
static int
scan_title(struct scan *sc, char **ret_title)
{
	char *title;

	if (sc->tok != TOK_WORD && sc->tok != TOK_STRING)
		return expected(sc, "the section's title");
	title = mem_strndup(sc->text + sc->from, sc->to - sc->from);
	if (config_is_title(title)) {
		*ret_title = title;
		return 0;
	}
	free(title);
	return fail(sc, sc->tok_line,
		    "a title has 1 to 249 letters, digits, '.', '_' or '-'");
}

/* The current token, a word, is a section's name. */
static int
scan_section(struct scan *sc, const struct config_section *sections,
	     struct config *conf)
{
	char *name = mem_strndup(sc->text + sc->from, sc->to - sc->from);
	const struct config_section *sec = config_find_section(sections, name);
	char *title = NULL;
	char place[PJ_ERROR_TEXT];
	unsigned line = sc->tok_line;
	int ret = -1;

	if (!sec) {
		(void)snprintf(place, sizeof(place), "%s:%u", sc->name, line);
		(void)config_unknown_section(sections, place, name, sc->err);
		goto out;
	}
	if (sec->titled && (next(sc) || scan_title(sc, &title)))
		goto out;
	if (add_item_take(sc, conf, sec, title, NULL)) {
		title = NULL;
		goto out;
	}
	if (title)
		title = mem_strdup(title);
	if (next(sc))
		goto out;
	if (!at_punct(sc, '{')) {
		(void)expected(sc, "'{' of the section");
		goto out;
	}
	if (next(sc))
		goto out;
	while (sc->tok == TOK_WORD)
		if (scan_key(sc, conf, sec, title))
			goto out;
	if (sc->tok == TOK_END) {
		(void)pj_error_set(sc->err, PJ_ERROR_CONFIG,
				   "%s:%u: section %s is not closed", sc->name,
				   line, name);
		goto out;
	}
	if (!at_punct(sc, '}')) {
		(void)expected(sc, "a key or '}' of the section");
		goto out;
	}
	ret = next(sc);
out:
	free(name);
	free(title);
	return ret;
}

int
config_scan(const char *name, const char *text, size_t len,
	    const struct config_section *sections, struct config *conf,
	    struct buf *clean, struct pj_error *err)
{
	struct scan sc = {
		.name = name,
		.text = text,
		.len = len,
		.line = 1,
		.clean = clean,
		.err = err,
	};

	if (len > CONFIG_MAX_BYTES)
		return pj_error_set(err, PJ_ERROR_CONFIG,
				    "%s: larger than %d bytes", name,
				    CONFIG_MAX_BYTES);
	/* Also gives an empty text its NUL. */
	buf_reserve(clean, len);
	buf_add(clean, "", 0);
	if (next(&sc))
		return -1;
	while (sc.tok == TOK_WORD)
		if (scan_section(&sc, sections, conf))
			return -1;
	return sc.tok == TOK_END ? 0 : expected(&sc, "a section");
}
