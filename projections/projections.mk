# SPDX-License-Identifier: Apache-2.0
# Golden tests link every module in, the template too, through a table of them.

GOLDEN_MODULES = $(PROJECTIONS) template

$(B)/modules_table.c: FORCE
	@mkdir -p $(@D)
	@{ \
		echo '/* Made by projections/projections.mk. */'; \
		echo '#include "tests/golden/modules_table.h"'; \
		for m in $(GOLDEN_MODULES); do \
			echo "const struct pj_projection *pj_projection_$$m(void);"; \
		done; \
		echo 'const struct modules_row modules_table[] = {'; \
		for m in $(GOLDEN_MODULES); do \
			echo "	{\"$$m\", pj_projection_$$m},"; \
		done; \
		echo '	{0, 0},'; \
		echo '};'; \
	} > $@.tmp
	@cmp -s $@.tmp $@ || cp $@.tmp $@
	@rm -f $@.tmp

$(B)/modules_table.o: $(B)/modules_table.c $(B)/flags
	$(SAY) CC $<
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

GOLDEN_O = $(B)/tests/golden/golden_case.o $(B)/modules_table.o
$(GOLDEN): TEST_EXTRA = $(GOLDEN_O)
$(GOLDEN): $(GOLDEN_O)

# The loader's tests open real modules; linking the same ones in brings what
# they import, and the list exports it.
$(B)/tests/unit/test_module: TEST_EXTRA = $(EXPORT) $(B)/modules_table.o
$(B)/tests/unit/test_module: $(B)/modules_table.o $(MODULES)

check-golden: $(GOLDEN) ## Replay golden cases (CASE=stock/ordinary: some)
	$(Q)$(B)/tests/golden/test_golden $(CASE)

new-projection: ## Copy the template: make new-projection NAME=x
	@sh tests/support/new_projection.sh '$(NAME)'

check-new-projection: all ## Make one in a copy of the tree, test and serve it
	@sh tests/support/test_new_projection.sh $(B)

check-layers: ## Who may include whom
	@sh tests/support/check_layers.sh

check-abi: all ## Exports, headers and imports are include/projector/abi.syms
	@sh tests/support/check_abi.sh $(B)

.PHONY: check-golden new-projection check-new-projection check-layers check-abi
