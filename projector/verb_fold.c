/* SPDX-License-Identifier: Apache-2.0 */
/*
 * projector fold NAME: archive lines on stdin, applied in the order given;
 * documents as served on stdout. The same decode, router and fold as in the
 * product; no services, no configuration file.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bsonjson.h"
#include "lib/mem.h"
#include "projector/archive_line.h"
#include "projector/fold.h"
#include "projector/host.h"
#include "projector/router.h"
#include "projector/verbs.h"
#include "projector/workset.h"

struct folding {
	struct host host;
	struct lanes lanes;
	struct archive_reader *reader;
	struct decoder *decoder;
	struct router *router;
	struct workset set;
	struct partition *parts; /* one per topic-partition seen */
	size_t n_parts, parts_cap;
	uint64_t n_line;
};

/* Source indexes in order of appearance; the array moves, records do not stay. */
static struct partition *
find_partition(struct folding *f, struct pj_str topic, int32_t number)
{
	struct partition *part;

	for (size_t i = 0; i < f->n_parts; i++) {
		part = &f->parts[i];
		if (part->number == number &&
		    strlen(part->topic) == topic.len &&
		    memcmp(part->topic, topic.ptr, topic.len) == 0)
			return part;
	}
	MEM_GROW(f->parts, f->n_parts, f->parts_cap);
	part = &f->parts[f->n_parts];
	memset(part, 0, sizeof(*part));
	memcpy(part->topic, topic.ptr, topic.len);
	part->number = number;
	part->source_index = (int32_t)f->n_parts++;
	return part;
}

static void
say_parked(const struct record *rec, const char *cause, const char *detail)
{
	fprintf(stderr, "parked %s/%" PRId32 "@%" PRId64 ": %s: %s\n",
		rec->partition->topic, rec->partition->number, rec->offset,
		cause, detail);
}

static void
fold_route(struct folding *f, const struct route *route,
	   const struct record *rec, const struct pj_event *ev)
{
	struct entry *e;
	struct pj_error err;

	if (route->kind != ROUTE_DOCUMENT) {
		say_parked(rec,
			   route->kind == ROUTE_LONG_KEY
				   ? "long document key"
				   : "unknown document key",
			   "the event goes to no document");
		return;
	}
	e = workset_find(&f->set, route->lane, route->key);
	if (!e) {
		e = workset_add(&f->set, route->lane, route->key);
		e->doc = doc_new(route->lane->mod->desc->shape, e->key);
	}
	if (fold_event(route->lane, rec, ev, e->doc, &err) == FOLD_REJECTED)
		say_parked(rec, "rejected by fold", err.text);
}

static const struct decode_topic *
find_topic(const struct host *host, const char *name)
{
	for (size_t i = 0; i < host->n_topics; i++)
		if (strcmp(host->topic_names[i], name) == 0)
			return &host->topics[i];
	return NULL;
}

static void
fold_record(struct folding *f, const struct record *rec)
{
	const struct decode_topic *topic =
		find_topic(&f->host, rec->partition->topic);
	const struct pj_event *ev;
	const struct route *routes;
	const char *cause;
	struct pj_error err;
	size_t n;

	if (!topic)
		return; /* not one this projection reads */
	switch (decode(f->decoder, topic, rec, &ev, &cause, &err)) {
	case DECODE_EVENT:
		router_route(f->router, ev, &routes, &n);
		for (size_t i = 0; i < n; i++)
			fold_route(f, &routes[i], rec, ev);
		break;
	case DECODE_SKIP:
		break;
	case DECODE_INVALID:
		if (module_reads(f->lanes.lane[0].mod, ev))
			say_parked(rec, cause, err.text);
		break;
	case DECODE_UNREADABLE:
		say_parked(rec, cause, err.text);
		break;
	}
}

