#!/usr/bin/python3
"""The commented default files in etc/, made from the daemons' own tables of options.

usage: options.py [--check]      (BUILD names the build directory)

Each daemon prints its table by --print-options: name, values, default, when a change counts, text.
Options that all daemons have go into rustycoin.conf, a daemon's own into DAEMON.conf. With --check
nothing is written: exit 1 if a file isn't what the tables say.
"""
import os
import subprocess
import sys
import textwrap

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BIN = os.path.join(TOP, os.environ.get("BUILD", "build"), "bin")
DAEMONS = ("utxod", "chaind", "peerd", "rpcd")
# All daemons have them, each with a value of its own.
EACH_ITS_OWN = {"statedir"}


def table(daemon):
    """Rows [name, values, default, when, text] of a daemon, in its order."""
    out = subprocess.run([os.path.join(BIN, daemon), "--print-options"], check=True,
                         stdout=subprocess.PIPE, text=True).stdout
    return [line.split("\t") for line in out.splitlines()]


def entry(row):
    name, values, default, when, text = row
    notes = "; ".join(n for n in (values, "read again on reload" if when == "reload" else "") if n)
    lines = textwrap.wrap(text, 96)
    if notes:
        lines += textwrap.wrap(f"({notes})", 96)
    return "".join(f"# {line}\n" for line in lines) + f"#{name} = {default}".rstrip() + "\n"


def files():
    tables = {d: table(d) for d in DAEMONS}
    names = {d: {row[0] for row in rows} for d, rows in tables.items()}
    common = set.intersection(*names.values()) - EACH_ITS_OWN
    result = {"rustycoin.conf": (
        "# Options of all Rusty Coin daemons: rustycoin.conf(5). A line without # sets an option; what\n"
        "# stands here commented out is the default. A daemon's own file and its .d directory come after\n"
        "# this one, the command line last.\n\n"
        + "\n".join(entry(row) for row in tables["utxod"] if row[0] in common))}
    for d, rows in tables.items():
        own = [row for row in rows if row[0] not in common]
        result[f"{d}.conf"] = (
            f"# Options of {d}: {d}(8). Those of all daemons are in rustycoin.conf.\n\n"
            + "\n".join(entry(row) for row in own))
    return result


def main():
    check = "--check" in sys.argv[1:]
    bad = 0
    for name, text in files().items():
        path = os.path.join(TOP, "etc", name)
        try:
            with open(path, encoding="utf-8") as f:
                now = f.read()
        except FileNotFoundError:
            now = None
        if now == text:
            continue
        if check:
            print(f"etc/{name} is not what the tables of options say: make etc")
            bad = 1
        else:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
            print(f"etc/{name}")
    return bad


if __name__ == "__main__":
    sys.exit(main())
