/* SPDX-License-Identifier: Apache-2.0 */
#include "queryapi/conditions.h"

#include <stdlib.h>

#include "lib/buf.h"
#include "lib/mem.h"
#include "queryapi/gzip.h"

/* Several lines of a list field are one list (RFC 9110, 5.3). */
static struct pj_str
field(const struct http_request *req, const char *name, char **ret_joined)
{
	size_t from = 0, len;
	const struct http_header *first = http_request_header(req, name, &from);
	const struct http_header *next =
		first ? http_request_header(req, name, &from) : NULL;
	struct buf all = BUF_INIT;

	if (!next)
		return first ? first->value : (struct pj_str){NULL, 0};
	buf_add(&all, first->value.ptr, first->value.len);
	for (; next; next = http_request_header(req, name, &from)) {
		buf_addstr(&all, ", ");
		buf_add(&all, next->value.ptr, next->value.len);
	}
	*ret_joined = buf_detach(&all, &len);
	return (struct pj_str){*ret_joined, len};
}

void
conditions_read(struct conditions *cond, const struct http_request *req)
{
	cond->joined[0] = cond->joined[1] = NULL;
	cond->gzip = gzip_is_accepted(req);
	cond->if_none_match = field(req, "if-none-match", &cond->joined[0]);
	cond->if_match = field(req, "if-match", &cond->joined[1]);
}

static void
keep(struct pj_str *text, char **owned)
{
	if (!text->ptr || *owned)
		return;
	*owned = mem_strndup(text->ptr, text->len);
	text->ptr = *owned;
}

void
conditions_keep(struct conditions *cond)
{
	keep(&cond->if_none_match, &cond->joined[0]);
	keep(&cond->if_match, &cond->joined[1]);
}

void
conditions_release(struct conditions *cond)
{
	free(cond->joined[0]);
	free(cond->joined[1]);
}
