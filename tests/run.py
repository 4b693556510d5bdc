#!/usr/bin/python3
"""Runs the tests and ends with the line 'N passed, N failed'.

usage: run.py units | quick | all | san [NAME…]   (BUILD names the build directory, default build)

units   build/tests/test_*, tests/unit/test_*.sh, the reference implementation's tests
quick   units and the functional tests whose module says QUICK = True
san     what a sanitizer's build is run with: C units, quick functional tests
all     everything

A cmocka program counts by its own lines; a Python module by unittest's. Each program has a time
limit (LIMIT seconds in the module, else 600) so that nothing hangs; its output is shown only when
it fails. NAME is a whole name or, if there is none like it, a part of names.

Programs that hash much (HASHING) run once more with each implementation of many hashes forced, and
with OpenSSL's own for CPUs without SHA extensions; the line before the last says which ones this
CPU has.
"""
import glob
import os
import re
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("BUILD", "build")
DEFAULT_LIMIT = 600
WHAT = sys.argv[1] if len(sys.argv) > 1 else "all"  # a test sees it as RC_RUN


# State, trie and consensus: everything whose result is a hash of many.
HASHING = ("test_sha256", "test_types", "test_tree", "test_ledger", "test_ledger_threads",
           "test_state_vectors", "test_chain", "test_chain_vectors", "test_consensus_vectors",
           "test_extra_vectors", "test_lock_vectors", "test_bip341", "test_rules", "test_verdicts",
           "test_mempool", "reference/test_differential.py")
# Name: what tests/unit/hash_choice.c and OpenSSL are told (bit 29 of the CPU's leaf 7: SHA).
WITHOUT_SHA = {"OPENSSL_ia32cap": ":~0x20000000"}
HASHES = {
    "openssl": {"RC_TEST_HASH": "openssl"},
    "avx2": {"RC_TEST_HASH": "avx2"},
    "avx512": {"RC_TEST_HASH": "avx512"},
    "openssl without SHA extensions": {"RC_TEST_HASH": "openssl", **WITHOUT_SHA},
}
HASH_CHAINS = "20"  # of the differential test: a second or so
LACKING = 77  # hash_choice.h


def module_setting(path, name, default):
    with open(path, encoding="utf-8") as f:
        m = re.search(rf"^{name} = (\S+)", f.read(), re.M)
    return eval(m.group(1), {}) if m else default  # a literal: True or a number


def count(output, code):
    """(passed, failed) as the program's own lines say; its exit code has the last word."""
    passed = failed = 0
    for m in re.finditer(r"\[  PASSED  \] (\d+) test", output):
        passed += int(m.group(1))
    for m in re.finditer(r"\[  FAILED  \] (\d+) test", output):
        failed += int(m.group(1))
    for m in re.finditer(r"^Ran (\d+) tests? in", output, re.M):
        bad = sum(int(n) for n in re.findall(r"(?:failures|errors)=(\d+)", output))
        passed += int(m.group(1)) - bad
        failed += bad
    if not passed and not failed and code == 0:
        passed = 1
    if code != 0 and not failed:
        failed = 1
    return passed, failed


def run(name, command, limit, more_env):
    start = time.monotonic()
    env = dict(os.environ, BUILD=BUILD, PYTHONDONTWRITEBYTECODE="1", RC_RUN=WHAT, **more_env)
    env.setdefault("TSAN_OPTIONS", "suppressions=tests/tsan.supp")
    try:
        p = subprocess.run(command, cwd=TOP, env=env, stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=limit)
        code, output = p.returncode, p.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired as e:
        code, output = 124, (e.stdout or b"").decode(errors="replace") + f"\nno end after {limit} s"
    passed, failed = count(output, code)
    forced = more_env.get("RC_TEST_HASH")
    if forced and not failed and f"hash: {forced}\n" not in output:
        failed, output = 1, output + f"\nit never forced {forced}"
    print(f"{'ok  ' if not failed else 'FAIL'} {name}: {passed} passed, {failed} failed "
          f"({time.monotonic() - start:.1f} s)", flush=True)
    if failed:
        lines = output.splitlines()[-400:]
        # What failed first, then what it said before: a list that is cut short still tells.
        at = next((i for i, line in enumerate(lines) if line == "=" * 70), 0)
        print("\n".join("    " + line for line in lines[at:] + lines[:at]), flush=True)
    return passed, failed


def hash_ways():
    """The names of HASHES this CPU has, and those it lacks."""
    ways, lacking = [], []
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        cpu_has_sha = re.search(r"^flags\b.* sha_ni\b", f.read(), re.M)
    for name, env in HASHES.items():
        probe = subprocess.run([f"{BUILD}/tests/replay", "/dev/null"], cwd=TOP, check=False,
                               env=dict(os.environ, **env), stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if probe.returncode == LACKING:
            lacking.append(name)
        elif env.get("OPENSSL_ia32cap") and not cpu_has_sha:
            lacking.append("SHA extensions")  # plain openssl is the same then
        else:
            ways.append(name)
    return ways, lacking


def main():
    what = WHAT
    only = sys.argv[2:]
    jobs = []
    for source in sorted(glob.glob(f"{TOP}/tests/unit/test_*.c")):
        name = os.path.basename(source)[:-2]
        jobs.append((name, [f"{BUILD}/tests/{name}"], DEFAULT_LIMIT))
    for path in sorted(glob.glob(f"{TOP}/tests/unit/test_*.sh")) if what != "san" else []:
        jobs.append((os.path.basename(path), ["/bin/bash", path], DEFAULT_LIMIT))
    for path in sorted(glob.glob(f"{TOP}/tests/*/test_*.py")):
        folder = os.path.basename(os.path.dirname(path))
        if what == "units" and folder not in ("reference", "unit"):
            continue
        if what == "san" and (folder not in ("functional", "hostile") or
                              not module_setting(path, "SANITIZE", True)):
            continue
        if what != "all" and not module_setting(path, "QUICK", folder in ("reference", "unit")):
            continue
        jobs.append((f"{folder}/{os.path.basename(path)}", [sys.executable, path],
                     module_setting(path, "LIMIT", DEFAULT_LIMIT)))
    jobs = [(name, command, limit, {}) for name, command, limit in jobs]
    ways, lacking = hash_ways() if what != "san" else ([], [])
    for way in ways:
        jobs += [(f"{name} [{way}]", command, limit, {**HASHES[way], "RC_CHAINS": HASH_CHAINS})
                 for name, command, limit, _ in jobs if name in HASHING]
    passed = failed = 0
    names = {name for name, _, _, _ in jobs}
    for name, command, limit, env in jobs:
        if only and not any(o == name or (o not in names and o in name) for o in only):
            continue
        p, f = run(name, command, limit, env)
        passed += p
        failed += f
    if ways and not only:
        print(f"each hash implementation forced: {', '.join(ways)}; "
              f"this CPU lacks: {', '.join(lacking) or 'none of them'}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
