#!/usr/bin/python3
"""Every misdeed of misdeeds.py on a real node, each on a link from an address of its own: what the
manuals say follows, and nothing else. Then who is slow, late or early and honest, and pays nothing."""
import os
import random
import select
import socket
import time
import unittest
from dataclasses import replace

import arena
import harness
import misdeeds
import noise
import peer as p
from arena import links
from harness import wait_for
from purse import Purse, shown
from rcref.lock import data_lock
from rcref.transaction import Output

QUICK = True
LIMIT = 300
# What waits for timeouts and thin lines is left out of the quick runs and the sanitizers'.
waits = unittest.skipIf(os.environ.get("RC_RUN", "all") != "all", "it waits for many seconds")


class World(misdeeds.World):
    def __init__(self, node, purse, rng):
        super().__init__(node, purse, rng)
        self.next_address = 0

    def address(self):
        """One of a group of its own, never used before."""
        self.next_address += 1
        return f"10.{100 + self.next_address // 250}.{self.next_address % 250}.7"

    def link(self, greeted=True, source=None):
        link = p.Peer.dial((self.node.ip, self.node.port), self.network_id, open_=greeted,
                           source=(source or self.address(), 0), rng=self.rng)
        link.address = "%s:%d" % link.sock.getsockname()
        if greeted:
            link.greet()
        return link

    def metric(self, name):
        return self.node.metrics_of("peerd")["rustycoin_peerd_" + name]

    def wait_tip(self, block):
        wait_for("the block is the tip", lambda: self.node.tip() == shown(block.id))
        self.refresh()


