/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hazard: a projection that ends or hangs the process when an event says so. Of
 * the tests alone; it breaks every rule that projection.h gives.
 *
 * Key couponId. A CouponIssueRejected counts, unless its reason is one of the
 * words below, which act in fold(), or in key() with "key-" before. With the
 * option `calm` they do not: it is mended then.
 */
#include <projector/storefront.h>

#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const struct pj_reads reads[] = {
	{&pj_topic_coupon, PJ_BIT(PJ_COUPON_ISSUE_REJECTED)},
	{NULL, 0},
};

static const struct pj_shape shape[] = {
	{.name = "couponId", .type = PJ_SERVED_STRING, .required = true},
	{.name = "rejected", .type = PJ_SERVED_INT, .required = true},
	{.name = NULL},
};

enum { CALM };

static const struct pj_option option_table[] = {
	[CALM] = {.name = "calm",
		  .min = 0,
		  .max = 1,
		  .def = 0,
		  .text = "1: nothing is a hazard"},
	{.name = NULL},
};

static void
segfault(void)
{
	/* No sanitizer's null; nobody's page either. */
	volatile uintptr_t nowhere = 4096;

	*(volatile int *)nowhere = 1;
}

static void
leave(void)
{
	exit(0);
}

static void
leave_at_once(void)
{
	_exit(0);
}

static void
loop(void)
{
	for (volatile unsigned i = 0;; i++)
		;
}

static void
stand(void)
{
	for (;;)
		(void)pause();
}

/* No hazard, but a projection that takes its time: a millisecond. */
static void
dawdle(void)
{
	(void)nanosleep(&(struct timespec){0, 1000000}, NULL);
}

/* Until the limit of the address space; what then comes is as with most code.
 */
static void
leak(void)
{
	enum { BYTES = 1 << 20 };

	for (;;)
		*(volatile char *)malloc(BYTES) = 1;
}

static volatile int always = 1; /* the compiler sees through less */

static int
deeper(volatile char *above)
{
	volatile char here[4096];

	here[0] = *above;
	return always ? deeper(here) + here[0] : 0;
}

static void
recurse(void)
{
	volatile char top = 0;

	(void)deeper(&top);
}

static const struct hazard {
	const char *word;
	void (*act)(void);
} hazards[] = {
	{"segfault", segfault}, {"abort", abort},
	{"exit", leave},	{"exit-at-once", leave_at_once},
	{"loop", loop},		{"stand", stand},
	{"slow", dawdle},	{"leak", leak},
	{"recurse", recurse},
};

static void
act(const struct pj_options *options, const struct pj_event *ev,
    const char *where)
{
	struct pj_str reason;
	size_t n = strlen(where);

	if (options->values[CALM] ||
	    pj_event_type(ev) != PJ_COUPON_ISSUE_REJECTED)
		return;
	reason = pj_string(pj_event_data(ev), PJ_COUPON__REASON);
	if (reason.len < n || memcmp(reason.ptr, where, n) != 0)
		return;
	for (size_t i = 0; i < sizeof(hazards) / sizeof(hazards[0]); i++)
		if (strlen(hazards[i].word) == reason.len - n &&
		    memcmp(hazards[i].word, reason.ptr + n, reason.len - n) ==
			    0)
			hazards[i].act();
}

static void
key(const struct pj_options *options, const struct pj_event *ev,
    struct pj_keys *keys)
{
	act(options, ev, "key-");
	pj_key(keys, pj_string(pj_event_data(ev), PJ_COUPON__COUPON_ID));
}

static enum pj_fold
fold(const struct pj_options *options, const struct pj_event *ev,
     struct pj_doc *doc, struct pj_error *err)
{
	struct pj_node *root = pj_doc_root(doc);

	act(options, ev, "");
	if (pj_event_type(ev) == PJ_TOMBSTONE)
		return pj_forget(doc);
	pj_doc_revive(doc);
	(void)pj_take(root, "couponId", pj_event_data(ev),
		      PJ_COUPON__COUPON_ID);
	return pj_add(root, "rejected", 1, err) ? PJ_REJECT : PJ_DONE;
}

PJ_PROJECTION(hazard){
	PJ_PROJECTION_HEAD,
	.name = "hazard",
	.version = 1,
	.summary = "Ends the process when an event says so",
	.flags = PJ_KEYED_BY_RECORD,
	.reads = reads,
	.shape = shape,
	.options = option_table,
	.key = key,
	.fold = fold,
};
