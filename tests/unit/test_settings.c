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

extern char **environ;

static struct settings *set;
static struct pj_error err;

/* Every test starts in an empty directory with an empty environment. */
static char dir[] = "/tmp/test_settings.XXXXXX";
static char *no_environment[] = {NULL};

static void
clear(void)
{
	settings_free(set);
	set = NULL;
	memset(&err, 0, sizeof(err));
}

static void
write_file(const char *name, const char *text)
{
	FILE *out = fopen(name, "w");

	assert_non_null(out);
	assert_int_equal(fputs(text, out) < 0, 0);
	assert_int_equal(fclose(out), 0);
}

static int
load(const char *text, const char *const *overrides, size_t n)
{
	clear();
	write_file("t.conf", text);
	return settings_load("t.conf", overrides, n, &set, &err);
}

static void
assert_loads(const char *text)
{
	if (load(text, NULL, 0))
		fail_msg("%s", err.text);
}

static void
assert_refused(const char *text, const char *expected)
{
	if (load(text, NULL, 0) == 0)
		fail_msg("accepted: %s", text);
	assert_int_equal(err.cls, PJ_ERROR_CONFIG);
	assert_string_equal(err.text, expected);
	assert_null(set);
}

static void
assert_override(const char *override)
{
	clear();
	if (settings_load(NULL, &override, 1, &set, &err))
		fail_msg("%s", err.text);
}

static void
assert_override_refused(const char *override, const char *expected)
{
	clear();
	assert_int_equal(settings_load(NULL, &override, 1, &set, &err), -1);
	assert_int_equal(err.cls, PJ_ERROR_CONFIG);
	assert_string_equal(err.text, expected);
}

/* entry: "NAME=value" */
static void
put(const char *entry)
{
	char *copy = strdup(entry);

	assert_non_null(copy);
	*strchr(copy, '=') = '\0';
	assert_int_equal(setenv(copy, copy + strlen(copy) + 1, 1), 0);
	free(copy);
}

static int
load_environment(const char *entry)
{
	int ret;

	clear();
	put(entry);
	ret = settings_load(NULL, NULL, 0, &set, &err);
	environ = no_environment;
	return ret;
}

static void
assert_environment_refused(const char *entry, const char *expected)
{
	assert_int_equal(load_environment(entry), -1);
	assert_int_equal(err.cls, PJ_ERROR_CONFIG);
	assert_string_equal(err.text, expected);
}

static int
group_setup(void **state)
{
	(void)state;
	return mkdtemp(dir) == NULL || chdir(dir) != 0;
}

static int
group_teardown(void **state)
{
	(void)state;
	return chdir("/") != 0 || rmdir(dir) != 0;
}

static int
setup(void **state)
{
	(void)state;
	environ = no_environment;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	clear();
	environ = no_environment;
	(void)unlink("t.conf");
	(void)unlink("shopview.conf");
	(void)unlink("secret");
	return 0;
}

static void
a_dead_letter_topic_needs_kafka_and_a_topics_name(void **state)
{
	char text[400], name[300];

	(void)state;
	assert_loads("source { type = kafka topic_prefix = \"p.\" }\n"
		     "dead_letter { topic = dead }\n");
	assert_string_equal(set->dead_letter.topic, "dead");
	assert_refused("dead_letter { topic = dead }",
		       "t.conf:1: dead_letter.topic: only source.type = kafka "
		       "has a cluster to send to");
	assert_refused("source { type = kafka }\n"
		       "dead_letter { topic = \"a/b\" }",
		       "t.conf:2: dead_letter.topic: not a topic's name");
	memset(name, 'x', 248);
	name[248] = '\0';
	(void)snprintf(text, sizeof(text),
		       "source { type = kafka topic_prefix = \"p.\" }\n"
		       "dead_letter { topic = %s }",
		       name);
	assert_refused(text, "t.conf:2: dead_letter.topic: not a topic's name");
}

