/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading: defaults, then the file, the environment and -s, each through the
 * same apply(); then the checks across settings.
 */
#include "lib/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/mem.h"
#include "lib/settings_table.h"

extern char **environ;

struct load {
	struct settings *set;
	struct settings_origins origins;
	struct pj_error *err;
};

static void
remember(struct load *ld, const struct config_section *sec, const char *title,
	 const char *key, const char *place)
{
	struct settings_origins *all = &ld->origins;
	struct settings_origin *row;

	MEM_GROW(all->rows, all->n, all->cap);
	row = &all->rows[all->n++];
	row->section = sec;
	row->title = title ? mem_strdup(title) : NULL;
	row->key = key ? mem_strdup(key) : NULL;
	row->place = mem_strdup(place);
}

const char *
settings_origin(const struct settings_origins *origins, const char *section,
		const char *title, const char *key)
{
	const char *place = "defaults";

	/* The key's own place is better than its section's; newer is better. */
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < origins->n; i++) {
			const struct settings_origin *row = &origins->rows[i];

			if (strcmp(row->section->name, section) != 0 ||
			    (title &&
			     (!row->title || strcmp(row->title, title) != 0)))
				continue;
			if (pass == 0 ? !row->key
				      : row->key && key &&
						strcmp(row->key, key) == 0)
				place = row->place;
		}
	}
	return place;
}

static void *
base_of(struct load *ld, const struct config_section *sec, const char *title)
{
	return sec->titled ? settings_element(ld->set, sec, title) : ld->set;
}

/* Names a section: makes it, and tells a projection where it stands. */
static void
apply_head(struct load *ld, const struct config_section *sec, const char *title,
	   const char *place)
{
	void *base = base_of(ld, sec, title);

	if (sec->open) {
		struct settings_projection *proj = base;

		if (!proj->place)
			proj->place = mem_strdup(place);
	}
	remember(ld, sec, title, NULL, place);
}

/* One setting; the section's head was applied before. */
static int
apply(struct load *ld, const struct config_section *sec, const char *title,
      const char *name, const char *const *values, size_t n, const char *place)
{
	const struct config_key *key = config_find_key(sec, name);
	void *base = base_of(ld, sec, title);
	char *what = mem_printf("%s%s%s.%s", sec->name, title ? "." : "",
				title ? title : "", name);
	int ret;

	if (key)
		ret = settings_field_set(key, base, values, n, place, what,
					 ld->err);
	else
		ret = settings_option_set(base, name, n ? values[0] : "", place,
					  what, ld->err);
	if (!ret)
		remember(ld, sec, title, name, place);
	free(what);
	return ret;
}

static int
read_failed(const char *path, const char *place, const char *why,
	    struct pj_error *err)
{
	return pj_error_set(err, PJ_ERROR_CONFIG, "%s%s%s: %s",
			    place ? place : "", place ? ": " : "", path, why);
}

/* The bytes of a file as text, at most `limit`; the caller frees. */
static int
read_file(const char *path, size_t limit, const char *place, char **ret_text,
	  size_t *ret_len, struct pj_error *err)
{
	FILE *in = fopen(path, "re");
	struct buf text = BUF_INIT;
	int ret = -1;

	if (!in) {
		(void)read_failed(path, place, strerror(errno), err);
		return -1;
	}
	buf_add(&text, "", 0);
	while (text.len <= limit) {
		size_t n;

		buf_reserve(&text, 4096);
		n = fread(text.data + text.len, 1, 4096, in);
		text.len += n;
		text.data[text.len] = '\0';
		if (n == 0)
			break;
	}
	if (ferror(in)) {
		(void)read_failed(path, place, strerror(errno), err);
	} else if (text.len > limit) {
		(void)read_failed(path, place, "the file is too large", err);
	} else {
		*ret_text = buf_detach(&text, ret_len);
		ret = 0;
	}
	(void)fclose(in);
	buf_release(&text);
	return ret;
}

