"""FerrisScript: parsing and evaluation.  Document 20, "FerrisScript, the policy language"."""

from dataclasses import dataclass
from typing import Callable, Sequence

from .codec import ParseError, Reader, u8, u32
from .hashes import sha256
from .verdict import Refused, require

SIZE_MAX = 2_048
NODES_MAX = 64
DEPTH_MAX = 8

LOCK_TIME_IS_TIME = 500_000_000   # below: a height; from here on: seconds
SEQUENCE_FINAL = 0xFFFF_FFFF
SEQUENCE_NO_LOCK = 1 << 31


@dataclass(frozen=True)
class Spend:
    """What evaluation may look at: the transaction and this input, never the block."""
    lock_time: int
    sequence: int
    # (signature item, key) -> "ok", "sig-encoding" or "sig-invalid"
    check_signature: Callable[[bytes, bytes], str]


class Arguments:
    """The arguments, taken from the first on."""

    def __init__(self, items: Sequence[bytes]):
        self.items = list(items)

    def take(self, count: int = 1) -> list:
        require(count <= len(self.items), "policy-arguments")
        taken, self.items = self.items[:count], self.items[count:]
        return taken

    def finish(self) -> None:
        require(not self.items, "policy-arguments")


def _require_signature(spend: Spend, item: bytes, key: bytes) -> None:
    verdict = spend.check_signature(item, key)
    require(verdict == "ok", verdict)


def _encode_all(nodes) -> bytes:
    return b"".join(node.encode() for node in nodes)


# --- The nodes: fields as encoded; `evaluate` raises Refused unless the node holds. ---

@dataclass(frozen=True)
class Key:
    """01: one signature of a key."""
    key: bytes

    def encode(self) -> bytes:
        return u8(0x01) + self.key

    def evaluate(self, spend: Spend, arguments: Arguments) -> None:
        [item] = arguments.take()
        _require_signature(spend, item, self.key)


@dataclass(frozen=True)
class Keys:
    """02: signatures of exactly k of n keys; an empty item stands for each key that didn't sign."""
    k: int
    keys: tuple[bytes, ...]

    def encode(self) -> bytes:
        return u8(0x02) + u8(self.k) + u8(len(self.keys)) + b"".join(self.keys)

    def evaluate(self, spend: Spend, arguments: Arguments) -> None:
        items = arguments.take(len(self.keys))
        require(sum(1 for item in items if item) == self.k, "policy-count")
        for item, key in zip(items, self.keys):
            if item:
                _require_signature(spend, item, key)


@dataclass(frozen=True)
class After:
    """03: an absolute lock."""
    v: int

    def encode(self) -> bytes:
        return u8(0x03) + u32(self.v)

    def evaluate(self, spend: Spend, arguments: Arguments) -> None:
        one_kind = (self.v < LOCK_TIME_IS_TIME) == (spend.lock_time < LOCK_TIME_IS_TIME)
        require(one_kind and self.v <= spend.lock_time and spend.sequence != SEQUENCE_FINAL,
                "policy-lock")


@dataclass(frozen=True)
class Older:
    """04: a relative lock."""
    v: int

    def encode(self) -> bytes:
        return u8(0x04) + u32(self.v)

    def evaluate(self, spend: Spend, arguments: Arguments) -> None:
        require(not spend.sequence & SEQUENCE_NO_LOCK and self.v <= spend.sequence, "policy-lock")


@dataclass(frozen=True)
class Preimage:
    """05: 32 bytes with this SHA256."""
    hash: bytes

    def encode(self) -> bytes:
        return u8(0x05) + self.hash

    def evaluate(self, spend: Spend, arguments: Arguments) -> None:
        [item] = arguments.take()
        require(len(item) == 32 and sha256(item) == self.hash, "policy-preimage")


@dataclass(frozen=True)
class AllOf:
    """10: all children."""
    children: tuple

    def encode(self) -> bytes:
        return u8(0x10) + u8(len(self.children)) + _encode_all(self.children)

    def evaluate(self, spend: Spend, arguments: Arguments) -> None:
        for child in self.children:
            child.evaluate(spend, arguments)


