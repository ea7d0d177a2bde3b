/* SPDX-License-Identifier: Apache-2.0 */
/* The handlers of the views' routes. Thread: the loop; what they leave for a
 * worker is in the fetch they make. */
#ifndef QUERYAPI_VIEWS_H
#define QUERYAPI_VIEWS_H

#include "queryapi/routes.h"

/* GET /v1/{view}/{key} */
void
view_get(struct exchange *ex);
/* GET /v1/{view}?ids=a,b,c */
void
view_batch(struct exchange *ex);
/* QUERY /v1/{view} and POST /v1/{view}/batch: {"ids":["a","b","c"]} */
void
view_batch_body(struct exchange *ex);
/* GET /v1/{view}?limit=20&cursor=…&shopId=s */
void
view_list(struct exchange *ex);
/* GET /v1/{view}: one of the two, by whether there are ids. */
void
view_many(struct exchange *ex);

#endif