static int
load_file(struct load *ld, const char *path)
{
	struct config conf = {0};
	char *text = NULL;
	size_t len = 0;
	int ret = -1;

	if (read_file(path, CONFIG_MAX_BYTES, NULL, &text, &len, ld->err))
		return -1;
	if (config_parse(path, text, len, settings_sections, &conf, ld->err))
		goto out;
	for (size_t i = 0; i < conf.n_items; i++) {
		const struct config_item *it = &conf.items[i];
		char *place = mem_printf("%s:%u", path, it->line);
		int failed = 0;

		if (!it->name)
			apply_head(ld, it->section, it->title, place);
		else
			failed = apply(ld, it->section, it->title, it->name,
				       (const char *const *)it->values,
				       it->n_values, place);
		free(place);
		if (failed)
			goto out;
	}
	ret = 0;
out:
	config_release(&conf);
	free(text);
	return ret;
}

/* Splits text in place; an empty text gives no parts. */
static char **
split(char *text, char at, size_t *ret_n)
{
	char **parts = NULL;
	size_t n = 0, cap = 0;

	while (text && *text) {
		char *end = strchr(text, at);

		if (end)
			*end++ = '\0';
		MEM_GROW(parts, n, cap);
		parts[n++] = text;
		text = end;
	}
	*ret_n = n;
	return parts;
}

/*
 * A value that is not from a file: items of a list are separated by commas,
 * name=value pairs by line ends, because their values hold commas.
 */
static int
apply_text(struct load *ld, const struct config_section *sec, const char *title,
	   const char *name, const char *text, const char *place)
{
	const struct config_key *key = config_find_key(sec, name);
	char *copy, **parts;
	size_t n;
	int ret;

	if (!key || !config_is_list(key->type))
		return apply(ld, sec, title, name, &text, 1, place);
	copy = mem_strdup(text);
	parts = split(copy, key->type == CONFIG_LIST ? ',' : '\n', &n);
	ret = apply(ld, sec, title, name, (const char *const *)parts, n, place);
	free(parts);
	free(copy);
	return ret;
}

/* The value of NAME_FILE: the file's text without its last line end. */
static int
read_value(const char *name, const char *path, char **ret_text,
	   struct pj_error *err)
{
	char *text;
	size_t len;

	if (read_file(path, 64 << 10, name, &text, &len, err))
		return -1;
	if (strlen(text) != len) {
		free(text);
		return read_failed(path, name, "holds a NUL byte", err);
	}
	if (len > 0 && text[len - 1] == '\n')
		text[--len] = '\0';
	if (len > 0 && text[len - 1] == '\r')
		text[--len] = '\0';
	*ret_text = text;
	return 0;
}

/* entry: "NAME=value" */
static int
load_variable(struct load *ld, const char *entry)
{
	const char *equals = strchr(entry, '=');
	const struct config_section *sec;
	const struct config_key *key;
	char *name, *plain, *text = NULL;
	bool from_file = false, refused = false;
	int ret = 0;

	if (!equals || strncmp(entry, "SHOPVIEW_", 9) != 0)
		return 0;
	name = mem_strndup(entry, (size_t)(equals - entry));
	key = settings_env_key(name, &sec, &from_file, &refused, ld->err);
	if (!key) {
		ret = refused ? -1 : 0;
		goto out;
	}
	if (from_file) {
		plain = mem_strndup(name, strlen(name) - strlen("_FILE"));
		if (getenv(plain))
			ret = pj_error_set(ld->err, PJ_ERROR_CONFIG,
					   "%s: %s is set as well", name,
					   plain);
		free(plain);
		if (ret || (ret = read_value(name, equals + 1, &text, ld->err)))
			goto out;
	}
	ret = apply_text(ld, sec, NULL, key->name, text ? text : equals + 1,
			 name);
out:
	free(text);
	free(name);
	return ret;
}

