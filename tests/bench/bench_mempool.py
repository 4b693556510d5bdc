"""Transactions from a peer's link into the pool, through peerd, chaind and utxod."""
import os

import harness
from pairs import Driver, Result, Verify
from registry import benchmark, scale

DAEMONS = ("utxod", "chaind", "peerd", "rpcd")
INPUTS = 2          # of each transaction
TICK = os.sysconf("SC_CLK_TCK")


def cpu_of(pid):
    """Seconds of CPU a process has used so far."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def cpu_seconds(node):
    """What each daemon has used so far."""
    return {daemon: cpu_of(node.pid(daemon)) for daemon in DAEMONS}


def resident_mib(node, daemon):
    with open(f"/proc/{node.pid(daemon)}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS:")) / 1024


def node_of(ctx, name):
    node = harness.Node(ctx.dir, name, options={"chaind": {"mempool_mb": 4000}})
    node.start().wait_ready()
    return node


@benchmark("mempool")
def mempool(ctx):
    """Slices of payments sent by a peer, against slices of plain verification."""
    rounds, each = (4, 1000) if ctx.quick else (14, 4000)
    node = node_of(ctx, "mempool")
    try:
        with Verify() as floor, Driver("tx_peer") as peer:
            peer("open", node.rundir, node.port)
            peer("fund", (rounds + 1) * each * INPUTS)
            peer("sign", (rounds + 1) * each)
            peer("send", each)
            ours, base, sender, verified = [], [], 0.0, 0
            before, floor_before = cpu_seconds(node), cpu_of(floor.driver.process.pid)
            for _ in range(rounds):
                plain = floor.driver("run", floor.threads, 150)
                verified += plain["count"]
                base.append(plain["count"] / plain["seconds"] / INPUTS)
                sent = peer("send", each)
                ours.append(sent["count"] / sent["seconds"])
                sender += sent["own_cpu"]
            after = cpu_seconds(node)
            plain_cpu = (cpu_of(floor.driver.process.pid) - floor_before) / verified * INPUTS
        per_tx = {d: (after[d] - before[d]) * 1e6 / (rounds * each) for d in DAEMONS}
        per_tx["the sender"] = sender * 1e6 / (rounds * each)
        yield Result("mempool", "tx/s", "≥ 0.75", ours, base,
                     note="CPU a transaction, µs: " + ", ".join(
                         f"{d} {v:.0f}" for d, v in per_tx.items() if v >= 0.5) +
                     f"; plain verification of its signatures {plain_cpu * 1e6:.0f}, "
                     f"{plain_cpu * 1e8 / sum(per_tx.values()):.0f} % of it all")
        node.stop()
    finally:
        node.end()


@scale("mempool", "transactions", "admission µs", "template ms", "chaind MiB")
def mempool_scale(ctx):
    """What one more transaction, and a template, cost when so many are in the pool."""
    sizes = (500, 2000) if ctx.quick else (1000, 50000, 300000)
    sample = sizes[0] // 2
    node = node_of(ctx, "scale")
    try:
        with Driver("tx_peer") as peer:
            peer("open", node.rundir, node.port)
            peer("fund", (sizes[-1] + len(sizes) * sample) * INPUTS)
            held = 0
            for size in sizes:
                peer("sign", size - held)
                if size - sample > held:
                    peer("send", size - sample - held)
                sent = peer("send", sample)
                held = size
                times = sorted(peer("template")["seconds"] for _ in range(5))
                yield (size, sent["seconds"] / sample * 1e6, times[2] * 1e3,
                       resident_mib(node, "chaind"))
        node.stop()
    finally:
        node.end()
