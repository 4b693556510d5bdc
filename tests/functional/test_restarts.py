#!/usr/bin/python3
"""Any one daemon restarts, killed or asked to, while 500 requests a second arrive at rpcd: none
fails but those in flight on rpcd's own death, each answer is right, what was held is answered in
bounded time, and nothing is submitted twice. rpcd's socket is the service manager's, as systemd
holds it: who connects while rpcd is away waits.

FULL=1 restarts each daemon twelve times in each way, else twice. RC_TEST_SEED repeats the order.
"""
import base64
import collections
import hashlib
import hmac
import os
import random
import socket
import sys
import time

import harness
from harness import DAEMONS, SLOW, wait_for, wait_same_tip
from killing import KillCase
from purse import Purse, shown
from steady import Steady

SANITIZE = False
LIMIT = 1800
FULL = os.environ.get("FULL") == "1"
ROUNDS = 12 if FULL else 2
SEED = int(os.environ.get("RC_TEST_SEED", random.randrange(1 << 32)))
RATE = 500
HOLD_SECONDS = 20 * SLOW    # rpcd's hold_ms: no answer is held longer
SETTLED = RATE // 5         # requests that may be under way when nothing is held
BETWEEN = RATE // 2         # answers from one restart to the next
PAYMENTS, BLOCKS = 600 * ROUNDS, 240 * ROUNDS   # what is sent in 24 seconds a round
PASSED_FD = 203


class SocketNode(harness.Node):
    """A node whose rpcd gets its listening socket from outside."""

    def __init__(self, *args, **named):
        super().__init__(*args, **named)
        self.listener = socket.create_server(("127.0.0.1", self.rpc_port), backlog=4096)

    def popen(self, command, **settings):
        if os.path.basename(command[0]) != "rpcd":
            return super().popen(command, **settings)
        fd = os.dup2(self.listener.fileno(), PASSED_FD, inheritable=True)
        script = f"exec 3<&{fd} {fd}<&-; export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=rpc; exec \"$@\""
        try:
            return super().popen(["/bin/bash", "-c", script, "bash", *command], pass_fds=[fd],
                                 **settings)
        finally:
            os.close(fd)


