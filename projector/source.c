/* SPDX-License-Identifier: Apache-2.0 */
#include "projector/source.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "projector/source_impl.h"

/* Kafka's own limit for a topic's name; struct partition has room for it. */
#define TOPIC_MAX 249

/* The alphabet is Kafka's; it also keeps a name inside its directory. */
static int
topic_check(const char *prefix, const char *topic, struct pj_error *err)
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz"
				       "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "0123456789._-";
	size_t len = strlen(topic);

	if (len == 0 || topic[strspn(topic, alphabet)] != '\0' ||
	    strcmp(topic, ".") == 0 || strcmp(topic, "..") == 0)
		return pj_error_set(err, PJ_ERROR_CONFIG,
				    "'%.100s' is no topic name (letters, "
				    "digits, '.', '_' and '-')",
				    topic);
	if (prefix[strspn(prefix, alphabet)] != '\0')
		return pj_error_set(err, PJ_ERROR_CONFIG,
				    "topic prefix '%.100s' has characters no "
				    "topic name may have",
				    prefix);
	if (strlen(prefix) + len > TOPIC_MAX)
		return pj_error_set(err, PJ_ERROR_CONFIG,
				    "topic '%.60s%.60s…' is longer than %d "
				    "characters",
				    prefix, topic, TOPIC_MAX);
	return 0;
}

int
source_open(const struct source_settings *settings, enum source_mode mode,
	    const char *const *topics, size_t n_topics,
	    struct source **ret_source, struct pj_error *err)
{
	const char *prefix = "";
	size_t i;

	if (n_topics == 0)
		return pj_error_set(err, PJ_ERROR_CONFIG,
				    "there is no topic to read");
	if (settings->type == SOURCE_KAFKA && settings->topic_prefix)
		prefix = settings->topic_prefix;
	for (i = 0; i < n_topics; i++)
		if (topic_check(prefix, topics[i], err))
			return -1;
	if (settings->type == SOURCE_KAFKA)
		return source_kafka_open(settings, mode, topics, n_topics,
					 ret_source, err);
	return source_archive_open(settings, mode, topics, n_topics, ret_source,
				   err);
}

void
source_close(struct source *src)
{
	if (src)
		src->ops->close(src);
}

/* Room for max records in src->recs. */
static void
reserve(struct source *src, size_t max_recs)
{
	if (src->cap_recs >= max_recs)
		return;
	src->recs = mem_reallocarray(src->recs, max_recs, sizeof(*src->recs));
	src->cap_recs = max_recs;
}

int
source_poll(struct source *src, int timeout_ms, size_t max_recs,
	    struct source_event *ret_event, struct pj_error *err)
{
	assert(max_recs > 0 && timeout_ms >= 0);
	reserve(src, max_recs);
	return src->ops->poll(src, timeout_ms, max_recs, ret_event, err);
}

static bool
is_topic(const struct source *src, const char *topic)
{
	size_t i;

	for (i = 0; i < src->n_topics; i++)
		if (strcmp(src->topics[i], topic) == 0)
			return true;
	return false;
}

void
source_give(struct source *src, const struct source_name *names, size_t n)
{
	size_t i;

	assert(src->mode == SOURCE_GIVEN);
	src->n_given = 0;
	for (i = 0; i < n; i++) {
		assert(is_topic(src, names[i].topic));
		MEM_GROW(src->given, src->n_given, src->cap_given);
		src->given[src->n_given++] =
			source_partition(src, names[i].topic, names[i].number);
	}
	src->given_is_new = true;
}

bool
source_given_dance(struct source *src, struct source_event *ret_event)
{
	size_t i;

	if (!src->given_is_new || src->state == SOURCE_LEAVING)
		return false;
	if (src->state != SOURCE_IDLE) {
		source_revoke(src, ret_event);
		return true;
	}
	source_mine_clear(src);
	for (i = 0; i < src->n_given; i++)
		source_mine_add(src, src->given[i]);
	src->given_is_new = false;
	source_offer(src, ret_event);
	return true;
}

static void
forget_stops(struct source *src)
{
	src->n_stops = src->n_stops_told = 0;
}

/* All partitions of the assignment, each once: anything else is our bug. */
static bool
positions_match(const struct source *src,
		const struct source_position *positions, size_t n)
{
	size_t i, j;

	if (n != src->n_mine)
		return false;
	for (i = 0; i < src->n_mine; i++) {
		for (j = 0; j < n; j++)
			if (positions[j].partition == src->mine[i])
				break;
		if (j == n)
			return false;
	}
	return true;
}

int
source_assign(struct source *src, const struct source_position *positions,
	      size_t n, uint32_t *ret_assignment, struct pj_error *err)
{
	assert(src->state == SOURCE_OFFERED || src->state == SOURCE_ACTIVE);
	assert(positions_match(src, positions, n));
	/* The number moves first: a failed attempt leaves no old records. */
	src->assignment++;
	forget_stops(src);
	for (size_t i = 0; i < n; i++) {
		positions[i].partition->end_seen = -1;
		positions[i].partition->open = (struct open_end){0};
	}
	if (src->ops->assign(src, positions, n, err))
		return -1;
	src->state = SOURCE_ACTIVE;
	*ret_assignment = src->assignment;
	return 0;
}

int
source_unassign(struct source *src, struct pj_error *err)
{
	if (src->state == SOURCE_IDLE)
		return 0;
	if (src->ops->unassign(src, err))
		return -1;
	src->state = SOURCE_IDLE;
	return 0;
}

