/* SPDX-License-Identifier: Apache-2.0 */
#include "queryapi/ids.h"

#include <string.h>

#include "lib/readmodel.h"
#include "queryapi/uri.h"

static int
refuse(struct pj_error *err, const char *detail)
{
	return pj_error_set(err, PJ_ERROR_INPUT, "%s", detail);
}

static int
add(struct ids *ids, struct pj_str id, struct pj_error *err)
{
	if (ids->n == IDS_MAX)
		return refuse(err, "more than 100 ids");
	if (id.len == 0)
		return refuse(err, "an empty id in ids");
	if (id.len > READMODEL_KEY_MAX)
		return refuse(err, "an id is longer than 480 bytes");
	ids->at[ids->n++] = id;
	ids->bytes += id.len;
	return 0;
}

int
ids_of_query(struct pj_str raw, char *space, struct ids *ret_ids,
	     struct pj_error *err)
{
	const char *p = raw.ptr, *end = raw.ptr + raw.len;

	ret_ids->n = ret_ids->bytes = 0;
	if (raw.len == 0)
		return refuse(err, "ids is missing: 1 to 100 keys, separated "
				   "by commas");
	while (p <= end) {
		const char *comma = memchr(p, ',', (size_t)(end - p));
		const char *to = comma ? comma : end;
		const char *detail = NULL;
		struct pj_str id;

		if (uri_decode((struct pj_str){p, (size_t)(to - p)},
			       space + ret_ids->bytes, &id, &detail) < 0)
			return refuse(err, detail);
		if (add(ret_ids, id, err) < 0)
			return -1;
		p = to + 1;
	}
	return 0;
}

int
ids_of_body(struct json_reader *reader, struct pj_str body, struct ids *ret_ids,
	    struct pj_error *err)
{
	const struct json_node *nodes;
	uint32_t n, list;

	ret_ids->n = ret_ids->bytes = 0;
	if (body.len == 0)
		return refuse(err, "the body is empty: {\"ids\":[…]} is "
				   "expected");
	if (json_read(reader, body.ptr, body.len, &nodes, &n, err) < 0)
		return -1;
	if (nodes[0].type != JSON_OBJECT)
		return refuse(err, "the body is no JSON object");
	list = json_member(nodes, 0, "ids", 3);
	if (!list)
		return refuse(err, "the body has no member \"ids\"");
	if (nodes[0].count != 1)
		return refuse(err, "the body has other members than \"ids\"");
	if (nodes[list].type != JSON_ARRAY)
		return refuse(err, "\"ids\" is no array");
	if (nodes[list].count == 0)
		return refuse(err, "\"ids\" is empty: 1 to 100 keys");
	for (uint32_t i = list + 1; i < nodes[list].skip; i = nodes[i].skip) {
		if (nodes[i].type != JSON_STRING)
			return refuse(err, "an id is no string");
		if (nodes[i].has_nul)
			return refuse(err, "an id contains U+0000");
		if (add(ret_ids, nodes[i].str, err) < 0)
			return -1;
	}
	return 0;
}
