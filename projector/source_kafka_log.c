/* SPDX-License-Identifier: Apache-2.0 */
/* What the log holds: partitions, first and last offsets. */
#include <stdio.h>
#include <string.h>

#include "lib/clock.h"
#include "projector/source_kafka.h"

#define VERIFY_TIMEOUT_MS   2000
#define VERIFY_PERIOD_MS    1000
#define DISCOVER_TIMEOUT_MS 1000

const char *
kafka_topic(const struct kafka *k, const char *topic)
{
	static _Thread_local char name[512];

	(void)snprintf(name, sizeof(name), "%s%s", k->prefix, topic);
	return name;
}

/*
 * rd_kafka_query_watermark_offsets() can outlast its timeout by a minute; this
 * call keeps to it and takes the two logical offsets as times.
 */
int
kafka_offsets(struct kafka *k, rd_kafka_topic_partition_list_t *list,
	      int64_t logical, int timeout_ms, struct pj_error *err)
{
	const rd_kafka_topic_partition_t *elem;
	rd_kafka_resp_err_t code;
	int i;

	for (i = 0; i < list->cnt; i++)
		list->elems[i].offset = logical;
	code = rd_kafka_offsets_for_times(k->rk, list, timeout_ms);
	for (i = 0; i < list->cnt; i++) {
		elem = &list->elems[i];
		if (!code && elem->err)
			code = elem->err;
		if (!code && elem->offset < 0)
			code = RD_KAFKA_RESP_ERR__NOENT;
		if (code)
			return kafka_error_set(err, code,
					       "%.200s/%d: first and last "
					       "offset: %s",
					       elem->topic + k->prefix_len,
					       (int)elem->partition,
					       rd_kafka_err2str(code));
	}
	return 0;
}

int
kafka_watermarks(struct source *src, const struct partition *part,
		 int timeout_ms, int64_t *ret_low, int64_t *ret_high,
		 struct pj_error *err)
{
	struct kafka *k = (struct kafka *)src;
	int64_t end_mono_ms = clock_mono_ms() + timeout_ms;
	rd_kafka_topic_partition_list_t *list;
	int64_t low = 0, left;
	int status;

	list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_list_add(list, kafka_topic(k, part->topic),
					  part->number);
	status = kafka_offsets(k, list, RD_KAFKA_OFFSET_BEGINNING, timeout_ms,
			       err);
	if (status == 0) {
		low = list->elems[0].offset;
		left = end_mono_ms - clock_mono_ms();
		status = kafka_offsets(k, list, RD_KAFKA_OFFSET_END,
				       left > 1 ? (int)left : 1, err);
	}
	if (status == 0) {
		*ret_low = low;
		*ret_high = list->elems[0].offset;
	}
	rd_kafka_topic_partition_list_destroy(list);
	return status;
}

/*
 * The high watermark of the newest fetch, whatever the isolation level; kept
 * up to date by the fetches that wait at the last stable offset.
 */
int64_t
kafka_written(const struct source *src, const struct partition *partition)
{
	const struct kafka *k = (const struct kafka *)src;
	const struct kafka_part *part = (const struct kafka_part *)partition;
	int64_t low, high;

	/* Paused, it knows of nothing new. */
	if (src->state != SOURCE_ACTIVE || part->stopped || part->paused ||
	    part->suspect || partition->end_seen < 0 ||
	    partition->end_seen < part->next ||
	    rd_kafka_get_watermark_offsets(k->rk,
					   kafka_topic(k, partition->topic),
					   partition->number, &low, &high))
		return -1;
	return high;
}

static rd_kafka_resp_err_t
metadata(struct kafka *k, const char *topic, int timeout_ms,
	 const struct rd_kafka_metadata **ret_md)
{
	const struct rd_kafka_metadata *md = NULL;
	rd_kafka_resp_err_t code;
	rd_kafka_topic_t *rkt =
		rd_kafka_topic_new(k->rk, kafka_topic(k, topic), NULL);

	if (!rkt) {
		code = rd_kafka_last_error();
		return code ? code : RD_KAFKA_RESP_ERR__FAIL;
	}
	code = rd_kafka_metadata(k->rk, 0, rkt, &md, timeout_ms);
	rd_kafka_topic_destroy(rkt);
	if (!code && md->topic_cnt != 1)
		code = RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC;
	if (!code)
		code = md->topics[0].err;
	if (!code)
		*ret_md = md;
	else if (md)
		rd_kafka_metadata_destroy(md);
	return code;
}

