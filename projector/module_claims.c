/* SPDX-License-Identifier: Apache-2.0 */
/* Named stop: two files of the directory bring one projection. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "projector/module.h"

/*
 * A file claims the name that its entry function has, whatever the file is
 * called. One that cannot be opened claims nothing: nobody will run it.
 */
static bool
claims(const char *file, const char *name)
{
	char *symbol = mem_printf("pj_projection_%s", name);
	void *handle = dlopen(file, RTLD_LAZY | RTLD_LOCAL);
	bool found = handle && dlsym(handle, symbol);

	if (handle)
		(void)dlclose(handle);
	free(symbol);
	return found;
}

int
module_check_claims(const char *dir, const char *name, struct pj_error *err)
{
	char *own = mem_printf("%s/%s.so", dir, name);
	char **names = NULL;
	size_t n = 0;
	int rc = module_names(dir, &names, &n, err);

	for (size_t i = 0; i < n; i++) {
		char *file = mem_printf("%s/%s.so", dir, names[i]);

		if (rc == 0 && strcmp(names[i], name) != 0 &&
		    claims(file, name) && claims(own, name))
			rc = pj_error_set(err, PJ_ERROR_STOP,
					  "two modules claim the name of "
					  "projection %s: %s and %s; take one "
					  "of them away",
					  name, own, file);
		free(file);
		free(names[i]);
	}
	free(names);
	free(own);
	return rc;
}
