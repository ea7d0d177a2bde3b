/* SPDX-License-Identifier: Apache-2.0 */
/* The listening socket's options, as accepted connections inherit them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "queryapi/listener.h"

static int
option(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
	return value;
}

static void
an_accepted_connection_sends_without_delay(void **state)
{
	char address[LISTENER_ADDRESS_MAX];
	struct sockaddr_in to = {.sin_family = AF_INET};
	struct pj_error err;
	int listening, client, accepted = -1;

	(void)state;
	assert_int_equal(
		listener_open("127.0.0.1:0", false, &listening, address, &err),
		0);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	to.sin_port = htons((uint16_t)atoi(strrchr(address, ':') + 1));
	client = socket(AF_INET, SOCK_STREAM, 0);
	assert_true(client >= 0);
	assert_int_equal(connect(client, (struct sockaddr *)&to, sizeof(to)),
			 0);
	accepted = accept(listening, NULL, NULL);
	assert_true(accepted >= 0);
	assert_int_not_equal(option(accepted, IPPROTO_TCP, TCP_NODELAY), 0);
	(void)close(accepted);
	(void)close(client);
	(void)close(listening);
}

static void
addresses_that_are_none_are_refused(void **state)
{
	static const char *const bad[] = {"127.0.0.1", "127.0.0.1:", "",
					  "127.0.0.1:http", "[::1:80"};
	char address[LISTENER_ADDRESS_MAX];
	struct pj_error err;
	int fd;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(
			listener_open(bad[i], false, &fd, address, &err), -1);
		assert_int_equal(err.cls, PJ_ERROR_CONFIG);
	}
}

static void
only_loopback_is_taken_without_a_choice(void **state)
{
	char address[LISTENER_ADDRESS_MAX];
	struct pj_error err;
	int fd;

	(void)state;
	assert_int_equal(listener_open("0.0.0.0:0", false, &fd, address, &err),
			 -1);
	assert_int_equal(err.cls, PJ_ERROR_CONFIG);
	assert_int_equal(listener_open(":0", false, &fd, address, &err), -1);
	assert_int_equal(listener_open("0.0.0.0:0", true, &fd, address, &err),
			 0);
	(void)close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_accepted_connection_sends_without_delay),
		cmocka_unit_test(addresses_that_are_none_are_refused),
		cmocka_unit_test(only_loopback_is_taken_without_a_choice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
