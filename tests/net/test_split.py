#!/usr/bin/python3
"""Seven nodes on seven hosts, and a network that splits, loses, delays and starves. After each fault
has ended: one tip within 20 s, one state root, nobody honest penalised or banned, every transaction
that was acknowledged in a block or in all pools, no double spend in any pool.

FULL=1 runs all rounds, several times; else a few that the seed chooses, under a minute.
RC_TEST_SEED=N repeats a run's choices, RC_ROUNDS="halves ring" runs these. A round that injected no
fault fails.
"""
import os
import random
import sys
import time

import wire
from wire import Wire, WireNode
import harness
import killing
from harness import RpcError, wait_for
from purse import RUST, Coin, Purse, shown
from rcref.transaction import parse_transaction

LIMIT = 2400
FULL = os.environ.get("FULL") == "1"
SEED = int(os.environ.get("RC_TEST_SEED", random.randrange(1 << 32)))
ROUNDS = os.environ.get("RC_ROUNDS", "").split()
REPEATS = 4                 # of each round in a full run
HOSTS = [f"n{i}" for i in range(7)]
ONE_TIP_SECONDS = 20        # after healing
POOLS_SECONDS = 30
COINS = 300
# How long a fault lasts: in a full run links are given up (20 s), and retries become rare.
SECONDS = (5, 18, 30, 75) if FULL else (3, 6, 12)


