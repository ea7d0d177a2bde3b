/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes a routed request, gives a stream.
 * Next: connection_stream.c.
 */
#include "queryapi/guard.h"
#include "queryapi/loop.h"
#include "queryapi/minimum.h"
#include "queryapi/stream.h"

/* What a client that lost the connection has (WHATWG HTML, 9.2.4). */
static struct pj_str
last_id(const struct http_request *req)
{
	size_t from = 0;
	const struct http_header *h =
		http_request_header(req, "last-event-id", &from);

	return h ? h->value : (struct pj_str){"", 0};
}

/* HEAD has the fields, and no stream behind them. */
static bool
is_head(struct exchange *ex)
{
	if (!ex->how->head_only)
		return false;
	ex->res->status = 200;
	http_response_field(ex->res, "Content-Type", "text/event-stream");
	http_response_field(ex->res, "Cache-Control", "no-store");
	return true;
}

void
stream_get_view(struct exchange *ex)
{
	int view;

	if (!exchange_takes_no_query(ex) || !exchange_key(ex))
		return;
	view = exchange_view(ex);
	if (view < 0 || !minimum_reached(ex, &view, 1) || is_head(ex))
		return;
	ex->stream = stream_new_view(ex->view, ex->key, last_id(ex->req));
}

void
stream_get_page(struct exchange *ex)
{
	const struct settings_page *page = page_asked(ex);

	if (page && !is_head(ex))
		ex->stream = stream_new_page(page, ex->key, last_id(ex->req));
}
