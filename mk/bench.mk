# Benchmarks: tests/bench/X.c with a main makes build/bench/X, linked with all of libcommon, the core of
# every daemon and tool, and the helpers of the unit tests; files without a main are what they share.

BENCH_SRC := $(shell grep -l '^int main\b' tests/bench/*.c)
BENCHES := $(BENCH_SRC:tests/bench/%.c=$(BUILD)/bench/%)
BENCH_HELP := $(BUILD)/lib/bench_help.a

$(BENCH_HELP): $(call obj,$(filter-out $(BENCH_SRC),$(wildcard tests/bench/*.c)))
	@mkdir -p $(@D)
	@rm -f $@
	$(call say,AR,$@)
	$(Q)ar rcs $@ $^

$(BUILD)/bench/%: $(BUILD)/obj/tests/bench/%.o $(BENCH_HELP) $(TEST_HELP) $(CORES) $(ALL_LIBS)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(ALL_LIBS) -lcmocka $(LDLIBS)

bench-programs: all $(BENCHES)

#: make bench        the benchmarks, as ratios; BENCH="name name" some of them, QUICK=1 a short trial
bench: deps
	@$(MAKE) --no-print-directory bench-programs
	@BUILD=$(BUILD) $(PYTHON) tests/bench/bench.py $(if $(QUICK),--quick) $(BENCH)

#: make bench-scale  how cost grows with size: build/bench/scale/*.csv and pictures
bench-scale: deps
	@$(MAKE) --no-print-directory bench-programs
	@BUILD=$(BUILD) $(PYTHON) tests/bench/bench.py --scale $(if $(QUICK),--quick) $(BENCH)

#: make bench-record puts the last runs' figures and pictures into tests/bench/RESULTS.md
bench-record:
	@BUILD=$(BUILD) $(PYTHON) tests/bench/record.py

.PHONY: bench-record bench bench-scale bench-programs

# What tests use too.
tests: $(BUILD)/bench/make_chain $(BUILD)/bench/feed $(BUILD)/bench/tx_peer
