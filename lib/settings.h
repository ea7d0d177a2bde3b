/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The settings of both programs: one file, one table, one struct.
 *
 * Read by libconfuse from a file (or none), then the environment
 * (SHOPVIEW_SOURCE_TYPE for section source, key type; …_FILE reads the value
 * from a file, for secrets), then `-s section.key=value` (titled sections:
 * `-s topic.stock.zone=UTC`). Later wins. The same table generates
 * docs/configuration.md (`config --reference`).
 *
 * Values may be written with units: durations "250ms", "5s", "1m"; sizes "64k",
 * "16m", "1g" (powers of 1024); a unit that does not fit is an error. "${NAME}"
 * in a string is the environment variable; an unset one is an error.
 *
 * Errors: CONFIG, one line: "shopview.conf:12: unknown key 'brokres' in source
 * (did you mean 'brokers'?)". For environment and command line the place is
 * "SHOPVIEW_SOURCE_BROKRES" or "-s source.brokres".
 * Ownership: settings_free() frees the struct and all it points to.
 */
#ifndef LIB_SETTINGS_H
#define LIB_SETTINGS_H

#include <projector/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/log.h"
#include "lib/store.h"

struct settings_pair {
	char *name;
	char *value;
};

/* topic "NAME" { format = envelope  zone = "Asia/Seoul"  partitions = 0 } */
struct settings_topic {
	char *name;
	char *format; /* "envelope", the only one */
	char *zone;
	uint32_t partitions; /* accepted number; 0: what the store knows */
};

/* projection "NAME" { buckets = 4 }: any integer key is a module option. */
struct settings_projection {
	char *name;
	struct settings_pair *options; /* checked by the module's own table */
	size_t n_options;
	char *place; /* "shopview.conf:20", for errors about options */
};

/* token "NAME" { sha256 = "9f86…"  views = {"shop"}  key_prefix = "s-1:" } */
struct settings_token {
	char *name;
	char *sha256; /* 64 hexadecimal digits */
	char **views;
	size_t n_views;	  /* 0: all */
	char *key_prefix; /* "": any key */
	uint32_t rate;	  /* requests per second; 0: no limit */
};

/* page "NAME" { parts = {"shop", "shop_products"} }: views of one key. */
enum { SETTINGS_PARTS_MAX = 8 };
struct settings_page {
	char *name;
	char **parts;
	size_t n_parts; /* 1 to SETTINGS_PARTS_MAX */
};

struct settings {
	struct {
		char *type; /* "archive" (default) or "kafka" */
		char *dir;  /* archive; default ./data/events */
		char *brokers, *group, *instance_id, *topic_prefix;
		char *lost_anchor;	      /* "stop" or "accept" */
		uint32_t transaction_warn_ms; /* 0: nothing is said */
		/* rdkafka { "fetch.wait.max.ms" = "10" }-like pass-through */
		struct settings_pair *properties;
		size_t n_properties;
	} source;
	struct {
		enum store_type type; /* lmdb (default) or mongodb */
		char *uri, *database;
		bool allow_standalone;
		char *path;	    /* lmdb; default ./data/store */
		uint64_t map_bytes; /* lmdb; at the start, it grows */
	} store;
	struct settings_topic *topics;
	size_t n_topics;
	struct settings_projection *projections;
	size_t n_projections; /* 0: all modules there are */
	struct {
		char *admin_listen; /* 127.0.0.1:8082; "" = none */
		char *modules; /* directory of .so files; "" = the program's */
		uint32_t writers;      /* writer threads, 1..8, default 2 */
		uint64_t memory_bytes; /* documents and records kept */
		uint32_t batch_documents;
		uint64_t batch_bytes;
		uint32_t park_units, park_per_unit,
			park_per_second; /* 0: any */
		uint32_t tombstone_ms;	 /* how long a deleted document stays */
		char *state_dir;	 /* "" = from systemd, or a default */
		uint32_t crash_limit;	 /* 0: never condemn a record */
		uint32_t fold_cpu_ms;	 /* CPU time of one record's fold */
		uint32_t catch_up_records; /* 0: one reader for all */
	} projector;
	struct {
		char *topic; /* "" = none */
	} dead_letter;
	struct settings_token *tokens;
	size_t n_tokens; /* 0: anybody may read */
	struct settings_page *pages;
	size_t n_pages;
	struct {
		char *listen;	    /* 127.0.0.1:8080 */
		char *admin_listen; /* 127.0.0.1:8081 */
		bool public;	    /* may bind other than loopback */
		char *tls_certificate, *tls_key; /* "": no TLS */
		char **cors_origins;
		size_t n_cors_origins; /* one "*": all */
		uint32_t address_rate; /* requests per second; 0: no limit */
		uint32_t access_log;   /* one line in so many; 0: none */
		uint32_t loops;	  /* event-loop threads; 0 = one per core */
		uint32_t workers; /* threads that ask the store */
		uint64_t cache_bytes;
		uint32_t max_connections;
		uint32_t max_connections_per_address;
		uint32_t header_bytes; /* request line and headers */
		uint32_t header_timeout_ms;
		uint32_t body_bytes; /* of a request that takes one */
		uint32_t body_timeout_ms;
		uint32_t idle_timeout_ms;
		uint32_t request_timeout_ms;
		uint32_t part_timeout_ms; /* of a page; less than a request's */
		uint32_t queue_depth;	  /* waiting for workers before 503 */
		uint32_t queue_wait_ms;	  /* of the oldest of them; 0: any */
		uint32_t superseded_ms;	  /* how long it is given; 0: never */
		uint32_t gzip_min_bytes;
		uint32_t stream_heartbeat_ms;
		uint32_t stop_timeout_ms;
	} queryapi;
	struct {
		enum log_level level;
		enum log_format format;
	} log;
};

/*
 * file NULL: $SHOPVIEW_CONFIG when set, else ./shopview.conf when there is one,
 * else defaults alone. overrides: the arguments of -s, in order.
 */
int
settings_load(const char *file, const char *const *overrides, size_t n,
	      struct settings **ret_settings, struct pj_error *err)
	__attribute__((warn_unused_result));
void
settings_free(struct settings *set);

/* The effective configuration as a file that loads again; secrets masked
 * (passwords in URIs, properties that end in password, secret, jaas.config). */
void
settings_print(const struct settings *set, FILE *out);

/* The reference, Markdown, from the table. */
void
settings_reference(FILE *out);

/* The store's part of the settings, as the store port takes it; borrowed. */
struct store_settings
settings_store(const struct settings *set, bool read_only,
	       const char *app_name);

#endif
