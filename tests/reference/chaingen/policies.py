"""Random policies, ways to satisfy them, and policies that don't parse."""

from dataclasses import dataclass, field

from rcref import secp
from rcref.codec import u8, u32
from rcref.hashes import sha256
from rcref.policy import (LOCK_TIME_IS_TIME, After, AllOf, Key, Keys, OneOf, Older, Preimage,
                          SomeOf, parse_policy, size_ok)
from rcref.verdict import Refused

RING_SIZE = 40

# What one argument is for.
SIGNATURE, MULTI_SIGNATURE, MULTI_EMPTY = "signature", "multi-signature", "multi-empty"
PREIMAGE, CHOICE, SELECTION = "preimage", "choice", "selection"


class Ring:
    """The secrets and preimages the generator knows; the same in every scenario."""

    def __init__(self):
        secrets = [sha256(b"secret %d" % i) for i in range(RING_SIZE)]
        self.secret_of = {secp.xonly_key(secret): secret for secret in secrets}
        self.keys = sorted(self.secret_of)
        preimages = [sha256(b"preimage %d" % i) for i in range(8)]
        self.preimage_of = {sha256(preimage): preimage for preimage in preimages}
        self.hashes = sorted(self.preimage_of)


RING = Ring()


@dataclass(frozen=True)
class Slot:
    """One argument to come: a signature by `key`, or the bytes in `value`."""
    role: str
    key: bytes = b""
    value: bytes = b""


@dataclass
class Plan:
    """A way to satisfy a policy: its arguments in preorder, and what the transaction must say."""
    slots: list = field(default_factory=list)
    after: list = field(default_factory=list)     # absolute locks
    older: int = 0                                # the greatest relative lock

    def __add__(self, other: "Plan") -> "Plan":
        return Plan(self.slots + other.slots, self.after + other.after,
                    max(self.older, other.older))

    def has_role(self, *roles) -> bool:
        return any(slot.role in roles for slot in self.slots)

    @property
    def lock_kinds(self) -> set:
        return {v >= LOCK_TIME_IS_TIME for v in self.after}


# --- Making ---

def _some_key(rng) -> bytes:
    return rng.choice(RING.keys) if rng.random() < 0.93 else rng.randbytes(32)


def _some_keys(rng, n: int) -> tuple:
    known = rng.sample(RING.keys, n)
    if rng.random() < 0.2:
        known[0] = rng.randbytes(32)
    return tuple(sorted(known))


def _make_keys(rng) -> Keys:
    n = 32 if rng.random() < 0.02 else rng.randint(2, 5)
    return Keys(rng.randint(1, min(n, 4)), _some_keys(rng, n))


def _make_after(rng, genesis_time: int) -> After:
    if rng.random() < 0.7:
        return After(rng.choice((0, 1, rng.randint(2, 25))))
    return After(rng.choice((LOCK_TIME_IS_TIME, genesis_time + rng.randint(-5, 2_000))))


def random_policy(rng, genesis_time: int, depth: int = 3):
    """A well formed policy of every kind of node, at most `depth` + 1 deep."""
    leafs = (
        (30, lambda: Key(_some_key(rng))),
        (15, lambda: _make_keys(rng)),
        (12, lambda: _make_after(rng, genesis_time)),
        (10, lambda: Older(rng.choice((1, 1, 2, 3, rng.randint(4, 12))))),
        (12, lambda: Preimage(rng.choice(RING.hashes))),
    )
    inner = (
        (12, lambda: AllOf(_children(rng, genesis_time, depth, 2, 3))),
        (12, lambda: OneOf(_children(rng, genesis_time, depth, 2, 4))),
        (10, lambda: _make_some_of(rng, genesis_time, depth)),
    )
    weights, makers = zip(*(leafs + inner if depth else leafs))
    return rng.choices(makers, weights)[0]()


def _children(rng, genesis_time, depth, least, most) -> tuple:
    return tuple(random_policy(rng, genesis_time, depth - 1)
                 for _ in range(rng.randint(least, most)))


def _make_some_of(rng, genesis_time, depth) -> SomeOf:
    children = _children(rng, genesis_time, depth, 3, 4)
    return SomeOf(rng.randint(2, len(children) - 1), children)


