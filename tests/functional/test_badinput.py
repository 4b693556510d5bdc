#!/usr/bin/python3
"""Bad input to programs: one clear line (who, what, what to do), the right exit code, no change."""
import os
import re
import socket
import subprocess

import zmq

import harness
from harness import BIN, DAEMONS, wait_for
from purse import RUST, Purse

QUICK = True
CONFIG, NOPERM, TEMPFAIL, UNAVAILABLE, USAGE = 78, 77, 75, 69, 64
TOOL = 4    # the number of tools among the bus's programs


def varint(n):
    return bytes([n]) if n < 128 else bytes([n & 127 | 128]) + varint(n >> 7)


def field(number, value):
    """One field of protobuf: a number or bytes."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def envelope(kind, message=0, id=0, schema=1):
    return (field(1, schema) + field(2, kind) + field(3, message) + field(4, id) +
            field(5, 5000) + field(7, 77))


class BadInput(harness.TestCase):
    def run_daemon(self, node, daemon, *more, drop=(), user=None):
        """(exit code, lines on standard error) of a daemon that must not start."""
        command = node.command(daemon)
        for name in drop:
            at = command.index(f"--{name}")
            del command[at:at + 2]
        os.makedirs(os.path.join(node.home, daemon), mode=0o700, exist_ok=True)
        config = os.path.join(node.home, "none.conf")
        if not os.path.exists(config):
            with open(config, "w", encoding="ascii"):
                pass
        p = subprocess.run(command + list(more), stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60 * harness.SLOW,
                           text=True, user=user)
        lines = [line for line in p.stderr.splitlines() if " notice: " not in line
                 and " info: " not in line]
        return p.returncode, lines

    def refused_start(self, code, words, node, daemon, *more, **how):
        got, lines = self.run_daemon(node, daemon, *more, **how)
        told = "\n".join(lines)
        self.assertEqual(got, code, f"{daemon} {more}: {told}")
        self.assertEqual(len(lines), 1, f"{daemon} {more}: {told}")
        self.assertIn(daemon, told)
        for word in words if isinstance(words, (list, tuple)) else [words]:
            self.assertIn(word, told)

    def test_options(self):
        node = harness.Node(self.home, "n")
        bad = os.path.join(self.home, "bad.conf")
        for daemon in DAEMONS:
            self.refused_start(CONFIG, "no_such_option", node, daemon, "--no_such_option", "1")
            self.refused_start(CONFIG, "log_level", node, daemon, "--log_level", "loud")
            self.refused_start(CONFIG, "network", node, daemon, "--network", "mars")
            with open(bad, "w", encoding="ascii") as f:
                f.write("\nlog_levl = info\n")
            self.refused_start(CONFIG, [bad, "2", "log_level"], node, daemon, "--config", bad)
            with open(bad, "w", encoding="ascii") as f:
                f.write("what is this\n")
            self.refused_start(CONFIG, [bad, "1"], node, daemon, "--config", bad)
            self.refused_start(CONFIG, "/nonexistent.conf", node, daemon, "--config",
                               "/nonexistent.conf")
        self.refused_start(CONFIG, "rpc_port", node, "rpcd", "--rpc_port", "65536")
        self.refused_start(CONFIG, "rpc_port", node, "rpcd", "--rpc_port", "-1")
        self.refused_start(CONFIG, "loopback", node, "rpcd", "--rpc_bind", "0.0.0.0")
        self.refused_start(CONFIG, "numeric", node, "rpcd", "--rpc_bind", "localhost")
        self.refused_start(CONFIG, "rpcauth", node, "rpcd", "--rpcauth", "bob:nohash")
        self.assertEqual(os.listdir(os.path.join(node.home, "chaind")), [])

    def test_long_paths(self):
        node = harness.Node(self.home, "n")
        node.rundir = os.path.join(self.home, "r" * 90)
        os.makedirs(node.rundir)
        for daemon in DAEMONS:
            code, lines = self.run_daemon(node, daemon)
            self.assertIn(code, (1, UNAVAILABLE, CONFIG), lines)
            self.assertEqual(len(lines), 1, lines)
            self.assertIn("107", lines[0])

    def test_ports_in_use(self):
        node = harness.Node(self.home, "n")
        for daemon, port in (("rpcd", node.rpc_port), ("rpcd", node.ops_port),
                             ("peerd", node.port)):
            with socket.socket() as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                s.bind(("127.0.0.1", port))
                s.listen()
                self.refused_start(UNAVAILABLE, [str(port), "in use"], node, daemon)

    def test_second_start(self):
        node = self.node()
        for daemon in DAEMONS:
            pid = node.pid(daemon)
            code, lines = self.run_daemon(node, daemon)
            self.assertEqual(len(lines), 1, lines)
            self.assertEqual(code, TEMPFAIL, lines)
            self.assertIn(str(pid), lines[0])
        node.check_alive()
        self.assertEqual(node.rpc("getblockcount"), 0)

    def test_another_network(self):
        node = self.node()
        node.rpc("generatetoaddress", 2, Purse("net").address)
        tip = node.tip()
        node.stop()
        for daemon in ("utxod", "chaind"):
            self.refused_start(CONFIG, ["network", "statedir"], node, daemon, "--network", "test")
        node.start().wait_ready()
        self.assertEqual(node.tip(), tip)

    def test_no_permission(self):
        if os.geteuid():
            self.skipTest("needs root to become somebody else")
        node = harness.Node(self.home, "n")
        os.chmod(self.home, 0o755)
        os.chmod(node.home, 0o755)
        for daemon in DAEMONS:
            os.makedirs(os.path.join(node.home, daemon), mode=0o700, exist_ok=True)
            code, lines = self.run_daemon(node, daemon, user=65534)
            self.assertEqual(code, NOPERM, f"{daemon}: {lines}")
            self.assertEqual(len(lines), 1, lines)
            self.assertIn(node.home, lines[0])

    def test_missing_daemons(self):
        """Each starts alone, says what it waits for, and goes on once that comes."""
        waits = {"utxod": "ready after .*waits for chaind", "peerd": "ready after .*waits for chaind",
                 "chaind": "not ready yet: waits for utxod",
                 "rpcd": "ready after .*node is not ready"}
        for daemon in DAEMONS:
            node = self.node(f"alone-{daemon}", start=False)
            node.start(daemon)
            wait_for("it is up", lambda n=node, d=daemon: re.search(waits[d], n.logs()))
            node.check_alive()
            node.start(*(d for d in DAEMONS if d != daemon)).wait_ready()
            self.assertEqual(len(node.rpc("generatetoaddress", 1, Purse("late").address)), 1)
            node.client.close()
            node.stop()

    def test_garbage_on_sockets(self):
        """Bytes that nobody asked for, on every socket a node has."""
        node = self.node()
        for daemon in DAEMONS:
            folder = os.path.join(node.rundir, daemon)
            for name in sorted(os.listdir(folder)):
                path = os.path.join(folder, name)
                if name in ("cookie", "lock"):
                    continue
                for data in (b"", b"\0" * 100, b"GET / HTTP/1.1\r\n\r\n", os.urandom(5000),
                             b"\xff\0\0\0\0\0\0\0\1\x7f\3\1NULL" + b"\0" * 48 + os.urandom(300)):
                    with socket.socket(socket.AF_UNIX) as s:
                        s.connect(path)
                        self.throw(s, data)
        for port in (node.port, node.rpc_port, node.ops_port):
            for data in (b"", b"\0" * 100, b"\r\n\r\n", b"POST / HTTP/1.1\r\n" * 200,
                         b"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n{",
                         b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
                         *(os.urandom(n) for n in (1, 50, 66, 2000, 100000))):
                with socket.create_connection(("127.0.0.1", port), timeout=10) as s:
                    self.throw(s, data)
        self.still_works(node)

    @staticmethod
    def throw(s, data):
        s.settimeout(10)
        try:
            s.sendall(data)
        except OSError:
            pass    # it has had enough of us

    def still_works(self, node):
        node.check_alive()
        self.assertTrue(node.rpc("gethealth")["ready"])
        self.assertEqual(len(node.rpc("generatetoaddress", 1, Purse("bus").address)), 1)
        for daemon in DAEMONS:
            with open(node.log_path(daemon), encoding="utf-8") as f:
                for line in f:
                    self.assertNotRegex(line, " (err|crit): ")

    def test_garbage_on_the_bus(self):
        """What speaks ZeroMQ but not our bus, or our bus but nonsense: dropped and counted."""
        node = self.node()
        network = bytes.fromhex(node.rpc("getblockchaininfo")["network_id"])
        hello = envelope(kind=3)
        greeting = field(1, network) + field(2, TOOL) + field(3, 77)
        thrown = [
            [b""], [b"\xff" * 20], [os.urandom(300)], [b"x"] * 5000,
            [envelope(kind=1, message=1, id=1)],                       # not greeted
            [hello], [hello, b"\xff\xff"], [hello, os.urandom(100)],
            [hello, field(1, bytes(32)) + field(2, TOOL)],             # of another network
            [hello, field(1, network) + field(2, 99)],                 # nobody
            [envelope(kind=3, schema=99), greeting],
            [hello, greeting],                                         # good: what follows is heard
            [envelope(kind=9)], [envelope(kind=1, message=9999, id=2), b""],
            [envelope(kind=1, message=4, id=3), b"\xff" * 9],
            *([envelope(kind=1, message=number, id=number), os.urandom(40), os.urandom(40)]
              for number in (1, 2, 5, 101, 106, 120, 121, 124, 200, 203, 230, 231, 232, 241, 310, 312)),
            [envelope(kind=5, id=12345)], [envelope(kind=7, id=12345)],
            [envelope(kind=1, message=1, id=9), bytes(1 << 20)],
        ]
        context = zmq.Context()
        before = node.metrics()
        for daemon in DAEMONS:
            folder = os.path.join(node.rundir, daemon)
            for role in sorted(set(os.listdir(folder)) & {"read", "submit", "write", "admin"}):
                with context.socket(zmq.DEALER) as s:
                    s.setsockopt(zmq.LINGER, 10000)
                    s.connect(f"ipc://{folder}/{role}")
                    for frames in thrown:
                        s.send_multipart(frames)
                    s.send_multipart([envelope(kind=1, message=1, id=1000), b""])
                    self.assertTrue(self.answered(s, 1000), f"{daemon} {role}")
        context.destroy(linger=10000)
        wait_for("they were counted", lambda: all(
            node.metrics()[f"rustycoin_{d}_bus_bad_total"] >
            before[f"rustycoin_{d}_bus_bad_total"] for d in ("utxod", "chaind", "peerd")))
        self.still_works(node)

    @staticmethod
    def answered(s, number):
        """Reads answers until the one to this request; every message got one or was dropped."""
        poller = zmq.Poller()
        poller.register(s, zmq.POLLIN)
        while poller.poll(20000 * harness.SLOW):
            if field(4, number) in s.recv_multipart()[0]:
                return True
        return False

    def tool(self, *command):
        p = subprocess.run([os.path.join(BIN, command[0]), *command[1:]], stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
        return p.returncode, p.stdout.strip(), p.stderr.strip()

    def test_tools(self):
        node = self.node()
        at = ["--datadir", node.home]
        wrong = os.path.join(node.home, "wrong-cookie")
        with open(wrong, "w", encoding="ascii") as f:
            f.write("__cookie__:wrong\n")
        for command, code, word in (
                (["rusty-cli", "--rundir", "/nonexistent", "uptime"], UNAVAILABLE, "rpcd.sock"),
                (["rusty-cli", "--rpc-url", "http://127.0.0.1:1", "uptime"], UNAVAILABLE, "rpcd"),
                (["rusty-cli", "--rpc-url", "ftp://x", "uptime"], USAGE, "http://"),
                (["rusty-cli", "--no-such-option"], USAGE, "no-such-option"),
                (["rusty-cli", "--wait", "5x", "uptime"], USAGE, "--wait"),
                (["rusty-cli", "--wait", "4294968", "uptime"], USAGE, "--wait"),
                (["rusty-cli", *at], USAGE, "method"),
                (["rusty-cli", *at, "nosuchmethod"], 1, "-32601"),
                (["rusty-cli", *at, "getblockhash", "x"], 1, "integer"),
                (["rusty-cli", *at, "getblockhash", "-1"], 1, "from 0"),
                (["rusty-cli", *at, "getaddressbalance", "x"], USAGE, "JSON"),
                (["rusty-cli", *at, "-named", "getblock", "x"], USAGE, "NAME=VALUE"),
                (["rusty-cli", *at, "-named", "getblock", "nosuch=1"], 1, "nosuch"),
                (["rusty-cli", *at, "--rpc-url", f"http://a:b@127.0.0.1:{node.rpc_port}", "uptime"],
                 USAGE, "command line"),
                (["rusty-cli", "--cookie", wrong, "--rpc-url", f"http://127.0.0.1:{node.rpc_port}",
                  "uptime"], NOPERM, "password"),
                (["rusty-miner"], USAGE, "--address"),
                (["rusty-miner", *at, "--address", "nonsense"], USAGE, "nonsense"),
                (["rusty-miner", *at, "--address", "x", "--blocks", "0"], USAGE, "--blocks"),
                (["rusty-miner", "--rundir", "/nonexistent", "--address", "x"], UNAVAILABLE,
                 "rpcd.sock")):
            with self.subTest(command=command):
                got, out, err = self.tool(*command)
                self.assertEqual((got, out), (code, ""), err)
                self.assertIn(word, err)

    def test_tools_work(self):
        node, purse = self.node(), Purse("tools")
        at = ["--datadir", node.home]
        self.assertEqual(self.tool("rusty-cli", *at, "getblockcount"), (0, "0", ""))
        self.assertEqual(self.tool("rusty-cli", *at, "getblockhash", "0")[1],
                         node.rpc("getblockhash", 0))
        self.assertEqual(self.tool("rusty-cli", *at, "-named", "getblockhash", "height=0")[1],
                         node.rpc("getblockhash", 0))
        self.assertIn("reg", self.tool("rusty-cli", *at, "-getinfo")[1])
        self.assertEqual(self.tool("rusty-cli", *at, "setmocktime", "0"), (0, "", ""))
        code, out, err = self.tool("rusty-miner", *at, "--address", purse.address, "--blocks", "12")
        self.assertEqual((code, err), (0, ""))
        self.assertEqual(node.rpc("getblockcount"), 12)
        self.assertIn("12 blocks accepted", out)
        self.assertEqual(out.splitlines()[11].split()[:3], ["block", "12", node.tip() + ","])
        sent = node.rpc("sendrawtransaction", purse.pay(node, purse.address, RUST).hex())
        self.assertEqual(node.rpc("getrawmempool"), [sent])
        self.tool("rusty-miner", *at, "--address", purse.address, "--blocks", "1")
        self.assertEqual(node.rpc("getrawmempool"), [])
        url = f"http://127.0.0.1:{node.rpc_port}"
        self.assertEqual(self.tool("rusty-cli", "--rpc-url", url, "--cookie", node.cookie,
                                   "getblockcount")[1], "13")


if __name__ == "__main__":
    harness.main()
