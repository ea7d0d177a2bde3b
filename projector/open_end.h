/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether the log goes on beyond what may be read.
 *
 * A reader of committed records waits at the first open transaction (the last
 * stable offset). One that nobody ends holds back everything behind it for
 * good, and looks like an idle topic. So the time is taken for which reading
 * stands at one offset while the log has more.
 *
 * Pure: the time is handed in. One per partition, zeroed at first.
 */
#ifndef PROJECTOR_OPEN_END_H
#define PROJECTOR_OPEN_END_H

#include <stdint.h>

struct open_end {
	int64_t readable;      /* where reading stands */
	int64_t written;       /* how far the log goes */
	int64_t since_mono_ms; /* 0: nothing is held back */
	int64_t told_mono_ms;  /* 0: not told */
};

enum open_end_news {
	OPEN_END_NONE,
	OPEN_END_STANDS, /* for limit_ms by now; told every limit_ms */
	OPEN_END_MOVES,	 /* again, after that was told */
};

/*
 * written: next offset to be written, when everything below `readable` was
 * handed out and nothing else may be read; -1 else. limit_ms 0: nothing is
 * told.
 */
enum open_end_news
open_end_look(struct open_end *end, int64_t readable, int64_t written,
	      int64_t now_mono_ms, int64_t limit_ms);
/* For how long; 0: nothing is held back. */
int64_t
open_end_ms(const struct open_end *end, int64_t now_mono_ms);

#endif