@dataclass(frozen=True)
class OneOf:
    """11: the child that an argument names."""
    children: tuple

    def encode(self) -> bytes:
        return u8(0x11) + u8(len(self.children)) + _encode_all(self.children)

    def evaluate(self, spend: Spend, arguments: Arguments) -> None:
        [item] = arguments.take()
        require(len(item) == 1 and item[0] < len(self.children), "policy-choice")
        self.children[item[0]].evaluate(spend, arguments)


@dataclass(frozen=True)
class SomeOf:
    """12: the k children that the bits of an argument name."""
    k: int
    children: tuple

    def encode(self) -> bytes:
        return u8(0x12) + u8(self.k) + u8(len(self.children)) + _encode_all(self.children)

    def evaluate(self, spend: Spend, arguments: Arguments) -> None:
        [item] = arguments.take()
        require(len(item) == 1 and item[0] >> len(self.children) == 0
                and item[0].bit_count() == self.k, "policy-choice")
        for i, child in enumerate(self.children):
            if item[0] >> i & 1:
                child.evaluate(spend, arguments)


# --- Parsing: bytes from the first on, the opcode before the limits of its node. ---

class _Parser:
    def __init__(self, data: bytes):
        self.reader = Reader(data)
        self.nodes = 0

    def node(self, depth: int):
        opcode = self.reader.u8()
        require(opcode in _OPCODES, "policy-opcode")
        self.nodes += 1
        self.demand(self.nodes <= NODES_MAX and depth <= DEPTH_MAX)
        return _OPCODES[opcode](self, depth)

    @staticmethod
    def demand(condition: bool) -> None:
        require(condition, "policy-form")

    def children(self, count: int, depth: int) -> tuple:
        return tuple(self.node(depth + 1) for _ in range(count))


def _parse_key(parser: _Parser, depth: int) -> Key:
    return Key(parser.reader.take(32))


def _parse_keys(parser: _Parser, depth: int) -> Keys:
    k, n = parser.reader.u8(), parser.reader.u8()
    parser.demand(2 <= n <= 32 and 1 <= k <= n)
    keys = tuple(parser.reader.take(32) for _ in range(n))
    parser.demand(all(a < b for a, b in zip(keys, keys[1:])))
    return Keys(k, keys)


def _parse_after(parser: _Parser, depth: int) -> After:
    return After(parser.reader.u32())


def _parse_older(parser: _Parser, depth: int) -> Older:
    v = parser.reader.u32()
    parser.demand(1 <= v <= 65_535)
    return Older(v)


def _parse_preimage(parser: _Parser, depth: int) -> Preimage:
    return Preimage(parser.reader.take(32))


def _parse_all_of(parser: _Parser, depth: int) -> AllOf:
    n = parser.reader.u8()
    parser.demand(2 <= n <= 8)
    return AllOf(parser.children(n, depth))


def _parse_one_of(parser: _Parser, depth: int) -> OneOf:
    n = parser.reader.u8()
    parser.demand(2 <= n <= 8)
    return OneOf(parser.children(n, depth))


def _parse_some_of(parser: _Parser, depth: int) -> SomeOf:
    k, n = parser.reader.u8(), parser.reader.u8()
    parser.demand(3 <= n <= 8 and 2 <= k <= n - 1)
    return SomeOf(k, parser.children(n, depth))


_OPCODES = {
    0x01: _parse_key,
    0x02: _parse_keys,
    0x03: _parse_after,
    0x04: _parse_older,
    0x05: _parse_preimage,
    0x10: _parse_all_of,
    0x11: _parse_one_of,
    0x12: _parse_some_of,
}


def parse_policy(data: bytes):
    """The root node; Refused with `policy-size`, `policy-opcode` or `policy-form`."""
    require(size_ok(data), "policy-size")
    parser = _Parser(data)
    try:
        root = parser.node(depth=1)
        parser.reader.finish()
    except ParseError:
        raise Refused("policy-form") from None
    return root


def size_ok(data: bytes) -> bool:
    return 1 <= len(data) <= SIZE_MAX


def evaluate(root, spend: Spend, items: Sequence[bytes]) -> None:
    """Refused unless the policy holds and uses every item."""
    arguments = Arguments(items)
    root.evaluate(spend, arguments)
    arguments.finish()
