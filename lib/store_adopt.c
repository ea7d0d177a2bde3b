/* SPDX-License-Identifier: Apache-2.0 */
/* Another code for a generation: first into the audit, then into its record. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "lib/readmodel.h"
#include "lib/store_rows.h"

static int
audit_adoption(struct store_session *ses, const char *generation,
	       const struct store_adoption *a, struct pj_error *err)
{
	char *detail = mem_printf("%s to %s", a->from_hash, a->code_hash);
	const struct store_parked row = {
		.generation = generation,
		.unit_type = "generation",
		.unit = store_str(""),
		.topic = "",
		.type = "",
		.cause = "code adopted",
		.detail = detail,
		.parked_at_ms = a->at_ms,
		.key_null = true,
		.value_null = true,
	};
	const struct store_unpark entry = {
		.action = "adopted",
		.reason = a->reason,
		.by = a->by,
		.at_ms = a->at_ms,
	};
	struct store_row audit = {0};
	bool inserted;
	int ret;

	rows_audit(&audit, &row, &entry);
	ret = ses->store->ops->row_insert(ses, READMODEL_AUDIT, &audit,
					  &inserted, err);
	store_row_release(&audit);
	free(detail);
	return ret;
}

int
store_generation_adopt(struct store_session *ses,
		       const struct store_adoption *a, struct pj_error *err)
{
	char id[READMODEL_GENERATION_ID_MAX];
	struct store_row row = {0};
	bool found;

	if (store_must_write(ses, err))
		return -1;
	readmodel_generation_id(id, a->projection, a->number);
	if (audit_adoption(ses, id, a, err))
		return -1;
	row.id = mem_strdup(id);
	row_set_text(&row, "codeHash", a->code_hash);
	row_set_text(&row, "reader", a->reader_json);
	if (store_row_write_take(ses, READMODEL_GENERATIONS, &row, &found, err))
		return -1;
	return found ? 0
		     : pj_error_set(err, PJ_ERROR_FATAL,
				    "%s has no generation %s", ses->store->name,
				    id);
}
