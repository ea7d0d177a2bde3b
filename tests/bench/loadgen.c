/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loadgen HOST:PORT --keys FILE [options]: load on one HTTP server, and one
 * JSON object about how it answered (times in microseconds). load.h says what
 * is measured; docs/benchmarks.md how it is used.
 *
 * Exit status: 0 when every request was answered, whatever the status; 1 when
 * one was not, or not in proper HTTP; 64 usage.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/load.h"

static const char usage_text[] =
	"usage: loadgen HOST:PORT --keys FILE\n"
	"  --target /v1/shop/{}  {} is the key\n"
	"  --first N             only the file's first N keys\n"
	"  --choice zipf|uniform|sequence  (zipf)\n"
	"  --exponent 0.99       of zipf\n"
	"  --seed 1\n"
	"  --connections 64\n"
	"  --rate N              requests per second; 0: as fast as it "
	"answers\n"
	"  --seconds 5\n"
	"  --requests N          not more than this\n"
	"  --conditional PERCENT send If-None-Match, once a tag was seen\n"
	"  --batch N             N keys per request, with commas\n"
	"  --browser 1           a browser's header lines\n";

struct options {
	char host[64];
	const char *keys;
	double first, exponent, seed, connections, rate, seconds, requests,
		conditional, batch, browser;
	const char *choice, *target;
};

static int
usage(const char *what)
{
	fprintf(stderr, "loadgen: %s\n%s", what, usage_text);
	return 64;
}

/* A number of [min, max]. */
static int
read_number(const char *text, double min, double max, double *ret_number)
{
	char *end;
	double n = strtod(text, &end);

	if (end == text || *end || !(n >= min && n <= max))
		return -1;
	*ret_number = n;
	return 0;
}

static int
read_option(struct options *opt, const char *name, const char *value)
{
	const struct {
		const char *name, **text;
		double *number, min, max;
	} table[] = {
		{"--keys", &opt->keys, NULL, 0, 0},
		{"--choice", &opt->choice, NULL, 0, 0},
		{"--target", &opt->target, NULL, 0, 0},
		{"--first", NULL, &opt->first, 0, 1e9},
		{"--exponent", NULL, &opt->exponent, 0, 10},
		{"--seed", NULL, &opt->seed, 0, 1e15},
		{"--connections", NULL, &opt->connections, 1, 60000},
		{"--rate", NULL, &opt->rate, 0, 1e7},
		{"--seconds", NULL, &opt->seconds, 0.01, 3600},
		{"--requests", NULL, &opt->requests, 0, 1e12},
		{"--conditional", NULL, &opt->conditional, 0, 100},
		{"--batch", NULL, &opt->batch, 1, LOAD_BATCH_MAX},
		{"--browser", NULL, &opt->browser, 0, 1},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (strcmp(table[i].name, name) != 0)
			continue;
		if (table[i].number)
			return read_number(value, table[i].min, table[i].max,
					   table[i].number);
		*table[i].text = value;
		return 0;
	}
	return -1;
}

static int
read_kind(const char *text, enum choice_kind *ret_kind)
{
	static const char *const names[] = {
		[CHOICE_UNIFORM] = "uniform",
		[CHOICE_ZIPF] = "zipf",
		[CHOICE_SEQUENCE] = "sequence",
	};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], text) == 0) {
			*ret_kind = (enum choice_kind)i;
			return 0;
		}
	return -1;
}

static void
print_latency(const char *name, const struct histogram *h)
{
	static const struct {
		const char *name;
		double share;
	} rows[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}};

	printf("\"%s\":{", name);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		printf("\"%s\":%.1f,", rows[i].name,
		       (double)histogram_at(h, rows[i].share) / 1000);
	printf("\"max\":%.1f,\"mean\":%.1f},", (double)h->max / 1000,
	       h->n ? h->sum / (double)h->n / 1000 : 0);
}

static void
print_share(const struct histogram *h)
{
	/* Nagle and a delayed acknowledgement that wait for each other. */
	printf("\"share_35_50_ms\":%.6f}\n",
	       h->n ? (double)histogram_within(h, 35000000, 50000000) /
			       (double)h->n
		    : 0);
}

static void
print_result(const struct load_result *res)
{
	const char *comma = "";

	printf("{\"seconds\":%.3f,\"sent\":%" PRIu64 ",\"answered\":%" PRIu64
	       ",\"per_second\":%.1f,\"status\":{",
	       res->seconds, res->sent, res->answered,
	       res->seconds > 0 ? (double)res->answered / res->seconds : 0);
	for (unsigned i = 0; i < 1000; i++)
		if (res->by_status[i] > 0) {
			printf("%s\"%u\":%" PRIu64, comma, i,
			       res->by_status[i]);
			comma = ",";
		}
	printf("},\"conditional\":%" PRIu64 ",\"body_bytes\":%" PRIu64
	       ",\"head_bytes\":%" PRIu64 ",\"hung_up\":%" PRIu64
	       ",\"malformed\":%" PRIu64 ",\"unanswered\":%" PRIu64
	       ",\"reconnects\":%" PRIu64 ",\"first_fault\":\"%s\",",
	       res->conditional, res->body_bytes, res->head_bytes, res->hung_up,
	       res->malformed, res->unanswered, res->reconnects,
	       res->first_fault);
	print_latency("latency_us", &res->latency_ns);
	print_latency("given_us", &res->given_ns);
	print_share(&res->latency_ns);
}

static int
run(const struct options *opt, const struct load_settings *set,
    enum choice_kind kind)
{
	static struct load_result res;
	struct choice choice;
	struct keys keys;

	keys_read(&keys, opt->keys, (size_t)opt->first);
	choice_init(&choice, kind, keys.n, opt->exponent, (uint64_t)opt->seed);
	load_run(set, &keys, &choice, &res);
	print_result(&res);
	choice_release(&choice);
	keys_release(&keys);
	return res.answered == res.sent ? 0 : 1;
}

int
main(int argc, char **argv)
{
	struct options opt = {.target = "/v1/shop/{}",
			      .choice = "zipf",
			      .exponent = 0.99,
			      .seed = 1,
			      .connections = 64,
			      .seconds = 5,
			      .batch = 1};
	struct load_settings set = {0};
	enum choice_kind kind;
	const char *colon;
	double port;

	if (argc < 4 || argc % 2 != 0)
		return usage("an address and pairs of options are wanted");
	for (int i = 2; i < argc; i += 2)
		if (read_option(&opt, argv[i], argv[i + 1]) < 0)
			return usage(argv[i]);
	colon = strrchr(argv[1], ':');
	if (!colon || (size_t)(colon - argv[1]) >= sizeof(opt.host) ||
	    read_number(colon + 1, 1, 65535, &port) < 0)
		return usage(argv[1]);
	if (!opt.keys || read_kind(opt.choice, &kind) < 0)
		return usage("--keys is missing, or --choice unknown");
	memcpy(opt.host, argv[1], (size_t)(colon - argv[1]));
	set = (struct load_settings){
		.host = opt.host,
		.port = (unsigned)port,
		.target = opt.target,
		.batch = (unsigned)opt.batch,
		.conditional = (unsigned)opt.conditional,
		.browser = opt.browser > 0,
		.connections = (unsigned)opt.connections,
		.rate = opt.rate,
		.seconds = opt.seconds,
		.requests = (uint64_t)opt.requests,
	};
	return run(&opt, &set, kind);
}
