/* SPDX-License-Identifier: Apache-2.0 */
/* What the projector says of itself, and the listener that says it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <jansson.h>

#include "lib/clock.h"
#include "lib/mem.h"
#include "projector/admin.h"
#include "projector/figures.h"
#include "projector/source_impl.h"

const struct pj_projection *
pj_projection_stock(void);
const struct pj_projection *
pj_projection_shop(void);

/* ---- A core on a log that never writes ---------------------------------- */

enum { PARTS = 3 };

struct fake_source {
	struct source base;
	int asked[PARTS];
	int sleep_ms;
	bool away;
	int64_t low, high;
};

struct bench {
	struct fake_source source;
	struct module *modules[2];
	struct lanes lanes;
	struct partition parts[PARTS];
	struct decode_topic topic;
	struct core *core;
	struct meter *met;
};

static int
fake_watermarks(struct source *src, const struct partition *part,
		int timeout_ms, int64_t *ret_low, int64_t *ret_high,
		struct pj_error *err)
{
	struct fake_source *fake = (struct fake_source *)src;

	assert_in_range(timeout_ms, 1, 50);
	fake->asked[part->number]++;
	if (fake->sleep_ms)
		clock_sleep_ms(fake->sleep_ms);
	if (fake->away)
		return pj_error_set(err, PJ_ERROR_RETRY, "away");
	*ret_low = fake->low;
	*ret_high = fake->high;
	return 0;
}

static const struct source_ops fake_ops = {.watermarks = fake_watermarks};

static void
bench_open(struct bench *b, int64_t low, int64_t high)
{
	struct core_settings set = {
		.batch = {.max_documents = 100,
			  .max_bytes = 1 << 20,
			  .max_load = 100,
			  .token_random = 1},
		.memory_bytes = 1 << 20,
		.max_apply_jobs = 1,
		.max_load_jobs = 1,
		.topics = &b->topic,
		.n_topics = 1,
	};
	static const struct core_hooks nobody;
	const struct pj_projection *descs[2];
	struct pj_error err;

	memset(b, 0, sizeof(*b));
	descs[0] = pj_projection_shop(); /* does not read stock */
	descs[1] = pj_projection_stock();
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(module_adopt(descs[i], descs[i]->name,
					      "linked", NULL, &b->modules[i],
					      &err),
				 0);
		b->lanes.lane[i].mod = b->modules[i];
		b->lanes.lane[i].number = 3;
		b->lanes.lane[i].index = i;
	}
	b->lanes.n = 2;
	b->source.base.ops = &fake_ops;
	b->source.low = low;
	b->source.high = high;
	b->topic.topic = descs[1]->reads[0].topic;
	b->core = core_new(&b->lanes, &set, &nobody);
	b->met = meter_new(&b->lanes, &b->source.base);
}

/* The stock lane starts each partition where its claim says. */
static void
bench_assign_at(struct bench *b, size_t n, int64_t start, int64_t epoch)
{
	struct store_checkpoint starts[LANES_MAX];

	for (size_t i = 0; i < LANES_MAX; i++)
		starts[i] = (struct store_checkpoint){
			.next = start, .epoch = epoch, .anchor_offset = -1};
	for (size_t i = 0; i < n; i++) {
		struct partition *part = &b->parts[i];

		(void)snprintf(part->topic, sizeof(part->topic), "stock");
		part->number = (int32_t)i;
		part->end_seen = -1;
		(void)core_assign(b->core, part, starts, NULL);
	}
}

static void
bench_assign(struct bench *b, size_t n, int64_t start)
{
	bench_assign_at(b, n, start, 1);
}

static void
free_record(struct record *rec)
{
	free(rec);
}

/* A record of no type that anybody reads: durable as soon as it was fed. */
static void
bench_feed(struct bench *b, int64_t offset, int64_t timestamp_ms)
{
	static const char value[] = "{\"eventType\":\"Other\",\"data\":{}}";
	struct record *rec = mem_calloc(1, sizeof(*rec));

	rec->partition = &b->parts[0];
	rec->offset = offset;
	rec->timestamp_ms = timestamp_ms;
	rec->value = PJ_STR(value);
	rec->key = PJ_STR("k");
	rec->release = free_record;
	core_feed(b->core, rec, clock_mono_ms(), clock_wall_ms());
}

static void
bench_close(struct bench *b)
{
	meter_free(b->met);
	core_drop(b->core);
	core_free(b->core);
	for (unsigned i = 0; i < 2; i++)
		module_free(b->modules[i]);
}

