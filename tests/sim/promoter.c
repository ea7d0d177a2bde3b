/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/promoter.h"

#include <string.h>

#include "projector/promotion.h"
#include "tests/sim/tell.h"
#include "tests/sim/world.h"

struct row *
promoter_pointer(struct world *w)
{
	return cluster_row(&w->server.cluster, ROW_POINTER,
			   (struct pj_str)PJ_STR("live"));
}

static struct row *
row_of(const struct world *w, size_t l)
{
	return server_checkpoint_row((struct server *)&w->server,
				     w->lanes.lane[PROMOTED].generation,
				     w->logs[l].source);
}

static const struct checkpoint_content *
read_row(const struct world *w, size_t l)
{
	return wire_read(&w->wire, &w->promoter.line, row_of(w, l));
}

static void
give_up(struct world *w, const char *why)
{
	tell("the promotion begins again: %s", why);
	w->promoter.state = PROMOTER_IDLE;
}

/* ---- The fence -------------------------------------------------------- */

/* Every row there is of the live generation. */
static void
claim_all(struct world *w)
{
	struct promoter *pro = &w->promoter;
	struct command *cmd = command_new(&w->server, COMMAND_CLAIM, w->n_logs);

	for (size_t i = 0; i < sizeof(pro->owner.bytes); i += 8) {
		uint64_t nonce = dice_roll(&w->dice);

		memcpy(pro->owner.bytes + i, &nonce, 8);
	}
	memset(pro->epochs, 0, sizeof(pro->epochs));
	for (size_t l = 0; l < w->n_logs; l++) {
		struct statement *st;

		if (!read_row(w, l))
			continue;
		st = &cmd->st[cmd->n++];
		st->row = row_of(w, l);
		st->content = read_row(w, l);
		st->owner = pro->owner;
		pro->epochs[l] = 1;
	}
	pro->call = (struct call){cmd, {0, 0, 0}, false};
	pro->state = PROMOTER_CLAIMING;
}

static void
read_back(struct world *w)
{
	struct promoter *pro = &w->promoter;

	for (size_t l = 0; l < w->n_logs; l++) {
		const struct checkpoint_content *row = read_row(w, l);

		if (!pro->epochs[l])
			continue;
		if (!row || memcmp(row->owner.bytes, pro->owner.bytes,
				   sizeof(pro->owner.bytes)) != 0) {
			give_up(w, "another claimed at the same moment");
			return;
		}
		pro->epochs[l] = row->at.epoch;
	}
	pro->state = PROMOTER_SEEING;
}

static void
see_pointer(struct world *w)
{
	struct promoter *pro = &w->promoter;
	const struct pointer_content *now =
		wire_read(&w->wire, &pro->line, promoter_pointer(w));

	memset(&pro->seen, 0, sizeof(pro->seen));
	if (now)
		pro->seen = *now;
	pro->fenced_mono_ms = w->now_mono_ms;
	pro->state = PROMOTER_WAITING;
	met(MET_FENCES);
	tell("%s is fenced for a promotion",
	     w->lanes.lane[PROMOTED].generation);
}

/* No row has another epoch, and none has come. */
static bool
fence_stands(const struct world *w)
{
	const struct promoter *pro = &w->promoter;

	for (size_t l = 0; l < w->n_logs; l++) {
		const struct checkpoint_content *row = read_row(w, l);

		if ((row ? row->at.epoch : 0) != pro->epochs[l])
			return false;
	}
	return true;
}

/* ---- The pointer ------------------------------------------------------ */

static void
ask_ends(struct world *w)
{
	struct promoter *pro = &w->promoter;

	for (size_t l = 0; l < w->n_logs; l++) {
		pro->seen.ends[l] = log_end_now(&w->logs[l]);
		tell("  %s/%d ends at %lld", w->logs[l].topic,
		     (int)w->logs[l].number, (long long)pro->seen.ends[l]);
	}
	pro->state = PROMOTER_REACHING;
}

static void
move(struct world *w)
{
	struct promoter *pro = &w->promoter;
	struct command *cmd = command_new(&w->server, COMMAND_MOVE, 1);
	struct pointer_content *content =
		arena_add(&w->server.arena, sizeof(*content));

	*content = pro->seen;
	content->moves++;
	cmd->st[0].row = promoter_pointer(w);
	cmd->st[0].content = content;
	cmd->n = 1;
	pro->call = (struct call){cmd, {0, 0, 0}, false};
	pro->state = PROMOTER_MOVING;
	/* Between the look and what it is for. */
	if (dice_percent(&w->dice, 40))
		pro->frozen_until = tally->step + dice_below(&w->dice, 2500);
}

