# tests/sim makes build/sim/sim: a network of nodes in one process (tests/sim/README.md). The daemons
# are linked whole, with main() under another name and what stands for the system in its place.

comma := ,
SIM_O := $(call obj,$(wildcard tests/sim/*.c) tests/unit/mini_chain.c)
# What replaces a file of the daemons' libraries is found before the library is looked at; what
# replaces system calls, and where checks look in, are these.
SIM_WRAP := open close read pread write pwrite fstat stat fsync fdatasync rename unlink truncate \
	ftruncate flock mkdir chmod fchmod access scandir getpid _exit getgrnam pthread_sigmask pthread_create \
	pthread_cond_wait \
	rc_schnorr_verify rc_point_from_secret rc_ecdh \
	chaind_enter chaind_close engine_open engine_close peerd_start peerd_free
# daemons/DAEMON without what tests/sim replaces.
sim_core = $(call obj,$(filter-out %/sockets.c %/crew.c,$(wildcard daemons/$(1)/*.c)))
# Names that two daemons use, each for its own.
SIM_RENAME_peerd := --redefine-sym connect_init=peerd_connect_init \
	--redefine-sym connect_done=peerd_connect_done

define sim_daemon
$(BUILD)/sim/$(1).o: $(call sim_core,$(1))
	@mkdir -p $$(@D)
	$(Q)ld -r $(addprefix --wrap=,$(filter chaind_% engine_% peerd_%,$(SIM_WRAP))) -o $$@.tmp $$^
	$(Q)objcopy --redefine-sym main=$(1)_main $(SIM_RENAME_$(1)) $$@.tmp $$@
	@rm -f $$@.tmp
endef
$(foreach d,utxod chaind peerd,$(eval $(call sim_daemon,$(d))))

$(BUILD)/sim/sim: $(SIM_O) $(BUILD)/sim/utxod.o $(BUILD)/sim/chaind.o $(BUILD)/sim/peerd.o $(ALL_LIBS)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) $(addprefix -Wl$(comma)--wrap=,$(SIM_WRAP)) -o $@ $^ $(LDLIBS)


tests: $(BUILD)/sim/sim

#: make sim          10,000 seeds of the simulation, 20 of 200 nodes and 200 eclipses; may be stopped,
#:                   goes on; prints the rows for tests/RECORD.md (SEED=1 COUNT=10000 LARGE=20
#:                   ECLIPSES=200 JOBS=1)
sim: $(BUILD)/sim/sim
	@BUILD=$(BUILD) $(PYTHON) tests/sim/campaign.py $(if $(SEED),--first $(SEED)) \
		$(if $(COUNT),--mixed $(COUNT)) $(if $(LARGE),--large $(LARGE)) \
		$(if $(ECLIPSES),--eclipse $(ECLIPSES)) $(if $(JOBS),--jobs $(JOBS))

.PHONY: sim
