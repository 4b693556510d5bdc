"""Blocks through real daemons: handed to chaind over the bus, connected by chaind and utxod, their
data on disk. What verification alone would take on the same cores is measured in turns with it."""
import json
import os
import statistics
import subprocess
import time

import harness
from pairs import Driver, Result, Verify, paired, program
from registry import benchmark, scale

DAEMONS = ("utxod", "chaind")
TICK = os.sysconf("SC_CLK_TCK")
CORES = os.cpu_count()
INPUTS = 5000       # of each block
STAGES = ("decode", "fetch", "check", "verify", "stage", "commit", "publish")


def make_chain(ctx, name, *options):
    path = os.path.join(ctx.dir, f"{name}.chain")
    made = subprocess.run([program("make_chain"), "--out", path, *map(str, options)], check=True,
                          capture_output=True, text=True)
    return path, json.loads(made.stdout)


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


class Pair:
    """chaind and utxod of one node with the blocks below the first that spends, and who feeds
    them."""

    def __init__(self, ctx, name, path, first):
        self.node = harness.Node(ctx.dir, name, options={"utxod": {"cache_mb": 1024}})
        self.feeder, self.path, self.first = Driver("feed"), path, first

    def __enter__(self):
        self.node.start(*DAEMONS)
        self.feeder("open", self.node.rundir, "reg", self.path)
        self.feed(1, self.first - 1)
        self.settle()
        return self

    def __exit__(self, kind, *what):
        self.feeder.__exit__(kind, *what)
        if kind is None:
            self.node.stop()
        self.node.end()

    def feed(self, first, last, window=16):
        """Seconds until all of these blocks are connected."""
        fed = self.feeder("feed", first, last, window)
        if fed["height"] != last:
            raise RuntimeError(f"{self.node.name} stands at {fed}")
        return fed["seconds"]

    def fill_pool(self, height):
        got = self.feeder("txs", height, 500)
        if got["refused"]:
            raise RuntimeError(f"the pool refused {got}")

    def cpu(self):
        return sum(cpu_seconds(self.node.pid(d)) for d in DAEMONS)

    def settle(self):
        """Waits until nothing more is done for what was fed: flushes are over."""
        end, used = time.monotonic() + 60, self.cpu()
        while time.monotonic() < end:
            time.sleep(0.1)
            now = self.cpu()
            if now - used < 0.02:
                return
            used = now

    def stages(self):
        """Milliseconds so far by stage, and blocks."""
        chaind = self.node.metrics_of("chaind")
        found = {s: chaind[f'rustycoin_chaind_stage_seconds_sum{{stage="{s}"}}'] * 1e3
                 for s in STAGES}
        return found, chaind["rustycoin_chaind_blocks_connected_total"]

    def per_block(self, before):
        """A note: where the time of a block went since."""
        (old, n_old), (new, n) = before, self.stages()
        return "ms a block by chaind's stages: " + ", ".join(
            f"{s} {(new[s] - old[s]) / (n - n_old):.1f}" for s in STAGES)


def cold(ctx, mix, rounds):
    """One block at a time, the daemons idle before it, in turns with its signatures alone."""
    path, made = make_chain(ctx, f"cold-{mix}", "--mix", mix, "--blocks", rounds, "--inputs", INPUTS,
                            "--fund-coins", 20_000 if ctx.quick else 200_000)
    signatures = made["spend_signatures"] // rounds
    heights = iter(range(made["first_spend"], made["blocks"] + 1))
    with Pair(ctx, f"cold-{mix}", path, made["first_spend"]) as pair, Verify() as floor:
        def ours():
            height = next(heights)
            seconds = pair.feed(height, height)
            pair.settle()
            return INPUTS / seconds

        before = pair.stages()
        a, b = paired(rounds, ours, lambda: INPUTS / floor.seconds(signatures))
        note = pair.per_block(before)
    os.unlink(path)
    return a, b, note


@benchmark("connect-sig")
def connect_sig(ctx):
    rounds = 3 if ctx.quick else 25
    for mix, name in (("key", "connect-sig"), ("policy", "connect-sig policies")):
        ours, base, note = cold(ctx, mix, rounds)
        if mix == "policy":
            note += "; a policy's commitment is no signature: its check isn't in the floor"
        yield Result(name, "inputs/s", "≥ 0.92", ours, base, note=note)


