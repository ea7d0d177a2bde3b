/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The OpenAPI 3.1 document of the views that are served, made from what their
 * generations say of themselves (reader_json, readmodel.h).
 */
#ifndef QUERYAPI_OPENAPI_H
#define QUERYAPI_OPENAPI_H

#include <jansson.h>
#include <stddef.h>

struct openapi_view {
	const char *name;
	int version;	      /* of the document */
	const json_t *reader; /* NULL: unreadable; described as any object */
};

struct settings_page;

/* One JSON text; the caller frees it with free(). indent: spaces, 0 = none. */
char *
openapi_write(const struct openapi_view *views, size_t n,
	      const struct settings_page *pages, size_t n_pages, int indent);

#endif
