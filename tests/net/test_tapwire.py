#!/usr/bin/python3
"""tapwire does what it says: each fault is seen by the hosts and told by its counters, and the rig
of wire.py leaves nothing behind."""
import os
import random
import re
import signal
import socket
import statistics
import subprocess
import sys
import time
import unittest

import wire
from wire import TAPWIRE, Wire
from harness import SLOW, wait_for

LIMIT = 120
SEED = int(os.environ.get("RC_TEST_SEED", "7"))
PORT = 9000
ETHERTYPE = 0x88B5      # for experiments: nobody but this test speaks it
SO_RCVBUFFORCE = 33     # asm-generic/socket.h: beyond net.core.rmem_max, by CAP_NET_ADMIN


def deepen(s):
    """Makes a socket's queue take what a test sends at once."""
    try:
        s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 4 << 20)
    except PermissionError:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)


class Datagrams:
    """A UDP socket on each of two hosts; numbered datagrams from one to the other."""

    def __init__(self, net, a, b, family=socket.AF_INET):
        address = net.ipv4 if family == socket.AF_INET else net.ipv6
        self.to = (address(b), PORT)
        self.tx = net.socket(a, socket.SOCK_DGRAM, family)
        self.rx = net.socket(b, socket.SOCK_DGRAM, family)
        self.tx.bind((address(a), PORT))
        self.rx.bind(self.to)
        deepen(self.rx)
        self.back = (address(a), PORT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.tx.close()
        self.rx.close()

    def send(self, n, size=100, every=50):
        """Numbers 0 … n - 1, with a breath after each few: no queue of a host fills."""
        for i in range(n):
            self.tx.sendto(i.to_bytes(4, "big") + bytes(size - 4), self.to)
            if i % every == every - 1:
                time.sleep(0.002)

    def receive(self, quiet=0.3):
        """The numbers that come, until nothing has come for so long, and when."""
        self.rx.settimeout(quiet * SLOW)
        numbers, times = [], []
        try:
            while True:
                data = self.rx.recv(65536)
                numbers.append(int.from_bytes(data[:4], "big"))
                times.append(time.monotonic())
        except TimeoutError:
            return numbers, times

    def round_trip(self):
        """Seconds there and back again."""
        start = time.monotonic()
        self.tx.sendto(b"ping", self.to)
        self.rx.settimeout(10)
        self.tx.settimeout(10)
        self.rx.recv(100)
        self.rx.sendto(b"pong", self.back)
        self.tx.recv(100)
        return time.monotonic() - start


class Faults(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.net = Wire(["a", "b", "c"], SEED)
        seen = [-1]                         # the hosts report their groups at the beginning

        def quiet():
            seen.append(cls.net.total("frames"))
            time.sleep(0.1)
            return seen[-1] == seen[-2]
        wait_for("quiet", quiet)

    @classmethod
    def tearDownClass(cls):
        cls.net.end()

    def setUp(self):
        self.net.ask("clear", "heal", "reset", f"seed {SEED}")

    def tearDown(self):
        stats = self.net.stats()
        self.assertEqual(sum(p["frames"] + p["duplicated"] for p in stats["pairs"]), stats["held"] +
                         sum(p[key] for p in stats["pairs"]
                             for key in ("delivered", "lost", "cut", "overflow", "down")))

    def test_no_fault(self):
        for family in (socket.AF_INET, socket.AF_INET6):
            with Datagrams(self.net, "a", "b", family) as d:
                d.send(500)
                self.assertEqual(d.receive()[0], list(range(500)))
                # Of several, since another program may have had the processor during one.
                self.assertLess(min(d.round_trip() for _ in range(5)), 0.05 * SLOW)
        self.assertEqual(self.net.pair("a", "b")["delivered"], 1010)
        for fault in ("lost", "overflow", "delayed", "queued"):
            self.assertEqual(self.net.total(fault), 0)

    def test_delay(self):
        self.net.ask("set a b delay=50ms")
        with Datagrams(self.net, "a", "b") as d:
            trips = [d.round_trip() for _ in range(9)]
            self.assertGreaterEqual(min(trips), 0.1)
            self.assertLess(statistics.median(trips), 0.2 * SLOW)
            self.net.ask("set a b oneway delay=none")
            trips = [d.round_trip() for _ in range(9)]
            self.assertGreaterEqual(min(trips), 0.05)
            self.assertLess(statistics.median(trips), 0.1 * SLOW)
        self.assertEqual([self.net.pair(*p)["delayed"] for p in ("ab", "ba")], [9, 18])

    def test_jitter(self):
        self.net.ask("set a b delay=30ms jitter=20ms")
        with Datagrams(self.net, "a", "b") as d:
            trips = [d.round_trip() for _ in range(25)]
            self.assertGreaterEqual(min(trips), 0.02)
            self.assertGreater(max(trips) - min(trips), 0.01)
            d.send(200)
            self.assertEqual(d.receive()[0], list(range(200)))  # it doesn't reorder
        self.assertEqual(self.net.total("reordered"), 0)

    def test_loss(self):
        self.net.ask("set a b oneway loss=20%")
        with Datagrams(self.net, "a", "b") as d:
            d.send(2000)
            got = len(d.receive()[0])
        self.assertEqual(got, 2000 - self.net.pair("a", "b")["lost"])
        self.assertTrue(1450 < got < 1750, got)     # 1,600 by 8 standard deviations
        self.assertEqual(self.net.pair("b", "a")["lost"], 0)

    def test_duplicates(self):
        self.net.ask("set a b duplicate=30%")
        with Datagrams(self.net, "a", "b") as d:
            d.send(500)
            got = d.receive()[0]
        twice = self.net.pair("a", "b")["duplicated"]
        self.assertEqual((len(got), len(set(got))), (500 + twice, 500))
        self.assertTrue(80 < twice < 230, twice)

    def test_reordering(self):
        self.net.ask("set a b reorder=20% gap=30ms")
        with Datagrams(self.net, "a", "b") as d:
            d.send(300, every=5)
            got = d.receive()[0]
        self.assertEqual(sorted(got), list(range(300)))
        overtaken, highest = 0, -1
        for n in got:
            overtaken += n < highest
            highest = max(highest, n)
        self.assertEqual(overtaken, self.net.pair("a", "b")["reordered"])
        self.assertGreater(overtaken, 15)

    def test_corruption(self):
        self.net.ask("set a b oneway corrupt=100%")
        with Datagrams(self.net, "a", "b") as d:
            d.send(200)
            self.assertEqual(d.receive()[0], [])
        self.assertEqual(self.net.pair("a", "b")["corrupted"], 200)
        self.assertEqual(self.net.pair("a", "b")["delivered"], 200)
        # TCP makes it good.
        self.net.ask("reset", "set a b corrupt=5%")
        data = random.Random(SEED).randbytes(300_000)
        self.assertEqual(self.transfer("a", "b", data)[0], data)
        self.assertGreater(self.net.pair("a", "b")["corrupted"], 0)

    def transfer(self, a, b, data):
        """What arrives of data over TCP, and after how many seconds."""
        with self.net.socket(b) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((self.net.ipv4(b), PORT))
            listener.listen()
            start = time.monotonic()
            sender = self.net.popen(a, [sys.executable, "-c", f"""
import socket, sys
s = socket.create_connection(({self.net.ipv4(b)!r}, {PORT}), 20)
s.sendall(sys.stdin.buffer.read())
"""], stdin=subprocess.PIPE)
            try:
                sender.stdin.write(data)
                sender.stdin.close()
                listener.settimeout(20)
                connection, _ = listener.accept()
                with connection:
                    connection.settimeout(20)
                    got = b""
                    while part := connection.recv(65536):
                        got += part
                self.assertEqual(sender.wait(20), 0)
            finally:
                sender.kill()
                sender.wait()
            return got, time.monotonic() - start

    def test_rate(self):
        self.net.ask("set a b oneway rate=4mbit queue=64k")
        data = bytes(500_000)
        got, seconds = self.transfer("a", "b", data)
        self.assertEqual(len(got), len(data))
        self.assertGreater(seconds, 0.9)            # 4 Mbit at 4 Mbit/s, less what the queue holds

    def test_queue_is_bounded(self):
        self.net.ask("set a b oneway rate=1mbit queue=16k")
        with Datagrams(self.net, "a", "b") as d:
            d.send(100, size=958)                   # frames of 1,000 bytes
            got, times = d.receive(0.5)
        pair = self.net.pair("a", "b")
        self.assertEqual(len(got), 100 - pair["overflow"])
        self.assertEqual(got[:16], list(range(16)))
        self.assertGreater(pair["overflow"], 50)
        self.assertEqual(pair["queued"], len(got))
        self.assertGreater(times[15] - times[0], 0.1)   # 15 × 8 ms

    def test_line_is_shared(self):
        self.net.ask("line c down=1mbit queue=32k")
        with Datagrams(self.net, "a", "c") as d, self.net.socket("b", socket.SOCK_DGRAM) as other:
            for _ in range(10):
                d.send(1, size=958)
                other.sendto(bytes(4) + bytes(954), d.to)
            got, times = d.receive(0.5)
        self.assertEqual(len(got), 20)
        self.assertGreater(times[-1] - times[0], 0.13)  # 19 × 8 ms
        self.net.ask("line c down=none up=1mbit queue=4k")
        with Datagrams(self.net, "c", "a") as d:
            d.send(50, size=958)
            self.assertLess(len(d.receive()[0]), 40)
        self.assertGreater(self.net.pair("c", "a")["overflow"], 10)

    def reach(self):
        """Pairs between which a datagram passes."""
        passed = set()
        for a in "abc":
            for b in "abc":
                if a != b:
                    with Datagrams(self.net, a, b) as d:
                        d.send(1)
                        if d.receive(0.05)[0]:
                            passed.add(a + b)
        return passed

    def test_cuts(self):
        everybody = {"ab", "ac", "ba", "bc", "ca", "cb"}
        self.net.ask("cut a b oneway")
        self.assertEqual(self.reach(), everybody - {"ab"})
        self.assertEqual((self.net.pair("a", "b")["cut"], self.net.pair("b", "a")["cut"]), (1, 0))
        self.net.ask("cut a b,c")
        self.assertEqual(self.reach(), {"bc", "cb"})
        self.net.ask("heal b a oneway")
        self.assertEqual(self.reach(), {"bc", "cb", "ba"})
        self.net.ask("cut * *")
        self.assertEqual(self.reach(), set())
        self.net.ask("heal")
        self.assertEqual(self.reach(), everybody)

    def test_control_lines_are_strict(self):
        for line, why in (
                ("set a b", "nothing to set"), ("set a d loss=1%", "no port \"d\""),
                ("set a a loss=1%", "no two different ports"), ("set a", "two ports"),
                ("set a b loss=101%", "loss"), ("set a b loss=1", "loss"), ("set a b loss", "KEY"),
                ("set a b loss=-1%", "loss"), ("set a b loss=0.00001%", "loss"),
                ("set a b delay=61s", "delay"), ("set a b delay=1", "delay"),
                ("set a b delay=1 ms", "delay"), ("set a b rate=999bit", "rate"),
                ("set a b queue=1k", "queue"), ("set a b speed=1", "no key \"speed\""),
                ("set a b loss=1% delay=x", "delay"), ("line a rate=1mbit", "no key \"rate\""),
                ("line", "a port"), ("cut a b both", "too much"), ("heal a", "two ports"),
                ("cut a, b", "no port \"\""), ("seed", "a number"), ("seed x", "a number"),
                ("seed 99999999999999999999", "a number"), ("stats a", "too much"),
                ("reset 1", "too much"), ("shake", "no command"), ("set " + "a," * 5000, "too long"),
                ("set " + "a " * 40, "more than 32 words")):
            answer = self.net.say(line)
            self.assertTrue(answer.startswith("error: ") and why in answer, f"{line[:60]}: {answer}")
        # Refused whole: the loss of the line with a wrong delay was not set.
        with Datagrams(self.net, "a", "b") as d:
            d.send(300)
            self.assertEqual(len(d.receive()[0]), 300)
        self.net.process.stdin.write(b"\n# a comment has no answer\n")
        self.net.ask("set * * delay=none loss=0% rate=1.5mbit", "set a,b c oneway gap=0.5ms")


class Repeatable(unittest.TestCase):
    """Raw frames on hosts that say nothing by themselves."""

    def fate(self, net, seed, frames, between=None):
        """What b receives of numbered frames from a, as sorted bytes, and the counters."""
        net.ask("reset", f"seed {seed}")
        with net.socket("a", socket.SOCK_RAW, socket.AF_PACKET) as tx, \
                net.socket("b", socket.SOCK_RAW, socket.AF_PACKET, socket.htons(ETHERTYPE)) as rx:
            tx.bind(("eth0", ETHERTYPE))
            rx.bind(("eth0", ETHERTYPE))
            deepen(rx)
            for i in range(frames):
                tx.send(self.frame(net, "b", i))
                if between and i % 3 == 0:
                    tx.send(self.frame(net, between, i))
                if i % 50 == 49:
                    time.sleep(0.002)
            wait_for("all was carried", lambda: net.pair("a", "b")["frames"] == frames and
                     net.stats()["held"] == 0)
            rx.setblocking(False)
            got = []
            try:
                while True:
                    got.append(rx.recv(2048))
            except BlockingIOError:
                return sorted(got), net.pair("a", "b")

    @staticmethod
    def frame(net, to, number):
        source = bytes.fromhex(net.macs["a"].replace(":", ""))
        target = bytes.fromhex(to if len(to) == 12 else net.macs[to].replace(":", ""))
        return target + source + ETHERTYPE.to_bytes(2, "big") + number.to_bytes(4, "big") + bytes(60)

    def test_same_seed_same_fate(self):
        with Wire(["a", "b", "c"], SEED, addresses=False) as net:
            net.ask("set a * loss=20% duplicate=10% corrupt=10% reorder=10% gap=1ms jitter=100us")
            first, counted = self.fate(net, 11, 400)
            for key in ("lost", "duplicated", "corrupted"):
                self.assertGreater(counted[key], 0)
            again, recounted = self.fate(net, 11, 400)
            self.assertEqual(again, first)
            for key in ("lost", "duplicated", "corrupted", "delivered"):
                self.assertEqual(counted[key], recounted[key])
            self.assertNotEqual(self.fate(net, 12, 400)[0], first)
            # What other pairs do changes nothing, nor does another fault of this one.
            net.ask("set a b delay=2ms")
            self.assertEqual(self.fate(net, 11, 400, between="c")[0], first)

        with Wire(["a", "b", "c"], 11, addresses=False) as net:     # another process
            net.ask("set a * loss=20% duplicate=10% corrupt=10%")
            self.assertEqual(self.fate(net, 11, 400)[0], first)

    def test_table_is_fixed(self):
        with Wire(["a", "b", "c"], SEED, addresses=False) as net:
            self.assertEqual(self.fate(net, 1, 9, between="02deadbeef00")[1]["delivered"], 9)
            self.assertEqual([p["unknown"] for p in net.stats()["ports"]], [3, 0, 0])
            self.assertEqual(net.pair("a", "c")["frames"], 0)
            self.fate(net, 1, 0, between=None)
            with net.socket("a", socket.SOCK_RAW, socket.AF_PACKET) as tx:
                tx.bind(("eth0", ETHERTYPE))
                tx.send(self.frame(net, "ffffffffffff", 0))
            wait_for("a broadcast reaches all", lambda: [net.pair("a", p)["delivered"]
                                                         for p in "bc"] == [1, 1])


class Life(unittest.TestCase):
    def ends(self, code, *words, args):
        p = subprocess.run([TAPWIRE, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, text=True, timeout=10)
        self.assertEqual(p.returncode, code, p.stderr)
        for word in words:
            self.assertIn(word, p.stdout + p.stderr)

    def test_command_line(self):
        wire.need()
        self.ends(0, "usage: tapwire", "set A B", args=["--help"])
        self.ends(0, "tapwire ", args=["--version"])
        self.ends(64, "no-such", args=["--no-such-option"])
        self.ends(64, "two ports", args=[])
        self.ends(64, "two ports", args=["a=/proc/self/ns/net"])
        for bad in ("a", "=x", "a=", "a b=x", "toolongforaport1=x"):
            self.ends(64, bad, args=[bad, "b=x"])
        self.ends(64, "one name", args=["a=x", "a=y"])
        self.ends(64, "--seed", args=["--seed", "-1", "a=x", "b=x"])
        self.ends(71, "/nowhere", "No such file", args=["a=/nowhere", "b=/nowhere"])
        self.ends(71, "enter the namespace", args=["a=/dev/null", "b=/dev/null"])

    def interfaces(self, net):
        return re.findall(r"^\d+: (\w+)", net.run("a", ["ip", "-o", "link"], text=True)[1], re.M)

    def test_ends_with_stdin_or_signal(self):
        for how in ("stdin", signal.SIGTERM, signal.SIGKILL):
            net = Wire("ab")
            try:
                self.assertIn("eth0", self.interfaces(net))
                process, net.process = net.process, None
                if how == "stdin":
                    process.stdin.close()
                else:
                    process.send_signal(how)
                self.assertEqual(process.wait(10), -9 if how == signal.SIGKILL else 0)
                process.stdin.close()
                process.stdout.close()
                self.assertNotIn("eth0", self.interfaces(net))
            finally:
                net.end()

    def test_nothing_is_left_over(self):
        """The process that made hosts, a wire and what runs there is killed."""
        wire.need()
        script = f"""
import sys, time
sys.path.insert(0, {os.path.dirname(os.path.abspath(__file__))!r})
import wire
net = wire.Wire("ab")
there = net.popen("a", ["sleep", "1000"])
print(net.process.pid, there.pid, flush=True)
time.sleep(1000)
"""
        maker = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        try:
            pids = [int(pid) for pid in maker.stdout.readline().split()]
            self.assertEqual(len(pids), 2)
            namespace = os.readlink(f"/proc/{pids[1]}/ns/net")
            self.assertNotEqual(namespace, os.readlink("/proc/self/ns/net"))
        finally:
            maker.kill()
            maker.wait()
            maker.stdout.close()
        for pid in pids:
            wait_for(f"process {pid} is gone", lambda p=pid: not os.path.exists(f"/proc/{p}/fd") or
                     not self.alive(p), 10)
        self.assertNotIn(namespace, self.namespaces_in_use())

    @staticmethod
    def alive(pid):
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
                return f.read().rsplit(")", 1)[1].split()[0] != "Z"
        except OSError:
            return False

    @staticmethod
    def namespaces_in_use():
        found = set()
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                found.add(os.readlink(f"/proc/{pid}/ns/net"))
            except OSError:
                pass
        return found


if __name__ == "__main__":
    unittest.main(verbosity=2)