static void
lag_is_what_lies_between_stored_position_and_end(void **state)
{
	struct bench b;
	struct figures *fig;

	(void)state;
	bench_open(&b, 0, 100);
	bench_assign(&b, 1, 40);
	fig = meter_read(b.met, b.core);
	assert_int_equal(fig->n_parts, 1);
	assert_int_equal(fig->parts[0].position, 40);
	assert_int_equal(fig->parts[0].end, 100);
	/* shop does not read the topic. */
	assert_int_equal(fig->n_lags, 1);
	assert_int_equal(fig->lags[0].lane, 1);
	assert_int_equal(fig->lags[0].position, 40);
	assert_int_equal(fig->lags[0].events, 60);
	assert_int_equal(fig->lags[0].ms, -1);
	figures_free(fig);

	/* Durable, but the lane's checkpoint is not stored yet. */
	bench_feed(&b, 40, clock_wall_ms() - 7000);
	fig = meter_read(b.met, b.core);
	assert_int_equal(fig->counts.consumed, 1);
	assert_int_equal(fig->parts[0].position, 41);
	assert_int_equal(fig->lags[0].position, 40);
	assert_int_equal(fig->lags[0].events, 60);
	assert_in_range(fig->lags[0].ms, 7000, 60000);
	figures_free(fig);
	bench_close(&b);
}

static void
without_a_checkpoint_a_lane_is_at_the_start_of_the_log(void **state)
{
	struct bench b;
	struct figures *fig;

	(void)state;
	bench_open(&b, 10, 100);
	bench_assign(&b, 1, -1);
	fig = meter_read(b.met, b.core);
	assert_int_equal(fig->parts[0].position, 10);
	assert_int_equal(fig->lags[0].events, 90);
	figures_free(fig);
	bench_close(&b);
}

/* What pipeline_forget_claim() leaves of it. */
static void
the_lag_of_a_lane_that_was_let_go_of_is_unknown(void **state)
{
	struct bench b;
	struct figures *fig;
	struct figures_now now = {.mono_ms = 1};
	struct buf text = BUF_INIT, json = BUF_INIT;

	(void)state;
	bench_open(&b, 10, 100);
	b.lanes.lane[1].let_go = true;
	bench_assign_at(&b, 1, -1, 0);
	fig = meter_read(b.met, b.core);
	fig->reading = true;
	assert_int_equal(fig->parts[0].end, 100);
	assert_int_equal(fig->n_lags, 1);
	assert_int_equal(fig->lags[0].position, -1);
	assert_int_equal(fig->lags[0].events, -1);
	assert_int_equal(fig->lags[0].ms, -1);
	figures_metrics(fig, &now, &text);
	assert_null(strstr(text.data, "\nshopview_projector_lag_events{"));
	figures_json(fig, &now, &json);
	assert_non_null(strstr(json.data,
			       "{\"projection\":\"stock\",\"position\":null,"
			       "\"lag\":null,\"lag_ms\":null}"));
	buf_release(&text);
	buf_release(&json);
	figures_free(fig);
	bench_close(&b);
}

static void
the_end_is_the_newest_anything_says(void **state)
{
	struct bench b;
	struct figures *fig;

	(void)state;
	bench_open(&b, 0, 100);
	bench_assign(&b, 1, 40);
	b.parts[0].end_seen = 120;
	fig = meter_read(b.met, b.core);
	assert_int_equal(fig->parts[0].end, 120);
	figures_free(fig);
	bench_feed(&b, 199, 0);
	fig = meter_read(b.met, b.core);
	assert_int_equal(fig->parts[0].end, 200);
	assert_int_equal(fig->parts[0].position, 200);
	figures_free(fig);
	bench_close(&b);
}

static void
a_log_that_never_answered_leaves_the_lag_unknown(void **state)
{
	struct bench b;
	struct figures *fig;
	struct figures_now now = {.mono_ms = 1};
	struct buf text = BUF_INIT, json = BUF_INIT;

	(void)state;
	bench_open(&b, 0, 100);
	b.source.away = true;
	bench_assign(&b, 1, 40);
	fig = meter_read(b.met, b.core);
	assert_int_equal(fig->parts[0].end, -1);
	assert_int_equal(fig->lags[0].events, -1);
	figures_metrics(fig, &now, &text);
	assert_non_null(strstr(text.data, "\nshopview_projector_partition_"
					  "position{topic=\"stock\","
					  "partition=\"0\"} 40\n"));
	assert_null(strstr(text.data, "\nshopview_projector_lag_events{"));
	assert_null(strstr(text.data, "\nshopview_projector_lag_seconds{"));
	assert_null(strstr(text.data, "\nshopview_projector_partition_end{"));
	figures_json(fig, &now, &json);
	assert_non_null(strstr(json.data, "\"position\":40,\"end\":null,"));
	assert_non_null(strstr(json.data, "\"lag\":null,\"lag_ms\":null}"));
	buf_release(&text);
	buf_release(&json);
	figures_free(fig);
	bench_close(&b);
}

