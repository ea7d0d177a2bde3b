/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/golden/golden_case.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/buf.h"
#include "lib/mem.h"
#include "lib/readmodel.h"
#include "projector/archive_line.h"

static const size_t READ_FLAGS = JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES;

static void
give_up(const char *path, const char *why)
{
	fprintf(stderr, "golden: %s: %s\n", path, why);
	exit(1);
}

/* The file's bytes, ended by NUL; NULL when there is no such file. */
static char *
read_file(const char *dir, const char *name, size_t *ret_len)
{
	char *path = mem_printf("%s/%s", dir, name);
	FILE *file = fopen(path, "rb");
	struct buf bytes = BUF_INIT;
	char chunk[4096];
	size_t n;

	if (!file && errno != ENOENT)
		give_up(path, strerror(errno));
	if (!file) {
		free(path);
		return NULL;
	}
	while ((n = fread(chunk, 1, sizeof(chunk), file)) > 0)
		buf_add(&bytes, chunk, n);
	if (ferror(file))
		give_up(path, strerror(errno));
	(void)fclose(file);
	free(path);
	return buf_detach(&bytes, ret_len);
}

/* ---- JSON ------------------------------------------------------------------
 */

char *
golden_canonical(const char *json, size_t len)
{
	json_t *value = json_loadb(json, len, READ_FLAGS, NULL);
	char *text = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY)
			   : NULL;

	json_decref(value);
	return text;
}

/* The items of an array, each in its canonical form; strings as they are. */
static char **
read_array(const char *dir, const char *name, bool needed, size_t *ret_n)
{
	json_error_t why = {.text = "expected an array"};
	char *path = mem_printf("%s/%s", dir, name);
	char **items = NULL;
	json_t *array;
	char *bytes;
	size_t len;

	*ret_n = 0;
	bytes = read_file(dir, name, &len);
	if (!bytes && needed)
		give_up(path, "no such file");
	if (!bytes) {
		free(path);
		return NULL;
	}
	array = json_loadb(bytes, len, READ_FLAGS, &why);
	if (!json_is_array(array))
		give_up(path, why.text);
	*ret_n = json_array_size(array);
	items = mem_calloc(*ret_n, sizeof(*items));
	for (size_t i = 0; i < *ret_n; i++) {
		json_t *item = json_array_get(array, i);

		items[i] = json_is_string(item)
				   ? mem_strdup(json_string_value(item))
				   : json_dumps(item, JSON_COMPACT);
	}
	json_decref(array);
	free(bytes);
	free(path);
	return items;
}

/* ---- Lines and sources -----------------------------------------------------
 */

/* One number per topic-partition, in order of appearance. */
static void
number_sources(struct golden_case *c)
{
	struct archive_reader *reader = archive_reader_new();
	struct archive_line in;
	struct pj_error err;
	char **names = NULL;
	size_t cap = 0, n = 0;

	for (size_t i = 0; i < c->n_lines; i++) {
		size_t at = 0;
		char *name;

		if (archive_line_read(reader, c->lines[i].text, c->lines[i].len,
				      &in, &err))
			give_up(c->dir, err.text);
		name = mem_printf("%.*s/%d", (int)in.topic.len, in.topic.ptr,
				  (int)in.partition);
		while (at < n && strcmp(names[at], name) != 0)
			at++;
		c->lines[i].source = (int)at;
		if (at < n) {
			free(name);
			continue;
		}
		MEM_GROW(names, n, cap);
		names[n++] = name;
	}
	c->n_sources = (int)n;
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	free(names);
	archive_reader_free(reader);
}

static void
split_lines(struct golden_case *c, size_t len)
{
	const char *end = c->bytes + len;
	size_t cap = 0;

	for (const char *at = c->bytes; at < end;) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));

		if (!stop)
			give_up(c->dir, "events.ndjson: ends within a line");
		MEM_GROW(c->lines, c->n_lines, cap);
		c->lines[c->n_lines++] = (struct golden_line){
			.text = at, .len = (size_t)(stop - at)};
		at = stop + 1;
	}
	if (c->n_lines == 0)
		give_up(c->dir, "events.ndjson: no events");
}

