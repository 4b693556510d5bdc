#!/usr/bin/python3
"""kill -9 over the four daemons under load: nothing acknowledged is lost, nobody else falls, nodes
agree, and the state is what a newcomer computes from genesis.

RC_KILLS sets how many kills (default 104; a multiple of four).
"""
import os
import statistics
import sys
import threading
import time

import harness
from harness import DAEMONS, SLOW, RpcError, wait_for, wait_same_tip
from purse import RUST, Coin, Purse, shown

LIMIT = 1500
KILLS = int(os.environ.get("RC_KILLS", "104"))
COINS = 4500           # payments of the load, one a coin
# What says that the node is in the middle of something, by the daemons' own counters.
IN_FLIGHT = ("rustycoin_utxod_commit_in_flight", "rustycoin_utxod_flush_in_flight",
             "rustycoin_chaind_commit_in_flight", "rustycoin_chaind_reorg_in_flight")
# One question that each daemon has to answer itself.
ASKS = {"utxod": ("gettxout", "00" * 32, 0, False), "chaind": ("getblockheader",),
        "peerd": ("getnetworkinfo",), "rpcd": ("getrpcinfo",)}


class Load(threading.Thread):
    """Calls step until told to stop; failures of a node that is being killed are counted."""

    def __init__(self, step, pause=0.0):
        super().__init__(daemon=True)
        self.step, self.ending, self.done, self.failed = step, threading.Event(), 0, 0
        self.pause = pause         # between steps: the load's rate
        self.error = None

    def run(self):
        while not self.ending.is_set():
            try:
                if self.step() is None:
                    return
                self.done += 1
                if self.pause:
                    self.ending.wait(self.pause)
            except (RpcError, OSError, harness.http.client.HTTPException) as error:
                self.failed += 1
                self.error = error
                self.ending.wait(0.02)

    def stop(self):
        self.ending.set()
        self.join(120)
        assert not self.is_alive(), "the load doesn't end"


class Kills(harness.TestCase):
    def fund(self, node, purse):
        """COINS confirmed coins of the purse, and the node's chain past maturity."""
        node.rpc("generatetoaddress", 30, purse.address)
        funded = []
        for coin in purse.coins(node)[:COINS // 300]:
            each = (coin.amount - RUST) // 300
            tx = purse.spend([coin], [(purse.address, each)] * 300)
            node.rpc("sendrawtransaction", tx.encode().hex())
            funded += [Coin((tx.txid, i), each, purse.lock) for i in range(300)]
        node.rpc("generatetoaddress", 1, Purse("miner").address)
        self.assertEqual(node.rpc("getrawmempool"), [])
        return funded

    def payer(self, node, purse, to, coins, acknowledged):
        """Each call pays with one coin, until it is acknowledged."""
        client = harness.Rpc(node.rpc_port, node.cookie)
        waiting = []

        def step():
            if not waiting:
                if not coins:
                    return None
                coin = coins.pop()
                tx = purse.sign(purse.build([coin], [(coin.amount - 1000, to.lock)]), [coin])
                waiting.append((tx.encode().hex(), shown(tx.txid)))
            raw, txid = waiting[0]
            try:
                self.assertEqual(client.call("sendrawtransaction", raw), txid)
            except RpcError as error:
                # it was acknowledged by a chaind whose answer was lost, and is mined: fine
                if error.code != -27:
                    raise
            acknowledged.append(txid)
            waiting.pop()
            return True
        return step

    def miner(self, node, address, blocks):
        client = harness.Rpc(node.rpc_port, node.cookie)

        def step():
            blocks.extend(client.call("generatetoaddress", 2, address))
            return True
        return step

    def ask(self, node, daemon):
        method, *args = ASKS[daemon]
        if daemon == "chaind":
            args = [node.rpc("getblockhash", 1)]
        return node.rpc(method, *args)

    def test_kills(self):
        fast = {"rpcd": {"watch_ms": 20, "hold_ms": 20000 * SLOW},
                "utxod": {"flush_changes": 100}}
        a, b = self.node("a", options=fast), self.node("b", options=fast)
        a.connect(b)
        b.connect(a)
        purse, to = Purse("load"), Purse("paid")
        coins = self.fund(a, purse)
        wait_same_tip([a, b])
        sent, mined = [], {"a": [], "b": []}
        loads = [Load(self.payer(a, purse, to, coins, sent)),
                 Load(self.miner(a, Purse("mine a").address, mined["a"]), 0.03),
                 Load(self.miner(b, Purse("mine b").address, mined["b"]), 0.1)]
        for load in loads:
            load.start()
        back, busy, seen = [], 0, dict.fromkeys(IN_FLIGHT, 0)
        for i in range(KILLS):
            daemon = DAEMONS[i % len(DAEMONS)]
            busy += self.kill_one(a, daemon, back, seen)
            a.check_alive()
            b.check_alive()
        for load in loads:
            load.stop()
        a.wait_ready()
        b.wait_ready()
        print(f"\n{KILLS} kills, {busy} of them with work in flight {seen}; back after "
              f"{statistics.median(back):.3f} s (median), {max(back):.3f} s (most); "
              f"{len(sent)} payments, {len(mined['a'])} and {len(mined['b'])} blocks acknowledged; "
              f"{[load.failed for load in loads]} calls failed meanwhile", file=sys.stderr)
        self.assertGreaterEqual(busy, KILLS // 2)
        self.assertLessEqual(statistics.median(back), 1.0 * SLOW)
        self.assertGreater(min(len(sent), len(mined["a"]), len(mined["b"])), 0)
        self.check(a, b, sent, mined)

    def kill_one(self, node, daemon, back, seen):
        """Kills, starts again, waits until it answers; True if work was in flight."""
        def sample():
            metrics = node.metrics()
            return [name for name in IN_FLIGHT if metrics.get(name, 0) > 0]
        found = sample()
        end = time.monotonic() + 0.5
        while not found and time.monotonic() < end:
            found = sample()
        node.kill(daemon)
        for name in found:
            seen[name] += 1
        start = time.monotonic()
        node.start(daemon)
        wait_for(f"{daemon} answers again", lambda: self.ask(node, daemon) or True, 30)
        back.append(time.monotonic() - start)
        wait_for("it is ready", lambda: self.ready(node), 60)
        return bool(found)

    def ready(self, node):
        health = node.rpc("gethealth")
        if not health["ready"]:
            raise OSError(str(health["causes"]))
        return True

    def check(self, a, b, sent, mined):
        """All agree, nothing acknowledged is lost, and a newcomer computes the same state."""
        try:
            wait_same_tip([a, b], 20)
        except AssertionError:       # branches of equal work: one more block decides
            a.rpc("generatetoaddress", 1, Purse("end").address)
            wait_same_tip([a, b], 120)
        for name, node in (("a", a), ("b", b)):
            for block in mined[name]:
                self.assertIn(node.rpc("getblockheader", block)["status"],
                              ("active", "valid", "stored"))
        pool = set(a.rpc("getrawmempool"))
        for txid in sent:
            self.assertTrue(txid in pool or a.rpc("gettxout", txid, 0), f"{txid} is lost")
        c = self.node("c")
        c.connect(a)
        c.connect(b)
        wait_same_tip([a, b, c], 300)
        roots = [wait_for("a root", lambda n=n: n.rpc("getblockchaininfo")["stateroot"])
                 for n in (a, b, c)]
        self.assertEqual(len(set(roots)), 1)
        works = {n.rpc("getblockchaininfo")["chainwork"] for n in (a, b, c)}
        self.assertEqual(len(works), 1)


if __name__ == "__main__":
    harness.main()
