#!/usr/bin/python3
"""Blocks between real nodes in compact form: rebuilt of the pool, with what it lacks asked for."""
import harness
from harness import wait_for, wait_same_tip
from purse import RUST, Purse, template_block

LIMIT = 240
TXS = 60
# Short ids of 6 bytes instead of payments of some 200: header, nonce, coinbase are 400 more.
COMPACT_MOST = 6 * TXS + 600


def links(node):
    return [p for p in node.rpc("getpeerinfo") if p["state"] == "ready"]


class Compact(harness.TestCase):
    def figures(self, node):
        """(from the pool, after asking, whole, transactions asked, bytes) of compact blocks."""
        m = node.metrics_of("peerd")
        return [m[f"rustycoin_peerd_{name}"] for name in (
            'compact_blocks_total{result="pool"}', 'compact_blocks_total{result="asked"}',
            'compact_blocks_total{result="full"}', "compact_txs_asked_total",
            "compact_bytes_total")]

    def wait_figures(self, node, before, expected):
        """Waits for the first four to have grown by this (they follow within a second)."""
        since = []

        def grown():
            since[:] = [int(now - then) for now, then in zip(self.figures(node), before)]
            return since[:4] == expected
        try:
            wait_for("the figures", grown, 20)
        except AssertionError:
            self.fail(f"{node.name}: {since}, not {expected}")
        return since

    def fund(self, node):
        """A purse with many coins of one block, in the pool's reach."""
        purse = Purse("compact")
        node.rpc("generatetoaddress", 15, purse.address)
        coin = purse.coins(node)[0]
        split = purse.spend([coin], [(purse.address, RUST // 10)] * TXS)
        node.rpc("sendrawtransaction", split.encode().hex())
        node.rpc("generatetoaddress", 1, purse.address)
        return purse

    def pay(self, purse, node):
        coins = [c for c in purse.coins(node) if c.amount == RUST // 10][:TXS]
        self.assertEqual(len(coins), TXS)
        # All are signed before the first is sent: relay waits some seconds at least.
        for tx in [purse.spend([coin], [], change=True).encode().hex() for coin in coins]:
            node.rpc("sendrawtransaction", tx)

    def test_a_block_travels_in_few_bytes(self):
        # A row: no links but these.
        a, b, c = [self.node(n, options={"peerd": {"outbound": 0, "block_only": 0}})
                   for n in "abc"]
        b.connect(a)
        c.connect(b)
        wait_for("links", lambda: len(links(b)) == 2)
        purse = self.fund(a)
        wait_same_tip([a, b, c])
        height = a.rpc("getblockcount")
        # Who gave b its last block is asked to announce the next in compact form. The figures
        # follow within a second: those of all blocks are wanted.
        for node in (b, c):
            wait_for("an announcer", lambda n=node: [
                n.metrics_of("peerd")[f"rustycoin_peerd_{name}"] for name in
                ("compact_announcers", "blocks_received_total")] == [1, height])
        self.pay(purse, a)
        for node in (b, c):
            wait_for("the pools", lambda n=node: n.rpc("getmempoolinfo")["size"] == TXS)
        before = {n: self.figures(n) for n in (b, c)}
        asked = {n: n.metrics_of("peerd")["rustycoin_peerd_blocks_asked_total"] for n in (b, c)}
        a.rpc("generatetoaddress", 1, purse.address)
        tip = wait_same_tip([a, b, c])
        size = a.rpc("getblock", tip)["size"]
        self.assertGreater(size, 100 * TXS)
        for node in (b, c):
            since = self.wait_figures(node, before[node], [1, 0, 0, 0])
            used = since[4]
            self.assertLess(used, COMPACT_MOST)
            # It came unasked: announced.
            self.assertEqual(node.metrics_of("peerd")["rustycoin_peerd_blocks_asked_total"],
                             asked[node])
            self.assertEqual(node.rpc("getmempoolinfo")["size"], 0)
            print(f"{node.name}: a block of {size} bytes in {used}")
        for node in (a, b, c):
            self.assertEqual(node.metrics_of("peerd")["rustycoin_peerd_penalties_total"], 0)

    def test_what_the_pool_lacks_is_asked_for(self):
        a = self.node("a")
        purse = self.fund(a)
        b = self.node("b", start=False)
        # Nothing reaches b's pool before the block does.
        a.stop("peerd")
        a.options["peerd"] = {"relay_delay_ms": 60000}
        a.start("peerd")
        b.start().wait_ready()
        b.connect(a)
        wait_same_tip([a, b])
        zero = self.figures(b)
        # One block the ordinary way, told by its header: asked for in compact form.
        a.rpc("generatetoaddress", 1, purse.address)
        wait_same_tip([a, b])
        self.wait_figures(b, zero, [1, 0, 0, 0])
        self.pay(purse, a)
        # And some that b does have: they are a user's of its own.
        coins = [c for c in purse.coins(b) if c.amount > RUST][:5]
        self.assertGreater(len(coins), 2)
        for coin in coins[1:]:
            tx = purse.spend([coin], []).encode().hex()
            for node in (a, b):
                node.rpc("sendrawtransaction", tx)
        self.assertEqual(b.rpc("getmempoolinfo")["size"], len(coins) - 1)
        a.rpc("generatetoaddress", 1, purse.address)
        wait_same_tip([a, b])
        self.wait_figures(b, zero, [1, 1, 0, TXS])
        self.assertEqual(b.rpc("getmempoolinfo")["size"], 0)
        self.assertEqual(b.metrics_of("chaind")["rustycoin_chaind_compact_missing_total"], TXS)
        # A transaction that never was in any pool: its miner's own.
        block = template_block(a, purse.lock, [purse.spend(coins[:1], [])])
        self.assertIsNone(a.rpc("submitblock", block.encode().hex()))
        wait_same_tip([a, b])
        self.wait_figures(b, zero, [1, 2, 0, TXS + 1])
        for node in (a, b):
            self.assertEqual(node.metrics_of("peerd")["rustycoin_peerd_penalties_total"], 0)

    def test_a_killed_chaind_loses_nothing(self):
        a, b = self.node("a"), self.node("b")
        b.connect(a)
        wait_for("a link", lambda: links(b))
        purse = self.fund(a)
        wait_same_tip([a, b])
        for _ in range(3):
            b.kill("chaind")
            a.rpc("generatetoaddress", 1, purse.address)
            b.start("chaind")
            wait_same_tip([a, b])


if __name__ == "__main__":
    harness.main()
