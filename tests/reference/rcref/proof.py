"""The one type of proof about the state.  Document 30, "One proof type"."""

from dataclasses import dataclass

from .amount import SUPPLY_LIMIT
from .codec import ParseError, Reader, compact_bytes, compact_list, compact_size, u8, u16
from .hashes import ZERO32
from .state import combine_roots
from .trie import (COINS, KEY_SIZES, NAMESPACES, Branch, Leaf, Side, branch_hash, leaf_hash,
                   path_bytes, trie_of, value_sum, width)
from .verdict import Refused, require

FORM = 1
EMPTY_END, LEAVES_END, BRANCH_END, OTHER_LEAF_END = 0, 1, 2, 3


@dataclass(frozen=True)
class Question:
    """What is under the first `bits` bits of `prefix` in a namespace?"""
    ns: int
    bits: int
    prefix: bytes     # ⌈bits/8⌉ bytes, spare bits zero

    @property
    def path(self) -> int:
        """The prefix as a number of `bits` bits."""
        return int.from_bytes(self.prefix, "big") >> (8 * len(self.prefix) - self.bits)

    def first(self, count: int) -> int:
        """The first `count` bits of the prefix."""
        return self.path >> (self.bits - count)

    def bit(self, depth: int) -> int:
        return self.first(depth + 1) & 1

    def agrees(self, path: int, depth: int, count: int) -> bool:
        """Whether a path of `depth` bits agrees with the prefix in bits 0…count−1."""
        return path >> (depth - count) == self.first(count)


@dataclass(frozen=True)
class Answer:
    """`absent`; `leaves` with exactly these; or `total`: two or more entries, in ns 1 their sum."""
    result: str
    leaves: tuple = ()
    total: int = 0


# --- Making ---

def make_proof(state, question: Question, sums_only: bool = False, max_leaves=None) -> bytes:
    ns = question.ns
    node, steps = _walk(state.tries[ns].top, question)
    others = [root for i, root in enumerate(state.roots(), 1) if i != ns]
    return b"".join((
        u8(FORM), u8(ns), u16(question.bits), question.prefix, *others,
        compact_list([u16(depth) + side.encode(ns) for depth, side in steps]),
        _make_end(node, question, sums_only, max_leaves)))


def _walk(node, question: Question):
    """From the root down while the branch is above the prefix's end and on its way."""
    steps = []
    while (isinstance(node, Branch) and node.depth < question.bits
           and question.agrees(node.path, node.depth, node.depth)):
        near, other = node.left, node.right
        if question.bit(node.depth):
            near, other = other, near
        steps.append((node.depth, other.side()))
        node = near
    return node, steps


def _make_end(node, question: Question, sums_only: bool, max_leaves) -> bytes:
    if node is None:
        return u8(EMPTY_END)
    inside = node.depth >= question.bits and question.agrees(node.path, node.depth, question.bits)
    if isinstance(node, Leaf):
        return _leaves_end([node]) if inside else _other_leaf_end(node)
    if not inside or sums_only:
        return _branch_end(node)
    leaves = list(node.leaves())
    if max_leaves is not None and len(leaves) > max_leaves:
        return _branch_end(node)
    return _leaves_end(leaves)


def _entry(leaf: Leaf) -> bytes:
    return leaf.key + compact_bytes(leaf.value)


def _leaves_end(leaves: list) -> bytes:
    return u8(LEAVES_END) + compact_size(len(leaves)) + b"".join(map(_entry, leaves))


def _branch_end(node: Branch) -> bytes:
    return (u8(BRANCH_END) + u16(node.depth) + path_bytes(node.path, node.depth)
            + node.left.side().encode(node.ns) + node.right.side().encode(node.ns))


def _other_leaf_end(leaf: Leaf) -> bytes:
    return u8(OTHER_LEAF_END) + _entry(leaf)


# --- Checking ---

def _demand(condition: bool) -> None:
    require(condition, "proof-invalid")


def check_proof(data: bytes, state_root: bytes, asked: Question = None) -> Answer:
    """The answer a proof gives under this state root, or Refused("proof-invalid")."""
    try:
        return _Checker(data, asked).check(state_root)
    except ParseError:
        raise Refused("proof-invalid") from None


