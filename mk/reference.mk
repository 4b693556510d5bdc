# The program that compares this implementation with tests/reference on random chains.

REPLAY_O := $(call obj,tests/reference/replay.c tests/unit/mini_chain.c tests/unit/mini_proof.c \
	tests/unit/hash_choice.c)

$(BUILD)/tests/replay: $(REPLAY_O) $(PURE_LIBS)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LDLIBS)

tests: $(BUILD)/tests/replay
