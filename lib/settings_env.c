/* SPDX-License-Identifier: Apache-2.0 */
/* Names of environment variables ↔ settings of untitled sections. */
#include "lib/settings_table.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cli.h"
#include "lib/mem.h"

#define PREFIX	    "SHOPVIEW_"
#define FILE_SUFFIX "_file"

static void
add_upper(struct buf *out, const char *text)
{
	for (; *text; text++)
		buf_addch(out, (char)toupper((unsigned char)*text));
}

void
settings_env_name(struct buf *out, const struct config_section *sec,
		  const struct config_key *key)
{
	buf_addstr(out, PREFIX);
	add_upper(out, sec->name);
	buf_addch(out, '_');
	add_upper(out, key->name);
}

/*
 * Kubernetes sets SHOPVIEW_QUERYAPI_SERVICE_HOST, …_PORT, …_PORT_8080_TCP and
 * more for a service called shopview-queryapi: those are not settings.
 */
static bool
is_service_link(const char *key)
{
	return strncmp(key, "service_", 8) == 0 || strcmp(key, "port") == 0 ||
	       (strncmp(key, "port_", 5) == 0 &&
		isdigit((unsigned char)key[5]));
}

/* key, or key + "_file" */
static const struct config_key *
find(const struct config_section *sec, const char *name, bool *ret_file)
{
	const struct config_key *key = config_find_key(sec, name);
	size_t len = strlen(name), suffix = strlen(FILE_SUFFIX);
	char *plain;

	*ret_file = false;
	if (key || len <= suffix ||
	    strcmp(name + len - suffix, FILE_SUFFIX) != 0)
		return key;
	plain = mem_strndup(name, len - suffix);
	key = config_find_key(sec, plain);
	free(plain);
	*ret_file = key != NULL;
	return key;
}

/* The untitled section that begins `name`, with *ret_key behind it. */
static const struct config_section *
find_section(const char *name, const char **ret_key)
{
	for (const struct config_section *sec = settings_sections; sec->name;
	     sec++) {
		size_t len = strlen(sec->name);

		if (sec->titled || strncmp(name, sec->name, len) != 0 ||
		    name[len] != '_')
			continue;
		*ret_key = name + len + 1;
		return sec;
	}
	return NULL;
}

/*
 * SHOPVIEW_SUORCE_TYPE: no section of ours, but its key is one of the section
 * that is meant. Other names with the prefix belong to somebody else.
 */
static bool
is_misspelt(const char *place, const char *name, struct pj_error *err)
{
	const char *names[16], *near, *rest = strchr(name, '_');
	size_t n = 0;
	bool file, ret = false;
	char *first;

	if (!rest)
		return false;
	for (const struct config_section *sec = settings_sections; sec->name;
	     sec++)
		if (!sec->titled && n < sizeof(names) / sizeof(*names))
			names[n++] = sec->name;
	first = mem_strndup(name, (size_t)(rest - name));
	near = cli_nearest(first, names, n);
	if (near && find(config_find_section(settings_sections, near), rest + 1,
			 &file)) {
		(void)config_unknown_section(settings_sections, place, first,
					     err);
		ret = true;
	}
	free(first);
	return ret;
}

const struct config_key *
settings_env_key(const char *name, const struct config_section **ret_section,
		 bool *ret_file, bool *ret_refused, struct pj_error *err)
{
	char *lower = mem_strdup(name + strlen(PREFIX));
	const struct config_key *key = NULL;
	const struct config_section *sec;
	const char *rest;

	*ret_refused = false;
	for (char *c = lower; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	sec = find_section(lower, &rest);
	if (!sec) {
		*ret_refused = is_misspelt(name, lower, err);
		goto out;
	}
	key = find(sec, rest, ret_file);
	if (!key && !is_service_link(rest)) {
		(void)config_unknown_key(sec, name, rest, err);
		*ret_refused = true;
	}
	*ret_section = sec;
out:
	free(lower);
	return key;
}
