#!/usr/bin/python3
"""rustyctl on a real node, and what every daemon does alike: options, status, reload, exit codes."""
import json
import os
import signal
import subprocess
import unittest

import harness
from harness import DAEMONS, wait_for

QUICK = True
LIMIT = 300


class Rustyctl(harness.TestCase):
    def ctl(self, node, *words, rundir=None, network="reg"):
        p = subprocess.run([os.path.join(harness.BIN, "rustyctl"), "--rundir",
                            rundir or node.rundir, "--network", network, "--timeout-ms", "2000",
                            *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        return p.returncode, p.stdout.decode(), p.stderr.decode()

    def test_status(self):
        node = self.node()
        code, out, err = self.ctl(node, "status", "--json")
        self.assertEqual((code, err), (0, ""))
        status = json.loads(out)
        self.assertEqual(status["state"], "ok")
        self.assertEqual([d["name"] for d in status["daemons"]], list(DAEMONS))
        for daemon in status["daemons"]:
            self.assertEqual(daemon["state"], "ready")
            self.assertEqual(daemon["network"], "reg")
            self.assertEqual(daemon["pid"], node.pid(daemon["name"]))
        code, out, _ = self.ctl(node, "status")
        self.assertEqual(code, 0)
        for daemon in DAEMONS:
            self.assertIn(f"\n{daemon} ", out)

        # One away: degraded, the rest is shown.
        node.kill("peerd")
        code, out, _ = self.ctl(node, "status", "--json")
        self.assertEqual(code, 1)
        states = {d["name"]: d["state"] for d in json.loads(out)["daemons"]}
        self.assertEqual(states["peerd"], "down")
        self.assertEqual(states["utxod"], "ready")
        # A node that isn't meant to have it is well.
        wait_for("the rest is ready", lambda: self.ctl(
            node, "--daemons", "utxod,chaind,rpcd", "status")[0] == 0)
        # Of another network: all refuse.
        code, out, _ = self.ctl(node, "status", network="test")
        self.assertEqual(code, 2)
        self.assertIn("belongs to another network", out)

    def test_nobody(self):
        code, out, _ = self.ctl(None, "status", rundir=os.path.join(self.home, "none"))
        self.assertEqual(code, 2)
        self.assertIn("is it running?", out)
        self.assertEqual(self.ctl(None, rundir=self.home)[0], 64)
        self.assertEqual(self.ctl(None, "dance", rundir=self.home)[0], 64)
        for words in (("metrics", "nobody"), ("reload", ""), ("log-level", "chaindd", "debug")):
            code, out, err = self.ctl(None, *words, rundir=self.home)
            self.assertEqual((code, out), (64, ""))
            self.assertIn(f"there is no daemon '{words[1]}'", err)
        self.assertEqual(self.ctl(None, "metrics", "chaind", rundir=self.home)[0], 69)
        self.assertEqual(self.ctl(None, "--tiemout-ms", "5", "status", rundir=self.home)[0], 78)

    def test_commands(self):
        node = self.node()
        for daemon in DAEMONS:
            code, out, err = self.ctl(node, "metrics", daemon)
            self.assertEqual((code, err), (0, ""))
            self.assertIn(f"\nrustycoin_{daemon}_uptime_seconds ", out)
            self.assertIn(f"\nrustycoin_{daemon}_bus_bad_total 0\n", out)
            code, out, _ = self.ctl(node, "log-level", daemon, "debug")
            self.assertEqual(code, 0)
            self.assertIn(", was ", out)
            code, out, err = self.ctl(node, "log-level", daemon, "loud")
            self.assertEqual(code, 69)
            self.assertIn("there is no log level 'loud'", err)
            code, out, _ = self.ctl(node, "reload", daemon)
            self.assertEqual(code, 0)
            os.kill(node.pid(daemon), signal.SIGHUP)
        wait_for("alive after SIGHUP", lambda: self.ctl(node, "status")[0] == 0)

    def test_options_of_daemons(self):
        for daemon in DAEMONS:
            program = os.path.join(harness.BIN, daemon)

            def run(*args, program=program):
                p = subprocess.run([program, *args], stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, check=False)
                return p.returncode, p.stdout.decode()

            code, out = run("--version", "--network", "reg")
            self.assertEqual(code, 0)
            self.assertRegex(out, rf"^{daemon} \S+ \(bus schema \d+, network reg\)$")
            code, out = run("--nonesuch", "1")
            self.assertEqual(code, 78)
            self.assertIn("there is no option 'nonesuch'", out)
            self.assertEqual(run("--check-config")[0], 0)
            # What is printed can be read again, and says the same.
            code, printed = run("--print-config")
            path = os.path.join(self.home, daemon + ".conf")
            with open(path, "w", encoding="utf-8") as f:
                f.write(printed)
            self.assertEqual(code, 0)
            code, again = run("--config", path, "--print-config")
            self.assertEqual(code, 0, again)
            keep = [l for l in printed.splitlines() if not l.startswith("#")]
            self.assertEqual([l for l in again.splitlines() if not l.startswith("#")], keep)


if __name__ == "__main__":
    unittest.main()
