# Coverage of libcommon/consensus by its own tests, with gcov.

COVER_TESTS := test_address test_bip341 test_chain_vectors test_consensus_vectors test_crowd test_extra_vectors \
	test_lock_vectors test_network test_rules test_types test_verdicts
COVER_DIR := build/cov
COVER_MAKE = $(MAKE) --no-print-directory SAN=cov SAN_cov='--coverage -O0'

#: make coverage     lines and branches of libcommon/consensus that its tests reach; fails under 95 % and 85 %
coverage:
	@find $(COVER_DIR) -name '*.gcda' -delete 2>/dev/null || true
	@$(COVER_MAKE) -s cover-run
	@$(PYTHON) tests/coverage.py $(COVER_DIR) libcommon/consensus:95:85 libcommon/types

COVER_HELP_O := $(call obj,tests/unit/rc_test.c $(wildcard tests/unit/mini_*.c))
COVER_PROGRAMS := $(COVER_TESTS:%=$(BUILD)/cover/%)

$(BUILD)/cover/%: $(BUILD)/obj/tests/unit/%.o $(COVER_HELP_O) $(ALL_LIBS)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(ALL_LIBS) -lcmocka $(LDLIBS)

.PHONY: cover-run
cover-run: $(COVER_PROGRAMS) $(BUILD)/tests/replay
	@for t in $(COVER_PROGRAMS); do $$t >/dev/null 2>&1 || { echo "$$t failed"; exit 1; }; done
	@BUILD=$(BUILD) RC_RUN=coverage RC_TEST_SEED=1 $(PYTHON) tests/reference/test_differential.py \
		>/dev/null 2>&1 || { echo "the differential test failed"; exit 1; }
