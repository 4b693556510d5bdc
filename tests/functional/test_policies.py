#!/usr/bin/python3
"""A policy of each kind is spent on a real node, and refused where it should be."""
import harness
from harness import wait_for
from purse import RUST, SEQUENCE_FINAL, Purse, secp, sha256, shown
from rcref.policy import After, AllOf, Key, Keys, OneOf, Older, Preimage, SomeOf

SECRETS = [sha256(b"cosigner %d" % i) for i in range(4)]
KEYS = {secp.xonly_key(s): s for s in SECRETS}
FEE = 10_000
ORDER = sorted(KEYS)                  # as a policy demands
A, B, C, D = ORDER
SECRET_WORD = sha256(b"the word")
HASH = sha256(SECRET_WORD)


def by(*keys):
    """Signatures of these keys, in order; None stands for an empty item."""
    return lambda sign: [sign(KEYS[k]) if k else b"" for k in keys]


def items(*values):
    """Fixed items and, where a value is a key of ours, its signature."""
    return lambda sign: [sign(KEYS[v]) if v in KEYS else v for v in values]


def row(name, policy, good, bad, lock_time=0, sequence=SEQUENCE_FINAL - 1):
    return name, policy.encode(), good, bad, lock_time, sequence


def rows(height):
    """(name, policy, a way that holds, [(verdict, another way, changes)], lock_time, sequence)."""
    return [
        row("a key", Key(A), by(A), [
            ("sig-invalid", by(B)), ("sig-encoding", items(b"\1" * 63)),
            ("sig-encoding", items(b"")), ("policy-arguments", by(A, A)),
            ("policy-arguments", by())]),
        row("2 of 3 keys", Keys(2, (A, B, C)), by(A, None, C), [
            ("policy-count", by(A, None, None)), ("policy-count", by(A, B, C)),
            ("sig-invalid", by(B, A, None)), ("policy-arguments", by(A, B))]),
        row("after a height", AllOf((Key(A), After(height))), by(A), [
            ("policy-lock", by(A), {"lock_time": height - 1}),
            ("policy-lock", by(A), {"lock_time": 500_000_000}),
            ("policy-lock", by(A), {"sequence": SEQUENCE_FINAL})], lock_time=height),
        row("older than 3 blocks", AllOf((Key(A), Older(3))), by(A), [
            ("policy-lock", by(A), {"sequence": 2}),
            ("policy-lock", by(A), {"sequence": 1 << 31 | 3})], sequence=3),
        row("a preimage", AllOf((Key(A), Preimage(HASH))), items(A, SECRET_WORD), [
            ("policy-preimage", items(A, b"\0" * 32)), ("policy-preimage", items(A, b"short")),
            ("policy-arguments", items(A))]),
        row("all of two", AllOf((Key(A), Key(B))), by(A, B), [
            ("sig-invalid", by(B, A)), ("policy-arguments", by(A))]),
        row("one of two", OneOf((Key(A), Key(B))), items(b"\1", B), [
            ("sig-invalid", items(b"\0", B)), ("policy-choice", items(b"\2", B)),
            ("policy-choice", items(b"", B)), ("policy-choice", items(b"\0\0", A))]),
        row("2 of 3 children", SomeOf(2, (Key(A), Preimage(HASH), Key(C))),
            items(b"\3", A, SECRET_WORD), [
                ("policy-choice", items(b"\1", A)), ("policy-choice", items(b"\7", A, SECRET_WORD, C)),
                ("policy-choice", items(b"\x0a", A, C)), ("sig-invalid", items(b"\5", A, D))]),
    ]


