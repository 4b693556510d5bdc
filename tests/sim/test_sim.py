#!/usr/bin/python3
"""Networks of the daemons themselves in one process, with clock, chance, network and disk replaced
(README.md): seeds with faults, whose invariants hold; two runs of a seed that are the same; an
attacker around one node; and controls, which must fail.

RC_TEST_SEED is the first seed; without it the same ones always, so that a run says something of the
change at hand: new ones are tried by FULL=1, those of campaign.py, which goes on where it
was stopped."""
import json
import os
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

import campaign

LIMIT = 14400
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SIM = os.path.join(TOP, os.environ.get("BUILD", "build"), "sim", "sim")
FULL = os.environ.get("FULL") == "1"
FIRST = int(os.environ.get("RC_TEST_SEED", 10000))
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

    @unittest.skipIf(FULL, "the campaign has them")
    def test_seeds(self):
        print(f"first seed {FIRST}", flush=True)
        output = self.held(f"--seed={FIRST}", f"--count={SEEDS}", "--twice=10")
        figures = campaign.figures(output)
        self.assertGreaterEqual(figures["fewest"], campaign.LEAST_EVENTS)
        for fault in campaign.FAULTS:
            self.assertGreater(figures.get(fault, 0), 0, fault)

    @unittest.skipUnless(FULL, "FULL=1")
    def test_campaign(self):
        first = os.environ.get("RC_TEST_SEED")
        self.assertEqual(campaign.campaign(first and int(first)), [])

    def test_campaign_goes_on(self):
        """What was done isn't done again; another first seed begins anew."""
        with tempfile.TemporaryDirectory() as home, \
                mock.patch.object(campaign, "RECORD", f"{home}/campaign.json"), \
                mock.patch.object(campaign, "run_slice", wraps=campaign.run_slice) as ran:
            counts = {"mixed": 2, "large": 0, "eclipse": 0}
            campaign.campaign(3, counts)
            campaign.campaign(None, counts)
            self.assertEqual(ran.call_count, 1)
            campaign.campaign(4, counts)
            self.assertEqual(ran.call_count, 2)
            with open(campaign.RECORD, encoding="utf-8") as f:
                self.assertEqual(list(json.load(f)["mixed"]), ["4"])

    def test_same_trace(self):
        """With and without what is remembered, and with other bytes in fresh memory."""
        output = self.held("--seed=7", "--count=4", "--twice=1")
        self.assertEqual(campaign.figures(output)["twice"], 4)

    def test_many_nodes(self):
        self.held("--seed=3", "--nodes=200" if FULL else "--nodes=40")

    def test_eclipse(self):
        self.held("--seed=1", "--scenario=eclipse")

    def test_controls(self):
        """Where syncs do nothing, what was acknowledged is lost, and is missed."""
        for path in ("chaind/mempool.journal", "chaind/blocks", "utxod/log"):
            code, output = sim("--seed=1", "--count=100", f"--no-sync={path}")
            self.assertNotEqual(code, 0, path)
            self.assertRegex(output, "lost payment|durable block was lost|ended with 78")
            self.assertIn(f"--no-sync={path}", output)  # how to run it again


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
