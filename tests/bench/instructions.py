#!/usr/bin/python3
"""Counts the instructions of fixed work under valgrind and compares them with tests/bench/INSTRUCTIONS.

usage: instructions.py [--record]     (BUILD names the build directory, default build)

More than LIMIT above the recorded count is a failure, until somebody records the new figure and
says why in the same commit; more than LIMIT below is a notice that a gain could be recorded. Where
the compiler or a library is another version than the one recorded with, a growth is a notice too:
it may be theirs.

The counts are made to depend on the sources, the compiler and Debian's libraries alone:

  - only the work is counted: counted.c turns callgrind on and off around it;
  - inputs come from a seed; Jansson's hash seed is fixed; nothing asks for time or chance;
  - valgrind presents the same CPU (a Haswell: AVX2, neither AVX-512 nor SHA extensions) wherever
    the machine has AVX2; CPU_ENV says the same to OpenSSL and to the C library once more, which
    choose routines by it. Our own hash lanes are those of AVX2 (rc_sha256_force);
  - no threads: the program believes in one processor, however many there are;
  - symbols are bound before the work (LD_BIND_NOW), allocation has one arena and fixed thresholds;
  - instructions inside libsecp256k1 stand in rows of their own (WORK/secp256k1), so that our share
    of a connected block doesn't drown in signatures.

So they are equal to the instruction on repeated runs of one build. Exit: 0 within the limit (or
other versions), 1 something grew, 2 it couldn't be counted, 77 this CPU lacks AVX2.
"""
import concurrent.futures
import os
import re
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FILE = os.path.join(TOP, "tests", "bench", "INSTRUCTIONS")
COUNTED = os.path.join(TOP, os.environ.get("BUILD", "build"), "bench", "counted")
WORKS = ("connect-block", "tree-update", "parse-block", "rpc-header", "rpc-block")
LIMIT = 3.0  # percent
NO_AVX2 = 77
LIMIT_S = 120  # of one work; it takes a few

CPU_ENV = {
    # Without: RDRAND (leaf 1); AVX-512, RDSEED, ADX, SHA (leaf 7 EBX) and all of its ECX.
    "OPENSSL_ia32cap": "~0x4000000000000000:~0xfffffffff02f0000",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512BW,-AVX512CD,-AVX512DQ,-ERMS,-FSRM:"
                      "glibc.cpu.x86_data_cache_size=32768:"
                      "glibc.cpu.x86_shared_cache_size=1048576:"
                      "glibc.cpu.x86_non_temporal_threshold=16777216:"
                      "glibc.malloc.arena_max=1:glibc.malloc.mmap_threshold=134217728:"
                      "glibc.malloc.trim_threshold=268435456",
    "LD_BIND_NOW": "1",
    "PATH": "/usr/bin:/bin",
    "LC_ALL": "C",
}

HEAD = f"""\
# Instructions of fixed work, by `make bench-instructions-record`; what each work is stands in
# counted.c, how it is counted in instructions.py. `make check` fails where one grows by more than
# {LIMIT:g} % with these versions: then make it smaller, or record it in the commit that makes it grow and
# say why there.
"""


class CountError(Exception):
    """A work that couldn't be counted; the text says why."""


def objects_of(profile):
    """{object file: instructions} of a callgrind profile with uncompressed names."""
    counts = {}
    here, called = "", False
    for line in profile.splitlines():
        if line.startswith("ob="):
            here = line[3:]
        elif line.startswith("calls="):
            called = True  # the next line is the callee's cost, which stands with the callee too
        elif re.match(r"[0-9+*-]", line):
            if not called:
                counts[here] = counts.get(here, 0) + int(line.split()[1])
            called = False
    return counts


def count(work):
    """[(row, instructions)] of a work: ours with the C library and OpenSSL, then libsecp256k1's."""
    with tempfile.TemporaryDirectory() as directory:
        out = os.path.join(directory, "profile")
        # The stack's place depends on the length of the environment: this one is the same anywhere.
        p = subprocess.run(
            ["valgrind", "--tool=callgrind", "--instr-atstart=no", "--compress-strings=no",
             f"--callgrind-out-file={out}", COUNTED, work],
            env=CPU_ENV, cwd=TOP, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=LIMIT_S, check=False)
        if p.returncode == NO_AVX2:
            return None
        if p.returncode != 0:
            raise CountError(f"{work}: exit code {p.returncode}:\n{p.stdout.decode(errors='replace')}")
        with open(out, encoding="utf-8") as f:
            objects = objects_of(f.read())
    secp = sum(n for name, n in objects.items() if "libsecp256k1" in name)
    ours = sum(objects.values()) - secp
    if not ours:
        raise CountError(f"{work}: nothing was counted")
    return [(work, ours)] + ([(f"{work}/secp256k1", secp)] if secp else [])


