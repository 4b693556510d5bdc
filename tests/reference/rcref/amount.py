"""Amounts, in oxides.  Document 20, "Conventions"."""

RUST = 100_000_000
SUPPLY_LIMIT = 84_000_000 * RUST  # L: every amount and every sum is at most this
