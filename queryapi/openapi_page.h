/* SPDX-License-Identifier: Apache-2.0 */
/* The part of the OpenAPI document that is about pages. */
#ifndef QUERYAPI_OPENAPI_PAGE_H
#define QUERYAPI_OPENAPI_PAGE_H

#include <jansson.h>

#include "lib/settings.h"

/* Adds the page's path. A part whose view has no schema is described as any
 * object. */
void
openapi_add_page(json_t *paths, const json_t *schemas,
		 const struct settings_page *page);

#endif
