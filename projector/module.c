/* SPDX-License-Identifier: Apache-2.0 */
#include "projector/module.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cli.h"
#include "lib/mem.h"
#include "lib/readmodel.h"
#include "projector/module_check.h"

static bool
is_directory(const char *path)
{
	DIR *dir = opendir(path);

	if (dir)
		(void)closedir(dir);
	return dir != NULL;
}

char *
module_dir(const char *setting)
{
	char exe[PATH_MAX];
	ssize_t len;
	char *slash, *dir;

	if (setting && *setting)
		return mem_strdup(setting);
	len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	if (len > 0) {
		exe[len] = '\0';
		slash = strrchr(exe, '/');
		*slash = '\0';
		/* The build tree: build/release/{projector,projections}. */
		dir = mem_printf("%s/../projections", exe);
		if (is_directory(dir))
			return dir;
		free(dir);
	}
	return mem_strdup(SHOPVIEW_LIBDIR "/shopview/projections");
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int
module_names(const char *dir, char ***ret_names, size_t *ret_n,
	     struct pj_error *err)
{
	DIR *d = opendir(dir);
	struct dirent *ent;
	char **names = NULL;
	size_t n = 0, cap = 0;

	if (!d)
		return pj_error_set(err, PJ_ERROR_CONFIG,
				    "projector.modules: cannot read '%s': %s",
				    dir, strerror(errno));
	while ((ent = readdir(d))) {
		size_t len = strlen(ent->d_name);

		if (len < 4 || strcmp(ent->d_name + len - 3, ".so") != 0)
			continue;
		MEM_GROW(names, n, cap);
		names[n++] = mem_strndup(ent->d_name, len - 3);
	}
	(void)closedir(d);
	if (n == 0)
		return pj_error_set(err, PJ_ERROR_CONFIG,
				    "projector.modules: no module in '%s'",
				    dir);
	qsort(names, n, sizeof(*names), by_text);
	*ret_names = names;
	*ret_n = n;
	return 0;
}

static const struct pj_option *
find_option(const struct pj_option *table, const char *name, size_t *ret_index)
{
	for (size_t i = 0; table && table[i].name; i++)
		if (strcmp(table[i].name, name) == 0) {
			*ret_index = i;
			return &table[i];
		}
	return NULL;
}

static int
unknown_option(const struct module *mod,
	       const struct settings_projection *section, const char *name,
	       struct pj_error *err)
{
	const char *names[64];
	const char *near;
	size_t n = 0;

	for (const struct pj_option *o = mod->desc->options;
	     o && o->name && n < 64; o++)
		names[n++] = o->name;
	near = cli_nearest(name, names, n);
	if (near)
		return pj_error_set(err, PJ_ERROR_CONFIG,
				    "%s: unknown option '%s' of projection %s "
				    "(did you mean '%s'?)",
				    section->place, name, section->name, near);
	return pj_error_set(err, PJ_ERROR_CONFIG,
			    "%s: unknown option '%s' of projection %s "
			    "(it has %zu options)",
			    section->place, name, section->name, n);
}

static int
set_option(struct module *mod, const struct settings_projection *section,
	   const struct settings_pair *pair, struct pj_error *err)
{
	size_t i = 0;
	const struct pj_option *o =
		find_option(mod->desc->options, pair->name, &i);
	char *end;
	long long value;

	if (!o)
		return unknown_option(mod, section, pair->name, err);
	errno = 0;
	value = strtoll(pair->value, &end, 10);
	if (errno || *end || end == pair->value || value < o->min ||
	    value > o->max)
		return pj_error_set(err, PJ_ERROR_CONFIG,
				    "%s: option %s of projection %s: expected "
				    "an integer from %" PRId64 " to %" PRId64
				    ", found '%s'",
				    section->place, o->name, section->name,
				    o->min, o->max, pair->value);
	mod->option_values[i] = value;
	return 0;
}

static int
set_options(struct module *mod, const struct settings_projection *section,
	    struct pj_error *err)
{
	size_t n = 0;

	while (mod->desc->options && mod->desc->options[n].name)
		n++;
	mod->option_values = mem_calloc(n, sizeof(*mod->option_values));
	for (size_t i = 0; i < n; i++)
		mod->option_values[i] = mod->desc->options[i].def;
	mod->options.values = mod->option_values;
	for (size_t i = 0; section && i < section->n_options; i++)
		if (set_option(mod, section, &section->options[i], err))
			return -1;
	return 0;
}

int
module_adopt(const struct pj_projection *desc, const char *name,
	     const char *file, const struct settings_projection *section,
	     struct module **ret_module, struct pj_error *err)
{
	struct module *mod;
	size_t size;

	if (module_check(desc, name, file, err))
		return -1;
	mod = mem_calloc(1, sizeof(*mod));
	size = desc->size < sizeof(*desc) ? desc->size : sizeof(*desc);
	memcpy(&mod->copy, desc, size);
	mod->desc = &mod->copy;
	if (set_options(mod, section, err)) {
		module_free(mod);
		return -1;
	}
	*ret_module = mod;
	return 0;
}

static int
unknown_projection(const char *dir, const char *name, struct pj_error *err)
{
	char **names = NULL;
	const char *near = NULL;
	size_t n = 0;

	if (module_names(dir, &names, &n, err))
		return -1;
	near = cli_nearest(name, (const char *const *)names, n);
	(void)pj_error_set(err, PJ_ERROR_CONFIG,
			   "no projection '%s' in %s%s%s%s", name, dir,
			   near ? " (did you mean '" : "", near ? near : "",
			   near ? "'?)" : "");
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	free(names);
	return -1;
}

int
module_load(const char *dir, const char *name,
	    const struct settings_projection *section,
	    struct module **ret_module, struct pj_error *err)
{
	const struct pj_projection *(*entry)(void);
	char *file = mem_printf("%s/%s.so", dir, name);
	char symbol[64];
	void *handle;
	int rc = -1;

	if (!readmodel_is_projection_name(name)) {
		(void)pj_error_set(err, PJ_ERROR_CONFIG,
				   "projection '%s': a name is [a-z][a-z0-9_]"
				   "{0,31}",
				   name);
		goto out;
	}
	(void)snprintf(symbol, sizeof(symbol), "pj_projection_%s", name);
	if (access(file, F_OK)) {
		(void)unknown_projection(dir, name, err);
		goto out;
	}
	handle = dlopen(file, RTLD_NOW | RTLD_LOCAL);
	if (!handle) {
		(void)pj_error_set(err, PJ_ERROR_CONFIG, "projection %s: %s",
				   name, dlerror());
		goto out;
	}
	*(void **)&entry = dlsym(handle, symbol);
	if (!entry) {
		(void)pj_error_set(err, PJ_ERROR_CONFIG,
				   "%s: expected the function %s, found none",
				   file, symbol);
		goto out;
	}
	rc = module_adopt(entry(), name, file, section, ret_module, err);
out:
	free(file);
	return rc;
}

void
module_free(struct module *mod)
{
	if (!mod)
		return;
	free(mod->option_values);
	free(mod);
}

const struct pj_reads *
module_reads(const struct module *mod, const struct pj_event *ev)
{
	const struct pj_topic *topic = pj_event_topic(ev);
	int type = pj_event_type(ev);

	for (const struct pj_reads *r = mod->desc->reads; r->topic; r++) {
		if (r->topic != topic &&
		    strcmp(r->topic->name, topic->name) != 0)
			continue;
		if (type == PJ_TOMBSTONE)
			return module_is_keyed_by_record(mod) ? r : NULL;
		return r->types & PJ_BIT(type) ? r : NULL;
	}
	return NULL;
}

bool
module_is_keyed_by_record(const struct module *mod)
{
	const struct pj_option *option = mod->desc->options;

	if (!(mod->desc->flags & PJ_KEYED_BY_RECORD))
		return false;
	for (size_t i = 0; option && option[i].name; i++)
		if (option[i].splits_key &&
		    mod->options.values[i] != option[i].def)
			return false;
	return true;
}

size_t
module_n_topics(const struct module *mod)
{
	size_t n = 0;

	while (mod->desc->reads[n].topic)
		n++;
	return n;
}

bool
module_reads_topic(const struct module *mod, const char *topic)
{
	for (const struct pj_reads *r = mod->desc->reads; r->topic; r++)
		if (strcmp(r->topic->name, topic) == 0)
			return true;
	return false;
}
