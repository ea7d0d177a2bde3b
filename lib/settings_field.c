/* SPDX-License-Identifier: Apache-2.0 */
/* Fields of struct settings, reached by offset. */
#include "lib/settings_table.h"

#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"

static void *
field(const struct config_key *key, void *base)
{
	return (char *)base + key->offset;
}

static size_t *
counter(const struct config_key *key, void *base)
{
	return (size_t *)(void *)((char *)base + key->counter);
}

static void
free_pairs(struct settings_pair *pairs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(pairs[i].name);
		free(pairs[i].value);
	}
	free(pairs);
}

/* The items of a list, and the list. */
static void
free_list(const struct config_key *key, void *base)
{
	char ***at = field(key, base);

	for (size_t i = 0; i < *counter(key, base); i++)
		free((*at)[i]);
	free(*at);
	*at = NULL;
	*counter(key, base) = 0;
}

void
settings_field_free(const struct config_section *sec, void *base)
{
	for (const struct config_key *key = sec->keys; key->name; key++) {
		void *at = field(key, base);

		if (key->type == CONFIG_TEXT || key->type == CONFIG_CHOICE)
			free(*(char **)at);
		else if (key->type == CONFIG_PAIRS)
			free_pairs(*(struct settings_pair **)at,
				   *counter(key, base));
		else if (key->type == CONFIG_LIST)
			free_list(key, base);
	}
}

static void
set_text(char **at, const char *text)
{
	char *copy = text ? mem_strdup(text) : NULL;

	free(*at);
	*at = copy;
}

static void
set_number(const struct config_key *key, void *at, uint64_t number)
{
	if (key->width == sizeof(uint32_t))
		*(uint32_t *)at = (uint32_t)number;
	else
		*(uint64_t *)at = number;
}

/* Replaces the value of that name, or appends; value is copied. */
static void
put_pair(struct settings_pair **pairs, size_t *n, const char *name,
	 size_t name_len, const char *value)
{
	struct settings_pair *pair;

	for (size_t i = 0; i < *n; i++) {
		if (strlen((*pairs)[i].name) == name_len &&
		    memcmp((*pairs)[i].name, name, name_len) == 0) {
			set_text(&(*pairs)[i].value, value);
			return;
		}
	}
	*pairs = mem_reallocarray(*pairs, *n + 1, sizeof(**pairs));
	pair = &(*pairs)[(*n)++];
	pair->name = mem_strndup(name, name_len);
	pair->value = mem_strdup(value);
}

/* Within one list a name stands once; across layers the later wins. */
static int
set_pairs(const struct config_key *key, void *base, const char *const *values,
	  size_t n, const char *place, const char *what, struct pj_error *err)
{
	char shown[CONFIG_SHOWN];

	for (size_t i = 0; i < n; i++) {
		size_t len = strcspn(values[i], "=");

		/* The value may be a secret: an error shows no part of it. */
		if (len == 0 || values[i][len] != '=')
			return pj_error_set(
				err, PJ_ERROR_CONFIG,
				"%s: %s: entry %zu must be \"name=value\"",
				place, what, i + 1);
		for (size_t k = 0; k < i; k++) {
			char *name;

			if (strncmp(values[k], values[i], len + 1) != 0)
				continue;
			name = mem_strndup(values[i], len);
			(void)pj_error_set(err, PJ_ERROR_CONFIG,
					   "%s: %s: '%s' is here twice", place,
					   what, config_shown(shown, name));
			free(name);
			return -1;
		}
	}
	for (size_t i = 0; i < n; i++) {
		size_t len = strcspn(values[i], "=");

		put_pair((struct settings_pair **)field(key, base),
			 counter(key, base), values[i], len,
			 values[i] + len + 1);
	}
	return 0;
}

/* The later layer's list replaces the earlier one's. */
static int
set_list(const struct config_key *key, void *base, const char *const *values,
	 size_t n, const char *place, const char *what, struct pj_error *err)
{
	char ***at = field(key, base);

	for (size_t i = 0; i < n; i++)
		if (!*values[i])
			return pj_error_set(err, PJ_ERROR_CONFIG,
					    "%s: %s: entry %zu is empty", place,
					    what, i + 1);
	free_list(key, base);
	if (n == 0)
		return 0;
	*at = mem_calloc(n, sizeof(**at));
	for (size_t i = 0; i < n; i++)
		(*at)[i] = mem_strdup(values[i]);
	*counter(key, base) = n;
	return 0;
}

