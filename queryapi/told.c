/* SPDX-License-Identifier: Apache-2.0 */
#include "queryapi/told.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "lib/mem.h"
#include "lib/str.h"

/* Documents are about this large on average; a chain has one then. */
enum { BYTES_PER_BUCKET = 2048, BUCKETS_MIN = 64 };

/* Its key lies behind the struct. */
struct told_doc {
	struct told_doc *chain;
	TAILQ_ENTRY(told_doc) link;
	const struct served *served;
	uint64_t hash, since;
	struct pj_str key;
	uint8_t *bson;
	size_t len;
};

struct told {
	struct told_doc **table;
	size_t mask;
	TAILQ_HEAD(, told_doc) oldest; /* first */
	uint64_t bytes, max_bytes;
};

struct told *
told_new(uint64_t max_bytes)
{
	struct told *told = mem_calloc(1, sizeof(*told));
	size_t n = BUCKETS_MIN;

	while (n < max_bytes / BYTES_PER_BUCKET)
		n *= 2;
	told->table = mem_calloc(n, sizeof(struct told_doc *));
	told->mask = n - 1;
	told->max_bytes = max_bytes;
	TAILQ_INIT(&told->oldest);
	return told;
}

static uint64_t
bytes_of(size_t key_len, size_t len)
{
	return sizeof(struct told_doc) + key_len + len;
}

static struct told_doc **
find(struct told *told, const struct served *srv, struct pj_str key,
     uint64_t hash)
{
	struct told_doc **link = &told->table[hash & told->mask];

	for (; *link; link = &(*link)->chain)
		if ((*link)->hash == hash && (*link)->served == srv &&
		    str_equal((*link)->key, key))
			break;
	return link;
}

/* Its bytes are the caller's. */
static uint8_t *
take_out(struct told *told, struct told_doc **link)
{
	struct told_doc *doc = *link;
	uint8_t *bson = doc->bson;

	*link = doc->chain;
	TAILQ_REMOVE(&told->oldest, doc, link);
	told->bytes -= bytes_of(doc->key.len, doc->len);
	free(doc);
	return bson;
}

void
told_free(struct told *told)
{
	struct told_doc *doc;

	if (!told)
		return;
	while ((doc = TAILQ_FIRST(&told->oldest)))
		told_drop(told, doc->served, doc->key, doc->hash);
	free(told->table);
	free(told);
}

bool
told_has(struct told *told, const struct served *srv, struct pj_str key,
	 uint64_t hash)
{
	return *find(told, srv, key, hash) != NULL;
}

void
told_put(struct told *told, const struct served *srv, struct pj_str key,
	 uint64_t hash, uint64_t since, struct pj_str bson)
{
	uint64_t bytes = bytes_of(key.len, bson.len);
	struct told_doc *doc, *first, **link;

	told_drop(told, srv, key, hash);
	if (bytes > told->max_bytes)
		return;
	while (told->bytes + bytes > told->max_bytes) {
		first = TAILQ_FIRST(&told->oldest);
		told_drop(told, first->served, first->key, first->hash);
	}
	doc = mem_alloc(sizeof(*doc) + key.len);
	*doc = (struct told_doc){.served = srv,
				 .hash = hash,
				 .since = since,
				 .key = {(char *)(doc + 1), key.len},
				 .bson = mem_alloc(bson.len),
				 .len = bson.len};
	memcpy(doc + 1, key.ptr, key.len);
	memcpy(doc->bson, bson.ptr, bson.len);
	link = &told->table[hash & told->mask];
	doc->chain = *link;
	*link = doc;
	TAILQ_INSERT_TAIL(&told->oldest, doc, link);
	told->bytes += bytes;
}

void
told_drop(struct told *told, const struct served *srv, struct pj_str key,
	  uint64_t hash)
{
	struct told_doc **link = find(told, srv, key, hash);

	if (*link)
		free(take_out(told, link));
}

uint8_t *
told_take(struct told *told, const struct served *srv, struct pj_str key,
	  uint64_t hash, uint64_t since, size_t *ret_len)
{
	struct told_doc **link = find(told, srv, key, hash);
	uint8_t *bson;
	bool of_this;

	if (!*link)
		return NULL;
	of_this = since && (*link)->since == since;
	*ret_len = (*link)->len;
	bson = take_out(told, link);
	if (of_this)
		return bson;
	free(bson);
	return NULL;
}
