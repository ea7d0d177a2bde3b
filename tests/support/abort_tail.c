/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leaves the remains of a transaction at the end of a topic's partitions.
 *
 *	abort_tail BROKERS TOPIC PARTITIONS N [hang]
 *
 * Writes N records to each partition in one transaction and aborts it: a
 * read_committed reader must see none of them, and must still find the end.
 * hang: says "hangs" and leaves the transaction open until it is killed; the
 * broker aborts it HANG_MS after its begin.
 * Exit: 0 aborted; 1 not; 64 usage.
 */
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HANG_MS "8000"
enum { TIMEOUT_MS = 30000 };

static int
failed(rd_kafka_error_t *error, const char *what)
{
	if (!error)
		return 0;
	fprintf(stderr, "abort_tail: %s: %s\n", what,
		rd_kafka_error_string(error));
	rd_kafka_error_destroy(error);
	return 1;
}

static rd_kafka_t *
producer(const char *brokers)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char text[256];
	rd_kafka_t *rk = NULL;

	if (rd_kafka_conf_set(conf, "bootstrap.servers", brokers, text,
			      sizeof(text)) == RD_KAFKA_CONF_OK &&
	    rd_kafka_conf_set(conf, "transaction.timeout.ms", HANG_MS, text,
			      sizeof(text)) == RD_KAFKA_CONF_OK &&
	    rd_kafka_conf_set(conf, "transactional.id", "abort_tail", text,
			      sizeof(text)) == RD_KAFKA_CONF_OK)
		rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
	if (!rk) {
		fprintf(stderr, "abort_tail: %s\n", text);
		rd_kafka_conf_destroy(conf);
	}
	return rk;
}

static int
produce(rd_kafka_t *rk, const char *topic, int32_t partition)
{
	/* An event that would be parked if anybody saw it. */
	static const char value[] = "never committed";

	if (rd_kafka_producev(
		    rk, RD_KAFKA_V_TOPIC(topic),
		    RD_KAFKA_V_PARTITION(partition),
		    RD_KAFKA_V_KEY("aborted", 7),
		    RD_KAFKA_V_VALUE((void *)value, sizeof(value) - 1),
		    RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
		    RD_KAFKA_V_END) == RD_KAFKA_RESP_ERR_NO_ERROR)
		return 0;
	fprintf(stderr, "abort_tail: %s/%d: not produced\n", topic,
		(int)partition);
	return 1;
}

static int
run(rd_kafka_t *rk, const char *topic, int partitions, int n, int hang)
{
	int bad = failed(rd_kafka_init_transactions(rk, TIMEOUT_MS), "init") ||
		  failed(rd_kafka_begin_transaction(rk), "begin");

	for (int p = 0; !bad && p < partitions; p++)
		for (int i = 0; !bad && i < n; i++)
			bad = produce(rk, topic, p);
	/* They have to be in the log: an abort drops what is not sent yet. */
	if (!bad && rd_kafka_flush(rk, TIMEOUT_MS)) {
		fprintf(stderr, "abort_tail: not flushed\n");
		bad = 1;
	}
	if (!bad && hang) {
		puts("hangs");
		(void)fflush(stdout);
		for (;;)
			(void)pause();
	}
	return bad ||
	       failed(rd_kafka_abort_transaction(rk, TIMEOUT_MS), "abort");
}

int
main(int argc, char **argv)
{
	rd_kafka_t *rk;
	int bad;

	if (argc != 5 && (argc != 6 || strcmp(argv[5], "hang"))) {
		fputs("usage: abort_tail BROKERS TOPIC PARTITIONS N [hang]\n",
		      stderr);
		return 64;
	}
	rk = producer(argv[1]);
	if (!rk)
		return 1;
	bad = run(rk, argv[2], atoi(argv[3]), atoi(argv[4]), argc == 6);
	rd_kafka_destroy(rk);
	return bad;
}
