/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A record: what travels from stage to stage, still as the log holds it.
 *
 * Its identity is (topic, partition, offset). Its bytes stay in memory until
 * everything it changed is durable, so that a conflict re-folds from memory.
 *
 * Ownership: the source owns the bytes; whoever holds the record gives it back
 * with record_release(). The pipeline holds it while `pending` > 0.
 * Thread: the pipeline thread.
 */
#ifndef PROJECTOR_RECORD_H
#define PROJECTOR_RECORD_H

#include <projector/event.h>

#include <stdbool.h>
#include <stdint.h>

#include "projector/open_end.h"

/* One topic-partition as this process reads it; lives as long as the source. */
struct partition {
	char topic[250]; /* as the contract names it, without prefix */
	int32_t number;
	int32_t source_index; /* store_source(); -1 until known */
	/*
	 * The log's own word: nothing below this offset is still to come to
	 * us (end of partition, behind trailing transaction markers too). Set
	 * by the source after everything below was handed out; -1: not said.
	 */
	int64_t end_seen;
	struct open_end open; /* the pipeline's: what is held back there */
	void *pipeline;	      /* the pipeline's own state of the partition */
};

struct record_header {
	struct pj_str name;
	struct pj_str value; /* ptr NULL: null value */
};

struct queued;

struct record {
	struct partition *partition;
	int64_t offset;
	int64_t timestamp_ms; /* -1: the log has none */
	uint32_t assignment;  /* the assignment it was read under */
	bool key_null, value_null;
	struct pj_str key, value;
	const struct record_header *headers;
	size_t n_headers;

	/* Grows with every record taken on, be it out of a queue; core's. */
	uint64_t serial;
	uint32_t pending; /* documents and rows not yet durable */
	bool folded;	  /* every stage has seen it */
	/* It comes out of a parked queue, not from the log; NULL otherwise. */
	struct queued *queued;

	void (*release)(struct record *rec);
};

static inline void
record_release(struct record *rec)
{
	rec->release(rec);
}

#endif
