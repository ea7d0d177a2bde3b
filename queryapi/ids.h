/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ids of a batch: out of `?ids=a,b,c`, or of a body {"ids":["a","b"]}.
 *
 * 1 to IDS_MAX ids of 1 to READMODEL_KEY_MAX bytes each, UTF-8 without U+0000;
 * anything else is an error that tells what is wrong. The body is strict JSON
 * (lib/json.h) with exactly one member.
 *
 * Errors: INPUT; the text is the problem's detail.
 * Thread: any; ids_of_body() wants a reader of its caller's own. Fuzzed
 * (tests/fuzz/fuzz_ids.c).
 */
#ifndef QUERYAPI_IDS_H
#define QUERYAPI_IDS_H

#include <projector/error.h>
#include <projector/event.h>

#include <stddef.h>

#include "lib/json.h"

enum { IDS_MAX = 100 };

struct ids {
	struct pj_str at[IDS_MAX];
	size_t n;
	size_t bytes; /* of all ids */
};

/* raw: the parameter's value as uri_parse() gave it. The ids are decoded into
 * space (as many bytes as raw has) and point there. */
int
ids_of_query(struct pj_str raw, char *space, struct ids *ret_ids,
	     struct pj_error *err) __attribute__((warn_unused_result));

/* The ids point into body or the reader, until its next use. */
int
ids_of_body(struct json_reader *reader, struct pj_str body, struct ids *ret_ids,
	    struct pj_error *err) __attribute__((warn_unused_result));

#endif
