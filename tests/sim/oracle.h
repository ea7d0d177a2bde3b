/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must hold of a world, worked out without the core.
 *
 * With every version that a majority holds for good (oracle.c):
 *	I2  revisions and positions of documents never go back
 *	I3  no checkpoint passes a record that is neither in a document, nor
 *	    parked by a marker whose rows are there, nor without effect
 *	I4  checkpoints and epochs never go back
 *	I5  no reader goes back when another generation takes over (promoter.c)
 *	I7  a queue only grows behind and shrinks in front; nothing of its
 *	    source is applied while it is there
 * At rest (verdict.c):
 *	I1  documents are what folding record after record makes of them
 *	I6  what is neither in them nor skipped is parked, with a reason
 *	I9  everything has reached the end
 */
#ifndef TESTS_SIM_ORACLE_H
#define TESTS_SIM_ORACLE_H

#include "tests/sim/world.h"

struct oracle;

struct oracle *
oracle_new(struct world *w);
void
oracle_free(struct oracle *oracle);
void
oracle_check_end(struct oracle *oracle);

#endif
