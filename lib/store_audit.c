/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit of parked rows, oldest first. Ids sort by unit, so all times are
 * looked at before the first entry is given: some hundred bytes each.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "lib/readmodel.h"
#include "lib/store_rows.h"

/* One entry's place in time. */
struct audit_ref {
	int64_t at_ms;
	char *id;
};

struct audit_refs {
	struct audit_ref *ref;
	size_t n, cap;
	struct pj_error err;
};

static bool
audit_refs_each(void *arg, const uint8_t *bson, size_t len)
{
	struct audit_refs *refs = arg;
	struct audit_ref *ref;
	struct pj_str id;

	MEM_GROW(refs->ref, refs->n, refs->cap);
	ref = &refs->ref[refs->n];
	if (rows_audit_at(bson, len, &id, &ref->at_ms, &refs->err))
		return false;
	ref->id = mem_strndup(id.ptr, id.len);
	refs->n++;
	return true;
}

static int
audit_ref_compare(const void *a, const void *b)
{
	const struct audit_ref *x = a, *y = b;
	int order = (x->at_ms > y->at_ms) - (x->at_ms < y->at_ms);

	return order ? order : strcmp(x->id, y->id);
}

static int
audit_refs_find(struct store_session *ses, const char *generation,
		struct audit_refs *refs, struct pj_error *err)
{
	struct parked_range range;
	int ret;

	rows_parked_range(&range, generation, NULL, NULL);
	ret = ses->store->ops->scan(
		ses, READMODEL_AUDIT, store_str(range.after),
		store_str(range.end), audit_refs_each, refs, err);
	free(range.after);
	free(range.end);
	if (ret == 0 && refs->err.cls != PJ_ERROR_NONE) {
		*err = refs->err;
		ret = -1;
	}
	if (ret == 0 && refs->n > 1)
		qsort(refs->ref, refs->n, sizeof(*refs->ref),
		      audit_ref_compare);
	return ret;
}

struct audit_walk {
	bool (*each)(void *arg, const struct store_audit *entry);
	void *arg;
	bool more;
};

static int
audit_hand_out(struct audit_walk *walk, const struct store_doc *doc,
	       struct pj_error *err)
{
	struct store_audit entry;
	struct pj_str *headers;

	if (rows_audit_read(doc->bson, doc->len, &entry, &headers, err))
		return -1;
	walk->more = walk->each(walk->arg, &entry);
	free(headers);
	return 0;
}

enum { AUDIT_PIECE = 100 };

/* *ret_n: how many were handed out, in their order. */
static int
audit_piece(struct store_session *ses, struct audit_walk *walk,
	    const struct audit_ref *refs, size_t n, size_t *ret_n,
	    struct pj_error *err)
{
	struct store_doc docs[AUDIT_PIECE] = {0};
	size_t i;
	int ret;

	if (n > AUDIT_PIECE)
		n = AUDIT_PIECE;
	for (i = 0; i < n; i++)
		docs[i].key = store_str(refs[i].id);
	ret = store_load(ses, READMODEL_AUDIT, docs, n, err);
	/* What was left out comes with the next piece, but not all of it. */
	if (ret == 0 && docs[0].left_out)
		ret = store_load(ses, READMODEL_AUDIT, docs, 1, err);
	for (i = 0; ret == 0 && i < n && walk->more && !docs[i].left_out; i++)
		if (docs[i].bson)
			ret = audit_hand_out(walk, &docs[i], err);
	*ret_n = i;
	for (i = 0; i < n; i++)
		free(docs[i].bson);
	return ret;
}

int
store_audit_scan(struct store_session *ses, const char *generation,
		 bool (*each)(void *arg, const struct store_audit *entry),
		 void *arg, struct pj_error *err)
{
	struct audit_walk walk = {.each = each, .arg = arg, .more = true};
	struct audit_refs refs = {0};
	size_t at = 0, n = 0;
	int ret = audit_refs_find(ses, generation, &refs, err);

	for (; ret == 0 && walk.more && at < refs.n; at += n)
		ret = audit_piece(ses, &walk, refs.ref + at, refs.n - at, &n,
				  err);
	for (at = 0; at < refs.n; at++)
		free(refs.ref[at].id);
	free(refs.ref);
	return ret;
}
