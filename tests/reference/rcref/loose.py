"""A transaction outside a block, judged for a block at tip + 1.

Document 20, "Order of checks", last paragraph, and "Locks in time", last line.
"""

from . import body_rules, state_rules
from .codec import ParseError
from .sighash import SignedTransaction
from .transaction import COINBASE, parse_transaction
from .verdict import OK
from .witness_rules import check_witnesses


def judge_loose(network, state, tip_mtp: int, data: bytes) -> str:
    """The verdict on the state after the tip; the pool's other transactions play no part."""
    try:
        transaction = parse_transaction(data)
    except ParseError:
        return "tx-parse"
    if transaction.type == COINBASE:
        return "tx-coinbase"
    verdict = body_rules.check_transaction(transaction)
    if verdict != OK:
        return verdict
    view = state_rules.View(network, state, state.height + 1, tip_mtp)
    verdict, coins = state_rules.check_transaction(view, transaction)
    if verdict != OK:
        return verdict
    return check_witnesses(SignedTransaction(network.id, transaction, tuple(coins)))
