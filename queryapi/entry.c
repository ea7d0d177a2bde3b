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

/* Where the heads lie in their buffer. */
struct heads {
	struct buf text;
	size_t json_len, gzip_len;
	size_t tag_len[FIELD_SETS_MAX]; /* with the NUL */
	size_t set_len[FIELD_SETS_MAX];
};

static size_t
n_sets(const struct entry_parts *parts)
{
	return parts->sets && parts->state == ENTRY_DOCUMENT ? parts->sets->n
							     : 0;
}

static size_t
sets_len(const struct entry_parts *parts)
{
	size_t len = n_sets(parts) * sizeof(struct entry_set);

	for (size_t i = 0; i < n_sets(parts); i++)
		len += parts->set_json[i].len;
	return len;
}

static void
write_heads(struct heads *heads, const struct entry_parts *parts,
	    const struct etag *tag)
{
	struct buf *text = &heads->text;

	buf_reserve(text, HEADS_BYTES);
	write_head(text, parts->json.len, tag->identity, false);
	heads->json_len = text->len;
	if (parts->gzip.ptr)
		write_head(text, parts->gzip.len, tag->gzip, true);
	heads->gzip_len = text->len - heads->json_len;
	for (size_t i = 0; i < n_sets(parts); i++) {
		char set_tag[ETAG_SET_MAX];
		size_t from = text->len;

		etag_of_set(set_tag, parts->generation, parts->revision,
			    parts->sets->rows[i].mark);
		heads->tag_len[i] = strlen(set_tag) + 1;
		buf_add(text, set_tag, heads->tag_len[i]);
		write_head(text, parts->set_json[i].len, set_tag, false);
		heads->set_len[i] = text->len - from - heads->tag_len[i];
	}
}

static void
fill_heads(struct entry *ent, struct entry_set *sets, const struct heads *heads,
	   const char *at)
{
	ent->json_head = (struct pj_str){at, heads->json_len};
	at += heads->json_len;
	ent->gzip_head = (struct pj_str){at, heads->gzip_len};
	at += heads->gzip_len;
	for (size_t i = 0; i < ent->n_sets; i++) {
		sets[i].tag = at;
		at += heads->tag_len[i];
		sets[i].head = (struct pj_str){at, heads->set_len[i]};
		at += heads->set_len[i];
	}
}

static void
fill(struct entry *ent, const struct entry_parts *parts,
     const struct heads *heads)
{
	struct entry_position *positions = (struct entry_position *)(ent + 1);
	struct entry_set *sets =
		(struct entry_set *)(positions + parts->n_positions);
	char *at = (char *)(sets + n_sets(parts));
	struct pj_str text;

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
	ent->n_sets = n_sets(parts);
	for (size_t i = 0; i < ent->n_sets; i++)
		sets[i].json = put(&at, parts->set_json[i]);
	ent->sets = sets;
	text = put(&at, (struct pj_str){heads->text.data, heads->text.len});
	if (text.ptr)
		fill_heads(ent, sets, heads, text.ptr);
}

struct entry *
entry_new(const struct entry_parts *parts)
{
	struct heads heads = {.text = BUF_INIT};
	struct entry *ent;
	size_t len;
	struct etag tag;

	memset(&tag, 0, sizeof(tag));
	if (parts->state == ENTRY_DOCUMENT) {
		etag_of_document(&tag, parts->generation, parts->revision);
		write_heads(&heads, parts, &tag);
	}
	len = sizeof(*ent) + parts->n_positions * sizeof(*parts->positions) +
	      names_len(parts) + parts->key.len + parts->parked.len +
	      parts->json.len + parts->gzip.len + sets_len(parts) +
	      heads.text.len;
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
	ent->sets_id = parts->sets ? parts->sets->id : 0;
	fill(ent, parts, &heads);
	buf_release(&heads.text);
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

void
entry_succeed(struct entry *ent, const struct entry *older)
{
	atomic_store(&ent->freq, atomic_load(&older->freq));
	for (size_t i = 0; i < ent->n_positions; i++) {
		struct entry_position *pos = &ent->positions[i];

		for (size_t k = 0; k < older->n_positions; k++) {
			int64_t told = atomic_load(&older->positions[k].offset);

			if (older->positions[k].source == pos->source &&
			    told > atomic_load(&pos->offset))
				atomic_store(&pos->offset, told);
		}
	}
}
