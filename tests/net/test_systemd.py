#!/usr/bin/python3
"""A full node under a real systemd: the units as they are installed, on a host of its own (rig.sh).

The target starts all four daemons; each reports ready; restarting one leaves the others' pids
alone; a hung daemon is caught by its watchdog; the stop is clean; no line of priority err or worse;
addresses may come after the daemons.
"""
import glob
import json
import os
import subprocess
import tempfile
import time
import unittest

LIMIT = 300
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RIG = os.path.join(TOP, "tests/net/rig.sh")
BUILD = os.environ.get("BUILD", "build")
DAEMONS = ["utxod", "chaind", "peerd", "rpcd"]
WATCHDOG_SECONDS = 4

PREP = """#!/bin/bash
# Puts the installed tree into the host's root, before its systemd starts.
set -eu
cp -a {stage}/. "$1"
mkdir -p "$1/etc/rustycoin/rpcd.conf.d" "$1/etc/rustycoin/peerd.conf.d"
printf 'network = reg\\n' >> "$1/etc/rustycoin/rustycoin.conf"
for d in {daemons}; do
    mkdir -p "$1/etc/systemd/system/rusty-$d.service.d"
    printf '[Service]\\nWatchdogSec={watchdog}\\n' > "$1/etc/systemd/system/rusty-$d.service.d/test.conf"
done
"""


def wait_for(what, condition, limit=30.0, explain=lambda: ""):
    """Polls a condition, at most limit seconds; returns its value."""
    end = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {limit} s\n{explain()}")
        time.sleep(0.05)


