/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of settings: what a key is called, means, may be, and where it
 * lives. Parsing, checking, printing and docs/configuration.md follow from it.
 */
#include "lib/settings_table.h"

#include <assert.h>
#include <stddef.h>

/* Enums are filled through the index of their choices. */
static_assert(sizeof(enum store_type) == sizeof(unsigned), "enum size");
static_assert(sizeof(enum log_level) == sizeof(unsigned), "enum size");
static_assert(sizeof(enum log_format) == sizeof(unsigned), "enum size");
static_assert(STORE_LMDB == 0 && STORE_MONGODB == 1, "store_types");
static_assert(LOG_DEBUG == 0 && LOG_ERROR == 3, "log_levels");
static_assert(LOG_LOGFMT == 0 && LOG_JSON == 1, "log_formats");
/* Titled sections begin with their name. */
static_assert(offsetof(struct settings_topic, name) == 0, "name first");
static_assert(offsetof(struct settings_projection, name) == 0, "name first");
static_assert(offsetof(struct settings_token, name) == 0, "name first");

static const char *const source_types[] = {"archive", "kafka", NULL};
static const char *const lost_anchors[] = {"stop", "accept", NULL};
static const char *const store_types[] = {"lmdb", "mongodb", NULL};
static const char *const formats[] = {"envelope", NULL};
static const char *const log_levels[] = {"debug", "info", "warn", "error",
					 NULL};
static const char *const log_formats[] = {"logfmt", "json", NULL};

/* clang-format off */
#define AT(field) .offset = offsetof(struct settings, field)
#define NUMBER(field) AT(field), .width = sizeof(((struct settings *)0)->field)

#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)

static const struct config_key source_keys[] = {
	{.name = "type", .type = CONFIG_CHOICE, .def = "archive",
	 .choices = source_types, AT(source.type),
	 .text = "Where events come from: files, or a Kafka cluster."},
	{.name = "dir", .type = CONFIG_TEXT, .def = "./data/events",
	 .flags = CONFIG_REQUIRED, AT(source.dir),
	 .text = "archive: the directory of TOPIC/PARTITION.ndjson files."},
	{.name = "brokers", .type = CONFIG_TEXT, .def = "127.0.0.1:9092",
	 .flags = CONFIG_REQUIRED, AT(source.brokers),
	 .text = "kafka: host:port of some brokers, separated by commas."},
	{.name = "group", .type = CONFIG_TEXT, .def = "shopview",
	 .flags = CONFIG_REQUIRED, AT(source.group),
	 .text = "kafka: the consumer group that processes share."},
	{.name = "instance_id", .type = CONFIG_TEXT, .flags = CONFIG_UNSET,
	 AT(source.instance_id),
	 .text = "kafka: group.instance.id; empty: made up from group, host "
		 "and a free slot."},
	{.name = "topic_prefix", .type = CONFIG_TEXT, AT(source.topic_prefix),
	 .text = "kafka: put before every topic name."},
	{.name = "lost_anchor", .type = CONFIG_CHOICE, .def = "stop",
	 .choices = lost_anchors, AT(source.lost_anchor),
	 .text = "What to do when retention has removed the record that was "
		 "applied last, and nothing behind it: stop, since nobody can "
		 "tell whether the topic is still the same, or accept that it "
		 "is."},
	{.name = "transaction_warn_ms", .type = CONFIG_MS, .def = "2m",
	 .max = 86400000, NUMBER(source.transaction_warn_ms),
	 .text = "kafka: how long an open transaction may hold a partition's "
		 "records back before that is logged; 0: never."},
	{.name = "rdkafka", .type = CONFIG_PAIRS, .flags = CONFIG_SECRET,
	 AT(source.properties),
	 .counter = offsetof(struct settings, source.n_properties),
	 .text = "kafka: librdkafka properties passed through, as "
		 "\"name=value\"; those that delivery depends on are "
		 "refused."},
	{.name = NULL},
};

