"""Initial download between real nodes on this host: everything but signatures should hide behind
them. The floor is the chain's signatures by the library alone on all cores; both nodes share them.
"""
import json
import os
import subprocess
import time

import harness
from pairs import Driver, Result, Verify, program
from registry import benchmark, scale

ROUNDS = 9
BLOCK_INPUTS = 5000
SIGNATURES = 200_000
TICKS = os.sysconf("SC_CLK_TCK")


def make_chain(path, blocks, *options):
    made = subprocess.run([program("make_chain"), "--out", path, "--blocks", str(blocks),
                           *map(str, options)], check=True, capture_output=True, text=True)
    return json.loads(made.stdout)


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

    def fresh(self):
        node = harness.Node(self.home, f"n{len(self.all)}")
        self.all.append(node)
        return node.start().wait_ready()

    def serving(self, path, made):
        """A node that has the chain."""
        node = harness.Node(self.home, f"n{len(self.all)}")
        self.all.append(node)
        node.start("utxod", "chaind")
        with Driver("feed") as feed:
            feed("open", node.rundir, "reg", path)
            fed = feed("feed", 1, made["blocks"])
            if fed["height"] != made["blocks"]:
                raise RuntimeError(f"the serving node stands at {fed}")
        return node.start("peerd", "rpcd").wait_ready()


def cpu_seconds(node):
    """{daemon: seconds} of all its threads so far."""
    spent = {}
    for daemon, process in node.processes.items():
        with open(f"/proc/{process.pid}/stat", encoding="ascii") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        spent[daemon] = (int(fields[11]) + int(fields[12])) / TICKS
    return spent


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
    ours, base, notes = [], [], []
    with Verify() as floor, Nodes(ctx.dir) as nodes:
        server = nodes.serving(path, made)
        rate = floor.rate(1000)
        for _ in range(3 if ctx.quick else int(os.environ.get('ROUNDS', ROUNDS))):
            node = nodes.fresh()
            seconds, spent, served = sync(node, [server], made)
            node.stop()
            rate, last = floor.rate(1000), rate
            # The floor as it was around this run: half of it before, half after.
            floor_seconds = made["signatures"] / ((rate + last) / 2)
            ours.append(made["signatures"] / seconds)
            base.append((rate + last) / 2)
            notes.append(f"CPU seconds: {listed(spent)}; serving: {listed(served)}")
            ctx.say(f"{seconds:.2f} s, floor {floor_seconds:.2f} s; {notes[-1]}")
    yield Result("sync", "inputs/s", "≥ 0.77", ours, base, note=notes[len(notes) // 2])