static int
fold_line(struct folding *f, const char *line, size_t len, struct pj_error *err)
{
	struct archive_line in;
	struct record rec;

	f->n_line++;
	if (archive_line_read(f->reader, line, len, &in, err))
		return pj_error_set(err, PJ_ERROR_INPUT,
				    "stdin:%" PRIu64 ": %s", f->n_line,
				    err->text);
	if (in.topic.len >= sizeof(f->parts->topic))
		return pj_error_set(err, PJ_ERROR_INPUT,
				    "stdin:%" PRIu64 ": topic name too long",
				    f->n_line);
	rec = (struct record){
		.partition = find_partition(f, in.topic, in.partition),
		.offset = in.offset,
		.timestamp_ms = in.timestamp_ms,
		.key_null = in.key_null,
		.value_null = in.value_null,
		.key = in.key,
		.value = in.value,
		.headers = in.headers,
		.n_headers = in.n_headers,
	};
	fold_record(f, &rec);
	return 0;
}

static int
fold_stdin(struct folding *f, struct pj_error *err)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;
	int rc = 0;

	while (rc == 0 && (len = getline(&line, &cap, stdin)) > 0) {
		if (line[len - 1] == '\n')
			len--;
		if (len > 0)
			rc = fold_line(f, line, (size_t)len, err);
	}
	free(line);
	if (rc == 0 && ferror(stdin))
		return pj_error_set(err, PJ_ERROR_FATAL, "stdin: %s",
				    strerror(errno));
	return rc;
}

static int
by_key(const void *a, const void *b)
{
	const struct pj_str *x = &(*(struct entry *const *)a)->key;
	const struct pj_str *y = &(*(struct entry *const *)b)->key;
	int order = memcmp(x->ptr, y->ptr, x->len < y->len ? x->len : y->len);

	return order ? order : (x->len > y->len) - (x->len < y->len);
}

static int
print_document(const struct entry *e, bool with_deleted, struct pj_error *err)
{
	static const struct store_token token;
	struct buf bson = BUF_INIT, json = BUF_INIT;
	int rc = 0;

	if (pj_doc_state(e->doc) == PJ_DOC_LIVE) {
		doc_encode(e->doc, &token, &bson);
		rc = bsonjson_write(&json, (const uint8_t *)bson.data, bson.len,
				    err);
	} else if (pj_doc_state(e->doc) == PJ_DOC_DELETED && with_deleted) {
		buf_addstr(&json, "{\"id\":");
		bsonjson_string(&json, e->key.ptr, e->key.len);
		buf_addstr(&json, ",\"deleted\":true}");
	}
	if (rc == 0 && json.len) {
		buf_addch(&json, '\n');
		(void)fwrite(json.data, 1, json.len, stdout);
	}
	buf_release(&bson);
	buf_release(&json);
	return rc;
}

static int
print_documents(struct folding *f, bool with_deleted, struct pj_error *err)
{
	struct entry **all = mem_calloc(f->set.n_entries, sizeof(*all));
	struct entry *e;
	size_t n = 0;
	int rc = 0;

	TAILQ_FOREACH(e, &f->set.lru, lru)
		all[n++] = e;
	qsort(all, n, sizeof(struct entry *), by_key);
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = print_document(all[i], with_deleted, err);
	free(all);
	if (rc == 0 && (fflush(stdout) || ferror(stdout)))
		return pj_error_set(err, PJ_ERROR_FATAL, "stdout: %s",
				    strerror(errno));
	return rc;
}

int
verb_fold(const struct cli_args *args)
{
	struct pj_error err = {.cls = PJ_ERROR_NONE};
	struct folding f;

	memset(&f, 0, sizeof(f));
	if (host_open_bare(args, &f.host, &err))
		return host_exit(&err);
	workset_init(&f.set, 1);
	if (host_load_modules(&f.host, args->positional[0], &err) == 0) {
		f.lanes.lane[0].mod = f.host.modules[0];
		f.lanes.n = 1;
		f.reader = archive_reader_new();
		f.decoder = decoder_new();
		f.router = router_new(&f.lanes);
		if (fold_stdin(&f, &err) == 0)
			(void)print_documents(&f, cli_has(args, "--deleted"),
					      &err);
	}
	workset_release(&f.set);
	router_free(f.router);
	decoder_free(f.decoder);
	archive_reader_free(f.reader);
	free(f.parts);
	host_close(&f.host);
	return host_exit(&err);
}
