/* SPDX-License-Identifier: Apache-2.0 */
#include "queryapi/policy.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

static uint32_t
seconds(const json_t *cache, const char *name)
{
	json_int_t s = json_integer_value(json_object_get(cache, name));

	return (uint32_t)(s < 0 ? 0 : s > INT32_MAX ? INT32_MAX : s);
}

void
policy_read(struct policy *pol, const json_t *reader)
{
	const json_t *cache = json_object_get(reader, "cache");

	memset(pol, 0, sizeof(*pol));
	if (!json_is_object(cache))
		return;
	pol->declared = true;
	pol->max_age_s = seconds(cache, "maxAge");
	pol->stale_while_revalidate_s = seconds(cache, "staleWhileRevalidate");
	pol->stale_if_error_s = seconds(cache, "staleIfError");
}

static void
narrow(uint32_t *s, uint32_t other)
{
	if (other < *s)
		*s = other;
}

void
policy_narrow(struct policy *pol, const struct policy *other)
{
	pol->declared &= other->declared;
	narrow(&pol->max_age_s, other->max_age_s);
	narrow(&pol->stale_while_revalidate_s, other->stale_while_revalidate_s);
	narrow(&pol->stale_if_error_s, other->stale_if_error_s);
}

void
policy_write(char out[POLICY_TEXT_MAX], const struct policy *pol)
{
	if (pol->declared)
		(void)snprintf(out, POLICY_TEXT_MAX,
			       "public, max-age=%" PRIu32
			       ", stale-while-revalidate=%" PRIu32
			       ", stale-if-error=%" PRIu32,
			       pol->max_age_s, pol->stale_while_revalidate_s,
			       pol->stale_if_error_s);
	else
		(void)snprintf(out, POLICY_TEXT_MAX, "no-cache");
}