def _at_the_limits(rng) -> object:
    """Depth 8, 64 nodes, or the most children and keys."""
    one = Key(rng.choice(RING.keys))
    if rng.random() < 0.3:
        node = one
        for _ in range(7):
            node = OneOf((After(0), node)) if rng.random() < 0.5 else AllOf((node, After(0)))
        return node
    if rng.random() < 0.5:
        # 1 + 7 · (1 + 8) = 64 nodes
        return AllOf(tuple(OneOf((one,) + (After(0),) * 7) for _ in range(7)))
    return OneOf((Keys(2, _some_keys(rng, 32)),) + (one,) * 7)


def random_leaf(rng, genesis_time: int) -> bytes:
    """The bytes of a well formed policy."""
    if rng.random() < 0.04:
        return _at_the_limits(rng).encode()
    while True:
        policy = random_policy(rng, genesis_time, rng.choice((0, 1, 2, 3))).encode()
        if size_ok(policy) and not parse_fault(policy):
            return policy


def parse_fault(policy: bytes) -> str:
    """The code with which parsing refuses it, or ""."""
    try:
        parse_policy(policy)
    except Refused as refused:
        return refused.code
    return ""


def malformed_leaf(rng, code: str) -> bytes:
    """A policy that is refused with `policy-opcode` or `policy-form`."""
    key = Key(rng.choice(RING.keys)).encode()
    bad = u8(rng.choice((0x00, 0x06, 0x0F, 0x13, 0x20, 0xFF)))
    deep = b"\x10\x02" * 8 + key * 9       # the ninth level
    a, b = sorted(rng.sample(RING.keys, 2))
    broken = {
        "policy-opcode": (
            bad, b"\x10\x02" + key + bad, b"\x11\x03" + key + bad + u8(0), bad + key,
            b"\x10\x02" * 8 + bad),
        "policy-form": (
            key[:-1], key + b"\x00", b"\x10", b"\x10\x02" + key, b"\x10\x01" + key,
            b"\x10\x09" + key * 9, b"\x11\x01" + key, b"\x11\x09" + bad,
            b"\x12\x02\x02" + key * 2, b"\x12\x01\x03" + key * 3, b"\x12\x03\x03" + key * 3,
            b"\x02\x00\x02" + a + b, b"\x02\x03\x02" + a + b, b"\x02\x01\x02" + b + a,
            b"\x02\x01\x02" + a + a, b"\x02\x01\x01" + a, b"\x02\x01\x21",
            b"\x04" + u32(0), b"\x04" + u32(65_536), b"\x03\x01", deep,
            b"\x10\x08" + (b"\x10\x07" + b"\x03\x00\x00\x00\x00" * 7) * 8),
    }
    return rng.choice(broken[code])


# --- Satisfying ---

def plan_for(node, rng):
    """A random way to satisfy the node, or None if the ring can't."""
    if isinstance(node, Key):
        return Plan([Slot(SIGNATURE, key=node.key)]) if node.key in RING.secret_of else None
    if isinstance(node, Keys):
        return _plan_keys(node, rng)
    if isinstance(node, After):
        return Plan(after=[node.v])
    if isinstance(node, Older):
        return Plan(older=node.v)
    if isinstance(node, Preimage):
        return Plan([Slot(PREIMAGE, value=RING.preimage_of[node.hash])])
    return _plan_children(node, rng)


def _plan_keys(node: Keys, rng):
    known = [key for key in node.keys if key in RING.secret_of]
    if len(known) < node.k:
        return None
    signers = set(rng.sample(known, node.k))
    return Plan([Slot(MULTI_SIGNATURE, key=key) if key in signers else Slot(MULTI_EMPTY)
                 for key in node.keys])


def _plan_children(node, rng):
    plans = [plan_for(child, rng) for child in node.children]
    possible = [i for i, plan in enumerate(plans) if plan is not None]
    wanted = {AllOf: len(plans), OneOf: 1, SomeOf: getattr(node, "k", 0)}[type(node)]
    if len(possible) < wanted:
        return None
    chosen = sorted(rng.sample(possible, wanted))
    own = Plan()
    if isinstance(node, OneOf):
        own = Plan([Slot(CHOICE, value=u8(chosen[0]))])
    elif isinstance(node, SomeOf):
        own = Plan([Slot(SELECTION, value=u8(sum(1 << i for i in chosen)))])
    for i in chosen:
        own += plans[i]
    return own
