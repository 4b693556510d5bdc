#!/usr/bin/python3
"""A node that an attacker of 10,000 addresses in four network groups wants for himself, from before
its first start on: he has the inbound slots, tells it his addresses, those of nobody and wrong keys
of the honest ones, and answers wherever he is dialled. The node is killed or stopped again and again.
After each start it is linked to an honest node by its own dialling, follows the honest tip, its book
holds honest addresses, and the attacker has no more of the links it made than he has groups.

The victim was told one honest address at its first start and none later; honest nodes dial nobody
but each other. All addresses are public ones, so groups are what they are on the Internet.

Two controls show what the demands are worth: a victim whose book and anchors are gone stays alone
with the attacker; one with more groups than the node makes links gets more of them, now and then all
(FULL alone).

FULL=1 restarts 20 times, else 3; RC_RESTARTS=N as often as you like; RC_TEST_SEED repeats choices.
"""
import contextlib
import hashlib
import math
import os
import random
import signal
import statistics
import struct
import sys
import time

import wire
from wire import Wire, WireNode
import harness
from harness import wait_for
from purse import Purse
from rcref.network import REG

sys.path.insert(0, os.path.join(wire.TOP, "tests", "hostile"))
import eclipse  # noqa: E402
from eclipse import Eclipse, Plan  # noqa: E402

LIMIT = 1800
FULL = os.environ.get("FULL") == "1"
SEED = int(os.environ.get("RC_TEST_SEED", random.randrange(1 << 32)))
RESTARTS = int(os.environ.get("RC_RESTARTS", 20 if FULL else 3))
ADDRESSES, GROUPS, CROWD, MANY_GROUPS = 10_000, 4, 10_000, 64
HONEST = [f"h{i}" for i in range(6)]
SLOTS, MADE = 125, 10           # inbound, and those it makes: as a node has them by default
TAKEN = SLOTS - 15              # some of his links are always just being evicted by his next ones
LINKED_SECONDS, FOLLOW_SECONDS = 30, 30
ALONE_SECONDS = 30 if FULL else 4


class Internet(Wire):
    """Host i has 51+i.0.0.1; whatever belongs to nobody leads to the last host."""

    def __init__(self, names, seed):
        super().__init__(names, seed, addresses=False)

    def ipv4(self, name):
        return f"{51 + self.names.index(name)}.0.0.1"

    def _configure(self, name, addresses, neighbours):
        super()._configure(name, False, False)
        last, lines = self.names[-1], [f"addr add {self.ipv4(name)}/32 dev eth0"]
        for other in self.names:
            if other != name:
                lines += [f"neigh add {self.ipv4(other)} lladdr {self.macs[other]} dev eth0 nud "
                          "permanent", f"route add {self.ipv4(other)}/32 dev eth0"]
        if name == last:
            lines.append(f"route add local {eclipse.FIRST_BYTE}.0.0.0/8 dev lo")
        else:
            lines.append(f"route add default via {self.ipv4(last)} dev eth0 onlink")
        self.run(name, ["ip", "-batch", "-"], input="\n".join(lines) + "\n", text=True, check=True)


class Book:
    """What the file of a node's address book says (book.h)."""

    def __init__(self, path):
        with open(path, "rb") as f:
            data = f.read()
        if data[:8] != b"RCADDRBK" or hashlib.sha256(data[:-32]).digest() != data[-32:]:
            raise AssertionError(f"{path} is no address book")
        n, at, self.tried = *struct.unpack_from("<I", data, 74), 78, {}
        for _ in range(n):
            ip = ".".join(str(b) for b in data[at + 12:at + 16])
            at += 18 + 18 + 8 + 12 + 2
            flags = data[at]
            at += 1 + (33 if flags & 2 else 0)
            at += 1 + 2 * data[at]
            self.tried[ip] = bool(flags & 1)
        if at != len(data) - 32:
            raise AssertionError(f"{path}: {at} bytes read of {len(data)}")

    def count(self, which, tried=None):
        return sum(which(ip) for ip, t in self.tried.items() if tried is None or t == tried)