static void
each_partition_is_asked_once_in_five_seconds(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b, 0, 100);
	bench_assign(&b, PARTS, 40);
	for (int i = 0; i < 5; i++)
		figures_free(meter_read(b.met, b.core));
	for (int p = 0; p < PARTS; p++)
		assert_int_equal(b.source.asked[p], 1);
	bench_close(&b);
}

static void
a_slow_log_is_asked_one_partition_per_reading(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b, 0, 100);
	b.source.sleep_ms = 60;
	bench_assign(&b, PARTS, 40);
	for (int i = 0; i < PARTS; i++) {
		int asked = 0;

		figures_free(meter_read(b.met, b.core));
		for (int p = 0; p < PARTS; p++)
			asked += b.source.asked[p];
		assert_int_equal(asked, i + 1);
	}
	for (int p = 0; p < PARTS; p++)
		assert_int_equal(b.source.asked[p], 1);
	bench_close(&b);
}

/* ---- Texts ----------------------------------------------------------------
 */

static struct figures *
odd_figures(const char *topic)
{
	struct figures *fig = figures_new();

	fig->taken_mono_ms = clock_mono_ms();
	fig->reading = true;
	fig->lanes = mem_calloc(1, sizeof(*fig->lanes));
	fig->n_lanes = 1;
	strcpy(fig->lanes[0].projection, "stock");
	fig->parts = mem_calloc(1, sizeof(*fig->parts));
	fig->n_parts = 1;
	(void)snprintf(fig->parts[0].topic, sizeof(fig->parts[0].topic), "%s",
		       topic);
	fig->parts[0].position = 1;
	fig->parts[0].end = INT64_MAX;
	fig->lags = mem_calloc(1, sizeof(*fig->lags));
	fig->n_lags = 1;
	fig->lags[0] = (struct figures_lag){.position = 1, .ms = 1005};
	return fig;
}

static void
label_values_are_escaped(void **state)
{
	struct figures *fig = odd_figures("a\"b\\c\nd");
	struct figures_now now = {.mono_ms = clock_mono_ms()};
	struct buf text = BUF_INIT;

	(void)state;
	figures_metrics(fig, &now, &text);
	assert_non_null(strstr(text.data,
			       "\nshopview_projector_lag_seconds{"
			       "projection=\"stock\",topic="
			       "\"a\\\"b\\\\c\\nd\",partition=\"0\"} 1.005\n"));
	buf_release(&text);
	figures_free(fig);
}

static void
the_json_is_json(void **state)
{
	struct figures *empty = figures_new();
	struct figures *odd = odd_figures("a\"b\\c\nd");
	const struct figures *both[] = {empty, odd};
	struct figures_now now = {.mono_ms = 7, .unready = "say \"why\""};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct buf text = BUF_INIT;
		json_t *root;

		figures_json(both[i], &now, &text);
		root = json_loads(text.data, JSON_REJECT_DUPLICATES, NULL);
		assert_non_null(root);
		assert_string_equal(
			json_string_value(json_object_get(root, "reason")),
			"say \"why\"");
		assert_int_equal(
			json_array_size(json_object_get(root, "partitions")),
			i);
		json_decref(root);
		buf_release(&text);
	}
	figures_free(empty);
	figures_free(odd);
}

/* ---- The listener ----------------------------------------------------------
 */

/* The status of GET path. */
static int
get(const char *address, const char *path)
{
	struct sockaddr_in to = {.sin_family = AF_INET};
	struct timeval patience = {.tv_sec = 20};
	char text[4096];
	int fd = socket(AF_INET, SOCK_STREAM, 0), status = 0;
	int len = snprintf(text, sizeof(text),
			   "GET %s HTTP/1.1\r\nHost: a\r\n"
			   "Connection: close\r\n\r\n",
			   path);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	to.sin_port =
		htons((uint16_t)strtoul(strrchr(address, ':') + 1, NULL, 10));
	assert_true(fd >= 0);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
			 sizeof(patience));
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(write(fd, text, (size_t)len), len);
	assert_int_equal(recv(fd, text, 12, MSG_WAITALL), 12);
	text[12] = '\0';
	assert_int_equal(sscanf(text, "HTTP/1.1 %d", &status), 1);
	(void)close(fd);
	return status;
}

static void
publish(struct admin *adm, int64_t age_ms, bool reading)
{
	struct figures *fig = odd_figures("stock");

	fig->taken_mono_ms -= age_ms;
	fig->reading = reading;
	admin_publish_take(adm, fig);
}

