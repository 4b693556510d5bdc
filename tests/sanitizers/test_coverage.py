#!/usr/bin/python3
"""libcommon/consensus is covered by its tests: make coverage fails under its bars."""
import os
import subprocess
import unittest

LIMIT = 900
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Coverage(unittest.TestCase):
    def test_bars(self):
        env = {k: v for k, v in os.environ.items() if k not in ("SAN", "BUILD", "MAKEFLAGS")}
        p = subprocess.run(["make", f"-j{os.cpu_count()}", "coverage"], cwd=TOP, env=env, text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(p.returncode, 0, p.stdout)
        self.assertRegex(p.stdout, r"libcommon/consensus: [\d.]+ % of \d+ lines")


if __name__ == "__main__":
    unittest.main(verbosity=2)
