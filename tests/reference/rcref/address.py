"""Addresses: bech32m.  crypto.md 5.2."""

from .lock import KEY, key_lock, key_of, kind

CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
CONSTANT = 0x2BC830A3
GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
CHECKSUM_LENGTH = 6
LENGTH_MAX = 90
KEY_VERSION = 1


class AddressError(ValueError):
    """Not an address of this network."""


def _polymod(values) -> int:
    checksum = 1
    for value in values:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for i, generator in enumerate(GENERATORS):
            if top >> i & 1:
                checksum ^= generator
    return checksum


def _expand(hrp: str) -> list:
    return [ord(c) >> 5 for c in hrp] + [0] + [ord(c) & 31 for c in hrp]


def encode(hrp: str, data: list) -> str:
    """bech32m of 5-bit values."""
    polymod = _polymod(_expand(hrp) + data + [0] * CHECKSUM_LENGTH) ^ CONSTANT
    checksum = [polymod >> 5 * (CHECKSUM_LENGTH - 1 - i) & 31 for i in range(CHECKSUM_LENGTH)]
    return hrp + "1" + "".join(CHARSET[value] for value in data + checksum)


def decode(text: str):
    """(hrp, 5-bit values) of a bech32m string."""
    if any(not 33 <= ord(c) <= 126 for c in text) or len(text) > LENGTH_MAX:
        raise AddressError("a character out of range, or too long")
    if text.lower() != text and text.upper() != text:
        raise AddressError("mixed case")
    hrp, separator, rest = text.lower().rpartition("1")
    if not separator or not hrp or len(rest) < CHECKSUM_LENGTH:
        raise AddressError("no separator, empty prefix or short checksum")
    if any(c not in CHARSET for c in rest):
        raise AddressError("a character outside the set")
    data = [CHARSET.index(c) for c in rest]
    if _polymod(_expand(hrp) + data) != CONSTANT:
        raise AddressError("checksum")
    return hrp, data[:-CHECKSUM_LENGTH]


def to_values(program: bytes) -> list:
    """8-bit to 5-bit groups, padded with zero bits."""
    number, size = int.from_bytes(program, "big"), 8 * len(program)
    pad = -size % 5
    number <<= pad
    return [number >> at & 31 for at in range(size + pad - 5, -1, -5)]


def from_values(values: list) -> bytes:
    """5-bit to 8-bit groups; fewer than 5 pad bits, all zero."""
    number = 0
    for value in values:
        number = number << 5 | value
    size, pad = divmod(5 * len(values), 8)
    if pad >= 5 or number & ((1 << pad) - 1):
        raise AddressError("padding")
    return (number >> pad).to_bytes(size, "big")


def address_of(hrp: str, lock: bytes) -> str:
    if kind(lock) != KEY:
        raise AddressError("only KEY locks have an address")
    return encode(hrp, [KEY_VERSION] + to_values(key_of(lock)))


def lock_of(hrp: str, text: str) -> bytes:
    found, data = decode(text)
    if found != hrp:
        raise AddressError("another network's prefix")
    if not data or data[0] != KEY_VERSION:
        raise AddressError("an unknown version")
    program = from_values(data[1:])
    if len(program) != 32:
        raise AddressError("not 32 bytes")
    return key_lock(program)
