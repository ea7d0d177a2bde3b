/* SPDX-License-Identifier: Apache-2.0 */
/* How many partitions each topic is known to have. */
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "lib/readmodel.h"
#include "lib/store_fields.h"
#include "lib/store_rows.h"

static int
topic_load(struct store_session *ses, const char *topic, bool *ret_found,
	   int32_t *ret_known, struct pj_error *err)
{
	int32_t known = 0;
	const struct field partitions = {"partitions", FIELD_INT32, &known, 0};
	uint8_t *bson;
	size_t len;
	int ret = 0;

	if (store_row_load(ses, READMODEL_TOPICS, topic, &bson, &len, err))
		return -1;
	*ret_found = bson != NULL;
	if (bson)
		ret = fields_read(bson, len, READMODEL_TOPICS, &partitions, 1,
				  err);
	if (ret == 0 && bson)
		*ret_known = known;
	free(bson);
	return ret;
}

static int
topic_set(struct store_session *ses, const char *topic, int32_t partitions,
	  struct pj_error *err)
{
	struct store_row row;

	row_begin(&row, mem_strdup(topic));
	row_set_int32(&row, "partitions", partitions);
	return store_row_write_take(ses, READMODEL_TOPICS, &row, NULL, err);
}

static int
topic_insert(struct store_session *ses, const char *topic, int32_t partitions,
	     struct pj_error *err)
{
	struct store_row row;
	bool inserted;
	int ret;

	row_begin(&row, mem_strdup(topic));
	put_int32(row.bson, "partitions", partitions);
	ret = ses->store->ops->row_insert(ses, READMODEL_TOPICS, &row,
					  &inserted, err);
	store_row_release(&row);
	return ret;
}

int
store_topic_partitions(struct store_session *ses, const char *topic,
		       int32_t seen, bool set, int32_t *ret_known,
		       struct pj_error *err)
{
	bool found;

	if (set) {
		if (store_must_write(ses, err) ||
		    topic_set(ses, topic, seen, err))
			return -1;
		*ret_known = seen;
		return 0;
	}
	if (topic_load(ses, topic, &found, ret_known, err))
		return -1;
	if (found)
		return 0;
	/* A look, which notes nothing. */
	if (ses->store->read_only) {
		*ret_known = seen;
		return 0;
	}
	/* Whoever was first is right. */
	if (topic_insert(ses, topic, seen, err) ||
	    topic_load(ses, topic, &found, ret_known, err))
		return -1;
	if (!found)
		return pj_error_set(err, PJ_ERROR_RETRY,
				    "%s: topic %s is gone right after it was "
				    "noted",
				    ses->store->name, topic);
	return 0;
}