static void
without_a_file_both_programs_run_embedded(void **state)
{
	(void)state;
	assert_int_equal(settings_load(NULL, NULL, 0, &set, &err), 0);
	assert_string_equal(set->source.type, "archive");
	assert_string_equal(set->source.dir, "./data/events");
	assert_string_equal(set->source.topic_prefix, "");
	assert_null(set->source.instance_id);
	assert_int_equal(set->source.n_properties, 0);
	assert_int_equal(set->store.type, STORE_LMDB);
	assert_string_equal(set->store.path, "./data/store");
	assert_false(set->store.allow_standalone);
	assert_int_equal(set->n_topics, 0);
	assert_int_equal(set->n_projections, 0);
	assert_string_equal(set->projector.admin_listen, "127.0.0.1:8082");
	assert_string_equal(set->projector.modules, "");
	assert_string_equal(set->dead_letter.topic, "");
	assert_int_equal(set->projector.writers, 2);
	assert_string_equal(set->queryapi.listen, "127.0.0.1:8080");
	assert_string_equal(set->queryapi.admin_listen, "127.0.0.1:8081");
	assert_false(set->queryapi.public);
	assert_int_equal(set->queryapi.loops, 0);
	assert_int_equal(set->log.level, LOG_INFO);
	assert_int_equal(set->log.format, LOG_LOGFMT);
}

static void
a_file_sets_every_kind_of_value(void **state)
{
	(void)state;
	assert_loads("source {\n type = kafka\n brokers = \"a:1,b:2\"\n"
		     " instance_id = one\n"
		     " rdkafka = {\"fetch.wait.max.ms=10\", \"x=a=b,c\"}\n}\n"
		     "store { type = mongodb database = d map_bytes = 2g\n"
		     " uri = \"mongodb://u:p@h/?replicaSet=rs\"\n"
		     " allow_standalone = yes }\n"
		     "topic stock { zone = \"+09:00\" }\n"
		     "topic order { format = envelope }\n"
		     "projection sales { }\n"
		     "projection shop_products { buckets = 4 floor = -3 }\n"
		     "projector { writers = 8 batch_bytes = 1m }\n"
		     "queryapi { idle_timeout_ms = 2m header_bytes = 8192\n"
		     " listen = \"[::1]:0\" }\n"
		     "log { level = debug format = json }\n");
	assert_string_equal(set->source.type, "kafka");
	assert_string_equal(set->source.brokers, "a:1,b:2");
	assert_string_equal(set->source.instance_id, "one");
	assert_int_equal(set->source.n_properties, 2);
	assert_string_equal(set->source.properties[0].name,
			    "fetch.wait.max.ms");
	assert_string_equal(set->source.properties[0].value, "10");
	assert_string_equal(set->source.properties[1].value, "a=b,c");
	assert_int_equal(set->store.type, STORE_MONGODB);
	assert_true(set->store.allow_standalone);
	assert_int_equal(set->store.map_bytes, (uint64_t)2 << 30);
	assert_int_equal(set->n_topics, 2);
	assert_string_equal(set->topics[0].name, "stock");
	assert_string_equal(set->topics[0].format, "envelope");
	assert_string_equal(set->topics[0].zone, "+09:00");
	assert_string_equal(set->topics[1].format, "envelope");
	assert_string_equal(set->topics[1].zone, "Asia/Seoul");
	assert_int_equal(set->n_projections, 2);
	assert_int_equal(set->projections[0].n_options, 0);
	assert_string_equal(set->projections[0].place, "t.conf:12");
	assert_int_equal(set->projections[1].n_options, 2);
	assert_string_equal(set->projections[1].options[0].name, "buckets");
	assert_string_equal(set->projections[1].options[0].value, "4");
	assert_string_equal(set->projections[1].options[1].value, "-3");
	assert_string_equal(set->projections[1].place, "t.conf:13");
	assert_int_equal(set->projector.writers, 8);
	assert_int_equal(set->projector.batch_bytes, 1 << 20);
	assert_int_equal(set->queryapi.idle_timeout_ms, 120000);
	assert_int_equal(set->queryapi.header_bytes, 8192);
	assert_int_equal(set->log.level, LOG_DEBUG);
	assert_int_equal(set->log.format, LOG_JSON);
}

