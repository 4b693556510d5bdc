"""The committed state and the delta of a block.

Document 30, "Entries" and "What utxod answers".
"""

from dataclasses import dataclass

from .codec import u8, u32, u32_big_endian, u64
from .hashes import sha256, tagged
from .trie import COINS, EMPTY, GOVERNANCE, KEY_SIZES, NAMESPACES, Trie


def governance_key(subject: bytes) -> bytes:
    return tagged("RC/gov/key", subject)


TREASURY_KEY = governance_key(b"treasury")


@dataclass(frozen=True)
class Coin:
    amount: int
    height: int      # of the block that made it
    coinbase: int    # 1 for an output of a type 1 transaction
    lock: bytes

    def encode(self) -> bytes:
        return u64(self.amount) + u32(self.height) + u8(self.coinbase) + self.lock


def coin_key(outpoint: tuple, coin: Coin) -> bytes:
    """The lock's hash first: one prefix holds all coins of one owner."""
    txid, index = outpoint
    return sha256(coin.lock) + txid + u32_big_endian(index)


def combine_roots(roots) -> bytes:
    """state_root of the eight roots, namespace 1 first."""
    return tagged("RC/state/root", b"".join(roots))


EMPTY_STATE_ROOT = combine_roots([EMPTY] * NAMESPACES)


@dataclass(frozen=True)
class Delta:
    """What a block does to the state; undo and replication are the same record."""
    parent_id: bytes
    block_id: bytes
    height: int
    spent: tuple      # of (outpoint, Coin)
    created: tuple    # of (outpoint, Coin)
    entries: tuple    # of (namespace, key, value before, value after), None where absent


class State:
    """State(h): coins by outpoint, and the tries of all namespaces."""

    def __init__(self, height: int, block_id: bytes):
        self.height, self.block_id = height, block_id
        self.coins = {}
        self.tries = {ns: Trie(ns) for ns in KEY_SIZES}

    def copy(self) -> "State":
        other = State(self.height, self.block_id)
        other.coins = dict(self.coins)
        other.tries = {ns: trie.copy() for ns, trie in self.tries.items()}
        return other

    # --- reading ---

    def roots(self) -> list:
        return [self.tries[ns].root if ns in self.tries else EMPTY
                for ns in range(1, NAMESPACES + 1)]

    def root(self) -> bytes:
        return combine_roots(self.roots())

    def treasury(self) -> int:
        value = self.tries[GOVERNANCE].get(TREASURY_KEY)
        return int.from_bytes(value, "little") if value else 0

    def supply(self) -> int:
        """The amount in all coins, and the treasury; no PEG balances exist yet."""
        return self.tries[COINS].sum + self.treasury()

    def balances(self) -> dict:
        """Lock → the sum of its coins."""
        totals = {}
        for coin in self.coins.values():
            totals[coin.lock] = totals.get(coin.lock, 0) + coin.amount
        return totals

    # --- changing ---

    def apply(self, delta: Delta) -> None:
        assert self.block_id == delta.parent_id
        self._replace(delta.spent, delta.created)
        for ns, key, _, after in delta.entries:
            self._set(ns, key, after)
        self.height, self.block_id = delta.height, delta.block_id

    def undo(self, delta: Delta) -> None:
        assert self.block_id == delta.block_id
        self._replace(delta.created, delta.spent)
        for ns, key, before, _ in delta.entries:
            self._set(ns, key, before)
        self.height, self.block_id = delta.height - 1, delta.parent_id

    def _replace(self, leaving, coming) -> None:
        coins = self.tries[COINS]
        for outpoint, coin in leaving:
            assert self.coins.pop(outpoint) == coin
            coins.delete(coin_key(outpoint, coin))
        for outpoint, coin in coming:
            self.coins[outpoint] = coin
            coins.put(coin_key(outpoint, coin), coin.encode())

    def _set(self, ns: int, key: bytes, value) -> None:
        trie = self.tries[ns]
        if value is not None:
            trie.put(key, value)
        elif trie.get(key) is not None:
            trie.delete(key)


def genesis_state(network) -> State:
    """State(0): empty; genesis pays nothing and its output makes no coin."""
    return State(0, network.genesis.id)


def treasury_value(amount: int):
    """The entry's value; absent while 0."""
    return u64(amount) if amount else None
