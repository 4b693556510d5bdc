#!/usr/bin/python3
"""The chain generator of the benchmarks: the same bytes for the same options, and every block of
it, every kind of policy among them, is valid for a real node."""
import json
import os
import subprocess
import sys

import harness

sys.path.insert(0, os.path.join(harness.TOP, "tests", "bench"))
import pairs  # noqa: E402

QUICK = True


def make_chain(path, *options):
    made = subprocess.run([pairs.program("make_chain"), "--out", path, *map(str, options)],
                          check=True, capture_output=True, text=True)
    return json.loads(made.stdout)


class BenchChain(harness.TestCase):
    def path(self, name):
        return os.path.join(self.home, name)

    def feed(self, path, blocks):
        node = self.node(start=False).start("utxod", "chaind")
        with pairs.Driver("feed") as feed:
            feed("open", node.rundir, "reg", path)
            return feed("feed", 1, blocks), feed("txs", blocks + 1)

    def test_repeatable(self):
        options = ("--blocks", 3, "--inputs", 40, "--shape", "5x2", "--recent", 50)
        a = make_chain(self.path("a"), *options, "--threads", 1)
        b = make_chain(self.path("b"), *options, "--threads", 3)
        c = make_chain(self.path("c"), *options, "--seed", 2)
        self.assertEqual(a, b)
        self.assertNotEqual(a["tip"], c["tip"])
        with open(self.path("a"), "rb") as one, open(self.path("b"), "rb") as other:
            self.assertEqual(one.read(), other.read())
        self.assertEqual(a["spend_signatures"], 120)

    def test_a_node_takes_it(self):
        made = make_chain(self.path("chain"), "--blocks", 5, "--inputs", 60, "--mix", "mixed",
                          "--recent", 30, "--fund-coins", 300, "--fund-outputs", 70)
        fed, txs = self.feed(self.path("chain"), made["blocks"] - 1)
        self.assertEqual((fed["height"], fed["refused"]), (made["blocks"] - 1, 0), fed)
        self.assertEqual((txs["ok"], txs["refused"]), (30, 0), txs)


if __name__ == "__main__":
    harness.main()
