/* SPDX-License-Identifier: Apache-2.0 */
#include "projector/parked_ask.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "lib/clock.h"
#include "lib/mem.h"

enum { POLL_MS = 100, POLL_MAX_MS = 1000 };

/* Longer than anybody waits for an answer: what is older is not asked for. */
static const int64_t KEPT_MS = INT64_C(48) * 3600 * 1000;

void
asks_add(struct asks *asks, const struct parked_queue *queue)
{
	struct buf key = BUF_INIT;
	struct ask *ask;

	parked_key(&key, queue->unit_type, queue->unit, queue->topic,
		   queue->partition, queue->offset);
	MEM_GROW(asks->ask, asks->n, asks->cap);
	ask = &asks->ask[asks->n++];
	*ask = (struct ask){
		.unit = mem_strndup(queue->unit.ptr, queue->unit.len),
		.unit_len = queue->unit.len,
		.key = key.data ? buf_detach(&key, NULL) : mem_strdup(""),
		.topic = mem_strdup(queue->topic),
		.partition = queue->partition,
		.offset = queue->offset,
		.cause = mem_strdup(queue->cause),
		.n = queue->n,
	};
	(void)snprintf(ask->unit_type, sizeof(ask->unit_type), "%s",
		       queue->unit_type);
}

void
asks_release(struct asks *asks)
{
	for (size_t i = 0; i < asks->n; i++) {
		free(asks->ask[i].unit);
		free(asks->ask[i].key);
		free(asks->ask[i].topic);
		free(asks->ask[i].cause);
		free(asks->ask[i].result);
	}
	free(asks->ask);
	*asks = (struct asks){NULL, 0, 0};
}

/* ---- Sending ------------------------------------------------------------- */

static int
random_id(char out[33], struct pj_error *err)
{
	static const char hex[] = "0123456789abcdef";
	unsigned char bytes[16];

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return pj_error_set(err, PJ_ERROR_FATAL,
				    "no random bytes from the system");
	for (unsigned i = 0; i < sizeof(bytes); i++) {
		out[2 * i] = hex[bytes[i] >> 4];
		out[2 * i + 1] = hex[bytes[i] & 15];
	}
	out[32] = '\0';
	return 0;
}

/* What is alone is a queue of its own, though others alone have its unit. */
static bool
is_for_the_queue(const struct ask *ask, const struct ask_wish *wish)
{
	return strcmp(wish->action, "retry") == 0 &&
	       strcmp(ask->unit_type, "record") != 0;
}

/*
 * A discard names one record: one of another head is another wish. A retry is
 * for the queue, whatever is at its head by now.
 */
static bool
is_same_wish(const struct store_request *req, const struct ask *ask,
	     const struct ask_wish *wish)
{
	return strcmp(req->generation, wish->generation) == 0 &&
	       strcmp(req->action, wish->action) == 0 &&
	       strcmp(req->unit_type, ask->unit_type) == 0 &&
	       req->unit_len == ask->unit_len &&
	       memcmp(req->unit, ask->unit, ask->unit_len) == 0 &&
	       req->partition == ask->partition &&
	       strcmp(req->topic, ask->topic) == 0 &&
	       (req->offset == ask->offset || is_for_the_queue(ask, wish));
}

static const struct store_request *
find_request(const struct store_request *rows, size_t n, const struct ask *ask,
	     const struct ask_wish *wish)
{
	for (size_t i = 0; i < n; i++)
		if (rows[i].state == STORE_REQ_NEW &&
		    is_same_wish(&rows[i], ask, wish))
			return &rows[i];
	return NULL;
}

/* Whoever asked has had his answer, or has given up long ago. */
static int
sweep(struct store_session *ses, const struct store_request *rows, size_t n,
      struct pj_error *err)
{
	int64_t before_at_ms = clock_wall_ms() - KEPT_MS;

	for (size_t i = 0; i < n; i++)
		if (rows[i].state != STORE_REQ_NEW &&
		    rows[i].at_ms < before_at_ms &&
		    store_request_remove(ses, rows[i].id, err))
			return -1;
	return 0;
}

static int
send_one(struct ask *ask, const struct ask_wish *wish,
	 struct store_session *ses, struct pj_error *err)
{
	struct store_request req = {
		.unit = ask->unit,
		.unit_len = ask->unit_len,
		.partition = ask->partition,
		.offset = ask->offset,
		.at_ms = clock_wall_ms(),
		.state = STORE_REQ_NEW,
	};
	char *reason = mem_strdup(wish->reason), *by = mem_strdup(wish->by);
	char result[] = "";
	int rc;

