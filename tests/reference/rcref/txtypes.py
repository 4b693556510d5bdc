"""The rows of transaction types.  Document 20, "Transaction", "Types".

Types 0 and 1 are in force; any other is `tx-type`.
"""

from dataclasses import dataclass
from typing import Callable

from . import coinbase
from .codec import ParseError
from .lock import DATA, KEY
from .transaction import COINBASE, PAYMENT


@dataclass(frozen=True)
class Type:
    name: str
    inputs: Callable[[int], bool]        # numbers of inputs allowed
    outputs: Callable[[int], bool]
    makes: frozenset                     # kinds of lock
    spends: frozenset
    payload_parses: Callable[[bytes], bool]


def _coinbase_payload(payload: bytes) -> bool:
    try:
        coinbase.parse_payload(payload)
    except ParseError:
        return False
    return True


TYPES = {
    PAYMENT: Type(
        "payment",
        inputs=lambda n: n >= 1,
        outputs=lambda n: n >= 1,
        makes=frozenset((KEY, DATA)),
        spends=frozenset((KEY,)),        # and a BOND once released: document 50 adds it
        payload_parses=lambda payload: payload == b""),
    COINBASE: Type(
        "coinbase",
        inputs=lambda n: n == 0,
        outputs=lambda n: n >= 1,
        makes=frozenset((KEY, DATA)),
        spends=frozenset(),
        payload_parses=_coinbase_payload),
}
