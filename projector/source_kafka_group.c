/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Membership and positions.
 *
 * Nothing happens inside librdkafka's rebalance callback: it notes what came
 * and returns. The group waits for rd_kafka_assign(), which the pipeline's
 * answers call: source_assign() after it has claimed and loaded its positions,
 * source_unassign() after it has flushed. Assignment is eager: the whole set
 * comes and goes.
 */
#include "projector/source_kafka.h"

/* For the first offset of a partition that was read before: see below. */
#define FIRST_TIMEOUT_MS 5000

void
kafka_on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code,
		   rd_kafka_topic_partition_list_t *parts, void *opaque)
{
	struct kafka *k = opaque;

	if (atomic_load(&k->closing)) {
		/* Nobody answers any more. */
		(void)rd_kafka_assign(rk, NULL);
		return;
	}
	if (k->assign_pending) {
		rd_kafka_topic_partition_list_destroy(k->assign_pending);
		k->assign_pending = NULL;
	}
	if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS)
		k->assign_pending = rd_kafka_topic_partition_list_copy(parts);
	else
		k->revoke_pending = true;
	/* So that rd_kafka_consumer_poll() returns at once. */
	rd_kafka_yield(rk);
}

void
kafka_part_reset(struct partition *partition)
{
	struct kafka_part *part = (struct kafka_part *)partition;

	part->next = -1;
	part->suspect = part->stopped = part->paused = false;
}

static void
offer(struct kafka *k, struct source_event *ret_event)
{
	const rd_kafka_topic_partition_list_t *list = k->assign_pending;
	struct partition *part;
	int i;

	source_mine_clear(&k->src);
	for (i = 0; i < list->cnt; i++) {
		part = source_partition(&k->src,
					list->elems[i].topic + k->prefix_len,
					list->elems[i].partition);
		kafka_part_reset(part);
		source_mine_add(&k->src, part);
	}
	rd_kafka_topic_partition_list_destroy(k->assign_pending);
	k->assign_pending = NULL;
	k->last = NULL;
	source_offer(&k->src, ret_event);
}

bool
kafka_dance(struct kafka *k, struct source_event *ret_event)
{
	if (k->revoke_pending && k->src.state == SOURCE_IDLE) {
		/* Taken away before it was ever told. */
		k->revoke_pending = false;
		(void)rd_kafka_assign(k->rk, NULL);
	}
	if (k->revoke_pending && k->src.state != SOURCE_LEAVING) {
		source_revoke(&k->src, ret_event);
		return true;
	}
	if (k->assign_pending && k->src.state == SOURCE_IDLE) {
		offer(k, ret_event);
		return true;
	}
	return false;
}

/* What to fetch, and from where; destroyed by the caller. */
static rd_kafka_topic_partition_list_t *
positions(const struct kafka *k)
{
	rd_kafka_topic_partition_list_t *list;
	const struct kafka_part *part;
	size_t i;

	list = rd_kafka_topic_partition_list_new((int)k->src.n_mine);
	for (i = 0; i < k->src.n_mine; i++) {
		part = (const struct kafka_part *)k->src.mine[i];
		if (part->stopped)
			continue;
		rd_kafka_topic_partition_list_add(
			list, kafka_topic(k, part->part.topic),
			part->part.number)
			->offset =
			part->next < 0 ? RD_KAFKA_OFFSET_BEGINNING : part->next;
	}
	return list;
}

/*
 * Those that are not so yet, but never going on with what has stopped: over
 * rd_kafka_assign() paused partitions stay
 * paused and new ones are not, and resuming what is not paused makes librdkafka
 * deliver again.
 */
static void
pause_all(struct kafka *k, bool paused)
{
	rd_kafka_topic_partition_list_t *list;
	struct kafka_part *part;
	size_t i;

	list = rd_kafka_topic_partition_list_new((int)k->src.n_mine);
	for (i = 0; i < k->src.n_mine; i++) {
		part = (struct kafka_part *)k->src.mine[i];
		if (part->paused == paused || (part->stopped && !paused))
			continue;
		part->paused = paused;
		rd_kafka_topic_partition_list_add(
			list, kafka_topic(k, part->part.topic),
			part->part.number);
	}
	if (list->cnt && paused)
		(void)rd_kafka_pause_partitions(k->rk, list);
	else if (list->cnt)
		(void)rd_kafka_resume_partitions(k->rk, list);
	rd_kafka_topic_partition_list_destroy(list);
}

void
kafka_stop(struct kafka *k, struct kafka_part *part, const struct pj_error *why)
{
	rd_kafka_topic_partition_list_t *list;

	part->stopped = true;
	source_stop(&k->src, &part->part, why);
	if (part->paused)
		return;
	part->paused = true;
	list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_list_add(
		list, kafka_topic(k, part->part.topic), part->part.number);
	(void)rd_kafka_pause_partitions(k->rk, list);
	rd_kafka_topic_partition_list_destroy(list);
}