int
kafka_metadata(struct kafka *k, const char *topic, int timeout_ms,
	       const struct rd_kafka_metadata **ret_md, struct pj_error *err)
{
	rd_kafka_resp_err_t code = metadata(k, topic, timeout_ms, ret_md);

	if (!code)
		return 0;
	if (code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
	    code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC)
		(void)kafka_error_set(err, code,
				      "topic %s does not exist yet (waiting)",
				      kafka_topic(k, topic));
	else
		(void)kafka_error_set(err, code, "topic %s: %s",
				      kafka_topic(k, topic),
				      rd_kafka_err2str(code));
	return -1;
}

static int
discover_topic(struct kafka *k, const char *topic, int timeout_ms,
	       struct pj_error *err)
{
	const struct rd_kafka_metadata *md;
	int i;

	if (kafka_metadata(k, topic, timeout_ms, &md, err))
		return -1;
	for (i = 0; i < md->topics[0].partition_cnt; i++)
		(void)source_partition(&k->src, topic,
				       md->topics[0].partitions[i].id);
	rd_kafka_metadata_destroy(md);
	return 0;
}

int
kafka_discover(struct source *src, int timeout_ms, struct pj_error *err)
{
	struct kafka *k = (struct kafka *)src;
	int64_t end_mono_ms = clock_mono_ms() + timeout_ms;
	int64_t left;
	size_t i;

	for (i = 0; i < src->n_topics; i++) {
		left = end_mono_ms - clock_mono_ms();
		if (discover_topic(k, src->topics[i], left > 1 ? (int)left : 1,
				   err))
			return -1;
	}
	return 0;
}

bool
kafka_has_grown(struct kafka *k)
{
	int64_t now_mono_ms = clock_mono_ms();
	struct pj_error err;

	if (now_mono_ms < k->discover_at_mono_ms)
		return false;
	k->discover_at_mono_ms = now_mono_ms + KAFKA_DISCOVER_PERIOD_MS;
	/* Not now is as good as later: the log itself tells when it is away. */
	if (kafka_discover(&k->src, DISCOVER_TIMEOUT_MS, &err))
		return false;
	return k->src.n_parts > k->src.n_mine;
}

static void
outside(struct kafka *k, struct kafka_part *part, int64_t low, int64_t high)
{
	struct pj_error err;

	(void)pj_error_set(
		&err, PJ_ERROR_STOP,
		"%.100s/%d: offset %lld is outside the log (first %lld, next "
		"%lld): %s; restore the topic or rebuild the projection",
		part->part.topic, (int)part->part.number, (long long)part->next,
		(long long)low, (long long)high,
		part->next < low ? "records not yet read were removed"
				 : "the topic was truncated or made anew");
	err.code = RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET;
	kafka_stop(k, part, &err);
}

/* 0, or -1 when the log could not be asked. */
static int
verify_part(struct kafka *k, struct kafka_part *part, bool *ret_again)
{
	struct pj_error err;
	int64_t low, high;

	if (kafka_watermarks(&k->src, &part->part, VERIFY_TIMEOUT_MS, &low,
			     &high, &err)) {
		kafka_note(k, &err);
		return -1;
	}
	part->suspect = false;
	if (part->next >= 0 && (part->next < low || part->next > high)) {
		outside(k, part, low, high);
		return 0;
	}
	/*
	 * An error that outlived its assignment, a new leader that lagged
	 * behind, or a start that moved while we asked for the first record.
	 */
	if (part->next < 0)
		part->next = low;
	*ret_again = true;
	(void)pj_error_set(&err, PJ_ERROR_RETRY,
			   "%.100s/%d: offset %lld was refused but is there; "
			   "reading it again",
			   part->part.topic, (int)part->part.number,
			   (long long)part->next);
	kafka_note(k, &err);
	return 0;
}

void
kafka_verify(struct kafka *k)
{
	struct kafka_part *part;
	struct pj_error err;
	bool again = false, open = false;
	size_t i;

	if (!k->any_suspect || k->src.state != SOURCE_ACTIVE ||
	    clock_mono_ms() < k->verify_at_mono_ms)
		return;
	for (i = 0; i < k->src.n_mine && !open; i++) {
		part = (struct kafka_part *)k->src.mine[i];
		if (part->suspect && !part->stopped)
			open = verify_part(k, part, &again) < 0;
	}
	k->any_suspect = open;
	k->verify_at_mono_ms = clock_mono_ms() + VERIFY_PERIOD_MS;
	if (again && kafka_assign_again(k, &err))
		kafka_note(k, &err);
}
