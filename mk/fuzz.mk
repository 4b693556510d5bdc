# Fuzz targets: tests/fuzz/fuzz_X.c (one LLVMFuzzerTestOneInput each) make build/fuzz/fuzz_X, with
# everything of ours compiled by clang under AddressSanitizer and UndefinedBehaviorSanitizer.
# tests/fuzz/corpus/X/ holds its first inputs, if there; what a run finds goes to build/fuzz/corpus.

FUZZ_SAN := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
FUZZ_CFLAGS = $(filter-out -O2,$(CFLAGS_ALL)) -O1 -fno-omit-frame-pointer $(FUZZ_SAN)
SECONDS_EACH := $(if $(filter command line environment,$(origin SECONDS)),$(SECONDS),10)

fuzz_obj = $(patsubst %.c,build/fuzz/obj/%.o,$(1))
FUZZ_OURS := $(foreach l,$(LAYERS),$(call layer_src,$(l))) \
	$(foreach d,$(DAEMONS) $(TOOLS),$(call core_src,$(d)))
FUZZ_LIB := build/fuzz/libours.a

#: make fuzz         build the fuzz targets (clang) into build/fuzz
fuzz: $(FUZZERS)

#: make fuzz-run     run each fuzz target for SECONDS=n (10)
fuzz-run: fuzz
	@$(PYTHON) tests/fuzz/test_fuzz.py --seconds $(SECONDS_EACH)

#: make fuzz-campaign  each fuzz target until it has had MINUTES=n (10) of processor time in all
fuzz-campaign: fuzz
	@$(PYTHON) tests/fuzz/campaign.py --minutes $(or $(MINUTES),10)

build/fuzz/obj/gen/%.o: $(BUILD)/gen/%.c
	@mkdir -p $(@D)
	clang $(filter-out $(WARN),$(FUZZ_CFLAGS)) -c $< -o $@

build/fuzz/obj/%.o: %.c | $(GEN_H)
	@mkdir -p $(@D)
	clang $(FUZZ_CFLAGS) -MMD -MP -c $< -o $@

$(FUZZ_LIB): $(call fuzz_obj,$(FUZZ_OURS)) $(GEN_C:$(BUILD)/gen/%.c=build/fuzz/obj/gen/%.o)
	@rm -f $@
	ar rcs $@ $^

build/fuzz/fuzz_%: build/fuzz/obj/tests/fuzz/fuzz_%.o $(FUZZ_LIB)
	clang -fsanitize=fuzzer,address,undefined -o $@ $^ $(LDLIBS)

.PHONY: fuzz-run fuzz-campaign
-include $(shell find build/fuzz/obj -name '*.d' 2>/dev/null)
