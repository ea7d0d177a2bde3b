/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes header fields that are lists: the input is one value, given as Prefer,
 * Projection-Min-Position, If-None-Match and Authorization in turn.
 *
 * Checked beside memory: a wait is within its bounds and comes from digits that
 * are there; each position lies in the value, is within its range, and is read
 * the same from its own text; reading a list ends; no tag matches that is not
 * in the list; only the one token that there is gets in.
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "queryapi/auth.h"
#include "queryapi/etag.h"
#include "queryapi/minimum.h"
#include "queryapi/prefer.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
want(bool ok)
{
	if (!ok)
		abort();
}

static bool
holds(struct pj_str text, const char *part)
{
	size_t len = strlen(part);

	for (size_t i = 0; i + len <= text.len; i++)
		if (memcmp(text.ptr + i, part, len) == 0)
			return true;
	return false;
}

static void
look_at_wait(const struct http_request *req, struct pj_str value)
{
	int s = prefer_wait_s(req);

	want(s >= -1 && s <= PREFER_WAIT_MAX_S);
	/* Its name may be in any case. */
	want(s < 0 || memchr(value.ptr, '=', value.len));
}

static void
look_at_position(const struct minimum_position *pos, struct pj_str value)
{
	struct minimum_position again;
	char *text = mem_printf("\"%.*s/%" PRId32 "@%" PRId64 "\"",
				(int)pos->topic.len, pos->topic.ptr,
				pos->partition, pos->offset);
	struct pj_str list = {text, strlen(text)};

	want(pos->topic.len > 0 && pos->topic.ptr >= value.ptr &&
	     pos->topic.ptr + pos->topic.len <= value.ptr + value.len);
	want(pos->partition >= 0 && pos->offset >= 0 &&
	     pos->offset < INT64_MAX);
	if (!memchr(pos->topic.ptr, '\0', pos->topic.len)) {
		want(minimum_next(&list, &again) == 1 && list.len == 0);
		want(again.topic.len == pos->topic.len &&
		     memcmp(again.topic.ptr, pos->topic.ptr, again.topic.len) ==
			     0 &&
		     again.partition == pos->partition &&
		     again.offset == pos->offset);
	}
	free(text);
}

static void
look_at_positions(struct pj_str value)
{
	struct minimum_position pos;
	struct pj_str list = value;
	size_t before;

	do {
		int got;

		before = list.len;
		got = minimum_next(&list, &pos);
		if (got <= 0)
			return;
		look_at_position(&pos, value);
	} while (list.len < before);
	abort(); /* it goes on for ever */
}

static void
look_at_tags(struct pj_str value)
{
	struct etag tag;

	etag_of_document(&tag, 1, 2);
	for (int i = 0; i < 4; i++) {
		const char *match = etag_match(&tag, value, i & 1, i & 2);

		want(!match || holds(value, "*") || holds(value, match));
	}
}

/* The hash is that of "a". */
static void
look_at_token(const struct http_request *req, struct pj_str value)
{
	static struct settings_token token = {
		.sha256 =
			(char *)(uintptr_t) "ca978112ca1bbdcafac231b39a23dc4d"
					    "a786eff8147c4e72b9807785afee48bb",
		.key_prefix = (char *)(uintptr_t) "",
	};
	struct settings set = {.tokens = &token, .n_tokens = 1};
	struct auth *auth = auth_new(&set);
	size_t which = 7;

	if (auth_check(auth, req, &which) == AUTH_OK)
		want(which == 0 && value.len >= 8 &&
		     memcmp(value.ptr + value.len - 2, " a", 2) == 0);
	else
		want(which == 7);
	auth_free(auth);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct http_request req;
	/* Of its own, so that a byte beyond is noticed. */
	char *copy = mem_alloc(size + !size);
	struct pj_str value = {copy, size};

	if (size)
		memcpy(copy, data, size);
	req.n_headers = 1;
	req.headers[0].value = value;
	req.headers[0].name = (struct pj_str)PJ_STR("Prefer");
	look_at_wait(&req, value);
	req.headers[0].name = (struct pj_str)PJ_STR("Authorization");
	look_at_token(&req, value);
	look_at_positions(value);
	look_at_tags(value);
	free(copy);
	return 0;
}
