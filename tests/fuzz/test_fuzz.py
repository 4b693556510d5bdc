#!/usr/bin/python3
"""Builds every fuzz target and runs each for a while on its corpus; a crash is a failure, and so is
a target that ran nothing.

usage: test_fuzz.py [--seconds N]     (environment RC_FUZZ_SECONDS; default 3 each)
"""
import os
import sys
import unittest

import target

LIMIT = 1800
SECONDS = int(os.environ.get("RC_FUZZ_SECONDS", "3"))


class Fuzz(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        target.build()

    def run_target(self, name):
        try:
            figures = target.run(name, SECONDS)
        except target.Crashed as e:
            self.fail(str(e))
        print(f"fuzz_{name}: {figures['executions']} inputs", flush=True)


def add(name):
    setattr(Fuzz, "test_fuzz_" + name, lambda self: self.run_target(name))


for each in target.names():
    add(each)

if __name__ == "__main__":
    if "--seconds" in sys.argv:
        at = sys.argv.index("--seconds")
        SECONDS = int(sys.argv[at + 1])
        del sys.argv[at:at + 2]
    unittest.main()
