/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store_list.h"

#include "lib/mem.h"

static bool
list_each(void *arg, const uint8_t *bson, size_t len)
{
	struct store_list *list = arg;

	list->rows = mem_reallocarray(list->rows, list->n + 1, list->row_size);
	if (list->read(list, list->rows + list->n * list->row_size, bson, len))
		return false;
	list->n++;
	return true;
}

static int
list_end(const struct store_list *list, struct pj_error *err)
{
	if (list->err.cls == PJ_ERROR_NONE)
		return 0;
	*err = list->err;
	return -1;
}

int
store_list_run(struct store_list *list, struct store_session *ses,
	       const char *collection, const char *after, const char *end,
	       struct pj_error *err)
{
	if (ses->store->ops->scan(ses, collection, store_str(after),
				  store_str(end), list_each, list, err))
		return -1;
	return list_end(list, err);
}

int
store_list_find(struct store_list *list, struct store_session *ses,
		const char *collection, const struct store_cond *conds,
		size_t n_conds, struct pj_error *err)
{
	if (ses->store->ops->find(ses, collection, conds, n_conds, list_each,
				  list, err))
		return -1;
	return list_end(list, err);
}
