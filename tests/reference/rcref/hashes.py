"""Plain and tagged SHA-256.  Document 20, "Conventions"; the list of tags is crypto.md 5.1."""

import hashlib
from functools import lru_cache

TAGS = (
    "RC/network", "RC/network/side", "RC/txid", "RC/witness",
    "RC/merkle/leaf", "RC/merkle/node", "RC/merkle/root",
    "RC/sighash", "RC/leaf", "RC/branch", "RC/taptweak",
    "RC/state/leaf", "RC/state/branch", "RC/state/root",
    "RC/gov/key", "RC/msgsign", "RC/addrman",
)

ZERO32 = bytes(32)


def sha256(data: bytes) -> bytes:
    """SHA256(x), the plain hash."""
    return hashlib.sha256(data).digest()


def double_sha256(data: bytes) -> bytes:
    """SHA256(SHA256(x)); a block's id is this of its header."""
    return sha256(sha256(data))


@lru_cache(maxsize=None)
def _midstate(tag: str):
    """SHA-256 after SHA256(tag) ‖ SHA256(tag), which is exactly one compression."""
    digest = sha256(tag.encode("ascii"))
    return hashlib.sha256(digest + digest)


def tagged(tag: str, data: bytes) -> bytes:
    """H(tag, x) = SHA256(SHA256(tag) ‖ SHA256(tag) ‖ x)."""
    hasher = _midstate(tag).copy()
    hasher.update(data)
    return hasher.digest()
