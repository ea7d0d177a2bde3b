/* SPDX-License-Identifier: Apache-2.0 */
/*
 * projector fold NAME: archive lines on stdin, applied in the order given;
 * documents as served on stdout. No services, no configuration file.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "lib/readmodel.h"
#include "projector/host.h"
#include "projector/replay.h"
#include "projector/verbs.h"

/* Every byte of the longest key could need an escape of six. */
enum { UNIT_TEXT = 6 * READMODEL_KEY_MAX + 3 };

static void
say_parked(void *arg, const struct record *rec,
	   const struct replay_parked *parked)
{
	char unit[UNIT_TEXT];

	(void)arg;
	fprintf(stderr, "parked %s/%" PRId32 "@%" PRId64 ": %s: %s (%s",
		rec->partition->topic, rec->partition->number, rec->offset,
		parked->cause, parked->detail, parked->unit_type);
	if (parked->unit.len)
		fprintf(stderr, " %s",
			log_quote(unit, sizeof(unit), parked->unit.ptr,
				  parked->unit.len));
	fputs(")\n", stderr);
}

static int
fold_line(struct replay *rep, const char *line, size_t len, uint64_t number,
	  struct pj_error *err)
{
	struct pj_error why;

	if (replay_line(rep, line, len, &why) == 0)
		return 0;
	return pj_error_set(err, why.cls, "stdin:%" PRIu64 ": %s", number,
			    why.text);
}

static int
fold_stdin(struct replay *rep, struct pj_error *err)
{
	uint64_t number = 0;
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;
	int rc = 0;

	while (rc == 0 && (len = getline(&line, &cap, stdin)) > 0) {
		number++;
		if (line[len - 1] == '\n')
			len--;
		if (len > 0)
			rc = fold_line(rep, line, (size_t)len, number, err);
	}
	free(line);
	if (rc == 0 && ferror(stdin))
		return pj_error_set(err, PJ_ERROR_FATAL, "stdin: %s",
				    strerror(errno));
	return rc;
}

static int
print_documents(struct replay *rep, bool with_deleted, struct pj_error *err)
{
	struct buf out = BUF_INIT;
	int rc = replay_print(rep, with_deleted, &out, err);

	if (rc == 0 && out.len)
		(void)fwrite(out.data, 1, out.len, stdout);
	if (rc == 0 && (fflush(stdout) || ferror(stdout)))
		rc = pj_error_set(err, PJ_ERROR_FATAL, "stdout: %s",
				  strerror(errno));
	buf_release(&out);
	return rc;
}

int
verb_fold(const struct cli_args *args)
{
	struct pj_error err = {.cls = PJ_ERROR_NONE};
	struct replay *rep = NULL;
	struct host host;

	if (host_open_bare(args, &host, &err))
		return host_exit(&err);
	if (host_load_modules(&host, args->positional[0], &err) == 0) {
		rep = replay_new(host.modules[0], host.topics, host.n_topics,
				 say_parked, NULL);
		if (fold_stdin(rep, &err) == 0)
			(void)print_documents(rep, cli_has(args, "--deleted"),
					      &err);
	}
	replay_free(rep);
	host_close(&host);
	return host_exit(&err);
}
