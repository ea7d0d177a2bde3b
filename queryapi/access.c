/* SPDX-License-Identifier: Apache-2.0 */
#include "queryapi/access.h"

#include <inttypes.h>
#include <string.h>

#include "lib/log.h"
#include "queryapi/routes.h"

/* One in n on average, not every n-th: requests have rhythms of their own. */
static bool
is_drawn(struct loop *lp, uint32_t n)
{
	uint64_t x = lp->id_seed + ++lp->draws * UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return (x ^ x >> 31) % n == 0;
}

void
access_note(struct loop *lp, const struct access *acc)
{
	uint32_t n = lp->shared->set->queryapi.access_log;
	char id[2 * FETCH_REQUEST_ID_MAX];

	if (n == 0 || !log_enabled(LOG_INFO) || (n > 1 && !is_drawn(lp, n)))
		return;
	if (log_is_blocked()) {
		metrics_count(&lp->met->lines_lost);
		return;
	}
	(void)log_quote(id, sizeof(id), acc->request_id,
			strlen(acc->request_id));
	log_info("access",
		 "method=%s route=%s status=%d bytes=%zu us=%" PRIu64
		 " request=%s%s%s%s%s",
		 acc->method, routes_template(acc->route), acc->status,
		 acc->bytes, acc->us, id, acc->token ? " token=" : "",
		 acc->token ? acc->token : "", *acc->trace_id ? " trace=" : "",
		 acc->trace_id);
}
