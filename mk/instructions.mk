# Instructions of fixed work, counted under valgrind (tests/bench/instructions.py).

COUNTED := $(BUILD)/bench/counted
# What rpcd's handlers ask of chaind, and how many processors there are, is answered by counted.c.
COUNTED_WRAP := sysconf call_chaind call_deadline call_wait call_resume_any rc_service_network \
	rc_chaind_header rc_chaind_block known_header known_put_header known_body known_put_body

$(COUNTED): $(BUILD)/obj/tests/bench/counted.o $(BUILD)/lib/rpcd.a $(BUILD)/lib/utxod.a $(ALL_LIBS)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) $(COUNTED_WRAP:%=-Wl,--wrap=%) -o $@ $^ $(LDLIBS)

tests: $(COUNTED)

.PHONY: bench-instructions bench-instructions-record
#: make bench-instructions  count instructions of fixed work, compare with tests/bench/INSTRUCTIONS
bench-instructions: $(COUNTED)
	@BUILD=$(BUILD) $(PYTHON) tests/bench/instructions.py

#: make bench-instructions-record  write tests/bench/INSTRUCTIONS anew
bench-instructions-record: $(COUNTED)
	@BUILD=$(BUILD) $(PYTHON) tests/bench/instructions.py --record
