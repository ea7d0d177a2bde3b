/* SPDX-License-Identifier: Apache-2.0 */
/* libconfuse, behind the scan of config_scan.c. */
#include "lib/config.h"

#include <confuse.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cli.h"
#include "lib/mem.h"

/*
 * Every value is a string to libconfuse: units, ranges and choices are ours.
 * The option array of one section; names are borrowed until cfg_init() has
 * copied them. An open section takes the keys that the scan found.
 */
static cfg_opt_t *
section_options(const struct config_section *sec, const struct config *conf)
{
	cfg_opt_t end = CFG_END();
	cfg_opt_t *opts = NULL;
	size_t n = 0, cap = 0;

	for (const struct config_key *key = sec->keys; key && key->name;
	     key++) {
		cfg_opt_t one = CFG_STR(key->name, NULL, CFGF_NODEFAULT);
		cfg_opt_t list = CFG_STR_LIST(key->name, NULL, CFGF_NODEFAULT);

		MEM_GROW(opts, n, cap);
		opts[n++] = config_is_list(key->type) ? list : one;
	}
	for (size_t i = 0; i < conf->n_items; i++) {
		const struct config_item *it = &conf->items[i];
		cfg_opt_t one = CFG_STR(it->name, NULL, CFGF_NODEFAULT);
		bool known = it->section != sec || it->key || !it->name;

		for (size_t k = 0; k < n && !known; k++)
			known = strcmp(opts[k].name, it->name) == 0;
		if (known)
			continue;
		MEM_GROW(opts, n, cap);
		opts[n++] = one;
	}
	MEM_GROW(opts, n, cap);
	opts[n] = end;
	return opts;
}

/* The whole tree; the caller frees it with its subopts. */
static cfg_opt_t *
root_options(const struct config_section *sections, const struct config *conf)
{
	cfg_opt_t end = CFG_END();
	cfg_opt_t *opts;
	size_t n = 0;

	while (sections[n].name)
		n++;
	opts = mem_calloc(n + 1, sizeof(*opts));
	for (size_t i = 0; i < n; i++) {
		cfg_opt_t *subopts = section_options(&sections[i], conf);
		cfg_opt_t plain = CFG_SEC(sections[i].name, subopts, CFGF_NONE);
		cfg_opt_t titled =
			CFG_SEC(sections[i].name, subopts,
				CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES);

		opts[i] = sections[i].titled ? titled : plain;
	}
	opts[n] = end;
	return opts;
}

static void
free_options(cfg_opt_t *opts)
{
	for (size_t i = 0; opts[i].name; i++)
		free(opts[i].subopts);
	free(opts);
}

/*
 * libconfuse's error callback has no user pointer, so the text waits here: it
 * is called on the thread that parses, and there is one.
 */
static char library_text[PJ_ERROR_TEXT / 2];

static void __attribute__((format(printf, 2, 0)))
keep_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	(void)cfg;
	(void)vsnprintf(library_text, sizeof(library_text), fmt, ap);
}

static int
copy_values(cfg_t *root, const char *name, struct config_item *it,
	    struct pj_error *err)
{
	size_t expected = it->n_values, n;
	cfg_t *sec = it->section->titled
			     ? cfg_gettsec(root, it->section->name, it->title)
			     : cfg_getsec(root, it->section->name);
	cfg_opt_t *opt = sec ? cfg_getopt(sec, it->name) : NULL;

	n = opt ? cfg_opt_size(opt) : 0;
	it->n_values = 0;
	if (!opt || n != expected)
		return pj_error_set(err, PJ_ERROR_CONFIG,
				    "%s:%u: the values of '%s' cannot be read",
				    name, it->line, it->name);
	it->values = mem_calloc(n + 1, sizeof(*it->values));
	for (size_t i = 0; i < n; i++) {
		const char *text = cfg_opt_getnstr(opt, (unsigned)i);

		it->values[i] = mem_strdup(text ? text : "");
	}
	it->n_values = n;
	return 0;
}

