"""Who can spend which lock: an internal key and, below it, any number of policies."""

from dataclasses import dataclass
from functools import cached_property
from typing import Optional

from rcref import secp
from rcref.lock import key_lock
from rcref.policy import parse_policy
from rcref.tweak import branch, encode_control, leaf_hash, tweak

from .policies import RING, malformed_leaf, parse_fault, random_leaf


@dataclass(frozen=True)
class Leaf:
    policy: bytes
    siblings: tuple
    fault: str          # the code with which its parsing is refused, or ""

    @cached_property
    def root_node(self):
        return parse_policy(self.policy)


@dataclass(frozen=True)
class Owner:
    lock: bytes
    secret: Optional[bytes] = None      # for the key path; None: nobody can spend this
    internal_key: bytes = b""
    parity: int = 0
    leaves: tuple = ()

    def control(self, leaf: Leaf) -> bytes:
        return encode_control(self.parity, self.internal_key, leaf.siblings)


def _tree(rng, policies: list):
    """(root, [siblings of each policy]) of a tree of random shape."""
    if len(policies) == 1:
        return leaf_hash(policies[0]), [()]
    cut = rng.randint(1, len(policies) - 1)
    left_root, left = _tree(rng, policies[:cut])
    right_root, right = _tree(rng, policies[cut:])
    return branch(left_root, right_root), ([path + (right_root,) for path in left]
                                           + [path + (left_root,) for path in right])


def _deepen(rng, root: bytes, paths: list):
    """Hidden leaves of others above: control blocks of up to 16 siblings."""
    room = 16 - max(map(len, paths))
    for _ in range(rng.choice((1, 2, room))):
        hidden = rng.randbytes(32)
        root, paths = branch(root, hidden), [path + (hidden,) for path in paths]
    return root, paths


def plain_owner(rng) -> Owner:
    """Without policies."""
    internal = rng.choice(RING.keys)
    t = tweak(internal)
    output_key, parity = secp.tweak_add(internal, t)
    secret = secp.tweak_secret(RING.secret_of[internal], t)
    return Owner(key_lock(output_key), secret, internal, parity)


def policy_owner(rng, genesis_time: int) -> Owner:
    """One to five policies, and often one that doesn't parse."""
    policies = [random_leaf(rng, genesis_time) for _ in range(rng.choice((1, 1, 2, 2, 3, 5)))]
    for code in ("policy-opcode", "policy-form"):
        if rng.random() < 0.4:
            policies.append(malformed_leaf(rng, code))
    rng.shuffle(policies)
    root, paths = _tree(rng, policies)
    if rng.random() < 0.15:
        root, paths = _deepen(rng, root, paths)
    internal = rng.choice(RING.keys)
    t = tweak(internal, root)
    output_key, parity = secp.tweak_add(internal, t)
    leaves = tuple(Leaf(policy, path, parse_fault(policy))
                   for policy, path in zip(policies, paths))
    return Owner(key_lock(output_key), secp.tweak_secret(RING.secret_of[internal], t),
                 internal, parity, leaves)


def nobody(rng) -> Owner:
    """Any 32 bytes: about half of them are no point of the curve."""
    return Owner(key_lock(rng.randbytes(32)))


def make_owners(rng, genesis_time: int) -> dict:
    """The owners of a scenario, by lock."""
    owners = [plain_owner(rng) for _ in range(4)]
    owners += [policy_owner(rng, genesis_time) for _ in range(12)]
    owners += [nobody(rng) for _ in range(2)]
    return {owner.lock: owner for owner in owners}
