/* SPDX-License-Identifier: Apache-2.0 */
/* Every module under projections/, linked in; made by
 * projections/projections.mk. */
#ifndef TESTS_GOLDEN_MODULES_TABLE_H
#define TESTS_GOLDEN_MODULES_TABLE_H

#include <projector/projection.h>

struct modules_row {
	const char *name; /* NULL ends the table */
	const struct pj_projection *(*entry)(void);
};

extern const struct modules_row modules_table[];

#endif