class TestEclipse(harness.TestCase):
    def setUp(self):
        wire.need()
        super().setUp()
        print(f"\nRC_TEST_SEED={SEED}", file=sys.stderr)
        self.random, self.attacker = random.Random(SEED), None
        self.net = Internet(["victim", *HONEST, "attacker"], SEED)
        self.ips = {self.net.ipv4(h): h for h in HONEST}

    def tearDown(self):
        if self.attacker:
            self.attacker.__exit__()       # he holds tapwire's stdin, too
        try:
            super().tearDown()
        finally:
            self.net.end()

    # --- who is there ---

    def make(self, host, **peerd):
        node = WireNode(self.net, host, self.home,
                        {"peerd": {"listen": [], "private_addresses": "no", **peerd}})
        self.nodes.append(node)
        return node

    def begin(self, groups, nobody):
        """The honest nodes with a chain, then the attacker, then the victim for the first time."""
        self.honest = [self.make(h, outbound=0, block_only=0) for h in HONEST]
        for i, node in enumerate(self.honest):
            node.options["peerd"]["addnode"] = [n.address for n in self.honest[:i]]
            node.start()
        for node in self.honest:
            node.wait_ready()
        self.mine()
        harness.wait_same_tip(self.honest)
        first = self.honest[0]
        # By what a newcomer is told: addresses of those that dialled it, and of those it dialled.
        wait_for("the first honest node knows the others", lambda: len(self.ips) - 1 <= sum(
            a["address"] in self.ips for a in first.rpc("getnodeaddresses", 0)))
        self.victim = self.make("victim", seednode=first.address)
        self.attacker = Eclipse(
            lambda: wire.run_inside(self.net.namespaces["attacker"], os.getppid()),
            Plan((self.net.ipv4("victim"), self.victim.port), REG.id, groups, ADDRESSES,
                 nobody, tuple((n.wire.ipv4(n.host), n.port) for n in self.honest)), SEED)
        self.attacker.__enter__()
        self.victim.start().wait_ready()
        self.check_follows()
        wait_for("the attacker's links", self.taken, 120)
        wait_for("links to two honest nodes", lambda: len(self.own_links()[0]) >= 2, 60)
        # A clean stop, as an operator does who changes its configuration.
        self.victim.stop()
        del self.victim.options["peerd"]["seednode"]

    def mine(self):
        self.random.choice(self.honest).rpc("generatetoaddress", 1, Purse("eclipse").address)

    def own_links(self):
        """What the victim dialled and is linked to: honest hosts, the attacker's addresses."""
        own = [p["addr"].rsplit(":", 1)[0] for p in self.victim.rpc("getpeerinfo")
               if p["state"] == "ready" and not p["inbound"] and p["role"] != "feeler"]
        return ([self.ips[ip] for ip in own if ip in self.ips],
                [ip for ip in own if eclipse.is_his(ip)])

    def taken(self):
        return self.attacker.counts()["inbound"] >= TAKEN

    # --- what is demanded ---

    def check_follows(self):
        """An honest link of its own, then a new block; seconds of both."""
        start = time.monotonic()
        wait_for("an honest link of the victim's own", lambda: self.own_links()[0], LINKED_SECONDS)
        linked = time.monotonic()
        self.mine()
        harness.wait_same_tip([*self.honest, self.victim], FOLLOW_SECONDS)
        return linked - start, time.monotonic() - linked

    def book(self):
        return Book(os.path.join(self.victim.home, "peerd", "addresses"))

    def end(self):
        """The victim dies at once, peerd alone or all of it, or peerd is stopped and saves its book."""
        how = self.random.choice(("killed", "stopped", "all killed"))
        if how == "stopped":
            self.victim.stop("peerd")
        else:
            for daemon in ("peerd",) if how == "killed" else harness.DAEMONS:
                self.victim.kill(daemon, signal.SIGKILL)
        wait_for("the attacker lost his links", lambda: not self.attacker.counts()["inbound"], 60)
        book = self.book()
        self.assertGreater(book.count(lambda ip: ip in self.ips), 0, "no honest address is left")
        return how, book

    def restart(self):
        self.victim.start(*(d for d in harness.DAEMONS if d not in self.victim.processes))

    def rounds(self, what, bound, full=True, control=False):
        """Starts and ends; the most links of the victim's own that the attacker had."""
        linked, followed, most_in, most_own, alone = [], [], 0, 0, 0
        self.restart()
        for i in range(RESTARTS):
            try:
                one, other = self.check_follows()
                linked.append(one)
                followed.append(other)
            except AssertionError:
                if not control:
                    raise
                one = other = math.inf
                alone += 1
            wait_for("the attacker's links", self.taken, 120)
            if full:
                wait_for("the links it makes", lambda: sum(map(len, self.own_links())) >= MADE, 60)
            honest, his = self.own_links()
            counts = self.attacker.counts()
            most_in, most_own = max(most_in, counts["inbound"]), max(most_own, len(his))
            self.assertLessEqual(len(his), bound, "it made two links into one group")
            how, book = self.end()
            print(f"{what} {i}: an honest link after {one:.1f} s, the new block {other:.1f} s later; "
                  f"{len(honest)} honest links of its own, {len(his)} to the attacker, who has "
                  f"{counts['inbound']} in; book: {len(book.tried)} addresses, "
                  f"{book.count(eclipse.is_his)} his ({book.count(eclipse.is_his, True)} tried), "
                  f"{book.count(lambda ip: ip in self.ips)} honest "
                  f"({book.count(lambda ip: ip in self.ips, True)} tried); {how}", file=sys.stderr)
            self.restart()
        counts = self.attacker.counts()
        print(f"{what}: {RESTARTS} restarts, {alone} times isolated; an honest link after {statistics.median(linked):.1f} s "
              f"(median), {max(linked):.1f} s (most); the new block {max(followed):.1f} s later at "
              f"most; the attacker had up to {most_in} links in and {most_own} of the victim's own; "
              f"{counts}", file=sys.stderr)
        return most_own

    def alone(self):
        """Control: without its book and its anchors it finds nobody honest, and learns no block."""
        self.check_follows()
        self.victim.stop()
        for name in ("addresses", "anchors"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(self.victim.home, "peerd", name))
        self.attacker.say(honest=())        # else it learns of them by him
        self.victim.start().wait_ready()
        wait_for("the attacker's links", self.taken, 120)
        wait_for("the victim dials the attacker", lambda: self.own_links()[1], 60)
        self.mine()
        tip = harness.wait_same_tip(self.honest)
        end = time.monotonic() + ALONE_SECONDS
        while time.monotonic() < end:
            self.assertEqual(self.own_links()[0], [], "the control isn't isolated")
            self.assertNotEqual(self.victim.tip(), tip, "the control isn't isolated")
            time.sleep(0.2)

    def test_few_groups(self):
        self.begin(GROUPS, 0)
        self.rounds("few groups", GROUPS)
        self.alone()

    def test_crowd(self):
        """Most dials go to nobody, and take their time."""
        self.begin(GROUPS, CROWD)
        self.rounds("a crowd", GROUPS, full=False)

    @harness.unittest.skipUnless(FULL, "a control of the long run")
    def test_many_groups(self):
        self.begin(MANY_GROUPS, 0)
        self.assertGreater(self.rounds("many groups", MADE, control=True), GROUPS)


if __name__ == "__main__":
    harness.main()
