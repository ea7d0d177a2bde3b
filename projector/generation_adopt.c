/* SPDX-License-Identifier: Apache-2.0 */
/* Other code for the same documents: accepted by a person, never by itself. */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "projector/crashes.h"
#include "projector/generation.h"

/* Whether readers would find the same. */
static bool
is_readable_alike(const char *a, const char *b)
{
	static const char *const members[] = {"fields", "filters"};
	json_t *x = json_loads(a, 0, NULL), *y = json_loads(b, 0, NULL);
	bool alike = x && y;

	for (size_t i = 0; alike && i < 2; i++)
		alike = json_equal(json_object_get(x, members[i]),
				   json_object_get(y, members[i]));
	json_decref(x);
	json_decref(y);
	return alike;
}

static int
check_adoptable(const struct store_generation *gen, const struct module *mod,
		const char *reader_json, struct pj_error *err)
{
	const char *what = NULL;

	if (gen->version != (int32_t)mod->desc->version)
		what = "its document version is another";
	else if (!is_readable_alike(gen->reader_json, reader_json))
		what = "its served fields or filters are others";
	if (!what)
		return 0;
	return pj_error_set(err, PJ_ERROR_STOP,
			    "projection %s: the running code cannot be adopted "
			    "for generation %" PRId32 ": %s; run 'projector "
			    "rebuild %s'",
			    gen->projection, gen->number, what,
			    gen->projection);
}

static int
adopt(struct store_session *ses, const struct settings *set,
      const struct module *mod, const struct store_generation *gen,
      const struct generation_adoption *how, bool *ret_adopted,
      struct pj_error *err)
{
	char generation[READMODEL_GENERATION_ID_MAX];
	char *reader_json = module_reader_json(mod);
	char hash[65];
	int rc;

	module_code_hash(mod, set, hash);
	*ret_adopted = strcmp(hash, gen->code_hash) != 0;
	readmodel_generation_id(generation, gen->projection, gen->number);
	rc = check_adoptable(gen, mod, reader_json, err);
	/* First: until the code is adopted, nobody runs it here. */
	if (rc == 0 && *ret_adopted)
		rc = crashes_forget_generation(ses, generation, err);
	if (rc == 0 && *ret_adopted)
		rc = store_generation_adopt(
			ses,
			&(struct store_adoption){
				.projection = gen->projection,
				.number = gen->number,
				.from_hash = gen->code_hash,
				.code_hash = hash,
				.reader_json = reader_json,
				.reason = how->reason,
				.by = how->by,
				.at_ms = how->at_ms,
			},
			err);
	free(reader_json);
	return rc;
}

int
generation_adopt(struct store_session *ses, const struct settings *set,
		 const struct module *mod,
		 const struct generation_adoption *how, int32_t *ret_number,
		 bool *ret_adopted, struct pj_error *err)
{
	const char *name = mod->desc->name;
	const struct store_generation *row = NULL;
	struct store_generation *rows;
	size_t n;
	int rc;

	if (generation_live_number(ses, name, ret_number, err) ||
	    store_generations(ses, &rows, &n, err))
		return -1;
	for (size_t i = 0; i < n; i++)
		if (rows[i].number == *ret_number &&
		    strcmp(rows[i].projection, name) == 0)
			row = &rows[i];
	rc = row ? adopt(ses, set, mod, row, how, ret_adopted, err)
		 : pj_error_set(err, PJ_ERROR_FATAL,
				"projection %s has no live generation in this "
				"store",
				name);
	store_generations_free(rows, n);
	return rc;
}
