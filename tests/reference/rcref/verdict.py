"""Every rule's code, in the order of document 20, "Order of checks", with its class.

A verdict is `OK` or the code of the *first* failing rule.  The rules themselves are tables of
(code, function) in header_rules, body_rules, state_rules and witness_rules; a test compares the
order there with the order here.
"""

from typing import Callable, Iterable, NamedTuple

OK = "ok"

INVALID = "invalid"   # a rule is provably broken
UNKNOWN = "unknown"   # cannot be told yet; never remembered


class Row(NamedTuple):
    code: str
    cls: str = INVALID


HEADER = (
    Row("header-version"),
    Row("header-genesis"),
    Row("header-bits"),
    Row("header-work"),
    Row("header-parent-unknown", UNKNOWN),
    Row("header-parent-invalid"),
    Row("header-height"),
    Row("header-difficulty"),
    Row("header-time-past"),
    Row("header-time-future", UNKNOWN),
)

BODY = (
    Row("block-size-max"),
    Row("block-parse"),
    Row("block-root-mismatch"),
    Row("block-coinbase"),
    # transaction by transaction:
    Row("tx-version"),
    Row("tx-type"),
    Row("tx-lock"),
    Row("tx-input-count"),
    Row("tx-output-count"),
    Row("amount-range"),
    Row("tx-input-twice"),
    Row("tx-sequence"),
    Row("tx-lock-time-form"),
    Row("tx-payload"),
    Row("tx-twice"),
)

STATE = (
    Row("block-state-root"),
    Row("block-size"),
    Row("coinbase-height"),
    Row("coinbase-lock"),
    # transaction by transaction, input by input:
    Row("tx-input-missing"),
    Row("tx-input-immature"),
    Row("tx-input-lock"),
    # after a transaction's inputs:
    Row("tx-lock-time"),
    Row("tx-relative-lock"),
    Row("amount-range"),
    Row("tx-overspend"),
    # after all transactions:
    Row("amount-range"),
    Row("block-budget"),
    Row("coinbase-masternode"),
    Row("coinbase-treasury"),
    Row("coinbase-amount"),
)

WITNESS = (
    Row("witness-empty"),
    Row("witness-form"),
    Row("sig-encoding"),
    Row("sig-invalid"),
    Row("control-size"),
    Row("control-version"),
    Row("policy-size"),
    Row("control-key"),
    Row("policy-commitment"),
    Row("policy-opcode"),
    Row("policy-form"),
    # evaluation, in the order in which the nodes are met:
    Row("policy-arguments"),
    Row("policy-count"),
    Row("policy-lock"),
    Row("policy-preimage"),
    Row("policy-choice"),
)

LOOSE = (
    Row("tx-parse"),
    Row("tx-coinbase"),
)

LOOSE_UNKNOWN = frozenset(
    ("tx-input-missing", "tx-input-immature", "tx-lock-time", "tx-relative-lock"))

CODES = frozenset(row.code for table in (HEADER, BODY, STATE, WITNESS, LOOSE) for row in table)
UNKNOWN_CODES = frozenset(row.code for row in HEADER if row.cls == UNKNOWN)

# Rules that no short chain of transaction types 0 and 1 can break.
UNREACHABLE = {
    "block-size-max": "a block of more than 32,000,000 bytes is for a unit test",
    "tx-input-lock": "a coin of kind BOND can't be made by types 0 and 1",
    "witness-form": "the same",
    "coinbase-masternode": "no masternode exists, so no output is asked for",
    "coinbase-treasury": "no payment is ever due, so no output is asked for",
}


class Refused(Exception):
    """A rule failed; carries its code."""

    def __init__(self, code: str):
        super().__init__(code)
        self.code = code


def require(condition: bool, code: str) -> None:
    if not condition:
        raise Refused(code)


def first_failure(rules: Iterable[tuple[str, Callable]], *context) -> str:
    """The code of the first rule that doesn't hold, or OK."""
    for code, holds in rules:
        if not holds(*context):
            return code
    return OK
