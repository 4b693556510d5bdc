#!/usr/bin/python3
"""A campaign of the simulation: so many seeds of each kind, in slices; what held is kept in
BUILD/sim/campaign.json, so that it may be stopped at any moment and goes on when it is called again.
Another program, or another first seed, begins anew. Ends with the rows for tests/RECORD.md; with 1 if a
seed failed, which it prints and passes, or if one of the faults never came.

usage: campaign.py [--first SEED] [--mixed N] [--large N] [--eclipse N] [--jobs N]
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SIM = os.path.join(TOP, os.environ.get("BUILD", "build"), "sim", "sim")
RECORD = os.path.join(os.path.dirname(SIM), "campaign.json")
# Of a kind of run: how many seeds, how many of them at a time (some ten seconds of a processor), how.
KINDS = {"mixed": (10000, 50, []),
         "large": (20, 1, ["--nodes=200"]),
         "eclipse": (200, 2, ["--scenario=eclipse"])}
LEAST_EVENTS = 1000
TWICE = 100   # every so manieth seed is run twice
FAULTS = ("kills", "power cuts", "writes lost", "stops", "pauses", "disk failures", "partitions",
          "one-way", "stalled", "resets", "slow paths", "dials lost", "bus breaks", "events lost",
          "clock jumps")
SUMMARY = re.compile(
    r"^(?P<seeds>\d+) seeds from \d+ on held, (?P<plain>\d+) of them without what is remembered, "
    r"(?P<twice>\d+) run twice: .* events, (?P<fewest>\d+) at the least; all together:\n"
    r"\d+ [0-9a-f]+ (?P<nodes>\d+) nodes, (?P<virtual>\d+) s, (?P<events>\d+) events, "
    r"(?P<blocks>\d+) blocks, (?P<reorganisations>\d+) reorganisations, "
    r"(?P<payments>\d+) payments, (?P<recoveries>\d+) recoveries;(?P<faults>.*)\n"
    r"in (?P<wall>[0-9.]+) s, (?P<cpu>[0-9.]+) of them", re.MULTILINE)


def binary():
    with open(SIM, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def load(first):
    """The record of this program; first None: as it began, else with 1."""
    try:
        with open(RECORD, encoding="utf-8") as f:
            record = json.load(f)
    except FileNotFoundError:
        record = {}
    if record.get("binary") == binary() and first in (None, record["first"]):
        return record
    return {"binary": binary(), "first": 1 if first is None else first, "failed": {},
            **{kind: {} for kind in KINDS}}


def save(record):
    with open(RECORD + ".new", "w", encoding="utf-8") as f:
        json.dump(record, f, indent=1, sort_keys=True)
    os.replace(RECORD + ".new", RECORD)


def add(total, part):
    for key, value in part.items():
        if key == "fewest":
            total[key] = min(value, total.get(key, value))
        else:
            total[key] = round(total.get(key, 0) + value, 1)


def figures(output):
    """Of a run: what held in it, also of one that failed later."""
    match = SUMMARY.search(output)
    if not match:
        raise RuntimeError("no summary:\n" + output[-3000:])
    values = match.groupdict()
    faults = re.findall(r"([a-z-][a-z -]*?) (\d+)", values.pop("faults"))
    result = {key: float(value) if "." in value else int(value) for key, value in values.items()}
    result.update((name.strip(), int(n)) for name, n in faults)
    return result


def run_slice(kind, first, n):
    """The seeds first … first + n − 1; returns figures and {seed: what was wrong}."""
    total, failed, at = {}, {}, first
    while at < first + n:
        p = subprocess.run([SIM, f"--seed={at}", f"--count={first + n - at}", f"--twice={TWICE}"] +
                           KINDS[kind][2], cwd=TOP, stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        part = figures(p.stdout)
        if part["seeds"]:
            add(total, part)
        if p.returncode == 0:
            break
        at = int(re.findall(r"^seed (\d+): ", p.stdout, re.MULTILINE)[-1])
        failed[f"{kind} {at}"] = SUMMARY.sub("", p.stdout)[-1500:]
        at += 1
    return total, failed


def slices(record, kind, count):
    """Those not done yet."""
    first, size = record["first"], KINDS[kind][1]
    for at in range(first, first + count, size):
        n = min(size, first + count - at)
        if record[kind].get(str(at), {}).get("asked", 0) < n:
            yield kind, at, n


def totals(record, kind):
    total = {}
    for part in record[kind].values():
        add(total, part)
    return total


def run(record, todo, jobs):
    """A slice each job at a time; says where it is."""
    todo = list(todo)
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for i in range(0, len(todo), jobs):
            part = todo[i:i + jobs]
            results = pool.map(lambda s: run_slice(*s), part)
            for (kind, at, n), (held, failed) in zip(part, results):
                record[kind][str(at)] = held | {"asked": n}
                record["failed"].update(failed)
                for text in failed.values():
                    print(text, flush=True)
            save(record)
            sums = {kind: totals(record, kind) for kind in KINDS}
            print("held: " + ", ".join(f"{t.get('seeds', 0)} {kind}" for kind, t in sums.items()) +
                  f"; {len(record['failed'])} failed; "
                  f"{sum(t.get('cpu', 0) for t in sums.values()) / 60:.1f} min of a processor",
                  flush=True)


def row(name, total):
    faults = ", ".join(f"{f} {total[f]:,}" for f in FAULTS + ("hostile",) if f in total)
    return (f"| {name} | {total.get('seeds', 0):,} | {total.get('events', 0):,} | "
            f"{total.get('fewest', 0):,} | {total.get('blocks', 0):,} | "
            f"{total.get('reorganisations', 0):,} | {total.get('payments', 0):,} | {faults} | "
            f"{total.get('seeds', 0) - total.get('plain', 0):,}, {total.get('plain', 0):,} | "
            f"{total.get('twice', 0):,} | {total.get('cpu', 0) / 60:.0f} min |")


def campaign(first=None, counts=None, jobs=1):
    """Runs what isn't done yet of counts, {kind: seeds}; returns what is wrong, a list of sentences."""
    record = load(first)
    counts = {kind: KINDS[kind][0] for kind in KINDS} | (counts or {})
    wrong = []
    for kind in KINDS:
        run(record, slices(record, kind, counts[kind]), jobs)
    mixed, eclipse = totals(record, "mixed"), totals(record, "eclipse")
    print("| Seeds from " + str(record["first"]) + " | Number | Events | Fewest | Blocks | "
          "Reorganisations | Payments | Faults | Remembered, not | Traces compared | Processor |\n"
          "|---|---|---|---|---|---|---|---|---|---|---|\n" +
          "\n".join(row(kind, totals(record, kind)) for kind in KINDS), flush=True)
    if record["failed"]:
        wrong.append(f"{len(record['failed'])} seeds failed: " + ", ".join(sorted(record["failed"])))
    if mixed.get("seeds") and mixed["fewest"] < LEAST_EVENTS:
        wrong.append(f"a seed had {mixed['fewest']} events alone")
    wrong += [f"no fault of a kind: {f}" for f in FAULTS
              if counts["mixed"] >= KINDS["mixed"][1] and not mixed.get(f)]
    if counts["eclipse"] and not eclipse.get("hostile"):
        wrong.append("no attack")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--first", type=int)
    for kind, (number, _, _) in KINDS.items():
        parser.add_argument("--" + kind, type=int, default=number)
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    wrong = campaign(options.first, {kind: getattr(options, kind) for kind in KINDS}, options.jobs)
    print("\n".join(wrong), file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
