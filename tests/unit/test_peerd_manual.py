#!/usr/bin/python3
"""rustycoin-p2p(7) says what peerd's tables say: every message's row, every score."""
import os
import re
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def read(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as f:
        return f.read()


def product(text):
    """The value of 'a * b + c' of decimal numbers."""
    total = 0
    for term in text.split("+"):
        value = 1
        for factor in term.split("*"):
            value *= int(factor)
        total += value
    return total


class P2pManual(unittest.TestCase):
    def test_messages(self):
        page = read("man/rustycoin-p2p.7")
        rows = re.findall(r'PEER_MESSAGE\(\w+, (\d+), "(\w+)", (\w+), ([\d *+]+), (\d+), (\d+), \w+\)',
                          read("daemons/peerd/messages.def"))
        self.assertGreater(len(rows), 10)
        shown = {tuple(line.split()) for line in page.splitlines()}
        for number, name, stream, size, cost, item in rows:
            self.assertIn((number, name, stream.lower(), str(product(size)), cost, item), shown)
            self.assertIn(f".It Li {name}\n", page)

    def test_budgets(self):
        page = read("man/rustycoin-p2p.7")
        rows = re.findall(r'BUDGET\(\w+, "(\w+)", (\d+), (\d+), "([^"]+)"\)',
                          read("daemons/peerd/budget.def"))
        self.assertEqual(len(rows), 3)
        shown = {tuple(line.split()) for line in page.splitlines()}
        for name, rate, most, what in rows:
            self.assertIn((name, rate, most), shown)
            self.assertIn(f"{name.capitalize()}: {what}.\n", page)

    def test_memory(self):
        page = read("man/rustycoin-p2p.7")
        rows = re.findall(r'MEMORY\(\w+, "(\w+)", (\d+), (\d+),\s+"([^"]+)"\)',
                          read("daemons/peerd/memory.def"))
        self.assertEqual(len(rows), 3)
        shown = {tuple(line.split()) for line in page.splitlines()}
        for name, group, most, what in rows:
            self.assertIn((name, group, most), shown)
            self.assertIn(f"{name.capitalize()}: {what}.\n", page)

    def test_scores(self):
        page = read("man/rustycoin-p2p.7")
        rows = re.findall(r'SCORE\("([^"]+)", (\d+), "([^"]+)"\)', read("daemons/peerd/score.def"))
        self.assertGreater(len(rows), 5)
        for what, points, why in rows:
            self.assertIn(f".It Li {what}\n{points}: {why}\n", page)


if __name__ == "__main__":
    unittest.main()
