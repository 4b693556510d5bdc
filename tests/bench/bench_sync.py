"""Initial download between real nodes on this host: everything but signatures should hide behind
them. The floor is the chain's signatures by the library alone on all cores, which both nodes share.
"""
import json
import os
import shutil
import statistics
import subprocess
import time

import harness
from pairs import Driver, Result, Verify, program
from registry import benchmark, scale

ROUNDS = 9
BLOCK_INPUTS = 5000
SIGNATURES = 200_000
NETWORK = os.path.join(harness.TOP, "tests", "bench", "download.ini")
TICKS = os.sysconf("SC_CLK_TCK")


def make_chain(path, blocks, *options):
    made = subprocess.run([program("make_chain"), "--network", NETWORK, "--out", path, "--blocks",
                           str(blocks), *map(str, options)],
                          check=True, capture_output=True, text=True)
    return json.loads(made.stdout)


def answers(node):
    """Waits for all of a node's daemons; one that downloads isn't "ready"."""
    harness.wait_for(node.name, lambda: node.rpc("getblockcount") is not None and
                     node.rpc("getconnectioncount") is not None)
    return node


class Nodes:
    """Nodes in a scratch directory, ended whatever happens."""

    def __init__(self, home):
        self.home, self.all = home, []

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        for node in self.all:
            node.client.close()
            if kind is None and node.processes:
                node.stop()
            node.end()

    def node(self):
        node = harness.Node(self.home, f"n{len(self.all)}", "custom", NETWORK)
        self.all.append(node)
        return node

    def fresh(self):
        return answers(self.node().start())

    def serving(self, path, made):
        """A node that has the chain."""
        node = self.node().start("utxod", "chaind")
        with Driver("feed") as feed:
            feed("open", node.rundir, NETWORK, path)
            fed = feed("feed", 1, made["blocks"])
            if fed["height"] != made["blocks"]:
                raise RuntimeError(f"the serving node stands at {fed}")
        return answers(node.start("peerd", "rpcd"))

    def copies(self, node, n):
        """n more nodes like a serving one, of a copy of its chain."""
        node.stop()
        others = [self.node() for _ in range(n)]
        for other in others:
            for daemon in ("utxod", "chaind"):
                shutil.copytree(os.path.join(node.home, daemon), os.path.join(other.home, daemon))
        for other in [node, *others]:
            other.start()
        for other in [node, *others]:
            answers(other)
        return others


def process_cpu(process):
    """Seconds of all its threads so far."""
    with open(f"/proc/{process.pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def cpu_seconds(node):
    """{daemon: seconds} so far."""
    return {daemon: process_cpu(p) for daemon, p in node.processes.items()}


def floor_slice(floor, milliseconds=1000):
    """Signatures a second, and a CPU second: the latter says most where others use the host too."""
    before = process_cpu(floor.driver.process)
    answer = floor.driver("run", floor.threads, milliseconds)
    spent = process_cpu(floor.driver.process) - before
    return answer["count"] / answer["seconds"], answer["count"] / spent


def sync(node, servers, made):
    """Seconds until the node has the chain from the servers, all of its daemons' CPU, and the
    servers'."""
    before = [cpu_seconds(n) for n in (node, *servers)]
    start = time.monotonic()
    for server in servers:
        node.connect(server)
    reached = node.rpc("waitforblockheight", made["blocks"], 120_000)
    seconds = time.monotonic() - start
    if reached["height"] != made["blocks"] or node.tip() != made["tip"]:
        raise RuntimeError(f"no sync in time: {reached}")
    spent = [{d: after[d] - then[d] for d in after}
             for then, after in zip(before, (cpu_seconds(n) for n in (node, *servers)))]
    served = {}
    for one in spent[1:]:
        for daemon, cpu in one.items():
            served[daemon] = served.get(daemon, 0) + cpu
    return seconds, spent[0], served


def listed(spent):
    return ", ".join(f"{d} {cpu:.2f}" for d, cpu in spent.items())


@benchmark("sync")
def bench_sync(ctx):
    signatures = SIGNATURES // 20 if ctx.quick else SIGNATURES
    path = os.path.join(ctx.dir, "sync.chain")
    made = make_chain(path, signatures // BLOCK_INPUTS, "--inputs", BLOCK_INPUTS)
    ours, base, shares, notes = [], [], [], []
    with Verify() as floor, Nodes(ctx.dir) as nodes:
        server = nodes.serving(path, made)
        now = floor_slice(floor)
        for _ in range(3 if ctx.quick else ROUNDS):
            node = nodes.fresh()
            seconds, spent, served = sync(node, [server], made)
            node.stop()
            last, now = now, floor_slice(floor)
            # The floor as it was around this run: half of it before, half after.
            rate, cpu_rate = ((a + b) / 2 for a, b in zip(last, now))
            everybody = sum(spent.values()) + sum(served.values())
            ours.append(made["signatures"] / seconds)
            base.append(rate)
            shares.append(made["signatures"] / cpu_rate / everybody)
            notes.append(f"CPU seconds: {listed(spent)}; serving: {listed(served)}")
            ctx.say(f"{seconds:.2f} s, floor {made['signatures'] / rate:.2f} s, signatures are "
                    f"{shares[-1]:.2f} of all CPU; {notes[-1]}")
    yield Result("sync", "inputs/s", "≥ 0.77", ours, base,
                 note=f"the floor's CPU is {statistics.median(shares):.2f} of what all daemons of "
                      f"both nodes spent; {notes[len(notes) // 2]}")


@scale("sync-peers", "peers", "share of the floor", "inputs/s", "CPU s a million inputs")
def scale_sync_peers(ctx):
    """All peers, their daemons too, on this host's cores: more of them shouldn't cost more."""
    path = os.path.join(ctx.dir, "peers.chain")
    made = make_chain(path, 4 if ctx.quick else 40, "--inputs", 1000 if ctx.quick else 2500)
    with Verify() as floor, Nodes(ctx.dir) as nodes:
        servers = [nodes.serving(path, made)]
        servers += nodes.copies(servers[0], 15)
        rounds = {n: [] for n in (1, 4, 16)}
        rate = floor.rate(500)
        for _ in range(1 if ctx.quick else 5):
            for n, figures in rounds.items():
                node = nodes.fresh()
                seconds, spent, served = sync(node, servers[:n], made)
                node.stop()
                rate, last = floor.rate(500), rate
                speed = made["signatures"] / seconds
                cpu = sum(spent.values()) + sum(served.values())
                figures.append((speed / ((rate + last) / 2), speed,
                                cpu / made["signatures"] * 1e6))
        for n, figures in rounds.items():
            yield n, *(statistics.median(column) for column in zip(*figures))
