"""Blocks: a header and its transactions.  Document 20, "Block"."""

from dataclasses import dataclass
from functools import cached_property

from .codec import ParseError, Reader, compact_list
from .header import Header, read_header
from .merkle import merkle_root
from .transaction import TRANSACTION_LEAST, Transaction, read_transaction


@dataclass(frozen=True)
class Block:
    header: Header
    transactions: tuple[Transaction, ...]

    @property
    def id(self) -> bytes:
        return self.header.id

    @property
    def height(self) -> int:
        return self.header.height

    @property
    def coinbase(self) -> Transaction:
        return self.transactions[0]

    def encode(self) -> bytes:
        return self.header.encode() + compact_list([t.encode() for t in self.transactions])

    @cached_property
    def size(self) -> int:
        """The whole encoding: header, count, transactions with witnesses."""
        return len(self.encode())

    def tx_root(self) -> bytes:
        """The root of what the block holds; its header says what it should be."""
        return merkle_root([t.wtxid for t in self.transactions])


def parse_block(data: bytes) -> Block:
    reader = Reader(data)
    header = read_header(reader)
    count = reader.count(TRANSACTION_LEAST)
    if count == 0:
        raise ParseError("a block without transactions")
    transactions = tuple(read_transaction(reader) for _ in range(count))
    reader.finish()
    return Block(header, transactions)
