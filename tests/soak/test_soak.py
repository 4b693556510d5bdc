#!/usr/bin/python3
"""The soak for less than a minute: its load arrives, nothing fails, no descriptor is left open, no
line of log repeats without end. What memory does needs the hour of `make soak`."""
import os
import subprocess
import sys
import unittest

SOAK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "soak.py")
LIMIT = 300


class Soak(unittest.TestCase):
    def test_short(self):
        p = subprocess.run([sys.executable, SOAK, "--minutes", "0.5", "--questions", "60"],
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                           timeout=LIMIT, check=False)
        self.assertEqual(p.returncode, 0, p.stdout[-8000:])
        self.assertIn("MiB/min |", p.stdout)


if __name__ == "__main__":
    unittest.main()
