# tests/net/tapwire makes build/net/tapwire: the switch with faults between network namespaces.

TAPWIRE_SRC := $(wildcard tests/net/tapwire/*.c)

$(BUILD)/net/tapwire: $(call obj,$(TAPWIRE_SRC))
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^

#: make tapwire      the switch between network namespaces with faults: build/net/tapwire
tapwire: $(BUILD)/net/tapwire

tests: tapwire

.PHONY: tapwire
