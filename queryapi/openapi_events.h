/* SPDX-License-Identifier: Apache-2.0 */
/* The part of the OpenAPI document that is about streams of events. */
#ifndef QUERYAPI_OPENAPI_EVENTS_H
#define QUERYAPI_OPENAPI_EVENTS_H

#include <jansson.h>

/* Adds "/v1/{name}/{key}/events"; name: a view's, or "pages/" and a page's. */
void
openapi_add_events(json_t *paths, const char *name, const char *tag,
		   const char *summary);

#endif
