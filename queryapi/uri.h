/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request target in origin form, or in absolute form (RFC 9112, 3.2.2: it
 * has to be accepted), whose authority is only checked: there is one site.
 * Taken apart into path segments and query parameters.
 *
 * Split first, decode afterwards: `%2F` in a segment is part of a name, `%2C`
 * in a list is part of an item. Refused: characters RFC 3986 does not allow,
 * incomplete or wrong escapes, `%00`, text that is not UTF-8 once decoded, dot
 * segments (escaped ones too), a parameter given twice, more than 16. `+` is a
 * plus sign.
 *
 * Pure; no allocation. Ownership: results point into the target or into the
 * space the caller lends (as many bytes as the target has).
 */
#ifndef QUERYAPI_URI_H
#define QUERYAPI_URI_H

#include <projector/event.h>

#include <stdbool.h>
#include <stddef.h>

enum { URI_MAX_SEGMENTS = 8, URI_MAX_PARAMS = 16 };

struct uri_param {
	struct pj_str name; /* decoded */
	struct pj_str raw;  /* the value as it came; uri_decode() */
};

struct uri {
	struct pj_str segments[URI_MAX_SEGMENTS]; /* decoded; may be empty */
	size_t n_segments; /* URI_MAX_SEGMENTS + 1 = there are more */
	struct uri_param params[URI_MAX_PARAMS];
	size_t n_params;
};

/* 0, or -1 with *ret_detail a static text. */
int
uri_parse(struct pj_str target, char *space, struct uri *ret_uri,
	  const char **ret_detail) __attribute__((warn_unused_result));

/* Whether it is the parameter of that name. */
bool
uri_is_named(const struct uri_param *param, const char *name);

/* Decodes into out (raw.len bytes of room). */
int
uri_decode(struct pj_str raw, char *out, struct pj_str *ret_text,
	   const char **ret_detail) __attribute__((warn_unused_result));

#endif
