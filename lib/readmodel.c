/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/readmodel.h"

#include <inttypes.h>
#include <stdio.h>

bool
readmodel_is_projection_name(const char *name)
{
	size_t i;

	if (name[0] < 'a' || name[0] > 'z')
		return false;
	for (i = 1; name[i]; i++) {
		bool lower = name[i] >= 'a' && name[i] <= 'z';
		bool digit = name[i] >= '0' && name[i] <= '9';

		if (!lower && !digit && name[i] != '_')
			return false;
	}
	return i <= 32;
}

void
readmodel_generation_id(char out[READMODEL_GENERATION_ID_MAX],
			const char *projection, int32_t number)
{
	(void)snprintf(out, READMODEL_GENERATION_ID_MAX, "%s.%" PRId32,
		       projection, number);
}