static const struct config_key store_keys[] = {
	{.name = "type", .type = CONFIG_ENUM, .def = "lmdb",
	 .choices = store_types, AT(store.type),
	 .text = "Where documents are kept: one file that both programs "
		 "share, or a MongoDB replica set."},
	{.name = "uri", .type = CONFIG_TEXT,
	 .def = "mongodb://127.0.0.1:27017/?replicaSet=rs0",
	 .flags = CONFIG_REQUIRED | CONFIG_SECRET, AT(store.uri),
	 .text = "mongodb: connection string with options; those that "
		 "delivery depends on are refused."},
	{.name = "database", .type = CONFIG_TEXT, .def = "shopview",
	 .flags = CONFIG_REQUIRED, AT(store.database),
	 .text = "mongodb: the database's name."},
	{.name = "allow_standalone", .type = CONFIG_BOOL, .def = "false",
	 AT(store.allow_standalone),
	 .text = "mongodb: accept a server without a replica set (no "
		 "failover, no change streams); for development."},
	{.name = "path", .type = CONFIG_TEXT, .def = "./data/store",
	 .flags = CONFIG_REQUIRED, AT(store.path),
	 .text = "lmdb: the store's directory, made when absent."},
	{.name = "map_bytes", .type = CONFIG_BYTES, .def = "16g",
	 .min = MIB, .max = 16384 * GIB, NUMBER(store.map_bytes),
	 .text = "lmdb: the map's first size, doubled whenever it is full; "
		 "address space, not disk, until used."},
	{.name = NULL},
};

static const struct config_key topic_keys[] = {
	{.name = "format", .type = CONFIG_CHOICE, .def = "envelope",
	 .choices = formats, .offset = offsetof(struct settings_topic, format),
	 .text = "How its records are written."},
	{.name = "zone", .type = CONFIG_TEXT, .def = "Asia/Seoul",
	 .flags = CONFIG_REQUIRED,
	 .offset = offsetof(struct settings_topic, zone),
	 .text = "Time zone of its local times: a tz database name, UTC, or "
		 "a fixed offset such as \"+09:00\"."},
	{.name = "partitions", .type = CONFIG_COUNT, .def = "0",
	 .min = 0, .max = 1000000,
	 .offset = offsetof(struct settings_topic, partitions),
	 .width = sizeof(((struct settings_topic *)0)->partitions),
	 .text = "Accepts that it has this many partitions now, after it "
		 "was stopped because their number changed; 0: as many as "
		 "the store knows."},
	{.name = NULL},
};

static const struct config_key projector_keys[] = {
	{.name = "admin_listen", .type = CONFIG_TEXT, .def = "127.0.0.1:8082",
	 AT(projector.admin_listen),
	 .text = "host:port of health, metrics, status and plots; empty: "
		 "none."},
	{.name = "modules", .type = CONFIG_TEXT, AT(projector.modules),
	 .text = "Directory of projection modules (NAME.so); empty: the "
		 "one installed or built with the program."},
	{.name = "writers", .type = CONFIG_COUNT, .def = "2", .min = 1,
	 .max = 8, NUMBER(projector.writers),
	 .text = "Threads that write to the store; also the most batches "
		 "in flight."},
	{.name = "memory_bytes", .type = CONFIG_BYTES, .def = "256m",
	 .min = MIB, .max = 1024 * GIB, NUMBER(projector.memory_bytes),
	 .text = "Memory for documents kept between batches and for "
		 "records not yet durable, half each."},
	{.name = "batch_documents", .type = CONFIG_COUNT, .def = "2000",
	 .min = 1, .max = 100000, NUMBER(projector.batch_documents),
	 .text = "The most documents in one batch."},
	{.name = "batch_bytes", .type = CONFIG_BYTES, .def = "8m",
	 .min = KIB, .max = GIB, NUMBER(projector.batch_bytes),
	 .text = "A batch takes no more documents once it has this many "
		 "bytes."},
	{.name = "park_units", .type = CONFIG_COUNT, .def = "10000", .min = 0,
	 .max = 100000000, NUMBER(projector.park_units),
	 .text = "A projection stops, by name, before more keys than this have "
		 "parked records; 0: never."},
	{.name = "park_per_unit", .type = CONFIG_COUNT, .def = "10000",
	 .min = 0, .max = 100000000, NUMBER(projector.park_per_unit),
	 .text = "The same for records that wait behind one parked record; 0: "
		 "never."},
	{.name = "park_per_second", .type = CONFIG_COUNT, .def = "500",
	 .min = 0, .max = 1000000, NUMBER(projector.park_per_second),
	 .text = "The same for records that cannot be applied, averaged over "
		 "ten seconds: then the module or the topic is at fault, not "
		 "the records; 0: never."},
	{.name = "tombstone_ms", .type = CONFIG_MS, .def = "168h",
	 .min = 86400000, .max = 4000000000, NUMBER(projector.tombstone_ms),
	 .text = "How long a deleted document stays as a tombstone, when "
		 "nothing below it can come again; readers get 410 until then, "
		 "404 afterwards."},
	{.name = "state_dir", .type = CONFIG_TEXT, AT(projector.state_dir),
	 .text = "Directory of crash ledgers, made when absent; empty: "
		 "systemd's $STATE_DIRECTORY, else ./data/state. Keep it over "
		 "restarts."},
	{.name = "crash_limit", .type = CONFIG_COUNT, .def = "3", .min = 0,
	 .max = 1000, NUMBER(projector.crash_limit),
	 .text = "A record that ended the process this often is parked "
		 "instead of being folded; 0: never."},
	{.name = "catch_up_records", .type = CONFIG_COUNT, .def = "100000",
	 .min = 0, .max = 2000000000, NUMBER(projector.catch_up_records),
	 .text = "A projection this far behind the foremost one on a "
		 "partition is fed by a second reader until it has caught up; "
		 "0: never."},
	{.name = "fold_cpu_ms", .type = CONFIG_MS, .def = "10s", .min = 10,
	 .max = 3600000, NUMBER(projector.fold_cpu_ms),
	 .text = "CPU time that one record may take; a fold that burns more "
		 "(or stands still for ten times as long) ends the process."},
	{.name = NULL},
};

