# tests/disk/badcall.c makes build/disk/badcall.so: a library to preload that makes calls fail.

$(BUILD)/disk/badcall.so: tests/disk/badcall.c
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(filter-out $(SAN_$(SAN)),$(CFLAGS_ALL)) -fPIC -shared -o $@ $< -ldl

#: make badcall      the library that makes a program's input/output calls fail: build/disk/badcall.so
badcall: $(BUILD)/disk/badcall.so

tests: badcall

.PHONY: badcall
