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


def run(name, command, limit):
    start = time.monotonic()
    env = dict(os.environ, BUILD=BUILD, PYTHONDONTWRITEBYTECODE="1", RC_RUN=WHAT)
    env.setdefault("TSAN_OPTIONS", "suppressions=tests/tsan.supp")
    try:
        p = subprocess.run(command, cwd=TOP, env=env, stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=limit)
        code, output = p.returncode, p.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired as e:
        code, output = 124, (e.stdout or b"").decode(errors="replace") + f"\nno end after {limit} s"
    passed, failed = count(output, code)
    print(f"{'ok  ' if not failed else 'FAIL'} {name}: {passed} passed, {failed} failed "
          f"({time.monotonic() - start:.1f} s)", flush=True)
    if failed:
        print("\n".join("    " + line for line in output.splitlines()[-400:]), flush=True)
    return passed, failed


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
        if what == "san" and (folder != "functional" or
                              not module_setting(path, "SANITIZE", True)):
            continue
        if what != "all" and not module_setting(path, "QUICK", folder in ("reference", "unit")):
            continue
        jobs.append((f"{folder}/{os.path.basename(path)}", [sys.executable, path],
                     module_setting(path, "LIMIT", DEFAULT_LIMIT)))
    passed = failed = 0
    names = {name for name, _, _ in jobs}
    for name, command, limit in jobs:
        if only and not any(o == name or (o not in names and o in name) for o in only):
            continue
        p, f = run(name, command, limit)
        passed += p
        failed += f
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