static void
the_environment_beats_the_file_and_the_command_line_both(void **state)
{
	const char *const args[] = {"-", "log.level=error"};

	(void)state;
	put("SHOPVIEW_SOURCE_GROUP=from-env");
	put("SHOPVIEW_LOG_LEVEL=warn");
	assert_int_equal(load("source { group = from-file dir = d }\n"
			      "log { level = debug }",
			      args + 1, 1),
			 0);
	assert_string_equal(set->source.dir, "d");
	assert_string_equal(set->source.group, "from-env");
	assert_int_equal(set->log.level, LOG_ERROR);
}

static void
the_file_is_named_by_c_then_the_environment_then_the_directory(void **state)
{
	(void)state;
	write_file("shopview.conf", "source { group = here }");
	assert_int_equal(settings_load(NULL, NULL, 0, &set, &err), 0);
	assert_string_equal(set->source.group, "here");
	assert_int_equal(load("source { group = named }", NULL, 0), 0);
	assert_string_equal(set->source.group, "named");
	assert_int_equal(load_environment("SHOPVIEW_CONFIG=t.conf"), 0);
	assert_string_equal(set->source.group, "named");
	assert_environment_refused("SHOPVIEW_CONFIG=gone.conf",
				   "gone.conf: No such file or directory");
	clear();
	assert_int_equal(settings_load(dir, NULL, 0, &set, &err), -1);
	assert_non_null(strstr(err.text, ": Is a directory"));
}

static void
pass_through_properties_are_merged_by_name(void **state)
{
	const char *const args[] = {"source.rdkafka=b=3",
				    "source.rdkafka=d=x,y"};

	(void)state;
	put("SHOPVIEW_SOURCE_RDKAFKA=c=7\na=0");
	assert_int_equal(
		load("source { rdkafka = {\"a=1\", \"b=2\"} }", args, 2), 0);
	assert_int_equal(set->source.n_properties, 4);
	assert_string_equal(set->source.properties[0].value, "0");
	assert_string_equal(set->source.properties[1].value, "3");
	assert_string_equal(set->source.properties[2].name, "c");
	assert_string_equal(set->source.properties[3].value, "x,y");
	assert_refused("source {\n rdkafka = {\"a=1\", \"a=2\"} }",
		       "t.conf:2: source.rdkafka: 'a' is here twice");
	/* What is malformed may be a secret, so it is not shown. */
	assert_refused("source {\n rdkafka = {\"a=1\", \"secret\"} }",
		       "t.conf:2: source.rdkafka: entry 2 must be "
		       "\"name=value\"");
	assert_refused("source { rdkafka = \"=1\" }",
		       "t.conf:1: source.rdkafka: entry 1 must be "
		       "\"name=value\"");
}

static void
an_override_reaches_titled_sections(void **state)
{
	const char *const args[] = {"topic.my.topic.zone=Asia/Tokyo",
				    "topic.my.topic.format=envelope",
				    "projection.sales.buckets=4",
				    "projection.sales.buckets=5"};

	(void)state;
	assert_int_equal(load("topic my.topic { zone = UTC }\n"
			      "projection sales { buckets = 3 }",
			      args, 4),
			 0);
	assert_int_equal(set->n_topics, 1);
	assert_string_equal(set->topics[0].zone, "Asia/Tokyo");
	assert_int_equal(set->projections[0].n_options, 1);
	assert_string_equal(set->projections[0].options[0].value, "5");
	assert_string_equal(set->projections[0].place, "t.conf:2");
	assert_override("topic.stock.zone=UTC");
	assert_string_equal(set->topics[0].name, "stock");
	assert_string_equal(set->topics[0].format, "envelope");
	assert_override("projection.stock.n=1");
	assert_string_equal(set->projections[0].place, "-s projection.stock.n");
}