/* ---- A case ----------------------------------------------------------------
 */

static void
read_options(struct golden_case *c)
{
	char *text = read_file(c->dir, "options", NULL);
	char *rest = text, *line;
	size_t cap = 0;

	c->options.name = c->projection;
	c->options.place = mem_printf("%s/options", c->dir);
	while (text && (line = strtok_r(rest, "\n", &rest))) {
		char *value = strchr(line, '=');

		if (!value)
			give_up(c->options.place, "expected name=value");
		*value++ = '\0';
		MEM_GROW(c->options.options, c->options.n_options, cap);
		c->options.options[c->options.n_options++] =
			(struct settings_pair){mem_strdup(line),
					       mem_strdup(value)};
	}
	free(text);
}

static struct golden_case *
case_read(const char *dir, const char *projection, const char *name)
{
	struct golden_case *c = mem_calloc(1, sizeof(*c));
	char *ordered;
	size_t len;

	c->dir = mem_strdup(dir);
	c->projection = mem_strdup(projection);
	c->name = mem_strdup(name);
	c->bytes = read_file(dir, "events.ndjson", &len);
	if (!c->bytes)
		give_up(dir, "events.ndjson: no such file");
	split_lines(c, len);
	number_sources(c);
	c->expected = read_array(dir, "expected.json", true, &c->n_expected);
	c->parked = read_array(dir, "parked.json", false, &c->n_parked);
	read_options(c);
	ordered = read_file(dir, "ordered", NULL);
	c->ordered = ordered != NULL;
	free(ordered);
	return c;
}

static void
free_strings(char **strings, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(strings[i]);
	free(strings);
}

static void
case_free(struct golden_case *c)
{
	for (size_t i = 0; i < c->options.n_options; i++) {
		free(c->options.options[i].name);
		free(c->options.options[i].value);
	}
	free(c->options.options);
	free(c->options.place);
	free_strings(c->expected, c->n_expected);
	free_strings(c->parked, c->n_parked);
	free(c->lines);
	free(c->bytes);
	free(c->name);
	free(c->projection);
	free(c->dir);
	free(c);
}

void
cases_release(struct golden_cases *cases)
{
	for (size_t i = 0; i < cases->n; i++)
		case_free(cases->all[i]);
	free(cases->all);
}

/* ---- Finding ---------------------------------------------------------------
 */

static int
is_visible(const struct dirent *ent)
{
	return ent->d_name[0] != '.';
}

static bool
is_folder(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static void
find_in(struct golden_cases *cases, const char *folder, const char *projection,
	const char *prefix)
{
	struct dirent **names = NULL;
	int n = scandir(folder, &names, is_visible, alphasort);

	for (int i = 0; i < n; i++) {
		char *dir = mem_printf("%s/%s", folder, names[i]->d_name);
		char *name = mem_printf("%s/%s", projection, names[i]->d_name);

		if (is_folder(dir) &&
		    strncmp(name, prefix, strlen(prefix)) == 0) {
			MEM_GROW(cases->all, cases->n, cases->cap);
			cases->all[cases->n++] =
				case_read(dir, projection, name);
		}
		free(name);
		free(dir);
		free(names[i]);
	}
	free(names);
}

/* ROOT/NAME/BELOW/CASE for every projection name under the root. */
static void
find_below(struct golden_cases *cases, const char *root, const char *below,
	   const char *prefix)
{
	struct dirent **names = NULL;
	int n = scandir(root, &names, is_visible, alphasort);

	for (int i = 0; i < n; i++) {
		const char *name = names[i]->d_name;
		char *folder = mem_printf("%s/%s%s", root, name, below);

		if (readmodel_is_projection_name(name) && is_folder(folder))
			find_in(cases, folder, name, prefix);
		free(folder);
		free(names[i]);
	}
	free(names);
}

void
cases_find(const char *prefix, struct golden_cases *ret_cases)
{
	memset(ret_cases, 0, sizeof(*ret_cases));
	find_below(ret_cases, "tests/golden", "", prefix);
	find_below(ret_cases, "projections", "/tests", prefix);
}
