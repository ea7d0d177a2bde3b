/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/log.h"
#include "projector/source_kafka.h"

/*
 * Everything that is not in the table is an outage: librdkafka and brokers
 * retry by themselves, and an unknown code must never lose a record.
 */
static const struct {
	rd_kafka_resp_err_t code;
	enum pj_error_class cls;
} classes[] = {
	/* Out of range is verified first: kafka_verify(). */
	{RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET, PJ_ERROR_STOP},
	{RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE, PJ_ERROR_STOP},
	{RD_KAFKA_RESP_ERR__NO_OFFSET, PJ_ERROR_STOP},
	/* The client cannot read what is there and may go past it. */
	{RD_KAFKA_RESP_ERR__BAD_MSG, PJ_ERROR_STOP},
	{RD_KAFKA_RESP_ERR__BAD_COMPRESSION, PJ_ERROR_STOP},
	{RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED, PJ_ERROR_STOP},
	/* Refused, or a configuration no retry can mend. */
	{RD_KAFKA_RESP_ERR__AUTHENTICATION, PJ_ERROR_CONFIG},
	{RD_KAFKA_RESP_ERR__INVALID_ARG, PJ_ERROR_CONFIG},
	{RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE, PJ_ERROR_CONFIG},
	{RD_KAFKA_RESP_ERR__UNKNOWN_PROTOCOL, PJ_ERROR_CONFIG},
	{RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, PJ_ERROR_CONFIG},
	{RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM, PJ_ERROR_CONFIG},
	{RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE, PJ_ERROR_CONFIG},
	{RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, PJ_ERROR_CONFIG},
	{RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, PJ_ERROR_CONFIG},
	{RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, PJ_ERROR_CONFIG},
	{RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, PJ_ERROR_CONFIG},
	{RD_KAFKA_RESP_ERR_INVALID_GROUP_ID, PJ_ERROR_CONFIG},
	{RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT, PJ_ERROR_CONFIG},
	{RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL, PJ_ERROR_CONFIG},
	{RD_KAFKA_RESP_ERR_GROUP_MAX_SIZE_REACHED, PJ_ERROR_CONFIG},
	{RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION, PJ_ERROR_CONFIG},
	/* From the fetcher: receive.message.max.bytes is too small. */
	{RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, PJ_ERROR_CONFIG},
	/* The handle is of no further use. */
	{RD_KAFKA_RESP_ERR__FATAL, PJ_ERROR_FATAL},
	{RD_KAFKA_RESP_ERR__FENCED, PJ_ERROR_FATAL},
	{RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, PJ_ERROR_FATAL},
	{RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE, PJ_ERROR_FATAL},
	{RD_KAFKA_RESP_ERR__DESTROY, PJ_ERROR_FATAL},
};

enum pj_error_class
kafka_error_class(rd_kafka_resp_err_t code)
{
	size_t i;

	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		return PJ_ERROR_NONE;
	for (i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
		if (classes[i].code == code)
			return classes[i].cls;
	return PJ_ERROR_RETRY;
}

int
kafka_error_set(struct pj_error *err, rd_kafka_resp_err_t code, const char *fmt,
		...)
{
	char text[PJ_ERROR_TEXT];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)pj_error_set(err, kafka_error_class(code), "%s", text);
	err->code = code;
	return -1;
}

void
kafka_note(struct kafka *k, const struct pj_error *err)
{
	struct pj_error *keep =
		err->cls == PJ_ERROR_FATAL ? &k->fatal : &k->pending;

	/* The classes are in order of gravity. */
	if (err->cls > keep->cls)
		*keep = *err;
}

static void
note_fatal(struct kafka *k, const char *reason)
{
	char text[256];
	struct pj_error err;
	rd_kafka_resp_err_t code;

	code = rd_kafka_fatal_error(k->rk, text, sizeof(text));
	if (!code)
		(void)snprintf(text, sizeof(text), "%s", reason);
	if (code == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID)
		(void)pj_error_set(&err, PJ_ERROR_FATAL,
				   "kafka: another process took over our "
				   "instance id: %s",
				   text);
	else
		(void)pj_error_set(&err, PJ_ERROR_FATAL, "kafka: %s", text);
	err.code = code;
	kafka_note(k, &err);
}

