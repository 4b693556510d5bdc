#!/usr/bin/python3
"""Holds a load on two linked nodes for a long time and looks whether anything creeps: memory,
descriptors, log lines. Prints a picture a minute and a row for tests/RECORD.md; exit 1 says what
grew.

The load, without pause: questions to both nodes' APIs, payments, a block every
ten seconds on one of the nodes, strangers that connect and hang up or say nonsense; every five
minutes the nodes are apart for a while, mine two branches and find together again.

usage: soak.py [--minutes N] [--questions N] [--payments N]
  --minutes N     how long (default 60)
  --questions N   a second, of both nodes (default 300)
  --payments N    a second (default 20)
"""
import argparse
import os
import random
import re
import socket
import sys
import tempfile
import threading
import time
from collections import Counter

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(TOP, "tests", d) for d in ("functional", "bench")]
import harness  # noqa: E402
from harness import DAEMONS, wait_for, wait_same_tip  # noqa: E402
from pairs import Driver  # noqa: E402
from purse import Purse  # noqa: E402

CYCLE = 10                  # seconds: payments, a block, a sample
APART_CYCLES = 30           # of them between two partitions
APART_BLOCKS = (2, 3)       # of the two branches
STRANGERS = 3               # connections a cycle to each node
WARM_UP = 0.2               # of the time: caches fill
SLOPE_MIN_MINUTES = 5       # a shorter run says nothing of slopes
SLOPE_MAX = 1.0             # MiB a minute
# A client's connection may be open at one look and not at another: kept and short ones of the load.
FD_SWING = 24
LINES_PER_SECOND = 1.0      # of a node's log, and ...
SAME_PER_MINUTE = 6.0       # ... of one kind (a block every ten seconds may be told)
KIND = re.compile(r"\b(?:[0-9a-f]{8,}|[0-9][0-9.,:]*)\b")
QUESTIONS = (("getblockcount",), ("getbestblockhash",), ("getblockchaininfo",), ("getmempoolinfo",),
             ("getpeerinfo",), ("gettxout", "00" * 32, 0), ("gethealth",), ("getrawmempool",))


def resident_mib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS:")) / 1024


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def slope(samples):
    """Of (x, y) by least squares."""
    n = len(samples)
    mean_x, mean_y = sum(x for x, _ in samples) / n, sum(y for _, y in samples) / n
    spread = sum((x - mean_x) ** 2 for x, _ in samples)
    return sum((x - mean_x) * (y - mean_y) for x, y in samples) / spread if spread else 0.0


class Questions(threading.Thread):
    """So many questions a second; those that fail are counted by their error."""

    def __init__(self, node, per_second):
        super().__init__(daemon=True)
        self.client = harness.Rpc(node.rpc_port, node.cookie)
        self.gap, self.ending = 1.0 / per_second, threading.Event()
        self.seconds, self.failed = [], Counter()
        self.start()

    def run(self):
        due = time.monotonic()
        turn = 0
        while not self.ending.wait(max(0.0, due - time.monotonic())):
            began = time.monotonic()
            try:
                self.client.call(*QUESTIONS[turn % len(QUESTIONS)])
            except (OSError, harness.RpcError, harness.http.client.HTTPException) as e:
                self.failed[str(e)] += 1
            self.seconds.append(time.monotonic() - began)
            due = max(due + self.gap, began)  # a late one isn't made up for by a burst
            turn += 1

    def end(self):
        self.ending.set()
        self.join(130)
        self.client.close()


