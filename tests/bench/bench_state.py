"""utxod's committed state: its root after a block, and coins looked up."""
import os
import shutil
import statistics
import time

from pairs import Driver, Result, Verify
from registry import benchmark, scale

UPDATES = 10_000        # of a block: 5,000 coins spent, chosen at random, 5,000 made
SIGNATURES = 5_000      # that such a block has
BATCH = 5_000           # coins looked up at once
WARM = 14               # blocks until versions are let go as fast as made
FLUSH_EACH = 10         # blocks
PAUSE = 3               # seconds for what the database does after a flush
FULL = (1500, 1100)     # cache_mb that holds everything: a base, and for each million coins


def opened(ctx, coins):
    """A driver with so many coins, all in memory; the largest is kept for who comes next."""
    name = f"state-{coins}"
    if name in ctx.shared:
        return ctx.shared[name]
    folder = os.path.join(ctx.dir, name)
    os.mkdir(folder)
    state = Driver("state_bench")
    state("open", folder, FULL[0] + FULL[1] * coins // 1_000_000)
    took = state("load", coins)["seconds"]
    ctx.say(f"state of {coins:,} coins loaded in {took:.0f} s")
    ctx.shared[name] = state, folder
    return state, folder


def closed(ctx, coins):
    state, folder = ctx.shared.pop(f"state-{coins}")
    state.close()
    shutil.rmtree(folder)


def blocks(state, n):
    """So many blocks, flushed now and then; what each took."""
    took = []
    for i in range(n):
        took.append(state("updates", UPDATES))
        if i % FLUSH_EACH == FLUSH_EACH - 1:
            state("flush")
    return took


def in_turns(state, floor, rounds):
    """Blocks and slices of verification in turns."""
    blocks(state, WARM)
    ours, base = [], []
    for i in range(rounds):
        if i % FLUSH_EACH == 0:
            state("flush")
            time.sleep(PAUSE)
        if i % 2:
            base.append(floor.seconds(SIGNATURES))
        ours.append(state("updates", UPDATES))
        if not i % 2:
            base.append(floor.seconds(SIGNATURES))
    return ours, base


def median_ms(rows, key):
    return 1e3 * statistics.median(row[key] for row in rows)


@benchmark("state-root")
def state_root(ctx):
    """From a block's delta to the new root: its bytes decoded, leaves hashed, the tree updated."""
    for coins in (20_000, 100_000) if ctx.quick else (1_000_000, 10_000_000):
        state, _ = opened(ctx, coins)
        with Verify() as floor:
            ours, base = in_turns(state, floor, 4 if ctx.quick else 30)
        yield Result(f"state-root {coins // 1000:,}k", "ms", "≤ 0.06",
                     [1e3 * o["seconds"] for o in ours], [1e3 * b for b in base],
                     note=f"CPU {median_ms(ours, 'cpu'):.1f} ms, commit "
                     f"{median_ms(ours, 'commit'):.2f} ms, "
                     f"{statistics.median(o['hashes'] for o in ours):,.0f} branches hashed; "
                     "the profile: undo patches 28 %, hashing 18 %, finding pages 16 %, walking "
                     "16 %, the changes 7 %, most of it waiting for memory")
        if coins == 1_000_000:
            closed(ctx, coins)


@benchmark("db-path")
def db_path(ctx):
    """The cache has room for a quarter; a hundred blocks have made the recent coins."""
    coins = 100_000 if ctx.quick else 10_000_000
    state, folder = opened(ctx, coins)
    full = state("figures")
    quarter = (full["page_bytes"] + full["coin_bytes"]) // 4 >> 20
    state("open", folder, max(16, quarter))
    took = blocks(state, 10 if ctx.quick else 100)
    state("flush")
    time.sleep(PAUSE)
    for which, goal in (("recent", "≥ 3"), ("uniform", "≥ 1")):
        for _ in range(2 if ctx.quick else 60):     # what both sides keep comes to rest
            state("coins", which, BATCH)
            state("multiget", which, BATCH)
        ours, base = [], []
        for i in range(4 if ctx.quick else 60):
            for command in ("coins", "multiget") if i % 2 else ("multiget", "coins"):
                answer = state(command, which, BATCH)
                if answer["found"] != answer["count"]:
                    raise RuntimeError(f"{command}: {answer}")
                rates = ours if command == "coins" else base
                rates.append(answer["count"] / answer["seconds"])
        yield Result(f"db-path {which}", "coins/s", goal, ours, base,
                     note=f"cache_mb {quarter}; a block's update with it: "
                     f"{median_ms(took, 'seconds'):.0f} ms, "
                     f"{statistics.median(t['loads'] for t in took):,.0f} pages read")
    closed(ctx, coins)


@scale("state-root", "coins", "ms for 10,000 updates", "CPU ms", "5,000 signatures ms",
       "MiB of pages and coins")
def state_root_scale(ctx):
    for coins in (1_000, 10_000) if ctx.quick else (10_000, 100_000, 1_000_000, 10_000_000):
        state, _ = opened(ctx, coins)
        with Verify() as floor:
            ours, base = in_turns(state, floor, 4 if ctx.quick else 20)
        figures = state("figures")
        closed(ctx, coins)
        yield (coins, median_ms(ours, "seconds"), median_ms(ours, "cpu"),
               1e3 * statistics.median(base),
               (figures["page_bytes"] + figures["coin_bytes"]) / 2 ** 20)
