/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One client that is told of each newer version: Server-Sent Events (WHATWG
 * HTML, 9.2) of a document, or of a page.
 *
 *	id: "3.17"                       id: "3.18"
 *	data: {"id":"s-1",…}             event: missing
 *	                                 data: {"id":"s-1","missing":"deleted"}
 *
 * A page comes whole first, then part by part:
 *
 *	event: part
 *	data: {"part":"shop","revision":42,"document":{…}}
 *
 * What is sent is always the newest: who reads slowly, or less often than a
 * document changes, misses versions, never the last one. An id names all that
 * the client has then; it comes back in Last-Event-ID, and what is the same is
 * not sent again.
 *
 * Ownership: the connection's. Thread: the loop.
 */
#ifndef QUERYAPI_STREAM_H
#define QUERYAPI_STREAM_H

#include "queryapi/page.h"
#include "queryapi/watchers.h"

struct stream {
	struct settings_page page; /* of a view: that alone; borrowed */
	char *view;		   /* owned; NULL: it is a page */
	struct pj_str key;	   /* owned */
	char last[PAGE_TAG_MAX];   /* the id of what was sent; "": nothing */
	/* The connection's (connection_stream.c). */
	bool begun;  /* the head is out */
	bool dirty;  /* something may be newer than what was sent */
	bool failed; /* it could not be read: again after a while */
	bool blind;  /* no view of it is live, so nothing can ring */
	int64_t quiet_until_mono_ms, beat_mono_ms;
	uint64_t taken_before, tokens_serial;
	size_t n;
	struct watch watches[]; /* one per part */
};

/* last_id: Last-Event-ID, or empty. */
struct stream *
stream_new_view(struct pj_str view, struct pj_str key, struct pj_str last_id);
struct stream *
stream_new_page(const struct settings_page *page, struct pj_str key,
		struct pj_str last_id);
/* No watch may be set. */
void
stream_free(struct stream *st);

/* What it consists of now; the caller's `finish`. */
struct gather *
stream_gather(const struct stream *st, struct loop *lp, struct snapshot *snap);

/*
 * Appends the events for what the gather has and the client has not. False: not
 * all of it was there, so that there is more to be said soon.
 */
bool
stream_write(struct stream *st, struct buf *out, const struct gather *gat);

/* GET /v1/{view}/{key}/events */
void
stream_get_view(struct exchange *ex);
/* GET /v1/pages/{page}/{key}/events */
void
stream_get_page(struct exchange *ex);

#endif
