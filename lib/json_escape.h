/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One escape of a JSON string, from its backslash.
 */
#ifndef LIB_JSON_ESCAPE_H
#define LIB_JSON_ESCAPE_H

#include <stdbool.h>

/*
 * Writes the character at *out, as UTF-8 and never longer than its escape, and
 * moves *out behind it; sets *has_nul for U+0000. Returns where the escape
 * ends, or NULL with *ret_fault saying what is wrong with it.
 */
const char *
json_escape(const char *p, const char *end, char **out, bool *has_nul,
	    const char **ret_fault);

#endif
