#!/usr/bin/python3
"""kill -9 over the four daemons of three nodes under load, at moments when work is in flight, many
of them again while they recover: after each all nodes agree, the state root is that of a node that
never died, nothing acknowledged is lost, nobody else falls; at the end the state is what a replay
from genesis computes.

FULL=1 makes 240 kills, and goes on where an earlier run was broken off, or was ended by RC_SECONDS=n;
otherwise 60. RC_KILLS sets another number, RC_TEST_SEED repeats a run's choices.
"""
import collections
import os
import random
import shutil
import statistics
import sys
import time

import harness
import killing
from harness import DAEMONS

LIMIT = 3600
FULL = os.environ.get("FULL") == "1"
KILLS = int(os.environ.get("RC_KILLS", "240" if FULL else "60"))
SEED = int(os.environ.get("RC_TEST_SEED", random.randrange(1 << 32)))
BATCH = 60                  # kills of one network: its coins and its chain are bounded
COINS = 900                 # payments of each node in that time, one a coin
# How often each way to choose the moment is taken.
WAYS = ["held"] * 4 + ["reorganisation"] * 3 + ["seen"] * 3
TRIES = 20                  # stops of utxod, until one finds it at work
MOST = 3                    # times KILLS, until half of them had work in flight
AGAIN = 3                   # one kill in so many is followed by one in the recovery
RECOVERY_SECONDS = 0.12     # of a start, in which that comes


class Kills(killing.KillCase):
    # --- one kill ---

    def kill_one(self, way, node, daemon, again):
        """Chooses a moment, kills, starts again; sees that nobody else fell and nothing is lost."""
        reorganisation = held = None
        found, load = [], self.loads[f"mine {node.name}"]
        if way == "reorganisation":
            with load.lock:
                reorganisation = killing.Reorganisation(
                    node, self.rival, self.blocks, self.purse.address,
                    self.random.randrange(1, 12))
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
        pids = self.pids(self.three)
        pids.pop((node.name, daemon))
        node.kill(daemon)
        if held:
            held.release()
        if again:
            self.kill_recovering(node, daemon)
        self.back[daemon].append(self.revive(node, daemon))
        if reorganisation:
            reorganisation.end()
        now = self.pids(self.three)
        self.assertEqual({key: now[key] for key in pids}, pids)
        with self.quiet():
            self.agree(self.three, self.judge)
            self.check_node(node)
        self.flights.update(found)
        self.ways[way] += bool(found)
        self.progress.add(f"kills of {daemon}")
        self.progress.add(f"kills of {daemon} in flight", bool(found))

    def hold(self, node, within):
        """Stops utxod at a moment by chance."""
        time.sleep(self.random.random() * within)  # not a wait for anything: the moment
        held = killing.Held(node)
        return held, held.found()

    def kill_recovering(self, node, daemon):
        """Kills it before it says that it is ready, if it isn't too late."""
        log = node.log_path(daemon)
        size = os.path.getsize(log)
        node.start(daemon)
        time.sleep(self.random.random() * RECOVERY_SECONDS)  # not a wait for anything: the moment
        node.kill(daemon)
        with open(log, "rb") as f:
            f.seek(size)
            self.progress.add("recoveries broken off", b"ready after" not in f.read())

    # --- all ---

    def total(self, what):
        return sum(self.progress.count(f"kills of {d}{what}") for d in DAEMONS)

    def wanted(self):
        """Half of them with work in flight: where that was missed, more by the surest way."""
        kills, busy = self.total(""), self.total(" in flight")
        return kills < KILLS or 2 * busy < kills < MOST * KILLS

    def batch(self, number):
        self.three = [harness.Node(self.home, f"{name}{number}") for name in "abc"]
        self.nodes += self.three
        self.judge = self.rival = self.three[2]  # never killed
        self.network(self.three)
        self.start_loads(self.three, COINS)
        try:
            for _ in range(BATCH):
                if not self.wanted():
                    break
                i = self.total("")
                step = (self.random.choice(WAYS if i < KILLS else ["held"]),
                        self.random.choice(self.three[:2]), DAEMONS[i % len(DAEMONS)],
                        self.random.randrange(AGAIN) == 0)
                try:
                    self.kill_one(*step)
                except Exception as error:
                    raise AssertionError(
                        f"kill {i} ({step[0]}, {step[2]} of {step[1].name}"
                        f"{', again' if step[3] else ''}): {error}") from error
                if FULL:
                    self.progress.save()
        finally:
            for load in self.loads.values():
                load.end()
        self.stop_loads()
        self.tell_acknowledged()
        newcomer = harness.Node(self.home, f"d{number}")
        self.nodes.append(newcomer)
        height = self.check_all(self.three, newcomer)
        print(f"{height} blocks replayed: one state root on all nodes", file=sys.stderr)
        for node in self.nodes:
            node.stop()
            node.client.close()
            shutil.rmtree(node.home)
        for kept in (self.nodes, self.loads, self.sent, self.blocks):
            kept.clear()

    def test_kills(self):
        print(f"\nRC_KILLS={KILLS} RC_TEST_SEED={SEED}{' FULL=1' if FULL else ''}", file=sys.stderr)
        self.random = random.Random(SEED)
        self.back = {d: [] for d in DAEMONS}
        self.ways, self.flights = collections.Counter(), collections.Counter()
        self.progress = killing.Progress("kills", {"kills": KILLS})
        if not FULL:
            self.progress.end()
            self.progress = killing.Progress("kills", {"kills": KILLS})
        start, number = time.monotonic(), 0
        while self.wanted() and time.monotonic() - start < killing.RUN_SECONDS:
            self.batch(number)
            number += 1
        self.report(time.monotonic() - start)
        self.assertGreater(number, 0, "nothing was killed")
        if self.wanted():
            self.skipTest(f"{KILLS - self.total('')} left: start it again")
        self.assertGreater(min(self.progress.count(f"kills of {d}") for d in DAEMONS), 0)
        self.assertGreaterEqual(2 * self.total(" in flight"), self.total(""),
                                "too few with work in flight")
        self.assertGreater(self.progress.count("recoveries broken off"), 0)
        self.progress.end()

    def report(self, seconds):
        back = sorted(t for times in self.back.values() for t in times)
        print(f"{self.progress.state['done']}: {self.total('')} kills, {self.total(' in flight')} of "
              f"them with work in flight, in {seconds:.0f} s (by the way chosen: "
              f"{dict(self.ways)}; counters: {dict(self.flights)})", file=sys.stderr)
        if back:
            print(f"answers again after {statistics.median(back):.3f} s (median), "
                  f"{back[len(back) * 9 // 10]:.3f} s (nine of ten), {back[-1]:.3f} s (most); "
                  f"{sum(t <= 1 for t in back)} of {len(back)} within a second; medians "
                  f"{ {d: round(statistics.median(t), 3) for d, t in self.back.items() if t} }",
                  file=sys.stderr)

    def tell_acknowledged(self):
        print(f"acknowledged payments { {n: len(t) for n, t in self.sent.items()} }, blocks "
              f"{ {n: len(b) for n, b in self.blocks.items()} }; calls failed meanwhile "
              f"{ {n: load.failed for n, load in self.loads.items()} }", file=sys.stderr)


if __name__ == "__main__":
    harness.main()
