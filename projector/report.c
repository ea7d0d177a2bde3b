/* SPDX-License-Identifier: Apache-2.0 */
#include "projector/report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"

enum {
	LOG_EVERY_MS = 5000,
	PROGRESS_EVERY_MS = 5000,
	TOLD_MAX = 1000, /* kinds; more would be a flood of its own */
};

void
report_release(struct report *rep)
{
	for (size_t i = 0; i < rep->n_told; i++)
		free(rep->told[i]);
	free(rep->told);
}

void
report_outage(struct log_gate *gate, const char *event,
	      const struct pj_error *err)
{
	char text[2 * PJ_ERROR_TEXT];
	unsigned long missed;

	if (log_gate_open(gate, LOG_EVERY_MS, &missed))
		log_warn(event, "error=%s repeated=%lu",
			 log_quote(text, sizeof(text), err->text,
				   strlen(err->text)),
			 missed);
}

void
report_strayed(struct report *rep, const struct lane *lane, struct pj_str key,
	       const struct record *rec)
{
	unsigned long missed;
	char text[512];

	if (log_gate_open(&rep->strayed, LOG_EVERY_MS, &missed))
		log_warn("key.strayed",
			 "generation=%s key=%s at=%s/%" PRId32 "@%" PRId64
			 " repeated=%lu note=\"it came by another partition "
			 "before: its order is lost\"",
			 lane->generation,
			 log_quote(text, sizeof(text), key.ptr, key.len),
			 rec->partition->topic, rec->partition->number,
			 rec->offset, missed);
}

static bool
told_already(struct report *rep, const char *what)
{
	for (size_t i = 0; i < rep->n_told; i++)
		if (strcmp(rep->told[i], what) == 0)
			return true;
	if (rep->n_told == TOLD_MAX)
		return true;
	MEM_GROW(rep->told, rep->n_told, rep->told_cap);
	rep->told[rep->n_told++] = mem_strdup(what);
	return false;
}

void
report_parked(void *arg, const struct store_parked *row)
{
	char detail[2 * PJ_ERROR_TEXT], type[256];
	char *what = mem_printf("%s\n%s\n%s\n%s", row->generation, row->topic,
				row->type, row->cause);

	if (!told_already(arg, what))
		log_warn("record.parked",
			 "generation=%s at=%s/%" PRId32 "@%" PRId64
			 " type=%s cause=\"%s\" detail=%s more=counted",
			 row->generation, row->topic, row->partition,
			 row->offset,
			 log_quote(type, sizeof(type), row->type,
				   strlen(row->type)),
			 row->cause,
			 log_quote(detail, sizeof(detail), row->detail,
				   strlen(row->detail)));
	free(what);
}

void
report_progress(struct report *rep, const struct core *core,
		int64_t now_mono_ms, bool last)
{
	struct core_counts c = core_counts(core);
	int64_t ms = now_mono_ms - rep->progress_mono_ms;

	if (!last &&
	    (ms < PROGRESS_EVERY_MS || c.consumed == rep->progress_consumed))
		return;
	log_info(last ? "run.done" : "progress",
		 "events=%" PRIu64 " per_second=%" PRIu64 " skipped=%" PRIu64
		 " parked=%" PRIu64 " writes=%" PRIu64 " conflicts=%" PRIu64
		 " held=%zu",
		 c.consumed,
		 ms > 0 ? (c.consumed - rep->progress_consumed) * 1000 /
				  (uint64_t)ms
			: 0,
		 c.skipped, c.parked, c.writes, c.conflicts, core_held(core));
	rep->progress_mono_ms = now_mono_ms;
	rep->progress_consumed = c.consumed;
}
