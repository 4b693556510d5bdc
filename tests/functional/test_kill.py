#!/usr/bin/python3
"""kill -9 over the four daemons of three nodes under load: nothing acknowledged is lost, nobody
else falls, nodes agree, and the state is what a replay from genesis computes.

RC_KILLS sets how many kills (default 100), RC_TEST_SEED repeats a run's choices.
"""
import collections
import os
import random
import statistics
import sys
import time

import harness
import killing
from harness import DAEMONS, SLOW, RpcError, wait_for, wait_same_tip
from purse import RUST, Coin, Purse

LIMIT = 1500
KILLS = int(os.environ.get("RC_KILLS", "100"))
SEED = int(os.environ.get("RC_TEST_SEED", random.randrange(1 << 32)))
COINS = 600                 # payments of each node, one a coin
PAY_SECONDS, MINE_SECONDS = 0.1, 0.25
# How often each way to choose the moment is taken.
WAYS = ["held"] * 4 + ["reorganisation"] * 3 + ["seen"] * 3
TRIES = 20                  # stops of utxod, until one finds it at work
MOST = 3                    # times KILLS, until half of them had work in flight
RECHECKED = 40              # of the newest acknowledged, looked for after each kill
# A block found just as a better one arrives is stored and never judged.
KEPT = ("active", "valid", "stored")
OPTIONS = {"rpcd": {"watch_ms": 20, "hold_ms": 20000 * SLOW},
           "utxod": {"flush_changes": 40},
           "peerd": {"retry_max": 1, "relay_delay_ms": 20}}


