/* SPDX-License-Identifier: Apache-2.0 */
#include "queryapi/compress.h"

#include <stdlib.h>

#include "lib/mem.h"
#include "queryapi/loop.h"
#include "queryapi/worker.h"

/* The gather's own. Until the worker is through, both it and the loop only read
 * the answer. */
struct compression {
	struct job job; /* first: the queue's */
	struct gather *gat;
	struct http_response plain;
	struct buf coded; /* the worker's until then */
	char *plain_tag, *gzip_tag;
};

static void
compression_free(void *more)
{
	struct compression *com = more;

	http_response_release(&com->plain);
	buf_release(&com->coded);
	free(com->plain_tag);
	free(com->gzip_tag);
	free(com);
}

/* The job, on a worker. */
static void
run(struct job *job, struct worker *wrk)
{
	struct compression *com = (struct compression *)job;
	const struct buf *body = &com->plain.body;

	if (!atomic_load(&com->gat->let_go))
		gzip_write(wrk->gz, &com->coded, body->data, body->len);
	loop_arrive(&com->gat->slots[0].wait);
}

static void
add_tag(struct http_response *res, const char *tag)
{
	if (tag)
		http_response_field(res, "ETag", "%s", tag);
}

static void
finish(struct gather *gat, struct exchange *ex)
{
	struct compression *com = gat->more;
	const struct http_response *plain = &com->plain;
	struct http_response *res = ex->res;

	res->status = plain->status;
	res->type = plain->type;
	buf_add(&res->fields, plain->fields.data, plain->fields.len);
	if (gat->n_waiting) {
		buf_add(&res->body, plain->body.data, plain->body.len);
		add_tag(res, com->plain_tag);
		return;
	}
	res->body = com->coded;
	com->coded = BUF_INIT;
	http_response_field(res, "Content-Encoding", "gzip");
	add_tag(res, com->gzip_tag);
}

/* Of nothing but one wait, for the worker. */
static struct gather *
new_gather(struct exchange *ex, const struct gather *of,
	   const struct compress_tags *tags)
{
	struct compression *com = mem_calloc(1, sizeof(*com));
	struct conditions none = {.gzip = true};
	struct gather *gat = gather_new(ex->loop, of->snap, &none, 1, 0);

	com->job.run = run;
	com->gat = gat;
	com->plain = *ex->res;
	*ex->res = HTTP_RESPONSE_INIT;
	com->plain_tag = tags->plain ? mem_strdup(tags->plain) : NULL;
	com->gzip_tag = tags->gzip ? mem_strdup(tags->gzip) : NULL;
	gat->more = com;
	gat->free_more = compression_free;
	gat->finish = finish;
	gat->patience_ms = of->patience_ms;
	if (!gat->patience_ms)
		gat->patience_ms =
			ex->loop->shared->set->queryapi.request_timeout_ms;
	gat->slots[0].view = -1;
	gat->slots[0].wait.loop = ex->loop;
	gat->slots[0].wait.gather = gat;
	gat->n_waiting = 1;
	return gat;
}

void
compress_response(struct exchange *ex, const struct gather *gat,
		  const struct compress_tags *tags)
{
	struct loop_shared *sh = ex->loop->shared;
	struct gather *coding;

	/* What did not come in time is still waited for. */
	if (!gat->cond.gzip || ex->store_away || gat->n_waiting ||
	    ex->res->body.len < ex->gzip_min_bytes ||
	    loop_workers_are_full(sh)) {
		add_tag(ex->res, tags->plain);
		return;
	}
	coding = new_gather(ex, gat, tags);
	if (queue_try_push(sh->jobs, coding->more)) {
		ex->gather = coding;
		return;
	}
	/* Other loops were faster: no worker has it. */
	finish(coding, ex);
	coding->n_waiting = 0;
	gather_let_go(coding);
}