@benchmark("tip-connect")
def tip_connect(ctx):
    """The same block on two nodes: one's pool has its transactions, the other's is empty."""
    rounds = 3 if ctx.quick else 15
    path, made = make_chain(ctx, "tip", "--blocks", rounds, "--inputs", INPUTS, "--fund-coins",
                            20_000 if ctx.quick else 200_000)
    first = made["first_spend"]
    heights = iter(range(first, made["blocks"] + 1))
    with Pair(ctx, "known", path, first) as known, Pair(ctx, "unknown", path, first) as unknown:
        ours, base = [], []
        before = known.stages()
        for i, height in enumerate(heights):
            known.fill_pool(height)
            known.settle()
            unknown.settle()
            for pair, times in ((known, ours), (unknown, base))[::1 if i % 2 else -1]:
                times.append(pair.feed(height, height) * 1e3)
        note = known.per_block(before)
    yield Result("tip-connect", "ms", "≤ 0.12", ours, base, note=note)
    os.unlink(path)


def slices(pair, floor, first, blocks, each):
    """Blocks through the pipeline in slices of `each`; of a slice's time is also what the daemons
    still had to do after its last block, on all cores. Yields inputs/s and the floor's."""
    for height in range(first, first + blocks, each):
        before = floor.rate(400)
        seconds = pair.feed(height, height + each - 1, 32)
        left = pair.cpu()
        pair.settle()
        seconds += (pair.cpu() - left) / CORES
        yield each * INPUTS / seconds, (before + floor.rate(400)) / 2


@benchmark("connect-steady")
def connect_steady(ctx):
    blocks, each = (6, 3) if ctx.quick else (200, 20)
    path, made = make_chain(ctx, "steady", "--blocks", blocks, "--inputs", INPUTS, "--fund-coins",
                            20_000 if ctx.quick else 1_000_000)
    with Pair(ctx, "steady", path, made["first_spend"]) as pair, Verify() as floor:
        before = {d: cpu_seconds(pair.node.pid(d)) for d in DAEMONS}
        flushes = pair.node.metrics_of("utxod")["rustycoin_utxod_flushes_total"]
        ours, base = zip(*slices(pair, floor, made["first_spend"], blocks, each))
        used = {d: (cpu_seconds(pair.node.pid(d)) - before[d]) * 1e3 / blocks for d in DAEMONS}
        flushes = pair.node.metrics_of("utxod")["rustycoin_utxod_flushes_total"] - flushes
    floor_ms = INPUTS * CORES / statistics.median(base) * 1e3
    yield Result("connect-steady", "inputs/s", "≥ 0.75", list(ours), list(base),
                 note=f"{flushes:.0f} flushes in {blocks} blocks; CPU a block, ms: signatures alone "
                      f"{floor_ms:.0f}, " + ", ".join(f"{d} {v:.0f}" for d, v in used.items()))
    os.unlink(path)


@benchmark("ipc-share")
def ipc_share(ctx):
    """The same blocks by two daemons, and by their cores in one process."""
    rounds = 3 if ctx.quick else 21
    path, made = make_chain(ctx, "ipc", "--blocks", rounds, "--inputs", INPUTS, "--fund-coins",
                            20_000 if ctx.quick else 200_000)
    first = made["first_spend"]
    with Pair(ctx, "ipc", path, first) as pair, Driver("one_process") as one:
        one("open", os.path.join(ctx.dir, "one"), "reg", path)
        one("feed", 1, first - 1)
        split, joined = [], []
        for i, height in enumerate(range(first, made["blocks"] + 1)):
            one("settle")
            pair.settle()
            for turn in (0, 1) if i % 2 else (1, 0):
                if turn:
                    split.append(pair.feed(height, height) * 1e3)
                else:
                    joined.append(one("feed", height, height)["seconds"] * 1e3)
    yield Result("ipc-share", "ms", "≤ 0.03", split, joined,
                 [(s - j) / s for s, j in zip(split, joined)],
                 note="a block of 5,000 inputs by daemons ÷ the same in one process")
    os.unlink(path)


@scale("connect-coins", "coins", "connect µs/input", "signatures alone µs/input")
def connect_coins(ctx):
    """Cold blocks on states of different sizes."""
    rounds = 2 if ctx.quick else 7
    for coins in (1000, 100_000) if ctx.quick else (1000, 100_000, 1_000_000, 10_000_000):
        inputs = min(INPUTS, coins // 2)
        path, made = make_chain(ctx, "coins", "--blocks", rounds, "--inputs", inputs, "--fund-coins",
                                coins)
        with Pair(ctx, f"coins-{coins}", path, made["first_spend"]) as pair, Verify() as floor:
            ours, base = [], []
            for height in range(made["first_spend"], made["blocks"] + 1):
                pair.settle()
                ours.append(pair.feed(height, height) * 1e6 / inputs)
                base.append(floor.seconds(inputs) * 1e6 / inputs)
        yield coins, statistics.median(ours), statistics.median(base)
        os.unlink(path)
