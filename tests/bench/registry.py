"""What there is to measure: functions put their names here.

    @benchmark("connect-sig")
    def connect_sig(ctx):                    # ctx: bench.py, Context
        with Verify() as floor, …:
            ours, base = paired(15, …, floor.rate)
        yield Result("connect-sig", "inputs/s", "≥ 0.92", ours, base, note="…")

    @scale("rpc-connections", "connections", "requests/s", "p99 ms")
    def rpc_connections(ctx):
        yield 1, 17_000, 0.2
"""
from collections import namedtuple

Benchmark = namedtuple("Benchmark", "name function")
Scale = namedtuple("Scale", "name x ys function")

benchmarks = []
scales = []


def benchmark(name):
    """Marks a generator of Result lines (pairs.py)."""
    def mark(function):
        benchmarks.append(Benchmark(name, function))
        return function
    return mark


def scale(name, x, *ys):
    """Marks a generator of points: x, then one figure for each of ys."""
    def mark(function):
        scales.append(Scale(name, x, ys, function))
        return function
    return mark
