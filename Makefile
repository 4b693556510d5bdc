# Rusty Coin. `make help` lists the targets. Everything is built under build/, never in the tree.
#
# A file is found by its folder: libcommon/LAYER/*.c make lib/librc_LAYER.a; daemons/NAME/*.c make
# bin/NAME, all of them but main.c also lib/NAME.a (the daemon's core, which tests link);
# tools/NAME/*.c the same; proto/*.proto are generated into build/gen; tests/unit/test_X.c
# make tests/test_X; tests/fuzz/fuzz_X.c make fuzz/fuzz_X (clang, libFuzzer).
#
# SAN=asan or SAN=tsan builds into build/asan or build/tsan with that sanitizer; TEST_POINTS=1 builds
# the daemons with points at which tests kill them, too (mk/points.mk).

SAN ?=
# V=1 shows whole commands.
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-5s %s\n' $(1) $(2))
BUILD := build$(if $(SAN),/$(SAN))
CC ?= gcc
PREFIX ?= /usr
DESTDIR ?=
PYTHON := /usr/bin/python3

VERSION := 0.1.0
# A layer uses only those before it (style.md, "Layers of libcommon").
LAYERS := base crypto types link consensus store bus service client
DAEMONS := $(notdir $(wildcard daemons/*))
TOOLS := $(notdir $(wildcard tools/*))

PKGS := libsecp256k1 libzmq libprotobuf-c jansson libsystemd inih libmicrohttpd libcrypto
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
LDLIBS := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lrocksdb -lpthread -lm

SAN_asan := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
SAN_tsan := -fsanitize=thread -fno-omit-frame-pointer
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Werror
CFLAGS_ALL := -std=gnu11 -D_GNU_SOURCE -O2 -g $(WARN) -fno-strict-aliasing -fstack-protector-strong \
	-DOPENSSL_API_COMPAT=0x10100000L -DRC_VERSION='"$(VERSION)"' \
	-Ilibcommon -I$(BUILD)/gen -I. $(PKG_CFLAGS) $(SAN_$(SAN)) $(CFLAGS)
LDFLAGS_ALL := $(SAN_$(SAN)) $(LDFLAGS)
# The stack that ASan keeps for returned functions is not aligned for 64-byte vectors (GCC bug 110027).
FILE_CFLAGS_libcommon_crypto_sha256_lanes_avx512 := $(if $(filter asan,$(SAN)),--param=asan-use-after-return=0)

# ---- what there is ----
PROTOS := $(wildcard proto/*.proto)
GEN_C := $(PROTOS:proto/%.proto=$(BUILD)/gen/proto/%.pb-c.c)
GEN_H := $(GEN_C:.c=.h)
GEN_O := $(GEN_C:$(BUILD)/gen/%.c=$(BUILD)/obj/gen/%.o)

layer_src = $(wildcard libcommon/$(1)/*.c)
obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))

USED_LAYERS := $(foreach l,$(LAYERS),$(if $(call layer_src,$(l)),$(l)))
LAYER_LIBS := $(USED_LAYERS:%=$(BUILD)/lib/librc_%.a)
PROTO_LIB := $(if $(PROTOS),$(BUILD)/lib/librc_proto.a)
# Layers use each other downwards only, so listing them upside down resolves everything.
reverse = $(if $(1),$(call reverse,$(wordlist 2,99,$(1))) $(firstword $(1)))
ALL_LIBS := $(call reverse,$(LAYER_LIBS)) $(PROTO_LIB)
# What consensus may link with: no I/O, no bus, no database (checked by tests/unit/test_pure.sh).
PURE_LIBS := $(call reverse,$(filter %base.a %crypto.a %types.a %consensus.a,$(LAYER_LIBS)))

core_src = $(filter-out %/main.c,$(wildcard daemons/$(1)/*.c tools/$(1)/*.c))
CORES := $(foreach d,$(DAEMONS) $(TOOLS),$(if $(call core_src,$(d)),$(BUILD)/lib/$(d).a))
# A folder without a main.c yet is a core alone.
BINS := $(patsubst daemons/%/main.c,$(BUILD)/bin/%,$(wildcard daemons/*/main.c)) \
	$(patsubst tools/%/main.c,$(BUILD)/bin/%,$(wildcard tools/*/main.c))

UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/test_*.c))
TEST_HELP_SRC := $(filter-out tests/unit/test_%,$(wildcard tests/unit/*.c))
TEST_HELP := $(BUILD)/lib/test_help.a
FUZZERS := $(patsubst tests/fuzz/%.c,build/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))

.PHONY: all help deps clean lint check check-quick check-units fuzz coverage install uninstall
.SECONDARY:
.DELETE_ON_ERROR:

all: $(BINS) $(LAYER_LIBS) $(PROTO_LIB) $(CORES)

help:
	@sed -n 's/^#: //p' $(firstword $(MAKEFILE_LIST)) $(wildcard mk/*.mk)

#: make              build everything into build/bin
#: make deps         install the Debian packages of packages.txt that are missing (root)
deps:
	@tests/deps.sh

$(BUILD)/gen/proto/%.pb-c.c $(BUILD)/gen/proto/%.pb-c.h &: proto/%.proto
	@mkdir -p $(BUILD)/gen/proto
	$(call say,PROTO,$<)
	$(Q)protoc-c --c_out=$(BUILD)/gen proto/$*.proto

# Generated code has its own idea of warnings.
$(BUILD)/obj/gen/%.o: $(BUILD)/gen/%.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(filter-out $(WARN),$(CFLAGS_ALL)) -c $< -o $@

$(BUILD)/obj/%.o: %.c | $(GEN_H)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CFLAGS_ALL) $(FILE_CFLAGS_$(subst /,_,$*)) -MMD -MP -c $< -o $@

$(BUILD)/lib/librc_proto.a: $(GEN_O)
	@mkdir -p $(@D)
	@rm -f $@
	$(call say,AR,$@)
	$(Q)ar rcs $@ $^

define layer_rule
$(BUILD)/lib/librc_$(1).a: $(call obj,$(call layer_src,$(1)))
	@mkdir -p $$(@D)
	@rm -f $$@
	$$(call say,AR,$$@)
	$$(Q)ar rcs $$@ $$^
endef
$(foreach l,$(USED_LAYERS),$(eval $(call layer_rule,$(l))))

define program_rule
$(if $(call core_src,$(1)),$(BUILD)/lib/$(1).a: $(call obj,$(call core_src,$(1)))
	@mkdir -p $$(@D)
	@rm -f $$@
	$$(call say,AR,$$@)
	$$(Q)ar rcs $$@ $$^)
$(BUILD)/bin/$(1): $(call obj,$(wildcard daemons/$(1)/main.c tools/$(1)/main.c)) $(if $(call core_src,$(1)),$(BUILD)/lib/$(1).a) $(ALL_LIBS)
	@mkdir -p $$(@D)
	$$(call say,LD,$$@)
	$$(Q)$(CC) $(LDFLAGS_ALL) -o $$@ $$^ $(LDLIBS)
endef
$(foreach d,$(DAEMONS) $(TOOLS),$(eval $(call program_rule,$(d))))

# An archive: each test links the helpers it names, and all of them hash_choice.c.
$(TEST_HELP): $(call obj,$(TEST_HELP_SRC))
	@mkdir -p $(@D)
	@rm -f $@
	$(call say,AR,$@)
	$(Q)ar rcs $@ $^

$(BUILD)/tests/%: $(BUILD)/obj/tests/unit/%.o $(TEST_HELP) $(CORES) $(ALL_LIBS)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -Wl,-u,hash_choice -o $@ $^ $(ALL_LIBS) -lcmocka $(LDLIBS)

tests: $(UNIT_TESTS)

#: make check-units  unit tests and published vectors
check-units: all tests
	@BUILD=$(BUILD) $(PYTHON) tests/run.py units

#: make check-quick  units, vectors, one functional run: under 3 minutes, at every commit
check-quick: all tests
	@BUILD=$(BUILD) $(PYTHON) tests/run.py quick

#: make check        install what is missing, build, pass every test
check: deps
	@$(MAKE) --no-print-directory check-all

check-all: all tests
	@BUILD=$(BUILD) $(PYTHON) tests/run.py all

#: make lint         layout, house rules, shell scripts, manual pages
lint:
	@tests/lint.sh

#: make clean        remove build/
clean:
	rm -rf build

-include mk/*.mk
-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
