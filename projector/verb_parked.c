/* SPDX-License-Identifier: Apache-2.0 */
/*
 * projector parked list NAME [KEY]: what is parked, one line per queue.
 * projector parked show NAME KEY: every record of it, whole; or what became of
 * those that were.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "projector/parked_print.h"
#include "projector/parked_scope.h"
#include "projector/verbs.h"

/* A verb that writes lines as it goes. */
struct show {
	const struct parked_scope *scope;
	struct parked_print print;
	bool json;
	struct buf line;
	size_t n; /* lines, or records */
	int64_t tail;
	int rc;
	struct pj_error *err;
};

static void
show_init(struct show *s, const struct parked_scope *scope,
	  const struct cli_args *args, struct pj_error *err)
{
	memset(s, 0, sizeof(*s));
	s->scope = scope;
	s->json = cli_has(args, "--json");
	s->print.projection = scope->projection;
	s->print.number = scope->number;
	s->print.reader = archive_reader_new();
	s->err = err;
}

static void
show_release(struct show *s)
{
	archive_reader_free(s->print.reader);
	buf_release(&s->line);
}

/* False when nobody reads us any more. */
static bool
show_line(struct show *s)
{
	(void)fwrite(s->line.data, 1, s->line.len, stdout);
	buf_clear(&s->line);
	s->n++;
	return !ferror(stdout);
}

static bool
list_queue(void *arg, const struct parked_queue *queue)
{
	struct show *s = arg;

	if (s->json)
		print_queue_json(&s->line, &s->print, queue,
				 s->scope->filter.orphans);
	else
		print_queue_text(&s->line, queue);
	return show_line(s);
}

static bool
show_record(void *arg, const struct store_parked *row)
{
	struct show *s = arg;

	if (row->offset > s->tail)
		return false;
	if (s->json)
		print_record_json(&s->line, &s->print, row);
	else
		print_record_text(&s->line, row);
	return show_line(s);
}

static bool
show_queue(void *arg, const struct parked_queue *q)
{
	struct show *s = arg;

	s->tail = q->tail;
	s->rc = store_parked_unit(s->scope->ses, s->scope->generation,
				  q->unit_type, q->unit, q->topic, q->partition,
				  q->offset, show_record, s, s->err);
	return s->rc == 0 && !ferror(stdout);
}

static bool
show_audit(void *arg, const struct store_audit *entry)
{
	struct show *s = arg;

	if (!parked_filter_takes(&s->scope->filter, &entry->row))
		return true;
	if (s->json)
		print_audit_json(&s->line, &s->print, entry);
	else
		print_audit_text(&s->line, entry);
	return show_line(s);
}

int
verb_parked_list(const struct cli_args *args)
{
	struct pj_error err = {.cls = PJ_ERROR_NONE};
	struct parked_scope scope;
	struct show s;
	int status = parked_scope_open(&scope, args, "list", true);

	if (status != CLI_DONE)
		return status;
	scope.filter.orphans = cli_has(args, "--all");
	show_init(&s, &scope, args, &err);
	if (!s.json) {
		print_queue_head(&s.line);
		(void)show_line(&s);
	}
	if (parked_list(scope.ses, &scope.filter, list_queue, &s, &err) ||
	    parked_flush(&err))
		status = host_exit(&err);
	show_release(&s);
	parked_scope_close(&scope);
	return status;
}

static int
show(struct show *s, bool audit, struct pj_error *err)
{
	const struct parked_scope *scope = s->scope;

	if (audit) {
		if (store_audit_scan(scope->ses, scope->generation, show_audit,
				     s, err))
			return -1;
	} else if (parked_list(scope->ses, &scope->filter, show_queue, s,
			       err) ||
		   s->rc) {
		return -1;
	} else if (s->n == 0) {
		return pj_error_set(err, PJ_ERROR_FATAL,
				    "%s: nothing is parked under '%s'",
				    scope->generation, scope->filter.key);
	}
	return parked_flush(err);
}

int
verb_parked_show(const struct cli_args *args)
{
	struct pj_error err = {.cls = PJ_ERROR_NONE};
	bool audit = cli_has(args, "--audit");
	struct parked_scope scope;
	struct show s;
	int status;

	if (!audit && args->n_positional < 2)
		return parked_usage("show", "a KEY is missing ('parked list' "
					    "shows them)");
	status = parked_scope_open(&scope, args, "show", true);
	if (status != CLI_DONE)
		return status;
	show_init(&s, &scope, args, &err);
	if (show(&s, audit, &err))
		status = host_exit(&err);
	show_release(&s);
	parked_scope_close(&scope);
	return status;
}
