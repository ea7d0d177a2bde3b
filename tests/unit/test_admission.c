/* SPDX-License-Identifier: Apache-2.0 */
/* Connection limits, and where it may be listened. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "queryapi/admission.h"
#include "queryapi/listener.h"

static struct admission_address
v4(const char *text)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct admission_address addr;

	assert_int_equal(inet_pton(AF_INET, text, &in.sin_addr), 1);
	admission_address_of((struct sockaddr *)&in, &addr);
	return addr;
}

static struct admission_address
v6(const char *text)
{
	struct sockaddr_in6 in = {.sin6_family = AF_INET6};
	struct admission_address addr;

	assert_int_equal(inet_pton(AF_INET6, text, &in.sin6_addr), 1);
	admission_address_of((struct sockaddr *)&in, &addr);
	return addr;
}

static bool
same(struct admission_address a, struct admission_address b)
{
	return memcmp(&a, &b, sizeof(a)) == 0;
}

static void
an_address_gets_its_share_and_all_together_the_limit(void **state)
{
	struct admission *adm = admission_new(3, 2);
	struct admission_address a = v4("10.0.0.1"), b = v4("10.0.0.2");

	(void)state;
	assert_int_equal(admission_enter(adm, &a), ADMISSION_OK);
	assert_int_equal(admission_enter(adm, &a), ADMISSION_OK);
	assert_int_equal(admission_enter(adm, &a), ADMISSION_ADDRESS);
	assert_int_equal(admission_enter(adm, &b), ADMISSION_OK);
	assert_int_equal(admission_enter(adm, &b), ADMISSION_FULL);
	admission_leave(adm, &a);
	assert_int_equal(admission_enter(adm, &b), ADMISSION_OK);
	admission_leave(adm, &a);
	assert_int_equal(admission_enter(adm, &b), ADMISSION_ADDRESS);
	assert_int_equal(admission_enter(adm, &a), ADMISSION_OK);
	admission_free(adm);
}

static void
many_addresses_are_told_apart_and_forgotten(void **state)
{
	struct admission *adm = admission_new(100000, 1);
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct admission_address addr;

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < 5000; i++) {
			in.sin_addr.s_addr = htonl(0x0a000000 + i);
			admission_address_of((struct sockaddr *)&in, &addr);
			assert_int_equal(admission_enter(adm, &addr),
					 ADMISSION_OK);
		}
		for (uint32_t i = 0; i < 5000; i++) {
			in.sin_addr.s_addr = htonl(0x0a000000 + i);
			admission_address_of((struct sockaddr *)&in, &addr);
			admission_leave(adm, &addr);
		}
	}
	admission_free(adm);
}

static void
an_ipv6_client_is_its_network(void **state)
{
	(void)state;
	assert_true(same(v6("2001:db8:1:2::1"), v6("2001:db8:1:2:ffff::9")));
	assert_false(same(v6("2001:db8:1:2::1"), v6("2001:db8:1:3::1")));
	assert_true(same(v6("::ffff:10.0.0.1"), v4("10.0.0.1")));
	assert_false(same(v6("::1"), v4("0.0.0.1")));
	assert_false(same(v4("10.0.0.1"), v4("10.0.0.2")));
}

static void
only_loopback_is_listened_on_without_a_choice(void **state)
{
	char address[LISTENER_ADDRESS_MAX];
	struct pj_error err;
	int fd;

	(void)state;
	assert_int_equal(
		listener_open("127.0.0.1:0", false, &fd, address, &err), 0);
	assert_memory_equal(address, "127.0.0.1:", 10);
	assert_string_not_equal(address, "127.0.0.1:0");
	(void)close(fd);
	assert_int_equal(listener_open("0.0.0.0:0", false, &fd, address, &err),
			 -1);
	assert_int_equal(err.cls, PJ_ERROR_CONFIG);
	assert_int_equal(listener_open("0.0.0.0:0", true, &fd, address, &err),
			 0);
	(void)close(fd);
}

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
what_is_no_address_is_a_configuration_error(void **state)
{
	static const char *const bad[] = {"",		"127.0.0.1",
					  "127.0.0.1:", "127.0.0.1:http",
					  "[::1:80",	"300.0.0.1:80"};
	char address[LISTENER_ADDRESS_MAX];
	struct pj_error err;
	int fd;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err.cls = PJ_ERROR_NONE;
		if (listener_open(bad[i], true, &fd, address, &err) == 0)
			fail_msg("taken: %s", bad[i]);
		assert_int_equal(err.cls, PJ_ERROR_CONFIG);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			an_address_gets_its_share_and_all_together_the_limit),
		cmocka_unit_test(many_addresses_are_told_apart_and_forgotten),
		cmocka_unit_test(an_ipv6_client_is_its_network),
		cmocka_unit_test(only_loopback_is_listened_on_without_a_choice),
		cmocka_unit_test(an_accepted_connection_sends_without_delay),
		cmocka_unit_test(what_is_no_address_is_a_configuration_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