static const struct config_key dead_letter_keys[] = {
	{.name = "topic", .type = CONFIG_TEXT, AT(dead_letter.topic),
	 .text = "Topic that gets a copy of every record that is parked, "
		 "source.topic_prefix before its name; empty: none. Needs a "
		 "kafka source."},
	{.name = NULL},
};

static const struct config_key queryapi_keys[] = {
	{.name = "listen", .type = CONFIG_TEXT, .def = "127.0.0.1:8080",
	 .flags = CONFIG_REQUIRED, AT(queryapi.listen),
	 .text = "host:port of the read API; IPv6 as [::1]:8080, port 0: a "
		 "free one."},
	{.name = "admin_listen", .type = CONFIG_TEXT, .def = "127.0.0.1:8081",
	 .flags = CONFIG_REQUIRED, AT(queryapi.admin_listen),
	 .text = "host:port of health, metrics, status and plots."},
	{.name = "public", .type = CONFIG_BOOL, .def = "false",
	 AT(queryapi.public),
	 .text = "Allow the two addresses to be other than loopback. With a "
		 "token, `listen` may be so anyway."},
	{.name = "tls_certificate", .type = CONFIG_TEXT,
	 AT(queryapi.tls_certificate),
	 .text = "File with the certificate of `listen` and those that signed "
		 "it, PEM, its own first; read again on SIGHUP; empty: no "
		 "TLS."},
	{.name = "tls_key", .type = CONFIG_TEXT, AT(queryapi.tls_key),
	 .text = "File with the certificate's private key, PEM, without a "
		 "passphrase."},
	{.name = "cors_origins", .type = CONFIG_LIST,
	 AT(queryapi.cors_origins),
	 .counter = offsetof(struct settings, queryapi.n_cors_origins),
	 .text = "Origins whose pages may read answers in a browser "
		 "(\"https://shop.example\"), or \"*\" alone: all; none: "
		 "only pages of the API's own origin."},
	{.name = "address_rate", .type = CONFIG_COUNT, .def = "0",
	 .max = 1000000, NUMBER(queryapi.address_rate),
	 .text = "Requests per second of one client address without a token, "
		 "and how many may come at once; 0: no limit."},
	{.name = "access_log", .type = CONFIG_COUNT, .def = "0",
	 .max = 1000000, NUMBER(queryapi.access_log),
	 .text = "A log line per request (1), per N requests on average (N), "
		 "or none (0)."},
	{.name = "loops", .type = CONFIG_COUNT, .def = "0", .min = 0,
	 .max = 256, NUMBER(queryapi.loops),
	 .text = "Event-loop threads; 0: one per core."},
	{.name = "workers", .type = CONFIG_COUNT, .def = "4", .min = 1,
	 .max = 64, NUMBER(queryapi.workers),
	 .text = "Threads that read documents from the store."},
	{.name = "cache_bytes", .type = CONFIG_BYTES, .def = "256m",
	 .min = MIB, .max = 1024 * GIB, NUMBER(queryapi.cache_bytes),
	 .text = "Memory for documents ready to be sent; a sixteenth of it is "
		 "beside it for those that changed."},
	{.name = "max_connections", .type = CONFIG_COUNT, .def = "10000",
	 .min = 1, .max = 1000000, NUMBER(queryapi.max_connections),
	 .text = "The most connections open at once."},
	{.name = "max_connections_per_address", .type = CONFIG_COUNT,
	 .def = "2000", .min = 1, .max = 1000000,
	 NUMBER(queryapi.max_connections_per_address),
	 .text = "The most connections of one client address."},
	{.name = "header_bytes", .type = CONFIG_BYTES, .def = "16k",
	 .min = KIB, .max = MIB, NUMBER(queryapi.header_bytes),
	 .text = "The longest request line and headers."},
	{.name = "header_timeout_ms", .type = CONFIG_MS, .def = "10s",
	 .min = 10, .max = 600000, NUMBER(queryapi.header_timeout_ms),
	 .text = "How long a request's headers may take to arrive."},
	{.name = "body_bytes", .type = CONFIG_BYTES, .def = "64k",
	 .min = KIB, .max = MIB, NUMBER(queryapi.body_bytes),
	 .text = "The longest request body."},
	{.name = "body_timeout_ms", .type = CONFIG_MS, .def = "10s",
	 .min = 10, .max = 600000, NUMBER(queryapi.body_timeout_ms),
	 .text = "How long a request's body may take to arrive, behind its "
		 "headers."},
	{.name = "idle_timeout_ms", .type = CONFIG_MS, .def = "60s",
	 .min = 10, .max = 3600000, NUMBER(queryapi.idle_timeout_ms),
	 .text = "How long a connection may idle between requests."},
	{.name = "request_timeout_ms", .type = CONFIG_MS, .def = "5s",
	 .min = 10, .max = 600000, NUMBER(queryapi.request_timeout_ms),
	 .text = "How long a request may wait for the store, and an answer "
		 "for a client that does not take it."},
	{.name = "part_timeout_ms", .type = CONFIG_MS, .def = "250ms",
	 .min = 1, .max = 600000, NUMBER(queryapi.part_timeout_ms),
	 .text = "How long a page waits for its parts before it is answered "
		 "without those that are late; less than "
		 "`request_timeout_ms`."},
	{.name = "queue_depth", .type = CONFIG_COUNT, .def = "4096", .min = 1,
	 .max = 1000000, NUMBER(queryapi.queue_depth),
	 .text = "Documents and lists that may wait for a worker; beyond, the "
		 "answer is 503."},
	{.name = "queue_wait_ms", .type = CONFIG_MS, .def = "100ms", .min = 0,
	 .max = 600000, NUMBER(queryapi.queue_wait_ms),
	 .text = "When what has waited longest for a worker has waited this "
		 "long, nothing is put behind it: the answer is 503 at once. "
		 "0: only `queue_depth` counts."},
	{.name = "superseded_ms", .type = CONFIG_MS, .def = "1s", .min = 0,
	 .max = 60000, NUMBER(queryapi.superseded_ms),
	 .text = "How long a kept document that has changed may be given while "
		 "the newer version is read, where its view declares "
		 "`stale-while-revalidate`. 0: who asks waits for the newer "
		 "one."},
	{.name = "gzip_min_bytes", .type = CONFIG_BYTES, .def = "1k",
	 .min = 0, .max = GIB, NUMBER(queryapi.gzip_min_bytes),
	 .text = "The smallest answer that is compressed for clients that "
		 "accept gzip."},
	{.name = "stream_heartbeat_ms", .type = CONFIG_MS, .def = "15s",
	 .min = 100, .max = 600000, NUMBER(queryapi.stream_heartbeat_ms),
	 .text = "How often a stream of events says that it is alive, when "
		 "there is nothing else to say. A client that takes nothing "
		 "for that long is cut off."},
	{.name = "stop_timeout_ms", .type = CONFIG_MS, .def = "10s",
	 .min = 0, .max = 600000, NUMBER(queryapi.stop_timeout_ms),
	 .text = "How long open requests may take to end when stopping."},
	{.name = NULL},
};

