/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/group.h"

#include "tests/sim/tell.h"

/* Where generations move, it may have been fenced by who moves them. */
enum { FENCED_STEPS = 100, FENCED_PROMOTED = 6000 };

static size_t
joined(const struct world *w, struct owner **ret)
{
	size_t n = 0;

	for (size_t i = 0; i < w->n_owners; i++)
		if (w->owners[i]->joined)
			ret[n++] = w->owners[i];
	return n;
}

static void
announce(struct world *w)
{
	w->assignment++;
	for (size_t l = 0; l < w->n_logs; l++)
		tell("  %s/%d goes to process %u", w->logs[l].topic,
		     (int)w->logs[l].number, w->has[l]->number);
}

void
group_rebalance(struct world *w)
{
	struct owner *members[OWNERS_MAX];
	size_t n = joined(w, members);

	met(MET_REBALANCES);
	tell("the group deals out again");
	for (size_t l = 0; l < w->n_logs; l++)
		w->has[l] = members[dice_below(&w->dice, (unsigned)n)];
	announce(w);
}

void
group_move_one(struct world *w)
{
	struct owner *members[OWNERS_MAX];
	size_t n = joined(w, members);
	size_t l = dice_below(&w->dice, (unsigned)w->n_logs);

	if (n < 2)
		return;
	met(MET_MOVES);
	tell("the group moves a partition");
	w->has[l] = members[dice_below(&w->dice, (unsigned)n)];
	announce(w);
}

struct owner *
group_join(struct world *w)
{
	struct owner *o = owner_new(w, (unsigned)w->n_owners);

	REQUIRE(w->n_owners < OWNERS_MAX, "too many processes");
	w->owners[w->n_owners++] = o;
	o->joined = true;
	tell("process %u joins", o->number);
	return o;
}

/* Whoever is evicted leaves room for another. */
static void
replace(struct world *w, struct owner *o)
{
	struct owner *members[OWNERS_MAX];

	o->joined = false;
	if (w->n_owners < OWNERS_MAX &&
	    (joined(w, members) == 0 || dice_percent(&w->dice, 70)))
		(void)group_join(w);
	REQUIRE(joined(w, members) > 0, "nobody is left");
	group_rebalance(w);
}

static void
evict(struct world *w, struct owner *o)
{
	met(MET_EVICTIONS);
	o->deaf_until = tally->step + 20 + dice_below(&w->dice, 400);
	tell("process %u is evicted and does not know", o->number);
	replace(w, o);
}

static void
freeze(struct world *w, struct owner *o)
{
	met(MET_FREEZES);
	o->frozen_until = tally->step + 20 + dice_below(&w->dice, 300);
	tell("process %u is stopped", o->number);
	if (o->joined && dice_percent(&w->dice, 60))
		evict(w, o);
}

static bool
draw(struct world *w, unsigned once_in)
{
	return once_in && dice_once_in(&w->dice, once_in);
}

void
group_misfortune(struct world *w)
{
	const struct world_rules *rules = w->rules;
	struct owner *o =
		w->owners[dice_below(&w->dice, (unsigned)w->n_owners)];

	if (draw(w, rules->moves)) {
		if (dice_percent(&w->dice, 50))
			group_move_one(w);
		else
			group_rebalance(w);
	}
	/* The last ones are for the end. */
	if (o->state == OWNER_DEAD || w->n_owners > OWNERS_MAX - 4)
		return;
	if (draw(w, rules->crashes)) {
		met(MET_CRASHES);
		owner_die(w, o);
	} else if (draw(w, rules->zombies) && o->joined) {
		evict(w, o);
	} else if (draw(w, rules->freezes)) {
		freeze(w, o);
	}
}

/* Evicted, and now it knows. */
static void
rejoin(struct world *w, struct owner *o)
{
	tell("process %u learns that it was evicted", o->number);
	if (w->settling || dice_percent(&w->dice, 50)) {
		owner_die(w, o);
		return;
	}
	met(MET_REJOINS);
	owner_forget(w, o);
	o->joined = true;
	group_rebalance(w);
}

void
group_tidy(struct world *w)
{
	for (size_t i = 0; i < w->n_owners; i++) {
		struct owner *o = w->owners[i];

		if (o->state == OWNER_DEAD) {
			if (o->joined &&
			    (w->settling || dice_once_in(&w->dice, 20)))
				replace(w, o);
			continue;
		}
		if (tally->step < o->frozen_until)
			continue;
		if (!o->joined && tally->step >= o->deaf_until)
			rejoin(w, o);
		else if (owner_is_outdated(w, o) &&
			 (w->settling || dice_once_in(&w->dice, 200))) {
			tell("process %u is replaced by a newer one",
			     o->number);
			owner_die(w, o);
		}
		/* Fenced, and nothing came of it: it exits, to be restarted. */
		else if (o->joined && o->fenced_at &&
			 o->assignment == w->assignment &&
			 tally->step - o->fenced_at >
				 (w->rules->promotes ? FENCED_PROMOTED
						     : FENCED_STEPS)) {
			tell("process %u waited in vain", o->number);
			owner_die(w, o);
		}
	}
}
