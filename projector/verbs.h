/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verbs of the projector, one per file; main.c holds their table. Each
 * returns the exit status (lib/cli.h) after it said why on stderr.
 */
#ifndef PROJECTOR_VERBS_H
#define PROJECTOR_VERBS_H

#include "lib/cli.h"

int
verb_run(const struct cli_args *args);
int
verb_check(const struct cli_args *args);
int
verb_list(const struct cli_args *args);
int
verb_status(const struct cli_args *args);
int
verb_fold(const struct cli_args *args);
int
verb_rebuild(const struct cli_args *args);
int
verb_dump(const struct cli_args *args);
int
verb_export(const struct cli_args *args);
int
verb_config(const struct cli_args *args);
int
verb_generation_list(const struct cli_args *args);
int
verb_generation_promote(const struct cli_args *args);
int
verb_generation_rollback(const struct cli_args *args);
int
verb_generation_adopt(const struct cli_args *args);
int
verb_parked_list(const struct cli_args *args);
int
verb_parked_show(const struct cli_args *args);
int
verb_parked_retry(const struct cli_args *args);
int
verb_parked_discard(const struct cli_args *args);

#endif