class Policies(harness.TestCase):
    def test_each_kind(self):
        node, purse, to = self.node(), Purse("policies"), Purse("to")
        node.rpc("generatetoaddress", 30, purse.address)
        height = node.rpc("getblockcount")
        table = rows(height)
        # A coin for each row, and one more for a policy in a tree of three
        locks = [purse.policy_lock(policy) for _, policy, *_ in table]
        tree = [Key(A).encode(), Key(B).encode(), AllOf((Key(C), Preimage(HASH))).encode()]
        locks.append(purse.policy_lock(*tree))
        funding = purse.spend(purse.coins(node)[:2], [(lock, RUST) for lock in locks])
        node.rpc("sendrawtransaction", funding.encode().hex())
        node.rpc("generatetoaddress", 1, purse.address)
        self.assertEqual(node.rpc("getrawmempool"), [])
        coins = {}
        for lock in locks:
            [coins[lock]] = purse.coins(node, lock)
            self.assertEqual(coins[lock].outpoint[0], funding.txid)
        node.rpc("generatetoaddress", 3, purse.address)    # what must be older is
        refused = 0
        for lock, (name, policy, good, bad, lock_time, sequence) in zip(locks, table):
            coin = [coins[lock]]
            for verdict, way, *changes in bad:
                with self.subTest(policy=name, verdict=verdict):
                    change = {"lock_time": lock_time, "sequence": sequence} | dict(*changes)
                    tx = purse.build(coin, [(RUST - FEE, to.lock)], change["lock_time"],
                                     [change["sequence"]])
                    tx = purse.sign_policy(tx, coin, policy, way)
                    error = self.refused_any(node, tx)
                    self.assertIn(error.verdict, (verdict, "tx-lock-time", "tx-relative-lock"))
                    refused += error.verdict == verdict
            with self.subTest(policy=name):
                tx = purse.build(coin, [(RUST - FEE, to.lock)], lock_time, [sequence])
                tx = purse.sign_policy(tx, coin, policy, good)
                self.assertEqual(node.rpc("sendrawtransaction", tx.encode().hex()), shown(tx.txid))
        self.assertGreaterEqual(refused, 24)
        self.tree(node, purse, to, [coins[locks[-1]]], tree)
        node.rpc("generatetoaddress", 1, purse.address)
        self.assertEqual(node.rpc("getrawmempool"), [])
        balance = node.rpc("getaddressbalance", {"addresses": [to.address]})
        self.assertEqual(balance["balance_oxides"], len(locks) * (RUST - FEE))

    def tree(self, node, purse, to, coin, tree):
        """A policy proves that its lock commits to it; the wrong path doesn't."""
        tx = purse.build(coin, [(RUST - FEE, to.lock)])
        good = purse.sign_policy(tx, coin, tree[2], items(C, SECRET_WORD))
        witness = list(good.witness[0])
        control = witness[-1]
        wrong = {
            "policy-commitment": [control[:33] + control[65:] + control[33:65] if len(control) > 65
                                  else control[:-1] + bytes([control[-1] ^ 1]),
                                  control[:-32] if len(control) > 65 else control + b"\0" * 32,
                                  bytes([control[0] ^ 1]) + control[1:]],
            "control-size": [control[:-1], control[:32], control + b"\0" * 32 * 16],
            "control-version": [b"\x02" + control[1:]],
            "control-key": [control[:1] + b"\xff" * 32 + control[33:]],
        }
        from dataclasses import replace
        for verdict, controls in wrong.items():
            for bad in controls:
                tx = replace(good, witness=(tuple(witness[:-1] + [bad]),))
                error = self.refused_any(node, tx)
                self.assertIn(error.verdict, (verdict, "policy-commitment"))
        for policy, verdict in ((b"", "policy-size"), (b"\1" * 2049, "policy-size")):
            tx = replace(good, witness=(tuple(witness[:-2] + [policy, control]),))
            self.assertEqual(self.refused_any(node, tx).verdict, verdict)
        node.rpc("sendrawtransaction", good.encode().hex())
        wait_for("it is in the pool", lambda: shown(good.txid) in node.rpc("getrawmempool"))

    def refused_any(self, node, tx):
        try:
            node.rpc("sendrawtransaction", tx.encode().hex())
        except harness.RpcError as error:
            self.assertIn(error.code, (-25, -26))
            return error
        self.fail("accepted")
        return None


if __name__ == "__main__":
    harness.main()