static int
set_one(const struct config_key *key, void *at, const char *text,
	const char *place, const char *what, struct pj_error *err)
{
	uint64_t number;
	unsigned index;

	switch (key->type) {
	case CONFIG_BOOL:
		return config_bool(text, place, what, at, err);
	case CONFIG_COUNT:
	case CONFIG_MS:
	case CONFIG_BYTES:
		if (config_number(key, text, place, what, &number, err))
			return -1;
		set_number(key, at, number);
		return 0;
	case CONFIG_ENUM:
	case CONFIG_CHOICE:
		if (config_choice(key, text, place, what, &index, err))
			return -1;
		if (key->type == CONFIG_ENUM)
			memcpy(at, &index, sizeof(index));
		else
			set_text(at, text);
		return 0;
	default:
		set_text(at,
			 !*text && (key->flags & CONFIG_UNSET) ? NULL : text);
		return 0;
	}
}

int
settings_field_set(const struct config_key *key, void *base,
		   const char *const *values, size_t n, const char *place,
		   const char *what, struct pj_error *err)
{
	if ((key->flags & CONFIG_REQUIRED) && (n == 0 || !*values[0]))
		return pj_error_set(err, PJ_ERROR_CONFIG,
				    "%s: %s may not be empty", place, what);
	if (key->type == CONFIG_PAIRS)
		return set_pairs(key, base, values, n, place, what, err);
	if (key->type == CONFIG_LIST)
		return set_list(key, base, values, n, place, what, err);
	return set_one(key, field(key, base), n ? values[0] : "", place, what,
		       err);
}

int
settings_option_set(struct settings_projection *proj, const char *name,
		    const char *value, const char *place, const char *what,
		    struct pj_error *err)
{
	char shown[CONFIG_SHOWN];
	const char *digits = value + (*value == '-');
	size_t len = strspn(digits, "0123456789");

	/* The module's own table knows the range; 18 digits fit any int64. */
	if (len == 0 || len > 18 || digits[len])
		return pj_error_set(err, PJ_ERROR_CONFIG,
				    "%s: %s is '%s', but must be an integer",
				    place, what, config_shown(shown, value));
	put_pair(&proj->options, &proj->n_options, name, strlen(name), value);
	return 0;
}

void
settings_field_defaults(const struct config_section *sec, void *base)
{
	struct pj_error err;

	for (const struct config_key *key = sec->keys; key->name; key++) {
		const char *def = key->def ? key->def : "";

		if (config_is_list(key->type))
			continue;
		/* A default that does not fit its own row is our bug. */
		if (settings_field_set(key, base, &def, 1, "default", key->name,
				       &err))
			abort();
	}
}

/* The arrays have different element types: their pointers go by memcpy. */
size_t
settings_elements(const struct settings *set, const struct config_section *sec,
		  char **ret_first)
{
	const char *base = (const char *)set;
	size_t n;

	memcpy(ret_first, base + sec->offset, sizeof(*ret_first));
	memcpy(&n, base + sec->counter, sizeof(n));
	return n;
}

void *
settings_element(struct settings *set, const struct config_section *sec,
		 const char *title)
{
	char *name = NULL, *first, *element;
	size_t n = settings_elements(set, sec, &first);

	for (size_t i = 0; i < n; i++) {
		element = first + i * sec->size;
		memcpy(&name, element, sizeof(name));
		if (strcmp(name, title) == 0)
			return element;
	}
	first = mem_reallocarray(first, n + 1, sec->size);
	element = first + n * sec->size;
	memset(element, 0, sec->size);
	name = mem_strdup(title);
	memcpy(element, &name, sizeof(name));
	settings_field_defaults(sec, element);
	n++;
	memcpy((char *)set + sec->offset, &first, sizeof(first));
	memcpy((char *)set + sec->counter, &n, sizeof(n));
	return element;
}
