"""Blocks in compact form, and the places of a block.  Document 40, "Messages"; rustycoin-p2p(7).

Not consensus: a node that rebuilds a block wrongly finds another tx_root, and fetches it whole.
"""

from dataclasses import dataclass

from .block import Block
from .codec import ParseError, Reader, compact_size, u64
from .hashes import sha256
from .header import Header, read_header
from .transaction import TRANSACTION_LEAST, Transaction, read_transaction

SHORT_ID_SIZE = 6
MASK = 2**64 - 1


def _rotate(value: int, by: int) -> int:
    return (value << by | value >> 64 - by) & MASK


def siphash(k0: int, k1: int, data: bytes) -> int:
    """SipHash-2-4 (Aumasson, Bernstein, 2012) with 64 bits of output."""
    a, b = k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D
    c, d = k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573

    def rounds(count):
        nonlocal a, b, c, d
        for _ in range(count):
            a, c = (a + b) & MASK, (c + d) & MASK
            b, d = _rotate(b, 13) ^ a, _rotate(d, 16) ^ c
            a = _rotate(a, 32)
            c, a = (c + b) & MASK, (a + d) & MASK
            b, d = _rotate(b, 17) ^ c, _rotate(d, 21) ^ a
            c = _rotate(c, 32)

    padded = data + bytes(-(len(data) + 1) % 8) + bytes([len(data) & 255])
    for at in range(0, len(padded), 8):
        word = int.from_bytes(padded[at:at + 8], "little")
        d ^= word
        rounds(2)
        a ^= word
    c ^= 0xFF
    rounds(4)
    return a ^ b ^ c ^ d


def keys(header: bytes, nonce: int) -> tuple[int, int]:
    digest = sha256(header + u64(nonce))
    return int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:16], "little")


def short_id(k0: int, k1: int, wtxid: bytes) -> bytes:
    return siphash(k0, k1, wtxid).to_bytes(8, "little")[:SHORT_ID_SIZE]


@dataclass(frozen=True)
class CompactBlock:
    header: Header
    nonce: int
    short_ids: tuple[bytes, ...]
    prefilled: tuple[tuple[int, Transaction], ...]      # (place, transaction), places ascending

    def encode(self) -> bytes:
        parts = [self.header.encode(), u64(self.nonce), compact_size(len(self.short_ids)),
                 *self.short_ids, compact_size(len(self.prefilled))]
        following = 0
        for place, transaction in self.prefilled:
            parts += [compact_size(place - following), transaction.encode()]
            following = place + 1
        return b"".join(parts)


def compact_of(block: Block, nonce: int, prefilled: tuple[int, ...] = (0,)) -> CompactBlock:
    """These places told in full, the others by their short ids."""
    k0, k1 = keys(block.header.encode(), nonce)
    return CompactBlock(
        block.header, nonce,
        tuple(short_id(k0, k1, t.wtxid) for i, t in enumerate(block.transactions)
              if i not in prefilled),
        tuple((i, block.transactions[i]) for i in prefilled))


def encode_places(places) -> bytes:
    following, parts = 0, []
    for place in places:
        parts.append(compact_size(place - following))
        following = place + 1
    return b"".join(parts)


def _read_place(reader: Reader, following: int, limit: int) -> int:
    place = following + reader.compact_size()
    if place >= limit:
        raise ParseError("a place that isn't there")
    return place


def parse_places(data: bytes, limit: int) -> list[int]:
    """At least one, each below the limit."""
    reader, places = Reader(data), []
    while reader.left() or not places:
        places.append(_read_place(reader, places[-1] + 1 if places else 0, limit))
    return places


def parse_compact(data: bytes, block_limit: int) -> CompactBlock:
    reader = Reader(data)
    header, nonce = read_header(reader), reader.u64()
    short_ids = tuple(reader.take(SHORT_ID_SIZE) for _ in range(reader.count(SHORT_ID_SIZE)))
    count = reader.count(1 + TRANSACTION_LEAST)
    prefilled: list[tuple[int, Transaction]] = []
    for _ in range(count):
        following = prefilled[-1][0] + 1 if prefilled else 0
        place = _read_place(reader, following, len(short_ids) + count)
        prefilled.append((place, read_transaction(reader)))
    reader.finish()
    if not prefilled or prefilled[0][0] != 0:
        raise ParseError("the first transaction isn't told")
    least = (len(header.encode()) + 1 + TRANSACTION_LEAST * len(short_ids)
             + sum(len(t.encode()) for _, t in prefilled))
    if least > block_limit:
        raise ParseError("no block of the network is that long")
    return CompactBlock(header, nonce, short_ids, tuple(prefilled))
