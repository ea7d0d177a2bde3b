/* SPDX-License-Identifier: Apache-2.0 */
/* The part of the OpenAPI document that is about lists. */
#ifndef QUERYAPI_OPENAPI_LIST_H
#define QUERYAPI_OPENAPI_LIST_H

#include <jansson.h>

/*
 * Adds to the operation that reads documents by `ids` what a list takes (limit,
 * cursor, the view's declared filters with their types) and answers. schema:
 * of its documents, by name. reader: the generation's reader_json, or NULL.
 */
void
openapi_add_list(json_t *operation, const char *schema, const json_t *reader);

#endif
