/* SPDX-License-Identifier: Apache-2.0 */
#include "queryapi/entry.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/mem.h"

/* What malloc and the table take beside the block. */
enum { ENTRY_OVERHEAD = 32 };
/* What the heads of both codings mostly take. */
enum { HEADS_BYTES = 400 };

static void
write_head(struct buf *out, size_t len, const char *tag, bool gzip)
{
	buf_addstr(out, "Content-Type: application/json\r\nContent-Length: ");
	buf_addint(out, (int64_t)len);
	buf_addstr(out, "\r\nX-Content-Type-Options: nosniff\r\nETag: ");
	buf_addstr(out, tag);
	buf_addstr(out, gzip ? "\r\nContent-Encoding: gzip\r\n" : "\r\n");
}

/* Takes room off the block's end. */
static struct pj_str
put(char **at, struct pj_str text)
{
	char *to = *at;

	if (!text.ptr)
		return text;
	if (text.len)
		memcpy(to, text.ptr, text.len);
	*at += text.len;
	return (struct pj_str){to, text.len};
}

static size_t
names_len(const struct entry_parts *parts)
{
	size_t len = 0;

	for (size_t i = 0; i < parts->n_positions; i++)
		len += parts->positions[i].name.len;
	return len;
}

static void
fill(struct entry *ent, const struct entry_parts *parts, const struct buf *head,
     size_t json_head_len)
{
	struct entry_position *positions = (struct entry_position *)(ent + 1);
	char *at = (char *)(positions + parts->n_positions);
	struct pj_str heads;

	for (size_t i = 0; i < parts->n_positions; i++) {
		positions[i] = parts->positions[i];
		positions[i].name = put(&at, parts->positions[i].name);
	}
	ent->positions = positions;
	ent->n_positions = parts->n_positions;
	ent->key = put(&at, parts->key);
	ent->parked = put(&at, parts->parked);
	ent->json = put(&at, parts->json);
	ent->gzip = put(&at, parts->gzip);
	heads = put(&at, (struct pj_str){head->data, head->len});
	if (!heads.ptr)
		return;
	ent->json_head = (struct pj_str){heads.ptr, json_head_len};
	ent->gzip_head = (struct pj_str){heads.ptr + json_head_len,
					 heads.len - json_head_len};
}

struct entry *
entry_new(const struct entry_parts *parts)
{
	struct buf head = BUF_INIT;
	size_t json_head_len = 0, len;
	struct entry *ent;
	struct etag tag;

	memset(&tag, 0, sizeof(tag));
	if (parts->state == ENTRY_DOCUMENT) {
		buf_reserve(&head, HEADS_BYTES);
		etag_of_document(&tag, parts->generation, parts->revision);
		write_head(&head, parts->json.len, tag.identity, false);
		json_head_len = head.len;
		if (parts->gzip.ptr)
			write_head(&head, parts->gzip.len, tag.gzip, true);
	}
	len = sizeof(*ent) + parts->n_positions * sizeof(*parts->positions) +
	      names_len(parts) + parts->key.len + parts->parked.len +
	      parts->json.len + parts->gzip.len + head.len;
	ent = mem_alloc(len);
	memset(ent, 0, sizeof(*ent));
	atomic_init(&ent->refs, 1);
	atomic_init(&ent->gone, false);
	atomic_init(&ent->freq, 0);
	atomic_init(&ent->since, parts->since);
	atomic_init(&ent->at_mono_ms, parts->at_mono_ms);
	ent->served = parts->served;
	ent->hash = parts->hash;
	ent->state = parts->state;
	ent->revision = parts->revision;
	ent->coded = parts->coded;
	ent->tag = tag;
	ent->bytes = len + ENTRY_OVERHEAD;
	fill(ent, parts, &head, json_head_len);
	buf_release(&head);
	return ent;
}

void
entry_unref(struct entry *ent)
{
	unsigned was;

	if (!ent)
		return;
	was = atomic_fetch_sub_explicit(&ent->refs, 1, memory_order_acq_rel);
	assert(was > 0);
	if (was == 1)
		free(ent);
}
