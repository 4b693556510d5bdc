#!/usr/bin/python3
"""Fixed work costs no more instructions than tests/bench/INSTRUCTIONS says; and the gate shuts."""
import os
import unittest

import instructions

QUICK = True
LIMIT = 300


class TestComparison(unittest.TestCase):
    was = {"a": 100000, "a/secp256k1": 5000000, "b": 7}

    def compare(self, **changes):
        now = {**self.was, **changes}
        return instructions.compare(self.was, {row: n for row, n in now.items() if n is not None})

    def test_equal(self):
        self.assertEqual(self.compare()[1], [])

    def test_grown(self):
        lines, broken = self.compare(a=105000)
        self.assertEqual(broken, ["a"])
        self.assertIn("GREW", lines[0])
        self.assertEqual(self.compare(a=103001)[1], ["a"])

    def test_within_limit(self):
        self.assertEqual(self.compare(a=103000)[1], [])

    def test_shrunk_is_a_notice(self):
        lines, broken = self.compare(a=95000)
        self.assertEqual(broken, [])
        self.assertIn("record it", lines[0])

    def test_rows_that_come_and_go(self):
        self.assertEqual(self.compare(a=None)[1], ["a"])
        self.assertEqual(self.compare(c=1)[1], ["c"])

    def test_other_versions_make_a_notice(self):
        self.assertEqual(instructions.other_versions(["gcc 1"], ["gcc 1"]), [])
        lines = instructions.other_versions(["gcc 1", "valgrind 3"], ["gcc 2", "valgrind 3"])
        self.assertIn("notice", lines[0])
        self.assertEqual([line.split() for line in lines[1:]],
                         [["recorded:", "gcc", "1"], ["here:", "gcc", "2"]])
        now = {"a": 2 * self.was["a"], "c": 1}
        self.assertEqual(instructions.unrecorded({"a": 1, "b": 1}, now), ["b", "c"])

    def test_file(self):
        text = instructions.encode(self.was, ["gcc 1", "libc6 2"])
        self.assertEqual(instructions.decode(text), (self.was, ["gcc 1", "libc6 2"]))

    def test_profile(self):
        profile = ("version: 1\nevents: Ir\n\nob=/bin/x\nfl=x.c\nfn=f\n10 5\n+1 7\ncob=/lib/y.so\n"
                   "cfn=g\ncalls=3 20\n+1 1000\n12 1\n\nob=/lib/y.so\nfn=g\n20 1000\n")
        self.assertEqual(instructions.objects_of(profile), {"/bin/x": 13, "/lib/y.so": 1000})


@unittest.skipIf(os.environ.get("BUILD", "build") != "build", "recorded without a sanitizer")
class TestCounts(unittest.TestCase):
    def test_nothing_grew(self):
        present = instructions.count_all()
        if present is None:
            self.skipTest("this CPU lacks AVX2")
        with open(instructions.FILE, encoding="utf-8") as f:
            recorded, made_with = instructions.decode(f.read())
        lines, broken = instructions.compare(recorded, present)
        print("\n".join(lines))
        notice = instructions.other_versions(made_with, instructions.versions())
        if notice and broken:
            print("\n".join(notice))
            broken = instructions.unrecorded(recorded, present)
        self.assertEqual(broken, [], "make bench-instructions")

    def test_counted_twice(self):
        first, second = instructions.count("rpc-header"), instructions.count("rpc-header")
        if first is None:
            self.skipTest("this CPU lacks AVX2")
        self.assertLessEqual(abs(first[0][1] - second[0][1]), first[0][1] // 1000)


if __name__ == "__main__":
    unittest.main()
