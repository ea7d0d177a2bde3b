/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A projection module: one descriptor, two pure functions.
 *
 * fold() is pure: no I/O, no clock, no randomness, no globals that change. Time
 * comes from the event. Purity is what makes replay, rebuild and golden tests
 * possible: the same events give the same documents, whatever the batching and
 * whatever the interleaving of topics.
 *
 * A module exports one function, pj_projection_<name>(), made by PJ_PROJECTION;
 * the host derives the symbol from the file name. Modules are loaded with
 * dlopen and never unloaded; the bundled ones are also linked into the tests.
 *
 * ABI versions
 *   1.0  first
 *   1.1  field_sets
 * Rule: what is added at a struct's end raises the minor, anything else the
 * major. The host takes a module whose major equals its own, whose minor is not
 * above its own and whose size is at least the 1.0 size; what a smaller struct
 * lacks reads as zero.
 */
#ifndef PROJECTOR_PROJECTION_H
#define PROJECTOR_PROJECTION_H

#include <projector/document.h>
#include <projector/error.h>
#include <projector/event.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

#define PJ_ABI_MAJOR 1
#define PJ_ABI_MINOR 1
#define PJ_ABI	     ((uint32_t)(PJ_ABI_MAJOR << 16 | PJ_ABI_MINOR))

enum pj_fold {
	PJ_DONE,   /* the host knows from the setters whether it changed */
	PJ_DELETE, /* deleted: served fields go, `_` parts stay, 410 */
	PJ_REJECT, /* *err says why; the record is parked, nothing changed */
};

/* Topics in the order of the contract; the first is the main topic. */
struct pj_reads {
	const struct pj_topic *topic; /* NULL ends the list */
	uint64_t types;		      /* PJ_BIT() of each type that is read */
};

struct pj_keys; /* opaque: collects the document keys of one event */

/*
 * Adds a document key of one part, or of two as `a:b` with `%` and `:` inside a
 * part written %25 and %3A. The same key twice counts once.
 */
void
pj_key(struct pj_keys *keys, struct pj_str part);
void
pj_key2(struct pj_keys *keys, struct pj_str first, struct pj_str second);

/* An integer option of the module, set in its `projection` section. */
struct pj_option {
	const char *name; /* NULL ends the list */
	int64_t min, max, def;
	const char *text;
	/* At another value than the default the document key is no longer the
	 * record key: PJ_KEYED_BY_RECORD does not hold then. */
	bool splits_key;
};

/* Values in the order of the module's option table; borrowed for good. */
struct pj_options {
	const int64_t *values;
};

/*
 * Fields that readers may filter by; each is an index `field, _id`. Of type
 * string, int or bool; not named ids, limit, cursor or fields.
 */
struct pj_index {
	const char *field; /* NULL ends the list */
};

/*
 * A named part of the document that readers may ask for (`?fields=card`): some
 * of its top-level fields, updatedAt among them if named; `id` is always there.
 * At most 8 sets; a set's name is [a-z][a-z0-9_]{0,31}.
 */
struct pj_field_set {
	const char *name;	   /* NULL ends the list */
	const char *const *fields; /* NULL ends it; at least one, each once */
};

/* How long a reader may keep an answer, in seconds. */
struct pj_cache_policy {
	uint32_t max_age_s;
	uint32_t stale_while_revalidate_s;
	uint32_t stale_if_error_s;
};

/* The document key is the record key: null values then mean something. */
#define PJ_KEYED_BY_RECORD (1u << 0)

struct pj_projection {
	uint32_t abi;  /* PJ_ABI, set by PJ_PROJECTION */
	uint32_t size; /* sizeof(struct pj_projection), likewise */
	const char *name;
	uint32_t version; /* of the document; a bump means a rebuild */
	const char *summary;
	unsigned flags;
	const struct pj_reads *reads;
	const struct pj_shape *shape; /* served fields without updatedAt */
	const struct pj_index *indexes;
	const struct pj_option *options;
	struct pj_cache_policy cache;
	uint32_t max_bytes; /* of a document; 0 = 15 MiB */

	/*
	 * Adds the keys of the documents this event goes to; none = skipped.
	 * Not called for tombstones: those go to the document of the record
	 * key when PJ_KEYED_BY_RECORD is set, else nowhere.
	 */
	void (*key)(const struct pj_options *options, const struct pj_event *ev,
		    struct pj_keys *keys);

	enum pj_fold (*fold)(const struct pj_options *options,
			     const struct pj_event *ev, struct pj_doc *doc,
			     struct pj_error *err);

	/*
	 * A hash of the module's sources, set by the build: documents made by
	 * other code than what runs now are a reason to stop.
	 */
	const char *source_hash;

	/* Since 1.1. NULL: whole documents only. */
	const struct pj_field_set *field_sets;
};

#ifndef PJ_SOURCE_HASH
#define PJ_SOURCE_HASH ""
#endif

/*
 * Defines the module's entry point:
 *
 *	PJ_PROJECTION(stock) {
 *		PJ_PROJECTION_HEAD,
 *		.name = "stock",
 *		...
 *	};
 */
#define PJ_PROJECTION_HEAD                                                     \
	.abi = PJ_ABI, .size = sizeof(struct pj_projection),                   \
	.source_hash = PJ_SOURCE_HASH

#define PJ_PROJECTION(NAME)                                                    \
	static const struct pj_projection pj_descriptor_##NAME;                \
	__attribute__((visibility("default")))                                 \
	const struct pj_projection *pj_projection_##NAME(void);                \
	const struct pj_projection *pj_projection_##NAME(void)                 \
	{                                                                      \
		return &pj_descriptor_##NAME;                                  \
	}                                                                      \
	static const struct pj_projection pj_descriptor_##NAME =

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