int
kafka_assign_again(struct kafka *k, struct pj_error *err)
{
	rd_kafka_topic_partition_list_t *list;
	rd_kafka_resp_err_t code;

	/* An assignment that is being taken away is answered, not renewed. */
	if (k->revoke_pending)
		return 0;
	list = positions(k);
	code = rd_kafka_assign(k->rk, list);
	rd_kafka_topic_partition_list_destroy(list);
	if (code)
		return kafka_error_set(err, code,
				       "kafka: partitions not assigned: %s",
				       rd_kafka_err2str(code));
	return 0;
}

/*
 * librdkafka keeps the log's start as the last fetch saw it and takes "from
 * the beginning" to mean that: of a topic made anew in between, records would
 * be skipped. So partitions that were read before are asked for their first
 * offset.
 */
static int
resolve_first(struct kafka *k, struct pj_error *err)
{
	rd_kafka_topic_partition_list_t *list;
	struct kafka_part *part;
	int status = 0, at = 0;
	size_t i;

	list = rd_kafka_topic_partition_list_new((int)k->src.n_mine);
	for (i = 0; i < k->src.n_mine; i++) {
		part = (struct kafka_part *)k->src.mine[i];
		if (part->next < 0 && part->read_before)
			rd_kafka_topic_partition_list_add(
				list, kafka_topic(k, part->part.topic),
				part->part.number);
	}
	if (list->cnt > 0)
		status = kafka_offsets(k, list, RD_KAFKA_OFFSET_BEGINNING,
				       FIRST_TIMEOUT_MS, err);
	for (i = 0; status == 0 && i < k->src.n_mine; i++) {
		part = (struct kafka_part *)k->src.mine[i];
		if (part->next < 0 && part->read_before)
			part->next = list->elems[at++].offset;
	}
	rd_kafka_topic_partition_list_destroy(list);
	return status;
}

int
kafka_assign(struct source *src, const struct source_position *positions,
	     size_t n, struct pj_error *err)
{
	struct kafka *k = (struct kafka *)src;
	struct kafka_part *part;
	size_t i;

	k->any_suspect = false;
	for (i = 0; i < n; i++) {
		part = (struct kafka_part *)positions[i].partition;
		part->next = positions[i].next;
		part->suspect = part->stopped = false;
	}
	/* Those that had stopped; before they get their new positions. */
	if (!src->paused)
		pause_all(k, false);
	if (!k->revoke_pending && resolve_first(k, err))
		return -1;
	if (kafka_assign_again(k, err))
		return -1;
	for (i = 0; i < n; i++)
		((struct kafka_part *)positions[i].partition)->read_before =
			true;
	if (src->paused)
		pause_all(k, true);
	return 0;
}

int
kafka_unassign(struct source *src, struct pj_error *err)
{
	struct kafka *k = (struct kafka *)src;
	rd_kafka_resp_err_t code;

	for (size_t i = 0; i < src->n_mine; i++)
		((struct kafka_part *)src->mine[i])->stopped = false;
	pause_all(k, false);
	k->revoke_pending = false;
	k->any_suspect = false;
	k->last = NULL;
	code = rd_kafka_assign(k->rk, NULL);
	/* A dead handle has nothing assigned; source_poll() tells. */
	if (code && kafka_error_class(code) != PJ_ERROR_FATAL)
		return kafka_error_set(err, code,
				       "kafka: partitions not given back: %s",
				       rd_kafka_err2str(code));
	return 0;
}

int
kafka_pause(struct source *src, bool paused, struct pj_error *err)
{
	struct kafka *k = (struct kafka *)src;

	(void)err;
	if (src->state != SOURCE_ACTIVE)
		return 0; /* kafka_assign() looks at src->paused */
	if (paused)
		pause_all(k, true);
	else
		pause_all(k, false);
	return 0;
}

void
kafka_mirror(struct source *src, const struct source_position *positions,
	     size_t n)
{
	struct kafka *k = (struct kafka *)src;
	rd_kafka_topic_partition_list_t *list;
	size_t i;

	if (src->mode != SOURCE_SHARE || src->state != SOURCE_ACTIVE)
		return;
	list = rd_kafka_topic_partition_list_new((int)n);
	for (i = 0; i < n; i++)
		if (positions[i].next >= 0)
			rd_kafka_topic_partition_list_add(
				list,
				kafka_topic(k, positions[i].partition->topic),
				positions[i].partition->number)
				->offset = positions[i].next;
	if (list->cnt)
		(void)rd_kafka_commit(k->rk, list, 1);
	rd_kafka_topic_partition_list_destroy(list);
}
