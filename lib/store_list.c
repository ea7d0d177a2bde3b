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

int
store_list_run(struct store_list *list, struct store_session *ses,
	       const char *collection, const char *after, const char *end,
	       struct pj_error *err)
{
	if (ses->store->ops->scan(ses, collection, store_str(after),
				  store_str(end), list_each, list, err))
		return -1;
	if (list->err.cls == PJ_ERROR_NONE)
		return 0;
	*err = list->err;
	return -1;
}