def count_all():
    """{row: instructions} in order; None where this CPU lacks AVX2."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(count, WORKS))
    return None if None in results else dict(row for rows in results for row in rows)


def versions():
    """What a count depends on besides our sources, as words of one line."""
    compiler = subprocess.run(["gcc", "-dumpfullversion"], stdout=subprocess.PIPE, text=True, check=True)
    packages = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${Version}\n", "libc6", "libssl3", "libsecp256k1-1",
         "libjansson4", "valgrind"], stdout=subprocess.PIPE, text=True, check=False)
    return [f"gcc {compiler.stdout.strip()}"] + sorted(packages.stdout.split("\n")[:-1])


def encode(counts, made_with):
    """The text of INSTRUCTIONS."""
    width = max(len(row) for row in counts)
    return (HEAD + "".join(f"# with {v}\n" for v in made_with)
            + "".join(f"{row:<{width}}  {n:>11}\n" for row, n in counts.items()))


def decode(text):
    """(counts, made_with) of the text of INSTRUCTIONS."""
    counts, made_with = {}, []
    for line in text.splitlines():
        if line.startswith("# with "):
            made_with.append(line[len("# with "):])
        elif line and not line.startswith("#"):
            row, n = line.split()
            counts[row] = int(n)
    return counts, made_with


def compare(recorded, present):
    """Lines of a table, and the rows that broke the limit."""
    lines, broken = [], []
    for row in list(recorded) + [r for r in present if r not in recorded]:
        was, now = recorded.get(row), present.get(row)
        if was is None or now is None:
            lines.append(f"{row:<26} {'not recorded' if was is None else 'no longer counted'}")
            broken.append(row)
            continue
        change = 100 * (now - was) / was
        word = ""
        if change > LIMIT:
            word = "  GREW"
            broken.append(row)
        elif change < -LIMIT:
            word = "  notice: shrank; record it (make bench-instructions-record)"
        lines.append(f"{row:<26} {was:>11} -> {now:>11}  {change:+6.2f} %{word}")
    return lines, broken


def unrecorded(recorded, present):
    """Rows that stand on one side alone, whatever was counted."""
    return sorted(set(recorded) ^ set(present))


def other_versions(made_with, here):
    """Lines of a notice; none where a growth can only be ours."""
    if set(made_with) == set(here):
        return []
    return (["notice: a growth fails nothing here, other versions than the recorded ones are at work:"]
            + [f"  recorded: {v}" for v in sorted(set(made_with) - set(here))]
            + [f"  here: {v}" for v in sorted(set(here) - set(made_with))])


def main():
    try:
        present = count_all()
    except (CountError, OSError, subprocess.SubprocessError) as e:
        print(f"instructions: {e}", file=sys.stderr)
        return 2
    if present is None:
        print("instructions: not counted, this CPU lacks AVX2")
        return NO_AVX2
    if "--record" in sys.argv[1:]:
        with open(FILE, "w", encoding="utf-8") as f:
            f.write(encode(present, versions()))
        print(f"{os.path.relpath(FILE, TOP)} written")
        return 0
    with open(FILE, encoding="utf-8") as f:
        recorded, made_with = decode(f.read())
    lines, broken = compare(recorded, present)
    print("\n".join(lines))
    notice = other_versions(made_with, versions())
    if notice and broken:
        print("\n".join(notice))
        broken = unrecorded(recorded, present)
    if broken:
        print(f"more than {LIMIT:g} % over tests/bench/INSTRUCTIONS, or not in it: {', '.join(broken)}")
        print("  what costs more: valgrind --tool=callgrind --instr-atstart=no "
              f"{os.path.relpath(COUNTED, TOP)} WORK; callgrind_annotate")
        print("  if it must: make bench-instructions-record, in the same commit, with the reason")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
