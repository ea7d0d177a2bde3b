/* SPDX-License-Identifier: Apache-2.0 */
#include "queryapi/cursor.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "lib/base64.h"

/* Raised when the digest or the key's meaning changes: old ones are refused. */
static const uint8_t VERSION = 1;

enum { DIGEST = CURSOR_HEAD - 1 };

/* No part holds a NUL, so that no two lists are one text. */
static void
add_part(struct buf *text, struct pj_str part)
{
	buf_add(text, part.ptr, part.len);
	buf_addch(text, '\0');
}

static void
digest_of(const struct cursor_list *list, struct pj_str key,
	  uint8_t out[DIGEST])
{
	unsigned char full[EVP_MAX_MD_SIZE];
	struct buf text = BUF_INIT;

	add_part(&text, list->view);
	add_part(&text, key);
	for (size_t i = 0; i < list->n_pairs; i++) {
		add_part(&text, list->pairs[i].name);
		add_part(&text, list->pairs[i].value);
	}
	/* libcrypto fails only without memory. */
	if (!EVP_Digest(text.data, text.len, full, NULL, EVP_sha256(), NULL))
		abort();
	memcpy(out, full, DIGEST);
	buf_release(&text);
}

void
cursor_write(struct buf *out, const struct cursor_list *list, struct pj_str key)
{
	uint8_t head[CURSOR_HEAD] = {VERSION};
	struct buf bytes = BUF_INIT;
	size_t from = out->len;

	digest_of(list, key, head + 1);
	buf_add(&bytes, head, sizeof(head));
	buf_add(&bytes, key.ptr, key.len);
	base64_encode(out, bytes.data, bytes.len);
	buf_release(&bytes);
	while (out->data[out->len - 1] == '=')
		out->len--;
	out->data[out->len] = '\0';
	for (char *p = out->data + from; *p; p++)
		*p = (char)(*p == '+' ? '-' : *p == '/' ? '_' : *p);
}

/* One text per byte string: padding and the other alphabet are refused. */
static int
decode(struct pj_str text, struct buf *out)
{
	struct buf plain = BUF_INIT;
	int rc = -1;

	if (text.len > CURSOR_TEXT_MAX)
		return -1;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (c == '+' || c == '/' || c == '=')
			goto out;
		buf_addch(&plain, (char)(c == '-' ? '+' : c == '_' ? '/' : c));
	}
	while (plain.len % 4)
		buf_addch(&plain, '=');
	rc = base64_decode(out, plain.data, plain.len);
out:
	buf_release(&plain);
	return rc;
}

int
cursor_read(struct pj_str text, const struct cursor_list *list,
	    struct buf *ret_key)
{
	uint8_t digest[DIGEST];
	struct buf bytes = BUF_INIT;
	struct pj_str key;
	int rc = -1;

	if (decode(text, &bytes) < 0 || bytes.len <= CURSOR_HEAD ||
	    (uint8_t)bytes.data[0] != VERSION)
		goto out;
	key = (struct pj_str){bytes.data + CURSOR_HEAD,
			      bytes.len - CURSOR_HEAD};
	if (!readmodel_is_key(key))
		goto out;
	digest_of(list, key, digest);
	if (memcmp(digest, bytes.data + 1, DIGEST) != 0)
		goto out;
	buf_add(ret_key, key.ptr, key.len);
	rc = 0;
out:
	buf_release(&bytes);
	return rc;
}
