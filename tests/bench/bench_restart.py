"""A node killed under load: how long until it answers rightly again, and on what; and what memory
its daemons hold after a sync."""
import json
import os
import re
import socket
import time

import harness
from bench_sync import BLOCK_INPUTS, SIGNATURES, Nodes, make_chain
from pairs import Driver, Result
from registry import benchmark, scale

KILLS = 7
MIB = 1 << 20
ANSWER_SECONDS = 60
STARTS = re.compile(r"^(\S+)Z (\w+)\[(\d+)\] notice: (.*)$")


def memory(node):
    """{daemon: (resident, own share of it)} in bytes."""
    found = {}
    for daemon, process in node.processes.items():
        with open(f"/proc/{process.pid}/smaps_rollup", encoding="ascii") as f:
            rows = dict(line.split()[:2] for line in f if line.endswith("kB\n"))
        found[daemon] = int(rows["Rss:"]) << 10, int(rows["Pss:"]) << 10
    return found


def parts(node, daemon):
    """What the daemon itself says of its memory."""
    found = node.metrics_of(daemon)
    return {name.split('"')[1]: value for name, value in found.items()
            if name.startswith(f"rustycoin_{daemon}_memory_bytes")}


def ask_tip(node):
    """(height, id) by one question on a fresh connection."""
    client = harness.Rpc(node.rpc_port, node.cookie, timeout=5)
    try:
        info = client.call("getblockchaininfo")
        return info["blocks"], info["bestblockhash"]
    finally:
        client.close()


def first_right_answer(node, ids, least):
    """Seconds until the node tells a tip that is the chain's and not below what was durable; wrong
    answers that came before."""
    start, wrong = time.monotonic(), 0
    while time.monotonic() - start < ANSWER_SECONDS:
        try:
            height, block = ask_tip(node)
        except (harness.RpcError, OSError, harness.http.client.HTTPException):
            time.sleep(0.001)
            continue
        if height >= least and ids.get(height) == block:
            return time.monotonic() - start, wrong
        wrong += 1
        time.sleep(0.001)
    raise RuntimeError(f"no right answer in {ANSWER_SECONDS} s")


def told(node):
    """What the daemons say of the start they just made: (daemon, ms since the first, line)."""
    lines = []
    for daemon in harness.DAEMONS:
        with open(node.log_path(daemon), encoding="utf-8", errors="replace") as f:
            found = [m.groups() for m in map(STARTS.match, f) if m]
        lines += [row for row in found if row[2] == str(node.pid(daemon))]
    clock = [(time.mktime(time.strptime(at[:19], "%Y-%m-%dT%H:%M:%S")) + float(at[19:]), d, text)
             for at, d, _, text in lines]
    first = min(at for at, _, _ in clock)
    return [(d, round((at - first) * 1000), text) for at, d, text in sorted(clock)]


class Load:
    """A node that follows another one, which has more blocks than the first needs."""

    def __init__(self, ctx, nodes):
        inputs = 500 if ctx.quick else BLOCK_INPUTS
        self.before = (SIGNATURES // 20 if ctx.quick else SIGNATURES) // inputs
        extra = 2 * KILLS
        path = os.path.join(ctx.dir, "restart.chain")
        self.made = make_chain(path, self.before + extra, "--inputs", inputs, "--age", 0,
                               "--spacing", 1)
        self.first = self.made["blocks"] - extra
        self.server = nodes.serving(path, self.made)
        self.ids = {h: self.server.rpc("getblockhash", h)
                    for h in range(self.first, self.made["blocks"] + 1)}
        self.raw = {h: self.server.rpc("getblock", self.ids[h], 0)
                    for h in range(self.first + 1, self.made["blocks"] + 1)}
        self.node = nodes.fresh()

    def sync(self):
        """Only as far as the signatures asked for: the rest is the load."""
        self.server.rpc("invalidateblock", self.ids[self.first + 1])
        self.node.connect(self.server)
        reached = self.node.rpc("waitforblockheight", self.first, 120_000)
        if reached["hash"] != self.ids[self.first]:
            raise RuntimeError(f"no sync: {reached}")
        self.node.rpc("addnode", self.server.address, "remove")

    def submit(self, height):
        """Begins to submit a block, without waiting for the answer."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "submitblock",
                           "params": [self.raw[height]]}).encode()
        headers = self.node.client.headers()
        s = socket.create_connection(("127.0.0.1", self.node.rpc_port))
        head = "".join(f"{k}: {v}\r\n" for k, v in headers.items())
        s.sendall(f"POST / HTTP/1.1\r\nHost: x\r\n{head}Content-Length: {len(body)}\r\n\r\n"
                  .encode() + body)
        return s


@benchmark("restart")
def bench_restart(ctx):
    with Nodes(ctx.dir) as nodes:
        load = Load(ctx, nodes)
        node, height = load.node, load.first
        load.sync()
        held = memory(node)
        for daemon in ("utxod", "chaind"):
            text = ", ".join(f"{k} {v / MIB:.0f}" for k, v in parts(node, daemon).items())
            ctx.say(f"{daemon}: {held[daemon][0] / MIB:.0f} MiB, of which {text}")
        note = ", ".join(f"{d} {rss / MIB:.0f}" for d, (rss, _) in held.items())
        yield Result("footprint", "MiB", "≤ 600", [sum(r for r, _ in held.values()) / MIB],
                     note=f"resident, each with its libraries: {note}; shared counted once: "
                          f"{sum(p for _, p in held.values()) / MIB:.0f}")
        seconds, wrongs, spent = [], 0, []
        for _ in range(3 if ctx.quick else KILLS):
            # One block is acknowledged, the next one is on its way when everything dies.
            refused = node.rpc("submitblock", load.raw[height + 1])
            if refused not in (None, "duplicate"):
                raise RuntimeError(f"block {height + 1}: {refused}")
            height += 1
            node.rpc("waitforblockheight", height, 30_000)
            with load.submit(height + 1):
                time.sleep(0.06)
                for daemon in harness.DAEMONS:
                    os.kill(node.pid(daemon), 9)
            for daemon in harness.DAEMONS:
                node.kill(daemon)
            node.client.close()
            node.start()
            took, wrong = first_right_answer(node, load.ids, height)
            seconds.append(took)
            wrongs += wrong
            node.wait_ready()
            spent.append(told(node))
            height, _ = ask_tip(node)
            ctx.say(f"{took:.3f} s to block {height}, {wrong} other answers before")
        for daemon, at, text in spent[-1]:
            ctx.say(f"  {at:4d} ms {daemon}: {text}")
        last = next(t for d, _, t in spent[-1] if d == "utxod" and t.startswith("state at"))
        yield Result("restart", "s", "≤ 0.6", seconds, note=f"utxod: {last}; answers of an older "
                     f"tip before the right one: {wrongs}")


@scale("state-memory", "coins", "MiB at most", "MiB of pages", "MiB of coins", "cache_mb")
def scale_state_memory(ctx):
    """utxod's state alone, at its default cache_mb, by blocks that spend half of what they make."""
    cache = 450
    for coins in (1_000, 100_000) if ctx.quick else (1_000, 100_000, 1_000_000, 10_000_000):
        home = os.path.join(ctx.dir, f"state{coins}")
        os.mkdir(home)
        block = min(coins, 10_000)
        with Driver("state_memory") as state:
            state("open", home, cache, 64, 100_000)
            state("grow", coins // block, 0, block)
            state("grow", 20, block // 2, block // 2)
            state("read", block // 2)
            held = state("figures")
        yield (coins, held["peak"] / MIB, held["pages"] / MIB, held["coinmap"] / MIB, cache)
