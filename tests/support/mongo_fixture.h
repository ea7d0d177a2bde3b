/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store on a real replica set, whose server does what the test wants: runs
 * when SHOPVIEW_TEST_MONGODB is set; the server needs enableTestCommands.
 */
#ifndef TESTS_MONGO_FIXTURE_H
#define TESTS_MONGO_FIXTURE_H

#include "tests/support/store_fixture.h"

/* Runs a command beside the store; the reply is the caller's. */
static inline bson_t *
run_admin(const struct fixture *fx, const char *database, const char *json)
{
	mongoc_client_t *client = mongoc_client_new(fx->settings.uri);
	bson_error_t error;
	bson_t *command = bson_new_from_json((const uint8_t *)json, -1, &error);
	bson_t *reply, answer;

	assert_non_null(client);
	if (!command)
		fail_msg("%s", error.message);
	if (!mongoc_client_command_simple(client, database, command, NULL,
					  &answer, &error))
		fail_msg("%s: %s", json, error.message);
	reply = bson_copy(&answer);
	bson_destroy(&answer);
	bson_destroy(command);
	mongoc_client_destroy(client);
	return reply;
}

/* Only commands of this store's clients fail. */
static inline void
fail_commands(const struct fixture *fx, const char *mode, const char *what)
{
	char *json = mem_printf("{\"configureFailPoint\": \"failCommand\", "
				"\"mode\": %s, \"data\": {%s, "
				"\"appName\": \"store-test\"}}",
				mode, what);
	bson_t *reply = run_admin(fx, "admin", json);

	bson_destroy(reply);
	free(json);
}

static inline void
fail_nothing(const struct fixture *fx)
{
	fail_commands(fx, "\"off\"", "\"failCommands\": []");
}

/* Also when a test has failed in the middle. */
static inline int
mongo_teardown(void **state)
{
	fail_nothing(*state);
	return fixture_teardown(state);
}

#endif
