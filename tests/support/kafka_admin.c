/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The few administrative requests that tests and the demo need.
 *
 *	kafka_admin BROKERS create-topic NAME PARTITIONS [KEY=VALUE…]
 *	kafka_admin BROKERS add-partitions NAME PARTITIONS
 *	kafka_admin BROKERS delete-topic NAME
 *	kafka_admin BROKERS delete-records NAME PARTITION OFFSET
 *	kafka_admin BROKERS delete-group GROUP
 *	kafka_admin BROKERS set-offset GROUP NAME PARTITION OFFSET
 *	kafka_admin BROKERS list                     NAME PARTITIONS
 *	kafka_admin BROKERS watermarks NAME          NAME PARTITION LOW HIGH
 *
 * create-topic of one that exists, and delete-topic of one that does not, do
 * nothing. add-partitions: up to that many in all. create-topic and
 * delete-topic return when the broker's metadata agrees.
 * Exit: 0 done; 1 not; 64 usage.
 */
#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TIMEOUT_MS 30000

static rd_kafka_t *rk;
static rd_kafka_queue_t *queue;

static int
complain(const char *what, const char *why)
{
	fprintf(stderr, "kafka_admin: %s: %s\n", what, why);
	return 1;
}

static const rd_kafka_group_result_t **
answered_groups(rd_kafka_event_t *ev, size_t *ret_n)
{
	*ret_n = 0;
	if (rd_kafka_event_error(ev))
		return NULL;
	if (rd_kafka_event_DeleteGroups_result(ev))
		return rd_kafka_DeleteGroups_result_groups(
			rd_kafka_event_DeleteGroups_result(ev), ret_n);
	if (rd_kafka_event_AlterConsumerGroupOffsets_result(ev))
		return rd_kafka_AlterConsumerGroupOffsets_result_groups(
			rd_kafka_event_AlterConsumerGroupOffsets_result(ev),
			ret_n);
	return NULL;
}

