/* SPDX-License-Identifier: Apache-2.0 */
#include "queryapi/auth.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "lib/mem.h"
#include "lib/str.h"

struct auth {
	unsigned char (*hashes)[SHA256_DIGEST_LENGTH];
	size_t n;
};

static unsigned
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	return (unsigned)((c | 0x20) - 'a' + 10);
}

struct auth *
auth_new(const struct settings *set)
{
	struct auth *auth = mem_calloc(1, sizeof(*auth));

	auth->n = set->n_tokens;
	auth->hashes = mem_calloc(auth->n + 1, sizeof(*auth->hashes));
	for (size_t i = 0; i < auth->n; i++) {
		const char *hex = set->tokens[i].sha256;

		for (size_t k = 0; k < SHA256_DIGEST_LENGTH; k++)
			auth->hashes[i][k] =
				(unsigned char)(hex_value(hex[2 * k]) << 4 |
						hex_value(hex[2 * k + 1]));
	}
	return auth;
}

void
auth_free(struct auth *auth)
{
	if (!auth)
		return;
	free(auth->hashes);
	free(auth);
}

bool
auth_is_on(const struct auth *auth)
{
	return auth->n > 0;
}

size_t
auth_count(const struct auth *auth)
{
	return auth->n;
}

/* token68 of RFC 9110, 11.2. */
static bool
is_token68(struct pj_str s)
{
	size_t n = s.len;

	while (n && s.ptr[n - 1] == '=')
		n--;
	for (size_t i = 0; i < n; i++) {
		char c = s.ptr[i];

		if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'z') &&
		    !(c >= 'A' && c <= 'Z') && (!c || !strchr("-._~+/", c)))
			return false;
	}
	return n > 0 && s.len <= AUTH_TOKEN_MAX;
}

/* Takes the scheme off; false when it is another one. */
static bool
take_bearer(struct pj_str *value)
{
	const char *space = memchr(value->ptr, ' ', value->len);
	size_t len = space ? (size_t)(space - value->ptr) : value->len;

	if (!http_token_is((struct pj_str){value->ptr, len}, "bearer"))
		return false;
	value->ptr += len;
	value->len -= len;
	while (value->len && *value->ptr == ' ') {
		value->ptr++;
		value->len--;
	}
	return true;
}

enum auth_result
auth_check(const struct auth *auth, const struct http_request *req,
	   size_t *ret_index)
{
	unsigned char hash[SHA256_DIGEST_LENGTH];
	size_t from = 0, found = auth->n;
	const struct http_header *h =
		http_request_header(req, "authorization", &from);
	struct pj_str token;

	if (!h)
		return AUTH_MISSING;
	if (http_request_header(req, "authorization", &from))
		return AUTH_MALFORMED;
	token = h->value;
	if (!take_bearer(&token))
		return AUTH_MISSING;
	if (!is_token68(token))
		return AUTH_MALFORMED;
	(void)SHA256((const unsigned char *)token.ptr, token.len, hash);
	/* All of them, so that time tells nothing of which or how near. */
	for (size_t i = 0; i < auth->n; i++)
		if (CRYPTO_memcmp(hash, auth->hashes[i], sizeof(hash)) == 0)
			found = i;
	if (found == auth->n)
		return AUTH_UNKNOWN;
	*ret_index = found;
	return AUTH_OK;
}

bool
auth_may_view(const struct settings_token *tok, struct pj_str view)
{
	for (size_t i = 0; i < tok->n_views; i++)
		if (str_is(view, tok->views[i]))
			return true;
	return tok->n_views == 0;
}

bool
auth_may_key(const struct settings_token *tok, struct pj_str key)
{
	size_t len = strlen(tok->key_prefix);

	return key.len >= len && memcmp(key.ptr, tok->key_prefix, len) == 0;
}

/* Without padding: AUTH_TOKEN_BYTES give 43 characters. */
static void
add_base64url(char *out, const unsigned char *data, size_t len)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789-_";
	unsigned bits = 0, n = 0;

	for (size_t i = 0; i < len; i++) {
		bits = bits << 8 | data[i];
		for (n += 8; n >= 6; n -= 6)
			*out++ = digits[bits >> (n - 6) & 63];
	}
	if (n)
		*out++ = digits[bits << (6 - n) & 63];
	*out = '\0';
}

int
auth_make_token(char ret_text[AUTH_TOKEN_TEXT], char ret_hash[AUTH_HASH_TEXT])
{
	static const char hex[] = "0123456789abcdef", prefix[] = "sv_";
	unsigned char bytes[AUTH_TOKEN_BYTES], hash[SHA256_DIGEST_LENGTH];

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return -1;
	for (size_t i = 0; i < sizeof(prefix) - 1; i++)
		ret_text[i] = prefix[i];
	add_base64url(ret_text + sizeof(prefix) - 1, bytes, sizeof(bytes));
	OPENSSL_cleanse(bytes, sizeof(bytes));
	(void)SHA256((const unsigned char *)ret_text, strlen(ret_text), hash);
	for (size_t i = 0; i < sizeof(hash); i++) {
		ret_hash[2 * i] = hex[hash[i] >> 4];
		ret_hash[2 * i + 1] = hex[hash[i] & 15];
	}
	ret_hash[AUTH_HASH_TEXT - 1] = '\0';
	return 0;
}