static void
a_wrong_override_is_told_by_its_name(void **state)
{
	(void)state;
	assert_override_refused("source.brokres=x",
				"-s source.brokres: unknown key 'brokres' in "
				"source (did you mean 'brokers'?)");
	assert_override_refused("sorce.type=x",
				"-s sorce.type: unknown section 'sorce' (did "
				"you mean 'source'?)");
	assert_override_refused("source.type",
				"-s source.type: expected section.key=value");
	assert_override_refused("source=x", "-s source: expected "
					    "source.key=value");
	assert_override_refused("topic.zone=UTC", "-s topic.zone: expected "
						  "topic.NAME.key=value");
	assert_override_refused("topic.a b.zone=UTC",
				"-s topic.a b.zone: not a name for a topic");
	assert_override_refused("projector.writers=9",
				"-s projector.writers: projector.writers is "
				"'9', out of the range 1 to 8");
	assert_override_refused("projection.sales.buckets=four",
				"-s projection.sales.buckets: "
				"projection.sales.buckets is 'four', but must "
				"be an integer");
	assert_override_refused("=x", "-s : unknown section ''");
}

static void
a_wrong_variable_is_told_by_its_name(void **state)
{
	(void)state;
	assert_environment_refused("SHOPVIEW_SOURCE_BROKRES=x",
				   "SHOPVIEW_SOURCE_BROKRES: unknown key "
				   "'brokres' in source (did you mean "
				   "'brokers'?)");
	assert_environment_refused("SHOPVIEW_SUORCE_TYPE=kafka",
				   "SHOPVIEW_SUORCE_TYPE: unknown section "
				   "'suorce' (did you mean 'source'?)");
	assert_environment_refused("SHOPVIEW_QUERYAPI_IDLE_TIMEOUT_MS=5k",
				   "SHOPVIEW_QUERYAPI_IDLE_TIMEOUT_MS: "
				   "queryapi.idle_timeout_ms is '5k': wrong "
				   "unit, must be a duration such as 250ms, "
				   "5s, 1m or 1h");
}

static void
variables_of_others_are_left_alone(void **state)
{
	static const char *const others[] = {
		"SHOPVIEW_HOME=/x",
		"SHOPVIEW_STACK_DIR=/x",
		"SHOPVIEW_QUERYAPI_SERVICE_HOST=10.0.0.1",
		"SHOPVIEW_QUERYAPI_SERVICE_PORT_HTTP=80",
		"SHOPVIEW_QUERYAPI_PORT=tcp://10.0.0.1:80",
		"SHOPVIEW_QUERYAPI_PORT_8080_TCP_ADDR=10.0.0.1",
		"SHOPVIEW_TOPIC=x",
		"source_type=kafka",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (load_environment(others[i]))
			fail_msg("%s", err.text);
}

static void
a_secret_can_be_read_from_a_file(void **state)
{
	(void)state;
	write_file("secret", "mongodb://u:p@h/\n");
	assert_int_equal(load_environment("SHOPVIEW_STORE_URI_FILE=secret"), 0);
	assert_string_equal(set->store.uri, "mongodb://u:p@h/");
	assert_environment_refused("SHOPVIEW_STORE_URI_FILE=gone",
				   "SHOPVIEW_STORE_URI_FILE: gone: No such "
				   "file or directory");
	put("SHOPVIEW_STORE_URI=mongodb://x/");
	assert_environment_refused("SHOPVIEW_STORE_URI_FILE=secret",
				   "SHOPVIEW_STORE_URI_FILE: "
				   "SHOPVIEW_STORE_URI is set as well");
}

static void
wrong_values_are_told_with_file_and_line(void **state)
{
	(void)state;
	assert_refused("# x\nsource {\n  brokres = \"a:1\"\n}",
		       "t.conf:3: unknown key 'brokres' in source (did you "
		       "mean 'brokers'?)");
	assert_refused("source {\n type = kafak }",
		       "t.conf:2: source.type is 'kafak', but must be one of "
		       "archive, kafka (did you mean 'kafka'?)");
	assert_refused("log {\n level = loud }",
		       "t.conf:2: log.level is 'loud', but must be one of "
		       "debug, info, warn, error");
	assert_refused("store {\n map_bytes = 16q }",
		       "t.conf:2: store.map_bytes is '16q': wrong unit, must "
		       "be a size such as 4096, 64k, 16m or 1g");
	assert_refused("projector {\n writers = \"\" }",
		       "t.conf:2: projector.writers is '', but must be a "
		       "number without a unit");
	assert_refused("store {\n allow_standalone = maybe }",
		       "t.conf:2: store.allow_standalone is 'maybe', but must "
		       "be true or false");
	assert_refused("source {\n group = \"\" }",
		       "t.conf:2: source.group may not be empty");
	assert_refused("projection sales {\n n = 1.5 }",
		       "t.conf:2: projection.sales.n is '1.5', but must be an "
		       "integer");
}

/* What would be taken and then do nothing. */
static void
what_nobody_would_read_is_refused(void **state)
{
	static const char *const formats[] = {"json", "debezium", "outbox",
					      "cloudevents", "Envelope"};
	char text[64], expected[128];

	(void)state;
	for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++) {
		(void)snprintf(text, sizeof(text),
			       "topic stock {\n format = %s }", formats[i]);
		(void)snprintf(expected, sizeof(expected),
			       "t.conf:2: topic.stock.format is '%s', but must "
			       "be envelope",
			       formats[i]);
		assert_refused(text, expected);
	}
	assert_override_refused("topic.stock.format=json",
				"-s topic.stock.format: topic.stock.format is "
				"'json', but must be envelope");
}

