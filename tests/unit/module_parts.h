/* SPDX-License-Identifier: Apache-2.0 */
/* A module's descriptor that fits, with all its tables, to spoil in one place.
 */
#ifndef TESTS_UNIT_MODULE_PARTS_H
#define TESTS_UNIT_MODULE_PARTS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "projector/module.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct pj_field parts_item[] = {
	{.name = "n", .type = PJ_TYPE_INT},
};

struct parts {
	struct pj_field fields[3];
	struct pj_event_type types[2];
	struct pj_topic topic;
	struct pj_reads reads[3];
	struct pj_shape shape[3];
	struct pj_index indexes[2];
	struct pj_option options[3];
	const char *set_fields[4];
	struct pj_field_set field_sets[10];
	struct pj_projection desc;
};

static inline void
parts_key(const struct pj_options *options, const struct pj_event *ev,
	  struct pj_keys *keys)
{
	(void)options;
	(void)ev;
	(void)keys;
}

static inline enum pj_fold
parts_fold(const struct pj_options *options, const struct pj_event *ev,
	   struct pj_doc *doc, struct pj_error *err)
{
	(void)options;
	(void)ev;
	(void)doc;
	(void)err;
	return PJ_DONE;
}

static inline void
parts_fit(struct parts *p)
{
	*p = (struct parts){
		.fields = {{.name = "a", .type = PJ_TYPE_ID},
			   {.name = "b", .type = PJ_TYPE_INT},
			   {.name = "c",
			    .type = PJ_TYPE_LIST,
			    .items = parts_item,
			    .n_items = 1,
			    .items_required = 1}},
		.types = {{.name = "Made", .fields = 7, .required = 1},
			  {.name = "Gone", .fields = 1, .required = 1}},
		.topic = {.size = sizeof(struct pj_topic),
			  .name = "things",
			  .n_fields = 3,
			  .n_types = 2},
		.reads = {{NULL, 3}},
		.shape = {{.name = "a", .type = PJ_SERVED_STRING},
			  {.name = "b", .type = PJ_SERVED_INT}},
		.indexes = {{"a"}},
		.options = {{"buckets", 1, 8, 2, "how many", false},
			    {"most", -5, 5, 0, "how much", false}},
		.set_fields = {"b", "updatedAt"},
		.field_sets = {{"card", NULL}},
		.desc = {PJ_PROJECTION_HEAD, .name = "things", .version = 1,
			 .summary = "Things", .key = parts_key,
			 .fold = parts_fold},
	};
	p->topic.fields = p->fields;
	p->topic.types = p->types;
	p->reads[0].topic = &p->topic;
	p->desc.reads = p->reads;
	p->desc.shape = p->shape;
	p->desc.indexes = p->indexes;
	p->desc.options = p->options;
	p->field_sets[0].fields = p->set_fields;
	p->desc.field_sets = p->field_sets;
}

#endif