bool
promoter_is_late(const struct world *w)
{
	return w->promoter.state >= PROMOTER_REACHING;
}

/* ---- Steps ------------------------------------------------------------ */

static void
step_read(struct world *w)
{
	struct promoter *pro = &w->promoter;
	enum read_end end = wire_read_begin(&w->wire, &pro->line);

	if (end == READ_BUSY)
		return;
	if (end == READ_FAILED)
		give_up(w, "no answer");
	else if (pro->state == PROMOTER_LISTING)
		claim_all(w);
	else if (pro->state == PROMOTER_READING_BACK)
		read_back(w);
	else if (pro->state == PROMOTER_SEEING)
		see_pointer(w);
	else if (fence_stands(w))
		move(w);
	else {
		met(MET_BROKEN_FENCES);
		give_up(w, "its fence was broken");
	}
}

static void
step_call(struct world *w)
{
	struct promoter *pro = &w->promoter;

	switch (call_step(&w->wire, &pro->line, &pro->call)) {
	case CALL_BUSY:
		return;
	case CALL_DOUBT:
	case CALL_FAILED:
		give_up(w, "a command is in doubt");
		return;
	case CALL_CLEAN:
		break;
	}
	if (pro->state == PROMOTER_CLAIMING) {
		pro->state = PROMOTER_READING_BACK;
		return;
	}
	met_n(MET_NOT_MOVED, pro->call.reply.n == 0);
	give_up(w, pro->call.reply.n ? "it is done" : "somebody has claimed");
}

void
promoter_step(struct world *w)
{
	struct promoter *pro = &w->promoter;

	if (tally->step < pro->frozen_until || !dice_percent(&w->dice, 30))
		return;
	if (dice_once_in(&w->dice, 300))
		pro->frozen_until = tally->step + dice_below(&w->dice, 300);
	switch (pro->state) {
	case PROMOTER_IDLE:
		if (dice_once_in(&w->dice, w->rules->promotes))
			pro->state = PROMOTER_LISTING;
		break;
	case PROMOTER_WAITING:
		if (w->now_mono_ms >= pro->fenced_mono_ms + PROMOTION_GRACE_MS)
			ask_ends(w);
		break;
	case PROMOTER_REACHING:
		if (dice_once_in(&w->dice, 20))
			pro->state = PROMOTER_CHECKING;
		break;
	case PROMOTER_CLAIMING:
	case PROMOTER_MOVING:
		step_call(w);
		break;
	case PROMOTER_LISTING:
	case PROMOTER_READING_BACK:
	case PROMOTER_SEEING:
	case PROMOTER_CHECKING:
		step_read(w);
		break;
	}
}

/* ---- What must hold --------------------------------------------------- */

static void
check_seen(const struct world *w, const struct row *row,
	   const struct document *doc, const struct pointer_content *now)
{
	for (size_t l = 0; l < w->n_logs; l++) {
		int64_t at = document_position(doc, w->logs[l].source);

		REQUIRE(at < now->ends[l],
			"%.*s: readers have seen %s/%d@%lld, what takes over "
			"need not go beyond %lld",
			(int)row->name.len, row->name.ptr, w->logs[l].topic,
			(int)w->logs[l].number, (long long)at,
			(long long)now->ends[l]);
	}
}

void
promoter_check(const struct world *w, const struct pointer_content *before,
	       const struct pointer_content *after)
{
	const struct cluster *cluster = &w->server.cluster;
	const char *generation = w->lanes.lane[PROMOTED].generation;
	size_t len = strlen(generation);

	if (after->moves == (before ? before->moves : 0))
		return;
	met(MET_PROMOTED);
	tell("the pointer has moved");
	for (size_t i = 0; i < cluster->n_rows; i++) {
		const struct row *row = cluster->rows[i];
		const struct document *doc =
			row->kind == ROW_DOCUMENT
				? cluster_committed(cluster, row)
				: NULL;

		if (doc && row->name.len > len && row->name.ptr[len] == '/' &&
		    memcmp(row->name.ptr, generation, len) == 0)
			check_seen(w, row, doc, after);
	}
}
