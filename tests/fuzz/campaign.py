#!/usr/bin/python3
"""A fuzz campaign: every target gets so many minutes of processor time, in slices; what was done is
kept in build/fuzz/campaign.json, so that it may be stopped at any moment and goes on when it is
called again. Ends with the table for tests/RECORD.md. A crash ends it with the input's path.

usage: campaign.py [--minutes N] [--slice SECONDS] [--keep] [TARGET...]
  --minutes N   processor time each target shall have had in all (default 10)
  --slice S     seconds of one run (default 60)
  --keep        afterwards puts the found inputs, minimised, into tests/fuzz/corpus
"""
import argparse
import json
import os
import shutil
import subprocess
import tempfile

import target

RECORD = f"{target.TOP}/build/fuzz/campaign.json"
# Of a target, in the repository: so many inputs of so many bytes at most (256 × 4 KiB: 1 MiB).
KEEP_FILES, KEEP_BYTES = 256, 4096


def load():
    try:
        with open(RECORD, encoding="utf-8") as f:
            return json.load(f)
    except FileNotFoundError:
        return {}


def save(record):
    with open(RECORD + ".new", "w", encoding="utf-8") as f:
        json.dump(record, f, indent=1, sort_keys=True)
    os.replace(RECORD + ".new", RECORD)


def commit():
    return subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=target.TOP, check=True,
                          stdout=subprocess.PIPE, text=True).stdout.strip()


def one_slice(record, name, seconds):
    figures = target.run(name, seconds)
    row = record.setdefault(name, {"cpu": 0, "executions": 0, "edges": 0, "commit": ""})
    row["cpu"] += figures["cpu"]
    row["executions"] += figures["executions"]
    row["edges"] = figures["edges"]
    row["commit"] = commit()
    save(record)
    print(f"{name}: {row['cpu'] / 60:.1f} min, {row['executions']} inputs, {row['edges']} edges",
          flush=True)


def keep(name):
    """The fewest inputs that reach every edge reached so far, the smaller ones."""
    with tempfile.TemporaryDirectory() as best:
        sources = [target.found(name)]
        if os.path.isdir(target.given(name)):
            sources.append(target.given(name))
        subprocess.run([target.binary(name), "-merge=1", best] + sources, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.makedirs(target.given(name), exist_ok=True)
        files = sorted((os.path.getsize(f"{best}/{n}"), n) for n in os.listdir(best))
        for size, n in files[:KEEP_FILES]:
            if size <= KEEP_BYTES:
                shutil.copy(f"{best}/{n}", f"{target.given(name)}/{n}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--slice", type=int, default=60)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("targets", nargs="*")
    options = parser.parse_args()
    names = options.targets or target.names()
    target.build()
    record = load()

    def spent(name):
        return record.get(name, {}).get("cpu", 0)
    while True:  # the one that had least goes first
        name = min(names, key=spent)
        if spent(name) >= 60 * options.minutes:
            break
        try:
            one_slice(record, name, options.slice)
        except target.Crashed as e:
            target.die(str(e))
    if options.keep:
        for name in names:
            keep(name)
    print("| Target | Minutes | Inputs | Edges | Commit |\n|---|---|---|---|---|")
    for name in sorted(record):
        row = record[name]
        print(f"| {name} | {row['cpu'] / 60:.0f} | {row['executions']:,} | {row['edges']:,} | "
              f"{row['commit']} |")


if __name__ == "__main__":
    main()
