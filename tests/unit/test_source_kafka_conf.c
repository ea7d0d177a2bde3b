/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "projector/source_kafka.h"

static struct source_settings
settings(const char *const *properties)
{
	return (struct source_settings){.type = SOURCE_KAFKA,
					.brokers = "127.0.0.1:1",
					.group = "g",
					.properties = properties};
}

static void
expect(rd_kafka_conf_t *conf, const char *name, const char *value)
{
	char text[256] = "";
	size_t size = sizeof(text);

	assert_int_equal(rd_kafka_conf_get(conf, name, text, &size),
			 RD_KAFKA_CONF_OK);
	if (strcmp(text, value) != 0)
		fail_msg("%s = %s, not %s", name, text, value);
}

static void
a_second_reader_reads_less_ahead(void **state)
{
	struct source_settings set = settings(NULL);
	const char *mine[] = {"queued.max.messages.kbytes", "1234", NULL};
	struct pj_error err = {0};
	rd_kafka_conf_t *conf;

	(void)state;
	assert_int_equal(kafka_conf(&set, SOURCE_GIVEN, NULL, &conf, &err), 0);
	expect(conf, "queued.max.messages.kbytes", "65536");
	rd_kafka_conf_destroy(conf);
	set.properties = mine;
	assert_int_equal(kafka_conf(&set, SOURCE_GIVEN, NULL, &conf, &err), 0);
	expect(conf, "queued.max.messages.kbytes", "1234");
	rd_kafka_conf_destroy(conf);
}

static void
what_the_protocol_depends_on_is_set(void **state)
{
	struct source_settings set = settings(NULL);
	rd_kafka_conf_t *conf;
	struct pj_error err;

	(void)state;
	assert_int_equal(kafka_conf(&set, SOURCE_SHARE, "me", &conf, &err), 0);
	expect(conf, "bootstrap.servers", "127.0.0.1:1");
	expect(conf, "group.id", "g");
	expect(conf, "group.instance.id", "me");
	expect(conf, "enable.auto.commit", "false");
	expect(conf, "enable.auto.offset.store", "false");
	expect(conf, "auto.offset.reset", "error");
	expect(conf, "isolation.level", "read_committed");
	expect(conf, "check.crcs", "true");
	expect(conf, "allow.auto.create.topics", "false");
	expect(conf, "partition.assignment.strategy", "range");
	rd_kafka_conf_destroy(conf);
}

static void
defaults_suit_a_projector_and_can_be_changed(void **state)
{
	static const char *const mine[] = {"fetch.wait.max.ms", "250",
					   "session.timeout.ms", "30000", NULL};
	struct source_settings set = settings(NULL);
	rd_kafka_conf_t *conf;
	struct pj_error err;

	(void)state;
	assert_int_equal(kafka_conf(&set, SOURCE_SHARE, NULL, &conf, &err), 0);
	expect(conf, "queued.min.messages", "1000000");
	expect(conf, "queued.max.messages.kbytes", "262144");
	expect(conf, "fetch.wait.max.ms", "10");
	rd_kafka_conf_destroy(conf);
	set = settings(mine);
	assert_int_equal(kafka_conf(&set, SOURCE_SHARE, NULL, &conf, &err), 0);
	expect(conf, "fetch.wait.max.ms", "250");
	expect(conf, "session.timeout.ms", "30000");
	rd_kafka_conf_destroy(conf);
}

static void
a_protected_property_is_refused_by_name_and_reason(void **state)
{
	static const char *const names[] = {
		"bootstrap.servers",
		"metadata.broker.list",
		"group.id",
		"group.instance.id",
		"enable.auto.commit",
		"enable.auto.offset.store",
		"auto.offset.reset",
		"isolation.level",
		"check.crcs",
		"allow.auto.create.topics",
		"enable.partition.eof",
		"partition.assignment.strategy",
		"group.protocol",
		"client.rack",
		"log.queue",
		"auto.commit.enable",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *const pair[] = {names[i], "x", NULL};
		struct source_settings set = settings(pair);
		rd_kafka_conf_t *conf = NULL;
		struct pj_error err = {0};

		assert_int_equal(
			kafka_conf(&set, SOURCE_SHARE, NULL, &conf, &err), -1);
		assert_null(conf);
		assert_int_equal(err.cls, PJ_ERROR_CONFIG);
		assert_non_null(strstr(err.text, names[i]));
		assert_non_null(strstr(err.text, kafka_protected(names[i])));
	}
	assert_null(kafka_protected("sasl.password"));
}

static void
an_unknown_property_is_named(void **state)
{
	static const char *const pair[] = {"fetch.wiat.max.ms", "1", NULL};
	struct source_settings set = settings(pair);
	rd_kafka_conf_t *conf;
	struct pj_error err = {0};

	(void)state;
	assert_int_equal(kafka_conf(&set, SOURCE_SHARE, NULL, &conf, &err), -1);
	assert_int_equal(err.cls, PJ_ERROR_CONFIG);
	assert_non_null(strstr(err.text, "'fetch.wiat.max.ms'"));
}

