/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mongo_admin URI DATABASE JSON: runs one command, prints the reply as JSON.
 * Exit status 0 when the server said ok, 1 otherwise, 64 for wrong usage.
 */
#include <mongoc/mongoc.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int
run(const char *uri, const char *database, const char *json)
{
	bson_error_t error = {0};
	mongoc_client_t *client = NULL;
	bson_t *command = NULL;
	bson_t reply = BSON_INITIALIZER;
	char *text = NULL;
	bool ok = false;

	command = bson_new_from_json((const uint8_t *)json, -1, &error);
	if (!command)
		goto out;
	client = mongoc_client_new(uri);
	if (!client) {
		(void)snprintf(error.message, sizeof(error.message),
			       "not a usable URI");
		goto out;
	}
	bson_destroy(&reply);
	ok = mongoc_client_command_simple(client, database, command, NULL,
					  &reply, &error);
	text = bson_as_relaxed_extended_json(&reply, NULL);
	if (text)
		puts(text);
out:
	if (!ok)
		(void)fprintf(stderr, "mongo_admin: %s\n", error.message);
	bson_free(text);
	bson_destroy(&reply);
	if (command)
		bson_destroy(command);
	if (client)
		mongoc_client_destroy(client);
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

int
main(int argc, char **argv)
{
	int status;

	if (argc != 4) {
		fputs("usage: mongo_admin URI DATABASE JSON\n", stderr);
		return 64;
	}
	mongoc_init();
	status = run(argv[1], argv[2], argv[3]);
	mongoc_cleanup();
	return status;
}
