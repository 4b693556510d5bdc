#: make devnet       build, run three nodes on this host, pay, show it working
devnet: deps
	@$(MAKE) --no-print-directory -j$$(nproc) all
	@mk/devnet.sh $(BUILD)/bin

.PHONY: devnet
