/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How topics are configured: DescribeConfigs by the consumer's own handle. A
 * cluster that does not tell (no right to, too old, no answer) is no fault.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/mem.h"
#include "projector/source_kafka.h"

/* Of the time there is, so that a deaf broker leaves some. */
#define CONFIG_TIMEOUT_MS 3000

static bool
list_has(const char *list, const char *word)
{
	size_t len = strlen(word), n;

	for (; *list; list += n + (list[n] == ',')) {
		list += strspn(list, " ");
		n = strcspn(list, ",");
		if (strncmp(list, word, len) == 0 &&
		    strspn(list + len, " ") == n - len)
			return true;
	}
	return false;
}

void
kafka_describe_entry(struct source_topic *topic, const char *name,
		     const char *value)
{
	char *end;
	long long ms;

	if (!value)
		return;
	if (strcmp(name, "cleanup.policy") == 0) {
		topic->compacted =
			list_has(value, "compact") ? SOURCE_YES : SOURCE_NO;
	} else if (strcmp(name, "unclean.leader.election.enable") == 0) {
		topic->unclean =
			strcmp(value, "true") == 0 ? SOURCE_YES : SOURCE_NO;
	} else if (strcmp(name, "retention.ms") == 0) {
		ms = strtoll(value, &end, 10);
		if (*value && *end == '\0')
			topic->retention_ms = ms < 0 ? -1 : ms;
	}
}

static void
not_told(struct source_topic *topic, const char *why)
{
	(void)snprintf(topic->unknown, sizeof(topic->unknown), "%s", why);
}

static struct source_topic *
find(struct kafka *k, const char *name)
{
	size_t i;

	if (strncmp(name, k->prefix, k->prefix_len) != 0)
		return NULL;
	for (i = 0; i < k->src.n_topics; i++)
		if (strcmp(k->src.described[i].name, name + k->prefix_len) == 0)
			return &k->src.described[i];
	return NULL;
}

static void
take_resource(struct kafka *k, const rd_kafka_ConfigResource_t *resource)
{
	struct source_topic *topic =
		find(k, rd_kafka_ConfigResource_name(resource));
	const rd_kafka_ConfigEntry_t **entries;
	size_t n = 0, i;

	if (!topic)
		return;
	if (rd_kafka_ConfigResource_error(resource)) {
		not_told(topic, rd_kafka_err2str(rd_kafka_ConfigResource_error(
					resource)));
		return;
	}
	entries = rd_kafka_ConfigResource_configs(resource, &n);
	for (i = 0; i < n; i++)
		kafka_describe_entry(topic,
				     rd_kafka_ConfigEntry_name(entries[i]),
				     rd_kafka_ConfigEntry_value(entries[i]));
	topic->unknown[0] = '\0';
	if (topic->compacted == SOURCE_UNKNOWN ||
	    topic->unclean == SOURCE_UNKNOWN || topic->retention_ms == -2)
		not_told(topic, "the broker left settings out");
}

/* The answer, or NULL: *ret_why says why there is none. */
static rd_kafka_event_t *
ask(struct kafka *k, rd_kafka_ConfigResource_t **resources, size_t n,
    int timeout_ms, const char **ret_why)
{
	rd_kafka_AdminOptions_t *options;
	rd_kafka_queue_t *queue = rd_kafka_queue_new(k->rk);
	rd_kafka_event_t *ev;
	char text[200];

	options = rd_kafka_AdminOptions_new(k->rk,
					    RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
	(void)rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms,
							text, sizeof(text));
	rd_kafka_DescribeConfigs(k->rk, resources, n, options, queue);
	ev = rd_kafka_queue_poll(queue, timeout_ms);
	rd_kafka_AdminOptions_destroy(options);
	rd_kafka_queue_destroy(queue);
	*ret_why = "no answer in time";
	if (ev && rd_kafka_event_error(ev)) {
		*ret_why = rd_kafka_err2str(rd_kafka_event_error(ev));
		rd_kafka_event_destroy(ev);
		ev = NULL;
	}
	return ev;
}

static void
describe_configs(struct kafka *k, int timeout_ms)
{
	rd_kafka_ConfigResource_t **resources;
	const rd_kafka_ConfigResource_t **told;
	const char *why = NULL;
	rd_kafka_event_t *ev;
	size_t n = 0, i;

	resources = mem_calloc(k->src.n_topics, sizeof(resources[0]));
	for (i = 0; i < k->src.n_topics; i++)
		if (k->src.described[i].n_partitions > 0)
			resources[n++] = rd_kafka_ConfigResource_new(
				RD_KAFKA_RESOURCE_TOPIC,
				kafka_topic(k, k->src.described[i].name));
	ev = n > 0 ? ask(k, resources, n, timeout_ms, &why) : NULL;
	for (i = 0; i < k->src.n_topics; i++)
		if (k->src.described[i].n_partitions > 0)
			not_told(&k->src.described[i],
				 why ? why : "the broker left the topic out");
	if (ev) {
		size_t n_told = 0;

		told = rd_kafka_DescribeConfigs_result_resources(
			rd_kafka_event_DescribeConfigs_result(ev), &n_told);
		for (i = 0; i < n_told; i++)
			take_resource(k, told[i]);
		rd_kafka_event_destroy(ev);
	}
	rd_kafka_ConfigResource_destroy_array(resources, n);
	free(resources);
}

static int
count_partitions(struct kafka *k, struct source_topic *topic, int timeout_ms,
		 struct pj_error *err)
{
	const struct rd_kafka_metadata *md;

	if (kafka_metadata(k, topic->name, timeout_ms, &md, err)) {
		if (err->code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
		    err->code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC)
			return 0;
		return -1;
	}
	topic->n_partitions = md->topics[0].partition_cnt;
	rd_kafka_metadata_destroy(md);
	return 0;
}

int
kafka_describe(struct source *src, int timeout_ms, struct pj_error *err)
{
	struct kafka *k = (struct kafka *)src;
	int64_t end_mono_ms = clock_mono_ms() + timeout_ms;
	int64_t left;
	size_t i;

	for (i = 0; i < src->n_topics; i++) {
		left = end_mono_ms - clock_mono_ms();
		if (count_partitions(k, &src->described[i],
				     left > 1 ? (int)left : 1, err))
			return -1;
	}
	left = end_mono_ms - clock_mono_ms();
	if (left > CONFIG_TIMEOUT_MS)
		left = CONFIG_TIMEOUT_MS;
	describe_configs(k, left > 1 ? (int)left : 1);
	return 0;
}