static void
health_is_judged_by_the_last_tick(void **state)
{
	struct admin *adm;
	struct pj_error err;
	char address[ADMIN_ADDRESS_MAX];

	(void)state;
	assert_int_equal(admin_open("127.0.0.1:0", &adm, address, &err), 0);
	assert_int_equal(get(address, "/livez"), 200);
	assert_int_equal(get(address, "/readyz"), 503);
	assert_int_equal(get(address, "/metrics"), 200);
	publish(adm, 0, false);
	assert_int_equal(get(address, "/readyz"), 503);
	publish(adm, 0, true);
	assert_int_equal(get(address, "/readyz"), 200);
	publish(adm, 6000, true);
	assert_int_equal(get(address, "/livez"), 200);
	assert_int_equal(get(address, "/readyz"), 503);
	publish(adm, 31000, true);
	assert_int_equal(get(address, "/livez"), 503);
	assert_int_equal(get(address, "/readyz"), 503);
	publish(adm, 0, true);
	assert_int_equal(get(address, "/livez"), 200);
	admin_close(adm);
}

static void
figures_may_change_while_they_are_read(void **state)
{
	struct admin *adm;
	struct pj_error err;
	char address[ADMIN_ADDRESS_MAX];

	(void)state;
	assert_int_equal(admin_open("127.0.0.1:0", &adm, address, &err), 0);
	for (int i = 0; i < 50; i++) {
		publish(adm, 0, true);
		publish(adm, 0, true);
		assert_int_equal(get(address, i % 2 ? "/metrics" : "/status"),
				 200);
		publish(adm, 0, true);
	}
	admin_close(adm);
}

static void
an_address_that_cannot_be_had_is_an_error_that_names_it(void **state)
{
	static const char *const bad[] = {"192.0.2.1:1", "127.0.0.1:65536",
					  "127.0.0.1", "no such host:80"};
	struct admin *adm = NULL;
	char address[ADMIN_ADDRESS_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct pj_error err = {.cls = PJ_ERROR_NONE};

		assert_int_equal(admin_open(bad[i], &adm, address, &err), -1);
		assert_int_equal(err.cls, PJ_ERROR_RETRY);
		assert_non_null(strstr(err.text, bad[i]));
		assert_null(adm);
	}
}

/* Two projections on two partitions; of them, one reader says this. */
static struct figures *
half(const bool elsewhere[2], size_t lane, int64_t lag)
{
	struct figures *fig = figures_new();

	fig->n_lanes = fig->n_parts = 2;
	fig->lanes = mem_calloc(2, sizeof(*fig->lanes));
	fig->parts = mem_calloc(2, sizeof(*fig->parts));
	fig->lags = mem_calloc(2, sizeof(*fig->lags));
	for (size_t i = 0; i < 2; i++) {
		fig->lanes[i].elsewhere = elsewhere[i];
		fig->lanes[i].applied = elsewhere[i] ? 0 : (uint64_t)lag;
		strcpy(fig->parts[i].topic, "stock");
		/* Each reader has its own order. */
		fig->parts[i].number = (int32_t)(lane ? 1 - i : i);
		fig->lags[fig->n_lags++] = (struct figures_lag){
			.lane = lane, .part = i, .events = lag + (int64_t)i};
	}
	fig->counts.consumed = 10;
	fig->held_records = 3;
	return fig;
}

static void
what_two_readers_say_is_put_together(void **state)
{
	struct figures *fig = half((bool[]){false, true}, 0, 100);
	struct figures *second = half((bool[]){true, false}, 1, 500);
	static const int64_t lags[2][2] = {{100, 501}, {101, 500}};

	(void)state;
	figures_merge(fig, second);
	assert_int_equal(fig->lanes[0].applied, 100);
	assert_int_equal(fig->lanes[1].applied, 500);
	assert_int_equal(fig->n_lags, 4);
	/* By partition, then lane. */
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(fig->lags[i].part, i / 2);
		assert_int_equal(fig->lags[i].lane, i % 2);
		assert_int_equal(fig->lags[i].events, lags[i / 2][i % 2]);
	}
	assert_int_equal(fig->counts.consumed, 20);
	assert_int_equal(fig->held_records, 6);
	figures_free(fig);
	figures_free(second);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_two_readers_say_is_put_together),
		cmocka_unit_test(
			lag_is_what_lies_between_stored_position_and_end),
		cmocka_unit_test(
			without_a_checkpoint_a_lane_is_at_the_start_of_the_log),
		cmocka_unit_test(
			the_lag_of_a_lane_that_was_let_go_of_is_unknown),
		cmocka_unit_test(the_end_is_the_newest_anything_says),
		cmocka_unit_test(
			a_log_that_never_answered_leaves_the_lag_unknown),
		cmocka_unit_test(each_partition_is_asked_once_in_five_seconds),
		cmocka_unit_test(a_slow_log_is_asked_one_partition_per_reading),
		cmocka_unit_test(label_values_are_escaped),
		cmocka_unit_test(the_json_is_json),
		cmocka_unit_test(health_is_judged_by_the_last_tick),
		cmocka_unit_test(figures_may_change_while_they_are_read),
		cmocka_unit_test(
			an_address_that_cannot_be_had_is_an_error_that_names_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
