/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is projected on the stage. Two topics feed documents of two kinds:
 * `keyed`, whose key is the record key, and `spread`, whose keys are in the
 * data. Their events add numbers; which numbers they refuse is the test's word.
 */
#ifndef TESTS_COMPONENT_STAGE_MODULES_H
#define TESTS_COMPONENT_STAGE_MODULES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <projector/projection.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- What the events are ------------------------------------------------- */

enum { STEP__ID, STEP__N, STEP__TO, STEP__ALSO, STEP__TEXT };
enum { STEP, IDLE, SET };

static const struct pj_field stage_fields[] = {
	[STEP__ID] = {.name = "id", .type = PJ_TYPE_ID},
	[STEP__N] = {.name = "n", .type = PJ_TYPE_INT},
	[STEP__TO] = {.name = "to", .type = PJ_TYPE_ID},
	[STEP__ALSO] = {.name = "also", .type = PJ_TYPE_ID},
	[STEP__TEXT] = {.name = "text", .type = PJ_TYPE_STRING},
};

static const struct pj_event_type stage_types[] = {
	[STEP] = {.name = "Step",
		  .fields = PJ_BIT(STEP__ID) | PJ_BIT(STEP__N) |
			    PJ_BIT(STEP__TO) | PJ_BIT(STEP__ALSO) |
			    PJ_BIT(STEP__TEXT),
		  .required = PJ_BIT(STEP__N)},
	[IDLE] = {.name = "Idle",
		  .fields = PJ_BIT(STEP__ID) | PJ_BIT(STEP__TO),
		  .required = PJ_BIT(STEP__ID)},
	[SET] = {.name = "Set",
		 .fields = PJ_BIT(STEP__ID) | PJ_BIT(STEP__N),
		 .required = PJ_BIT(STEP__N)},
};

#define STAGE_TOPIC(NAME)                                                      \
	{                                                                      \
		.size = sizeof(struct pj_topic), .name = NAME,                 \
		.fields = stage_fields, .n_fields = COUNT(stage_fields),       \
		.types = stage_types, .n_types = COUNT(stage_types),           \
	}

static const struct pj_topic steps_topic = STAGE_TOPIC("steps");
static const struct pj_topic words_topic = STAGE_TOPIC("words");

/* ---- What is made of them ------------------------------------------------ */

/* Numbers that are refused; the module is mended by taking them out. */
static struct {
	int64_t n[4];
	size_t count;
} refused_numbers;

static inline void
refuse_number(int64_t n)
{
	assert_true(refused_numbers.count < COUNT(refused_numbers.n));
	refused_numbers.n[refused_numbers.count++] = n;
}

static inline void
mend(void)
{
	refused_numbers.count = 0;
}

static const struct pj_reads stage_reads[] = {
	{&steps_topic, PJ_BIT(STEP) | PJ_BIT(IDLE) | PJ_BIT(SET)},
	{&words_topic, PJ_BIT(STEP) | PJ_BIT(IDLE) | PJ_BIT(SET)},
	{NULL, 0},
};

static const struct pj_shape stage_shape[] = {
	{.name = "count", .type = PJ_SERVED_INT},
	{.name = "sum", .type = PJ_SERVED_INT},
	{.name = "text", .type = PJ_SERVED_STRING},
	{.name = NULL},
};

enum { STAGE_BYTES = 900 }; /* of a document */

static inline void
keyed_key(const struct pj_options *options, const struct pj_event *ev,
	  struct pj_keys *keys)
{
	(void)options;
	pj_key(keys, pj_string(pj_event_data(ev), STEP__ID));
}

static inline void
spread_key(const struct pj_options *options, const struct pj_event *ev,
	   struct pj_keys *keys)
{
	const struct pj_data *data = pj_event_data(ev);

	(void)options;
	if (pj_has(data, STEP__ALSO) != PJ_ABSENT)
		pj_key(keys, pj_string(data, STEP__ALSO));
	pj_key(keys, pj_string(data, STEP__TO));
}

/*
 * Adds up, and remembers per topic in which order: `_steps` of 1, 2, 3 is 123;
 * the last nine of them. A number that is set changes nothing when it is that
 * already.
 */
static inline enum pj_fold
stage_fold(const struct pj_options *options, const struct pj_event *ev,
	   struct pj_doc *doc, struct pj_error *err)
{
	const struct pj_data *data = pj_event_data(ev);
	struct pj_node *root = pj_doc_root(doc);
	const char *order =
		pj_event_topic(ev) == &steps_topic ? "_steps" : "_words";
	int64_t n;

	(void)options;
	if (pj_event_type(ev) == IDLE)
		return PJ_DONE;
	n = pj_int(data, STEP__N);
	if (pj_event_type(ev) == SET) {
		(void)pj_set_int(root, "_set", n);
		return PJ_DONE;
	}
	if (pj_add(root, "count", 1, err) || pj_add(root, "sum", n, err))
		return PJ_REJECT;
	(void)pj_set_int(root, order,
			 (pj_get_int(root, order) * 10 + n) % 1000000000);
	if (pj_has(data, STEP__TEXT) == PJ_VALUE)
		(void)pj_set_string(root, "text", pj_string(data, STEP__TEXT));
	for (size_t i = 0; i < refused_numbers.count; i++)
		if (refused_numbers.n[i] == n)
			return pj_error_set(err, PJ_ERROR_INPUT, "no %lld",
					    (long long)n),
			       PJ_REJECT;
	return PJ_DONE;
}

static const struct pj_projection keyed_projection = {
	PJ_PROJECTION_HEAD,
	.name = "keyed",
	.version = 1,
	.summary = "By record key",
	.flags = PJ_KEYED_BY_RECORD,
	.reads = stage_reads,
	.shape = stage_shape,
	.max_bytes = STAGE_BYTES,
	.key = keyed_key,
	.fold = stage_fold,
};

static const struct pj_projection spread_projection = {
	PJ_PROJECTION_HEAD,
	.name = "spread",
	.version = 1,
	.summary = "By what the data say",
	.reads = stage_reads,
	.shape = stage_shape,
	.max_bytes = STAGE_BYTES,
	.key = spread_key,
	.fold = stage_fold,
};

#endif
