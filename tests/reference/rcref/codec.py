"""Integers, compact sizes and the strict reader.  Document 20, "Conventions".

Everything is little-endian.  A parser accepts exactly one encoding of each object and nothing after
it, so each `parse` in this package ends with `Reader.finish`.
"""


class ParseError(ValueError):
    """The bytes are not the one encoding of the object asked for."""


def u8(value: int) -> bytes:
    return value.to_bytes(1, "little")


def u16(value: int) -> bytes:
    return value.to_bytes(2, "little")


def u32(value: int) -> bytes:
    return value.to_bytes(4, "little")


def u64(value: int) -> bytes:
    return value.to_bytes(8, "little")


def u32_big_endian(value: int) -> bytes:
    """The index in a coin's key, the only big-endian integer (document 30, "Entries")."""
    return value.to_bytes(4, "big")


def compact_size(value: int) -> bytes:
    """`cs`: the shortest of one byte, fd ‖ u16, fe ‖ u32 and ff ‖ u64."""
    if value <= 252:
        return u8(value)
    if value <= 0xFFFF:
        return b"\xfd" + u16(value)
    if value <= 0xFFFF_FFFF:
        return b"\xfe" + u32(value)
    return b"\xff" + u64(value)


def compact_bytes(data: bytes) -> bytes:
    """`cs bytes`: a length and that many bytes."""
    return compact_size(len(data)) + data


def compact_list(encoded: list) -> bytes:
    """`cs x {…}`: a count and that many elements, given encoded."""
    return compact_size(len(encoded)) + b"".join(encoded)


class Reader:
    """Reads from the first byte on; raises ParseError where the bytes are not as they must be."""

    def __init__(self, data: bytes):
        self.data = data
        self.at = 0

    def left(self) -> int:
        return len(self.data) - self.at

    def take(self, size: int) -> bytes:
        if size > self.left():
            raise ParseError("cut short")
        self.at += size
        return self.data[self.at - size:self.at]

    def _integer(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def u8(self) -> int:
        return self._integer(1)

    def u16(self) -> int:
        return self._integer(2)

    def u32(self) -> int:
        return self._integer(4)

    def u64(self) -> int:
        return self._integer(8)

    def compact_size(self) -> int:
        first = self.u8()
        if first <= 252:
            return first
        size, least = {253: (2, 253), 254: (4, 1 << 16), 255: (8, 1 << 32)}[first]
        value = self._integer(size)
        if value < least:
            raise ParseError("a shorter compact size holds this value")
        return value

    def count(self, least_size: int) -> int:
        """A compact size that counts elements of at least `least_size` bytes each."""
        count = self.compact_size()
        if count * least_size > self.left():
            raise ParseError("more elements than the bytes left can hold")
        return count

    def compact_bytes(self) -> bytes:
        return self.take(self.count(1))

    def finish(self) -> None:
        if self.left():
            raise ParseError("bytes left over")


def parse_compact_size(data: bytes) -> int:
    """One compact size and nothing more."""
    reader = Reader(data)
    value = reader.compact_size()
    reader.finish()
    return value