class Restarts(KillCase):
    def make(self):
        """a, under load; c, linked with it, and b, which isn't: neither is restarted."""
        credential = "load:let me in"
        name, password = credential.split(":")
        mac = hmac.new(b"salt", password.encode(), hashlib.sha256).hexdigest()
        self.a = SocketNode(self.home, "a", options={"rpcd": {
            "rpcauth": f"{name}:salt${mac}", "rpc_connections": 8192, "rpc_in_flight": 8192,
            "hold_ms": 1000 * HOLD_SECONDS, "watch_ms": 20}})
        self.c = harness.Node(self.home, "c")
        self.c.options = {"peerd": {"addnode": [self.a.address], "retry_max": 1}}
        self.b = harness.Node(self.home, "b")
        self.addCleanup(self.a.listener.close)
        self.nodes += [self.a, self.b, self.c]
        for node in self.nodes:
            node.start()
        for node in self.nodes:
            node.wait_ready()
        self.authorization = "Basic " + base64.b64encode(credential.encode()).decode()

    def kinds(self):
        """What is asked for, the rarest first. b has the chain that is submitted, block by block."""
        coins = self.fund(self.a, PAYMENTS)
        height = self.a.rpc("getblockcount")
        for h in range(1, height + 1):
            self.b.rpc("submitblock", self.a.rpc("getblock", self.a.rpc("getblockhash", h), 0))
        self.ids = self.b.rpc("generatetoaddress", BLOCKS, Purse("ahead").address)
        wait_same_tip([self.a, self.c])
        to = Purse("paid")
        self.payments = [self.purse.sign(self.purse.build(
            [c], [(c.amount - 1000, to.lock)]), [c]) for c in coins]
        self.txids = [shown(tx.txid) for tx in self.payments]
        block = self.a.rpc("getblockhash", height - 1)
        header = self.a.rpc("getblockheader", block, False)
        coin = self.a.rpc("getblock", block)["tx"][0]
        out = self.a.rpc("gettxout", coin, 0)
        self.assertIsNotNone(out)
        return [
            {"name": "payment", "every": 20, "method": "sendrawtransaction", "each": [
                {"params": [tx.encode().hex()], "result": txid}
                for tx, txid in zip(self.payments, self.txids)]},
            {"name": "block", "every": 50, "at": 1, "method": "submitblock", "in_order": True,
             "again": "duplicate", "each": [
                {"params": [self.b.rpc("getblock", i, 0)], "result": None} for i in self.ids]},
            {"name": "links", "every": 10, "at": 3, "method": "getconnectioncount", "params": [],
             "least": 0},
            {"name": "pool", "every": 10, "at": 5, "method": "getmempoolinfo", "params": []},
            {"name": "health", "every": 10, "at": 7, "method": "gethealth", "params": []},
            {"name": "whole block", "every": 10, "at": 9, "method": "getblock",
             "params": [block, 0], "result": self.a.rpc("getblock", block, 0)},
            {"name": "coin", "every": 4, "at": 2, "method": "gettxout", "params": [coin, 0],
             "holds": {"value": out["value"], "coinbase": True}},
            {"name": "header", "every": 4, "at": 0, "method": "getblockheader",
             "params": [block, False], "result": header},
            {"name": "height", "every": 1, "method": "getblockcount", "params": [],
             "least": height},
        ]

    def restart(self, daemon, kill):
        others = self.pids([self.a])
        others.pop((self.a.name, daemon))
        began = time.monotonic()
        if kill:
            self.a.kill(daemon)
        else:
            self.a.stop(daemon)
        dead = time.monotonic()
        self.a.start(daemon)
        wait_for(f"{daemon} is back", lambda: self.a.rpc("gethealth")["ready"] and
                 self.a.rpc("getmempoolinfo")["loaded"], 60)
        now = self.pids([self.a])
        self.assertEqual({key: now[key] for key in others}, others)

        def settled(answers=0):
            status = self.load.status()
            self.assertEqual([w for w in status["wrong"] if w["status"] != 503], [])
            return status["waiting"] < SETTLED and status["answered"] >= answers and status
        status = wait_for("held requests are answered", settled, HOLD_SECONDS / SLOW)
        self.took[daemon, kill].append(time.monotonic() - began)
        answers = status["answered"] + BETWEEN
        wait_for("the load goes on", lambda: settled(answers), 30)
        if daemon == "rpcd":
            self.away.append((began, dead, kill))

    def test_restarts(self):
        print(f"\nRC_TEST_SEED={SEED}{' FULL=1' if FULL else ''}", file=sys.stderr)
        chance = random.Random(SEED)
        self.took, self.away = collections.defaultdict(list), []
        self.make()
        kinds = self.kinds()
        self.before = self.counted()
        self.load = Steady(self.a.rpc_port, self.authorization, RATE, kinds)
        self.addCleanup(self.load.kill)
        wait_for("the load runs", lambda: self.load.status()["answered"] > RATE)
        for _ in range(ROUNDS):
            steps = [(daemon, kill) for daemon in DAEMONS for kill in (True, False)]
            for daemon, kill in chance.sample(steps, len(steps)):
                try:
                    self.restart(daemon, kill)
                except AssertionError as error:
                    raise AssertionError(f"{daemon}, {'killed' if kill else 'stopped'}: "
                                         f"{error}") from error
        report = self.load.end()
        self.tell(report)
        self.check(report)

    def counted(self):
        """Transactions and blocks that c has taken."""
        figures = self.c.metrics_of("chaind")
        return [figures[f"rustycoin_chaind_{name}_total"]
                for name in ("mempool_accepted", "blocks_connected")]

    def tell(self, report):
        medians = {f"{d} {'killed' if k else 'stopped'}": round(sorted(t)[len(t) // 2], 2)
                   for (d, k), t in self.took.items()}
        stopped = sum(any(began <= one["at"] and one["sent"] <= dead and not kill
                          for began, dead, kill in self.away) for one in report["broken"])
        print(f"{report['sent']} requests in {report['seconds']:.1f} s "
              f"({report['sent'] / report['seconds']:.0f} a second), {report['answered']} answered, "
              f"{len(report['wrong'])} refused or wrongly, {report['n_broken']} broken off "
              f"({stopped} where rpcd was asked to stop) in {len(self.away)} restarts of rpcd; "
              f"half within {1000 * report['p50']:.1f} ms, 99 of 100 within "
              f"{report['p99']:.2f} s, all within {report['most']:.2f} s; "
              f"{len(report['slow'])} took more than 0.2 s; never later than planned by more than "
              f"{report['late']:.2f} s; restarted and all held answered (median s): {medians}",
              file=sys.stderr)

    def check(self, report):
        # what is late at the end, on a busy machine, is not sent
        self.assertGreaterEqual(report["sent"] / report["seconds"], RATE * 0.9)
        self.assertLessEqual(report["most"], HOLD_SECONDS + 10 * SLOW)
        # In flight on rpcd's own death: broken off, or refused by one that is at its end.
        refused = [w for w in report["wrong"] if w["status"] == 503]
        self.assertEqual([w for w in report["wrong"] if w not in refused], [])
        failed = report["broken"] + refused
        for one in failed:
            self.assertTrue(any(one["sent"] <= dead and one["at"] >= began
                                for began, dead, _ in self.away), one)
        # A payment that broke off may have been made; sent again, it is made once.
        unsure = [one["number"] for one in failed if one["kind"] == "payment"]
        for i in unsure:
            self.assertEqual(self.a.rpc("sendrawtransaction", self.payments[i].encode().hex()),
                             self.txids[i])
        paid = {self.txids[i] for i in report["done"]["payment"] + unsure}
        blocks = report["done"]["block"]
        self.assertEqual(blocks, list(range(len(blocks))))
        tip = self.ids[len(blocks) - 1]
        for node in (self.a, self.c):
            wait_for("the last block", lambda n=node: n.tip() == tip)
            wait_for("all payments", lambda n=node: len(n.rpc("getrawmempool")) == len(paid))
            self.assertEqual(sorted(node.rpc("getrawmempool")), sorted(paid))
        # c was never restarted: it has counted each once.
        self.assertEqual([now - then for now, then in zip(self.counted(), self.before)],
                         [len(paid), len(blocks)])
        self.assertEqual(self.a.rpc("getblockchaininfo")["stateroot"],
                         self.c.rpc("getblockchaininfo")["stateroot"])
        self.assertGreater(min(len(report["done"][k]) for k in report["done"]), 0)


if __name__ == "__main__":
    harness.main()
