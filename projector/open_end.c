/* SPDX-License-Identifier: Apache-2.0 */
#include "projector/open_end.h"

enum open_end_news
open_end_look(struct open_end *end, int64_t readable, int64_t written,
	      int64_t now_mono_ms, int64_t limit_ms)
{
	if (written <= readable || readable != end->readable) {
		struct open_end was = *end;

		*end = (struct open_end){
			.readable = readable,
			.written = written,
			.since_mono_ms = written > readable ? now_mono_ms : 0};
		return was.told_mono_ms ? OPEN_END_MOVES : OPEN_END_NONE;
	}
	end->written = written;
	if (!end->since_mono_ms)
		end->since_mono_ms = now_mono_ms;
	if (limit_ms <= 0 ||
	    now_mono_ms - (end->told_mono_ms ? end->told_mono_ms
					     : end->since_mono_ms) <
		    limit_ms)
		return OPEN_END_NONE;
	end->told_mono_ms = now_mono_ms;
	return OPEN_END_STANDS;
}

int64_t
open_end_ms(const struct open_end *end, int64_t now_mono_ms)
{
	return end->since_mono_ms && now_mono_ms > end->since_mono_ms
		       ? now_mono_ms - end->since_mono_ms
		       : 0;
}
