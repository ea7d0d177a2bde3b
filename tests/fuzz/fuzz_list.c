/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes what a list reads from a client: cursors and query parameters.
 *
 * Checked beside memory: a cursor that is taken is the very text that would be
 * given for its key, and is taken by no other list; a query that is taken is
 * within its limits, and its link leads to the same query again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "queryapi/list_query.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
want(bool ok)
{
	if (!ok)
		abort();
}

static bool
same(struct pj_str a, struct pj_str b)
{
	return a.len == b.len &&
	       (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static struct pj_str
str_of(const struct buf *b)
{
	return (struct pj_str){b->data, b->len};
}

static const struct cursor_pair x[] = {{PJ_STR("areaId"), PJ_STR("x")}};
static const struct cursor_pair y[] = {{PJ_STR("areaId"), PJ_STR("y")}};
static const struct cursor_list list_x = {PJ_STR("shop"), x, 1};
static const struct cursor_list list_y = {PJ_STR("shop"), y, 1};

static void
look_at_cursor(struct pj_str text)
{
	struct buf key = BUF_INIT, again = BUF_INIT, other = BUF_INIT;

	if (cursor_read(text, &list_x, &key) == 0) {
		want(readmodel_is_key(str_of(&key)));
		cursor_write(&again, &list_x, str_of(&key));
		want(same(str_of(&again), text));
		want(cursor_read(text, &list_y, &other) < 0);
	} else {
		want(key.len == 0);
	}
	buf_release(&key);
	buf_release(&again);
	buf_release(&other);
}

static void
look_at_key(struct pj_str key)
{
	struct buf text = BUF_INIT, back = BUF_INIT;

	if (!readmodel_is_key(key))
		return;
	cursor_write(&text, &list_x, key);
	want(text.len <= CURSOR_TEXT_MAX);
	want(cursor_read(str_of(&text), &list_x, &back) == 0);
	want(same(str_of(&back), key));
	buf_release(&text);
	buf_release(&back);
}

static bool
read_target(const struct buf *target, struct list_query *ret, char *space,
	    struct pj_error *err)
{
	static struct filter rows[] = {
		{(char *)(uintptr_t) "areaId", STORE_FILTER_STRING},
		{(char *)(uintptr_t) "open", STORE_FILTER_BOOL},
		{(char *)(uintptr_t) "a&b", STORE_FILTER_INT}};
	static struct field_set row = {.name = "card"};
	static const struct filters declared = {rows, 3};
	static const struct field_sets sets = {&row, 1, 1};
	const char *detail;
	struct uri uri;

	*ret = (struct list_query){.after = BUF_INIT, .space = BUF_INIT};
	if (uri_parse(str_of(target), space, &uri, &detail) < 0)
		return false;
	return list_query_read(ret, PJ_STR("shop"), &declared, &sets, &uri,
			       err) == 0;
}

static void
look_at_query(struct pj_str query)
{
	struct buf target = BUF_INIT, link = BUF_INIT, cursor = BUF_INIT;
	struct list_query first, again;
	struct cursor_list list;
	struct pj_error err;
	char *space = mem_alloc(query.len + 16), *space2;

	buf_addstr(&target, "/v1/shop?");
	buf_add(&target, query.ptr, query.len);
	if (read_target(&target, &first, space, &err)) {
		want(first.limit >= 1 && first.limit <= LIST_LIMIT_MAX);
		for (size_t i = 1; i < first.n_pairs; i++)
			want(strcmp(first.pairs[i - 1].name.ptr,
				    first.pairs[i].name.ptr) < 0);
		list = (struct cursor_list){PJ_STR("shop"), first.pairs,
					    first.n_pairs};
		cursor_write(&cursor, &list, PJ_STR("k"));
		list_query_link(&link, &list, first.limit, first.fields,
				str_of(&cursor));
		space2 = mem_alloc(link.len);
		want(read_target(&link, &again, space2, &err));
		want(again.limit == first.limit &&
		     again.n_pairs == first.n_pairs &&
		     same(again.fields, first.fields) &&
		     same(str_of(&again.after), PJ_STR("k")));
		for (size_t i = 0; i < first.n_pairs; i++)
			want(same(first.pairs[i].value, again.pairs[i].value));
		list_query_release(&again);
		free(space2);
	}
	list_query_release(&first);
	buf_release(&target);
	buf_release(&link);
	buf_release(&cursor);
	free(space);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pj_str text = {(const char *)data, size};

	look_at_cursor(text);
	look_at_key(text);
	look_at_query(text);
	return 0;
}