void
kafka_on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
	struct kafka *k = opaque;
	struct pj_error err;

	if (atomic_load(&k->closing))
		return;
	switch (code) {
	case RD_KAFKA_RESP_ERR__FATAL:
		note_fatal(k, reason);
		break;
	case RD_KAFKA_RESP_ERR__TRANSPORT:
	case RD_KAFKA_RESP_ERR__RESOLVE:
	case RD_KAFKA_RESP_ERR__TIMED_OUT:
		/* One broker of several; __ALL_BROKERS_DOWN is the outage. */
		return;
	default:
		(void)kafka_error_set(&err, code, "kafka: %s: %s",
				      rd_kafka_err2name(code), reason);
		kafka_note(k, &err);
	}
	rd_kafka_yield(rk);
}

static struct kafka_part *
part_of(struct kafka *k, const rd_kafka_message_t *msg)
{
	const char *topic = msg->rkt ? rd_kafka_topic_name(msg->rkt) : "";
	size_t i;

	if (k->src.state != SOURCE_ACTIVE ||
	    strncmp(topic, k->prefix, k->prefix_len) != 0)
		return NULL;
	for (i = 0; i < k->src.n_mine; i++)
		if (k->src.mine[i]->number == msg->partition &&
		    strcmp(k->src.mine[i]->topic, topic + k->prefix_len) == 0)
			return (struct kafka_part *)k->src.mine[i];
	return NULL;
}

/* The partition is at fault. */
static void
note_stop(struct kafka *k, struct kafka_part *part,
	  const rd_kafka_message_t *msg)
{
	struct pj_error err;

	if (!part || part->stopped)
		return; /* of an assignment that is gone, or told already */
	(void)kafka_error_set(
		&err, msg->err,
		"%.100s/%d@%lld cannot be read (%s): %s; nothing "
		"behind it was applied",
		part->part.topic, (int)part->part.number, (long long)part->next,
		rd_kafka_err2name(msg->err), rd_kafka_message_errstr(msg));
	kafka_stop(k, part, &err);
}

/*
 * All below was handed out. librdkafka drops the end of an older position by
 * its version; one below what we delivered says nothing.
 */
static void
note_end(const struct kafka *k, struct kafka_part *part, int64_t end)
{
	if (!part || k->src.state != SOURCE_ACTIVE || k->revoke_pending ||
	    part->stopped || part->suspect || end < part->next)
		return;
	part->part.end_seen = end;
}

void
kafka_on_error_message(struct kafka *k, const rd_kafka_message_t *msg)
{
	struct kafka_part *part = part_of(k, msg);
	const char *topic = msg->rkt ? rd_kafka_topic_name(msg->rkt) : NULL;
	struct pj_error err;

	switch (msg->err) {
	case RD_KAFKA_RESP_ERR__PARTITION_EOF:
		note_end(k, part, msg->offset);
		return;
	case RD_KAFKA_RESP_ERR__FATAL:
		note_fatal(k, rd_kafka_message_errstr(msg));
		return;
	case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
	case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
	case RD_KAFKA_RESP_ERR__NO_OFFSET:
		if (part && !part->stopped)
			part->suspect = k->any_suspect = true;
		k->verify_at_mono_ms = 0;
		return;
	case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
	case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
	case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
		(void)kafka_error_set(&err, msg->err,
				      "topic %s does not exist yet (waiting)",
				      topic ? topic : "?");
		break;
	default:
		if (kafka_error_class(msg->err) == PJ_ERROR_STOP) {
			note_stop(k, part, msg);
			return;
		}
		(void)kafka_error_set(&err, msg->err, "kafka: %s%s%s",
				      topic ? topic : "", topic ? ": " : "",
				      rd_kafka_message_errstr(msg));
	}
	kafka_note(k, &err);
}