static void
names_that_routes_and_collections_cannot_carry_are_refused(void **state)
{
	(void)state;
	assert_refused("\nprojection pages { }",
		       "t.conf:2: projection 'pages': 'pages' is reserved");
	assert_refused("\nprojection Sales { }",
		       "t.conf:2: projection 'Sales': a name is a lower-case "
		       "letter, then up to 31 of a-z, 0-9 and _");
	assert_refused("topic .. { }", "t.conf:1: topic '..': not a topic's "
				       "name");
	assert_refused("topic stock { }\ntopic stock { }",
		       "t.conf:2: topic 'stock' is here a second time (first "
		       "in line 1)");
	assert_refused("store {\n database = \"a.b\" }",
		       "t.conf:2: store.database: not a name MongoDB takes");
	assert_refused("store {\n uri = \"u:secret@h\" }",
		       "t.conf:2: store.uri: must begin with mongodb:// or "
		       "mongodb+srv://");
}

static void
the_stores_part_is_lent(void **state)
{
	struct store_settings part;

	(void)state;
	assert_loads("store { type = mongodb path = p map_bytes = 1g }");
	part = settings_store(set, true, "queryapi");
	assert_int_equal(part.type, STORE_MONGODB);
	assert_ptr_equal(part.uri, set->store.uri);
	assert_ptr_equal(part.database, set->store.database);
	assert_string_equal(part.path, "p");
	assert_int_equal(part.map_bytes, 1 << 30);
	assert_true(part.read_only);
	assert_false(part.allow_standalone);
	assert_string_equal(part.app_name, "queryapi");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(without_a_file_both_programs_run_embedded),
		TEST(a_dead_letter_topic_needs_kafka_and_a_topics_name),
		TEST(a_file_sets_every_kind_of_value),
		TEST(the_environment_beats_the_file_and_the_command_line_both),
		TEST(the_file_is_named_by_c_then_the_environment_then_the_directory),
		TEST(pass_through_properties_are_merged_by_name),
		TEST(an_override_reaches_titled_sections),
		TEST(a_wrong_override_is_told_by_its_name),
		TEST(a_wrong_variable_is_told_by_its_name),
		TEST(variables_of_others_are_left_alone),
		TEST(a_secret_can_be_read_from_a_file),
		TEST(wrong_values_are_told_with_file_and_line),
		TEST(what_nobody_would_read_is_refused),
		TEST(names_that_routes_and_collections_cannot_carry_are_refused),
		TEST(the_stores_part_is_lent),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
