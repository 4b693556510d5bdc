"""Transactions and their three names.  Document 20, "Transaction"."""

from dataclasses import dataclass
from functools import cached_property

from .codec import Reader, compact_bytes, compact_list, u16, u32, u64
from .hashes import tagged
from .lock import read_lock

PAYMENT, COINBASE = 0, 1

INPUT_LEAST, OUTPUT_LEAST, ITEM_LEAST, TRANSACTION_LEAST = 40, 10, 1, 11

SEQUENCE_FINAL = 0xFFFF_FFFF


@dataclass(frozen=True)
class Input:
    prev_txid: bytes
    prev_index: int
    sequence: int

    @property
    def outpoint(self) -> tuple[bytes, int]:
        return (self.prev_txid, self.prev_index)

    def encode_outpoint(self) -> bytes:
        return self.prev_txid + u32(self.prev_index)

    def encode(self) -> bytes:
        return self.encode_outpoint() + u32(self.sequence)


@dataclass(frozen=True)
class Output:
    amount: int
    lock: bytes

    def encode(self) -> bytes:
        return u64(self.amount) + self.lock


@dataclass(frozen=True)
class Transaction:
    type: int
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    lock_time: int = 0
    payload: bytes = b""
    witness: tuple[tuple[bytes, ...], ...] = ()  # for each input its items
    version: int = 1

    @cached_property
    def base(self) -> bytes:
        """Everything before the witness."""
        return b"".join((
            u16(self.version), u16(self.type),
            compact_list([i.encode() for i in self.inputs]),
            compact_list([o.encode() for o in self.outputs]),
            u32(self.lock_time),
            compact_bytes(self.payload),
        ))

    @cached_property
    def witness_bytes(self) -> bytes:
        """One list of items an input, in input order, without a count before it."""
        return b"".join(compact_list([compact_bytes(item) for item in items])
                        for items in self.witness)

    def encode(self) -> bytes:
        return self.base + self.witness_bytes

    @cached_property
    def txid(self) -> bytes:
        return tagged("RC/txid", self.base)

    @cached_property
    def witness_hash(self) -> bytes:
        return tagged("RC/witness", self.witness_bytes)

    @cached_property
    def wtxid(self) -> bytes:
        return wtxid_of(self.txid, self.witness_hash)


def wtxid_of(txid: bytes, witness_hash: bytes) -> bytes:
    """A wtxid is a leaf of the block's Merkle tree."""
    return tagged("RC/merkle/leaf", txid + witness_hash)


def _read_input(reader: Reader) -> Input:
    return Input(reader.take(32), reader.u32(), reader.u32())


def _read_output(reader: Reader) -> Output:
    return Output(reader.u64(), read_lock(reader))


def _read_items(reader: Reader) -> tuple[bytes, ...]:
    return tuple(reader.compact_bytes() for _ in range(reader.count(ITEM_LEAST)))


def read_transaction(reader: Reader) -> Transaction:
    version, type_ = reader.u16(), reader.u16()
    inputs = tuple(_read_input(reader) for _ in range(reader.count(INPUT_LEAST)))
    outputs = tuple(_read_output(reader) for _ in range(reader.count(OUTPUT_LEAST)))
    lock_time = reader.u32()
    payload = reader.compact_bytes()
    witness = tuple(_read_items(reader) for _ in inputs)
    return Transaction(type_, inputs, outputs, lock_time, payload, witness, version)


def parse_transaction(data: bytes) -> Transaction:
    reader = Reader(data)
    transaction = read_transaction(reader)
    reader.finish()
    return transaction
