/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/claim.h"

#include <string.h>

#include "tests/sim/tell.h"
#include "tests/sim/world.h"

void
claim_begin(struct owner *o)
{
	uint64_t count = ++o->n_claims;

	memset(&o->claim, 0, sizeof(o->claim));
	memcpy(o->claim.owner.bytes, &o->nonce, 8);
	memcpy(o->claim.owner.bytes + 8, &count, 8);
	o->state = OWNER_CLAIMING;
}

/* All rows of one lane. */
static void
claim_send(struct world *w, struct owner *o)
{
	/* Known as of before it asks. */
	if (o->claim.lane == 0)
		o->trusted_mono_ms = w->now_mono_ms;
	const struct lane *lane = &o->lanes.lane[o->claim.lane];
	struct command *cmd = command_new(&w->server, COMMAND_CLAIM, w->n_logs);

	for (size_t l = 0; l < w->n_logs; l++) {
		struct checkpoint_content *content;
		struct statement *st;

		if (!o->has[l] ||
		    !module_reads_topic(lane->mod, w->logs[l].topic))
			continue;
		content = arena_add(&w->server.arena, sizeof(*content));
		memcpy(content->at.generation, lane->generation,
		       sizeof(content->at.generation));
		content->at.source = w->logs[l].source;
		content->at.next = content->at.anchor_offset = -1;
		st = &cmd->st[cmd->n++];
		st->row = server_checkpoint_row(&w->server, lane->generation,
						content->at.source);
		st->content = content;
		st->owner = o->claim.owner;
	}
	o->claim.call = (struct call){cmd, {0, 0, 0}, false};
}

void
claim_again(struct owner *o)
{
	memset(&o->claim, 0, sizeof(o->claim));
	o->claim.compare = o->claim.read_back = true;
	o->state = OWNER_CLAIMING;
}

/* As store_claim() does, after the rows; true: it does. */
static bool
claim_count(struct world *w, struct owner *o)
{
	struct claim *c = &o->claim;
	struct command *cmd;

	if (!w->rules->promotes || c->lane != PROMOTED || c->counted ||
	    c->call.cmd->n == 0)
		return false;
	c->counted = true;
	cmd = command_new(&w->server, COMMAND_COUNT, 1);
	cmd->st[cmd->n++].row = promoter_pointer(w);
	c->call = (struct call){cmd, {0, 0, 0}, false};
	return true;
}

/* ---- Reading back ----------------------------------------------------- */

/* False: it is not ours (any more). */
static bool
read_row(struct world *w, struct owner *o, const struct lane *lane, size_t l)
{
	const struct checkpoint_content *row =
		wire_read(&w->wire, &o->line,
			  server_checkpoint_row(&w->server, lane->generation,
						w->logs[l].source));

	struct store_checkpoint *claimed = &o->claimed[l][lane->index];

	if (!module_reads_topic(lane->mod, w->logs[l].topic)) {
		*claimed = (struct store_checkpoint){.next = -1,
						     .anchor_offset = -1};
		return true;
	}
	if (!row ||
	    (o->claim.compare ? row->at.epoch != claimed->epoch
			      : memcmp(row->owner.bytes, o->claim.owner.bytes,
				       sizeof(row->owner.bytes)) != 0))
		return false;
	*claimed = row->at;
	return true;
}

bool
claim_is_ours(const struct world *w, const struct owner *o)
{
	for (size_t l = 0; l < w->n_logs; l++)
		for (unsigned i = 0; o->has[l] && i < o->lanes.n; i++) {
			const struct lane *lane = &o->lanes.lane[i];
			const struct checkpoint_content *row = wire_read(
				&w->wire, &o->line,
				server_checkpoint_row(
					(struct server *)&w->server,
					lane->generation, w->logs[l].source));

			if (module_reads_topic(lane->mod, w->logs[l].topic) &&
			    (!row || row->at.epoch != o->claimed[l][i].epoch))
				return false;
		}
	return true;
}

static void
read_units(struct world *w, struct owner *o, struct lane *lane, size_t l)
{
	const struct cluster *cluster = &w->server.cluster;
	struct buf prefix = BUF_INIT;

	buf_addstr(&prefix, READMODEL_UNITS "/");
	readmodel_unit_prefix(&prefix, lane->generation, w->logs[l].source);
	for (size_t i = 0; i < cluster->n_rows; i++) {
		const struct row *row = cluster->rows[i];
		const struct document *doc;
		struct pj_error err;
		size_t skip = strlen(READMODEL_UNITS "/");

		if (row->kind != ROW_DOCUMENT || row->name.len < prefix.len ||
		    memcmp(row->name.ptr, prefix.data, prefix.len) != 0)
			continue;
		doc = wire_read(&w->wire, &o->line, row);
		REQUIRE(!doc || core_add_unit(
					o->core, lane,
					(struct pj_str){row->name.ptr + skip,
							row->name.len - skip},
					doc->bson, doc->len, &err) == 0,
			"core_add_unit: %s", err.text);
	}
	buf_release(&prefix);
}

static void
take(struct world *w, struct owner *o, size_t l)
{
	int64_t next;

	for (unsigned i = 0; i < o->lanes.n; i++)
		o->offered[l][i] = o->claimed[l][i].next;
	next = core_assign(o->core, &o->parts[l], o->claimed[l], NULL);
	o->at[l] = 0;
	while (o->at[l] < w->logs[l].n &&
	       w->logs[l].events[o->at[l]].offset < next)
		o->at[l]++;
	tell("  reads %s/%d from %lld", w->logs[l].topic,
	     (int)w->logs[l].number, (long long)next);
}

static void
claim_finish(struct world *w, struct owner *o)
{
	bool mine = true;

	for (size_t l = 0; l < w->n_logs; l++)
		for (unsigned i = 0; o->has[l] && i < o->lanes.n; i++)
			mine = mine && read_row(w, o, &o->lanes.lane[i], l);
	if (!mine) {
		met(MET_CLAIMS_LOST);
		tell("process %u: somebody came after its claim", o->number);
		owner_forget(w, o);
		o->fenced_at = tally->step;
		return;
	}
	met(o->claim.compare ? MET_REREADS : MET_CLAIMS);
	tell("process %u has claimed", o->number);
	o->state = OWNER_READING;
	o->look_mono_ms = o->trusted_mono_ms;
	for (size_t l = 0; l < w->n_logs; l++) {
		if (!o->has[l])
			continue;
		take(w, o, l);
		for (unsigned i = 0; i < o->lanes.n; i++)
			read_units(w, o, &o->lanes.lane[i], l);
	}
}

void
claim_step(struct world *w, struct owner *o)
{
	struct claim *c = &o->claim;

	/* What is on its way is of an assignment that is over. */
	if (o->n_errands)
		return;
	if (c->read_back) {
		enum read_end end = wire_read_begin(&w->wire, &o->line);

		if (end == READ_DONE)
			claim_finish(w, o);
		else if (end == READ_FAILED && !c->compare)
			claim_begin(o);
		return;
	}
	if (!c->call.cmd)
		claim_send(w, o);
	switch (call_step(&w->wire, &o->line, &c->call)) {
	case CALL_BUSY:
		break;
	case CALL_CLEAN:
		if (claim_count(w, o))
			break;
		c->call.cmd = NULL;
		c->read_back = ++c->lane == o->lanes.n;
		break;
	case CALL_DOUBT:
	case CALL_FAILED:
		/* It may have counted up: so under another name. */
		tell("process %u: a claim is in doubt", o->number);
		claim_begin(o);
	}
}
