/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to lib/settings*.c: the table, and the struct reached through it.
 *
 * "base" is the struct that a section's offsets count from: struct settings
 * itself, or one element of a titled section's array.
 */
#ifndef LIB_SETTINGS_TABLE_H
#define LIB_SETTINGS_TABLE_H

#include "lib/config.h"
#include "lib/settings.h"

extern const struct config_section settings_sections[];

/* Puts every key's default into a zeroed base. */
void
settings_field_defaults(const struct config_section *sec, void *base);
/* Frees what the fields of a base point to. */
void
settings_field_free(const struct config_section *sec, void *base);

/*
 * Gives a field its value: PAIRS adds to and replaces by name.
 * what: "queryapi.loops", for errors. The field is untouched on failure.
 */
int
settings_field_set(const struct config_key *key, void *base,
		   const char *const *values, size_t n, const char *place,
		   const char *what, struct pj_error *err)
	__attribute__((warn_unused_result));
/* The option of an open section; an integer, replaced by name. */
int
settings_option_set(struct settings_projection *proj, const char *name,
		    const char *value, const char *place, const char *what,
		    struct pj_error *err) __attribute__((warn_unused_result));

/* A titled section's element, made with defaults when absent. */
void *
settings_element(struct settings *set, const struct config_section *sec,
		 const char *title);
size_t
settings_elements(const struct settings *set, const struct config_section *sec,
		  char **ret_first);

/* Where each setting came from, for the checks across settings. */
struct settings_origin {
	const struct config_section *section;
	char *title;
	char *key; /* NULL: the section itself */
	char *place;
};

struct settings_origins {
	struct settings_origin *rows;
	size_t n, cap;
};

/* The newest place of this setting, its section's, or "defaults". */
const char *
settings_origin(const struct settings_origins *origins, const char *section,
		const char *title, const char *key);

/* What no single value shows: pairs of settings, addresses, names. */
int
settings_check(const struct settings *set,
	       const struct settings_origins *origins, struct pj_error *err)
	__attribute__((warn_unused_result));

/*
 * The setting an environment name stands for ("SHOPVIEW_SOURCE_TYPE"), or NULL
 * with *ret_refused set when it looks like one but is none (err is filled).
 * *ret_file: the value names a file to read.
 */
const struct config_key *
settings_env_key(const char *name, const struct config_section **ret_section,
		 bool *ret_file, bool *ret_refused, struct pj_error *err);
/* Writes "SHOPVIEW_SOURCE_TYPE". */
void
settings_env_name(struct buf *out, const struct config_section *sec,
		  const struct config_key *key);

#endif
