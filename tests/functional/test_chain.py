#!/usr/bin/python3
"""The chain of several nodes: agreement, competing branches with the pool refilled, a branch whose
last block is invalid, initial sync of a newcomer, a restart of everything."""
import harness
from harness import wait_for, wait_same_tip
from purse import RUST, Purse, coinbase_of, block_on, shown

LIMIT = 1200


class Chain(harness.TestCase):
    def pair(self):
        a, b = self.node("a"), self.node("b")
        a.connect(b)
        wait_for("a link", lambda: b.rpc("getconnectioncount") >= 1)
        return a, b

    def part(self, a, b):
        """No link between them from here on."""
        a.rpc("setnetworkactive", False)
        wait_for("no link", lambda: not a.rpc("getconnectioncount") and
                 not b.rpc("getconnectioncount"))

    def join(self, a):
        a.rpc("setnetworkactive", True)

    def compete(self, length):
        """a mines `length` blocks with payments, b one more without: a's go back into its pool."""
        a, b = self.pair()
        purse, other = Purse("chain"), Purse("branch")
        a.rpc("generatetoaddress", 20, purse.address)
        fork = wait_same_tip([a, b])
        self.part(a, b)
        sent = []
        for i in range(min(length, 8)):
            raw = purse.pay(a, other.address, (i + 1) * RUST)
            sent.append(a.rpc("sendrawtransaction", raw.hex()))
            a.rpc("generatetoaddress", 1, purse.address)
        if length > 8:
            a.rpc("generatetoaddress", length - 8, purse.address)
        self.assertEqual(a.rpc("getrawmempool"), [])
        # a spend of a coin that a's branch alone has can't come back: a coinbase of it
        b.rpc("generatetoaddress", length + 1, other.address)
        best = b.tip()
        self.join(a)
        wait_for("a takes b's branch", lambda: a.tip() == best, 120)
        self.assertEqual(a.rpc("getblockcount"), 20 + length + 1)
        wait_for("the pool is refilled", lambda: set(a.rpc("getrawmempool")) == set(sent), 60)
        roots = {n.rpc("getblockchaininfo")["stateroot"] for n in (a, b)}
        wait_for("one state root", lambda: len({n.rpc("getblockchaininfo")["stateroot"]
                                                for n in (a, b)}) == 1)
        self.assertIsNotNone(roots)
        tips = {t["status"]: t for t in a.rpc("getchaintips")}
        self.assertEqual(tips["active"]["hash"], best)
        branch = [t for t in a.rpc("getchaintips") if t["status"] != "active"]
        self.assertEqual([t["branchlen"] for t in branch], [length])
        header = a.rpc("getblockheader", fork)
        self.assertEqual(header["confirmations"], length + 2)
        # and they are mined again, on both
        b_knows = wait_for("b hears of them", lambda: set(b.rpc("getrawmempool")) == set(sent), 60)
        self.assertTrue(b_knows)
        b.rpc("generatetoaddress", 1, other.address)
        wait_same_tip([a, b])
        wait_for("pools empty", lambda: a.rpc("getrawmempool") == b.rpc("getrawmempool") == [])
        total = sum((i + 1) * RUST for i in range(len(sent)))
        utxos = a.rpc("getaddressutxos", {"addresses": [other.address]})["utxos"]
        self.assertEqual(sum(u["value_oxides"] for u in utxos if not u["coinbase"]), total)

    def test_branch_of_1(self):
        self.compete(1)

    def test_branch_of_6(self):
        self.compete(6)

    def test_branch_of_100(self):
        self.compete(100)

    def test_branch_of_300(self):
        """More than utxod stages at once."""
        self.compete(300)

    def test_last_block_invalid(self):
        """A branch with more work, all good but its last block: the old tip stays."""
        a, c = self.node("a"), self.node("c")
        purse, other = Purse("good"), Purse("bad")
        base = a.rpc("generatetoaddress", 15, purse.address)
        for block in base:
            c.rpc("submitblock", a.rpc("getblock", block, 0))
        self.assertEqual(a.tip(), c.tip())
        a.rpc("generatetoaddress", 4, purse.address)
        raw = purse.pay(a, other.address, RUST)
        sent = a.rpc("sendrawtransaction", raw.hex())
        tip = a.tip()
        branch = c.rpc("generatetoaddress", 4, other.address)
        template = c.rpc("getblocktemplate", {})
        last = block_on(template, [coinbase_of(template, other.lock,
                                               template["coinbasevalue"] + 1)])
        for block in branch:                # as much work as a's own: a stays
            a.rpc("submitblock", c.rpc("getblock", block, 0))
            self.assertEqual(a.tip(), tip)
        self.refused(-25, a.rpc, "submitblock", last.encode().hex(), verdict="coinbase-amount")
        self.assertEqual(a.tip(), tip)
        self.assertEqual(a.rpc("getrawmempool"), [sent])
        status = a.rpc("getblockheader", shown(last.id))
        self.assertEqual((status["status"], status["verdict"]), ("invalid", "coinbase-amount"))
        # what builds on it is refused, too; the good part of the branch can still win
        good = block_on(template, [coinbase_of(template, other.lock)])
        self.assertIsNone(a.rpc("submitblock", good.encode().hex()))
        wait_for("the mended branch wins", lambda: a.tip() == shown(good.id))
        wait_for("the payment is back", lambda: a.rpc("getrawmempool") == [sent])
        a.restart("chaind", kill=True)
        a.wait_ready()
        self.assertEqual(a.tip(), shown(good.id))
        self.refused(-25, a.rpc, "submitblock", last.encode().hex(), verdict="coinbase-amount")

    def test_newcomer(self):
        """A fourth node gets the chain from three."""
        nodes = [self.node(name) for name in ("a", "b", "c")]
        a, b, c = nodes
        a.connect(b)
        b.connect(c)
        purse, other = Purse("sync"), Purse("newcomer")
        a.rpc("generatetoaddress", 150, purse.address)
        for i in range(20):
            a.rpc("sendrawtransaction", purse.pay(a, other.address, RUST + i).hex())
            if i % 4 == 3:
                a.rpc("generatetoaddress", 1, purse.address)
        wait_same_tip(nodes)
        d = self.node("d")
        for node in nodes:
            d.connect(node)
        wait_same_tip([*nodes, d])
        infos = [n.rpc("getblockchaininfo") for n in (a, d)]
        self.assertEqual(infos[0]["stateroot"], infos[1]["stateroot"])
        self.assertEqual(infos[0]["chainwork"], infos[1]["chainwork"])
        a.rpc("generatetoaddress", 2, purse.address)
        wait_same_tip([*nodes, d])
        balances = [n.rpc("getaddressbalance", {"addresses": [other.address]})["balance"]
                    for n in (a, d)]
        self.assertEqual(*balances)

    def test_restart_of_all(self):
        """Everything stops cleanly and comes back as it was, the pool too."""
        node, purse, other = self.node(), Purse("again"), Purse("later")
        node.rpc("generatetoaddress", 15, purse.address)
        sent = node.rpc("sendrawtransaction", purse.pay(node, other.address, RUST).hex())
        before = node.rpc("getblockchaininfo")
        node.stop()
        node.start().wait_ready()
        after = node.rpc("getblockchaininfo")
        for member in ("bestblockhash", "chainwork", "blocks"):
            self.assertEqual(before[member], after[member])
        wait_for("the root", lambda: node.rpc("getblockchaininfo")["stateroot"] ==
                 before["stateroot"])
        self.assertEqual(node.rpc("getrawmempool"), [sent])
        node.rpc("generatetoaddress", 1, purse.address)
        self.assertEqual(node.rpc("getrawmempool"), [])


if __name__ == "__main__":
    harness.main()
