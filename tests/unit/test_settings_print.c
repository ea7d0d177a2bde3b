/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/settings.h"

static struct settings *set;
static struct pj_error err;
static char file[] = "/tmp/test_settings_print.XXXXXX";

static void
assert_loads(const char *text)
{
	FILE *out = fopen(file, "w");

	assert_non_null(out);
	assert_false(fputs(text, out) < 0);
	assert_int_equal(fclose(out), 0);
	settings_free(set);
	set = NULL;
	if (settings_load(file, NULL, 0, &set, &err))
		fail_msg("%s", err.text);
}

static char *
printed(const struct settings *what)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	settings_print(what, out);
	assert_int_equal(fclose(out), 0);
	return text;
}

static int
setup(void **state)
{
	int fd = mkstemp(file);

	(void)state;
	return fd < 0 || close(fd) != 0;
}

static int
teardown(void **state)
{
	(void)state;
	settings_free(set);
	return unlink(file);
}

static void
what_is_printed_loads_again_to_the_same(void **state)
{
	const char *text =
		"source { type = kafka dir = \"a \\\"b\\\\ \\$c\\t#\\n'\"\n"
		" instance_id = i rdkafka = {\"a=1\", \"b= x{,}=\"} }\n"
		"store { type = mongodb map_bytes = 12345678 }\n"
		"topic \"stock\" { format = envelope } topic a.b { zone = UTC "
		"}\n"
		"projection sales { buckets = 4 other = -1 }\n"
		"projection stock { }\n"
		"projector { admin_listen = \"\" batch_bytes = 3m }\n"
		"queryapi { listen = \"[::]:80\" public = on"
		" stop_timeout_ms = 0 idle_timeout_ms = 1500 }\n"
		"log { level = error format = json }\n";
	struct settings *first;
	char *one, *two;

	(void)state;
	assert_loads(text);
	first = set;
	set = NULL;
	one = printed(first);
	assert_loads(one);
	two = printed(set);
	assert_string_equal(one, two);
	assert_string_equal(set->source.dir, "a \"b\\ $c\t#\n'");
	assert_string_equal(set->source.properties[1].name, "b");
	assert_string_equal(set->source.properties[1].value, " x{,}=");
	assert_int_equal(set->store.type, STORE_MONGODB);
	assert_int_equal(set->store.map_bytes, 12345678);
	assert_int_equal(set->n_topics, 2);
	assert_int_equal(set->projections[0].n_options, 2);
	assert_int_equal(set->queryapi.idle_timeout_ms, 1500);
	assert_int_equal(set->queryapi.stop_timeout_ms, 0);
	assert_true(set->queryapi.public);
	assert_int_equal(set->log.level, LOG_ERROR);
	settings_free(first);
	free(one);
	free(two);
}

static void
the_defaults_print_and_load_again(void **state)
{
	char *one, *two;

	(void)state;
	assert_loads("");
	one = printed(set);
	assert_loads(one);
	assert_null(set->source.instance_id);
	two = printed(set);
	assert_string_equal(one, two);
	free(one);
	free(two);
}

static void
secrets_are_never_printed(void **state)
{
	static const char *const uris[][2] = {
		{"mongodb://u:hush@h:1/d?x=1", "mongodb://u:***@h:1/d?x=1"},
		{"mongodb://u:hush@hush/hush?@h", "mongodb://u:***@h"},
		{"mongodb://h1:1,h2:2/?replicaSet=rs0",
		 "mongodb://h1:1,h2:2/?replicaSet=rs0"},
		{"mongodb://u@h/", "mongodb://u@h/"},
		{"mongodb://h/?tls=true&tlsCertificateKeyFilePassword=hush&a=b",
		 "mongodb://h/?tls=true&tlsCertificateKeyFilePassword=***&"
		 "a=b"},
		{"mongodb://h/?authMechanismProperties=AWS_SESSION_TOKEN:hush",
		 "mongodb://h/?authMechanismProperties=***"},
	};
	char *text;

	(void)state;
	for (size_t i = 0; i < sizeof(uris) / sizeof(*uris); i++) {
		char line[256], expected[256];

		(void)snprintf(line, sizeof(line), "store { uri = '%s' }",
			       uris[i][0]);
		(void)snprintf(expected, sizeof(expected), "uri = \"%s\"",
			       uris[i][1]);
		assert_loads(line);
		text = printed(set);
		if (!strstr(text, expected) || strstr(text, "hush"))
			fail_msg("%s", text);
		free(text);
	}
	assert_loads("source { rdkafka = {\"sasl.password=hush\","
		     " \"ssl.key.Password=hush\", \"ssl.key.pem=hush\","
		     " \"sasl.jaas.config=hush\", \"client.secret=hush\","
		     " \"sasl.username=shown\"} }");
	text = printed(set);
	assert_null(strstr(text, "hush"));
	assert_non_null(strstr(text, "\"sasl.password=***\""));
	assert_non_null(strstr(text, "\"sasl.username=shown\""));
	free(text);
}

/* Every key of the printed defaults has its row. */
static void
the_reference_tells_every_key(void **state)
{
	char *reference = NULL, *text, *line, *save = NULL;
	size_t len, n = 0;
	FILE *out = open_memstream(&reference, &len);

	(void)state;
	assert_non_null(out);
	settings_reference(out);
	assert_int_equal(fclose(out), 0);
	assert_loads("topic a { }");
	text = printed(set);
	for (line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		char row[80];

		if (*line != '\t')
			continue;
		(void)snprintf(row, sizeof(row), "\n| `%.*s` | ",
			       (int)strcspn(line + 1, " "), line + 1);
		if (!strstr(reference, row))
			fail_msg("no row for %s", row);
		n++;
	}
	assert_true(n > 30);
	assert_non_null(strstr(
		reference,
		"| `idle_timeout_ms` | duration (ms, s, m, h) | `60s` | 10ms "
		"to 1h | How long a connection may idle between requests. | "
		"`SHOPVIEW_QUERYAPI_IDLE_TIMEOUT_MS` |\n"));
	assert_non_null(strstr(reference, "\n## topic \"NAME\"\n"));
	assert_non_null(strstr(reference, "\n## projection \"NAME\"\n"));
	free(reference);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_printed_loads_again_to_the_same),
		cmocka_unit_test(the_defaults_print_and_load_again),
		cmocka_unit_test(secrets_are_never_printed),
		cmocka_unit_test(the_reference_tells_every_key),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
