/* SPDX-License-Identifier: Apache-2.0 */
/* What no single value shows. */
#include "lib/settings_table.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "lib/readmodel.h"

struct check {
	const struct settings *set;
	const struct settings_origins *origins;
	struct pj_error *err;
};

static int
refuse(const struct check *ck, const char *section, const char *title,
       const char *key, const char *why)
{
	return pj_error_set(ck->err, PJ_ERROR_CONFIG, "%s: %s%s%s%s%s%s: %s",
			    settings_origin(ck->origins, section, title, key),
			    section, title ? " '" : "", title ? title : "",
			    title ? "'" : "", key ? "." : "", key ? key : "",
			    why);
}

enum { HOST_MAX = 253 };

/* "host:port", "[v6]:port" → host without brackets; false: neither. */
static bool
split_address(const char *text, char host[HOST_MAX + 1], bool *ret_v6,
	      unsigned *ret_port)
{
	const char *colon = strrchr(text, ':');
	const char *digits = colon ? colon + 1 : "";
	size_t n_digits = strspn(digits, "0123456789");
	size_t len;

	*ret_v6 = *text == '[';
	if (!colon || n_digits == 0 || n_digits > 5 || digits[n_digits])
		return false;
	*ret_port = (unsigned)strtoul(digits, NULL, 10);
	len = (size_t)(colon - text);
	if (*ret_v6) {
		if (len < 2 || text[len - 1] != ']')
			return false;
		text++;
		len -= 2;
	}
	if (len == 0 || len > HOST_MAX || *ret_port > 65535)
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	return true;
}