class Split(harness.TestCase):
    def setUp(self):
        wire.need()
        super().setUp()
        self.random = random.Random(SEED)
        self.net = Wire(HOSTS, SEED, neighbours=self.random.random() < 0.5)
        self.coins, self.sent, self.faults = [], [], {}

    def tearDown(self):
        try:
            super().tearDown()
        finally:
            self.net.end()

    # --- seven nodes ---

    def begin(self):
        for i, host in enumerate(HOSTS):
            node = WireNode(self.net, host, self.home)
            self.nodes.append(node)
        for i, node in enumerate(self.nodes):
            # Each is told of one by IPv4 and of one by IPv6; the others it hears of.
            node.options["peerd"]["addnode"] = [self.nodes[i - 1].address, self.nodes[i - 2].address6]
            node.start()
        for node in self.nodes:
            node.wait_ready()
        self.purse = Purse("split")
        self.nodes[0].rpc("generatetoaddress", 10, self.purse.address)
        self.fund()
        self.meshed()

    def fund(self):
        """Confirmed coins, as many as a few rounds take."""
        first, purse = self.nodes[0], self.purse
        first.rpc("generatetoaddress", 1, purse.address)
        coin = [c for c in purse.coins(first) if c.coinbase][0]
        each = (coin.amount - RUST) // COINS
        tx = purse.spend([coin], [(purse.address, each)] * COINS)
        first.rpc("sendrawtransaction", tx.encode().hex())
        self.mine(first)
        self.coins += [Coin((tx.txid, i), each, purse.lock) for i in range(COINS)]
        self.same_tip(self.nodes, 60)

    def linked(self, node):
        """The hosts a node is linked to."""
        found = set()
        for p in node.rpc("getpeerinfo"):
            if p["state"] == "ready":
                found |= {h for h in HOSTS if p["addr"].startswith((self.net.ipv4(h) + ":",
                                                                    f"[{self.net.ipv6(h)}]:"))}
        return found

    def meshed(self):
        wait_for("links of each to three others at least",
                 lambda: all(len(self.linked(n)) >= 3 for n in self.nodes), 60)

    # --- what is done during a fault ---

    def mine(self, node, n=1):
        node.rpc("generatetoaddress", n, Purse(f"mine {node.name}").address)

    def spend(self, coin, to, outputs=1):
        """A payment of the whole coin, in equal parts, less the fee."""
        part = (coin.amount - 500 - 100 * outputs) // outputs
        tx = self.purse.sign(self.purse.build([coin], [(part, to.lock)] * outputs), [coin])
        return tx.encode().hex(), shown(tx.txid)

    def pay(self, node, n=1, outputs=1):
        """Payments that are acknowledged, and have to be everywhere in the end."""
        for _ in range(n):
            raw, txid = self.spend(self.coins.pop(), Purse("paid"), outputs)
            self.assertEqual(node.rpc("sendrawtransaction", raw), txid)
            self.sent.append(txid)

    def pay_twice(self, one, other):
        """One coin spent on two sides of a split: both are taken."""
        coin = self.coins.pop()
        for node, to in ((one, "one side"), (other, "other side")):
            raw, txid = self.spend(coin, Purse(to))
            self.assertEqual(node.rpc("sendrawtransaction", raw), txid)

    def hold(self, seconds):
        """The fault lasts so long; the nodes live."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for node in self.nodes:
                node.check_alive()
            time.sleep(0.2)

    def split(self, side, other):
        """Both sides go on by themselves; other's chain becomes the longer one."""
        seconds = self.random.choice(SECONDS)
        self.net.ask(f"cut {','.join(n.host for n in side)} {','.join(n.host for n in other)}")
        height = self.nodes[0].rpc("getblockcount")
        one, two = self.random.choice(side), self.random.choice(other)
        self.pay(one, 2)
        self.pay(two, 2)
        self.pay_twice(one, two)        # mined on both sides
        for nodes, n in ((side, self.random.randrange(1, 4)), (other, self.random.randrange(4, 8))):
            for _ in range(n):
                self.mine(self.random.choice(nodes))
                self.same_tip(nodes)
        self.pay(self.random.choice(side))
        self.pay(self.random.choice(other))
        self.pay_twice(self.random.choice(side), self.random.choice(other))     # in pools
        self.hold(seconds)
        self.assertEqual(len({n.tip() for n in self.nodes}), 2)
        self.assertLess(height, min(n.rpc("getblockcount") for n in self.nodes))
        return f"{len(side)} and {len(other)} nodes, {seconds} s"

    def same_tip(self, nodes, limit=30):
        wait_for("one tip on " + ", ".join(n.name for n in nodes),
                 lambda: len({n.tip() for n in nodes}) == 1, limit)

    def bad_line(self, blocks=8, each=1, outputs=1, limit=60):
        """All nodes on a bad network, mining by turns; they follow each other meanwhile."""
        start = time.monotonic()
        for _ in range(blocks):
            node = self.random.choice(self.nodes)
            self.pay(node, each, outputs)
            self.mine(node)
            self.same_tip(self.nodes, limit)
        self.pay(self.random.choice(self.nodes), each, outputs)
        return f"{blocks} blocks followed in {time.monotonic() - start:.1f} s"

    # --- rounds: each does its fault and names the counters that must have grown ---

    def round_halves(self):
        nodes = self.random.sample(self.nodes, 7)
        cut = self.random.choice((3, 4))
        return self.split(nodes[:cut], nodes[cut:]), ("cut",)

    def round_isolation(self):
        nodes = self.random.sample(self.nodes, 7)
        sides = [nodes[:1], nodes[1:]]
        self.random.shuffle(sides)
        return self.split(*sides), ("cut",)

    def round_ring(self):
        """Each reaches two others only, and what goes round goes by way of all."""
        ring = self.random.sample(HOSTS, 7)
        seconds = self.random.choice(SECONDS)
        self.net.ask("cut * *", *[f"heal {ring[i - 1]} {ring[i]}" for i in range(7)])
        self.hold(seconds)
        return f"after {seconds} s {self.bad_line()}", ("cut",)

    def round_oneway(self):
        """Between half of the pairs nothing passes in one direction."""
        lines = []
        for i, a in enumerate(HOSTS):
            for b in HOSTS[i + 1:]:
                if self.random.random() < 0.5:
                    pair = [a, b]
                    self.random.shuffle(pair)
                    lines.append(f"cut {pair[0]} {pair[1]} oneway")
        self.net.ask(*lines)
        nodes = self.random.sample(self.nodes, 2)
        for node in nodes:
            self.pay(node, 2)
            self.mine(node, self.random.randrange(1, 4))
        seconds = self.random.choice(SECONDS)
        self.hold(seconds)
        return f"{len(lines)} of 21 pairs, {seconds} s", ("cut",)

    def round_loss(self):
        self.net.ask("set * * loss=5%")
        return self.bad_line(), ("lost",)

    def round_far(self):
        self.net.ask("set * * delay=100ms jitter=10ms")
        told = self.bad_line()
        for node in self.nodes:
            node.rpc("ping")
        wait_for("round trips of 180 ms and more", lambda: all(
            p.get("pingtime", 0) >= 0.18 for n in self.nodes for p in n.rpc("getpeerinfo")
            if p["state"] == "ready"), 30)
        return told, ("delayed",)

    def round_thin(self):
        """1 Mbit/s to and from each host, blocks of some 40 kB."""
        self.net.ask("line * up=1mbit down=1mbit")
        return self.bad_line(blocks=3, each=4, outputs=230), ("queued",)

    def round_worst(self):
        """Far, thin and lossy at once."""
        self.net.ask("line * up=1mbit down=1mbit", "set * * loss=5% delay=100ms jitter=10ms")
        return self.bad_line(blocks=2, each=2, outputs=230), ("queued", "lost", "delayed")

    def round_dirt(self):
        self.net.ask("set * * loss=2% duplicate=5% corrupt=1% reorder=5% delay=10ms jitter=5ms")
        return self.bad_line(), ("lost", "duplicated", "corrupted", "reordered")

    # --- after it ---

    def one_tip(self):
        """The seconds until all have one."""
        start = time.monotonic()
        self.same_tip(self.nodes, ONE_TIP_SECONDS)
        return time.monotonic() - start

    def decide(self):
        """Two branches of the same work end by the next block, here as everywhere."""
        best = max(int(n.rpc("getblockchaininfo")["chainwork"], 16) for n in self.nodes)
        tips = {n.tip(): n for n in self.nodes
                if int(n.rpc("getblockchaininfo")["chainwork"], 16) == best}
        if len(tips) > 1:
            self.mine(next(iter(tips.values())))

    def check_roots(self):
        roots = {n.rpc("getblockchaininfo")["stateroot"] for n in self.nodes}
        self.assertEqual(len(roots), 1, roots)

    def check_conduct(self):
        for node in self.nodes:
            self.assertEqual(node.rpc("listbanned"), [], node.name)
            metrics = node.metrics_of("peerd")
            for name in ("penalties_total", "discouraged", "bans"):
                self.assertEqual(metrics[f"rustycoin_peerd_{name}"], 0, f"{name} of {node.name}")

    def lacking(self):
        """Acknowledged payments that are neither in the chain nor in a node's pool."""
        lacking = set()
        for node in self.nodes:
            pool = set(node.rpc("getrawmempool"))
            for txid in self.sent:
                if txid not in pool and not node.rpc("gettxout", txid, 0, False):
                    lacking.add((node.name, txid))
        return lacking

    def check_pools(self):
        start, state = time.monotonic(), [None]

        def whole():
            state[0] = self.lacking()
            return not state[0]
        try:
            wait_for("each payment in a block or in all pools", whole, POOLS_SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{error}: {sorted(state[0])}") from None
        seconds = time.monotonic() - start
        for node in self.nodes:
            spent, made = {}, set()
            for txid in node.rpc("getrawmempool"):
                tx = parse_transaction(bytes.fromhex(node.rpc("getrawtransaction", txid)))
                made.add(tx.txid)
                for i in tx.inputs:
                    self.assertNotIn(i.outpoint, spent, f"spent twice in the pool of {node.name}")
                    spent[i.outpoint] = txid
            for (txid, index), by in spent.items():
                if txid not in made:
                    self.assertTrue(node.rpc("gettxout", shown(txid), index, False),
                                    f"{by} in the pool of {node.name} spends what is spent")
        return seconds

    def round(self, name):
        self.net.ask("reset")
        start = time.monotonic()
        told, counters = getattr(self, f"round_{name}")()
        injected = {c: self.net.total(c) for c in counters}
        for counter, n in injected.items():
            self.assertGreater(n, 0, f"{name}: no fault was injected ({counter})")
            self.faults[counter] = self.faults.get(counter, 0) + n
        lasted = time.monotonic() - start
        self.decide()
        self.net.ask("heal", "clear")
        healed = self.one_tip()
        pools = self.check_pools()
        self.check_roots()
        self.check_conduct()
        self.meshed()
        print(f"{name}: {told}; {injected}; {lasted:.1f} s; one tip {healed:.2f} s after healing, "
              f"pools {pools:.2f} s later", file=sys.stderr)

    def test_rounds(self):
        names = [n[len("round_"):] for n in sorted(dir(self)) if n.startswith("round_")]
        if ROUNDS:
            chosen = ROUNDS
        elif FULL:
            chosen = names * REPEATS
            self.random.shuffle(chosen)
        else:
            chosen = [self.random.choice(("halves", "isolation"))] + self.random.sample(
                [n for n in names if n not in ("halves", "isolation")], 2)
        print(f"\nRC_TEST_SEED={SEED} rounds: {' '.join(chosen)}", file=sys.stderr)
        start = time.monotonic()
        self.begin()
        print(f"seven nodes after {time.monotonic() - start:.1f} s", file=sys.stderr)
        for i, name in enumerate(chosen):
            try:
                if len(self.coins) < COINS // 3:
                    self.fund()
                self.round(name)
            except (AssertionError, RpcError) as error:
                raise AssertionError(f"round {i} ({name}): {error}") from error
        self.pay(self.nodes[0])
        self.mine(self.nodes[0])
        self.one_tip()
        height, *root = killing.replay(self.nodes[0])
        for node in self.nodes:
            self.assertIn(wait_for("a root", lambda n=node: n.rpc("getblockchaininfo")["stateroot"]),
                          root)
        print(f"{len(chosen)} rounds, faults {self.faults}, {len(self.sent)} payments; {height} blocks "
              "replayed: one state root on all nodes", file=sys.stderr)


if __name__ == "__main__":
    harness.main()
