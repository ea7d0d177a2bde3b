/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* SOCK_CLOEXEC, SOCK_NONBLOCK */
#include "queryapi/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/mem.h"

enum { BACKLOG = 1024 };

static bool
is_loopback(const struct sockaddr *sa)
{
	if (sa->sa_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, sa, sizeof(in));
		return ntohl(in.sin_addr.s_addr) >> 24 == 127;
	}
	if (sa->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, sa, sizeof(in6));
		return IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr);
	}
	return false;
}

static int
resolve(const char *address, struct addrinfo **ret_list, struct pj_error *err)
{
	struct addrinfo hints = {
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
		.ai_socktype = SOCK_STREAM,
	};
	const char *colon = strrchr(address, ':');
	char *host;
	int rc;

	if (!colon || !colon[1])
		return pj_error_set(err, PJ_ERROR_CONFIG,
				    "listen address '%s': expected "
				    "\"host:port\"",
				    address);
	if (address[0] == '[' && colon > address && colon[-1] == ']')
		host = mem_strndup(address + 1, (size_t)(colon - address) - 2);
	else
		host = mem_strndup(address, (size_t)(colon - address));
	rc = getaddrinfo(host[0] ? host : NULL, colon + 1, &hints, ret_list);
	free(host);
	if (rc != 0)
		return pj_error_set(err, PJ_ERROR_CONFIG,
				    "listen address '%s': %s", address,
				    gai_strerror(rc));
	return 0;
}

static void
print_address(int fd, char out[LISTENER_ADDRESS_MAX])
{
	struct sockaddr_storage sa = {0};
	socklen_t len = sizeof(sa);
	char host[INET6_ADDRSTRLEN] = "?", port[8] = "?";

	(void)getsockname(fd, (struct sockaddr *)&sa, &len);
	(void)getnameinfo((struct sockaddr *)&sa, len, host, sizeof(host), port,
			  sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV);
	(void)snprintf(out, LISTENER_ADDRESS_MAX,
		       sa.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host,
		       port);
}

static int
bind_and_listen(const struct addrinfo *ai, const char *address, int *ret_fd,
		struct pj_error *err)
{
	int on = 1;
	int fd = socket(ai->ai_family,
			SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		goto fail;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (ai->ai_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on,
				 sizeof(on));
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) < 0 ||
	    listen(fd, BACKLOG) < 0)
		goto fail;
	*ret_fd = fd;
	return 0;
fail:
	(void)pj_error_set(err, PJ_ERROR_FATAL, "cannot listen on %s: %s",
			   address, strerror(errno));
	if (fd >= 0)
		(void)close(fd);
	return -1;
}

int
listener_open(const char *address, bool public_ok, int *ret_fd,
	      char ret_address[LISTENER_ADDRESS_MAX], struct pj_error *err)
{
	struct addrinfo *list;
	int rc;

	if (resolve(address, &list, err) < 0)
		return -1;
	if (!public_ok && !is_loopback(list->ai_addr))
		rc = pj_error_set(err, PJ_ERROR_CONFIG,
				  "listen address '%s' is not loopback: "
				  "queryapi.public = true serves it to others "
				  "(the data listener: a token does, too)",
				  address);
	else
		rc = bind_and_listen(list, address, ret_fd, err);
	freeaddrinfo(list);
	if (rc == 0)
		print_address(*ret_fd, ret_address);
	return rc;
}
