/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "projector/source_kafka.h"

static void
an_outage_is_waited_for(void **state)
{
	static const rd_kafka_resp_err_t codes[] = {
		RD_KAFKA_RESP_ERR__TRANSPORT,
		RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN,
		RD_KAFKA_RESP_ERR__RESOLVE,
		RD_KAFKA_RESP_ERR__TIMED_OUT,
		RD_KAFKA_RESP_ERR__WAIT_COORD,
		RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED,
		RD_KAFKA_RESP_ERR__SSL,
		RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
		RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC,
		RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
		RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
		RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
		RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
		RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS,
		RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION,
		RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID,
		RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR,
		RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED,
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		assert_int_equal(kafka_error_class(codes[i]), PJ_ERROR_RETRY);
}

static void
refused_credentials_are_a_matter_of_configuration(void **state)
{
	(void)state;
	assert_int_equal(kafka_error_class(RD_KAFKA_RESP_ERR__AUTHENTICATION),
			 PJ_ERROR_CONFIG);
	assert_int_equal(
		kafka_error_class(RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED),
		PJ_ERROR_CONFIG);
	assert_int_equal(
		kafka_error_class(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED),
		PJ_ERROR_CONFIG);
	assert_int_equal(
		kafka_error_class(RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED),
		PJ_ERROR_CONFIG);
}

static void
what_cannot_be_read_is_never_skipped(void **state)
{
	(void)state;
	assert_int_equal(
		kafka_error_class(RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET),
		PJ_ERROR_STOP);
	assert_int_equal(
		kafka_error_class(RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE),
		PJ_ERROR_STOP);
	assert_int_equal(kafka_error_class(RD_KAFKA_RESP_ERR__BAD_MSG),
			 PJ_ERROR_STOP);
	assert_int_equal(kafka_error_class(RD_KAFKA_RESP_ERR__BAD_COMPRESSION),
			 PJ_ERROR_STOP);
	assert_int_equal(kafka_error_class(RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED),
			 PJ_ERROR_STOP);
}

static void
a_dead_handle_ends_the_process(void **state)
{
	(void)state;
	assert_int_equal(kafka_error_class(RD_KAFKA_RESP_ERR__FATAL),
			 PJ_ERROR_FATAL);
	assert_int_equal(
		kafka_error_class(RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID),
		PJ_ERROR_FATAL);
}

static void
a_code_nobody_knows_is_an_outage_and_success_is_none(void **state)
{
	(void)state;
	assert_int_equal(kafka_error_class((rd_kafka_resp_err_t)31999),
			 PJ_ERROR_RETRY);
	assert_int_equal(kafka_error_class(RD_KAFKA_RESP_ERR_UNKNOWN),
			 PJ_ERROR_RETRY);
	assert_int_equal(kafka_error_class(RD_KAFKA_RESP_ERR_NO_ERROR),
			 PJ_ERROR_NONE);
}

static void
an_error_carries_code_class_and_text(void **state)
{
	struct pj_error err = {0};

	(void)state;
	assert_int_equal(kafka_error_set(&err, RD_KAFKA_RESP_ERR__BAD_MSG,
					 "%s/%d", "stock", 3),
			 -1);
	assert_int_equal(err.cls, PJ_ERROR_STOP);
	assert_int_equal(err.code, RD_KAFKA_RESP_ERR__BAD_MSG);
	assert_string_equal(err.text, "stock/3");
}

static void
the_gravest_of_several_errors_is_kept(void **state)
{
	struct kafka k = {0};
	struct pj_error err = {0};

	(void)state;
	(void)kafka_error_set(&err, RD_KAFKA_RESP_ERR__AUTHENTICATION, "no");
	kafka_note(&k, &err);
	(void)kafka_error_set(&err, RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN,
			      "down");
	kafka_note(&k, &err);
	assert_int_equal(k.pending.cls, PJ_ERROR_CONFIG);
	assert_string_equal(k.pending.text, "no");
	(void)kafka_error_set(&err, RD_KAFKA_RESP_ERR__FATAL, "dead");
	kafka_note(&k, &err);
	assert_int_equal(k.pending.cls, PJ_ERROR_CONFIG);
	assert_int_equal(k.fatal.cls, PJ_ERROR_FATAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_outage_is_waited_for),
		cmocka_unit_test(
			refused_credentials_are_a_matter_of_configuration),
		cmocka_unit_test(what_cannot_be_read_is_never_skipped),
		cmocka_unit_test(a_dead_handle_ends_the_process),
		cmocka_unit_test(
			a_code_nobody_knows_is_an_outage_and_success_is_none),
		cmocka_unit_test(an_error_carries_code_class_and_text),
		cmocka_unit_test(the_gravest_of_several_errors_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
