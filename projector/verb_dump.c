/* SPDX-License-Identifier: Apache-2.0 */
/* projector dump NAME [KEY...]: live documents as served, sorted by id. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bsonjson.h"
#include "lib/mem.h"
#include "projector/generation.h"
#include "projector/host.h"
#include "projector/verbs.h"

struct dump {
	struct buf json;
	struct pj_error *err;
	int rc;
};

/* Prints one document when it is live. */
static bool
print_one(void *arg, const uint8_t *bson, size_t len)
{
	struct dump *d = arg;
	struct bsonjson_meta meta;

	buf_clear(&d->json);
	d->rc = bsonjson_meta(bson, len, &meta, NULL, 0, d->err);
	if (d->rc || meta.state != READMODEL_LIVE_DOC)
		return d->rc == 0;
	d->rc = bsonjson_write(&d->json, bson, len, d->err);
	if (d->rc == 0) {
		buf_addch(&d->json, '\n');
		(void)fwrite(d->json.data, 1, d->json.len, stdout);
	}
	return d->rc == 0 && !ferror(stdout);
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int
dump_keys(struct dump *d, struct store_session *ses, const char *collection,
	  const struct cli_args *args, struct pj_error *err)
{
	size_t n = args->n_positional - 1;
	struct store_doc *docs = mem_calloc(n, sizeof(*docs));
	int rc;

	qsort((void *)(args->positional + 1), n, sizeof(*args->positional),
	      by_text);
	for (size_t i = 0; i < n; i++)
		docs[i].key = (struct pj_str){args->positional[i + 1],
					      strlen(args->positional[i + 1])};
	rc = store_load(ses, collection, docs, n, err);
	for (size_t i = 0; i < n; i++) {
		if (rc == 0 && docs[i].left_out)
			rc = store_load(ses, collection, &docs[i], 1, err);
		if (rc == 0 && docs[i].bson)
			(void)print_one(d, docs[i].bson, docs[i].len);
		free(docs[i].bson);
	}
	free(docs);
	return rc ? rc : d->rc;
}

static int
dump(struct store_session *ses, const struct cli_args *args,
     struct pj_error *err)
{
	struct dump d = {.json = BUF_INIT, .err = err};
	char collection[READMODEL_GENERATION_ID_MAX];
	const char *name = args->positional[0];
	int32_t number;
	int rc;

	if (!readmodel_is_projection_name(name))
		return pj_error_set(err, PJ_ERROR_CONFIG,
				    "'%s' is no projection's name", name);
	if (generation_live_number(ses, name, &number, err))
		return -1;
	if (number == 0)
		return pj_error_set(err, PJ_ERROR_FATAL,
				    "projection %s has no live generation in "
				    "this store",
				    name);
	readmodel_generation_id(collection, name, number);
	if (args->n_positional > 1)
		rc = dump_keys(&d, ses, collection, args, err);
	else
		rc = store_scan(ses, collection, (struct pj_str){"", 0},
				print_one, &d, err);
	buf_release(&d.json);
	if (rc == 0)
		rc = d.rc;
	if (rc == 0 && (fflush(stdout) || ferror(stdout)))
		return pj_error_set(err, PJ_ERROR_FATAL,
				    "stdout: cannot write");
	return rc;
}

int
verb_dump(const struct cli_args *args)
{
	struct pj_error err = {.cls = PJ_ERROR_NONE};
	struct host host;
	struct store *store = NULL;
	struct store_session *ses = NULL;

	if (host_open(args, &host, &err))
		return host_exit(&err);
	if (host_open_store(&host, true, &store, &ses, &err) == 0)
		(void)dump(ses, args, &err);
	store_session_close(ses);
	store_close(store);
	host_close(&host);
	return host_exit(&err);
}
