/* SPDX-License-Identifier: Apache-2.0 */
#include "queryapi/etag.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/digits.h"
#include "lib/str.h"

void
etag_of_document(struct etag *tag, int32_t generation, int64_t revision)
{
	static const char coding[] = "-gzip\"";
	char *at = tag->identity;
	size_t len;

	*at++ = '"';
	at = digits_put(at, generation);
	*at++ = '.';
	at = digits_put(at, revision);
	len = (size_t)(at - tag->identity);
	memcpy(at, "\"", 2);
	memcpy(tag->gzip, tag->identity, len);
	memcpy(tag->gzip + len, coding, sizeof(coding));
}

void
etag_of_set(char out[ETAG_SET_MAX], int32_t generation, int64_t revision,
	    const char *mark)
{
	(void)snprintf(out, ETAG_SET_MAX, "\"%" PRId32 ".%" PRId64 "-%s\"",
		       generation, revision, mark);
}

void
etag_of_bytes(struct etag *tag, const void *data, size_t len)
{
	const unsigned char *p = data;
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ p[i]) * UINT64_C(0x100000001b3);
	(void)snprintf(tag->identity, ETAG_MAX, "\"%016" PRIx64 "\"", hash);
	(void)snprintf(tag->gzip, ETAG_MAX, "\"%016" PRIx64 "-gzip\"", hash);
}

static void
skip_white(struct pj_str *s)
{
	while (s->len && (*s->ptr == ' ' || *s->ptr == '\t')) {
		s->ptr++;
		s->len--;
	}
}

/* Takes one entity-tag off the front; false when there is no valid one. */
static bool
take_tag(struct pj_str *s, struct pj_str *ret_tag, bool *ret_weak)
{
	const char *close;

	*ret_weak = s->len >= 2 && memcmp(s->ptr, "W/", 2) == 0;
	if (*ret_weak) {
		s->ptr += 2;
		s->len -= 2;
	}
	if (s->len < 2 || *s->ptr != '"')
		return false;
	close = memchr(s->ptr + 1, '"', s->len - 1);
	if (!close)
		return false;
	*ret_tag = (struct pj_str){s->ptr, (size_t)(close + 1 - s->ptr)};
	s->ptr += ret_tag->len;
	s->len -= ret_tag->len;
	return true;
}

const char *
etag_match_texts(const char *preferred, const char *other, struct pj_str list,
		 bool strong)
{
	const char *found = NULL;

	skip_white(&list);
	if (list.len && *list.ptr == '*') {
		list.ptr++;
		list.len--;
		skip_white(&list);
		return list.len ? NULL : preferred;
	}
	while (list.len) {
		struct pj_str got;
		bool weak;

		if (*list.ptr == ',') {
			list.ptr++;
			list.len--;
			skip_white(&list);
			continue;
		}
		if (!take_tag(&list, &got, &weak))
			return NULL;
		skip_white(&list);
		if (list.len && *list.ptr != ',')
			return NULL;
		if (weak && strong)
			continue;
		if (str_is(got, preferred))
			found = preferred;
		else if (!found && str_is(got, other))
			found = other;
	}
	return found;
}

const char *
etag_match(const struct etag *tag, struct pj_str list, bool prefer_gzip,
	   bool strong)
{
	return prefer_gzip ? etag_match_texts(tag->gzip, tag->identity, list,
					      strong)
			   : etag_match_texts(tag->identity, tag->gzip, list,
					      strong);
}
