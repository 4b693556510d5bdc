"""Keys, coins and transactions of functional tests, made by the reference implementation.

    purse = Purse("alice")
    node.rpc("generatetoaddress", 11, purse.address)
    txid = node.rpc("sendrawtransaction", purse.pay(node, other.address, 5 * RUST).hex())
"""
import hashlib
import os
import sys
from dataclasses import dataclass, replace

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
                                "reference"))
from rcref import secp  # noqa: E402
from rcref.address import address_of, lock_of  # noqa: E402
from rcref.block import Block  # noqa: E402
from rcref.coinbase import encode_payload  # noqa: E402
from rcref.codec import Reader, u64  # noqa: E402
from rcref.hashes import ZERO32, sha256  # noqa: E402
from rcref.header import Header  # noqa: E402
from rcref.lock import key_lock, read_lock  # noqa: E402
from rcref.merkle import merkle_root  # noqa: E402
from rcref.network import REG  # noqa: E402
from rcref.sighash import ALL, SignedTransaction  # noqa: E402
from rcref.transaction import (COINBASE, PAYMENT, SEQUENCE_FINAL, Input,  # noqa: E402
                               Output, Transaction, parse_transaction)
from rcref.tweak import branch, encode_control, leaf_hash, tweak  # noqa: E402

RUST = 100_000_000
FEE_RATE = 2        # oxides a byte: above the pool's least


def shown(id_):
    """An id as people see it: byte-reversed hex."""
    return id_[::-1].hex()


def unshown(text):
    return bytes.fromhex(text)[::-1]


@dataclass
class Coin:
    """What is spent: an outpoint, its amount and lock."""
    outpoint: tuple
    amount: int
    lock: bytes
    height: int = 0
    coinbase: bool = False


class Purse:
    """One secret, its plain lock, and locks with policies below it."""

    def __init__(self, name, network=REG):
        self.network = network
        self.secret = sha256(b"purse " + name.encode())
        self.key = secp.xonly_key(self.secret)
        self.lock = self._output(b"")[0]
        self.policies = {}       # lock -> [(policy, siblings)], root

    @property
    def address(self):
        return address_of(self.network.hrp, self.lock)

    def _output(self, root):
        """(lock, secret, parity) of the key tweaked by a root (empty: without policies)."""
        t = tweak(self.key, root)
        output, parity = secp.tweak_add(self.key, t)
        return key_lock(output), secp.tweak_secret(self.secret, t), parity

    def policy_lock(self, *policies):
        """The lock that can be spent by each of these encoded policies, too."""
        leaves = [leaf_hash(p) for p in policies]
        if len(leaves) == 1:
            root, paths = leaves[0], [()]
        else:                    # a chain: the first leaf deepest
            root, paths = leaves[0], [()]
            for leaf in leaves[1:]:
                paths = [p + (leaf,) for p in paths] + [(root,)]
                root = branch(root, leaf)
        lock, _, _ = self._output(root)
        self.policies[lock] = (root, dict(zip(policies, paths)))
        return lock

    # --- coins ---

    def coins(self, node, lock=None, pool=True):
        """What can be spent now, the largest first."""
        lock = lock or self.lock
        answer = node.rpc("getaddressutxos", {"lockhashes": [sha256(lock).hex()],
                                              "mempool": pool})
        coins = [Coin((unshown(u["txid"]), u["vout"]), u["value_oxides"], bytes.fromhex(u["lock"]),
                      u["height"], u["coinbase"])
                 for u in answer["utxos"] if u["mature"] and not u["spent"]]
        return sorted(coins, key=lambda c: (-c.amount, c.outpoint))

    # --- transactions ---

    def build(self, coins, outputs, lock_time=0, sequences=None):
        """An unsigned payment of (amount, lock) outputs."""
        sequences = sequences or [SEQUENCE_FINAL - 1] * len(coins)
        return Transaction(PAYMENT, tuple(Input(*c.outpoint, s) for c, s in zip(coins, sequences)),
                           tuple(Output(*o) for o in outputs), lock_time)

    def signature(self, tx, coins, index, secret=None, leaf=ZERO32, hash_type=ALL):
        signed = SignedTransaction(self.network.id, tx, tuple(coins))
        item = secp.sign(secret or self._secret_of(coins[index].lock),
                         signed.sighash(index, hash_type, leaf))
        return item if hash_type == ALL else item + bytes([hash_type])

    def _secret_of(self, lock):
        root = self.policies[lock][0] if lock in self.policies else b""
        return self._output(root)[1]

    def sign(self, tx, coins):
        """All inputs by the key path."""
        return replace(tx, witness=tuple((self.signature(tx, coins, i),)
                                         for i in range(len(coins))))

    def control(self, lock, policy):
        root, paths = self.policies[lock]
        return encode_control(self._output(root)[2], self.key, paths[policy])

    def sign_policy(self, tx, coins, policy, arguments):
        """The one input by a policy; arguments(sign) gives its items, sign(secret) makes one."""
        def sign(secret):
            return self.signature(tx, coins, 0, secret, leaf_hash(policy))
        items = list(arguments(sign)) + [policy, self.control(coins[0].lock, policy)]
        return replace(tx, witness=(tuple(items),))

    def spend(self, coins, outputs, change=True):
        """A signed payment of coins; what is over goes back, less a fee by its size."""
        outputs = [(a, lock_of(self.network.hrp, to) if isinstance(to, str) else to)
                   for to, a in outputs]
        over = sum(c.amount for c in coins) - sum(a for a, _ in outputs)
        fee = FEE_RATE * (120 + 110 * len(coins) + 45 * (len(outputs) + 1))
        if change and over > fee + 546:
            outputs.append((over - fee, self.lock))
        return self.sign(self.build(coins, outputs), coins)

    def pay(self, node, to, amount, pool=True):
        """A signed payment of some of the purse's coins; its encoding has .hex()."""
        picked, total = [], 0
        for coin in self.coins(node, pool=pool):
            picked.append(coin)
            total += coin.amount
            if total >= amount + 100_000:
                return self.spend(picked, [(to, amount)]).encode()
        raise AssertionError(f"{total} oxides are not enough for {amount}")


