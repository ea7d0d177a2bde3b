/* SPDX-License-Identifier: Apache-2.0 */
#include "queryapi/prefer.h"

#include <string.h>

static void
trim(struct pj_str *s)
{
	while (s->len && (s->ptr[0] == ' ' || s->ptr[0] == '\t')) {
		s->ptr++;
		s->len--;
	}
	while (s->len &&
	       (s->ptr[s->len - 1] == ' ' || s->ptr[s->len - 1] == '\t'))
		s->len--;
}

/* Digits, as a token or in quotes; -1: something else. */
static int
seconds(struct pj_str word)
{
	int s = 0;

	if (word.len >= 2 && word.ptr[0] == '"' &&
	    word.ptr[word.len - 1] == '"') {
		word.ptr++;
		word.len -= 2;
	}
	if (word.len == 0)
		return -1;
	for (size_t i = 0; i < word.len; i++) {
		if (word.ptr[i] < '0' || word.ptr[i] > '9')
			return -1;
		s = s * 10 + (word.ptr[i] - '0');
		if (s > PREFER_WAIT_MAX_S)
			s = PREFER_WAIT_MAX_S;
	}
	return s;
}

/* One preference, its parameters left out; -1: not this one. */
static int
wait_of(struct pj_str preference)
{
	const char *end = memchr(preference.ptr, ';', preference.len), *is;
	struct pj_str name, word;

	if (end)
		preference.len = (size_t)(end - preference.ptr);
	is = memchr(preference.ptr, '=', preference.len);
	if (!is)
		return -1;
	name = (struct pj_str){preference.ptr, (size_t)(is - preference.ptr)};
	word = (struct pj_str){is + 1, preference.len - name.len - 1};
	trim(&name);
	trim(&word);
	return http_token_is(name, "wait") ? seconds(word) : -1;
}

/* Takes a preference off the front; a comma in quotes ends none. */
static struct pj_str
take_preference(struct pj_str *list)
{
	struct pj_str first = {list->ptr, 0};
	bool quoted = false;

	while (first.len < list->len &&
	       (quoted || list->ptr[first.len] != ',')) {
		char c = list->ptr[first.len];

		if (c == '"')
			quoted = !quoted;
		else if (quoted && c == '\\' && first.len + 1 < list->len)
			first.len++;
		first.len++;
	}
	list->ptr += first.len;
	list->len -= first.len;
	if (list->len) {
		list->ptr++;
		list->len--;
	}
	return first;
}

int
prefer_wait_s(const struct http_request *req)
{
	const struct http_header *h;

	for (size_t from = 0;
	     (h = http_request_header(req, "prefer", &from));) {
		struct pj_str list = h->value;

		while (list.len) {
			int s = wait_of(take_preference(&list));

			if (s >= 0)
				return s;
		}
	}
	return -1;
}
