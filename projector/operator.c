/* SPDX-License-Identifier: Apache-2.0 */
#include "projector/operator.h"

#include <pwd.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "lib/mem.h"
#include "lib/store.h"
#include "lib/utf8.h"

char *
operator_name(void)
{
	char host[256] = "", room[4096];
	struct passwd pw, *found = NULL;

	if (gethostname(host, sizeof(host) - 1))
		host[0] = '\0';
	if (getpwuid_r(geteuid(), &pw, room, sizeof(room), &found) == 0 &&
	    found)
		return mem_printf("%s@%s", pw.pw_name, host);
	return mem_printf("%ju@%s", (uintmax_t)geteuid(), host);
}

bool
operator_is_reason(const char *text)
{
	size_t len = strlen(text);

	for (size_t i = 0; i < len;) {
		size_t n = utf8_char(text + i, len - i);

		if (n == 0)
			return false;
		i += n;
	}
	return text[strspn(text, " \t\n")] && len <= STORE_REQUEST_TEXT_MAX;
}