# --- blocks ---

def coinbase_of(template, lock, amount=None, free=b"functional test"):
    """The coinbase of a template: the outputs it must have, then ours."""
    fixed = []
    for text in template["coinbaseoutputs"]:
        reader = Reader(bytes.fromhex(text))
        fixed.append(Output(reader.u64(), read_lock(reader)))
    amount = template["coinbasevalue"] if amount is None else amount
    return Transaction(COINBASE, (), tuple(fixed) + (Output(amount, lock),),
                       payload=encode_payload(template["height"], free))


def mine(header, limit=1 << 24):
    """The header with a nonce that has the work of its bits."""
    exponent, mantissa = header.bits >> 24, header.bits & 0x7FFFFF
    target = mantissa << 8 * (exponent - 3)
    prefix = header.encode()[:-8]
    for nonce in range(limit):
        digest = hashlib.sha256(hashlib.sha256(prefix + u64(nonce)).digest()).digest()
        if int.from_bytes(digest, "little") <= target:
            return replace(header, nonce=nonce)
    raise AssertionError("no nonce found")


def block_on(template, transactions, **changes):
    """A mined block with these transactions (the coinbase first); changes: of the header."""
    header = Header(template["height"], unshown(template["previousblockhash"]),
                    merkle_root([t.wtxid for t in transactions]),
                    bytes.fromhex(template["stateroot"]), template["curtime"],
                    int(template["bits"], 16))
    return Block(mine(replace(header, **changes)), tuple(transactions))


def template_block(node, lock, extra=(), amount=None):
    """A block on the node's template: its transactions and these."""
    template = node.rpc("getblocktemplate", {})
    theirs = [parse_transaction(bytes.fromhex(t["data"])) for t in template["transactions"]]
    return block_on(template, [coinbase_of(template, lock, amount)] + theirs + list(extra))
