# The soak: a held load for a long time, by hand (tests/soak/soak.py says what).

#: make soak         an hour's load, watching for what creeps; MINUTES=n, QUESTIONS=n, PAYMENTS=n
soak: deps
	@$(MAKE) --no-print-directory all $(BUILD)/bench/tx_peer
	@BUILD=$(BUILD) $(PYTHON) tests/soak/soak.py $(if $(MINUTES),--minutes $(MINUTES)) \
		$(if $(QUESTIONS),--questions $(QUESTIONS)) $(if $(PAYMENTS),--payments $(PAYMENTS))

.PHONY: soak
