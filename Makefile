# SPDX-License-Identifier: Apache-2.0
# Shopview. `make help` lists the targets.

VARIANT ?= release
B        = build/$(VARIANT)
PREFIX  ?= /usr/local
LIBDIR  ?= $(PREFIX)/lib
# systemd looks there when PREFIX is /usr or /usr/local, whatever LIBDIR is; with
# another, set UNITDIR to where it does look.
UNITDIR ?= $(PREFIX)/lib/systemd/system
DESTDIR ?=
VERSION := $(shell cat VERSION)

CC      ?= cc
CFLAGS  ?= -O2 -g
# A change in the flags or the compiler is a change of every object.
STD      = -std=c17 -D_POSIX_C_SOURCE=200809L
WARN     = -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes \
	   -Wmissing-prototypes -Wold-style-definition -Wpointer-arith \
	   -Wvla -Wwrite-strings -Wformat=2 -Werror=format-security
HARDEN   = -fstack-protector-strong -fstack-clash-protection -fcf-protection \
	   -fvisibility=hidden -fPIC
ifeq ($(DEV),1)
WARN    += -Werror
endif

ifeq ($(VARIANT),release)
HARDEN  += -D_FORTIFY_SOURCE=2
else ifeq ($(VARIANT),debug)
override CFLAGS := -Og -g3
else ifeq ($(VARIANT),asan)
override CFLAGS := -O1 -g -fno-omit-frame-pointer
SAN      = -fsanitize=address,undefined -fno-sanitize-recover=undefined
else ifeq ($(VARIANT),tsan)
override CFLAGS := -O1 -g -fno-omit-frame-pointer
SAN      = -fsanitize=thread
# In every program, see there.
SAN_O    = $(B)/tests/support/tsan/threads.o
else ifeq ($(VARIANT),fuzz)
override CC := clang
override CFLAGS := -O1 -g -fno-omit-frame-pointer
SAN      = -fsanitize=fuzzer-no-link,address,undefined \
	   -fno-sanitize-recover=undefined
else ifeq ($(VARIANT),clang)
override CC := clang
else
$(error VARIANT is one of release debug asan tsan fuzz clang, not '$(VARIANT)')
endif

CPPFLAGS_ALL = $(STD) -Iinclude -I. -DSHOPVIEW_VERSION='"$(VERSION)"' \
	       -DSHOPVIEW_LIBDIR='"$(LIBDIR)"' $(CPPFLAGS)
CFLAGS_ALL   = $(WARN) $(HARDEN) $(SAN) $(CFLAGS)
LDFLAGS_ALL  = -Wl,-z,relro,-z,now,-z,noexecstack $(SAN) $(LDFLAGS)

# Debian 12 names; a newer libmongoc calls itself mongoc2.
MONGOC      := $(shell pkg-config --exists mongoc2 2>/dev/null && echo mongoc2 || echo libmongoc-1.0)
PKG_LIB      = $(MONGOC) lmdb libconfuse jansson zlib libcrypto
PKG_PROJECTOR = rdkafka libevent
PKG_QUERYAPI = libevent libevent_pthreads libevent_openssl libssl
PKG_TESTS    = cmocka
CFLAGS_PKG  := $(shell pkg-config --cflags $(PKG_LIB) $(PKG_PROJECTOR) $(PKG_QUERYAPI) 2>/dev/null)
# The libraries' headers are not ours to lint.
CFLAGS_PKG  := $(patsubst -I%,-isystem %,$(CFLAGS_PKG))
LIBS_LIB    := $(shell pkg-config --libs $(PKG_LIB) 2>/dev/null) -lpthread -lm
LIBS_PROJECTOR := $(shell pkg-config --libs $(PKG_PROJECTOR) 2>/dev/null) -ldl
LIBS_QUERYAPI := $(shell pkg-config --libs $(PKG_QUERYAPI) 2>/dev/null)
LIBS_TESTS   = -lcmocka