class _Checker:
    """Reads a proof, keeping what is needed; each `_end_…` returns ((hash, sum), answer)."""

    def __init__(self, data: bytes, asked):
        self.reader = Reader(data)
        self.asked = asked

    def check(self, state_root: bytes) -> Answer:
        self._read_question()
        others = [self.reader.take(32) for _ in range(NAMESPACES - 1)]
        self._read_steps()
        side, answer = self._read_end()
        self.reader.finish()
        top = self._climb(side)
        others.insert(self.ns - 1, top)
        _demand(combine_roots(others) == state_root)
        return answer

    def _read_question(self) -> None:
        reader = self.reader
        _demand(reader.u8() == FORM)
        self.ns = reader.u8()
        _demand(self.ns in KEY_SIZES)
        bits = reader.u16()
        _demand(bits <= width(self.ns))
        self.question = Question(self.ns, bits, self._read_path(bits)[0])
        _demand(self.asked is None or self.asked == self.question)

    def _read_path(self, depth: int):
        """`depth` bits in whole bytes, and as a number; spare bits are zero."""
        data = self.reader.take((depth + 7) // 8)
        number = int.from_bytes(data, "big")
        spare = 8 * len(data) - depth
        _demand(number & ((1 << spare) - 1) == 0)
        return data, number >> spare

    def _read_side(self) -> Side:
        hash_ = self.reader.take(32)
        _demand(hash_ != ZERO32)
        return Side(hash_, self.reader.u64() if self.ns == COINS else 0)

    def _read_steps(self) -> None:
        count = self.reader.count(2 + 32 + (8 if self.ns == COINS else 0))
        self.steps = [(self.reader.u16(), self._read_side()) for _ in range(count)]
        depths = [depth for depth, _ in self.steps]
        _demand(all(a < b for a, b in zip(depths, depths[1:])))
        self.last_depth = depths[-1] if depths else -1
        _demand(self.last_depth < self.question.bits)

    def _read_entry(self):
        key, value = self.reader.take(KEY_SIZES[self.ns]), self.reader.compact_bytes()
        _demand(self.ns != COINS or len(value) >= 8)
        return key, value

    def _has_prefix(self, key: bytes) -> bool:
        return self.question.agrees(int.from_bytes(key, "big"), width(self.ns), self.question.bits)

    def _limited(self, side: Side) -> Side:
        _demand(side.sum <= SUPPLY_LIMIT)
        return side

    def _read_end(self):
        ends = {EMPTY_END: self._end_empty, LEAVES_END: self._end_leaves,
                BRANCH_END: self._end_branch, OTHER_LEAF_END: self._end_other_leaf}
        end = self.reader.u8()
        _demand(end in ends)
        return ends[end]()

    def _end_empty(self):
        _demand(not self.steps)
        return Side(ZERO32, 0), Answer("absent")

    def _end_leaves(self):
        count = self.reader.count(KEY_SIZES[self.ns] + 1)
        entries = [self._read_entry() for _ in range(count)]
        _demand(count >= 1 and all(self._has_prefix(key) for key, _ in entries))
        _demand(all(a < b for (a, _), (b, _) in zip(entries, entries[1:])))
        side = trie_of(self.ns, entries).top.side()
        return self._limited(side), Answer("leaves", tuple(entries))

    def _end_branch(self):
        question = self.question
        depth = self.reader.u16()
        _demand(self.last_depth < depth < width(self.ns))
        _, path = self._read_path(depth)
        _demand(question.agrees(path, depth, self.last_depth + 1))
        left, right = self._read_side(), self._read_side()
        total = left.sum + right.sum
        side = self._limited(Side(branch_hash(self.ns, depth, path, left, right), total))
        if not question.agrees(path, depth, min(depth, question.bits)):
            return side, Answer("absent")
        _demand(depth >= question.bits)
        return side, Answer("total", total=total)

    def _end_other_leaf(self):
        key, value = self._read_entry()
        number = int.from_bytes(key, "big")
        _demand(self.question.agrees(number, width(self.ns), self.last_depth + 1))
        _demand(not self._has_prefix(key))
        side = Side(leaf_hash(self.ns, key, value), value_sum(self.ns, value))
        return self._limited(side), Answer("absent")

    def _climb(self, side: Side) -> bytes:
        """Step 3: from the last step to the first."""
        for depth, sibling in reversed(self.steps):
            left, right = (sibling, side) if self.question.bit(depth) else (side, sibling)
            side = self._limited(Side(
                branch_hash(self.ns, depth, self.question.first(depth), left, right),
                left.sum + right.sum))
        return side.hash
