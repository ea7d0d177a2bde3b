/* SPDX-License-Identifier: Apache-2.0 */
/* What is done once a tick beside the records: requests, answers, purges. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "projector/pipeline_impl.h"

/* ---- Requests --------------------------------------------------------------
 */

static struct lane *
find_lane(const struct pipeline *pipe, const char *generation)
{
	for (unsigned i = 0; i < pipe->set.lanes->n; i++) {
		struct lane *lane = &pipe->set.lanes->lane[i];

		if (strcmp(lane->generation, generation) == 0)
			return lane;
	}
	return NULL;
}

static struct partition *
find_partition(const struct pipeline *pipe, const char *topic, int32_t number)
{
	for (size_t p = 0; p < pipe->n_parts; p++)
		if (pipe->parts[p]->number == number &&
		    strcmp(pipe->parts[p]->topic, topic) == 0)
			return pipe->parts[p];
	return NULL;
}

/* Only the owner of the queue's source does it (protocol rule 11). */
static void
take_requests(struct pipeline *pipe, const struct store_request *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct partition *part =
			find_partition(pipe, rows[i].topic, rows[i].partition);
		struct lane *lane = find_lane(pipe, rows[i].generation);

		if (part && lane && !lane->elsewhere)
			(void)core_request(pipe->core, lane, part, &rows[i]);
	}
}

static void
take_answers(struct pipeline *pipe)
{
	struct core_answer answer;

	while (core_take_answer(pipe->core, &answer)) {
		MEM_GROW(pipe->answers, pipe->n_answers, pipe->answers_cap);
		pipe->answers[pipe->n_answers++] = answer;
	}
}

static void
say_answer(const struct core_answer *a)
{
	char text[512];

	log_info("request.done", "request=%s state=%s text=%s", a->request,
		 a->state == STORE_REQ_DONE ? "done" : "failed",
		 log_quote(text, sizeof(text), a->text, strlen(a->text)));
}

/* In one go: a retry of all queues ends them by the thousand. */
static int
store_answers(struct pipeline *pipe, struct pj_error *err)
{
	size_t n = pipe->n_answers, n_ended;
	struct store_ending *ends;
	int rc;

	if (n == 0)
		return 0;
	ends = mem_calloc(n, sizeof(*ends));
	for (size_t i = 0; i < n; i++) {
		const struct core_answer *a = &pipe->answers[i];

		ends[i] = (struct store_ending){a->request, a->state, a->text};
	}
	rc = store_requests_end(pipe->set.session, ends, n, &n_ended, err);
	free(ends);
	if (rc)
		return -1;
	/* All: a write that is repeated ends none of what it has ended. */
	for (size_t i = 0; i < n; i++)
		say_answer(&pipe->answers[i]);
	pipe->n_answers = 0;
	return 0;
}

/* None is left: what is new in the store then has not been answered. */
static int
store_all_answers(struct pipeline *pipe, struct pj_error *err)
{
	take_answers(pipe);
	return store_answers(pipe, err);
}

int
pipeline_answer(struct pipeline *pipe, struct pj_error *err)
{
	take_answers(pipe);
	if (pipe->n_answers == 0 || pipe->outage || !pipeline_is_flushed(pipe))
		return 0;
	return pipeline_outage(pipe, "store.away", store_answers(pipe, err),
			       err);
}

static void
refuse(struct pipeline *pipe, const struct store_request *req)
{
	struct core_answer *a;

	MEM_GROW(pipe->answers, pipe->n_answers, pipe->answers_cap);
	a = &pipe->answers[pipe->n_answers++];
	(void)snprintf(a->request, sizeof(a->request), "%s", req->id);
	(void)snprintf(a->text, sizeof(a->text),
		       "generation %s is not live any more: ask again for what "
		       "is parked in the one that is",
		       req->generation);
	a->state = STORE_REQ_FAILED;
}

/*
 * Nobody would do it until the generation is live once more, and nobody expects
 * it. What comes later may be for a process that feeds it to make it so.
 */
int
pipeline_refuse_left(struct pipeline *pipe, const struct lane *left,
		     struct pj_error *err)
{
	struct store_request *rows;
	size_t n;

	if (store_all_answers(pipe, err) ||
	    store_requests(pipe->set.session, STORE_REQ_NEW, &rows, &n, err))
		return -1;
	for (size_t i = 0; i < n; i++)
		if (strcmp(rows[i].generation, left->generation) == 0 &&
		    find_partition(pipe, rows[i].topic, rows[i].partition))
			refuse(pipe, &rows[i]);
	store_requests_free(rows, n);
	return 0;
}

int
pipeline_requests(struct pipeline *pipe, struct pj_error *err)
{
	struct store_request *rows;
	size_t n;

	if (store_all_answers(pipe, err))
		return -1;
	if (!pipe->reading)
		return 0;
	if (store_requests(pipe->set.session, STORE_REQ_NEW, &rows, &n, err))
		return -1;
	take_requests(pipe, rows, n);
	store_requests_free(rows, n);
	return 0;
}

/* ---- Open transactions -----------------------------------------------------
 */

void
pipeline_look_at_ends(struct pipeline *pipe)
{
	int64_t now = clock_mono_ms();

	for (size_t p = 0; p < pipe->n_parts; p++) {
		struct partition *part = pipe->parts[p];
		enum open_end_news news = open_end_look(
			&part->open, part->end_seen,
			source_written(pipe->set.source, part), now,
			pipe->set.set->source.transaction_warn_ms);

		if (news == OPEN_END_STANDS)
			log_warn("transaction.hangs",
				 "topic=%s partition=%" PRId32
				 " readable=%" PRId64 " written=%" PRId64
				 " for_s=%" PRId64
				 " note=\"an open transaction holds back what "
				 "is "
				 "behind it\"",
				 part->topic, part->number, part->open.readable,
				 part->open.written,
				 open_end_ms(&part->open, now) / 1000);
		else if (news == OPEN_END_MOVES)
			log_info("transaction.ended",
				 "topic=%s partition=%" PRId32, part->topic,
				 part->number);
	}
}

/* ---- Purges ----------------------------------------------------------------
 */

static bool
owns(const void *arg, int32_t source)
{
	const struct pipeline *pipe = arg;

	for (size_t p = 0; p < pipe->n_parts; p++)
		if (pipe->parts[p]->source_index == source)
			return true;
	return false;
}

int
pipeline_purge(struct pipeline *pipe, struct pj_error *err)
{
	int64_t now_mono_ms = clock_mono_ms();
	uint64_t before = pipe->purge.n_purged;

	if (!pipe->reading || !pipe->set.follow_live ||
	    now_mono_ms < pipe->purge_mono_ms)
		return 0;
	pipe->purge_mono_ms = now_mono_ms + PURGE_EVERY_MS;
	for (unsigned i = 0; i < pipe->set.lanes->n; i++) {
		struct lane *lane = &pipe->set.lanes->lane[i];

		if (!lane_rests(lane) &&
		    purge_lane(&pipe->purge, pipe->set.session, lane, owns,
			       pipe, pipe->set.set->projector.tombstone_ms,
			       now_mono_ms, clock_wall_ms(), err))
			return -1;
	}
	if (pipe->purge.n_purged > before)
		log_info("purged", "tombstones=%" PRIu64,
			 pipe->purge.n_purged - before);
	return 0;
}
