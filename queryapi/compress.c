/* SPDX-License-Identifier: Apache-2.0 */
#include "queryapi/compress.h"

#include <string.h>

#include "queryapi/worker.h"

static void
run(struct fetch *fetch, struct worker *wrk)
{
	struct buf coded = BUF_INIT;

	gzip_write(wrk->gz, &coded, fetch->res.body.data, fetch->res.body.len);
	buf_release(&fetch->res.body);
	fetch->res.body = coded;
	http_response_field(&fetch->res, "Content-Encoding", "gzip");
}

void
compress_response(struct exchange *ex)
{
	struct fetch *fetch = fetch_new(0, 0);

	fetch->run = run;
	fetch->res = *ex->res;
	*ex->res = HTTP_RESPONSE_INIT;
	memcpy(fetch->request_id, ex->request_id, sizeof(fetch->request_id));
	ex->fetch = fetch;
}
