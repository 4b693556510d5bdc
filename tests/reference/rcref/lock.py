"""Locks: what an output asks of who spends it.  Document 20, "Locks".

A lock is kept as its whole encoding, kind byte and body; the functions here take it apart.
"""

from .codec import ParseError, Reader, compact_bytes, u8

KEY, DATA, BOND, PEG = 1, 2, 3, 4

DATA_MAX = 256


def key_lock(output_key: bytes) -> bytes:
    return u8(KEY) + output_key


def data_lock(data: bytes) -> bytes:
    return u8(DATA) + compact_bytes(data)


def bond_lock(purpose: int, owner_key: bytes) -> bytes:
    return u8(BOND) + u8(purpose) + owner_key


def peg_lock(sidechain_id: bytes) -> bytes:
    return u8(PEG) + sidechain_id


def kind(lock: bytes) -> int:
    return lock[0]


def key_of(lock: bytes) -> bytes:
    """The 32-byte key at the end of a KEY or BOND lock."""
    return lock[-32:]


def makes_coin(lock: bytes) -> bool:
    """Coins are the outputs of kinds KEY and BOND."""
    return kind(lock) in (KEY, BOND)


def read_lock(reader: Reader) -> bytes:
    """The next lock.  A BOND's purpose is any byte here: which may be made is a rule of types."""
    start = reader.at
    lock_kind = reader.u8()
    if lock_kind in (KEY, PEG):
        reader.take(32)
    elif lock_kind == BOND:
        reader.take(33)
    elif lock_kind == DATA:
        if len(reader.compact_bytes()) > DATA_MAX:
            raise ParseError("a DATA lock of more than 256 bytes")
    else:
        raise ParseError("an unknown kind of lock")
    return reader.data[start:reader.at]
