/* SPDX-License-Identifier: Apache-2.0 */
/* The stock module twice, with other sources, on a store of the test's own. */
#ifndef TESTS_GENERATION_FIXTURE_H
#define TESTS_GENERATION_FIXTURE_H

#include <projector/contract.h>

#include "tests/support/store_fixture.h"
#include "projector/generation.h"

#define ON_LMDB(test)                                                          \
	cmocka_unit_test_setup_teardown(test, fixture_setup_lmdb,              \
					fixture_teardown)

const struct pj_projection *
pj_projection_stock(void);

struct code {
	struct pj_projection desc;
	struct module *mod;
};

static struct code mine, other; /* the same projection, other sources */

static inline void
code_make(struct code *code, const char *hash)
{
	struct pj_error err;

	code->desc = *pj_projection_stock();
	code->desc.source_hash = hash;
	if (module_adopt(&code->desc, "stock", "linked", NULL, &code->mod,
			 &err))
		fail_msg("%s", err.text);
}

static inline int
make_codes(void **state)
{
	(void)state;
	code_make(&mine, "1111");
	code_make(&other, "2222");
	return 0;
}

static inline int
free_codes(void **state)
{
	(void)state;
	module_free(mine.mod);
	module_free(other.mod);
	return 0;
}

static inline int32_t
attach_live(struct fixture *fx, struct lane *lane)
{
	memset(lane, 0, sizeof(*lane));
	OK(fx,
	   generation_attach_live(fx->ses, NULL, mine.mod, 5, lane, &fx->err));
	assert_ptr_equal(lane->mod, mine.mod);
	return lane->number;
}

static inline int32_t
attach_candidate(struct fixture *fx, const struct code *code, struct lane *lane,
		 int32_t *ret_live, bool *ret_resumed)
{
	memset(lane, 0, sizeof(*lane));
	OK(fx, generation_attach_candidate(fx->ses, NULL, code->mod, 5, lane,
					   ret_live, ret_resumed, &fx->err));
	return lane->number;
}

static inline struct store_live
live_of(struct fixture *fx)
{
	struct store_live live;

	OK(fx, generation_live(fx->ses, "stock", &live, &fx->err));
	return live;
}

static inline int32_t
live_number(struct fixture *fx)
{
	return live_of(fx).number;
}

static inline void
move_live(struct fixture *fx, int32_t from, int32_t to)
{
	bool moved;

	OK(fx, store_live_move(fx->ses, "stock", from, to, &moved, &fx->err));
	assert_true(moved);
}

static inline enum store_generation_state
state_of(struct fixture *fx, int32_t number)
{
	enum store_generation_state state = STORE_GEN_DROPPED;
	struct store_generation *rows;
	bool found = false;
	size_t n;

	OK(fx, store_generations(fx->ses, &rows, &n, &fx->err));
	for (size_t i = 0; i < n; i++)
		if (rows[i].number == number) {
			assert_false(found);
			found = true;
			state = rows[i].state;
		}
	assert_true(found);
	store_generations_free(rows, n);
	return state;
}

#endif
