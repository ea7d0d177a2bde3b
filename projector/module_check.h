/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does a module's descriptor keep the contract of <projector/projection.h>?
 *
 * Checked once, when the module is loaded, so that nothing behind has to doubt
 * a table. A refusal is one line: file, field, what was expected, what found.
 */
#ifndef PROJECTOR_MODULE_CHECK_H
#define PROJECTOR_MODULE_CHECK_H

#include <projector/error.h>
#include <projector/projection.h>

/* Errors: CONFIG. */
int
module_check(const struct pj_projection *desc, const char *name,
	     const char *file, struct pj_error *err)
	__attribute__((warn_unused_result));

#endif