#define TOKEN(field) offsetof(struct settings_token, field)

static const struct config_key token_keys[] = {
	{.name = "sha256", .type = CONFIG_TEXT, .flags = CONFIG_MASKED,
	 .offset = TOKEN(sha256),
	 .text = "The token's hash, 64 hexadecimal digits; `queryapi token` "
		 "makes both."},
	{.name = "views", .type = CONFIG_LIST, .offset = TOKEN(views),
	 .counter = TOKEN(n_views),
	 .text = "Views it may read; none named: all."},
	{.name = "key_prefix", .type = CONFIG_TEXT, .offset = TOKEN(key_prefix),
	 .text = "What the keys it may read begin with; empty: any key."},
	{.name = "rate", .type = CONFIG_COUNT, .def = "0", .max = 1000000,
	 .offset = TOKEN(rate),
	 .width = sizeof(((struct settings_token *)0)->rate),
	 .text = "Requests per second, and how many may come at once; 0: no "
		 "limit."},
	{.name = NULL},
};

#define PAGE(field) offsetof(struct settings_page, field)

static const struct config_key page_keys[] = {
	{.name = "parts", .type = CONFIG_LIST, .offset = PAGE(parts),
	 .counter = PAGE(n_parts),
	 .text = "Views whose documents of the page's key it consists of, in "
		 "this order, 1 to 8."},
	{.name = NULL},
};

