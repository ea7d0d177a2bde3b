/* SPDX-License-Identifier: Apache-2.0 */
/*
 * template: how long the queue of a shop is. Key shopId.
 *
 * A small projection with a topic of its own, to begin another with. It shows a
 * topic's table, a key, setters, a checked counter, a capped list, a derived
 * field, an option, a rejected event, deletion and revival. See ../README.md.
 */
#include <projector/document.h>
#include <projector/event.h>
#include <projector/projection.h>

/* ---- The topic: what its events carry ------------------------------------ */

/* Numbers are positions in the tables below; new ones go to the end. */
enum { JOINED, LEFT, CLOSED };
enum { SHOP_ID, TICKET, PEOPLE, NOTE };

static const struct pj_field fields[] = {
	[SHOP_ID] = {.name = "shopId", .type = PJ_TYPE_ID},
	[TICKET] = {.name = "ticket", .type = PJ_TYPE_ID},
	[PEOPLE] = {.name = "people", .type = PJ_TYPE_INT},
	[NOTE] = {.name = "note", .type = PJ_TYPE_STRING},
};

static const struct pj_event_type types[] = {
	[JOINED] = {.name = "QueueJoined",
		    .fields = PJ_BIT(SHOP_ID) | PJ_BIT(TICKET) |
			      PJ_BIT(PEOPLE) | PJ_BIT(NOTE),
		    .required =
			    PJ_BIT(SHOP_ID) | PJ_BIT(TICKET) | PJ_BIT(PEOPLE)},
	[LEFT] = {.name = "QueueLeft",
		  .fields = PJ_BIT(SHOP_ID) | PJ_BIT(TICKET),
		  .required = PJ_BIT(SHOP_ID) | PJ_BIT(TICKET)},
	[CLOSED] = {.name = "QueueClosed",
		    .fields = PJ_BIT(SHOP_ID),
		    .required = PJ_BIT(SHOP_ID)},
};

static const struct pj_topic topic = {
	.size = sizeof(struct pj_topic),
	.name = "template_queue",
	.fields = fields,
	.n_fields = sizeof(fields) / sizeof(fields[0]),
	.types = types,
	.n_types = sizeof(types) / sizeof(types[0]),
};

static const struct pj_reads reads[] = {
	{&topic, PJ_BIT(JOINED) | PJ_BIT(LEFT) | PJ_BIT(CLOSED)},
	{NULL, 0},
};

/* ---- The document: what readers see, in this order ------------------------
 */

static const struct pj_shape waiting_shape[] = {
	{.name = "ticket", .type = PJ_SERVED_STRING, .required = true},
	{.name = "people", .type = PJ_SERVED_INT, .required = true},
	{.name = "note", .type = PJ_SERVED_STRING},
	{.name = "since", .type = PJ_SERVED_DATE, .required = true},
	{.name = NULL},
};

static const struct pj_shape shape[] = {
	{.name = "shopId", .type = PJ_SERVED_STRING, .required = true},
	{.name = "length", .type = PJ_SERVED_INT, .required = true},
	{.name = "people", .type = PJ_SERVED_INT, .required = true},
	{.name = "waiting",
	 .type = PJ_SERVED_LIST,
	 .of = waiting_shape,
	 .required = true},
	{.name = NULL},
};

enum { MAX_LENGTH };

static const struct pj_option option_table[] = {
	[MAX_LENGTH] =
		{.name = "max_length",
		 .min = 1,
		 .max = 1000,
		 .def = 50,
		 .text = "places in a queue; who comes later is rejected"},
	{.name = NULL},
};

/* ---- Pure functions --------------------------------------------------------
 */

static void
key(const struct pj_options *options, const struct pj_event *ev,
    struct pj_keys *keys)
{
	(void)options;
	pj_key(keys, pj_string(pj_event_data(ev), SHOP_ID));
}

static int
join(const struct pj_options *options, struct pj_node *root,
     const struct pj_event *ev, struct pj_error *err)
{
	const struct pj_data *data = pj_event_data(ev);
	struct pj_node *waiting = pj_make_array(root, "waiting");
	int64_t most = options->values[MAX_LENGTH];
	struct pj_node *item;

	if (pj_list_find(waiting, "ticket", pj_string(data, TICKET)))
		return 0; /* in the queue already: nothing changes */
	if ((int64_t)pj_node_len(waiting) >= most)
		return pj_error_set(err, PJ_ERROR_INPUT, "the queue is full");
	item = pj_capped_push_back(waiting, (size_t)most);
	(void)pj_take(item, "ticket", data, TICKET);
	(void)pj_take(item, "people", data, PEOPLE);
	(void)pj_take(item, "note", data, NOTE);
	(void)pj_set_date_ms(item, "since", pj_event_time_ms(ev));
	return pj_add(root, "people", pj_int(data, PEOPLE), err);
}

static int
leave(struct pj_node *root, const struct pj_data *data, struct pj_error *err)
{
	struct pj_node *waiting = pj_make_array(root, "waiting");
	struct pj_str ticket = pj_string(data, TICKET);
	struct pj_node *item = pj_list_find(waiting, "ticket", ticket);
	int64_t people;

	if (!item)
		return 0;
	/* Nodes are gone with what holds them: first read, then remove. */
	if (pj_product(pj_get_int(item, "people"), -1, &people, err))
		return -1;
	(void)pj_list_remove(waiting, "ticket", ticket);
	return pj_add(root, "people", people, err);
}

static enum pj_fold
fold(const struct pj_options *options, const struct pj_event *ev,
     struct pj_doc *doc, struct pj_error *err)
{
	struct pj_node *root = pj_doc_root(doc);
	int rc = 0;

	/* A null value, or the event that says the same: deleted (410). */
	if (pj_event_type(ev) == PJ_TOMBSTONE || pj_event_type(ev) == CLOSED) {
		if (pj_doc_state(doc) != PJ_DOC_LIVE)
			return PJ_DONE;
		pj_doc_clear(doc);
		return PJ_DELETE;
	}
	/* Nobody leaves a queue that is not there. */
	if (pj_event_type(ev) == LEFT && pj_doc_state(doc) != PJ_DOC_LIVE)
		return PJ_DONE;
	pj_doc_revive(doc);
	(void)pj_take(root, "shopId", pj_event_data(ev), SHOP_ID);
	if (pj_event_type(ev) == JOINED)
		rc = join(options, root, ev, err);
	else
		rc = leave(root, pj_event_data(ev), err);
	if (rc)
		return PJ_REJECT; /* the host undoes all of the above */
	(void)pj_set_int(root, "length",
			 (int64_t)pj_node_len(pj_make_array(root, "waiting")));
	return PJ_DONE;
}

PJ_PROJECTION(template){
	PJ_PROJECTION_HEAD,
	.name = "template",
	.version = 1,
	.summary = "The queue in front of a shop",
	.flags = PJ_KEYED_BY_RECORD,
	.reads = reads,
	.shape = shape,
	.options = option_table,
	.cache = {.max_age_s = 1,
		  .stale_while_revalidate_s = 5,
		  .stale_if_error_s = 60},
	.key = key,
	.fold = fold,
};
