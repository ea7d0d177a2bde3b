/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of batch.h share; for batch*.c only. */
#ifndef PROJECTOR_BATCH_IMPL_H
#define PROJECTOR_BATCH_IMPL_H

#include "projector/batch.h"

/* The list a document with changes belongs to. */
enum entry_list
batch_dirty_list(const struct batch *bat, const struct entry *e);
/* Takes the unit into open_units, or out of them, as it stands. */
void
batch_track_unit(struct batch *bat, struct entry *e);
/* Its backlog may be folded. */
void
batch_mark_ready(struct batch *bat, struct entry *e);
void
batch_queue_row(struct batch *bat, struct parked_row *row);
void
batch_queue_unpark(struct batch *bat, struct queued *q);
/*
 * The document cannot be stored as it is. With several records in the flight,
 * they are folded again one per write; the one that is alone is the one to
 * park, unless it is parked by this very write: then the entry is stuck. Frees
 * the flight.
 */
void
batch_refuse(struct batch *bat, struct entry *e, struct flight *flight);
/* What was folded since the flight (or NULL) was made is as if it never was. */
void
batch_unfold(struct entry *e, struct flight *flight);
/* The document has to be loaded anew; what was folded is folded again. */
void
batch_reload(struct batch *bat, struct entry *e);
/* Lost and won, for rule 7. */
void
batch_lost(struct batch *bat, struct entry *e);
void
batch_won(struct batch *bat, struct entry *e);
/* Held back documents whose turn it is. */
void
batch_unhold(struct batch *bat);

#endif