class Conduct(arena.TestCase):
    def setUp(self):
        super().setUp()
        seed = int(os.environ.get("RC_TEST_SEED", time.time()))
        print(f"seed: RC_TEST_SEED={seed}")
        self.rng = random.Random(seed)

    def world(self, **options):
        node = self.node("target", start=False, peerd={"log_level": "debug", **options})
        node.start().wait_ready()
        purse = Purse("hostile")
        node.rpc("generatetoaddress", 15, purse.address)
        return World(node, purse, self.rng)

    def carry_out(self, world, row):
        with world.link(row.greeted) as link:
            row.do(world, link)
            if row.fate.ends:
                self.assertTrue(link.ended(), "the link doesn't end")
                if not row.greeted:
                    wait_for("its end", lambda: world.node.log_of(link.address)[1], 10)
            else:
                self.assertTrue(link.alive())
            wait_for(f"{row.fate}", lambda: self.seen(world, link.address) == row.fate, 10)
        if row.after:
            with world.link() as another:
                row.after(world, another)
        return link.address

    @staticmethod
    def seen(world, address):
        """The fate that the log tells of; an end of our doing counts for none."""
        points, ended = world.node.log_of(address)
        ours = ("the peer closed it", "Connection reset by peer", "the connection broke")
        return misdeeds.Fate(tuple(points), None if ended in ours else ended)

    def test_misdeeds(self):
        world = self.world()
        with world.link() as witness:
            done = []
            for row in misdeeds.ROWS:
                with self.subTest(row.name):
                    done.append((row, self.carry_out(world, row)))
                self.assertTrue(witness.alive())
            # Verdicts that came late would have come by now: those of later rows did.
            for row, address in done:
                with self.subTest(row.name):
                    self.assertEqual(self.seen(world, address), row.fate)
            self.assertTrue(witness.alive())
        print(f"{len(done)} misdeeds")
        self.assertEqual(len(done), len(misdeeds.ROWS))
        shunned = 1 + sum(row.fate.discouraged for row, _ in done)   # one by child_of_invalid
        wait_for(f"{shunned} addresses discouraged", lambda: world.metric("discouraged") == shunned)
        world.node.check_alive()

    # --- connections ---

    @waits
    def test_silence_and_tarpits(self):
        """Whoever takes longer than 5 seconds for handshake and greeting is gone, without points."""
        world = self.world()
        slow = {}
        for name, prepare in (
                ("nothing said", lambda link: None),
                ("the first act alone", lambda link: misdeeds.act1()(world, link)),
                ("half the first act", lambda link: link.write(b"\1" * 9)),
                ("no third act", lambda link: misdeeds.act1()(world, link)),
                ("no greeting", lambda link: link.open()),
                ("half a greeting", lambda link: (link.open(), link.say_record(
                    misdeeds.body(0, 1, b"\10", p.HELLO, 30)))),
                ("a byte a second", lambda link: None)):
            slow[name] = link = world.link(greeted=False)
            prepare(link)
        drip, begin, said = bytes([noise.XX]) + misdeeds.KEY33, time.monotonic(), 0
        while slow and time.monotonic() - begin < 20 * harness.SLOW:
            select.select([link.sock for link in slow.values()], [], [], 0.1)
            for name, link in list(slow.items()):
                if link.ended(0):
                    slow.pop(name).close()
            if "a byte a second" in slow and time.monotonic() - begin > said:
                slow["a byte a second"].sock.send(drip[said:said + 1])
                said += 1
        self.assertEqual(slow, {})
        self.assertGreater(said, 3)
        self.assertEqual(world.metric("penalties_total"), 0)

    def test_handshake_floods(self):
        """16 handshakes of a group, 64 in all; more are refused at once, and links go on."""
        world = self.world(handshake_timeout=60)
        with world.link() as witness:
            everybody = []

            def fill(number, source):
                """Connections that say nothing; how many of them stay open."""
                held = [world.link(greeted=False, source=source(i)) for i in range(number)]
                everybody.extend(held)
                wait_for("all taken or refused", lambda: world.metric("accepted_total") +
                         world.metric("refused_total") == 1 + len(everybody))
                return sum(not link.ended(0) for link in held)
            self.assertEqual(fill(40, lambda i: f"10.90.1.{i + 1}"), 16)
            self.assertEqual(fill(100, lambda i: f"10.91.{i}.1"), 48)
            self.assertTrue(witness.alive())
            for link in everybody:
                link.close()
            wait_for("room", lambda: world.metric("peers_unready") == 0)
            with world.link(source="10.90.1.9") as late:
                self.assertTrue(late.alive())

    def test_a_discouraged_address(self):
        """It comes in while there is room, goes first, isn't taken when all is full, isn't dialled."""
        world = self.world(max_inbound=3, outbound=1)
        bad, others = "10.66.6.6", []
        with world.link(source=bad) as link:
            link.say(p.INV, misdeeds.ids(1)[0])  # garbage: no points
            self.assertTrue(link.ended())
        listener = socket.create_server((bad, 7440))
        listener.settimeout(0)
        with world.link(source=bad) as link:
            link.say(p.INV, p.items(0, misdeeds.ids(1)))
            self.assertTrue(link.ended())
        others = [world.link() for _ in range(2)]
        with world.link(source=bad) as again:
            others.append(world.link())
            self.assertTrue(again.ended())
        wait_for("three links", lambda: len(links(world.node)) == 3)
        with world.link(greeted=False, source=bad) as refused:
            self.assertTrue(refused.ended(4 * harness.SLOW))   # not after a handshake's 5 s
        others[0].say(p.ADDR, p.addr([p.endpoint(socket.inet_aton(bad), 7440, int(time.time())),
                                      p.endpoint(socket.inet_aton("10.66.7.7"), 7440,
                                                 int(time.time()))]))
        with socket.create_server(("10.66.7.7", 7440)) as honest:
            honest.settimeout(60 * harness.SLOW)
            honest.accept()[0].close()
        self.assertRaises(BlockingIOError, listener.accept)
        listener.close()
        for link in others:
            self.assertTrue(link.alive())
            link.close()

    @waits
    def test_tarpits_it_dials(self):
        """Whom the node dials and who then stalls is given up; its other links don't notice."""
        world = self.world(link_timeout=2, ping_after=1, dial_timeout=1, handshake_timeout=2)
        servers = {}
        with world.link() as witness:
            for i, name in enumerate(("nothing", "half an act", "no greeting", "no pong")):
                servers[name] = socket.create_server((f"10.67.{i}.1", 7440))
                world.node.rpc("addnode", f"10.67.{i}.1:7440", "onetry")
            taken = []
            for name, server in servers.items():
                server.settimeout(20 * harness.SLOW)
                link = p.Peer(server.accept()[0], world.network_id, initiator=False, rng=self.rng)
                taken.append(link)
                if name == "half an act":
                    link.write(b"\1" * 9)
                elif name != "nothing":
                    link.open()
                if name == "no pong":
                    link.greet()
                server.close()
            def all_gone():
                self.assertTrue(witness.alive())
                for link in taken[:]:
                    if link.ended(0.1):
                        taken.remove(link)
                        link.close()
                return not taken
            wait_for("they are given up", all_gone)
        self.assertEqual(world.metric("penalties_total"), 0)

    def test_stopped_with_a_block_on_its_way(self):
        """A stop while something is asked of a peer is a clean one."""
        world = self.world()
        with world.link() as link:
            link.say(p.HEADERS, p.raw(world.header().encode()))
            link.hear(p.GETDATA)
            world.node.stop("peerd")     # demands exit 0

    # --- the honest ---

    def test_slow_and_honest(self):
        """What is slow, late, early, twice or not there costs nobody a point."""
        world = self.world(stall_timeout=1)
        with world.link(greeted=False) as link:
            hands = link.hands
            self.dribble(link, hands.act1())
            self.dribble(link, hands.act3(link.read(hands.act2_size)))
            self.dribble(link, link.seal(p.HELLO, p.hello()))
            link.hear(p.HELLO)
            paid = {self.early(world, link), self.twice(world, link)}
            self.late(world, link)
            self.not_there(world, link)
            self.assertTrue(link.alive())
            wait_for("the payments", lambda: paid <= {
                coin.outpoint[0] for coin in world.purse.coins(world.node)})
            self.assertEqual(world.node.log_of(link.address), ([], None))
            self.assertEqual([l["addr"] for l in links(world.node)], [link.address])
        self.assertEqual(world.metric("penalties_total"), 0)
        self.assertEqual(world.metric("malformed_total"), 0)

    @waits
    def test_a_thin_line(self):
        """A real node over a line of 80 KB a second, 200 ms late: nobody pays, blocks don't stall."""
        world, far = self.world(), self.node("far")
        note = [(Output(0, data_lock(world.rng.randbytes(200)))) for _ in range(2000)]
        tx = replace(world.purse.build([world.coin], []), outputs=tuple(note))
        block = world.block([world.purse.sign(tx, [world.coin])])     # 430 KB: over 5 s
        self.assertEqual(world.node.rpc("submitblock", block.encode().hex()), None)
        with arena.ThinLine(world.node, "10.68.1.1", 80_000, 0.2, self.rng) as line:
            far.rpc("addnode", line.address, "add")
            harness.wait_same_tip([world.node, far], 120)
            world.node.rpc("generatetoaddress", 20, world.purse.address)
            harness.wait_same_tip([world.node, far], 60)
            for node in (world.node, far):
                figures = node.metrics_of("peerd")
                for name in ("penalties_total", "block_stalls_total", "timeouts_total"):
                    self.assertEqual(figures["rustycoin_peerd_" + name], 0, name)
                self.assertEqual(len(links(node)), 1)

    @waits
    def test_who_promises_blocks_and_stalls(self):
        """It shows the whole chain and gives no block: others are asked, and the chain comes."""
        source, node = self.node("source"), self.node("target", start=False)
        purse = Purse("stalls")
        source.rpc("generatetoaddress", 300, purse.address)
        headers = [bytes.fromhex(source.rpc("getblockheader", source.rpc("getblockhash", at), False))
                   for at in range(1, 301)]
        node.start().wait_ready()
        stallers = [p.Peer.dial((node.ip, node.port), purse.network.id, rng=self.rng,
                                source=(f"10.69.{i}.1", 0)) for i in range(6)]
        for link in stallers:
            link.greet(height=300)
            link.hear(p.GETHEADERS)
            link.say(p.HEADERS, p.raw(b"".join(headers)))
        for link in stallers[:1]:
            link.hear(p.GETDATA)         # it is relied on
        node.connect(source)
        harness.wait_same_tip([source, node], 120)
        # Each was relied on once, or twice where all goes slowly, and not again and again.
        self.assertIn(node.metrics_of("peerd")["rustycoin_peerd_block_stalls_total"],
                      range(1, 2 * len(stallers) + 1))
        for link in stallers:
            link.close()

    @staticmethod
    def dribble(link, data):
        """A byte a packet: each is on its way before the next."""
        for i in range(len(data)):
            link.write(data[i:i + 1])

    def early(self, world, link):
        """A child before its parent, a block before its header, a header before its time."""
        parent = world.payment()
        child = world.payment(coin=misdeeds.Coin((parent.txid, 0), parent.outputs[0].amount,
                                                 parent.outputs[0].lock))
        link.say(p.TX, p.raw(child.encode()))
        link.say(p.INV, p.items(p.A_WTXID, [child.wtxid]))
        link.hear(p.GETDATA)
        link.say(p.TX, p.raw(child.encode()))
        asked = p.fields(link.hear(p.GETDATA)[1])[1]
        self.assertEqual(asked, bytes([p.A_TXID]) + parent.txid)
        link.say(p.TX, p.raw(parent.encode()))
        block = world.block()
        link.say(p.BLOCK, p.raw(block.encode()))
        above = world.header(prev=block.id, height=block.height + 1)
        link.say(p.HEADERS, p.raw(above.encode()))
        link.hear(p.GETHEADERS)           # it asks for what lies between
        link.say(p.HEADERS, p.raw(world.header(time=world.template["curtime"] + 50_000).encode()))
        link.say(p.HEADERS, p.raw(block.header.encode()))
        link.hear(p.GETDATA)
        self.dribble(link, link.seal(p.BLOCK, p.raw(block.encode())))
        world.wait_tip(block)
        return child.txid

    def twice(self, world, link):
        """Everything again, and again."""
        block, payment = world.block(), world.payment(coin=world.purse.coins(world.node)[1])
        for _ in range(3):
            link.say(p.HEADERS, p.raw(block.header.encode()))
            link.say(p.BLOCK, p.raw(block.encode()))
            link.say(p.INV, p.items(p.A_WTXID, [payment.wtxid] * 9))
            link.say(p.INV, p.items(p.A_BLOCK, [block.id] * 9))
            link.say(p.TX, p.raw(payment.encode()))
            link.say(p.ADDR, p.addr([misdeeds.A_PLACE] * 9))
        self.gives(world, link, block, payment)
        for _ in range(3):
            link.say(p.TX, p.raw(payment.encode()))
            link.say(p.BLOCK, p.raw(block.encode()))
        return payment.txid

    def late(self, world, link):
        """Blocks after the stall's time, a transaction after it was given up."""
        block = world.block()
        link.say(p.HEADERS, p.raw(block.header.encode()))
        link.hear(p.GETDATA)
        stalls = world.metric("block_stalls_total")
        wait_for("a stall", lambda: world.metric("block_stalls_total") > stalls)
        link.say(p.BLOCK, p.raw(block.encode()))
        self.gives(world, link, block)

    @staticmethod
    def gives(world, link, block, *payments):
        """What is asked for, as often as it is, until the block is the tip."""
        def given():
            try:
                asked = link.hear(p.GETDATA, seconds=0.1)[1]
            except TimeoutError:
                asked = b""
            if block.id in asked:
                link.say(p.BLOCK, p.raw(block.encode()))
            for tx in payments:
                if tx.wtxid in asked:
                    link.say(p.TX, p.raw(tx.encode()))
            return world.node.tip() == shown(block.id)
        wait_for("it is the tip", given, 60)
        world.refresh()

    def not_there(self, world, link):
        """What it announced and hasn't any more."""
        gone = misdeeds.ids(5)
        link.say(p.INV, p.items(p.A_WTXID, gone))
        self.assertEqual(len(p.fields(link.hear(p.GETDATA)[1])[1]), 5 * 33)
        link.say(p.NOTFOUND, p.items(p.A_WTXID, gone))


if __name__ == "__main__":
    arena.enter()
    harness.main()
