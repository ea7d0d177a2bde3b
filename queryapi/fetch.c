/* SPDX-License-Identifier: Apache-2.0 */
#include "queryapi/fetch.h"

#include <stdlib.h>

#include "lib/mem.h"

struct fetch *
fetch_new(size_t n_keys, size_t key_bytes)
{
	struct fetch *fetch = mem_calloc(1, sizeof(*fetch));

	fetch->keys = mem_calloc(n_keys, sizeof(*fetch->keys));
	fetch->key_bytes = mem_alloc(key_bytes ? key_bytes : 1);
	fetch->job.run = fetch_run;
	fetch->res = HTTP_RESPONSE_INIT;
	atomic_init(&fetch->abandoned, false);
	return fetch;
}

void
fetch_free(struct fetch *fetch)
{
	if (!fetch)
		return;
	http_response_release(&fetch->res);
	free(fetch->keys);
	free(fetch->key_bytes);
	free(fetch);
}
