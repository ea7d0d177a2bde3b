/* SPDX-License-Identifier: Apache-2.0 */
/* Commands of many statements, held below the server's limits. */
#include "lib/store_mongo.h"

void
mongo_command_begin(struct mongo_command *cmd, const char *verb,
		    const char *collection, const char *array)
{
	bson_init(&cmd->bson);
	cmd->n = 0;
	cmd->bytes = 0;
	mongo_must(bson_append_utf8(&cmd->bson, verb, -1, collection, -1) &&
		   bson_append_bool(&cmd->bson, "ordered", -1, false) &&
		   bson_append_array_begin(&cmd->bson, array, -1, &cmd->array));
}

void
mongo_command_end(struct mongo_command *cmd)
{
	mongo_must(bson_append_array_end(&cmd->bson, &cmd->array));
}

bool
mongo_command_has_room(const struct mongo_command *cmd, size_t len)
{
	return cmd->n == 0 || (cmd->n < MONGO_COMMAND_DOCS &&
			       cmd->bytes + len <= MONGO_COMMAND_BYTES);
}

const char *
mongo_command_next(struct mongo_command *cmd, size_t len, char name[16])
{
	const char *at;

	bson_uint32_to_string((uint32_t)cmd->n, &at, name, 16);
	cmd->n++;
	cmd->bytes += len;
	return at;
}
