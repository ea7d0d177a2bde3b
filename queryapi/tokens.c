/* SPDX-License-Identifier: Apache-2.0 */
#include "queryapi/tokens.h"

#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"

static char *
name_for_good(struct token_names *names, const char *name)
{
	for (size_t i = 0; i < names->n; i++)
		if (strcmp(names->all[i], name) == 0)
			return names->all[i];
	names->all =
		mem_reallocarray(names->all, names->n + 1, sizeof(*names->all));
	return names->all[names->n++] = mem_strdup(name);
}

struct tokens *
tokens_new(const struct settings *set, struct token_names *names)
{
	struct tokens *tks = mem_calloc(1, sizeof(*tks));

	atomic_init(&tks->refs, 1);
	tks->auth = auth_new(set);
	tks->n = set->n_tokens;
	tks->list = mem_calloc(tks->n + 1, sizeof(*tks->list));
	tks->buckets = mem_calloc(tks->n + 1, sizeof(*tks->buckets));
	for (size_t i = 0; i < tks->n; i++) {
		tks->list[i] = set->tokens[i];
		tks->list[i].name = name_for_good(names, set->tokens[i].name);
	}
	return tks;
}

struct tokens *
tokens_new_take(struct settings *set, const struct tokens *before,
		struct token_names *names)
{
	struct tokens *tks = tokens_new(set, names);

	tks->own = set;
	for (size_t i = 0; i < tks->n; i++)
		for (size_t k = 0; k < before->n; k++)
			if (tks->list[i].name == before->list[k].name)
				atomic_store(&tks->buckets[i].full_at_ns,
					     atomic_load(&before->buckets[k]
								  .full_at_ns));
	return tks;
}

struct tokens *
tokens_ref(struct tokens *tks)
{
	(void)atomic_fetch_add(&tks->refs, 1);
	return tks;
}

void
tokens_unref(struct tokens *tks)
{
	if (!tks || atomic_fetch_sub(&tks->refs, 1) > 1)
		return;
	auth_free(tks->auth);
	free(tks->list);
	free(tks->buckets);
	settings_free(tks->own);
	free(tks);
}

void
token_names_release(struct token_names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->all[i]);
	free(names->all);
}
