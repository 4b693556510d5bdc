#!/usr/bin/python3
"""A whole node in 256 MiB: four daemons that may have no more between them, as rustycoin(7) says a
small node is configured, take a chain whose state doesn't fit their caches, serve, are killed and
come back; nothing is lost. Where no memory control group can be made, their memory is watched."""
import json
import os
import subprocess
import sys
import threading
import time

import harness
from harness import wait_for

sys.path.insert(0, os.path.join(harness.TOP, "tests", "bench"))
import pairs  # noqa: E402

MIB = 1 << 20
LIMIT = 256 * MIB
SMALL = {"utxod": {"cache_mb": 32},
         "chaind": {"cache_mb": 16, "verified_mb": 4, "mempool_mb": 16}}
COINS, BLOCKS, INPUTS = 150_000, 20, 2500
WATCH_SECONDS = 0.05


def memory_group():
    """The directory of our own control group for memory, or None: no such thing here."""
    try:
        with open("/proc/self/cgroup", encoding="ascii") as f:
            for line in f:
                _, controllers, path = line.strip().split(":", 2)
                if controllers == "memory":
                    return "/sys/fs/cgroup/memory" + path.rstrip("/")
    except OSError:
        pass
    return None


def limited_group(limit):
    """A Group, or None where none can be made: no such controller, or not ours to write to."""
    try:
        return Group(limit) if memory_group() else None
    except OSError as e:
        print(f"no control group, memory is watched: {e}", file=sys.stderr)
        return None


class Group:
    """Processes that have so much memory between them, files they read aside (those may go)."""

    def __init__(self, limit):
        self.path = f"{memory_group()}/rc-small-{os.getpid()}"
        os.mkdir(self.path)
        try:
            self.write("memory.limit_in_bytes", limit)
            self.held()
            subprocess.run(["true"], preexec_fn=self.join, check=True)
        except (OSError, KeyError, subprocess.SubprocessError) as e:
            self.close()
            raise OSError(f"{self.path}: {e}") from e

    def write(self, name, value):
        with open(os.path.join(self.path, name), "w", encoding="ascii") as f:
            f.write(str(value))

    def read(self, name):
        with open(os.path.join(self.path, name), encoding="ascii") as f:
            return f.read()

    def held(self):
        """Bytes that no file holds."""
        rows = dict(line.split() for line in self.read("memory.stat").splitlines())
        return int(rows["total_rss"])

    def join(self):
        """Called in the child."""
        self.write("cgroup.procs", os.getpid())

    def close(self):
        for _ in range(100):
            try:
                os.rmdir(self.path)
                return
            except OSError:
                time.sleep(0.02)


class Watched:
    """The same by watching: each page counted once, in parts where it is shared."""

    def __init__(self, node):
        self.node, self.most = node, 0

    def held(self):
        total = 0
        for process in list(self.node.processes.values()):
            try:
                with open(f"/proc/{process.pid}/smaps_rollup", encoding="ascii") as f:
                    total += sum(int(line.split()[1]) << 10 for line in f
                                 if line.startswith("Pss:"))
            except OSError:
                pass        # it is being killed
        return total


class SmallNode(harness.Node):
    group = None

    def popen(self, *args, **named):
        if self.group:
            named["preexec_fn"] = self.group.join
        return super().popen(*args, **named)


class Small(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.group, self.watcher, self.most, self.ending = None, None, 0, threading.Event()

    def watch(self, what):
        """Notes the most that is held, on a thread, until told to end."""
        def run():
            while not self.ending.wait(WATCH_SECONDS):
                self.most = max(self.most, what.held())
        self.watcher = threading.Thread(target=run, daemon=True)
        self.watcher.start()

    def tearDown(self):
        self.ending.set()
        if self.watcher:
            self.watcher.join()     # it reads the group
        try:
            super().tearDown()
        finally:
            if self.group:
                self.group.close()

    def made_chain(self):
        path = os.path.join(self.home, "chain")
        made = subprocess.run([pairs.program("make_chain"), "--out", path, "--fund-coins",
                               str(COINS), "--blocks", str(BLOCKS), "--inputs", str(INPUTS)],
                              check=True, capture_output=True, text=True)
        made = json.loads(made.stdout)
        server = harness.Node(self.home, "server")
        self.nodes.append(server)
        server.start("utxod", "chaind")
        with pairs.Driver("feed") as feed:
            feed("open", server.rundir, "reg", path)
            self.assertEqual(feed("feed", 1, made["blocks"])["height"], made["blocks"])
        server.start("peerd", "rpcd").wait_ready()
        return server, made

    def test_256_mib(self):
        server, made = self.made_chain()
        node = SmallNode(self.home, "small", options=SMALL)
        self.nodes.append(node)
        self.group = node.group = limited_group(LIMIT)
        self.watch(self.group or Watched(node))
        node.start().wait_ready()
        node.connect(server)
        half = made["blocks"] - BLOCKS // 2
        node.rpc("waitforblockheight", half, 100_000)
        for daemon in harness.DAEMONS:      # in the midst of it
            node.kill(daemon)
        node.client.close()
        node.start().wait_ready()
        wait_for("the chain", lambda: node.tip() == made["tip"], 120)
        def coins(of):
            return of.metrics_of("utxod")["rustycoin_utxod_coins"]
        wait_for("the same coins", lambda: coins(node) == coins(server))
        block = node.rpc("getblock", node.tip(), 2)
        self.assertEqual(len(block["tx"]), INPUTS // 2 + 1)
        self.assertEqual(block, server.rpc("getblock", server.tip(), 2))
        self.ending.set()
        self.watcher.join()
        if self.group:
            self.assertIn("oom_kill 0", self.group.read("memory.oom_control"))
        print(f"held at most {self.most / MIB:.0f} MiB", file=sys.stderr)
        self.assertLess(self.most, LIMIT)


if __name__ == "__main__":
    harness.main()
