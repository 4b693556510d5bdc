#!/usr/bin/python3
"""Damages files as disks and people do, by a seed, as a tool and for tests.

    damage.py --seed 7 flip data/000012.sst         turns one bit and says which
"""
import argparse
import os
import random
import sys

BLOCK = 512
MOST_OF_A_SWAP = 1 << 20


def flip(data, chance):
    at = chance.randrange(len(data))
    bit = chance.randrange(8)
    return data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1:], f"bit {bit} of byte {at} turned"


def cut(data, chance):
    at = chance.randrange(len(data))
    return data[:at], f"cut from {len(data)} to {at} bytes"


def empty(data, _):
    return b"", f"cut from {len(data)} to 0 bytes"


def zero(data, chance):
    at = chance.randrange(len(data)) // BLOCK * BLOCK
    size = len(data[at:at + BLOCK])
    return data[:at] + bytes(size) + data[at + size:], f"{size} bytes from {at} are 0"


def garbage(data, chance):
    at = chance.randrange(len(data)) // BLOCK * BLOCK
    size = len(data[at:at + BLOCK])
    return (data[:at] + chance.randbytes(size) + data[at + size:],
            f"{size} bytes from {at} are random")


def grow(data, chance):
    size = chance.randrange(1, BLOCK)
    return data + chance.randbytes(size), f"{size} random bytes more"


# What changes a file's bytes; "swap" and "missing" are about whole files.
BYTES = {f.__name__: f for f in (flip, cut, empty, zero, garbage, grow)}
WAYS = (*BYTES, "swap", "missing")


def damage(way, path, chance, other=None):
    """Does it; says what was done, or None where it changes nothing. other: with which to swap."""
    if way == "missing":
        os.unlink(path)
        return "removed"
    with open(path, "rb") as f:
        data = f.read()
    if way == "swap":
        if other is None:
            return None
        with open(other, "rb") as f:
            bad = f.read()
        with open(other, "wb") as f:
            f.write(data)
        what = f"swapped with {os.path.basename(other)}"
    elif not data and way != "grow":
        return None
    else:
        bad, what = BYTES[way](data, chance)
    if bad == data:
        return None
    with open(path, "wb") as f:
        f.write(bad)
    return what


def main():
    p = argparse.ArgumentParser(description="Damages a file by a seed and says how.",
                                epilog="Exit status: 0; 1 where nothing changed; 64 usage.")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--other", metavar="FILE", help="with which to swap")
    p.add_argument("way", choices=WAYS)
    p.add_argument("file")
    options = p.parse_args()
    what = damage(options.way, options.file, random.Random(options.seed), options.other)
    print(f"{options.file}: {what or 'nothing changed'}")
    return not what


if __name__ == "__main__":
    sys.exit(main())