# The template is compiled and tested, but is no projection that anybody runs.
PROJECTIONS := $(filter-out template,$(patsubst projections/%/,%,$(sort $(dir $(wildcard projections/*/*.c)))))
LIB_O       := $(patsubst %.c,$(B)/%.o,$(wildcard lib/*.c))
PROJECTOR_O := $(patsubst %.c,$(B)/%.o,$(filter-out projector/main.c,$(wildcard projector/*.c)))
QUERYAPI_O  := $(patsubst %.c,$(B)/%.o,$(filter-out queryapi/main.c,$(wildcard queryapi/*.c)))
MODULE_O    := $(patsubst %.c,$(B)/%.o,$(wildcard projections/*/*.c))
MODULES     := $(PROJECTIONS:%=$(B)/projections/%.so)
UNIT        := $(patsubst %.c,$(B)/%,$(wildcard tests/unit/test_*.c))
GOLDEN      := $(patsubst %.c,$(B)/%,$(wildcard tests/golden/test_*.c))
COMPONENT   := $(patsubst %.c,$(B)/%,$(wildcard tests/component/test_*.c))
SIM_O       := $(patsubst %.c,$(B)/%.o,$(wildcard tests/sim/*.c))
SIM         := $(B)/tests/sim/sim
FUZZ        := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_REPLAY := $(FUZZ:%=$(B)/tests/fuzz/%)
SUPPORT     := $(patsubst %.c,$(B)/%,$(wildcard tests/support/*.c))
# Each program of the benchmarks is one file; the rest is theirs together.
BENCH       := $(addprefix $(B)/tests/bench/,loadgen freshness baredriver barepath replaces)
BENCH_O     := $(filter-out $(BENCH:%=%.o),$(patsubst %.c,$(B)/%.o,$(wildcard tests/bench/*.c)))
# A module that no shop has, of tests/component/test_hazard.py.
HAZARD       = $(B)/tests/support/hazard/hazard.so
PROGRAMS     = $(B)/projector/projector $(B)/queryapi/queryapi

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all programs modules tests

ifneq ($(V),1)
Q = @
SAY = @printf '  %-5s %s\n'
else
SAY = @:
endif

all: programs modules ## Build both programs and the bundled projections
programs: $(PROGRAMS)
modules: $(MODULES)
tests: $(UNIT) $(GOLDEN) $(COMPONENT) $(SIM) $(FUZZ_REPLAY) $(SUPPORT) $(BENCH) $(HAZARD)

$(B)/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	$(SAY) CC $<
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_PKG) $(CFLAGS_ALL) $(SOURCE_HASH) -MMD -MP -c -o $@ $<

# A module carries the hash of its own sources into its generations.
$(B)/projections/%.o: SOURCE_HASH = -DPJ_SOURCE_HASH='"$(shell cat $(<D)/*.[ch] | sha256sum | cut -c1-64)"'

$(B)/flags: FORCE
	@pkg-config --exists --print-errors $(PKG_LIB) $(PKG_PROJECTOR) $(PKG_QUERYAPI) || \
		{ echo "libraries are missing: 'make deps-build' installs them" >&2; exit 1; }
	@mkdir -p $(B)
	@echo '$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL)' | cmp -s - $@ || \
		echo '$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL)' > $@
FORCE:

$(B)/lib.a: $(LIB_O)
$(B)/projector.a: $(PROJECTOR_O)
$(B)/queryapi.a: $(QUERYAPI_O)
$(B)/modules.a: $(MODULE_O)
$(B)/bench.a: $(BENCH_O)
$(B)/%.a:
	$(SAY) AR $@
	$(Q)rm -f $@ && ar rcs $@ $^

# The host exports exactly what abi.syms lists, all of it, to its modules.
EXPORT = -Wl,--dynamic-list=include/projector/abi.syms

$(B)/projector/projector: $(B)/projector/main.o $(SAN_O) $(B)/projector.a $(B)/lib.a include/projector/abi.syms
	$(SAY) LINK $@
	$(Q)$(CC) $(LDFLAGS_ALL) -pie $(EXPORT) -o $@ $< $(SAN_O) \
		-Wl,--whole-archive $(B)/projector.a -Wl,--no-whole-archive \
		$(B)/lib.a $(LIBS_PROJECTOR) $(LIBS_LIB)

$(B)/queryapi/queryapi: $(B)/queryapi/main.o $(SAN_O) $(B)/queryapi.a $(B)/lib.a
	$(SAY) LINK $@
	$(Q)$(CC) $(LDFLAGS_ALL) -pie -o $@ $^ $(LIBS_QUERYAPI) $(LIBS_LIB)

.SECONDEXPANSION:
$(B)/projections/%.so: $$(addprefix $(B)/,$$(addsuffix .o,$$(basename $$(wildcard projections/$$*/*.c))))
	$(SAY) MOD $@
	$(Q)$(CC) $(LDFLAGS_ALL) -shared -o $@ $^

$(HAZARD): $(HAZARD:.so=.o)
	$(SAY) MOD $@
	$(Q)$(CC) $(LDFLAGS_ALL) -shared -o $@ $^

# Tests link the product's own objects; the archives give what is asked for.
TEST_LIBS = $(B)/bench.a $(B)/modules.a $(B)/projector.a $(B)/queryapi.a $(B)/lib.a
TEST_LINK = $(CC) $(LDFLAGS_ALL) -o $@ $< $(SAN_O) $(TEST_EXTRA) \
	    -Wl,--start-group $(TEST_LIBS) -Wl,--end-group \
	    $(LIBS_TESTS) $(LIBS_PROJECTOR) $(LIBS_QUERYAPI) $(LIBS_LIB)
$(UNIT) $(GOLDEN) $(COMPONENT) $(SUPPORT) $(BENCH): %: %.o $(SAN_O) $(TEST_LIBS)
	$(SAY) LINK $@
	$(Q)$(TEST_LINK)

# The simulator: many files, one program.
$(SIM): $(SIM_O) $(SAN_O) $(TEST_LIBS)
	$(SAY) LINK $@
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $(SIM_O) $(SAN_O) \
		-Wl,--start-group $(TEST_LIBS) -Wl,--end-group \
		$(LIBS_PROJECTOR) $(LIBS_QUERYAPI) $(LIBS_LIB)

ifeq ($(VARIANT),fuzz)
$(FUZZ_REPLAY): SAN := -fsanitize=fuzzer,address,undefined
$(FUZZ_REPLAY): %: %.o $(TEST_LIBS)
	$(SAY) LINK $@
	$(Q)$(TEST_LINK)
else
# Without the fuzzer's engine: a main() that replays files.
$(FUZZ_REPLAY): TEST_EXTRA = $(B)/tests/fuzz/replay.o
$(FUZZ_REPLAY): %: %.o $(B)/tests/fuzz/replay.o $(SAN_O) $(TEST_LIBS)
	$(SAY) LINK $@
	$(Q)$(TEST_LINK)
endif

include projections/projections.mk
-include $(shell find $(B) build/analyze -name '*.d' 2>/dev/null)

# ---- For users ----------------------------------------------------------

# What is installed can only be seen by a make that starts afterwards.
AGAIN = @+$(MAKE) --no-print-directory

demo: deps-build ## The main job on sample events, no server needed (ONCE=1: check and leave)
	$(AGAIN) all
	@python3 tests/sample/demo.py $(B) $(if $(ONCE),--once)

stack: deps-test ## Start a real Kafka and MongoDB on loopback and print their addresses
	$(AGAIN) all tests
	@BUILD=$(B) tests/support/stack.sh start .stack

stack-down: ## Stop them
	@BUILD=$(B) tests/support/stack.sh stop .stack

UNITS = projector/shopview-projector.service queryapi/shopview-queryapi.service

install: all ## Install programs, modules, headers, units (DESTDIR, PREFIX, LIBDIR, UNITDIR)
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/include/projector \
		$(DESTDIR)$(LIBDIR)/shopview/projections $(DESTDIR)$(UNITDIR)
	install -m 755 $(PROGRAMS) $(DESTDIR)$(PREFIX)/bin
	install -m 644 include/projector/*.h $(DESTDIR)$(PREFIX)/include/projector
	install -m 755 $(MODULES) $(DESTDIR)$(LIBDIR)/shopview/projections
	install -m 644 $(UNITS) $(DESTDIR)$(UNITDIR)
	sed -i 's|^ExecStart=/usr/local/|ExecStart=$(PREFIX)/|' \
		$(addprefix $(DESTDIR)$(UNITDIR)/,$(notdir $(UNITS)))

uninstall: ## Remove exactly what install put there
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/bin/,$(notdir $(PROGRAMS))) \
		$(addprefix $(DESTDIR)$(UNITDIR)/,$(notdir $(UNITS))) \
		$(MODULES:$(B)/projections/%=$(DESTDIR)$(LIBDIR)/shopview/projections/%)
	rm -rf $(DESTDIR)$(PREFIX)/include/projector
	-rmdir $(DESTDIR)$(LIBDIR)/shopview/projections $(DESTDIR)$(LIBDIR)/shopview
	-rmdir --ignore-fail-on-non-empty $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/include \
		$(DESTDIR)$(UNITDIR) \
		$(patsubst %/system,$(DESTDIR)%,$(filter $(PREFIX)/lib/systemd/system,$(UNITDIR)))

# ---- For developers -----------------------------------------------------

deps-build: ## Install missing Debian packages needed to build and run
	@tests/support/deps.sh build
deps-test: ## The same for the tests
	@tests/support/deps.sh test

# NAME:BUDGET_SECONDS:COMMAND, added up by tests/support/run.py; a suite's
# output goes to build/logs/NAME.log.
SUITES = python3 tests/support/run.py build/logs
all_of = rc=0; for t in $(1); do $$t || rc=1; done; exit $$rc
replays = rc=0; $(foreach f,$(FUZZ),$(1)/tests/fuzz/$(f) tests/fuzz/corpus/$(f:fuzz_%=%) || rc=1;) exit $$rc
# Expected documents of real shops; without them, the sample's are used.
export SHOPVIEW_DATA ?= $(wildcard ../shared/data)
export BUILD = $(B)
# libmongoc keeps counters in /dev/shm/mongoc-PID, which a kill -9 leaves there;
# the next process of that number says so on stderr (docs/operations.md).
export MONGOC_DISABLE_SHM = 1

# Seeds of `make check`; `make test` runs 30,000 beside them.
SIM_CHECK = 700
# One suite per binary: two run at a time.
each_of = $(foreach t,$(2),'$(1)$(notdir $(t)):$(3):$(t)')
# These need a server: tests/integration/test_store_mongodb.py.
ALONE = $(foreach t,$(COMPONENT),$(if $(findstring /test_store_mongo,$(t)),,$(t)))
CHECKS = $(call each_of,,$(ALONE),180) \
	'unit:180:$(call all_of,$(UNIT))' \
	'sim-$(SIM_CHECK):240:$(SIM) --seeds $(SIM_CHECK)' \
	'golden:240:$(call all_of,$(GOLDEN))' \
	'corpora:60:$(call replays,$(B))' \
	$(foreach t,$(wildcard tests/support/test_*.py tests/component/test_*.py),\
		'$(basename $(notdir $(t))):300:python3 $(t)') \
	'layers:60:sh tests/support/check_layers.sh' \
	'abi:60:sh tests/support/check_abi.sh $(B)' \
	'format:240:tests/support/check_format.sh' \
	'docs:120:python3 tests/support/check_docs.py'

SAN_B = build/asan
SAN_RUN = $(patsubst $(B)/%,$(SAN_B)/%,$(1))
REAL = 'clang-build:600:$(MAKE) --no-print-directory VARIANT=clang DEV=1 all tests && echo 1 passed, 0 failed' \
	'asan-build:900:$(MAKE) --no-print-directory VARIANT=asan all tests && echo 1 passed, 0 failed' \
	, \
	$(call each_of,asan-,$(call SAN_RUN,$(ALONE)),300) \
	'asan-unit:240:$(call all_of,$(call SAN_RUN,$(UNIT)))' \
	'asan-golden:240:$(call all_of,$(call SAN_RUN,$(GOLDEN)))' \
	'asan-corpora:120:$(call replays,$(SAN_B))' \
	'sim-30000:600:$(SIM) --seeds 30000' \
	'sim-local-reads:300:$(SIM) --weakness local-reads --seeds 3000' \
	'sim-stale-reads:300:$(SIM) --weakness stale-reads --seeds 3000 --world an_old_primary_that_lives_on' \
	'asan-sim:600:$(call SAN_RUN,$(SIM)) --seeds 2000' \
	'new-projection:240:sh tests/support/test_new_projection.sh' \
	'demo:120:python3 tests/sample/demo.py $(B) --once && echo 1 passed, 0 failed' \
	'install:120:tests/support/test_install.sh' \
	$(foreach t,$(wildcard tests/integration/test_*.py),\
		'$(basename $(notdir $(t))):600:python3 $(t)') \
	$(foreach f,$(SHORT),'faults-$(f):600:python3 tests/faults/run.py --short $(f)')

# The fault drills; each family has servers of its own.
FAMILIES = $(shell python3 tests/faults/run.py --families)
SHORT = $(shell python3 tests/faults/run.py --families --short)
faults: deps-test ## Every fault drill on real servers (SEED=, TIMES=)
	$(AGAIN) all tests
	@$(SUITES) $(foreach f,$(FAMILIES),'faults-$(f):3600:python3 tests/faults/run.py \
		$(if $(SEED),--seed $(SEED)) $(if $(TIMES),--times $(TIMES)) $(f)')

check: deps-test ## Everything that needs no server (under 3 minutes)
	$(AGAIN) all tests
	@$(SUITES) $(CHECKS)

test: deps-test ## Everything, real Kafka and MongoDB included
	$(AGAIN) all tests
	@$(SUITES) $(CHECKS) $(REAL)

SEEDS ?= 10000
sim: deps-test ## The simulator of delivery (SEEDS=, SEED= with its schedule, WORLD=)
	$(AGAIN) $(SIM)
	@$(SIM) $(if $(SEED),--seed $(SEED),--seeds $(SEEDS)) $(if $(WORLD),--world $(WORLD))

mutants: deps-test ## Take each protection away: does its test notice? (NAME=)
	$(AGAIN) all tests
	@python3 tests/mutants/run.py $(NAME)

# docs/benchmarks.md says what it does; it is no part of `make test`.
bench-read: deps-test ## How fast the read API is, beside others (ONLY=, ROUNDS=, SECONDS=)
	$(AGAIN) all tests
	@python3 tests/bench/read.py $(if $(ONLY),--only $(ONLY)) $(if $(ROUNDS),--rounds $(ROUNDS)) \
		$(if $(SECONDS),--seconds $(SECONDS))

TSAN_B = build/tsan
TSAN_RUN = $(patsubst $(B)/%,$(TSAN_B)/%,$(1))
# A report of any process is a failure, also of one that is killed anyway.
TSAN_PY = rm -f build/logs/race.$(1).*; TSAN_OPTIONS=$$TSAN_OPTIONS:log_path=$(CURDIR)/build/logs/race.$(1) \
	BUILD=$(TSAN_B) python3 tests/component/$(1).py; rc=$$?; \
	cat build/logs/race.$(1).* 2>/dev/null && rc=1; exit $$rc
# It sleeps a second at every exit by default, and ends are timed.
tsan: export TSAN_OPTIONS = suppressions=$(CURDIR)/tests/support/tsan.supp:print_suppressions=0:halt_on_error=1:atexit_sleep_ms=50
tsan: deps-test ## Unit, golden and component tests under ThreadSanitizer
	$(AGAIN) VARIANT=tsan all tests
	@$(SUITES) $(call each_of,tsan-,$(call TSAN_RUN,$(ALONE)),600) \
		'tsan-golden:600:$(call all_of,$(call TSAN_RUN,$(GOLDEN)))' \
		'tsan-unit:600:$(call all_of,$(call TSAN_RUN,$(UNIT)))' \
		$(foreach t,$(basename $(notdir $(wildcard tests/component/test_*.py))),\
			'tsan-$(t):600:$(call TSAN_PY,$(t))')

FUZZ_SECONDS ?= 60
fuzz: deps-test ## Fuzz every parser for FUZZ_SECONDS each
	$(AGAIN) VARIANT=fuzz tests
	@for f in $(FUZZ); do mkdir -p build/corpus/$$f && \
		build/fuzz/tests/fuzz/$$f -max_total_time=$(FUZZ_SECONDS) \
		-print_final_stats=1 build/corpus/$$f \
		tests/fuzz/corpus/$${f#fuzz_} || exit 1; done

# Objects that nobody links: they are there when both found nothing.
ANALYZED = $(patsubst %.c,build/analyze/%.o,$(wildcard lib/*.c projector/*.c queryapi/*.c projections/*/*.c))
ANALYZER = -include tests/support/analyze.h
# It defines what the header is about.
build/analyze/lib/error.o: ANALYZER =
# gcc 12 does not know that 0 <= n; clang-tidy sees NULL arguments, too.
GCC_BLIND = -Wno-analyzer-null-argument
# gcc 12 takes what is kept behind x->outs[i] for lost; LSan looks, too.
build/analyze/projector/verb_export.o: GCC_BLIND += -Wno-analyzer-file-leak -Wno-analyzer-malloc-leak
build/analyze/%.o: %.c .clang-tidy Makefile tests/support/analyze.h
	@mkdir -p $(@D)
	$(SAY) TIDY $<
	$(Q)clang-tidy --quiet $< -- $(CPPFLAGS_ALL) $(CFLAGS_PKG) $(ANALYZER)
	$(Q)gcc $(CPPFLAGS_ALL) $(CFLAGS_PKG) $(WARN) -Werror -DPJ_SOURCE_HASH='""' $(ANALYZER) \
		-O1 -fanalyzer $(GCC_BLIND) -MMD -MP -c -o $@ $<

analyze: deps-test ## clang-tidy and gcc -fanalyzer; any finding is a failure
	$(AGAIN) -k analyzed
analyzed: $(ANALYZED)
.PHONY: analyzed

check-format: ## clang-format agrees
	@tests/support/check_format.sh
check-docs: all ## Generated documents are current, links and commands exist
	@python3 tests/support/check_docs.py
docs: all ## Regenerate what is generated in docs/
	@$(B)/projector/projector config --reference > docs/configuration.md
	@python3 tests/mutants/run.py --write docs/guarantees.md
	@python3 tests/faults/run.py --write docs/guarantees.md

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18
clean: ## Remove everything that was built
	rm -rf build
.PHONY: demo stack stack-down install uninstall deps-build deps-test check test sim mutants \
	bench-read faults tsan fuzz analyze check-format check-docs docs help clean FORCE
