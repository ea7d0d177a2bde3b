/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/arena.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"

enum { BLOCK_BYTES = 256 * 1024 };

struct arena_block {
	struct arena_block *next;
	size_t size;
	alignas(max_align_t) char bytes[];
};

void *
arena_add(struct arena *arena, size_t size)
{
	struct arena_block *block = arena->blocks;
	size_t align = alignof(max_align_t);

	size = (size + align - 1) / align * align;
	if (!block || block->size - arena->used < size) {
		size_t room = size > BLOCK_BYTES ? size : BLOCK_BYTES;

		block = mem_alloc(sizeof(*block) + room);
		block->next = arena->blocks;
		block->size = room;
		arena->blocks = block;
		arena->used = 0;
	}
	arena->used += size;
	return memset(block->bytes + arena->used - size, 0, size);
}

struct pj_str
arena_str(struct arena *arena, struct pj_str s)
{
	char *copy;

	if (!s.ptr)
		return s;
	copy = arena_add(arena, s.len + 1);
	memcpy(copy, s.ptr, s.len);
	return (struct pj_str){copy, s.len};
}

char *
arena_text(struct arena *arena, const char *s)
{
	size_t len = strlen(s);

	return memcpy(arena_add(arena, len + 1), s, len);
}

void
arena_release(struct arena *arena)
{
	while (arena->blocks) {
		struct arena_block *block = arena->blocks;

		arena->blocks = block->next;
		free(block);
	}
	arena->used = 0;
}
