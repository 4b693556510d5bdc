"""The authenticated tree of one namespace.  Document 30, "The tree".

A binary Patricia trie over the key's bits, most significant first.  Nodes are never changed: an
update makes new nodes along one path, so a copy of a trie costs nothing.  Keys are kept as numbers;
the first d bits of a key are `key >> (width − d)`.
"""

from dataclasses import dataclass

from .codec import u8, u16, u64
from .hashes import ZERO32, sha256, tagged

COINS, MASTERNODES, QUORUMS, GOVERNANCE, SIDECHAINS = 1, 2, 3, 4, 5
KEY_SIZES = {COINS: 68, MASTERNODES: 32, QUORUMS: 32, GOVERNANCE: 32, SIDECHAINS: 65}
NAMESPACES = 8

EMPTY = ZERO32


def width(ns: int) -> int:
    """The bits of a namespace's keys."""
    return 8 * KEY_SIZES[ns]


def path_bytes(path: int, depth: int) -> bytes:
    """The first `depth` bits in ⌈depth/8⌉ bytes, spare low bits zero."""
    size = (depth + 7) // 8
    return (path << (8 * size - depth)).to_bytes(size, "big")


def value_sum(ns: int, value: bytes) -> int:
    """The sum of a leaf: in namespace 1 its amount."""
    return int.from_bytes(value[:8], "little") if ns == COINS else 0


def leaf_hash(ns: int, key: bytes, value: bytes) -> bytes:
    return tagged("RC/state/leaf", u8(ns) + key + sha256(value))


@dataclass(frozen=True)
class Side:
    """What a branch says of one side: hash and, in namespace 1, sum."""
    hash: bytes
    sum: int

    def encode(self, ns: int) -> bytes:
        return self.hash + u64(self.sum) if ns == COINS else self.hash


def branch_hash(ns: int, depth: int, path: int, left: Side, right: Side) -> bytes:
    """`path`, as a number of `depth` bits, is in the hash: a node says whose keys are below it."""
    return tagged("RC/state/branch", u8(ns) + u16(depth) + path_bytes(path, depth)
                  + left.encode(ns) + right.encode(ns))


class Leaf:
    def __init__(self, ns: int, key: bytes, value: bytes):
        self.ns, self.key, self.value = ns, key, value
        self.depth = width(ns)
        self.path = int.from_bytes(key, "big")
        self.sum = value_sum(ns, value)
        self._side = None

    def side(self) -> Side:
        if self._side is None:
            self._side = Side(leaf_hash(self.ns, self.key, self.value), self.sum)
        return self._side

    def leaves(self):
        yield self


class Branch:
    def __init__(self, ns: int, depth: int, path: int, left, right):
        self.ns, self.depth, self.path = ns, depth, path
        self.left, self.right = left, right
        self.sum = left.sum + right.sum
        self._side = None

    def side(self) -> Side:
        if self._side is None:
            self._side = Side(branch_hash(self.ns, self.depth, self.path,
                                          self.left.side(), self.right.side()), self.sum)
        return self._side

    def leaves(self):
        yield from self.left.leaves()
        yield from self.right.leaves()


def _join(ns: int, a, b):
    """The branch above two nodes whose paths disagree."""
    shared = min(a.depth, b.depth)
    differing = (a.path >> (a.depth - shared)) ^ (b.path >> (b.depth - shared))
    depth = shared - differing.bit_length()
    left, right = (b, a) if a.path >> (a.depth - depth - 1) & 1 else (a, b)
    return Branch(ns, depth, a.path >> (a.depth - depth), left, right)


def _bit(leaf: Leaf, depth: int) -> int:
    """Bit `depth` of the leaf's key."""
    return leaf.path >> (leaf.depth - depth - 1) & 1


def _below(leaf: Leaf, node) -> bool:
    """Whether the leaf's key begins with the node's path."""
    return leaf.path >> (leaf.depth - node.depth) == node.path


def _put(node, leaf: Leaf):
    if node is None:
        return leaf
    if not _below(leaf, node):
        return _join(leaf.ns, node, leaf)
    if isinstance(node, Leaf):
        return leaf
    if _bit(leaf, node.depth):
        return Branch(node.ns, node.depth, node.path, node.left, _put(node.right, leaf))
    return Branch(node.ns, node.depth, node.path, _put(node.left, leaf), node.right)


def _delete(node, leaf: Leaf):
    if node is None or not _below(leaf, node):
        raise KeyError(leaf.key)
    if isinstance(node, Leaf):
        return None
    left, right = node.left, node.right
    if _bit(leaf, node.depth):
        right = _delete(right, leaf)
    else:
        left = _delete(left, leaf)
    if left is None or right is None:
        return left or right
    return Branch(node.ns, node.depth, node.path, left, right)


class Trie:
    """One namespace."""

    def __init__(self, ns: int, top=None):
        self.ns, self.top = ns, top

    def copy(self) -> "Trie":
        return Trie(self.ns, self.top)

    def put(self, key: bytes, value: bytes) -> None:
        assert len(key) == KEY_SIZES[self.ns]
        self.top = _put(self.top, Leaf(self.ns, key, value))

    def delete(self, key: bytes) -> None:
        self.top = _delete(self.top, Leaf(self.ns, key, b""))

    def get(self, key: bytes):
        """The value, or None."""
        probe, node = Leaf(self.ns, key, b""), self.top
        while isinstance(node, Branch) and _below(probe, node):
            node = node.right if _bit(probe, node.depth) else node.left
        return node.value if isinstance(node, Leaf) and node.key == key else None

    def leaves(self):
        """The leaves, keys ascending."""
        return self.top.leaves() if self.top else iter(())

    @property
    def root(self) -> bytes:
        return self.top.side().hash if self.top else EMPTY

    @property
    def sum(self) -> int:
        return self.top.sum if self.top else 0


def trie_of(ns: int, entries) -> Trie:
    """The trie of exactly these (key, value); the order is free."""
    trie = Trie(ns)
    for key, value in entries:
        trie.put(key, value)
    return trie
