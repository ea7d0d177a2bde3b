/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hangul composed: the part of Unicode NFC that type names need.
 *
 * Some producers (macOS) spell 배달생성 as conjoining jamo. Only jamo and
 * syllables are looked at; every other character stays as it is.
 */
#ifndef PROJECTOR_HANGUL_H
#define PROJECTOR_HANGUL_H

#include <projector/event.h>

#include <stddef.h>

/* True when the text has a byte that a jamo could begin with. */
bool
hangul_may_compose(struct pj_str text);

/*
 * Writes the composed text (valid UTF-8 in and out, never longer than before)
 * to out, which has room for text.len bytes; returns its length.
 */
size_t
hangul_compose(struct pj_str text, char *out);

#endif