int
config_parse(const char *name, const char *text, size_t len,
	     const struct config_section *sections, struct config *ret_conf,
	     struct pj_error *err)
{
	struct config conf = {0};
	struct buf clean = BUF_INIT;
	cfg_opt_t *opts = NULL;
	cfg_t *root = NULL;
	int ret = -1;

	if (config_scan(name, text, len, sections, &conf, &clean, err))
		goto out;
	opts = root_options(sections, &conf);
	root = cfg_init(opts, CFGF_NONE);
	if (!root) {
		(void)pj_error_set(err, PJ_ERROR_FATAL, "%s: libconfuse failed",
				   name);
		goto out;
	}
	library_text[0] = '\0';
	(void)cfg_set_error_function(root, keep_error);
	if (cfg_parse_buf(root, clean.data) != CFG_SUCCESS) {
		(void)pj_error_set(err, PJ_ERROR_CONFIG, "%s: %s", name,
				   library_text);
		goto out;
	}
	for (size_t i = 0; i < conf.n_items; i++)
		if (conf.items[i].name &&
		    copy_values(root, name, &conf.items[i], err))
			goto out;
	*ret_conf = conf;
	memset(&conf, 0, sizeof(conf));
	ret = 0;
out:
	if (root)
		(void)cfg_free(root);
	if (opts)
		free_options(opts);
	/* The text may hold secrets, but so do the caller's copies of it. */
	buf_release(&clean);
	config_release(&conf);
	return ret;
}

void
config_release(struct config *conf)
{
	for (size_t i = 0; i < conf->n_items; i++) {
		struct config_item *it = &conf->items[i];

		/* values is NULL while only the scan has counted them. */
		for (size_t k = 0; it->values && k < it->n_values; k++)
			free(it->values[k]);
		free(it->values);
		free(it->title);
		free(it->name);
	}
	free(conf->items);
	memset(conf, 0, sizeof(*conf));
}

const struct config_section *
config_find_section(const struct config_section *sections, const char *name)
{
	for (; sections->name; sections++)
		if (strcmp(sections->name, name) == 0)
			return sections;
	return NULL;
}

const struct config_key *
config_find_key(const struct config_section *sec, const char *name)
{
	for (const struct config_key *key = sec->keys; key && key->name; key++)
		if (strcmp(key->name, name) == 0)
			return key;
	return NULL;
}

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGIT "0123456789"

bool
config_is_title(const char *text)
{
	size_t len = strlen(text);

	/* 249 is Kafka's limit for a topic's name. */
	return len > 0 && len <= 249 &&
	       strspn(text, LOWER UPPER DIGIT "._-") == len;
}

bool
config_is_open_key(const char *text)
{
	return *text && text[strspn(text, LOWER DIGIT "_")] == '\0';
}

enum { MAX_NAMES = 64 };

static int
unknown(const char *place, const char *what, const char *name,
	const char *where, const char *const *names, size_t n,
	struct pj_error *err)
{
	char shown[CONFIG_SHOWN];
	const char *near = cli_nearest(name, names, n);

	return pj_error_set(err, PJ_ERROR_CONFIG,
			    "%s: unknown %s '%s'%s%s%s%s%s", place, what,
			    config_shown(shown, name), where ? " in " : "",
			    where ? where : "", near ? " (did you mean '" : "",
			    near ? near : "", near ? "'?)" : "");
}

int
config_unknown_section(const struct config_section *sections, const char *place,
		       const char *name, struct pj_error *err)
{
	const char *names[MAX_NAMES];
	size_t n = 0;

	for (; sections->name && n < MAX_NAMES; sections++)
		names[n++] = sections->name;
	return unknown(place, "section", name, NULL, names, n, err);
}

int
config_unknown_key(const struct config_section *sec, const char *place,
		   const char *name, struct pj_error *err)
{
	const char *names[MAX_NAMES];
	size_t n = 0;

	for (const struct config_key *key = sec->keys;
	     key && key->name && n < MAX_NAMES; key++)
		names[n++] = key->name;
	return unknown(place, "key", name, sec->name, names, n, err);
}
