"""Both implementations judge the same random chains and must agree on every answer.

gen_chains.py makes the chains with the reference's answers, build/tests/replay offers them to the
C library. `make check` takes 500 chains, quicker runs 40. RC_TEST_SEED and RC_CHAINS choose others;
a failure prints the command that makes the very file again.
"""
import os
import random
import re
import subprocess
import sys
import tempfile
import unittest

LIMIT = 600
HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(TOP, os.environ.get("BUILD", "build"))
WHOLE = os.environ.get("RC_RUN", "all") == "all"
CHAINS = int(os.environ.get("RC_CHAINS", "500" if WHOLE else "40"))


class Differential(unittest.TestCase):
    def run_on(self, seed, chains):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "chains.jsonl")
            make = [sys.executable, f"{HERE}/gen_chains.py", "--seed", str(seed),
                    "--chains", str(chains), "--out", path]
            again = " ".join(make[1:-1]) + " FILE"
            made = subprocess.run(make, capture_output=True, text=True, timeout=LIMIT)
            self.assertEqual(made.returncode, 0, made.stderr)
            p = subprocess.run([f"{BUILD}/tests/replay", path], capture_output=True, text=True,
                               timeout=LIMIT)
            self.assertEqual(p.returncode, 0, f"{p.stdout}{p.stderr}made by: {again}")
            return made.stdout, p.stdout, p.stderr

    def test_agreement(self):
        seed = os.environ.get("RC_TEST_SEED") or random.SystemRandom().randrange(1 << 32)
        made, replayed, notes = self.run_on(seed, CHAINS)
        print(f"seed {seed}: {replayed.strip()}\n{notes}", end="")
        compared = re.match(r"(\d+) chains, (\d+) blocks, (\d+) transactions, (\d+) reorg", replayed)
        chains, blocks, txs, moved = map(int, compared.groups())
        self.assertEqual(chains, CHAINS)
        self.assertGreaterEqual(blocks, 10 * CHAINS)
        self.assertGreaterEqual(txs, 40 * CHAINS)
        if CHAINS >= 500:
            self.assertGreaterEqual(txs, 20_000)
            self.assertGreaterEqual(moved, 100)
            self.assertIn("never reached: none", made)

    def test_kept_chains(self):
        """The two chains that are kept for other implementers."""
        p = subprocess.run([f"{BUILD}/tests/replay",
                            f"{TOP}/tests/vectors/rustycoin-extra/chains.jsonl"],
                           capture_output=True, text=True, timeout=LIMIT)
        self.assertEqual(p.returncode, 0, p.stdout + p.stderr)
        self.assertTrue(p.stdout.startswith("2 chains, "), p.stdout)

    def test_differences_are_seen(self):
        """A control: one digit changed in an answer must be found."""
        with open(f"{TOP}/tests/vectors/rustycoin-extra/chains.jsonl", encoding="ascii") as f:
            lines = f.read().splitlines()
        at = next(i for i, line in enumerate(lines) if '"state_root":"' in line)
        place = lines[at].index('"state_root":"') + len('"state_root":"')
        digit = "0" if lines[at][place] != "0" else "1"
        lines[at] = lines[at][:place] + digit + lines[at][place + 1:]
        with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as f:
            f.write("\n".join(lines) + "\n")
            f.flush()
            p = subprocess.run([f"{BUILD}/tests/replay", f.name], capture_output=True, text=True,
                               timeout=LIMIT)
        self.assertEqual(p.returncode, 1)
        self.assertIn(f"line {at + 1}, ", p.stdout)
        self.assertIn("state_root", p.stdout)


if __name__ == "__main__":
    unittest.main()
