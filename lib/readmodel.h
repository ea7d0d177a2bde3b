/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The read model's names: the one file on which writer and reader must agree.
 *
 * A generation's id is "<projection>.<number>" ("stock.3"); it names the
 * collection of its documents, its checkpoints and its parked rows. Projection
 * names match [a-z][a-z0-9_]{0,31}.
 *
 * Fixed collections: generations (_id: generation id), live (_id: projection,
 * number), checkpoints (_id: "<generation id>/<source index>"), sources (_id:
 * "<topic>/<partition>", index), parked, parked_units (_id: see
 * readmodel_unit_key()), audit (_id: the parked row's, and when it was parked),
 * requests (_id: their own), crashes (_id: generation and coordinates), topics
 * (_id: topic).
 *
 * reader_json of a generation, written by the projector, read by queryapi:
 *   {"summary":"…","cache":{"maxAge":5,"staleWhileRevalidate":30,
 *    "staleIfError":300},"filters":["areaId"],
 *    "fieldSets":[{"name":"card","fields":["shopId"]}],
 *    "fields":[{"name":"shopId","type":"string","required":true,
 *               "nullable":false,"fields":[…]}]}
 * type: string int number bool date object list map. `fields` only where the
 * value (item) is an object whose members are declared. `updatedAt` is the
 * last of them. `fieldSets` may be missing.
 */
#ifndef LIB_READMODEL_H
#define LIB_READMODEL_H

#include <projector/event.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"

#define READMODEL_GENERATIONS "generations"
#define READMODEL_LIVE	      "live"
#define READMODEL_CHECKPOINTS "checkpoints"
#define READMODEL_SOURCES     "sources"
#define READMODEL_PARKED      "parked"
#define READMODEL_UNITS	      "parked_units"
#define READMODEL_AUDIT	      "audit"
#define READMODEL_REQUESTS    "requests"
#define READMODEL_CRASHES     "crashes"
#define READMODEL_TOPICS      "topics"

/* Fields of a stored document that are not the module's. */
#define READMODEL_ID	     "_id"
#define READMODEL_META	     "_m"
#define READMODEL_UPDATED_AT "updatedAt"

/* `_m.d` */
enum { READMODEL_LIVE_DOC = 0, READMODEL_DELETED = 1, READMODEL_META_ONLY = 2 };

enum {
	READMODEL_KEY_MAX = 480,	  /* bytes of a document key */
	READMODEL_FIELD_SETS_MAX = 8,	  /* of a projection */
	READMODEL_GENERATION_ID_MAX = 64, /* with the NUL */
};

/* [a-z][a-z0-9_]{0,31} */
bool
readmodel_is_projection_name(const char *name);

/* "stock.3"; the same text names the documents' collection. */
void
readmodel_generation_id(char out[READMODEL_GENERATION_ID_MAX],
			const char *projection, int32_t number);

/*
 * True when a document can have this key: 1 to READMODEL_KEY_MAX bytes of UTF-8
 * without U+0000. A record key of another kind names no document.
 */
bool
readmodel_is_key(struct pj_str key);

/*
 * Appends a parking unit (document key or record key, any bytes) as a part of
 * an `_id`: in hexadecimal, so that it holds no separator and sorts by bytes.
 * One over READMODEL_UNIT_PLAIN bytes is cut and followed by a 128-bit hash of
 * the whole, so that an id fits LMDB's 511 bytes for any record key.
 */
enum { READMODEL_UNIT_PLAIN = 60 };
void
readmodel_add_unit(struct buf *out, struct pj_str unit);

/*
 * Appends the `_id` that holds the marker of a parking unit which is no
 * document: "<generation>!<source index>!<unit type>!<unit>".
 */
void
readmodel_unit_key(struct buf *out, const char *generation, int32_t source,
		   const char *unit_type, struct pj_str unit);
/*
 * The same of a record that is parked alone (unit type "record"): its unit
 * there is its offset, 20 digits.
 */
void
readmodel_lone_key(struct buf *out, const char *generation, int32_t source,
		   int64_t offset);
/* What all of a generation and source begin with. */
void
readmodel_unit_prefix(struct buf *out, const char *generation, int32_t source);

#endif
