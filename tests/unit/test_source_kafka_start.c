/* SPDX-License-Identifier: Apache-2.0 */
/* Whose fault it is that librdkafka does not start: a person's or a machine's.
 */
#define _GNU_SOURCE /* RTLD_NEXT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dlfcn.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <string.h>

#include "projector/source.h"

/* ---- A machine on which librdkafka's threads do not start ---------------- */

static rd_kafka_resp_err_t refusal; /* 0: it starts */
static const char *reason;

__attribute__((visibility("default"))) rd_kafka_t *
rd_kafka_new(rd_kafka_type_t type, rd_kafka_conf_t *conf, char *text,
	     size_t size)
{
	static rd_kafka_t *(*next)(rd_kafka_type_t, rd_kafka_conf_t *, char *,
				   size_t);

	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "rd_kafka_new");
	if (!refusal)
		return next(type, conf, text, size);
	(void)snprintf(text, size, "%s", reason);
	return NULL;
}

__attribute__((visibility("default"))) rd_kafka_resp_err_t
rd_kafka_last_error(void)
{
	rd_kafka_resp_err_t (*next)(void);

	*(void **)&next = dlsym(RTLD_NEXT, "rd_kafka_last_error");
	return refusal ? refusal : next();
}

static enum pj_error_class
open_with(const char *const *properties, struct pj_error *err)
{
	static const char *const topics[] = {"stock"};
	struct source_settings set = {.type = SOURCE_KAFKA,
				      .brokers = "127.0.0.1:1",
				      .group = "g",
				      .instance_id = "one",
				      .properties = properties};
	struct source *src;

	if (source_open(&set, SOURCE_SHARE, topics, 1, &src, err))
		return err->cls;
	source_close(src);
	return PJ_ERROR_NONE;
}

static void
threads_that_do_not_start_are_no_fault_of_the_configuration(void **state)
{
	static const struct {
		rd_kafka_resp_err_t code;
		const char *text;
	} seen[] = {
		{RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE,
		 "Failed to create thread: Resource temporarily unavailable"},
		{RD_KAFKA_RESP_ERR__FAIL,
		 "Timed out waiting for 1 background thread(s) to initialize"},
	};
	struct pj_error err;

	(void)state;
	for (size_t i = 0; i < sizeof(seen) / sizeof(seen[0]); i++) {
		refusal = seen[i].code;
		reason = seen[i].text;
		/* The supervisor starts it again. */
		assert_int_equal(open_with(NULL, &err), PJ_ERROR_FATAL);
		assert_non_null(strstr(err.text, reason));
	}
	refusal = RD_KAFKA_RESP_ERR_NO_ERROR;
	assert_int_equal(open_with(NULL, &err), PJ_ERROR_NONE);
}

static void
properties_that_contradict_each_other_are_configuration(void **state)
{
	static const char *const properties[] = {"session.timeout.ms", "20000",
						 "max.poll.interval.ms",
						 "10000", NULL};
	struct pj_error err;

	(void)state;
	assert_int_equal(open_with(properties, &err), PJ_ERROR_CONFIG);
	assert_non_null(strstr(err.text, "max.poll.interval.ms"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			threads_that_do_not_start_are_no_fault_of_the_configuration),
		cmocka_unit_test(
			properties_that_contradict_each_other_are_configuration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
