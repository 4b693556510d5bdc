#: make man-tables   write the tables of the manual pages that are made from the code's
man-tables: all
	@BUILD=$(BUILD) $(PYTHON) tests/unit/test_man_tables.py --write

.PHONY: man-tables
