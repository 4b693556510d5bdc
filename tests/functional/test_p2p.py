#!/usr/bin/python3
"""Links between real nodes: sync from several at once, networks that never mix, kills, hostile bytes,
bans, what happens to damaged files."""
import os
import random
import signal
import socket
import subprocess
import time
import unittest

import harness
from harness import wait_for, wait_same_tip
from purse import Purse

LIMIT = 900


def links(node):
    return [p for p in node.rpc("getpeerinfo") if p["state"] == "ready"]


class P2p(harness.TestCase):
    def test_newcomer_asks_all_three(self):
        # No links but those made here.
        alone = {"peerd": {"outbound": 0, "block_only": 0}}
        three = [self.node(f"s{i}", options=alone) for i in range(3)]
        for n in three[1:]:
            n.connect(three[0])
        three[0].rpc("generatetoaddress", 1000, Purse("p2p").address)
        wait_same_tip(three)

        def served_by(node):
            return node.metrics_of("peerd")["rustycoin_peerd_blocks_served_total"]
        four = self.node("four", options=alone).wait_ready()
        # Its chaind stands still until it has all three links: else the first could give it everything.
        os.kill(four.pid("chaind"), signal.SIGSTOP)
        try:
            for n in three:
                four.connect(n)
            wait_for("three links", lambda: len(links(four)) == 3)
        finally:
            os.kill(four.pid("chaind"), signal.SIGCONT)
        wait_same_tip(three + [four])
        # The two that followed the miner had nobody to serve before; what they didn't give, he gave.
        wait_for("blocks of both", lambda: all(served_by(n) > 0 for n in three[1:]))
        self.assertLess(sum(served_by(n) for n in three[1:]), 1000)
        self.assertEqual(four.metrics_of("peerd")["rustycoin_peerd_penalties_total"], 0)

    @unittest.skipUnless(os.path.exists("/proc/net/if_inet6"), "this host has no IPv6")
    def test_ipv6(self):
        a, b = self.node(start=False), self.node()
        a.options["peerd"] = {"listen": "::1"}
        a.start().wait_ready()
        b.rpc("addnode", f"[::1]:{a.port}", "add")
        wait_for("the link", lambda: links(b))
        a.rpc("generatetoaddress", 30, Purse("ipv6").address)
        wait_same_tip([a, b])
        self.assertEqual([(p["addr"], p["network"]) for p in links(b)], [(f"[::1]:{a.port}", "ipv6")])

    def test_two_networks_never_mix(self):
        genesis = os.path.join(harness.BIN, "rusty-genesis")
        nodes = {}
        for name, hrp in (("alpha", "al"), ("beta", "be")):
            path = os.path.join(self.home, f"{name}.ini")
            subprocess.run([genesis, "new", "--name", name, "--hrp", hrp, "--from", "reg", "-o",
                            path], check=True, stdout=subprocess.DEVNULL)
            nodes[name] = [self.node(f"{name}{i}", network="custom", network_file=path)
                           for i in range(2)]
        everybody = nodes["alpha"] + nodes["beta"]
        for n in everybody:
            for other in everybody:
                if other is not n:
                    n.connect(other)
        for name in nodes:
            wait_for(f"{name}'s link", lambda n=name: all(len(links(x)) == 1 for x in nodes[n]))
        # Each goes on trying the others, and never gets past the handshake.
        tried = [n.metrics()['rustycoin_peerd_handshakes_total{result="failed"}']
                 for n in everybody]
        wait_for("more attempts", lambda: all(
            n.metrics()['rustycoin_peerd_handshakes_total{result="failed"}'] >= t + 2
            for n, t in zip(everybody, tried)), 60)
        for name, (a, b) in nodes.items():
            ports = {a.port, b.port}
            for n in (a, b):
                for address in n.rpc("getnodeaddresses", 0):
                    if address["port"] not in ports:
                        self.assertNotIn("linkkey", address, f"{name} knows a stranger's key")
                self.assertEqual(len(links(n)), 1)
        ids = {n.rpc("getblockhash", 0) for n in everybody}
        self.assertEqual(len(ids), 2)

    def test_killed_peerd_comes_back(self):
        a, b = self.node("a"), self.node("b")
        a.connect(b)
        purse = Purse("kill")
        a.rpc("generatetoaddress", 10, purse.address)
        wait_same_tip([a, b])
        others = {d: a.pid(d) for d in ("utxod", "chaind", "rpcd")}
        for round_ in range(5):
            victim = (a, b)[round_ % 2]
            victim.kill("peerd")
            (b, a)[round_ % 2].rpc("generatetoaddress", 3, purse.address)
            start = time.monotonic()
            victim.start("peerd")
            if victim is a:
                a.rpc("addnode", b.address, "onetry")  # what was added by RPC isn't kept
            wait_same_tip([a, b], 30)
            print(f"round {round_}: level again after {time.monotonic() - start:.2f} s")
        self.assertEqual(others, {d: a.pid(d) for d in others})
        a.check_alive()

    def test_address_book_survives(self):
        a, b = self.node("a"), self.node("b")
        a.connect(b)
        wait_for("a link", lambda: links(a) and links(b))
        wait_for("b in a's book", lambda: any(t["tried"] for t in self.book(a)))
        a.restart("peerd")  # no addnode now: the book knows b
        wait_for("a link from the book", lambda: links(a), 20)
        self.assertIn(links(a)[0]["role"], ("outbound", "inbound"))
        if links(a)[0]["role"] == "outbound":
            self.assertEqual(links(a)[0]["transport"], "noise-xk")

    def test_anchors_survive(self):
        quiet = {"peerd": {"outbound": "0", "block_only": "0"}}
        others = [self.node(f"o{i}", options=quiet) for i in range(3)]
        seeds = [n.address for n in others]
        a = self.node("a", start=False, options={"peerd": {
            "outbound": "1", "block_only": "1", "seednode": seeds}})
        a.start()
        a.wait_ready()

        def anchors():
            return [p["addr"] for p in links(a) if p["role"] == "block-only"]
        wait_for("both links", lambda: len(links(a)) == 2 and anchors(), 60)
        before = anchors()
        a.stop("peerd")
        os.remove(os.path.join(a.home, "peerd", "addresses"))
        a.options["peerd"] = {"outbound": "1", "block_only": "1"}  # and no seeds: it knows nobody else
        a.start("peerd")
        wait_for("the anchor", anchors)
        self.assertEqual(anchors(), before)

    @staticmethod
    def book(node):
        info = node.rpc("getaddrmaninfo")
        return list(info.values()) if isinstance(info, dict) else info

    def test_bans(self):
        a, b = self.node("a"), self.node("b")
        a.connect(b)
        wait_for("a link", lambda: links(a) and links(b))
        b.rpc("setban", "127.0.0.1", "add", 1000)
        wait_for("no link", lambda: not links(b))
        b.restart("peerd", kill=True)
        wait_for("peerd answers", lambda: len(b.rpc("listbanned")) == 1)
        self.assertEqual(links(b), [])
        b.rpc("clearbanned")
        self.assertEqual(b.rpc("listbanned"), [])
        wait_for("a link again", lambda: links(a) and links(b), 60)

    def test_hostile_bytes(self):
        node = self.node("target")
        good = self.node("good")
        good.connect(node)
        wait_for("a link", lambda: links(node))
        seed = int(os.environ.get("RC_TEST_SEED", time.time()))
        print(f"seed: RC_TEST_SEED={seed}")
        rng = random.Random(seed)

        def connect():
            return socket.create_connection(("127.0.0.1", node.port), timeout=30)

        def ended(sock, limit):
            """The node closes it, sending nothing but perhaps one act."""
            sock.settimeout(limit * harness.SLOW)
            got = b""
            try:
                while True:
                    part = sock.recv(4096)
                    if not part:
                        return got
                    got += part
            except ConnectionResetError:
                return got
            finally:
                sock.close()

        # Garbage of every length: closed, in silence.
        for i in range(200):
            sock = connect()
            data = rng.randbytes(rng.randrange(1, 300))
            if i % 2:  # a right pattern byte and version
                data = bytes([i // 2 % 2, 0]) + data
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            got = ended(sock, 20)
            self.assertLessEqual(len(got), 100)
        # Connections that say nothing, or a byte a second: gone after the handshake's time.
        idle = []
        for _ in range(12):
            idle.append(connect())
        start = time.monotonic()
        for sock in idle:
            self.assertEqual(ended(sock, 20), b"")
        self.assertLess(time.monotonic() - start, 15 * harness.SLOW)
        # A flood of handshakes doesn't keep a peer with a link from its blocks.
        flood = []
        for _ in range(300):
            try:
                flood.append(connect())
            except OSError:
                break
        node.rpc("generatetoaddress", 3, Purse("hostile").address)
        wait_same_tip([node, good], 30)
        wait_for("refusals", lambda: node.metrics()["rustycoin_peerd_refused_total"] > 100)
        self.assertLessEqual(node.metrics()["rustycoin_peerd_peers_unready"], 16)
        for sock in flood:
            sock.close()
        self.assertEqual(len(links(node)), 1)
        node.check_alive()
        # And who comes in earnest is taken again.
        third = self.node("third")
        third.connect(node)
        wait_for("a third one's link", lambda: len(links(node)) >= 2, 30)

    def test_network_active(self):
        a, b = self.node("a"), self.node("b")
        a.connect(b)
        wait_for("a link", lambda: links(a) and links(b))
        a.rpc("setnetworkactive", False)
        wait_for("no link", lambda: not a.rpc("getpeerinfo") and not b.rpc("getpeerinfo"))
        a.rpc("setnetworkactive", True)
        wait_for("a link again", lambda: links(a) and links(b), 60)


class Refusals(harness.TestCase):
    """Bad options and files: one clear line, the right exit code, nothing changed."""

    def ends(self, node, code, *words):
        process = subprocess.run(node.command("peerd"), stdout=subprocess.PIPE, cwd=node.home,
                                 stderr=subprocess.STDOUT, text=True, timeout=30 * harness.SLOW,
                                 check=False)
        self.assertEqual(process.returncode, code, process.stdout)
        for word in words:
            self.assertIn(word, process.stdout)

    def lone(self, name="lone", **options):
        node = self.node(name, start=False)
        node.options["peerd"] = options
        with open(os.path.join(node.home, "none.conf"), "w", encoding="ascii"):
            pass
        os.makedirs(os.path.join(node.home, "peerd"), mode=0o700)
        return node

    def test_port_in_use(self):
        node = self.lone()
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", node.port))
            taken.listen()
            self.ends(node, 69, f"127.0.0.1:{node.port}", "in use")

    def test_bad_options(self):
        for i, (option, value) in enumerate((("addnode", "nowhere"), ("connect", "1.2.3.4:99999"),
                                             ("listen", "127.0.0.1:x"), ("external", "::g"),
                                             ("addnode", "02@1.2.3.4:5"), ("outbound", "1000"),
                                             ("private_addresses", "perhaps"), ("proxy", "nowhere"),
                                             ("proxy", "127.0.0.1"))):
            self.ends(self.lone(f"bad{i}", **{option: value}), 78, option)

    def damage(self, name, content):
        """A stateful peerd's file replaced by content, after one clean run."""
        node = self.lone(name.replace("_", "-"))
        with open(node.log_path("peerd"), "ab") as log:
            process = subprocess.Popen(node.command("peerd"), stdout=log, stderr=log, cwd=node.home)
        path = os.path.join(node.home, "peerd", name)
        wait_for("peerd is ready", lambda: "ready after" in node.logs())
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(20 * harness.SLOW), 0)
        with open(path, "wb") as f:
            f.write(content)
        return node, path

    def test_damaged_files(self):
        node, path = self.damage("link_key", b"RCLINKEY" + bytes(98))
        self.ends(node, 78, "link_key", "move it away")
        with open(path, "rb") as f:
            self.assertEqual(len(f.read()), 106)
        node, _ = self.damage("bans", b"RCBANLST")
        self.ends(node, 78, "bans", "move it away")
        node, path = self.damage("addresses", b"RCADDRBK")
        with open(os.path.join(node.home, "peerd", "anchors"), "wb") as f:
            f.write(b"RCANCHOR" * 1000)  # as none
        process = subprocess.Popen(node.command("peerd"), stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, cwd=node.home)
        try:
            wait_for("set aside", lambda: os.path.exists(path + ".damaged"))
            self.assertIsNone(process.poll())
        finally:
            process.terminate()
            self.assertEqual(process.wait(20 * harness.SLOW), 0)


if __name__ == "__main__":
    harness.main()