static const struct config_key log_keys[] = {
	{.name = "level", .type = CONFIG_ENUM, .def = "info",
	 .choices = log_levels, AT(log.level),
	 .text = "The least severe line that is written."},
	{.name = "format", .type = CONFIG_ENUM, .def = "logfmt",
	 .choices = log_formats, AT(log.format),
	 .text = "How a line is written."},
	{.name = NULL},
};

static const struct config_key no_keys[] = {{.name = NULL}};

const struct config_section settings_sections[] = {
	{.name = "source", .keys = source_keys,
	 .text = "The log of events that the projector reads."},
	{.name = "store", .keys = store_keys,
	 .text = "The document store that the projector writes and queryapi "
		 "reads."},
	{.name = "topic", .titled = true, .keys = topic_keys,
	 .offset = offsetof(struct settings, topics),
	 .counter = offsetof(struct settings, n_topics),
	 .size = sizeof(struct settings_topic),
	 .text = "How one topic's records are to be read. A topic without a "
		 "section has the defaults."},
	{.name = "projection", .titled = true, .open = true, .keys = no_keys,
	 .offset = offsetof(struct settings, projections),
	 .counter = offsetof(struct settings, n_projections),
	 .size = sizeof(struct settings_projection),
	 .text = "A projection module to run. With no such section all "
		 "modules of the directory run; with one, only those named. Its keys "
		 "are the module's own options, integers; the module's table "
		 "says which."},
	{.name = "projector", .keys = projector_keys,
	 .text = "The write side's own settings."},
	{.name = "dead_letter", .keys = dead_letter_keys,
	 .text = "Copies of parked records, for tools that watch a dead-letter "
		 "topic. The store keeps the originals."},
	{.name = "queryapi", .keys = queryapi_keys,
	 .text = "The read side's own settings."},
	{.name = "token", .titled = true, .keys = token_keys,
	 .offset = offsetof(struct settings, tokens),
	 .counter = offsetof(struct settings, n_tokens),
	 .size = sizeof(struct settings_token),
	 .text = "A bearer token of the read API. Once there is one, requests "
		 "without a token are refused."},
	{.name = "page", .titled = true, .keys = page_keys,
	 .offset = offsetof(struct settings, pages),
	 .counter = offsetof(struct settings, n_pages),
	 .size = sizeof(struct settings_page),
	 .text = "Documents of several views that the read API gives in one "
		 "answer, /v1/pages/NAME/KEY."},
	{.name = "log", .keys = log_keys, .text = "Log lines on stderr."},
	{.name = NULL},
};
