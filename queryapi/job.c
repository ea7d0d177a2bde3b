/* SPDX-License-Identifier: Apache-2.0 */
#include "queryapi/job.h"

#include <stdlib.h>

#include "lib/mem.h"

struct job *
job_new(size_t n_keys, size_t key_bytes)
{
	struct job *job = mem_calloc(1, sizeof(*job));

	job->keys = mem_calloc(n_keys, sizeof(*job->keys));
	job->key_bytes = mem_alloc(key_bytes ? key_bytes : 1);
	job->res = HTTP_RESPONSE_INIT;
	atomic_init(&job->abandoned, false);
	return job;
}

void
job_free(struct job *job)
{
	if (!job)
		return;
	http_response_release(&job->res);
	free(job->keys);
	free(job->key_bytes);
	free((char *)(uintptr_t)job->if_none_match.ptr);
	free((char *)(uintptr_t)job->if_match.ptr);
	free(job);
}
