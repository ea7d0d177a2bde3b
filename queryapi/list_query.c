/* SPDX-License-Identifier: Apache-2.0 */
#include "queryapi/list_query.h"

#include <stdlib.h>
#include <string.h>

#include "lib/str.h"

/* 1 to 100: digits without leading zeros. */
static int
read_limit(struct pj_str text, size_t *ret, struct pj_error *err)
{
	bool ok = text.len >= 1 && text.len <= 3 && text.ptr[0] != '0';
	size_t n = 0;

	for (size_t i = 0; ok && i < text.len; i++) {
		ok = text.ptr[i] >= '0' && text.ptr[i] <= '9';
		n = n * 10 + (size_t)(text.ptr[i] - '0');
	}
	if (!ok || n > LIST_LIMIT_MAX)
		return pj_error_set(err, PJ_ERROR_INPUT,
				    "limit has to be 1 to %d", LIST_LIMIT_MAX);
	*ret = n;
	return 0;
}

static int
refuse_name(const struct filters *declared, struct pj_error *err)
{
	struct buf names = BUF_INIT;
	int ret;

	for (size_t i = 0; i < declared->n; i++)
		buf_printf(&names, ", %s", declared->rows[i].name);
	ret = pj_error_set(err, PJ_ERROR_INPUT,
			   "unknown query parameter: a list takes limit, "
			   "cursor%s; fields asks for parts of documents, "
			   "ids for documents by key",
			   names.data ? names.data : "");
	buf_release(&names);
	return ret;
}

/* Keeps the order of names. */
static int
add_pair(struct list_query *q, const struct filter *filter, struct pj_str value,
	 struct pj_error *err)
{
	struct cursor_pair pair = {{filter->name, strlen(filter->name)}, value};
	struct store_filter cond;
	size_t at = q->n_pairs;

	if (filter_value(filter, value, &cond, err) < 0)
		return -1;
	if (q->n_pairs == STORE_FILTERS_MAX)
		return pj_error_set(err, PJ_ERROR_INPUT,
				    "more than %d filters at once",
				    STORE_FILTERS_MAX);
	while (at && strcmp(q->pairs[at - 1].name.ptr, filter->name) > 0) {
		q->pairs[at] = q->pairs[at - 1];
		at--;
	}
	q->pairs[at] = pair;
	q->n_pairs++;
	return 0;
}

/* The decoded value, in q->space, which has room. */
static int
decode(struct list_query *q, const struct uri_param *par, struct pj_str *ret,
       struct pj_error *err)
{
	const char *detail = NULL;

	if (uri_decode(par->raw, q->space.data + q->space.len, ret, &detail) <
	    0)
		return pj_error_set(err, PJ_ERROR_INPUT, "%s", detail);
	q->space.len += ret->len;
	return 0;
}

static int
read_fields(struct list_query *q, const struct field_sets *sets,
	    struct pj_str name, struct pj_error *err)
{
	const char *is;
	size_t set;

	if (field_sets_ask(sets, name, &set, err) < 0)
		return -1;
	is = sets->rows[set - 1].name;
	q->fields = (struct pj_str){is, strlen(is)};
	return 0;
}

static int
read_params(struct list_query *q, const struct filters *declared,
	    const struct field_sets *sets, const struct uri *uri,
	    struct pj_str *ret_cursor, struct pj_error *err)
{
	for (size_t i = 0; i < uri->n_params; i++) {
		const struct uri_param *par = &uri->params[i];
		const struct filter *filter = filters_find(declared, par->name);
		struct pj_str value;
		int rc = 0;

		if (decode(q, par, &value, err) < 0)
			return -1;
		if (str_is(par->name, "limit"))
			rc = read_limit(value, &q->limit, err);
		else if (str_is(par->name, "cursor"))
			*ret_cursor = value;
		else if (str_is(par->name, "fields"))
			rc = read_fields(q, sets, value, err);
		else if (filter)
			rc = add_pair(q, filter, value, err);
		else
			rc = refuse_name(declared, err);
		if (rc < 0)
			return -1;
	}
	return 0;
}

int
list_query_read(struct list_query *ret_query, struct pj_str view,
		const struct filters *declared, const struct field_sets *sets,
		const struct uri *uri, struct pj_error *err)
{
	struct pj_str cursor = {NULL, 0};
	struct cursor_list list;
	size_t room = 0;

	*ret_query = (struct list_query){.limit = LIST_LIMIT_DEFAULT,
					 .after = BUF_INIT,
					 .space = BUF_INIT};
	for (size_t i = 0; i < uri->n_params; i++)
		room += uri->params[i].raw.len;
	buf_reserve(&ret_query->space, room);
	if (read_params(ret_query, declared, sets, uri, &cursor, err) < 0)
		return -1;
	list = (struct cursor_list){view, ret_query->pairs, ret_query->n_pairs};
	if (cursor.ptr && cursor_read(cursor, &list, &ret_query->after) < 0)
		return pj_error_set(
			err, PJ_ERROR_INPUT,
			"no cursor of this list: give back `next` as it came, "
			"with the same filters, or begin without");
	return 0;
}

void
list_query_release(struct list_query *query)
{
	buf_release(&query->after);
	buf_release(&query->space);
	query->n_pairs = 0;
}

int
list_query_conditions(const struct cursor_pair *pairs, size_t n,
		      const struct filters *declared, struct store_filter *out,
		      struct pj_error *err)
{
	for (size_t i = 0; i < n; i++) {
		const struct filter *filter =
			filters_find(declared, pairs[i].name);

		if (!filter)
			return refuse_name(declared, err);
		if (filter_value(filter, pairs[i].value, &out[i], err) < 0)
			return -1;
	}
	return 0;
}

/* Unreserved characters as they are (RFC 3986, section 2.3). */
static void
encode(struct buf *out, struct pj_str text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
		    (c >= 'a' && c <= 'z') || (c && strchr("-._~", c)))
			buf_addch(out, (char)c);
		else
			buf_printf(out, "%%%02X", c);
	}
}

void
list_query_link(struct buf *out, const struct cursor_list *list, size_t limit,
		struct pj_str fields, struct pj_str cursor)
{
	buf_addstr(out, "/v1/");
	encode(out, list->view);
	buf_addch(out, '?');
	for (size_t i = 0; i < list->n_pairs; i++) {
		encode(out, list->pairs[i].name);
		buf_addch(out, '=');
		encode(out, list->pairs[i].value);
		buf_addch(out, '&');
	}
	if (fields.len) {
		buf_addstr(out, "fields=");
		encode(out, fields);
		buf_addch(out, '&');
	}
	buf_printf(out, "limit=%zu&cursor=", limit);
	encode(out, cursor);
}
