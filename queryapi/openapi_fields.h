/* SPDX-License-Identifier: Apache-2.0 */
/* The part of the OpenAPI document that is about sets of fields. */
#ifndef QUERYAPI_OPENAPI_FIELDS_H
#define QUERYAPI_OPENAPI_FIELDS_H

#include <jansson.h>

/* The name of the schema of what is answered: the view's, or one that allows
 * its sets, too; free() it. reader: the generation's reader_json, or NULL. */
char *
openapi_fields_schema(const char *view, const json_t *reader);
/* Adds the parameter, when the view has sets. */
void
openapi_add_fields(json_t *operation, const json_t *reader);
/* Adds a schema for each set, and one for all; the view's is there. */
void
openapi_add_set_schemas(json_t *schemas, const char *view,
			const json_t *reader);

#endif
