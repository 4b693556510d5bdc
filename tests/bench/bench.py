#!/usr/bin/python3
"""Runs the benchmarks: a table on the terminal and build/bench/results.json.

usage: bench.py [--quick] [--scale] [--list] [NAME…]

Each tests/bench/bench_*.py holds some: a function marked @benchmark yields Result lines
(pairs.py), one marked @scale yields Curve points for build/bench/scale/NAME.csv. NAME picks
by the function's name in the table. --quick: small sizes, to try that all of it works.
"""
import argparse
import csv
import importlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(TOP, "tests", "functional")]
from pairs import BUILD  # noqa: E402
import registry  # noqa: E402


class Context:
    """What a benchmark gets: a scratch directory on disk, and how large it may be."""

    def __init__(self, quick, directory):
        self.quick = quick
        self.top = directory
        self.dir = directory
        self.shared = {}        # what one benchmark made and another may use, by name

    def enter(self, name):
        """A directory of its own for each; all stay until the end."""
        self.dir = os.path.join(self.top, name)
        os.mkdir(self.dir)

    def say(self, text):
        print(f"    {text}", file=sys.stderr, flush=True)


def figure(x):
    if x is None:
        return "-"
    if abs(x) >= 1000:
        return f"{x:,.0f}"
    return f"{x:.3g}"


COLUMNS = ("name", "value", "unit", "baseline", "ratio", "quartiles", "goal", "verdict")
WIDTHS = (22, 10, 12, 10, 8, 15, 8, 8)


def row(cells):
    return "  ".join(f"{c:<{w}}" for c, w in zip(cells, WIDTHS)).rstrip()


def line(result):
    iqr = result.iqr
    return row((result.name, figure(result.value), result.unit, figure(result.baseline),
                figure(result.ratio), f"{iqr[0]:.3g}–{iqr[1]:.3g}" if iqr else "-",
                result.goal or "-", result.verdict))


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        info = dict(part.split(":", 1) for part in f.read().split("\n\n")[0].splitlines()
                    if ":" in part)
    info = {k.strip(): v.strip() for k, v in info.items()}
    flags = info.get("flags", "").split()
    wanted = [f for f in ("sha_ni", "avx2", "avx512f") if f in flags]
    return (f"{os.cpu_count()} × {info.get('model name', platform.machine())} "
            f"({' '.join(wanted)}), Linux {platform.release()}")


def commit():
    made = subprocess.run(["git", "-C", TOP, "describe", "--always", "--dirty"],
                          capture_output=True, text=True, check=False)
    return made.stdout.strip() or "unknown"


def load_all():
    for name in sorted(os.listdir(HERE)):
        if name.startswith("bench_") and name.endswith(".py"):
            importlib.import_module(name[:-3])


def others(names):
    """What an earlier run found of the benchmarks that this one leaves out."""
    try:
        with open(os.path.join(BUILD, "bench", "results.json"), encoding="utf-8") as f:
            return [r for r in json.load(f) if r["name"].split()[0] not in names]
    except FileNotFoundError:
        return []


def run_benchmarks(ctx, names):
    results, failed = [], []
    earlier = others(names) if names else []
    print(machine())
    print(row(COLUMNS))
    for entry in registry.benchmarks:
        if names and entry.name not in names:
            continue
        start = time.monotonic()
        ctx.enter(entry.name)
        try:
            for result in entry.function(ctx):
                results.append(result)
                print(line(result), flush=True)
                if result.note:
                    print(f"    {result.note}", flush=True)
        except Exception as error:  # pylint: disable=broad-except
            failed.append(entry.name)
            print(f"{entry.name}: no figure: {error!r}", flush=True)
        ctx.say(f"{entry.name}: {time.monotonic() - start:.0f} s")
    with open(os.path.join(BUILD, "bench", "machine"), "w", encoding="utf-8") as f:
        f.write(f"{machine()}; {time.strftime('%F')}, commit {commit()}\n")
    path = os.path.join(BUILD, "bench", "results.json")
    with open(path, "w", encoding="utf-8") as f:
        json.dump(earlier + [r.as_json() for r in results], f, indent=1, ensure_ascii=False)
        f.write("\n")
    print(f"written to {os.path.relpath(path, TOP)}")
    return failed


def run_scales(ctx, names):
    folder = os.path.join(BUILD, "bench", "scale")
    os.makedirs(folder, exist_ok=True)
    failed = []
    print(machine())
    for entry in registry.scales:
        if names and entry.name not in names:
            continue
        print(f"{entry.name}: {entry.x} → {', '.join(entry.ys)}", flush=True)
        path = os.path.join(folder, f"{entry.name}.csv")
        ctx.enter(entry.name)
        try:
            with open(path, "w", newline="", encoding="utf-8") as f:
                out = csv.writer(f)
                out.writerow((entry.x,) + entry.ys)
                for point in entry.function(ctx):
                    out.writerow(point)
                    f.flush()
                    print("    " + "  ".join(figure(p) for p in point), flush=True)
        except Exception as error:  # pylint: disable=broad-except
            failed.append(entry.name)
            print(f"{entry.name}: no more figures: {error!r}", flush=True)
    print(f"written to {os.path.relpath(folder, TOP)}/")
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes")
    parser.add_argument("--scale", action="store_true", help="the curves instead of the table")
    parser.add_argument("--list", action="store_true", help="what there is")
    parser.add_argument("names", nargs="*", metavar="NAME")
    arguments = parser.parse_args()
    load_all()
    entries = registry.scales if arguments.scale else registry.benchmarks
    if arguments.list:
        print("\n".join(e.name for e in entries))
        return 0
    unknown = set(arguments.names) - {e.name for e in entries}
    if unknown:
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; --list shows what there is")
    os.makedirs(os.path.join(BUILD, "bench"), exist_ok=True)
    directory = tempfile.mkdtemp(prefix="run.", dir=os.path.join(BUILD, "bench"))
    try:
        ctx = Context(arguments.quick, directory)
        failed = (run_scales if arguments.scale else run_benchmarks)(ctx, arguments.names)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    if failed:
        print(f"without a figure: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
