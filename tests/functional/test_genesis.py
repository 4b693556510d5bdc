"""rusty-genesis: the built-in networks are those of the check values; a new one is reproducible."""
import json
import os
import subprocess
import tempfile
import time
import unittest

QUICK = True
LIMIT = 60
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOOL = os.path.join(TOP, os.environ.get("BUILD", "build"), "bin/rusty-genesis")


def run(*args):
    return subprocess.run([TOOL, *args], capture_output=True, text=True, timeout=30)


def fields(output):
    return dict(line.split(None, 1) for line in output.splitlines())


class Genesis(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory()
        self.addCleanup(self.dir.cleanup)
        self.file = os.path.join(self.dir.name, "net.ini")

    def test_builtin_networks(self):
        with open(f"{TOP}/tests/vectors/rustycoin/check-values.json", encoding="utf-8") as f:
            networks = json.load(f)["networks"]
        self.assertEqual(len(networks), 3)
        for want in networks:
            p = run("show", want["name"])
            self.assertEqual(p.returncode, 0, p.stderr)
            got = fields(p.stdout)
            self.assertEqual(got["table"], want["table"])
            self.assertEqual(got["genesis_block"], want["genesis_block"])
            self.assertEqual(bytes.fromhex(got["genesis_id"])[::-1].hex(), want["genesis_id"])
            self.assertEqual(got["network_id"], want["network_id"])

    def test_new_network(self):
        before = int(time.time())
        p = run("new", "--name", "acme-2", "--from", "reg", "--set", "maturity=5", "-o", self.file)
        self.assertEqual(p.returncode, 0, p.stderr)
        again = run("show", self.file)
        self.assertEqual(again.stdout, p.stdout)
        self.assertEqual(run("show", self.file).stdout, p.stdout)
        made = int(fields(p.stdout)["genesis_time"].split()[0])
        self.assertTrue(before <= made <= time.time())
        with open(self.file, encoding="utf-8") as f:
            text = f.read()
        self.assertIn("maturity = 5\n", text)
        self.assertIn("hrp = acme\n", text)
        # The same values make the same network, another value another one.
        other = os.path.join(self.dir.name, "other.ini")
        args = ("new", "--name", "acme-2", "--from", "reg", "--set", f"genesis_time={made}")
        same = run(*args, "--set", "maturity=5", "-o", other)
        self.assertEqual(same.stdout, p.stdout)
        differs = run(*args, "--set", "maturity=6", "-o", other, "--force")
        self.assertEqual(differs.returncode, 0, differs.stderr)
        self.assertNotEqual(fields(differs.stdout)["network_id"], fields(p.stdout)["network_id"])

    def test_refusals(self):
        good = ("new", "--name", "acme", "-o", self.file)
        self.assertEqual(run(*good).returncode, 0)
        with open(self.file, "rb") as f:
            kept = f.read()
        missing = os.path.join(self.dir.name, "missing.ini")
        for args, code, words in (
                (good, 1, "exists already"),
                (("new", "--name", "acme"), 64, "-o"),
                (("new", "-o", missing), 64, "--name"),
                (("new", "--name", "main", "-o", missing), 78, "name: 'main'"),
                (("new", "--name", "Acme", "-o", missing), 78, "name:"),
                (("new", "--name", "acme", "--hrp", "rc", "-o", missing), 78, "hrp:"),
                (("new", "--name", "acme", "--from", "prod", "-o", missing), 78, "--from"),
                (("new", "--name", "acme", "--set", "maturity", "-o", missing), 78, "KEY=VALUE"),
                (("new", "--name", "acme", "--set", "colour=1", "-o", missing), 78, "colour"),
                (("new", "--name", "acme", "--set", "maturity=0", "-o", missing), 78, "maturity"),
                (("new", "--name", "acme", "-o", "/nonexistent/x"), 74, "/nonexistent"),
                (("show", missing), 78, missing),
                (("show",), 64, "show"),
                (("frobnicate",), 64, "unknown command"),
                ((), 64, "usage")):
            p = run(*args)
            self.assertEqual(p.returncode, code, (args, p.stderr))
            self.assertIn(words, p.stderr)
            self.assertEqual(p.stdout, "")
            self.assertFalse(os.path.exists(missing))
        with open(self.file, "rb") as f:
            self.assertEqual(f.read(), kept)


if __name__ == "__main__":
    unittest.main()
