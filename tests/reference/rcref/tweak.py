"""KEY outputs commit to policies, as in BIP341.  Document 20, "Locks"."""

from .codec import compact_bytes, u8
from .hashes import tagged

LEAF_VERSION = 0
CONTROL_HEAD, CONTROL_STEP, CONTROL_STEPS_MAX = 33, 32, 16


def leaf_hash(policy: bytes) -> bytes:
    return tagged("RC/leaf", u8(LEAF_VERSION) + compact_bytes(policy))


def branch(a: bytes, b: bytes) -> bytes:
    return tagged("RC/branch", min(a, b) + max(a, b))


def tweak(internal_key: bytes, root: bytes = b"") -> bytes:
    """t, as 32 big-endian bytes; without policies the root is left out."""
    return tagged("RC/taptweak", internal_key + root)


def fold(leaf: bytes, siblings) -> bytes:
    """The root above a leaf, its own sibling first."""
    root = leaf
    for sibling in siblings:
        root = branch(root, sibling)
    return root


def encode_control(parity: int, internal_key: bytes, siblings) -> bytes:
    return u8(parity | LEAF_VERSION << 1) + internal_key + b"".join(siblings)


def control_size_ok(control: bytes) -> bool:
    steps, rest = divmod(len(control) - CONTROL_HEAD, CONTROL_STEP)
    return rest == 0 and 0 <= steps <= CONTROL_STEPS_MAX


def control_siblings(control: bytes) -> list:
    return [control[at:at + CONTROL_STEP] for at in range(CONTROL_HEAD, len(control), CONTROL_STEP)]