/* path: "section.key" or "section.title.key", taken apart in place. */
static int
load_override(struct load *ld, char *path, const char *value)
{
	char shown[CONFIG_SHOWN];
	char *place = mem_printf("-s %s", config_shown(shown, path));
	char *first = strchr(path, '.'), *last = strrchr(path, '.');
	const struct config_section *sec;
	const char *title = NULL;
	int ret = -1;

	if (first)
		*first = '\0';
	sec = config_find_section(settings_sections, path);
	if (!sec) {
		(void)config_unknown_section(settings_sections, place, path,
					     ld->err);
		goto out;
	}
	if (!first || (sec->titled && first == last)) {
		(void)pj_error_set(ld->err, PJ_ERROR_CONFIG,
				   "%s: expected %s%s.key=value", place,
				   sec->name, sec->titled ? ".NAME" : "");
		goto out;
	}
	if (sec->titled) {
		*last = '\0';
		title = first + 1;
		if (!config_is_title(title)) {
			(void)pj_error_set(ld->err, PJ_ERROR_CONFIG,
					   "%s: not a name for a %s", place,
					   sec->name);
			goto out;
		}
	} else {
		last = first;
	}
	if (!config_find_key(sec, last + 1) &&
	    !(sec->open && config_is_open_key(last + 1))) {
		(void)config_unknown_key(sec, place, last + 1, ld->err);
		goto out;
	}
	if (title)
		apply_head(ld, sec, title, place);
	ret = apply_text(ld, sec, title, last + 1, value, place);
out:
	free(place);
	return ret;
}

static int
load_overrides(struct load *ld, const char *const *overrides, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *equals = strchr(overrides[i], '=');
		char shown[CONFIG_SHOWN];
		char *path;
		int ret;

		if (!equals)
			return pj_error_set(ld->err, PJ_ERROR_CONFIG,
					    "-s %s: expected section.key=value",
					    config_shown(shown, overrides[i]));
		path = mem_strndup(overrides[i],
				   (size_t)(equals - overrides[i]));
		ret = load_override(ld, path, equals + 1);
		free(path);
		if (ret)
			return -1;
	}
	return 0;
}

static const char *
default_file(void)
{
	const char *file = getenv("SHOPVIEW_CONFIG");

	if (file && *file)
		return file;
	return access("shopview.conf", F_OK) == 0 ? "shopview.conf" : NULL;
}

static int
load_layers(struct load *ld, const char *file, const char *const *overrides,
	    size_t n)
{
	if (!file)
		file = default_file();
	if (file && load_file(ld, file))
		return -1;
	for (char **entry = environ; entry && *entry; entry++)
		if (load_variable(ld, *entry))
			return -1;
	if (load_overrides(ld, overrides, n))
		return -1;
	return settings_check(ld->set, &ld->origins, ld->err);
}

int
settings_load(const char *file, const char *const *overrides, size_t n,
	      struct settings **ret_settings, struct pj_error *err)
{
	struct load ld = {.err = err};
	int ret;

	ld.set = mem_calloc(1, sizeof(*ld.set));
	for (const struct config_section *sec = settings_sections; sec->name;
	     sec++)
		if (!sec->titled)
			settings_field_defaults(sec, ld.set);
	ret = load_layers(&ld, file, overrides, n);
	for (size_t i = 0; i < ld.origins.n; i++) {
		free(ld.origins.rows[i].title);
		free(ld.origins.rows[i].key);
		free(ld.origins.rows[i].place);
	}
	free(ld.origins.rows);
	if (ret)
		settings_free(ld.set);
	else
		*ret_settings = ld.set;
	return ret;
}

static void
free_elements(struct settings *set, const struct config_section *sec)
{
	char *first, *name;
	size_t n = settings_elements(set, sec, &first);

	for (size_t i = 0; i < n; i++) {
		memcpy(&name, first + i * sec->size, sizeof(name));
		free(name);
		settings_field_free(sec, first + i * sec->size);
	}
	free(first);
}

void
settings_free(struct settings *set)
{
	if (!set)
		return;
	for (size_t i = 0; i < set->n_projections; i++) {
		struct settings_projection *proj = &set->projections[i];

		for (size_t k = 0; k < proj->n_options; k++) {
			free(proj->options[k].name);
			free(proj->options[k].value);
		}
		free(proj->options);
		free(proj->place);
	}
	for (const struct config_section *sec = settings_sections; sec->name;
	     sec++) {
		if (sec->titled)
			free_elements(set, sec);
		else
			settings_field_free(sec, set);
	}
	free(set);
}

struct store_settings
settings_store(const struct settings *set, bool read_only, const char *app_name)
{
	return (struct store_settings){
		.type = set->store.type,
		.uri = set->store.uri,
		.database = set->store.database,
		.allow_standalone = set->store.allow_standalone,
		.path = set->store.path,
		.map_bytes = set->store.map_bytes,
		.read_only = read_only,
		.app_name = app_name,
	};
}
