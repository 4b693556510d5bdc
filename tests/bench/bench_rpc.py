"""rpcd against its HTTP library alone: small answers, whole blocks, and many connections.

Both sides get the same requests from the same asker (http_load) over kept connections, in turns;
the bare server (bare_http) has nothing behind it and sends the same bytes.
"""
import contextlib
import json
import shutil
import tempfile

import harness
from pairs import Driver, Result, paired
from purse import RUST, Coin, Purse, template_block
from registry import benchmark, scale

CONNECTIONS = 16
BLOCK_TXS = 2000            # of the block that is asked for, each 2 in, 2 out
FEE = 1000
SLICE_MS = 200
BLOCK_SLICE_MS = 400


def spend_all(purse, coins):
    """Payments of the purse to itself, 2 in and 2 out."""
    for a, b in zip(coins[::2], coins[1::2]):
        half = (a.amount + b.amount - FEE) // 2
        yield purse.sign(purse.build([a, b], [(half, purse.lock)] * 2), [a, b])


def outputs_of(txs):
    return [Coin((tx.txid, i), out.amount, out.lock) for tx in txs
            for i, out in enumerate(tx.outputs)]


def submit(node, purse, txs):
    """The id of a block with these transactions, now the tip."""
    node.rpc("submitblock", template_block(node, purse.lock, extra=txs).encode().hex())
    return node.tip()


class World:
    """A node whose chain has full blocks, and the asker."""

    def __init__(self, ctx, blocks=0, options=None):
        self.dir = ctx.dir
        self.txs = 50 if ctx.quick else BLOCK_TXS
        self.home = tempfile.mkdtemp(prefix="rc-", dir="/tmp")
        self.purse = Purse("bench")
        self.node = harness.Node(self.home, "n", options=options)
        self.node.start().wait_ready()
        self.blocks = []
        self.fill(blocks)
        self.load = Driver("http_load")

    def fill(self, n):
        self.node.rpc("generatetoaddress", 20, self.purse.address)
        if not n:
            return
        coin = self.purse.coins(self.node)[0]
        share = (coin.amount - RUST) // (2 * self.txs)
        fan = self.purse.sign(self.purse.build([coin], [(share, self.purse.lock)] *
                                               (2 * self.txs)), [coin])
        submit(self.node, self.purse, [fan])
        coins = outputs_of([fan])
        for _ in range(n):
            txs = list(spend_all(self.purse, coins))
            self.blocks.append(submit(self.node, self.purse, txs))
            coins = outputs_of(txs)
        # some blocks above the last one: it isn't the tip
        self.node.rpc("generatetoaddress", 3, self.purse.address)

    def call(self, method, *params):
        return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)})

    def answer(self, body):
        """The bytes that rpcd answers."""
        status, text = self.node.client.post(body)
        assert status == 200 and b'"result"' in text, text[:200]
        return text

    def file(self, name, data):
        path = f"{self.dir}/{name}"
        with open(path, "wb") as f:
            f.write(data)
        return path

    def requests(self, name, bodies, path="/"):
        """A file of whole requests for http_load."""
        head = "".join(f"{k}: {v}\r\n" for k, v in self.node.client.headers().items())
        texts = [f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{head}"
                 f"Content-Length: {len(body)}\r\n\r\n{body}" for body in bodies]
        return self.file(f"{name}.requests", b"".join(f"{len(t)}\n{t}".encode() for t in texts))

    def open(self, name, port, bodies, path="/", connections=CONNECTIONS):
        self.load("open", name, port, connections, self.requests(name, bodies, path))

    def close(self, name):
        self.load("close", name)

    def end(self):
        self.load.close()
        self.node.client.close()
        self.node.stop()


@contextlib.contextmanager
def world(ctx, blocks=0, options=None):
    w = World(ctx, blocks, options)
    try:
        yield w
        w.end()
    finally:
        w.node.end()
        shutil.rmtree(w.home, ignore_errors=True)


class Bare(Driver):
    """The bare server with what it answers: results by method, bytes by path."""

    def __init__(self, w, results=None, made=None):
        self.port = harness.free_port()
        files = [f"{m}={w.file(m + '.result', r)}" for m, r in (results or {}).items()]
        files += [f"/{p}={w.file(p + '.made', b)}" for p, b in (made or {}).items()]
        super().__init__("bare_http", arguments=[self.port, *files])
        self.process.stdout.readline()


