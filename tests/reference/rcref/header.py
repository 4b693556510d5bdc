"""The header of 118 bytes.  Document 20, "Block"."""

from dataclasses import dataclass
from functools import cached_property

from .codec import Reader, u16, u32, u64
from .hashes import double_sha256

HEADER_SIZE = 118


@dataclass(frozen=True)
class Header:
    height: int
    prev: bytes
    tx_root: bytes
    state_root: bytes
    time: int
    bits: int
    nonce: int = 0
    version: int = 1

    def encode(self) -> bytes:
        return b"".join((u16(self.version), u32(self.height), self.prev, self.tx_root,
                         self.state_root, u32(self.time), u32(self.bits), u64(self.nonce)))

    @cached_property
    def id(self) -> bytes:
        """SHA256(SHA256(header)): the block's name and its proof of work."""
        return double_sha256(self.encode())


def read_header(reader: Reader) -> Header:
    version, height = reader.u16(), reader.u32()
    prev, tx_root, state_root = reader.take(32), reader.take(32), reader.take(32)
    time, bits, nonce = reader.u32(), reader.u32(), reader.u64()
    return Header(height, prev, tx_root, state_root, time, bits, nonce, version)


def parse_header(data: bytes) -> Header:
    reader = Reader(data)
    header = read_header(reader)
    reader.finish()
    return header
