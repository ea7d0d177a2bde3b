/* SPDX-License-Identifier: Apache-2.0 */
/* projector config [--reference] */
#include <stdio.h>

#include "projector/host.h"
#include "projector/verbs.h"

int
verb_config(const struct cli_args *args)
{
	struct pj_error err = {.cls = PJ_ERROR_NONE};
	struct host host;

	if (cli_has(args, "--reference")) {
		settings_reference(stdout);
		return CLI_DONE;
	}
	if (host_open(args, &host, &err))
		return host_exit(&err);
	settings_print(host.set, stdout);
	host_close(&host);
	return CLI_DONE;
}
