#!/usr/bin/python3
"""Builds every fuzz target and runs each for a while on its corpus; a crash is a failure, and so is
a target that ran nothing.

usage: test_fuzz.py [--seconds N]     (environment RC_FUZZ_SECONDS; default 3 each)
"""
import glob
import os
import re
import subprocess
import sys
import unittest

LIMIT = 1800
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SECONDS = int(os.environ.get("RC_FUZZ_SECONDS", "3"))
# A single input may take this long (seconds) and this much memory (MiB).
INPUT_SECONDS, INPUT_MIB = 10, 1024


def targets():
    return sorted(os.path.basename(p)[:-2] for p in glob.glob(f"{TOP}/tests/fuzz/fuzz_*.c"))


class Fuzz(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        built = subprocess.run(["make", "-s", "-j2", "fuzz"], cwd=TOP, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, check=False)
        if built.returncode:
            raise RuntimeError("make fuzz:\n" + built.stdout.decode(errors="replace"))

    def run_target(self, name):
        short = name[len("fuzz_"):]
        found = f"{TOP}/build/fuzz/corpus/{short}"
        os.makedirs(found, exist_ok=True)
        command = [f"{TOP}/build/fuzz/{name}", f"-max_total_time={SECONDS}",
                   f"-timeout={INPUT_SECONDS}", f"-rss_limit_mb={INPUT_MIB}",
                   f"-artifact_prefix={TOP}/build/fuzz/{short}-", "-print_final_stats=1", found]
        given = f"{TOP}/tests/fuzz/corpus/{short}"
        if os.path.isdir(given):
            command.append(given)
        p = subprocess.run(command, cwd=TOP, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           check=False)
        out = p.stdout.decode(errors="replace")
        self.assertEqual(p.returncode, 0, out[-6000:])
        runs = int(re.search(r"number_of_executed_units:\s*(\d+)", out).group(1))
        self.assertGreater(runs, 0)
        print(f"{name}: {runs} inputs", flush=True)


def add(name):
    setattr(Fuzz, "test_" + name, lambda self: self.run_target(name))


for target in targets():
    add(target)

if __name__ == "__main__":
    if "--seconds" in sys.argv:
        at = sys.argv.index("--seconds")
        SECONDS = int(sys.argv[at + 1])
        del sys.argv[at:at + 2]
    unittest.main()