int
source_pause(struct source *src, bool paused, struct pj_error *err)
{
	if (src->paused == paused)
		return 0;
	if (src->ops->pause(src, paused, err))
		return -1;
	src->paused = paused;
	return 0;
}

int
source_watermarks(struct source *src, const struct partition *part,
		  int timeout_ms, int64_t *ret_low, int64_t *ret_high,
		  struct pj_error *err)
{
	return src->ops->watermarks(src, part, timeout_ms, ret_low, ret_high,
				    err);
}

int64_t
source_written(const struct source *src, const struct partition *part)
{
	return src->ops->written ? src->ops->written(src, part) : -1;
}

static int
by_name(const void *a, const void *b)
{
	const struct partition *x = *(struct partition *const *)a;
	const struct partition *y = *(struct partition *const *)b;
	int diff = strcmp(x->topic, y->topic);

	if (diff)
		return diff;
	return x->number < y->number ? -1 : x->number > y->number;
}

int
source_partitions(struct source *src, int timeout_ms,
		  struct partition ***ret_parts, size_t *ret_n,
		  struct pj_error *err)
{
	if (src->ops->discover(src, timeout_ms, err))
		return -1;
	/* A copy: the registry grows (and moves) while the caller walks. */
	free(src->listed);
	src->listed = mem_calloc(src->n_parts + 1, sizeof(src->listed[0]));
	if (src->n_parts)
		memcpy(src->listed, src->parts,
		       src->n_parts * sizeof(src->listed[0]));
	qsort(src->listed, src->n_parts, sizeof(src->listed[0]), by_name);
	*ret_parts = src->listed;
	*ret_n = src->n_parts;
	return 0;
}

int
source_topics(struct source *src, int timeout_ms,
	      const struct source_topic **ret_topics, size_t *ret_n,
	      struct pj_error *err)
{
	size_t i;

	free(src->described);
	src->described = mem_calloc(src->n_topics, sizeof(src->described[0]));
	for (i = 0; i < src->n_topics; i++)
		src->described[i] = (struct source_topic){
			.name = src->topics[i], .retention_ms = -2};
	if (src->ops->describe(src, timeout_ms, err))
		return -1;
	*ret_topics = src->described;
	*ret_n = src->n_topics;
	return 0;
}

void
source_mirror(struct source *src, const struct source_position *positions,
	      size_t n)
{
	src->ops->mirror(src, positions, n);
}

void
source_init(struct source *src, const struct source_ops *ops,
	    enum source_mode mode, size_t part_size, const char *const *topics,
	    size_t n_topics)
{
	size_t i;

	src->ops = ops;
	src->mode = mode;
	src->part_size = part_size;
	src->topics = mem_calloc(n_topics, sizeof(src->topics[0]));
	src->n_topics = n_topics;
	for (i = 0; i < n_topics; i++)
		src->topics[i] = mem_strdup(topics[i]);
}

void
source_release(struct source *src)
{
	size_t i;

	for (i = 0; i < src->n_parts; i++)
		free(src->parts[i]);
	for (i = 0; i < src->n_topics; i++)
		free(src->topics[i]);
	free(src->parts);
	free(src->topics);
	free(src->mine);
	free(src->stops);
	free(src->given);
	free(src->recs);
	free(src->listed);
	free(src->described);
}

struct partition *
source_partition(struct source *src, const char *topic, int32_t number)
{
	struct partition *part;
	size_t i;

	for (i = 0; i < src->n_parts; i++) {
		part = src->parts[i];
		if (part->number == number && strcmp(part->topic, topic) == 0)
			return part;
	}
	assert(strlen(topic) < sizeof(part->topic));
	part = mem_calloc(1, src->part_size);
	memcpy(part->topic, topic, strlen(topic) + 1);
	part->number = number;
	part->source_index = -1;
	MEM_GROW(src->parts, src->n_parts, src->cap_parts);
	src->parts[src->n_parts++] = part;
	return part;
}

void
source_mine_clear(struct source *src)
{
	src->n_mine = 0;
}

void
source_mine_add(struct source *src, struct partition *part)
{
	MEM_GROW(src->mine, src->n_mine, src->cap_mine);
	src->mine[src->n_mine++] = part;
}

void
source_offer(struct source *src, struct source_event *ret_event)
{
	assert(src->state == SOURCE_IDLE);
	src->state = SOURCE_OFFERED;
	*ret_event = (struct source_event){.kind = SOURCE_ASSIGNED,
					   .partitions = src->mine,
					   .n_partitions = src->n_mine};
}

void
source_revoke(struct source *src, struct source_event *ret_event)
{
	assert(src->state == SOURCE_OFFERED || src->state == SOURCE_ACTIVE);
	src->state = SOURCE_LEAVING;
	forget_stops(src);
	*ret_event = (struct source_event){.kind = SOURCE_REVOKED,
					   .partitions = src->mine,
					   .n_partitions = src->n_mine};
}

void
source_stop(struct source *src, struct partition *part,
	    const struct pj_error *why)
{
	assert(src->state == SOURCE_ACTIVE);
	MEM_GROW(src->stops, src->n_stops, src->cap_stops);
	src->stops[src->n_stops++] = (struct source_stop){part, *why};
}

bool
source_tell_stop(struct source *src, struct source_event *ret_event)
{
	const struct source_stop *stop;

	if (!source_has_stop_to_tell(src))
		return false;
	stop = &src->stops[src->n_stops_told++];
	*ret_event = (struct source_event){.kind = SOURCE_STOPPED,
					   .stopped = stop->part,
					   .why = stop->why};
	return true;
}