class Kills(harness.TestCase):
    def three(self):
        nodes = [self.node(name, start=False) for name in "abc"]
        for node in nodes:
            node.options = {d: dict(o) for d, o in OPTIONS.items()}
            node.options["peerd"]["addnode"] = [n.address for n in nodes if n is not node]
            node.start()
        for node in nodes:
            node.wait_ready()
            wait_for("links", lambda n=node: n.rpc("getconnectioncount") >= 2)
        return nodes

    def fund(self, node, purse, n):
        """At least n confirmed coins of the purse."""
        node.rpc("generatetoaddress", 11 + n // 300, purse.address)
        funded = []
        for coin in purse.coins(node):
            each = (coin.amount - RUST) // 300
            tx = purse.spend([coin], [(purse.address, each)] * 300)
            node.rpc("sendrawtransaction", tx.encode().hex())
            funded += [Coin((tx.txid, i), each, purse.lock) for i in range(300)]
        while node.rpc("getrawmempool"):
            node.rpc("generatetoaddress", 1, Purse("miner").address)
        self.assertGreaterEqual(len(funded), n)
        return funded

    # --- one kill ---

    def kill_one(self, way, node, daemon):
        """Chooses a moment, kills, starts again; sees that nobody else fell and nothing is lost."""
        reorganisation = held = None
        found, load = [], self.loads[f"mine {node.name}"]
        if way == "reorganisation":
            other = self.nodes[self.nodes.index(node) - 1]
            with load.lock:
                reorganisation = killing.Reorganisation(
                    node, other, self.blocks, self.purse.address, self.random.randrange(1, 12))
                held, found = self.hold(node, 0.012)
        for _ in range(0 if way == "seen" else TRIES):
            if found:
                break
            if held:
                held.release()
            load.kick()
            held, found = self.hold(node, 0.02)
        if way == "seen":
            found = killing.watch(node, 0.5)
        pids = self.pids()
        pids.pop((node.name, daemon))
        node.kill(daemon)
        if held:
            held.release()
        self.revive(node, daemon)
        if reorganisation:
            reorganisation.end()
        now = self.pids()
        self.assertEqual({key: now[key] for key in pids}, pids)
        self.check_node(node)
        self.flights.update(found)
        self.kills[daemon] += 1
        self.busy[daemon] += bool(found)
        self.ways[way] += bool(found)

    def hold(self, node, within):
        """Stops utxod at a moment by chance."""
        time.sleep(self.random.random() * within)  # not a wait for anything: the moment
        held = killing.Held(node)
        return held, held.found()

    def revive(self, node, daemon):
        start = time.monotonic()
        node.start(daemon)
        wait_for(f"{daemon} of {node.name} answers", lambda: killing.ask(node, daemon), 30)
        self.back[daemon].append(time.monotonic() - start)

        def ready():
            health = node.rpc("gethealth")
            if not health["ready"]:
                raise OSError(str(health["causes"]))
            return True
        wait_for(f"{node.name} is ready after a kill of {daemon}", ready, 30)

    def pids(self):
        for node in self.nodes:
            node.check_alive()
        return {(n.name, d): n.pid(d) for n in self.nodes for d in DAEMONS}

    def check_node(self, node):
        """What the node has acknowledged last is there."""
        for block in self.blocks[node.name][-RECHECKED:]:
            self.assertIn(node.rpc("getblockheader", block)["status"], KEPT)
        for txid in self.sent[node.name][-RECHECKED:]:
            # a reorganisation moves it from the chain to the pool: for an instant in neither
            wait_for(f"payment {txid} on {node.name}", lambda t=txid: node.rpc("gettxout", t, 0))

    # --- all ---

    def start_loads(self):
        a = self.nodes[0]
        coins = self.fund(a, self.purse, COINS * len(self.nodes))
        wait_same_tip(self.nodes)
        for i, node in enumerate(self.nodes):
            name = node.name
            mine = coins[i::len(self.nodes)]
            self.sent[name], self.blocks[name] = [], []
            self.loads[f"pay {name}"] = killing.Load(killing.payer(
                node, self.purse, Purse("paid"), mine, self.sent[name]), PAY_SECONDS)
            self.loads[f"mine {name}"] = killing.Load(killing.miner(
                node, Purse(f"mine {name}").address, self.blocks[name]), MINE_SECONDS)

    def test_kills(self):
        print(f"\nRC_KILLS={KILLS} RC_TEST_SEED={SEED}", file=sys.stderr)
        self.random = random.Random(SEED)
        self.purse, self.loads, self.sent, self.blocks = Purse("load"), {}, {}, {}
        self.back = {d: [] for d in DAEMONS}
        self.kills, self.busy, self.ways, self.flights = (collections.Counter() for _ in range(4))
        self.nodes = self.three()
        self.start_loads()
        start = time.monotonic()
        try:
            i = -1
            # Half of them with work in flight: where that was missed, more by the surest way.
            while (i := i + 1) < KILLS or 2 * sum(self.busy.values()) < i < MOST * KILLS:
                step = (self.random.choice(WAYS if i < KILLS else ["held"]),
                        self.random.choice(self.nodes), DAEMONS[i % len(DAEMONS)])
                try:
                    self.kill_one(*step)
                except Exception as error:
                    raise AssertionError(f"kill {i} ({step[0]}, {step[2]} of {step[1].name}): "
                                         f"{error}") from error
        finally:
            for load in self.loads.values():
                load.end()
        for load in self.loads.values():
            load.stop()
        self.report(time.monotonic() - start)
        self.assertGreaterEqual(2 * sum(self.busy.values()), sum(self.kills.values()),
                                "too few with work in flight")
        self.check_all()

    def report(self, seconds):
        back = sorted(t for times in self.back.values() for t in times)
        print(f"{sum(self.kills.values())} kills in {seconds:.0f} s, {sum(self.busy.values())} of them with work in "
              f"flight (of {dict(self.kills)}: {dict(self.busy)}; by the way chosen: "
              f"{dict(self.ways)}; counters: {dict(self.flights)})", file=sys.stderr)
        print(f"answers again after {statistics.median(back):.3f} s (median), "
              f"{back[len(back) * 9 // 10]:.3f} s (nine of ten), {back[-1]:.3f} s (most); "
              f"{sum(t <= 1 for t in back)} of {len(back)} within a second; medians "
              f"{ {d: round(statistics.median(t), 3) for d, t in self.back.items() if t} }",
              file=sys.stderr)
        print(f"acknowledged payments { {n: len(t) for n, t in self.sent.items()} }, blocks "
              f"{ {n: len(b) for n, b in self.blocks.items()} }; calls failed meanwhile "
              f"{ {n: load.failed for n, load in self.loads.items()} }", file=sys.stderr)

    def check_all(self):
        """All agree, nothing acknowledged is lost, the state is the replay's and a newcomer's."""
        for node in self.nodes:
            node.wait_ready()
        a = self.nodes[0]
        wait_for("one height", lambda: len({n.rpc("getblockcount") for n in self.nodes}) == 1, 120)
        a.rpc("generatetoaddress", 1, self.purse.address)   # decides between equal branches
        tip = wait_same_tip(self.nodes, 120)
        work = a.rpc("getblockchaininfo")["chainwork"]
        for node in self.nodes:
            for block in self.blocks[node.name]:
                header = node.rpc("getblockheader", block)
                self.assertIn(header["status"], KEPT)
                self.assertLessEqual(header["chainwork"], work)
            for txid in self.sent[node.name]:
                wait_for(f"payment {txid}", lambda n=node, t=txid: n.rpc("gettxout", t, 0))
        height, *root = killing.replay(a)
        newcomer = self.node("d", start=False)
        newcomer.options = {"peerd": {"addnode": [n.address for n in self.nodes]}}
        newcomer.start().wait_ready()
        self.assertEqual(wait_same_tip([*self.nodes, newcomer], 300), tip)
        for node in [*self.nodes, newcomer]:
            self.assertIn(wait_for("a root", lambda n=node: n.rpc("getblockchaininfo")["stateroot"]),
                          root)
        print(f"{height} blocks replayed: one state root on all nodes", file=sys.stderr)


if __name__ == "__main__":
    harness.main()
