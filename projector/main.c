/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/log.h"
#include "projector/verbs.h"

static const struct cli_flag run_flags[] = {
	{"--until-end", NULL,
	 "stop at the end of the log as it is when reading begins"},
	{NULL, NULL, NULL},
};
static const struct cli_flag json_flags[] = {
	{"--json", NULL, "one JSON object per line"},
	{NULL, NULL, NULL},
};
static const struct cli_flag fold_flags[] = {
	{"--deleted", NULL, "also print deleted documents, as {id, deleted}"},
	{NULL, NULL, NULL},
};
static const struct cli_flag export_flags[] = {
	{"--to", "DIR", "the archive's directory; made when absent"},
	{NULL, NULL, NULL},
};
static const struct cli_flag config_flags[] = {
	{"--reference", NULL, "the reference of all settings, in Markdown"},
	{NULL, NULL, NULL},
};

static const struct cli_flag adopt_flags[] = {
	{"--reason", "TEXT",
	 "why the documents are the same; kept in the audit"},
	{NULL, NULL, NULL},
};

static const struct cli_verb generation_verbs[] = {
	{"list", "NAME", "the generations of one projection", json_flags, 1, 1,
	 verb_generation_list, NULL},
	{"promote", "NAME [GEN]",
	 "catch up and make live: an unfinished rebuild, or GEN", NULL, 1, 2,
	 verb_generation_promote, NULL},
	{"rollback", "NAME [GEN]",
	 "the same with the one that was live before, or GEN", NULL, 1, 2,
	 verb_generation_rollback, NULL},
	{"adopt", "NAME",
	 "take the live one's documents for those of the running code",
	 adopt_flags, 1, 1, verb_generation_adopt, NULL},
	{NULL, NULL, NULL, NULL, 0, 0, NULL, NULL},
};

/* They choose queues by their heads. */
static const struct cli_flag parked_flags[] = {
	{"--cause", "TEXT", "parked for a cause with this text in it"},
	{"--topic", "TOPIC", "of this topic"},
	{"--partition", "N", "of this partition"},
	{"--type", "TYPE", "of this event type"},
	{"--since", "DURATION", "parked within the last 30m, 2h, …"},
	{"--before", "DURATION", "parked longer ago than that"},
	{"--generation", "N", "of this generation, not the live one"},
	{"--json", NULL, "one JSON object per line"},
	{NULL, NULL, NULL},
};
static const struct cli_flag parked_list_flags[] = {
	{"--all", NULL, "also rows that are in no queue, as orphans"},
	{NULL, NULL, NULL},
};
static const struct cli_flag parked_show_flags[] = {
	{"--audit", NULL, "what was retried or discarded, and by whom"},
	{NULL, NULL, NULL},
};
static const struct cli_flag parked_retry_flags[] = {
	{"--dry-run", NULL, "say what would be asked, change nothing"},
	{"--wait", "SECONDS", "wait so long for anything to happen (30)"},
	{NULL, NULL, NULL},
};
static const struct cli_flag parked_discard_flags[] = {
	{"--reason", "TEXT", "why; kept in the audit with the record"},
	{"--all", NULL, "the head of every queue that matches"},
	{"--dry-run", NULL, "say what would be asked, change nothing"},
	{"--wait", "SECONDS", "wait so long for anything to happen (30)"},
	{NULL, NULL, NULL},
};

static const struct cli_verb parked_verbs[] = {
	{"list", "NAME [KEY]", "what is parked: one line per queue, its head",
	 parked_list_flags, 1, 2, verb_parked_list, NULL},
	{"show", "NAME KEY", "every record of the queue, whole",
	 parked_show_flags, 1, 2, verb_parked_show, NULL},
	{"retry", "NAME [KEY]", "apply them once more, in order",
	 parked_retry_flags, 1, 2, verb_parked_retry, NULL},
	{"discard", "NAME KEY",
	 "give up the head of the queue, apply what waits behind it",
	 parked_discard_flags, 1, 2, verb_parked_discard, NULL},
	{NULL, NULL, NULL, NULL, 0, 0, NULL, NULL},
};

static const struct cli_verb verbs[] = {
	{"run", "", "project until stopped", run_flags, 0, 0, verb_run, NULL},
	{"check", "",
	 "look at configuration, modules, log and store; changes nothing", NULL,
	 0, 0, verb_check, NULL},
	{"list", "", "projections and their generations", json_flags, 0, 0,
	 verb_list, NULL},
	{"status", "", "positions and lag per topic-partition", json_flags, 0,
	 0, verb_status, NULL},
	{"fold", "NAME",
	 "archive lines on stdin, documents as served on stdout", fold_flags, 1,
	 1, verb_fold, NULL},
	{"rebuild", "NAME",
	 "a new generation from the log's start, then make it live", NULL, 1, 1,
	 verb_rebuild, NULL},
	{"generation", "list|promote|rollback|adopt NAME [GEN]",
	 "which documents of a projection are served", NULL, 0, 0, NULL,
	 generation_verbs},
	{"parked", "list|show|retry|discard NAME [KEY]",
	 "records that could not be applied, and those behind them",
	 parked_flags, 0, 0, NULL, parked_verbs},
	{"dump", "NAME [KEY...]", "live documents as they are served", NULL, 1,
	 (size_t)-1, verb_dump, NULL},
	{"export", "TOPIC...", "write topics as an archive", export_flags, 1,
	 (size_t)-1, verb_export, NULL},
	{"config", "", "the effective configuration, secrets masked",
	 config_flags, 0, 0, verb_config, NULL},
	{NULL, NULL, NULL, NULL, 0, 0, NULL, NULL},
};

int
main(int argc, char **argv)
{
	log_setup("projector", LOG_INFO, LOG_LOGFMT); /* until settings say */
	return cli_main("projector",
			"folds ordered events into documents, losing nothing",
			verbs, argc, argv);
}