class Systemd(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.base = tempfile.mkdtemp(prefix="rc-rig-", dir="/run")
        cls.name = "full"
        cls.env = dict(os.environ, RIG_BASE=cls.base)
        home = os.path.join(cls.base, cls.name)
        stage = os.path.join(cls.base, "stage")
        os.makedirs(home)
        subprocess.run(["make", "-s", "--no-print-directory", "install", f"DESTDIR={stage}",
                        "PREFIX=/usr"], cwd=TOP, check=True, stdout=subprocess.DEVNULL)
        cls.stage = stage
        prep = os.path.join(home, "prep")
        with open(prep, "w", encoding="utf-8") as f:
            f.write(PREP.format(stage=stage, daemons=" ".join(DAEMONS), watchdog=WATCHDOG_SECONDS))
        os.chmod(prep, 0o755)
        subprocess.run([RIG, "up", cls.name], env=cls.env, check=True)
        cls.host("systemd-sysusers", "/usr/lib/sysusers.d/rustycoin.conf")
        cls.host("systemd-tmpfiles", "--create", "/usr/lib/tmpfiles.d/rustycoin.conf")

    @classmethod
    def tearDownClass(cls):
        subprocess.run([RIG, "down", cls.name], env=cls.env, check=False)
        subprocess.run(["rm", "-rf", cls.base], check=True)

    @classmethod
    def host(cls, *command, check=True):
        p = subprocess.run([RIG, "in", cls.name, *command], env=cls.env, text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if check and p.returncode != 0:
            journal = subprocess.run([RIG, "in", cls.name, "journalctl", "--no-pager", "-n", "80"],
                                     env=cls.env, text=True, stdout=subprocess.PIPE).stdout
            raise AssertionError(f"{' '.join(command)}: {p.returncode}\n{p.stdout}\n{journal}")
        return p.stdout

    def show(self, daemon, key):
        return self.host("systemctl", "show", "-P", key, f"rusty-{daemon}.service").strip()

    def pids(self):
        return {d: self.show(d, "MainPID") for d in DAEMONS}

    def journal(self):
        return self.host("journalctl", "--no-pager", "-q", "-n", "60")

    def journal_errors(self):
        return [line for line in self.host("journalctl", "--no-pager", "-q", "-p", "err", "-o",
                                           "cat", *[f"-urusty-{d}.service" for d in DAEMONS]
                                           ).splitlines() if line]

    def test_1_units_verify(self):
        for unit in sorted(glob.glob(f"{self.stage}/usr/lib/systemd/system/rusty-*")):
            out = self.host("systemd-analyze", "verify", "--man=no",
                            "/usr/lib/systemd/system/" + os.path.basename(unit))
            # verify exits 0 on a misspelt key: any output is a fault.
            self.assertEqual(out, "", unit)

    def test_2_life(self):
        self.host("systemctl", "start", "rusty-full.target")
        for d in DAEMONS:
            wait_for(f"{d} ready", lambda d=d: self.show(d, "ActiveState") == "active", 20,
                     self.journal)
            self.assertEqual(self.show(d, "SubState"), "running")
        wait_for("the node answers", lambda: "\"ready\": true" in self.host(
            "rusty-cli", "--network", "reg", "gethealth", check=False), 20)
        status = json.loads(self.host("rustyctl", "status", "--json"))
        self.assertEqual({d["name"] for d in status["daemons"]}, set(DAEMONS))
        self.assertEqual({d["state"] for d in status["daemons"]}, {"ready"}, status)

        before = self.pids()
        for d in DAEMONS:
            self.host("systemctl", "restart", f"rusty-{d}.service")
            after = self.pids()
            self.assertNotEqual(before[d], after[d])
            self.assertEqual({k: v for k, v in before.items() if k != d},
                             {k: v for k, v in after.items() if k != d}, f"restart of {d}")
            before = after
        self.assertEqual(self.journal_errors(), [])

        # A hung daemon: stopped, so that its loop pings no more.
        pid = before["chaind"]
        self.host("kill", "-STOP", pid)
        wait_for("the watchdog", lambda: self.show("chaind", "MainPID") not in (pid, "0") and
                 self.show("chaind", "ActiveState") == "active", WATCHDOG_SECONDS * 2 + 20)
        self.assertEqual(self.show("chaind", "NRestarts"), "1")
        others = self.pids()
        self.assertEqual([others[d] for d in DAEMONS if d != "chaind"],
                         [before[d] for d in DAEMONS if d != "chaind"])

        self.host("systemctl", "stop", "rusty-full.target")
        for d in DAEMONS:
            wait_for(f"{d} stopped", lambda d=d: self.show(d, "ActiveState") == "inactive", 25)
            self.assertEqual(self.show(d, "Result"), "success")
        # The watchdog's kill is systemd's own line; the daemons have said nothing at err.
        self.assertEqual([e for e in self.journal_errors() if "Watchdog timeout" not in e], [])

    def ready(self, daemon, limit=40):
        wait_for(f"{daemon} ready", lambda: self.show(daemon, "ActiveState") == "active", limit,
                 self.journal)

    def write(self, path, text):
        self.host("/bin/sh", "-c", 'printf "%s" "$2" > "$1"', "sh", path, text)

    def test_4_addresses_that_come_later(self):
        """A start isn't lost for an address that a boot brings up after it, nor for some seconds
        of trouble with a port."""
        address = "192.0.2.77"
        self.write("/etc/rustycoin/rpcd.conf.d/test.conf",
                   f"rpc_bind = {address}\nrpc_allow_plain = yes\n")
        self.write("/etc/rustycoin/peerd.conf.d/test.conf", f"listen = {address}\n")
        self.write("/etc/systemd/system/rusty-rpcd.service.d/address.conf",
                   f"[Service]\nIPAddressAllow={address}\n")
        self.host("systemctl", "daemon-reload")
        self.host("systemctl", "start", "rusty-full.target")
        for d in ("peerd", "rpcd"):
            self.ready(d)
            self.assertEqual(self.show(d, "NRestarts"), "0", self.journal())
        self.host("ip", "address", "add", f"{address}/32", "dev", "lo")
        for port in (17440, 17441):
            self.host("/bin/bash", "-c", f": < /dev/tcp/{address}/{port}")
        self.host("systemctl", "stop", "rusty-rpcd.service")

        # Its port is somebody else's; five starts must last for more than a moment of that.
        self.write("/run/hold.py", "import signal, socket\n"
                   f"s = socket.create_server(('{address}', 17441))\nsignal.pause()\n")
        self.host("systemd-run", "--unit=hold", "/usr/bin/python3", "/run/hold.py")
        wait_for("the port is taken", lambda: "17441" in self.host("ss", "-Hltn"))
        self.host("systemctl", "start", "rusty-rpcd.service", check=False)
        self.assertEqual(self.show("rpcd", "ExecMainStatus"), "69")
        end = time.monotonic() + 3
        while time.monotonic() < end:
            self.assertNotEqual(self.show("rpcd", "ActiveState"), "failed", self.journal())
        self.host("systemctl", "stop", "hold.service")
        self.ready("rpcd")
        # And who is killed is back before a request is given up.
        pid, began = self.show("rpcd", "MainPID"), time.monotonic()
        self.host("kill", "-KILL", pid)
        wait_for("another", lambda: self.show("rpcd", "MainPID") not in (pid, "0"), 8)
        self.assertLess(time.monotonic() - began, 8)
        self.host("systemctl", "stop", "rusty-full.target")

    def test_3_exposure(self):
        bars = {"utxod": 6, "chaind": 6, "rpcd": 13, "peerd": 15}  # tenths
        for d, bar in bars.items():
            out = self.host("systemd-analyze", "security", "--offline=yes", f"--threshold={bar}",
                            "--no-pager", f"/usr/lib/systemd/system/rusty-{d}.service", check=False)
            self.assertIn("Overall exposure level", out)
            level = float(out.split("exposure level for")[1].split(":")[1].split()[0])
            self.assertLessEqual(level * 10, bar, f"{d}: {level}\n{out}")


if __name__ == "__main__":
    unittest.main(verbosity=2)
