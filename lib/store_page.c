/* SPDX-License-Identifier: Apache-2.0 */
/* Lists: what both adapters share. */
#include "lib/store_page.h"

#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "lib/readmodel.h"
#include "lib/store_impl.h"

/* No name that a store would take for anything else than a field's. */
static bool
is_field(const char *name)
{
	return name[0] && name[0] != '_' && name[0] != '$' &&
	       !strchr(name, '.');
}

static bool
is_query(const struct store_query *query)
{
	for (size_t i = 0; i < query->n_filters; i++)
		if (!is_field(query->filters[i].field))
			return false;
	return query->limit >= 1 && query->limit <= STORE_PAGE_MAX &&
	       query->n_filters <= STORE_FILTERS_MAX &&
	       (query->after.len == 0 || readmodel_is_key(query->after));
}

int
store_list(struct store_session *ses, const struct store_query *query,
	   struct store_page *ret_page, struct pj_error *err)
{
	*ret_page = (struct store_page){.last = BUF_INIT};
	if (!is_query(query))
		return pj_error_set(err, PJ_ERROR_FATAL,
				    "%s: %s: cannot be listed by that",
				    ses->store->name, query->collection);
	if (ses->store->ops->page(ses, query, ret_page, err))
		return -1;
	if (!ret_page->more)
		buf_clear(&ret_page->last);
	return 0;
}

void
store_page_release(struct store_page *page)
{
	store_page_clear(page);
	free(page->docs);
	buf_release(&page->last);
	*page = (struct store_page){.last = BUF_INIT};
}

void
store_page_clear(struct store_page *page)
{
	for (size_t i = 0; i < page->n; i++)
		free(page->docs[i].bson);
	page->n = 0;
	page->more = false;
	buf_clear(&page->last);
}

void
store_page_add(struct store_page *page, struct pj_str key, const uint8_t *bson,
	       size_t len)
{
	struct store_doc *doc;

	if (!page->docs)
		page->docs = mem_calloc(STORE_PAGE_MAX, sizeof(*page->docs));
	doc = &page->docs[page->n++];
	*doc = (struct store_doc){.bson = mem_alloc(len + key.len), .len = len};
	memcpy(doc->bson, bson, len);
	/* Behind it, so that both go at once. */
	memcpy(doc->bson + len, key.ptr, key.len);
	doc->key = (struct pj_str){(char *)doc->bson + len, key.len};
	store_page_last(page, key);
}

void
store_page_last(struct store_page *page, struct pj_str key)
{
	buf_clear(&page->last);
	buf_add(&page->last, key.ptr, key.len);
}
