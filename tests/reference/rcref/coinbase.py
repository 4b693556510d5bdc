"""The coinbase's payload.  Document 20, "Coinbase"."""

from dataclasses import dataclass

from .codec import ParseError, Reader, u8, u32

FINALITY_LOCK_SIZE = 4 + 32 + 32 + 64   # height, block id, quorum id, signature
FREE_MAX = 64


@dataclass(frozen=True)
class CoinbasePayload:
    height: int
    finality_lock: bytes   # 132 bytes, or empty
    free: bytes


def encode_payload(height: int, free: bytes = b"", finality_lock: bytes = b"") -> bytes:
    lock = u8(1) + finality_lock if finality_lock else u8(0)
    return u32(height) + lock + u8(len(free)) + free


def parse_payload(data: bytes) -> CoinbasePayload:
    """Form alone: a well formed finality lock parses, and is refused by a later rule."""
    reader = Reader(data)
    height = reader.u32()
    lock_form = reader.u8()
    if lock_form > 1:
        raise ParseError("a finality lock is 0 or 1")
    finality_lock = reader.take(FINALITY_LOCK_SIZE) if lock_form else b""
    free_size = reader.u8()
    if free_size > FREE_MAX:
        raise ParseError("more than 64 free bytes")
    free = reader.take(free_size)
    reader.finish()
    return CoinbasePayload(height, finality_lock, free)
