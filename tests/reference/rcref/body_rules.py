"""The rules of a body that need no state.  Document 20, "Order of checks", second table."""

from .amount import SUPPLY_LIMIT
from .block import Block, parse_block
from .codec import ParseError
from .lock import DATA, kind
from .timelock import sequence_form_ok
from .transaction import COINBASE
from .txtypes import TYPES
from .verdict import OK, first_failure

BLOCK_SIZE_MAX = 32_000_000      # the greatest governed limit


def _root(block: Block) -> bool:
    return block.header.tx_root == block.tx_root()


def _coinbase(block: Block) -> bool:
    """The first transaction is type 1 and no other is."""
    first, *others = (t.type for t in block.transactions)
    return first == COINBASE and COINBASE not in others


BLOCK_RULES = (
    ("block-root-mismatch", _root),
    ("block-coinbase", _coinbase),
)

# Failures before this point belong to the message, not to the block id: the body wasn't shown to
# be the header's ("What is remembered, and under which name").
NOT_REMEMBERED = frozenset(("block-size-max", "block-parse", "block-root-mismatch"))


def _version(t) -> bool:
    return t.version == 1


def _type(t) -> bool:
    return t.type in TYPES


def _locks(t) -> bool:
    return all(kind(o.lock) in TYPES[t.type].makes for o in t.outputs)


def _input_count(t) -> bool:
    return TYPES[t.type].inputs(len(t.inputs))


def _output_count(t) -> bool:
    return TYPES[t.type].outputs(len(t.outputs))


def _amounts(t) -> bool:
    return (all(o.amount <= (0 if kind(o.lock) == DATA else SUPPLY_LIMIT) for o in t.outputs)
            and sum(o.amount for o in t.outputs) <= SUPPLY_LIMIT)


def _inputs_once(t) -> bool:
    return len({i.outpoint for i in t.inputs}) == len(t.inputs)


def _sequences(t) -> bool:
    return all(sequence_form_ok(i.sequence) for i in t.inputs)


def _lock_time_form(t) -> bool:
    return bool(t.inputs) or t.lock_time == 0


def _payload(t) -> bool:
    return TYPES[t.type].payload_parses(t.payload)


TRANSACTION_RULES = (
    ("tx-version", _version),
    ("tx-type", _type),
    ("tx-lock", _locks),
    ("tx-input-count", _input_count),
    ("tx-output-count", _output_count),
    ("amount-range", _amounts),
    ("tx-input-twice", _inputs_once),
    ("tx-sequence", _sequences),
    ("tx-lock-time-form", _lock_time_form),
    ("tx-payload", _payload),
)


def check_transaction(transaction) -> str:
    return first_failure(TRANSACTION_RULES, transaction)


def check_body(data: bytes):
    """(verdict, the block or None where it didn't parse)."""
    if len(data) > BLOCK_SIZE_MAX:
        return "block-size-max", None
    try:
        block = parse_block(data)
    except ParseError:
        return "block-parse", None
    return check_block(block), block


def check_block(block: Block) -> str:
    verdict = first_failure(BLOCK_RULES, block)
    if verdict != OK:
        return verdict
    earlier = set()
    for transaction in block.transactions:
        verdict = check_transaction(transaction)
        if verdict != OK:
            return verdict
        if transaction.txid in earlier:
            return "tx-twice"
        earlier.add(transaction.txid)
    return OK