class Soak:
    def __init__(self, home, options):
        self.options, self.random = options, random.Random(options.seed)
        self.nodes = [harness.Node(home, name, options={"chaind": {"mempool_mb": 64},
                                                        "utxod": {"cache_mb": 64}})
                      for name in ("a", "b")]
        self.memory = {(n.name, d): [] for n in self.nodes for d in DAEMONS}
        self.fds = {key: [] for key in self.memory}
        self.payments = self.blocks = self.partitions = self.strangers = 0
        self.faults = []
        self.miner = Purse("miner").address

    def mine(self, node, n=1):
        node.rpc("generatetoaddress", n, self.miner)
        self.blocks += n

    def pay(self, peer):
        n = self.options.payments * CYCLE
        if peer("info")["coins"] < 2 * n:
            peer("settle")
            peer("fund", max(4 * n, 20000))
        peer("sign", n)
        self.payments += peer("submit", n)["count"]

    def meet_strangers(self):
        """They connect; some hang up, some say what is no handshake."""
        for node in self.nodes:
            for _ in range(STRANGERS):
                with socket.create_connection(("127.0.0.1", node.port), timeout=10) as s:
                    if self.random.random() < 0.5:
                        s.sendall(self.random.randbytes(self.random.randrange(1, 200)))
                self.strangers += 1

    def part_and_meet(self):
        a, b = self.nodes
        b.rpc("setnetworkactive", False)
        for node, n in zip(self.nodes, APART_BLOCKS):
            self.mine(node, n)
        b.rpc("setnetworkactive", True)
        wait_for("the link again", lambda: b.rpc("getconnectioncount"), 90)
        wait_same_tip(self.nodes)
        self.partitions += 1
        assert a.tip() == b.tip()

    def sample(self, minutes):
        for node in self.nodes:
            node.check_alive()
            for daemon in DAEMONS:
                pid = node.pid(daemon)
                self.memory[node.name, daemon].append((minutes, resident_mib(pid)))
                self.fds[node.name, daemon].append((minutes, descriptors(pid)))

    def run(self):
        a, b = self.nodes
        for node in self.nodes:
            node.start().wait_ready()
        b.connect(a)
        wait_for("the link", lambda: b.rpc("getconnectioncount"))
        began = time.monotonic()
        end = began + 60 * self.options.minutes
        with Driver("tx_peer") as peer:
            peer("open", a.rundir, a.port)
            peer("fund", 20000)
            wait_same_tip(self.nodes)
            askers = [Questions(n, self.options.questions / 2) for n in self.nodes]
            cycle, told = 0, began
            while time.monotonic() < end:
                due = time.monotonic() + CYCLE
                self.pay(peer)
                self.meet_strangers()
                self.mine(self.nodes[cycle % 2])
                wait_same_tip(self.nodes)
                if cycle % APART_CYCLES == APART_CYCLES // 2:
                    self.part_and_meet()
                self.sample((time.monotonic() - began) / 60)
                if time.monotonic() - told >= 60:
                    told = time.monotonic()
                    self.tell()
                cycle += 1
                time.sleep(max(0.0, min(due, end) - time.monotonic()))
            for asker in askers:
                asker.end()
        self.judge(askers, time.monotonic() - began)

    def tell(self):
        key = ("a", "utxod")
        print(f"{self.memory[key][-1][0]:6.1f} min: " + ", ".join(
            f"{n}/{d} {self.memory[n, d][-1][1]:.1f} MiB {self.fds[n, d][-1][1]} fds"
            for n, d in self.memory), flush=True)

    def log_kinds(self, node):
        """How often each kind of line stands in the node's logs: numbers and ids don't count."""
        kinds = Counter()
        for daemon in DAEMONS:
            with open(node.log_path(daemon), encoding="utf-8", errors="replace") as f:
                for line in f:
                    kinds[daemon + " " + KIND.sub("#", line.split(" ", 1)[-1].strip())] += 1
        return kinds

    def judge(self, askers, seconds):
        warm = WARM_UP * seconds / 60
        for key in self.memory:
            name = "/".join(key)
            late = [s for s in self.memory[key] if s[0] >= warm]
            grows = slope(late) if len(late) > 1 else 0.0
            print(f"{name}: {late[0][1]:.1f} to {late[-1][1]:.1f} MiB, {grows:+.3f} MiB/min")
            if seconds >= 60 * SLOPE_MIN_MINUTES and grows > SLOPE_MAX:
                self.faults.append(f"{name} grows by {grows:.2f} MiB a minute")
            fds = [n for at, n in self.fds[key] if at >= warm]
            third = max(1, len(fds) // 3)
            if max(fds[-third:]) > max(fds[:third]) + FD_SWING:
                self.faults.append(f"{name}: {max(fds[:third])} descriptors, later "
                                   f"{max(fds[-third:])}")
        for node in self.nodes:
            kinds = self.log_kinds(node)
            if sum(kinds.values()) > LINES_PER_SECOND * seconds + 60:
                self.faults.append(f"{node.name} logs {sum(kinds.values()) / seconds:.1f} lines a "
                                   f"second: {kinds.most_common(3)}")
            for kind, n in kinds.most_common():
                if n > SAME_PER_MINUTE * seconds / 60 + 20:
                    self.faults.append(f"{node.name}: {n} times '{kind}'")
        asked = sorted(s for asker in askers for s in asker.seconds)
        failed = sum((asker.failed for asker in askers), Counter())
        if failed:
            self.faults.append(f"questions failed: {failed.most_common(3)}")
        if not (asked and self.payments and self.blocks):
            self.faults.append("there was no load")
        p99 = 1000 * asked[int(len(asked) * 0.99)]
        slopes = [slope([s for s in m if s[0] >= warm]) for m in self.memory.values()]
        print("| Minutes | Questions | p99 | Payments | Blocks | Partitions | Strangers | "
              "Steepest memory |\n|---|---|---|---|---|---|---|---|")
        print(f"| {seconds / 60:.0f} | {len(asked):,} | {p99:.1f} ms | {self.payments:,} | "
              f"{self.blocks:,} | {self.partitions} | {self.strangers:,} | "
              f"{max(slopes):+.3f} MiB/min |")

    def end(self):
        for node in self.nodes:
            node.client.close()
            node.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--questions", type=int, default=300)
    parser.add_argument("--payments", type=int, default=20)
    parser.add_argument("--seed", type=int, default=int(os.environ.get(
        "RC_TEST_SEED", random.randrange(1 << 32))))
    options = parser.parse_args()
    print(f"seed: RC_TEST_SEED={options.seed}")
    with tempfile.TemporaryDirectory(prefix="rc-soak-", dir="/tmp") as home:
        soak = Soak(home, options)
        try:
            soak.run()
            soak.end()
        except BaseException:
            for node in soak.nodes:
                print(node.logs(), file=sys.stderr)
            raise
        finally:
            for node in soak.nodes:
                node.end()
    for fault in soak.faults:
        print(f"FAULT: {fault}")
    return 1 if soak.faults else 0


if __name__ == "__main__":
    sys.exit(main())
