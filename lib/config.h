/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A configuration text, read by libconfuse against a table of sections.
 *
 * What libconfuse leaves open is closed here, before it sees the text: a scan
 * (config_scan.c) checks the grammar strictly, so that every error names file,
 * line and the nearest valid name, and an unclosed section, a repeated section
 * or key, an unset ${NAME} or a stray character is an error instead of a guess.
 * Comments may stand anywhere. The grammar:
 *
 *	section { key = value  key = {value, value} }
 *	section "title" { key = value }
 *	# comment, // comment, and the C form
 *
 * A value is a word ([A-Za-z0-9_.:/@%~-] and brackets), a "string" with the
 * escapes \" \\ \$ \n \r \t \xHH and ${NAME} or ${NAME:-default}, a 'string'
 * taken as it is (\' and \\ aside), or a bare ${NAME}. A string ends on its
 * line.
 *
 * This file knows keys by name and type only; lib/settings.c gives them places
 * in a struct.
 *
 * Ownership: config_release() frees what config_parse() gave.
 * Errors: CONFIG, "shopview.conf:12: …".
 * Thread: one at a time in the process; libconfuse's lexer is global. Call
 * before threads start.
 * Limits: CONFIG_MAX_BYTES of text, CONFIG_MAX_ITEMS keys and sections.
 */
#ifndef LIB_CONFIG_H
#define LIB_CONFIG_H

#include <projector/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"

enum {
	CONFIG_MAX_BYTES = 1 << 20,
	CONFIG_MAX_ITEMS = 4096,
};

enum config_type {
	CONFIG_TEXT,   /* char * */
	CONFIG_CHOICE, /* char *, one of `choices` */
	CONFIG_ENUM,   /* an enum: the index into `choices` */
	CONFIG_BOOL,   /* bool: true/false, yes/no, on/off */
	CONFIG_COUNT,  /* uint32_t or uint64_t: a bare number */
	CONFIG_MS,     /* the same: milliseconds, or with unit ms s m h */
	CONFIG_BYTES,  /* the same: bytes, or with unit k m g (1024) */
	CONFIG_PAIRS,  /* struct settings_pair * and size_t: "name=value" */
	CONFIG_LIST,   /* char ** and size_t: texts, none of them empty */
};

enum config_flag {
	CONFIG_SECRET = 1 << 0,	  /* never shown in an error */
	CONFIG_UNSET = 1 << 1,	  /* an empty text is NULL */
	CONFIG_REQUIRED = 1 << 2, /* may not be empty */
	CONFIG_MASKED = 1 << 3,	  /* a secret as a whole: never printed */
};

struct config_key {
	const char *name; /* NULL ends the list */
	enum config_type type;
	const char *def; /* as it would be written; NULL = empty */
	const char *text;
	uint64_t min, max;	    /* of numbers */
	const char *const *choices; /* NULL-ended */
	unsigned flags;
	size_t offset;	/* of the field */
	size_t width;	/* bytes of a number's field */
	size_t counter; /* offset of a list's length */
};

static inline bool
config_is_list(enum config_type type)
{
	return type == CONFIG_PAIRS || type == CONFIG_LIST;
}

struct config_section {
	const char *name; /* NULL ends the table */
	bool titled;
	bool open; /* keys that are not listed are taken too */
	const char *text;
	const struct config_key *keys;
	/* A titled section is an array of structs that begin with the name. */
	size_t offset, counter, size;
};

/* One `key = value`, or a section's own head (key NULL). */
struct config_item {
	const struct config_section *section;
	char *title;		      /* NULL when the section has none */
	char *name;		      /* NULL: the head */
	const struct config_key *key; /* NULL: the head, or an open key */
	char **values;
	size_t n_values;
	unsigned line;
};

struct config {
	struct config_item *items; /* in the order of the text */
	size_t n_items;
	size_t cap_items;
};

/* name: the file's, for errors. text need not end in NUL. */
int
config_parse(const char *name, const char *text, size_t len,
	     const struct config_section *sections, struct config *ret_conf,
	     struct pj_error *err) __attribute__((warn_unused_result));
/* Back to the empty struct. */
void
config_release(struct config *conf);

/*
 * The scan alone: fills items without values and *ret_clean, the same text with
 * comments blanked, line by line, which libconfuse is then sure to read the
 * same way. The caller releases both, also after a failure.
 */
int
config_scan(const char *name, const char *text, size_t len,
	    const struct config_section *sections, struct config *conf,
	    struct buf *clean, struct pj_error *err)
	__attribute__((warn_unused_result));

const struct config_section *
config_find_section(const struct config_section *sections, const char *name);
const struct config_key *
config_find_key(const struct config_section *sec, const char *name);

/* A title: [A-Za-z0-9._-]{1,249}; the name of an open section's key. */
bool
config_is_title(const char *text);
bool
config_is_open_key(const char *text);

/*
 * "PLACE: unknown section 'x' (did you mean 'y'?)", and the like for a key;
 * both return -1.
 */
int
config_unknown_section(const struct config_section *sections, const char *place,
		       const char *name, struct pj_error *err);
int
config_unknown_key(const struct config_section *sec, const char *place,
		   const char *name, struct pj_error *err);

/*
 * A number of type COUNT, MS or BYTES, within the key's range.
 * config_choice: the index of `text` among the key's choices.
 * Errors: CONFIG; `what` names the setting ("queryapi.loops").
 */
int
config_number(const struct config_key *key, const char *text, const char *place,
	      const char *what, uint64_t *ret_number, struct pj_error *err)
	__attribute__((warn_unused_result));
int
config_choice(const struct config_key *key, const char *text, const char *place,
	      const char *what, unsigned *ret_index, struct pj_error *err)
	__attribute__((warn_unused_result));
int
config_bool(const char *text, const char *place, const char *what,
	    bool *ret_value, struct pj_error *err)
	__attribute__((warn_unused_result));

/* Writes the number with the largest unit that divides it: "64k", "5s". */
void
config_add_number(struct buf *out, enum config_type type, uint64_t number);
/* Writes text as a double-quoted string that reads back the same. */
void
config_add_quoted(struct buf *out, const char *text);

enum { CONFIG_SHOWN = 72 };
/* text fit for an error message: no control bytes, cut. Returns out. */
const char *
config_shown(char out[CONFIG_SHOWN], const char *text);

#endif