static void
a_bad_value_is_told_and_so_is_a_callback_as_text(void **state)
{
	static const char *const bad[] = {"session.timeout.ms", "soon", NULL};
	static const char *const callback[] = {"rebalance_cb", "x", NULL};
	struct source_settings set = settings(bad);
	rd_kafka_conf_t *conf;
	struct pj_error err = {0};

	(void)state;
	assert_int_equal(kafka_conf(&set, SOURCE_SHARE, NULL, &conf, &err), -1);
	assert_int_equal(err.cls, PJ_ERROR_CONFIG);
	assert_non_null(strstr(err.text, "session.timeout.ms"));
	set = settings(callback);
	assert_int_equal(kafka_conf(&set, SOURCE_SHARE, NULL, &conf, &err), -1);
	assert_int_equal(err.cls, PJ_ERROR_CONFIG);
}

static void
missing_brokers_and_group_are_told(void **state)
{
	struct source_settings set = settings(NULL);
	rd_kafka_conf_t *conf;
	struct pj_error err = {0};

	(void)state;
	set.brokers = "";
	assert_int_equal(kafka_conf(&set, SOURCE_SHARE, NULL, &conf, &err), -1);
	assert_string_equal(err.text, "source.brokers is empty");
	set = settings(NULL);
	set.group = NULL;
	assert_int_equal(kafka_conf(&set, SOURCE_SHARE, NULL, &conf, &err), -1);
	assert_string_equal(err.text, "source.group is empty");
}

/* ---- Instance ids ------------------------------------------------------ */

static char *
take_id(const char *group, int *ret_fd)
{
	char *id = NULL;
	struct pj_error err = {0};

	if (kafka_instance_id(group, &id, ret_fd, &err))
		fail_msg("%s", err.text);
	return id;
}

static int
own_runtime_dir(void **state)
{
	static char dir[] = "/tmp/shopview-conf-XXXXXX";

	(void)state;
	return mkdtemp(dir) ? setenv("XDG_RUNTIME_DIR", dir, 1) : -1;
}

static int
drop_runtime_dir(void **state)
{
	const char *dir = getenv("XDG_RUNTIME_DIR");
	char command[200];

	(void)state;
	(void)snprintf(command, sizeof(command), "rm -r '%s'", dir);
	return system(command);
}

static void
instance_ids_differ_while_held_and_come_back_when_free(void **state)
{
	int fd[3];
	char *id[3];

	(void)state;
	id[0] = take_id("shop", &fd[0]);
	id[1] = take_id("shop", &fd[1]);
	assert_string_not_equal(id[0], id[1]);
	assert_int_equal(strncmp(id[0], "shop-", 5), 0);
	(void)close(fd[0]);
	id[2] = take_id("shop", &fd[2]);
	assert_string_equal(id[2], id[0]);
	(void)close(fd[1]);
	(void)close(fd[2]);
	free(id[0]);
	free(id[1]);
	free(id[2]);
}

static void
another_process_gets_another_instance_id(void **state)
{
	int fd, there[2], status;
	char *id = take_id("shop", &fd), other[200] = "";
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(there), 0);
	pid = fork();
	if (pid == 0) {
		char *mine = NULL;
		struct pj_error err;
		int mine_fd;

		if (kafka_instance_id("shop", &mine, &mine_fd, &err) ||
		    write(there[1], mine, strlen(mine)) < 0)
			_exit(1);
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_true(read(there[0], other, sizeof(other) - 1) > 0);
	assert_string_not_equal(id, other);
	(void)close(there[0]);
	(void)close(there[1]);
	(void)close(fd);
	free(id);
}

static void
an_instance_id_has_kafkas_alphabet_whatever_the_group(void **state)
{
	int fd;
	char *id = take_id("../a b/ü", &fd);
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz"
				       "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "0123456789._-";

	(void)state;
	assert_int_equal(id[strspn(id, alphabet)], '\0');
	assert_int_equal(strncmp(id, ".._a_b_", 7), 0);
	(void)close(fd);
	free(id);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_protocol_depends_on_is_set),
		cmocka_unit_test(a_second_reader_reads_less_ahead),
		cmocka_unit_test(defaults_suit_a_projector_and_can_be_changed),
		cmocka_unit_test(
			a_protected_property_is_refused_by_name_and_reason),
		cmocka_unit_test(an_unknown_property_is_named),
		cmocka_unit_test(
			a_bad_value_is_told_and_so_is_a_callback_as_text),
		cmocka_unit_test(missing_brokers_and_group_are_told),
		cmocka_unit_test(
			instance_ids_differ_while_held_and_come_back_when_free),
		cmocka_unit_test(another_process_gets_another_instance_id),
		cmocka_unit_test(
			an_instance_id_has_kafkas_alphabet_whatever_the_group),
	};

	return cmocka_run_group_tests(tests, own_runtime_dir, drop_runtime_dir);
}
