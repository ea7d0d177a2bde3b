/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A projection without services: records in, documents in memory out.
 *
 * The same decode, router and fold as in the product, with the store left out.
 * `projector fold` and the golden tests drive it. Records are applied in the
 * order given; what cannot be applied is told and waits for good, and so does
 * what queues behind it.
 *
 * Ownership: the module is borrowed until replay_free(), records for the call.
 * Thread: one replay, one thread.
 */
#ifndef PROJECTOR_REPLAY_H
#define PROJECTOR_REPLAY_H

#include <projector/error.h>

#include <stdbool.h>

#include "lib/buf.h"
#include "projector/decode.h"
#include "projector/module.h"
#include "projector/record.h"

/* Why and where a record is parked. Borrowed for the call. */
struct replay_parked {
	const char *cause, *detail;
	const char *unit_type; /* as in struct store_parked */
	struct pj_str unit;    /* document key or record key, normalised */
};

/* Told of each record that is parked, queued ones too. */
typedef void (*replay_parked_fn)(void *arg, const struct record *rec,
				 const struct replay_parked *parked);

struct replay;

/* topics: those the module reads, at least; they outlive the replay. */
struct replay *
replay_new(const struct module *mod, const struct decode_topic *topics,
	   size_t n_topics, replay_parked_fn on_parked, void *arg);
void
replay_free(struct replay *rep);

/* Applies one archive line. Errors: INPUT, when the line itself is none. */
int
replay_line(struct replay *rep, const char *line, size_t len,
	    struct pj_error *err) __attribute__((warn_unused_result));

/*
 * Puts every document into its stored form and takes it from there again, as a
 * write, an eviction and a load do. Errors: FATAL.
 */
int
replay_store_and_load(struct replay *rep, struct pj_error *err)
	__attribute__((warn_unused_result));

/*
 * Appends the documents as readers see them, NDJSON ascending by key; deleted
 * ones, when asked for, as {"id","deleted":true}.
 */
int
replay_print(struct replay *rep, bool with_deleted, struct buf *out,
	     struct pj_error *err) __attribute__((warn_unused_result));

#endif
