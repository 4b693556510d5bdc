"""tx_root and the inclusion proof of a transaction.  Document 20, "tx_root"."""

from dataclasses import dataclass

from .codec import ParseError, Reader, compact_list, u32
from .hashes import tagged
from .transaction import wtxid_of
from .verdict import Refused, require


def node(left: bytes, right: bytes) -> bytes:
    return tagged("RC/merkle/node", left + right)


def _split(n: int) -> int:
    """The largest power of two below n."""
    return 1 << ((n - 1).bit_length() - 1)


def tree(leaves: list) -> bytes:
    """The tree in the manner of RFC 6962: no node is ever duplicated."""
    if len(leaves) == 1:
        return leaves[0]
    k = _split(len(leaves))
    return node(tree(leaves[:k]), tree(leaves[k:]))


def root_of_tree(n: int, top: bytes) -> bytes:
    return tagged("RC/merkle/root", u32(n) + top)


def merkle_root(leaves: list) -> bytes:
    """The count is in the root, so a path proves the index too."""
    return root_of_tree(len(leaves), tree(leaves))


def path(leaves: list, index: int) -> list:
    """The siblings of leaf `index`, from the leaf up."""
    if len(leaves) == 1:
        return []
    k = _split(len(leaves))
    if index < k:
        return path(leaves[:k], index) + [tree(leaves[k:])]
    return path(leaves[k:], index - k) + [tree(leaves[:k])]


@dataclass(frozen=True)
class InclusionProof:
    index: int
    n: int
    witness_hash: bytes
    path: tuple[bytes, ...]

    def encode(self) -> bytes:
        return u32(self.index) + u32(self.n) + self.witness_hash + compact_list(list(self.path))


def make_inclusion_proof(transactions, index: int) -> InclusionProof:
    leaves = [t.wtxid for t in transactions]
    return InclusionProof(index, len(leaves), transactions[index].witness_hash,
                          tuple(path(leaves, index)))


def parse_inclusion_proof(data: bytes) -> InclusionProof:
    reader = Reader(data)
    index, n, witness_hash = reader.u32(), reader.u32(), reader.take(32)
    siblings = tuple(reader.take(32) for _ in range(reader.count(32)))
    reader.finish()
    return InclusionProof(index, n, witness_hash, siblings)


def check_inclusion_proof(data: bytes, txid: bytes, tx_root: bytes) -> InclusionProof:
    """The proof, if it shows txid under tx_root; else Refused.  RFC 9162, 2.1.3.2."""
    try:
        proof = parse_inclusion_proof(data)
    except ParseError:
        raise Refused("proof-invalid") from None
    require(proof.index < proof.n, "proof-invalid")
    top = _climb(proof, wtxid_of(txid, proof.witness_hash))
    require(root_of_tree(proof.n, top) == tx_root, "proof-invalid")
    return proof


def _climb(proof: InclusionProof, leaf: bytes) -> bytes:
    r, fn, sn = leaf, proof.index, proof.n - 1
    for sibling in proof.path:
        require(sn != 0, "proof-invalid")
        if fn & 1 or fn == sn:
            r = node(sibling, r)
            while not fn & 1 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node(r, sibling)
        fn, sn = fn >> 1, sn >> 1
    require(sn == 0, "proof-invalid")
    return r