def rates(w, rounds, ms):
    """Of both sides, round by round: requests/s and p99 in µs."""
    def side(name):
        def run():
            r = w.load("run", name, ms)
            return r["count"] / r["seconds"], r["p99_us"], r["bytes"] / r["seconds"]
        return run
    w.load("run", "ours", ms)
    w.load("run", "bare", ms)
    return paired(rounds, side("ours"), side("bare"))


def small(w, name, rounds, bodies, bare, note=""):
    w.open("ours", w.node.rpc_port, bodies)
    w.open("bare", bare.port, bodies)
    ours, base = rates(w, rounds, SLICE_MS)
    yield Result(f"rpc-small {name}", "requests/s", "≥ 0.7", [a[0] for a in ours],
                 [b[0] for b in base], note=note)
    yield Result(f"rpc-small {name} p99", "µs", "≤ 1.5", [a[1] for a in ours],
                 [b[1] for b in base])
    w.close("ours")
    w.close("bare")


@benchmark("rpc-small")
def rpc_small(ctx):
    """16 connections ask for the height, and for headers of the best chain."""
    rounds = 5 if ctx.quick else 15
    with world(ctx) as w:
        ids = [w.node.rpc("getblockhash", h) for h in range(4, 20)]
        count = [w.call("getblockcount")]
        headers = [w.call("getblockheader", i) for i in ids]
        results = {method: json.dumps(json.loads(w.answer(body))["result"]).encode()
                   for method, body in (("getblockcount", count[0]),
                                        ("getblockheader", headers[-1]))}
        with Bare(w, results) as bare:
            yield from small(w, "getblockcount", rounds, count, bare)
            yield from small(w, "getblockheader", rounds, headers, bare)


def block(w, name, rounds, bodies, goal, made, note):
    """Requests/s of rpcd's answers to bodies against the same bytes made before."""
    with Bare(w, made={"made": made}) as bare:
        w.open("ours", w.node.rpc_port, bodies)
        w.open("bare", bare.port, bodies, "/made")
        ours, base = rates(w, rounds, BLOCK_SLICE_MS)
        rate = sorted(a[2] for a in ours)[len(ours) // 2] / 1e6
        w.close("ours")
        w.close("bare")
    yield Result(f"rpc-block {name}", "requests/s", goal, [a[0] for a in ours],
                 [b[0] for b in base],
                 note=f"{rate:.0f} MB/s, {len(made):,} bytes an answer; {note}")


@benchmark("rpc-block")
def rpc_block(ctx):
    """One block asked for again and again, as the newest is; then blocks in turn where rpcd
    keeps none, so that each comes from chaind."""
    rounds = 5 if ctx.quick else 11
    with world(ctx, blocks=4) as w:
        calls = {v: [w.call("getblock", i, v) for i in w.blocks] for v in (0, 2)}
        made = {v: w.answer(calls[v][-1]) for v in (0, 2)}
        for verbosity, goal in ((0, "≥ 0.5"), (2, "≥ 0.2")):
            yield from block(w, f"{verbosity}", rounds, calls[verbosity][-1:], goal,
                             made[verbosity], "one block again and again")
        w.node.options["rpcd"] = {"block_cache_mb": 0}
        w.node.restart("rpcd")
        w.node.wait_ready()
        for verbosity in (0, 2):
            yield from block(w, f"{verbosity}, not kept", rounds, calls[verbosity], "",
                             made[verbosity], "each block comes from chaind over the bus")


@scale("rpc-connections", "connections", "requests/s", "bare requests/s", "p99 µs", "bare p99 µs")
def rpc_connections(ctx):
    """getblockcount at more and more connections."""
    with world(ctx) as w:
        body = w.call("getblockcount")
        result = json.dumps(json.loads(w.answer(body))["result"]).encode()
        with Bare(w, {"getblockcount": result}) as bare:
            for n in (1, 16, 256):
                w.open("ours", w.node.rpc_port, [body], connections=n)
                w.open("bare", bare.port, [body], connections=n)
                ours, base = rates(w, 3 if ctx.quick else 9, SLICE_MS)
                w.close("ours")
                w.close("bare")
                middle = len(ours) // 2
                yield (n, *(sorted(r[k] for r in rows)[middle] for k in (0, 1)
                            for rows in (ours, base)))