/* Of the group, or of its first partition. */
static rd_kafka_resp_err_t
group_error(const rd_kafka_group_result_t *group)
{
	const rd_kafka_topic_partition_list_t *parts =
		rd_kafka_group_result_partitions(group);

	if (rd_kafka_group_result_error(group))
		return rd_kafka_error_code(rd_kafka_group_result_error(group));
	return parts && parts->cnt > 0 ? parts->elems[0].err
				       : RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* Waits for the answer; its per-topic error, unless it is `fine`. */
static int
answer(const char *what, rd_kafka_resp_err_t fine)
{
	rd_kafka_event_t *ev = rd_kafka_queue_poll(queue, TIMEOUT_MS);
	const rd_kafka_topic_result_t **topics = NULL;
	const rd_kafka_topic_partition_list_t *parts;
	const rd_kafka_DeleteRecords_result_t *records;
	const rd_kafka_group_result_t **groups;
	rd_kafka_resp_err_t code;
	size_t n = 0;

	if (!ev)
		return complain(what, "no answer");
	code = rd_kafka_event_error(ev);
	if (!code && rd_kafka_event_CreateTopics_result(ev))
		topics = rd_kafka_CreateTopics_result_topics(
			rd_kafka_event_CreateTopics_result(ev), &n);
	else if (!code && rd_kafka_event_DeleteTopics_result(ev))
		topics = rd_kafka_DeleteTopics_result_topics(
			rd_kafka_event_DeleteTopics_result(ev), &n);
	else if (!code && rd_kafka_event_CreatePartitions_result(ev))
		topics = rd_kafka_CreatePartitions_result_topics(
			rd_kafka_event_CreatePartitions_result(ev), &n);
	if (n > 0)
		code = rd_kafka_topic_result_error(topics[0]);
	records = rd_kafka_event_DeleteRecords_result(ev);
	if (!code && records) {
		parts = rd_kafka_DeleteRecords_result_offsets(records);
		code = parts->elems[0].err;
	}
	groups = answered_groups(ev, &n);
	if (!code && n > 0)
		code = group_error(groups[0]);
	rd_kafka_event_destroy(ev);
	if (code && code != fine)
		return complain(what, rd_kafka_err2str(code));
	return 0;
}

/* Partitions of the topic, 0 = there is none, -1 = not known. */
static int
partitions(const char *name)
{
	const struct rd_kafka_metadata *md;
	int i, n = 0;

	if (rd_kafka_metadata(rk, 1, NULL, &md, TIMEOUT_MS))
		return -1;
	for (i = 0; i < md->topic_cnt; i++)
		if (strcmp(md->topics[i].topic, name) == 0 &&
		    !md->topics[i].err)
			n = md->topics[i].partition_cnt;
	rd_kafka_metadata_destroy(md);
	return n;
}

static int
wait_partitions(const char *name, int want)
{
	struct timespec ts = {0, 50 * 1000 * 1000};
	int i, n;

	for (i = 0; i < TIMEOUT_MS / 50; i++) {
		n = partitions(name);
		if (want ? n >= want : n == 0)
			return 0;
		(void)nanosleep(&ts, NULL);
	}
	return complain(name, "the metadata does not follow");
}

static int
create_topic(const char *name, int n, char **configs)
{
	rd_kafka_NewTopic_t *topic;
	char text[200], *eq;
	int status;

	topic = rd_kafka_NewTopic_new(name, n, -1, text, sizeof(text));
	if (!topic)
		return complain(name, text);
	for (; *configs; configs++) {
		eq = strchr(*configs, '=');
		if (!eq) {
			rd_kafka_NewTopic_destroy(topic);
			return complain(*configs, "is no KEY=VALUE");
		}
		*eq = '\0';
		(void)rd_kafka_NewTopic_set_config(topic, *configs, eq + 1);
	}
	rd_kafka_CreateTopics(rk, &topic, 1, NULL, queue);
	status = answer(name, RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS);
	rd_kafka_NewTopic_destroy(topic);
	return status ? status : wait_partitions(name, n);
}

static int
add_partitions(const char *name, int n)
{
	rd_kafka_NewPartitions_t *parts;
	char text[200];
	int status;

	parts = rd_kafka_NewPartitions_new(name, (size_t)n, text, sizeof(text));
	if (!parts)
		return complain(name, text);
	rd_kafka_CreatePartitions(rk, &parts, 1, NULL, queue);
	status = answer(name, RD_KAFKA_RESP_ERR_NO_ERROR);
	rd_kafka_NewPartitions_destroy(parts);
	return status ? status : wait_partitions(name, n);
}

static int
delete_topic(const char *name)
{
	rd_kafka_DeleteTopic_t *topic = rd_kafka_DeleteTopic_new(name);
	int status;

	rd_kafka_DeleteTopics(rk, &topic, 1, NULL, queue);
	status = answer(name, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
	rd_kafka_DeleteTopic_destroy(topic);
	return status ? status : wait_partitions(name, 0);
}

static int
delete_records(const char *name, int partition, int64_t offset)
{
	rd_kafka_topic_partition_list_t *list;
	rd_kafka_DeleteRecords_t *request;
	int status;

	list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_list_add(list, name, partition)->offset =
		offset;
	request = rd_kafka_DeleteRecords_new(list);
	rd_kafka_DeleteRecords(rk, &request, 1, NULL, queue);
	status = answer(name, RD_KAFKA_RESP_ERR_NO_ERROR);
	rd_kafka_DeleteRecords_destroy(request);
	rd_kafka_topic_partition_list_destroy(list);
	return status;
}

static int
delete_group(const char *name)
{
	rd_kafka_DeleteGroup_t *group = rd_kafka_DeleteGroup_new(name);
	int status;

	rd_kafka_DeleteGroups(rk, &group, 1, NULL, queue);
	status = answer(name, RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND);
	rd_kafka_DeleteGroup_destroy(group);
	return status;
}

static int
set_offset(const char *name, const char *topic, int partition, int64_t offset)
{
	rd_kafka_topic_partition_list_t *list;
	rd_kafka_AlterConsumerGroupOffsets_t *request;
	int status;

	list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_list_add(list, topic, partition)->offset =
		offset;
	request = rd_kafka_AlterConsumerGroupOffsets_new(name, list);
	rd_kafka_AlterConsumerGroupOffsets(rk, &request, 1, NULL, queue);
	status = answer(name, RD_KAFKA_RESP_ERR_NO_ERROR);
	rd_kafka_AlterConsumerGroupOffsets_destroy(request);
	rd_kafka_topic_partition_list_destroy(list);
	return status;
}

static int
list_topics(void)
{
	const struct rd_kafka_metadata *md;
	rd_kafka_resp_err_t code;
	int i;

	code = rd_kafka_metadata(rk, 1, NULL, &md, TIMEOUT_MS);
	if (code)
		return complain("list", rd_kafka_err2str(code));
	for (i = 0; i < md->topic_cnt; i++)
		printf("%s %d\n", md->topics[i].topic,
		       md->topics[i].partition_cnt);
	rd_kafka_metadata_destroy(md);
	return 0;
}

static int
watermarks(const char *name)
{
	rd_kafka_resp_err_t code;
	int64_t low, high;
	int i, n = partitions(name);

	if (n <= 0)
		return complain(name, "no such topic");
	for (i = 0; i < n; i++) {
		code = rd_kafka_query_watermark_offsets(rk, name, i, &low,
							&high, TIMEOUT_MS);
		if (code)
			return complain(name, rd_kafka_err2str(code));
		printf("%s %d %lld %lld\n", name, i, (long long)low,
		       (long long)high);
	}
	return 0;
}

static int
run(int argc, char **argv)
{
	const char *verb = argv[2];

	if (strcmp(verb, "create-topic") == 0 && argc >= 5)
		return create_topic(argv[3], atoi(argv[4]), argv + 5);
	if (strcmp(verb, "add-partitions") == 0 && argc == 5)
		return add_partitions(argv[3], atoi(argv[4]));
	if (strcmp(verb, "delete-topic") == 0 && argc == 4)
		return delete_topic(argv[3]);
	if (strcmp(verb, "delete-records") == 0 && argc == 6)
		return delete_records(argv[3], atoi(argv[4]), atoll(argv[5]));
	if (strcmp(verb, "delete-group") == 0 && argc == 4)
		return delete_group(argv[3]);
	if (strcmp(verb, "set-offset") == 0 && argc == 7)
		return set_offset(argv[3], argv[4], atoi(argv[5]),
				  atoll(argv[6]));
	if (strcmp(verb, "list") == 0 && argc == 3)
		return list_topics();
	if (strcmp(verb, "watermarks") == 0 && argc == 4)
		return watermarks(argv[3]);
	return 64;
}

int
main(int argc, char **argv)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char text[200];
	int status = 64;

	if (argc >= 3) {
		if (rd_kafka_conf_set(conf, "bootstrap.servers", argv[1], text,
				      sizeof(text)) ||
		    /* Watermarks: to the end, not to an open transaction. */
		    rd_kafka_conf_set(conf, "isolation.level",
				      "read_uncommitted", text, sizeof(text)) ||
		    !(rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text,
					sizeof(text))))
			return complain(argv[1], text);
		queue = rd_kafka_queue_new(rk);
		status = run(argc, argv);
		rd_kafka_queue_destroy(queue);
		rd_kafka_destroy(rk);
	}
	if (status == 64)
		fprintf(stderr, "usage: kafka_admin BROKERS create-topic NAME "
				"PARTITIONS [KEY=VALUE...]\n"
				"       | add-partitions NAME PARTITIONS | "
				"delete-topic "
				"NAME\n"
				"       | delete-records NAME PARTITION OFFSET "
				"| list | "
				"watermarks NAME\n"
				"       | delete-group GROUP | set-offset "
				"GROUP NAME PARTITION OFFSET\n");
	return status;
}