static bool
is_host(const char *host, bool v6)
{
	struct in6_addr addr6;
	struct in_addr addr4;

	if (v6)
		return inet_pton(AF_INET6, host, &addr6) == 1;
	if (host[strspn(host, "0123456789.")] == '\0')
		return inet_pton(AF_INET, host, &addr4) == 1;
	return host[strspn(host, "abcdefghijklmnopqrstuvwxyz"
				 "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				 "0123456789.-")] == '\0';
}

static bool
is_loopback(const char *host, bool v6)
{
	struct in6_addr addr6;
	struct in_addr addr4;

	if (v6)
		return inet_pton(AF_INET6, host, &addr6) == 1 &&
		       (IN6_IS_ADDR_LOOPBACK(&addr6) ||
			(IN6_IS_ADDR_V4MAPPED(&addr6) &&
			 addr6.s6_addr[12] == 127));
	if (inet_pton(AF_INET, host, &addr4) == 1)
		return ntohl(addr4.s_addr) >> 24 == 127;
	return strcmp(host, "localhost") == 0;
}

static int
check_listen(const struct check *ck, const char *section, const char *key,
	     const char *text, const char *closed)
{
	char host[HOST_MAX + 1];
	unsigned port;
	bool v6;

	if (!split_address(text, host, &v6, &port) || !is_host(host, v6))
		return refuse(ck, section, NULL, key,
			      "must be host:port, with IPv6 as [::1]:8080");
	if (closed && !is_loopback(host, v6))
		return refuse(ck, section, NULL, key, closed);
	return 0;
}

static int
check_addresses(const struct check *ck)
{
	const struct settings *set = ck->set;
	const char *listen = set->queryapi.listen;
	const char *admin = set->queryapi.admin_listen;
	const char *colon;

	if (*set->projector.admin_listen &&
	    check_listen(ck, "projector", "admin_listen",
			 set->projector.admin_listen, NULL))
		return -1;
	/* Tokens protect what is read, not what an operator looks at. */
	if (check_listen(ck, "queryapi", "listen", listen,
			 set->queryapi.public || set->n_tokens
				 ? NULL
				 : "not a loopback address: a token \"NAME\" "
				   "section (queryapi token makes one), or "
				   "queryapi.public = true, allows it") ||
	    check_listen(ck, "queryapi", "admin_listen", admin,
			 set->queryapi.public
				 ? NULL
				 : "not a loopback address; queryapi.public = "
				   "true allows it"))
		return -1;
	colon = strrchr(listen, ':');
	if (strcmp(listen, admin) == 0 && strtoul(colon + 1, NULL, 10) != 0)
		return refuse(ck, "queryapi", NULL, "admin_listen",
			      "the same address as queryapi.listen");
	return 0;
}

static int
check_store(const struct check *ck)
{
	const char *name = ck->set->store.database;
	const char *uri = ck->set->store.uri;

	if (strlen(name) > 63 || name[strcspn(name, "/\\. \"$*<>:|?")])
		return refuse(ck, "store", NULL, "database",
			      "not a name MongoDB takes");
	if (strncmp(uri, "mongodb://", 10) != 0 &&
	    strncmp(uri, "mongodb+srv://", 14) != 0)
		return refuse(ck, "store", NULL, "uri",
			      "must begin with mongodb:// or mongodb+srv://");
	if (strlen(uri) > 4096)
		return refuse(ck, "store", NULL, "uri",
			      "longer than 4096 bytes");
	return 0;
}

/* Kafka's alphabet and length for a topic's name. */
static int
check_dead_letter(const struct check *ck)
{
	const char *topic = ck->set->dead_letter.topic;
	size_t prefix = strlen(ck->set->source.topic_prefix);

	if (!*topic)
		return 0;
	if (strcmp(ck->set->source.type, "kafka") != 0)
		return refuse(ck, "dead_letter", NULL, "topic",
			      "only source.type = kafka has a cluster to send "
			      "to");
	if (topic[strspn(topic, "abcdefghijklmnopqrstuvwxyz"
				"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				"0123456789._-")] ||
	    prefix + strlen(topic) > 249)
		return refuse(ck, "dead_letter", NULL, "topic",
			      "not a topic's name");
	return 0;
}

/* As browsers write it (RFC 6454, 6.2): they compare bytes, and so do we. */
static bool
is_origin(const char *text)
{
	size_t scheme = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789+-.");
	const char *host = text + scheme + 3;

	return scheme > 0 && strncmp(text + scheme, "://", 3) == 0 && *host &&
	       host[strspn(host,
			   "abcdefghijklmnopqrstuvwxyz0123456789.-:[]")] ==
		       '\0';
}

static int
check_origins(const struct check *ck)
{
	size_t n = ck->set->queryapi.n_cors_origins;

	for (size_t i = 0; i < n; i++) {
		const char *origin = ck->set->queryapi.cors_origins[i];

		if (strcmp(origin, "*") == 0 ? n > 1 : !is_origin(origin))
			return refuse(ck, "queryapi", NULL, "cors_origins",
				      "either \"*\" alone, or origins in lower "
				      "case without a path, as "
				      "\"https://shop.example:8443\"");
	}
	return 0;
}

static int
check_token(const struct check *ck, const struct settings_token *tok)
{
	if (strlen(tok->sha256) != 64 ||
	    tok->sha256[strspn(tok->sha256, "0123456789abcdefABCDEF")])
		return refuse(ck, "token", tok->name, "sha256",
			      "must be 64 hexadecimal digits (queryapi token "
			      "makes a token and its hash)");
	for (size_t i = 0; i < tok->n_views; i++)
		if (!readmodel_is_projection_name(tok->views[i]))
			return refuse(ck, "token", tok->name, "views",
				      "not a view's name");
	if (strlen(tok->key_prefix) > READMODEL_KEY_MAX)
		return refuse(ck, "token", tok->name, "key_prefix",
			      "longer than a key may be");
	return 0;
}

static const char not_a_name[] = "a name is a lower-case letter, then up to 31 "
				 "of a-z, 0-9 and _";

/* The read API keeps /v1/pages/ for itself. */
static bool
is_view(const char *name)
{
	return readmodel_is_projection_name(name) && strcmp(name, "pages") != 0;
}

static int
check_projection(const struct check *ck, const char *name)
{
	if (strcmp(name, "pages") == 0)
		return refuse(ck, "projection", name, NULL,
			      "'pages' is reserved");
	if (!readmodel_is_projection_name(name))
		return refuse(ck, "projection", name, NULL, not_a_name);
	return 0;
}

static int
check_page(const struct check *ck, const struct settings_page *page)
{
	if (!readmodel_is_projection_name(page->name))
		return refuse(ck, "page", page->name, NULL, not_a_name);
	if (page->n_parts == 0 || page->n_parts > SETTINGS_PARTS_MAX)
		return refuse(ck, "page", page->name, "parts",
			      "a page has 1 to 8 views");
	for (size_t i = 0; i < page->n_parts; i++) {
		if (!is_view(page->parts[i]))
			return refuse(ck, "page", page->name, "parts",
				      "not a view's name");
		for (size_t k = 0; k < i; k++)
			if (strcmp(page->parts[i], page->parts[k]) == 0)
				return refuse(ck, "page", page->name, "parts",
					      "a view is here twice");
	}
	return 0;
}

static int
check_pages(const struct check *ck)
{
	const struct settings *set = ck->set;

	for (size_t i = 0; i < set->n_pages; i++)
		if (check_page(ck, &set->pages[i]))
			return -1;
	if (set->n_pages &&
	    set->queryapi.part_timeout_ms >= set->queryapi.request_timeout_ms)
		return refuse(ck, "queryapi", NULL, "part_timeout_ms",
			      "must be less than request_timeout_ms");
	return 0;
}

int
settings_check(const struct settings *set,
	       const struct settings_origins *origins, struct pj_error *err)
{
	const struct check ck = {set, origins, err};

	if (!*set->queryapi.tls_certificate != !*set->queryapi.tls_key)
		return refuse(&ck, "queryapi", NULL,
			      *set->queryapi.tls_key ? "tls_key"
						     : "tls_certificate",
			      "TLS needs both tls_certificate and tls_key");
	if (check_addresses(&ck) || check_store(&ck) ||
	    check_dead_letter(&ck) || check_origins(&ck))
		return -1;
	for (size_t i = 0; i < set->n_tokens; i++)
		if (check_token(&ck, &set->tokens[i]))
			return -1;
	if (check_pages(&ck))
		return -1;
	for (size_t i = 0; i < set->n_topics; i++) {
		const char *name = set->topics[i].name;

		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
			return refuse(&ck, "topic", name, NULL,
				      "not a topic's name");
	}
	for (size_t i = 0; i < set->n_projections; i++)
		if (check_projection(&ck, set->projections[i].name))
			return -1;
	return 0;
}
