# The daemons with named points at which a test ends them (libcommon/base/test_point.h), under build/points.
# What mentions a point is compiled once more; everything else is the ordinary build's.

TEST_POINTS ?=
POINTS := $(BUILD)/points
POINTED := $(shell grep -lE 'base/test_point\.h' $(wildcard libcommon/*/*.c daemons/*/*.c))
points_obj = $(foreach f,$(1),$(if $(filter $(f),$(POINTED)),$(POINTS),$(BUILD))/obj/$(f:.c=.o))
POINT_BINS := $(DAEMONS:%=$(POINTS)/bin/%)

$(POINTS)/obj/%.o: %.c | $(GEN_H)
	@mkdir -p $(@D)
	$(call say,CC,'$< (points)')
	$(Q)$(CC) $(CFLAGS_ALL) -DTEST_POINTS=1 $(FILE_CFLAGS_$(subst /,_,$*)) -MMD -MP -c $< -o $@

# Objects with points come before the archives, which give what is missing then.
$(POINTS)/bin/%: $(call points_obj,$(filter libcommon/%,$(POINTED))) $(ALL_LIBS)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LDLIBS)

$(foreach d,$(DAEMONS),$(eval $(POINTS)/bin/$(d): $(call points_obj,$(wildcard daemons/$(d)/*.c))))

#: make points       the daemons with named points for tests to kill them at: build/points/bin
points: $(POINT_BINS)

# make TEST_POINTS=1 builds them beside everything else.
$(if $(TEST_POINTS),$(eval all: points))
$(if $(SAN),,$(eval tests: points))

.PHONY: points
-include $(shell find $(POINTS)/obj -name '*.d' 2>/dev/null)