	if (random_id(ask->id, err)) {
		free(reason);
		free(by);
		return -1;
	}
	memcpy(req.id, ask->id, sizeof(req.id));
	(void)snprintf(req.generation, sizeof(req.generation), "%s",
		       wish->generation);
	(void)snprintf(req.action, sizeof(req.action), "%s", wish->action);
	(void)snprintf(req.unit_type, sizeof(req.unit_type), "%s",
		       ask->unit_type);
	(void)snprintf(req.topic, sizeof(req.topic), "%s", ask->topic);
	req.reason = reason;
	req.by = by;
	req.result = result;
	rc = store_request_add(ses, &req, err);
	free(reason);
	free(by);
	return rc;
}

int
asks_send(struct asks *asks, const struct ask_wish *wish,
	  struct store_session *ses, struct pj_error *err)
{
	struct store_request *rows;
	size_t n;
	int rc;

	if (store_requests(ses, -1, &rows, &n, err))
		return -1;
	rc = sweep(ses, rows, n, err);
	for (size_t i = 0; rc == 0 && i < asks->n; i++) {
		struct ask *ask = &asks->ask[i];
		const struct store_request *there =
			find_request(rows, n, ask, wish);

		if (there)
			memcpy(ask->id, there->id, sizeof(ask->id));
		else
			rc = send_one(ask, wish, ses, err);
	}
	store_requests_free(rows, n);
	return rc;
}

/* ---- Waiting ------------------------------------------------------------- */

struct wait {
	struct asks *asks;
	struct ask **by_id; /* sorted */
	size_t n_waiting;
	void (*each)(void *arg, const struct ask *ask);
	void *arg;
};

static int
compare_ids(const void *a, const void *b)
{
	const struct ask *const *x = a, *const *y = b;

	return strcmp((*x)->id, (*y)->id);
}

/* Two queues may have come to wait for one request: all of them. */
static void
end_asks(struct wait *w, const struct store_request *req)
{
	size_t low = 0, high = w->asks->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (strcmp(w->by_id[mid]->id, req->id) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < w->asks->n && strcmp(w->by_id[low]->id, req->id) == 0;
	     low++) {
		struct ask *ask = w->by_id[low];

		if (ask->state != ASK_WAITING)
			continue;
		ask->state =
			req->state == STORE_REQ_DONE ? ASK_DONE : ASK_FAILED;
		ask->result = mem_strdup(req->result);
		w->n_waiting--;
		w->each(w->arg, ask);
	}
}

static int
look(struct wait *w, struct store_session *ses, struct pj_error *err)
{
	struct store_request *rows;
	size_t n;

	if (store_requests(ses, -1, &rows, &n, err))
		return -1;
	for (size_t i = 0; i < n; i++)
		if (rows[i].state != STORE_REQ_NEW)
			end_asks(w, &rows[i]);
	store_requests_free(rows, n);
	return 0;
}

int
asks_wait(struct asks *asks, struct store_session *ses, int64_t wait_ms,
	  void (*each)(void *arg, const struct ask *ask), void *arg,
	  struct pj_error *err)
{
	struct wait w = {asks, NULL, 0, each, arg};
	int64_t end = clock_mono_ms() + wait_ms;
	int pause_ms = POLL_MS, rc = 0;
	struct pj_error outage;

	w.by_id = mem_calloc(asks->n, sizeof(struct ask *));
	for (size_t i = 0; i < asks->n; i++) {
		w.by_id[i] = &asks->ask[i];
		w.n_waiting += asks->ask[i].state == ASK_WAITING;
	}
	if (asks->n > 1)
		qsort(w.by_id, asks->n, sizeof(struct ask *), compare_ids);
	while (rc == 0 && w.n_waiting > 0) {
		size_t before = w.n_waiting;

		if (look(&w, ses, &outage) && outage.cls != PJ_ERROR_RETRY) {
			*err = outage;
			rc = -1;
		}
		if (w.n_waiting < before) {
			end = clock_mono_ms() + wait_ms;
			pause_ms = POLL_MS;
		}
		if (w.n_waiting == 0 || clock_mono_ms() >= end)
			break;
		clock_sleep_ms(pause_ms);
		pause_ms =
			pause_ms < POLL_MAX_MS / 2 ? 2 * pause_ms : POLL_MAX_MS;
	}
	free(w.by_id);
	return rc;
}
