#!/usr/bin/python3
"""Networks of the daemons themselves in one process, with clock, chance, network and disk replaced
(README.md): seeds with faults, whose invariants hold; two runs of a seed that are the same; an
attacker around one node; and controls, which must fail.

RC_TEST_SEED is the first seed; without it the same ones always, so that a run says something of the
change at hand: new ones are tried by FULL=1, 10,000 (make sim goes on where it was stopped)."""
import os
import re
import subprocess
import sys
import time
import unittest

LIMIT = 7200
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SIM = os.path.join(TOP, os.environ.get("BUILD", "build"), "sim", "sim")
FULL = os.environ.get("FULL") == "1"
FIRST = int(os.environ.get("RC_TEST_SEED", time.strftime("%Y%m%d000") if FULL else 10000))
SEEDS = 150                 # without FULL: half a minute of a processor


def sim(*options):
    p = subprocess.run([SIM, *map(str, options)], cwd=TOP, stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return p.returncode, p.stdout


class Simulation(unittest.TestCase):
    def held(self, *options):
        code, output = sim(*options)
        print(output, end="", flush=True)
        self.assertEqual(code, 0, output)
        return output

    def test_seeds(self):
        print(f"first seed {FIRST}", flush=True)
        many = ("--count=10000", "--twice=100") if FULL else (f"--count={SEEDS}", "--twice=10")
        output = self.held(f"--seed={FIRST}", *many)
        events = float(re.search(r"([0-9]+) events; all", output).group(1))
        self.assertGreaterEqual(events, 1000)
        for fault in ("kills", "power cuts", "writes lost", "partitions", "one-way", "resets",
                      "stalled", "bus breaks", "events lost", "pauses", "stops"):
            self.assertRegex(output, fault + " [1-9]")

    def test_same_trace(self):
        """With and without what is remembered, and with other bytes in fresh memory."""
        output = self.held("--seed=7", "--count=4", "--twice=1")
        self.assertIn("4 of them run twice", output)

    def test_many_nodes(self):
        self.held("--seed=3", "--nodes=200" if FULL else "--nodes=40")

    def test_eclipse(self):
        for seed in range(1, 21 if FULL else 2):
            self.held(f"--seed={seed}", "--scenario=eclipse")

    def test_controls(self):
        """Where syncs do nothing, what was acknowledged is lost, and is missed."""
        for path in ("chaind/mempool.journal", "chaind/blocks", "utxod/log"):
            code, output = sim("--seed=1", "--count=100", f"--no-sync={path}")
            self.assertNotEqual(code, 0, path)
            self.assertRegex(output, "lost payment|durable block was lost|ended with 78")
            self.assertIn(f"--no-sync={path}", output)  # how to run it again


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
