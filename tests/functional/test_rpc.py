#!/usr/bin/python3
"""Each RPC method with right and wrong arguments; JSON-RPC 2.0; passwords; what garbage gets."""
import base64
import hashlib
import hmac
import http.client
import json
import os
import re
import signal
import socket
import subprocess

import harness
from harness import wait_for
from purse import RUST, Purse, shown, template_block

QUICK = True
ID = "ab" * 32

# Calls that must answer on a node of the network reg with some blocks. {tip}, {first}, {address},
# {txid}, {tx}: filled in. Methods with tests of their own are named in OWN_TEST.
RIGHT = [
    ("getbestblockhash",), ("getblockcount",), ("getblockchaininfo",), ("getchaintips",),
    ("getblockhash", 0), ("getblockhash", 1), ("getblock", "{tip}"), ("getblock", "{tip}", 0),
    ("getblock", "{tip}", 1), ("getblock", "{tip}", 2), ("getblock", "{tip}", True),
    ("getblockheader", "{tip}"), ("getblockheader", "{tip}", False), ("gettxout", "{coin}", 0),
    ("gettxout", "{coin}", 0, False), ("gettxout", ID, 4294967295),
    ("waitforblockheight", 1), ("waitforblockheight", 1, 50), ("waitfornewblock", 20),
    ("waitfornewblock", 20, ID), ("getmininginfo",), ("getblocktemplate",),
    ("getblocktemplate", {"mode": "template", "capabilities": ["longpoll"], "rules": []}),
    ("decoderawtransaction", "{tx}"), ("getmempoolinfo",), ("getrawmempool",),
    ("getrawmempool", True), ("getrawmempool", False, True), ("testmempoolaccept", ["{tx}"]),
    ("testmempoolaccept", ["{tx}"], "0"), ("getrawtransaction", "{coin}", 0, "{coinblock}"),
    ("getrawtransaction", "{coin}", True, "{coinblock}"),
    ("getaddressbalance", {"addresses": ["{address}"]}),
    ("getaddressbalance", {"addresses": ["{address}"], "mempool": False}),
    ("getaddressutxos", {"addresses": ["{address}"]}), ("getaddressutxos", {"lockhashes": [ID]}),
    ("validateaddress", "{address}"), ("validateaddress", "nonsense"), ("validateaddress", ""),
    ("getnetworkinfo",), ("getpeerinfo",), ("getconnectioncount",), ("getnettotals",), ("ping",),
    ("getnodeaddresses",), ("getnodeaddresses", 0, "ipv4"), ("getaddrmaninfo",), ("listbanned",),
    ("clearbanned",), ("setnetworkactive", True), ("gethealth",), ("getrpcinfo",), ("help",),
    ("help", "getblock"), ("listdaemons",), ("logging",), ("rpc.discover",), ("uptime",),
    ("reloadconfig", "rpcd"), ("reloadconfig",), ("setmocktime", 0), ("setmocktime", 1900000000),
    ("setmocktime", 0),
]
OWN_TEST = {"addnode", "disconnectnode", "setban", "sendrawtransaction", "getmempoolentry",
            "submitblock", "submitheader", "invalidateblock", "reconsiderblock",
            "generatetoaddress"}

# (code, method, parameters…): each is refused, and changes nothing.
WRONG = [
    (-32601, "nosuchmethod"), (-32601, "stop"), (-32601, "GETBLOCKCOUNT"),
    (-32602, "getblockcount", 1), (-32602, "getblock"), (-8, "getblock", "00"),
    (-32602, "getblock", 5), (-5, "getblock", ID), (-8, "getblock", "{tip}", 4),
    (-8, "getblock", "{tip}", 3), (-32602, "getblock", "{tip}", "1"),
    (-32602, "getblock", "{tip}", 1.0), (-8, "getblockhash", -1), (-8, "getblockhash", 4294967296),
    (-8, "getblockhash", 1000000), (-32602, "getblockhash", "1"), (-32602, "getblockhash", [1]),
    (-5, "getblockheader", ID), (-32602, "getblockheader", "{tip}", 1),
    (-8, "gettxout", ID, -1), (-8, "gettxout", ID, 4294967296), (-32602, "gettxout", ID),
    (-8, "gettxout", "zz" * 32, 0), (-32602, "gettxout", ID, 0, "yes"),
    (-5, "invalidateblock", ID), (-5, "reconsiderblock", ID), (-8, "invalidateblock", "xx"),
    (-8, "waitfornewblock", -1), (-8, "waitfornewblock", 600001), (-8, "waitforblockheight", -1),
    (-5, "generatetoaddress", 1, "nonsense"), (-8, "generatetoaddress", 0, "{address}"),
    (-8, "generatetoaddress", 10001, "{address}"), (-32602, "generatetoaddress", "1", "{address}"),
    (-8, "getblocktemplate", {"mode": "proposal"}), (-32602, "getblocktemplate", {"nosuch": 1}),
    (-32602, "getblocktemplate", "x"), (-8, "setmocktime", -1), (-8, "setmocktime", 4294967296),
    (-8, "submitblock", "00"), (-22, "submitblock", "0g" * 200), (-32602, "submitblock", 1),
    (-25, "submitblock", "00" * 200), (-8, "submitheader", "00"), (-25, "submitheader", "00" * 118),
    (-22, "decoderawtransaction", "00"), (-22, "decoderawtransaction", "xyz"),
    (-8, "decoderawtransaction", "0"), (-22, "decoderawtransaction", "001"), (-8, "decoderawtransaction", ""),
    (-32602, "decoderawtransaction", None), (-5, "getmempoolentry", ID),
    (-8, "getrawmempool", True, True), (-5, "getrawtransaction", ID),
    (-5, "getrawtransaction", ID, 0, "{tip}"), (-5, "getrawtransaction", "{coin}", 0, ID),
    (-8, "getrawtransaction", ID, 2), (-22, "sendrawtransaction", "00"),
    (-22, "sendrawtransaction", "{tx}00"), (-32602, "sendrawtransaction", "{tx}", 0.1),
    (-8, "sendrawtransaction", "{tx}", "84000000.00000001"), (-8, "sendrawtransaction", "{tx}", "-1"),
    (-8, "testmempoolaccept", []), (-32602, "testmempoolaccept", [1]),
    (-22, "testmempoolaccept", ["zz"]), (-8, "testmempoolaccept", ["00"] * 26),
    (-32602, "getaddressbalance"), (-32602, "getaddressbalance", {}),
    (-5, "getaddressbalance", {"addresses": ["rc1qqq"]}),
    (-8, "getaddressbalance", {"addresses": ["{address}", "{address}"]}),
    (-32602, "getaddressutxos", {"nosuch": []}), (-8, "getaddressutxos", {"lockhashes": ["00"]}),
    (-32602, "getaddressutxos", {"addresses": "x"}),
    (-8, "addnode", "127.0.0.1:1", "keep"), (-8, "addnode", "nonsense", "add"),
    (-24, "addnode", "127.0.0.1:1", "remove"), (-32602, "addnode", "127.0.0.1:1"),
    (-29, "disconnectnode", "127.0.0.1:1"), (-32602, "disconnectnode"),
    (-32602, "disconnectnode", "127.0.0.1:1", 1), (-29, "disconnectnode", None, 99),
    (-8, "setban", "nonsense", "add"), (-30, "setban", "10.1.2.3", "remove"),
    (-8, "setban", "10.1.2.3", "ban"), (-8, "setban", "10.1.2.3", "add", -1),
    (-8, "getnodeaddresses", -1), (-32602, "setnetworkactive"), (-32602, "setnetworkactive", 1),
    (-32601, "help", "nosuchmethod"), (-8, "logging", "nosuch", "info"),
    (-32602, "logging", "rpcd"), (-8, "logging", "rpcd", "loud"), (-32053, "logging", "utxod", "info"),
    (-8, "reloadconfig", "nosuch"),
]


class Rpc(harness.TestCase):
    """One node for all tests of this module: each leaves it as it was, but for blocks."""

    @classmethod
    def setUpClass(cls):
        cls.purse = Purse("rpc")

    def started(self, blocks=12, options=None):
        node = self.node(options=options)
        node.rpc("generatetoaddress", blocks, self.purse.address)
        return node

    def words(self, node):
        coin = self.purse.coins(node)[-1]
        block = node.rpc("getblockhash", coin.height)
        tx = self.purse.spend([coin], [(self.purse.address, RUST)])
        return {"tip": node.tip(), "first": node.rpc("getblockhash", 1), "coinblock": block,
                "coin": shown(coin.outpoint[0]), "address": self.purse.address,
                "tx": tx.encode().hex()}

    def fill(self, value, words):
        if isinstance(value, str):
            return re.sub(r"\{(\w+)\}", lambda m: words[m.group(1)], value)
        if isinstance(value, list):
            return [self.fill(v, words) for v in value]
        if isinstance(value, dict):
            return {k: self.fill(v, words) for k, v in value.items()}
        return value

    def test_right_and_wrong_arguments(self):
        node = self.started()
        words = self.words(node)
        for method, *args in RIGHT:
            with self.subTest(method=method, args=args):
                args = self.fill(args, words)
                named = None
                node.rpc(method, *args)
                # the same by name, from the table that discover shows
                rows = {m["name"]: [p["name"] for p in m["params"]]
                        for m in node.rpc("rpc.discover")["methods"]}
                named = dict(zip(rows[method], args))
                if named:
                    node.rpc(method, **named)
        before = (node.tip(), node.rpc("getrawmempool"), node.rpc("listbanned"))
        for code, method, *args in WRONG:
            with self.subTest(method=method, args=args):
                error = self.refused(code, node.rpc, method, *self.fill(args, words))
                self.assertGreater(len(error.message), 10)
        self.refused(-32602, node.rpc, "getblock", blockhash=words["tip"], nosuch=1)
        self.assertEqual(before, (node.tip(), node.rpc("getrawmempool"), node.rpc("listbanned")))
        tried = {row[0] for row in RIGHT} | OWN_TEST
        self.assertEqual(tried, {m["name"] for m in node.rpc("rpc.discover")["methods"]})
        wrong = {row[1] for row in WRONG}
        without = [m["name"] for m in node.rpc("rpc.discover")["methods"]
                   if m["params"] and m["name"] not in wrong | {"validateaddress", "ping"}]
        self.assertEqual(without, [])

    def test_shapes(self):
        """Members of notes on methods: their names are an interface."""
        node = self.started()
        info = node.rpc("getblockchaininfo")
        for member in ("chain blocks headers bestblockhash difficulty mediantime "
                       "verificationprogress initialblockdownload chainwork size_on_disk pruned "
                       "stateroot lock maxblocksize warnings").split():
            self.assertIn(member, info)
        self.assertEqual((info["chain"], info["blocks"]), ("reg", 12))
        block = node.rpc("getblock", node.tip(), 2)
        self.assertEqual(block["height"], 12)
        self.assertEqual(block["tx"][0]["vout"][-1]["value"], "45.00000000")
        self.assertEqual(block["tx"][0]["vout"][-1]["value_oxides"], 45 * RUST)
        self.assertEqual(block["nextblockhash"] if "nextblockhash" in block else None, None)
        header = node.rpc("getblockheader", node.rpc("getblockhash", 5))
        self.assertEqual(header["confirmations"], 8)
        self.assertEqual(header["previousblockhash"], node.rpc("getblockhash", 4))
        raw = bytes.fromhex(node.rpc("getblockheader", node.tip(), False))
        double = hashlib.sha256(hashlib.sha256(raw).digest()).digest()
        self.assertEqual(double[::-1].hex(), node.tip())
        self.assertEqual(node.rpc("getblock", node.tip(), 0)[:236], raw.hex())
        balance = node.rpc("getaddressbalance", {"addresses": [self.purse.address]})
        self.assertEqual(balance["balance_oxides"], 12 * 45 * RUST)
        # height 13 is next: coins of heights 1, 2, 3 are ten blocks old then
        self.assertEqual(balance["available_oxides"], 3 * 45 * RUST)
        self.assertEqual(balance["anchor"]["hash"], node.tip())
        names = [d["name"] for d in node.rpc("listdaemons")]
        self.assertEqual(sorted(names), ["chaind", "peerd", "rpcd", "utxod"])
        self.assertTrue(all(d["ready"] for d in node.rpc("listdaemons")))
        self.assertEqual(node.rpc("gethealth"), {"ready": True, "causes": []})

    def test_transactions(self):
        node = self.started()
        other = Purse("other")
        coin = self.purse.coins(node)[0]
        tx = self.purse.spend([coin], [(other.address, 5 * RUST)])
        raw, txid = tx.encode().hex(), shown(tx.txid)
        accept = node.rpc("testmempoolaccept", [raw])[0]
        self.assertEqual((accept["txid"], accept["allowed"], accept["size"]),
                         (txid, True, len(raw) // 2))
        self.assertEqual(node.rpc("getrawmempool"), [])
        self.assertEqual(node.rpc("sendrawtransaction", raw), txid)
        self.assertEqual(node.rpc("sendrawtransaction", raw), txid)      # idempotent
        self.assertEqual(node.rpc("getrawmempool"), [txid])
        entry = node.rpc("getmempoolentry", txid)
        self.assertEqual(entry["wtxid"], shown(tx.wtxid))
        self.assertEqual(entry["size"], len(raw) // 2)
        self.assertEqual(node.rpc("getrawtransaction", txid), raw)
        decoded = node.rpc("getrawtransaction", txid, 1)
        self.assertEqual(decoded["vout"][0]["lock"]["address"], other.address)
        self.assertEqual(decoded["vin"][0]["txid"], shown(coin.outpoint[0]))
        # the pool's coins, and what it spends
        self.assertIsNone(node.rpc("gettxout", shown(coin.outpoint[0]), coin.outpoint[1]))
        self.assertIsNotNone(node.rpc("gettxout", shown(coin.outpoint[0]), coin.outpoint[1], False))
        made = node.rpc("gettxout", txid, 0)
        self.assertEqual((made["confirmations"], made["value_oxides"]), (0, 5 * RUST))
        self.assertIsNone(node.rpc("gettxout", txid, 0, False))
        balance = node.rpc("getaddressbalance", {"addresses": [other.address]})
        self.assertEqual((balance["balance_oxides"], balance["pool_received_oxides"]), (0, 5 * RUST))
        ours = node.rpc("getaddressbalance", {"addresses": [self.purse.address]})
        self.assertEqual(ours["pool_spent_oxides"], coin.amount)
        # a second spend of the coin, an overspend, a bad signature, missing inputs
        again = self.purse.spend([coin], [(other.address, 6 * RUST)])
        self.refused(-26, node.rpc, "sendrawtransaction", again.encode().hex(),
                     verdict="pool-replacement")
        coins = self.purse.coins(node)
        over = self.purse.spend([coins[1]], [(other.address, coins[1].amount + 1)], change=False)
        self.refused(-26, node.rpc, "sendrawtransaction", over.encode().hex(),
                     verdict="tx-overspend")
        good = self.purse.spend([coins[1]], [(other.address, RUST)])
        bad = bytearray(good.encode())
        bad[-1] ^= 1
        self.refused(-26, node.rpc, "sendrawtransaction", bad.hex(), verdict="sig-invalid")
        lost = self.purse.build(coins[1:2], [(RUST, other.lock)])
        lost = self.purse.sign(type(lost)(lost.type, (type(lost.inputs[0])(b"\1" * 32, 0, 0),),
                                          lost.outputs), coins[1:2])
        self.refused(-25, node.rpc, "sendrawtransaction", lost.encode().hex(),
                     verdict="tx-input-missing")
        # confirmed: known already
        node.rpc("generatetoaddress", 1, self.purse.address)
        self.assertEqual(node.rpc("getrawmempool"), [])
        self.refused(-27, node.rpc, "sendrawtransaction", raw)
        seen = node.rpc("getrawtransaction", txid, 1, node.tip())
        self.assertEqual((seen["confirmations"], seen["blockhash"]), (1, node.tip()))
        self.assertEqual(node.rpc("gettxout", txid, 0)["confirmations"], 1)

    def test_blocks_by_hand(self):
        node = self.started()
        block = template_block(node, self.purse.lock)
        raw = block.encode().hex()
        self.assertIsNone(node.rpc("submitheader", raw[:236]))
        self.assertEqual(node.rpc("getblockcount"), 12)
        self.assertIsNone(node.rpc("submitblock", raw))
        self.assertEqual(node.tip(), shown(block.id))
        self.assertEqual(node.rpc("submitblock", raw), "duplicate")
        bad = template_block(node, self.purse.lock, amount=46 * RUST)
        self.refused(-25, node.rpc, "submitblock", bad.encode().hex(), verdict="coinbase-amount")
        self.assertEqual(node.tip(), shown(block.id))
        fresh = template_block(node, self.purse.lock).encode().hex()
        self.refused(-22, node.rpc, "submitblock", fresh + "00", verdict="block-parse")
        node.rpc("invalidateblock", shown(block.id))
        self.assertEqual(node.rpc("getblockcount"), 12)
        node.rpc("reconsiderblock", shown(block.id))
        wait_for("the block again", lambda: node.tip() == shown(block.id))
        self.assertEqual(len(node.rpc("generatetoaddress", 3, self.purse.address)), 3)
        self.assertEqual(node.rpc("getblockcount"), 16)

    def header(self, node, block):
        """(confirmations, next) as getblockheader and getblock 1 and 2 say it, asked twice: what
        rpcd keeps must say the same as chaind."""
        answers = [node.rpc(*call) for _ in range(2) for call in
                   (("getblockheader", block), ("getblock", block, 1), ("getblock", block, 2))]
        seen = {(a["confirmations"], a.get("nextblockhash")) for a in answers}
        self.assertEqual(len(seen), 1, seen)
        return seen.pop()

    def test_kept_answers_are_never_old(self):
        node = self.started()
        ids = [node.rpc("getblockhash", h) for h in range(13)]
        for h in (3, 11, 12):
            self.assertEqual(self.header(node, ids[h]),
                             (13 - h, ids[h + 1] if h < 12 else None))
        # a block made here is seen at once, by hand and in one batch
        block = template_block(node, self.purse.lock)
        raw = node.rpc("getblock", ids[12], 0)
        self.assertIsNone(node.rpc("submitblock", block.encode().hex()))
        self.assertEqual(node.rpc("getblockcount"), 13)
        self.assertEqual(self.header(node, ids[12]), (2, shown(block.id)))
        calls = [("getblockheader", [shown(block.id)]), ("getblockcount", []),
                 ("generatetoaddress", [1, self.purse.address]),
                 ("getblockheader", [shown(block.id)]), ("getblockcount", [])]
        body = json.dumps([{"jsonrpc": "2.0", "id": i, "method": m, "params": p}
                           for i, (m, p) in enumerate(calls)])
        answer = [a["result"] for a in json.loads(node.client.post(body)[1])]
        self.assertEqual((answer[0]["confirmations"], answer[1], answer[3]["confirmations"],
                          answer[3]["nextblockhash"], answer[4]),
                         (1, 13, 2, node.tip(), 14))
        # an operator's word takes blocks from the best chain and gives them back
        node.rpc("invalidateblock", shown(block.id))
        self.assertEqual(self.header(node, shown(block.id)), (-1, None))
        self.assertEqual(self.header(node, ids[12]), (1, None))
        node.rpc("reconsiderblock", shown(block.id))
        wait_for("the branch again", lambda: node.rpc("getblockcount") == 14)
        self.assertEqual(self.header(node, ids[12]), (3, shown(block.id)))
        # a longer branch that comes from a peer
        old = node.tip()
        self.assertEqual(self.header(node, old), (1, None))
        other = self.node()
        other.rpc("generatetoaddress", 20, Purse("elsewhere").address)
        other.connect(node)
        harness.wait_same_tip([node, other])
        self.assertEqual(self.header(node, old), (-1, None))
        self.assertEqual(self.header(node, node.tip()), (1, None))
        self.assertEqual(node.rpc("getblock", ids[12], 0), raw)
        self.assertEqual(self.header(node, ids[0])[0], 21)

    def test_kept_answers_without_chaind(self):
        """Bytes never change and are sent; what the tip decides is not, until chaind says it."""
        node = self.started(options={"rpcd": {"hold_ms": 200}})
        first, tip = node.rpc("getblockhash", 1), node.tip()
        raw, header = node.rpc("getblock", first, 0), node.rpc("getblockheader", first)
        node.kill("chaind")
        wait_for("chaind is missed", lambda: not node.rpc("gethealth")["ready"])
        for call in (("getblockcount",), ("getbestblockhash",), ("getblockheader", first),
                     ("getblock", first, 1), ("getblock", tip, 0)):
            self.refused(-32050, node.rpc, *call)
        self.assertEqual(node.rpc("getblock", first, 0), raw)
        node.start("chaind")
        wait_for("chaind answers", lambda: node.rpc("getblockheader", first) == header)

    def test_pages_of_coins(self):
        node, other = self.started(blocks=15), Purse("the second of two")
        node.rpc("generatetoaddress", 4, other.address)
        coins = self.purse.coins(node)
        node.rpc("sendrawtransaction", self.purse.spend(
            coins[:2], [(other.address, RUST)]).encode().hex())
        whose = {"addresses": [self.purse.address, other.address]}
        whole = node.rpc("getaddressutxos", whose)
        self.assertNotIn("next", whole)
        self.assertEqual(len(whole["utxos"]), 19 + 2)
        for limit in (1, 4, 15, 18, 19, 20):
            seen, after = [], {}
            while True:
                page = node.rpc("getaddressutxos", whose | {"limit": limit} | after)
                self.assertEqual(page["anchor"], whole["anchor"])
                self.assertLessEqual(sum(u["height"] > 0 for u in page["utxos"]), limit)
                seen += page["utxos"]
                if "next" not in page:
                    break
                after = {"after": page["next"]}
            self.assertEqual(seen, whole["utxos"], limit)
        for bad in ("x" * 70, page["anchor"]["hash"] + ":2", page["anchor"]["hash"] + ":0:",
                    page["anchor"]["hash"] + ":-1", page["anchor"]["hash"] + f":0:{ID}:4294967296"):
            self.refused(-8, node.rpc, "getaddressutxos", whose | {"after": bad})
        self.refused(-8, node.rpc, "getaddressutxos", whose | {"limit": 0})
        self.refused(-32602, node.rpc, "getaddressbalance", whose | {"limit": 1})
        # A page is of the block of those before it, or none.
        after = {"limit": 4, "after": node.rpc("getaddressutxos", whose | {"limit": 4})["next"]}
        quiet = whose | after | {"mempool": False}
        want = node.rpc("getaddressutxos", quiet)
        self.assertEqual(want["utxos"], [u | {"spent": False} for u in whole["utxos"] if u["height"]
                                         ][4:8])
        node.rpc("generatetoaddress", 1, self.purse.address)
        self.refused(-32051, node.rpc, "getaddressutxos", whose | after)
        self.assertEqual(node.rpc("getaddressutxos", quiet), want)
        node.rpc("generatetoaddress", 20, self.purse.address)
        self.refused(-32051, node.rpc, "getaddressutxos", quiet)

    def test_more_coins_than_an_answer_has(self):
        node, dust = self.started(blocks=20), Purse("dust")
        most, each = 200000, 20000
        for i, coin in enumerate(self.purse.coins(node)[:5]):
            tx = self.purse.spend([coin], [(dust.lock, 600)] * (most // 5 + (i == 4)))
            self.assertIsNone(node.rpc("submitblock", template_block(
                node, self.purse.lock, [tx]).encode().hex()))
        whose = {"addresses": [dust.address]}
        balance = node.rpc("getaddressbalance", whose)
        self.assertEqual((balance["coins"], balance["available_oxides"]),
                         (most + 1, 600 * (most + 1)))
        error = self.refused(-8, node.rpc, "getaddressutxos", whose)
        self.assertIn("limit", error.message)
        seen, page = set(), {"next": None}
        while "next" in page:
            page = node.rpc("getaddressutxos", whose | {"limit": each} |
                            ({"after": page["next"]} if page["next"] else {}))
            seen |= {(u["txid"], u["vout"]) for u in page["utxos"]}
        self.assertEqual(len(seen), most + 1)

    def test_few_kept_blocks(self):
        """With room for nothing, and for less than is asked for, answers are the same."""
        node = self.started(blocks=14)
        for coin in self.purse.coins(node)[:4]:         # blocks of 350 kB: three are kept
            many = [(RUST // 1000, self.purse.lock)] * 8000
            tx = self.purse.sign(self.purse.build([coin], many), [coin])
            block = template_block(node, self.purse.lock, extra=[tx])
            self.assertIsNone(node.rpc("submitblock", block.encode().hex()))
        ids = [node.rpc("getblockhash", h) for h in range(19)]
        want = [node.rpc("getblock", i, v) for i in ids for v in (0, 1, 2)]
        size = sum(len(raw) // 2 for raw in want[::3])
        self.assertEqual(node.metrics_of("rpcd")["rustycoin_rpcd_kept_body_bytes"], size)
        for limit in (0, 1):
            node.options["rpcd"] = {"block_cache_mb": limit}
            node.restart("rpcd")
            node.wait_ready()
            for _ in range(2):
                self.assertEqual(want, [node.rpc("getblock", i, v) for i in ids for v in (0, 1, 2)])
            kept = node.metrics_of("rpcd")["rustycoin_rpcd_kept_body_bytes"]
            self.assertTrue(limit << 19 <= kept <= limit << 20, kept)

    def test_waiting(self):
        node = self.started()
        tip = node.tip()
        waiter = harness.Rpc(node.rpc_port, node.cookie)
        waiter.connection = http.client.HTTPConnection("127.0.0.1", node.rpc_port, timeout=60)
        waiter.connection.request("POST", "/", json.dumps(
            {"jsonrpc": "2.0", "id": 1, "method": "waitfornewblock", "params": [30000, tip]}),
            waiter.headers())
        wait_for("the waiter is in flight", lambda: node.rpc("getrpcinfo")["in_flight"] >= 2)
        node.rpc("generatetoaddress", 1, self.purse.address)
        answer = json.loads(waiter.connection.getresponse().read())["result"]
        self.assertEqual(answer, {"hash": node.tip(), "height": 13})
        waiter.close()
        # a template's long poll ends with a new block
        known = node.rpc("getblocktemplate", {})["longpollid"]
        connection = http.client.HTTPConnection("127.0.0.1", node.rpc_port, timeout=60)
        connection.request("POST", "/", json.dumps(
            {"jsonrpc": "2.0", "id": 1, "method": "getblocktemplate",
             "params": [{"longpollid": known}]}), waiter.headers())
        wait_for("the waiter is in flight", lambda: node.rpc("getrpcinfo")["in_flight"] >= 2)
        node.rpc("generatetoaddress", 1, self.purse.address)
        answer = json.loads(connection.getresponse().read())["result"]
        self.assertEqual(answer["previousblockhash"], node.tip())
        connection.close()

    def test_network(self):
        a, b = self.started(), self.node()
        a.rpc("addnode", b.address, "add")
        self.refused(-23, a.rpc, "addnode", b.address, "add")
        wait_for("a link", lambda: a.rpc("getconnectioncount") == 1 and
                 b.rpc("getconnectioncount") == 1)
        wait_for("one tip", lambda: b.tip() == a.tip())
        peer = a.rpc("getpeerinfo")[0]
        for member in ("id addr network services relaytxes lastsend lastrecv bytessent bytesrecv "
                       "synced_headers synced_blocks transport score role").split():
            self.assertIn(member, peer)
        self.assertEqual(peer["addr"], b.address)
        a.rpc("ping")
        wait_for("a ping's time", lambda: "pingtime" in a.rpc("getpeerinfo")[0])
        self.assertGreater(a.rpc("getnettotals")["totalbytesrecv"], 0)
        a.rpc("addnode", b.address, "remove")
        a.rpc("disconnectnode", b.address)
        wait_for("no link", lambda: a.rpc("getconnectioncount") == 0)
        a.rpc("setban", "10.1.0.0/16", "add", 3600)
        self.refused(-23, a.rpc, "setban", "10.1.0.0/16", "add")
        ban = a.rpc("listbanned")[0]
        self.assertEqual(ban["address"], "10.1.0.0/16")
        self.assertEqual(ban["banned_until"] - ban["ban_created"], 3600)
        a.rpc("setban", "10.1.0.0/16", "remove")
        self.assertEqual(a.rpc("listbanned"), [])
        self.assertFalse(a.rpc("setnetworkactive", False))
        self.assertFalse(a.rpc("getnetworkinfo")["networkactive"])
        self.assertTrue(a.rpc("setnetworkactive", True))


class Protocol(harness.TestCase):
    """HTTP and JSON-RPC as they come over the socket."""

    def setUp(self):
        super().setUp()
        user = "reader"
        digest = hmac.new(b"5a17", b"only reads", hashlib.sha256).hexdigest()
        submit = hmac.new(b"5a18", b"submits", hashlib.sha256).hexdigest()
        self.reader = (user, "only reads")
        self.n = self.node(options={"rpcd": {"rpcauth": [f"{user}:5a17${digest}:read",
                                                         f"submitter:5a18${submit}:submit"]}})

    def post(self, body, user=None, headers=None, path="/", method="POST"):
        connection = http.client.HTTPConnection("127.0.0.1", self.n.rpc_port, timeout=60)
        head = dict(headers or {})
        if user:
            head["Authorization"] = "Basic " + base64.b64encode(":".join(user).encode()).decode()
        elif user is None:
            head |= self.n.client.headers()
        connection.request(method, path, body, head)
        response = connection.getresponse()
        answer = response.read()
        connection.close()
        return response.status, dict(response.getheaders()), answer

    def ask(self, value, **how):
        body = value if isinstance(value, (str, bytes)) else json.dumps(value)
        status, _, answer = self.post(body, **how)
        return status, json.loads(answer) if answer else None

    def test_specification(self):
        """The examples of JSON-RPC 2.0 whose methods need not be there; all are in the unit test."""
        missing = {"jsonrpc": "2.0", "error": {"code": -32601, "message": "Method not found"}}
        invalid = {"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"},
                   "id": None}
        self.assertEqual(self.ask('{"jsonrpc": "2.0", "method": "foobar", "id": "1"}'),
                         (200, missing | {"id": "1"}))
        self.assertEqual(self.ask('{"jsonrpc": "2.0", "method": "foobar"}'), (204, None))
        status, answer = self.ask('{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]')
        self.assertEqual((answer["error"]["code"], answer["id"]), (-32700, None))
        self.assertEqual(self.ask('{"jsonrpc": "2.0", "method": 1, "params": "bar"}')[1], invalid)
        self.assertEqual(self.ask("[]")[1], invalid)
        self.assertEqual(self.ask("[1]")[1], [invalid])
        self.assertEqual(self.ask("[1,2,3]")[1], [invalid] * 3)
        status, answer = self.ask([
            {"jsonrpc": "2.0", "method": "getblockhash", "params": [0], "id": "1"},
            {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]},
            {"jsonrpc": "2.0", "method": "getblockhash", "params": {"height": 0}, "id": "2"},
            {"foo": "boo"},
            {"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"},
            {"jsonrpc": "2.0", "method": "getblockcount", "id": "9"}])
        genesis = self.n.rpc("getblockhash", 0)
        self.assertEqual(answer, [
            {"jsonrpc": "2.0", "result": genesis, "id": "1"},
            {"jsonrpc": "2.0", "result": genesis, "id": "2"}, invalid, missing | {"id": "5"},
            {"jsonrpc": "2.0", "result": 0, "id": "9"}])
        self.assertEqual(self.ask([{"jsonrpc": "2.0", "method": "uptime"},
                                   {"jsonrpc": "2.0", "method": "nosuch"}]), (204, None))

    def test_batches(self):
        calls = [{"jsonrpc": "2.0", "method": "getblockhash", "params": [0], "id": i}
                 for i in range(100)]
        status, answer = self.ask(calls)
        self.assertEqual([a["id"] for a in answer], list(range(100)))
        self.assertEqual(self.ask(calls + calls[:1])[1]["error"]["code"], -32600)
        # a change between reads is seen by those after it
        purse = Purse("batch")
        status, answer = self.ask([
            {"jsonrpc": "2.0", "method": "getblockcount", "id": 0},
            {"jsonrpc": "2.0", "method": "generatetoaddress", "params": [2, purse.address], "id": 1},
            {"jsonrpc": "2.0", "method": "getblockcount", "id": 2}])
        self.assertEqual((answer[0]["result"], len(answer[1]["result"]), answer[2]["result"]),
                         (0, 2, 2))

    def test_batches_of_waits(self):
        """A wait's end begins the batch's next call, which may end other waits of the batch."""
        calls = [{"jsonrpc": "2.0", "method": "waitforblockheight", "params": [4294967295, 1],
                  "id": i} for i in range(16)]
        calls.append({"jsonrpc": "2.0", "method": "waitforblockheight", "params": [0], "id": 16})
        want = {"hash": self.n.tip(), "height": 0}
        for _ in range(5):
            status, answer = self.ask(calls)
            self.assertEqual([(a["id"], a["result"]) for a in answer],
                             [(i, want) for i in range(17)])

    def test_older_clients(self):
        self.assertEqual(self.ask('{"method": "getblockcount", "params": [], "id": "x"}')[1],
                         {"result": 0, "error": None, "id": "x"})
        self.assertEqual(
            self.ask('{"jsonrpc": "1.0", "id": "curltest", "method": "nosuch", "params": []}')[1],
            {"result": None, "error": {"code": -32601, "message": "Method not found"},
             "id": "curltest"})

    def test_passwords(self):
        call = {"jsonrpc": "2.0", "id": 1, "method": "getblockcount"}
        self.assertEqual(self.ask(call, user=self.reader), (200, {"jsonrpc": "2.0", "result": 0,
                                                                  "id": 1}))
        for user in (("reader", "wrong"), ("nobody", "only reads"), ("", ""), ("reader", "")):
            status, headers, _ = self.post(json.dumps(call), user=user)
            self.assertEqual((status, headers.get("WWW-Authenticate")),
                             (401, 'Basic realm="rustycoin"'))
        for header in ({}, {"Authorization": "Basic !!!"}, {"Authorization": "Bearer x"},
                       {"Authorization": "Basic " + "QUFB" * 1000}):
            self.assertEqual(self.post(json.dumps(call), user=(), headers=header)[0], 401)
        # classes
        call["method"] = "setmocktime"
        call["params"] = [0]
        status, answer = self.ask(call, user=self.reader)
        self.assertEqual((status, answer["error"]["code"]), (403, -32053))
        call |= {"method": "sendrawtransaction", "params": ["00"]}
        self.assertEqual(self.ask(call, user=self.reader)[0], 403)
        self.assertEqual(self.ask(call, user=("submitter", "submits"))[1]["error"]["code"], -22)
        self.assertEqual(os.stat(self.n.cookie).st_mode & 0o777, 0o600)
        # the cookie is another after each start
        before = self.n.client.headers()
        self.n.restart("rpcd")
        self.n.wait_ready()
        self.assertNotEqual(self.n.client.headers(), before)

    def test_http(self):
        self.assertEqual(self.post("{}", path="/other")[0], 404)
        status, headers, _ = self.post(None, method="GET")
        self.assertEqual((status, headers["Allow"]), (405, "POST"))
        self.assertEqual(self.post("x", headers={"Content-Length": str(1 << 40)})[0], 413)
        # chunked bodies are as good as others
        chunks = iter([b'{"jsonrpc": "2.0", "id": 1,', b' "method": "getblockcount"}'])
        connection = http.client.HTTPConnection("127.0.0.1", self.n.rpc_port, timeout=60)
        connection.request("POST", "/", chunks, self.n.client.headers(), encode_chunked=True)
        self.assertEqual(json.loads(connection.getresponse().read())["result"], 0)
        connection.close()
        # the Unix socket needs no password
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(os.path.join(self.n.rundir, "rpcd", "rpcd.sock"))
            body = b'{"jsonrpc": "2.0", "id": 1, "method": "getblockcount"}'
            s.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            self.assertIn(b'"result":0', s.recv(4096))

    def test_passed_sockets(self):
        """As systemd passes them: LISTEN_FDS from descriptor 3 on, each by its name what it is for;
        they replace rpcd's own."""
        self.n.stop("rpcd")
        path = os.path.join(self.home, "passed.sock")
        with socket.socket(socket.AF_UNIX) as unix, socket.socket() as tcp, socket.socket() as ops, \
                socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
            unix.bind(path)
            for s in (tcp, ops):
                s.bind(("127.0.0.1", 0))
            for s in (unix, tcp, ops):
                s.listen()
            passed = [os.dup2(s.fileno(), at, inheritable=True)
                      for s, at in ((unix, 203), (ops, 204), (tcp, 205), (other, 206))]
            def start(names, n=3, **settings):
                script = "exec 3<&203 4<&204 5<&205 6<&206; exec \"$@\""
                script = f"export LISTEN_PID=$$ LISTEN_FDS={n} LISTEN_FDNAMES={names}; {script}"
                return subprocess.Popen(["/bin/bash", "-c", script, "bash", *self.n.command("rpcd")],
                                        pass_fds=passed, stdin=subprocess.DEVNULL, **settings)
            for names, n, words in (
                    ("rpc:rusty-rpcd.socket:rpc", 3, 'passed socket 4 has the name "rusty-rpcd.socket"'),
                    ("rpc:ops", 3, 'passed socket 5 has the name ""'),
                    ("rpc:ops:ops", 3, "passed socket 5 (ops): one socket has the name ops"),
                    ("ops:rpc:rpc", 3, "passed socket 3 (ops): one socket has the name ops, of TCP"),
                    ("rpc:ops:rpc:rpc", 4, "passed socket 6 (rpc) isn't a listening stream socket"),
                    ("rpc:ops:rpc", 9, "9 sockets are passed, there may be 7")):
                p = start(names, n, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
                out = p.communicate(timeout=30 * harness.SLOW)[0]
                self.assertEqual(p.returncode, 78, out)
                self.assertIn(words, out)
            with open(self.n.log_path("rpcd"), "ab") as log:
                self.n.processes["rpcd"] = start("rpc:ops:rpc", stdout=log, stderr=log)
            for fd in passed:
                os.close(fd)
            client = harness.Rpc(tcp.getsockname()[1], self.n.cookie)
            wait_for("an answer on the passed TCP socket",
                     lambda: client.call("getblockcount") == 0)
            client.close()
            c = http.client.HTTPConnection(*ops.getsockname(), timeout=30 * harness.SLOW)
            c.request("GET", "/livez")
            self.assertEqual(c.getresponse().status, 200)
            c.close()
        body = b'{"jsonrpc": "2.0", "id": 1, "method": "getblockcount"}'
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(path)
            s.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            self.assertIn(b'"result":0', s.recv(4096))
        self.assertFalse(os.path.exists(os.path.join(self.n.rundir, "rpcd", "rpcd.sock")))
        for port in (self.n.rpc_port, self.n.ops_port):
            with socket.socket() as s:
                self.assertNotEqual(s.connect_ex(("127.0.0.1", port)), 0)

    def test_too_few_descriptors(self):
        """A start that could let in more than it has descriptors for is refused, with the figures."""
        self.n.stop("rpcd")
        for more, words in ((["--rpc_connections", "600"],
                             "rpc_connections = 600 of 2 listeners needs 1520 descriptors, this "
                             "process may have 1519"),
                            (["--rpc_connections", "1"] + [a for i in range(2, 10) for a in
                                                           ("--rpc_bind", f"127.0.0.{i}")],
                             "rpc_bind has 8 addresses, it may have 7")):
            p = subprocess.run(["/bin/bash", "-c", "ulimit -n 1519; exec \"$@\"", "bash",
                                *self.n.command("rpcd"), *more], stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, timeout=30 * harness.SLOW,
                               check=False)
            self.assertEqual(p.returncode, 78, p.stdout)
            self.assertIn(words, p.stdout)

    def test_a_second_one(self):
        """Another rpcd with this run directory, and else nothing in common, leaves the first one's
        cookie as it is."""
        with open(self.n.cookie, encoding="ascii") as f:
            cookie = f.read()
        command = self.n.command("rpcd") + [
            "--rpc_port", str(harness.free_port()), "--ops_port", str(harness.free_port()),
            "--rpc_socket", os.path.join(self.home, "second.sock")]
        second = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                timeout=30 * harness.SLOW, check=False)
        self.assertEqual(second.returncode, 75, second.stdout)
        self.assertIn(f"in use by process {self.n.pid('rpcd')}", second.stdout)
        with open(self.n.cookie, encoding="ascii") as f:
            self.assertEqual(f.read(), cookie)
        self.assertEqual(self.n.rpc("getblockcount"), 0)

    def send(self, value, receive_buffer=None):
        """A connection on which a call was sent, its answer not read."""
        body = json.dumps(value).encode()
        head = "".join(f"{k}: {v}\r\n" for k, v in self.n.client.headers().items())
        s = socket.socket()
        if receive_buffer:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        s.settimeout(30 * harness.SLOW)
        s.connect(("127.0.0.1", self.n.rpc_port))
        s.sendall(f"POST / HTTP/1.1\r\nHost: x\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode()
                  + body)
        return s

    def test_hanging_up(self):
        """Who waits for an event and hangs up leaves his place at once, here and at chaind."""
        def call(method, *params):
            return {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        def in_flight():
            return self.n.rpc("getrpcinfo")["in_flight"]
        def pending():
            return self.n.metrics_of("chaind")["rustycoin_chaind_bus_pending_requests"]
        purse = Purse("waiter")
        self.n.rpc("generatetoaddress", 1, purse.address)
        known = self.n.rpc("getblocktemplate")["longpollid"]
        wait_for("only chaind's own polls", lambda: pending() <= 4)
        before = pending()
        polls = [call("waitfornewblock", 600000), call("waitforblockheight", 1000, 600000),
                 [call("waitfornewblock", 600000), call("getblockcount"),
                  call("waitforblockheight", 1000), call("waitfornewblock", 600000)],
                 call("getblocktemplate", {"longpollid": known, "timeout": 600000})]
        left = [self.send(p) for p in polls]
        stays = self.send(call("waitfornewblock", 600000))
        wait_for("all wait", lambda: in_flight() == 6 and pending() > before)
        for s in left:
            s.close()
        wait_for("one waits", lambda: in_flight() == 2, 10)
        wait_for("chaind keeps nothing for them", lambda: pending() == before, 10)
        self.n.rpc("generatetoaddress", 1, purse.address)
        self.assertIn(b'"height":2', stays.recv(65536))
        stays.close()

    def large_block(self):
        """The tip is a block whose answer has several MB."""
        purse = Purse("slow")
        self.n.rpc("generatetoaddress", 13, purse.address)
        coin = purse.coins(self.n)[0]
        tx = purse.sign(purse.build([coin], [(RUST // 1000, purse.lock)] * 30000), [coin])
        block = template_block(self.n, purse.lock, extra=[tx])
        self.assertIsNone(self.n.rpc("submitblock", block.encode().hex()))
        return purse

    def begun(self, body, user=None, length=None, path="/", more=""):
        """A connection on which a request was begun: headers, and so much of its body."""
        s = socket.create_connection(("127.0.0.1", self.n.rpc_port), timeout=30 * harness.SLOW)
        s.sendall(self.head(user, length, path, more) + body)
        return s

    def head(self, user=None, length=None, path="/", more=""):
        token = base64.b64encode(":".join(user or self.reader).encode()).decode()
        size = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
        return (f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {token}\r\n"
                f"{more}{size}\r\n\r\n").encode()

    def status_of(self, s):
        response = http.client.HTTPResponse(s)
        response.begin()
        response.read()
        return response.status

    def refused(self, status, length, **how):
        """The connection on which a refusal came, of a client that first sends all of its body."""
        s = self.begun(b"[", length=length, **how)
        # rpcd has one thread: when it has answered this, it has looked at those headers
        self.assertEqual(self.ask({"jsonrpc": "2.0", "id": 1, "method": "uptime"})[0], 200)
        s.sendall(b" " * (length - 1))
        self.assertEqual(self.status_of(s), status)
        return s

    def test_refused_bodies(self):
        """What is refused is read to its end, up to a bound: else its client loses the answer."""
        size = 1 << 20
        self.n.options["rpcd"] |= {"rpc_body_mb": 1}
        self.n.restart("rpcd")
        self.n.wait_ready()
        for status, how in ((413, {"length": 2 * size}), (404, {"length": size, "path": "/no"}),
                            (401, {"length": size, "user": ("reader", "wrong")})):
            with self.refused(status, **how) as s:
                body = b'{"jsonrpc": "2.0", "id": 1, "method": "uptime"}'
                s.sendall(self.head(length=len(body)) + body)
                self.assertEqual(self.status_of(s), 200)
        # Who asks before he sends a body, or would be cut off before its end, is told at once.
        for length, more in ((size + 1, "Expect: 100-continue\r\n"), (2 * size + 1, "")):
            with self.begun(b"", length=length, more=more) as s:
                self.assertEqual(self.status_of(s), 413)
        for how in ({}, {"path": "/no"}):
            chunk = b"%x\r\n%s\r\n" % (size, b" " * size)
            with self.begun(b"", **how) as s, self.assertRaises(OSError):
                for _ in range(64):     # more than sockets hold
                    s.sendall(chunk)

    def test_slow_bodies(self):
        """Bodies count as they come; an operator's have room of their own; none takes for ever."""
        size = 1 << 20
        self.n.options["rpcd"] |= {"rpc_body_mb": 1}
        self.n.restart("rpcd")
        self.n.wait_ready()
        call = {"jsonrpc": "2.0", "id": 1, "method": "getblockcount", "params": []}
        def held():
            return self.n.metrics_of("rpcd")["rustycoin_rpcd_body_bytes"]
        declared = [self.begun(b"[", length=size) for _ in range(20)]
        wait_for("all have begun", lambda: held() >= 20)
        self.assertEqual(self.ask(call, user=self.reader)[0], 200)
        for s in declared:
            s.close()
        wait_for("nothing is held", lambda: held() == 0)

        # Users have six of eight bodies; the operator has what is left.
        filled = [self.begun(b" " * (size - 1), length=size) for _ in range(6)]
        wait_for("all have come", lambda: held() == 6 * (size - 1))
        large = json.dumps(call) + " " * (size // 2)
        self.assertEqual(self.ask(large)[0], 200)
        self.assertEqual(self.post(large, user=self.reader)[0], 503)
        with self.refused(503, size // 2):
            pass
        chunk = b"%x\r\n%s\r\n" % (size // 2, b" " * (size // 2))
        with self.begun(chunk + b"0\r\n\r\n") as s:
            self.assertEqual(self.status_of(s), 503)
        for s in filled:
            s.close()
        wait_for("nothing is held", lambda: held() == 0)
        with self.begun(3 * chunk + b"0\r\n\r\n") as s:
            self.assertEqual(self.status_of(s), 413)

        self.n.options["rpcd"] |= {"rpc_body_seconds": 1}
        self.n.restart("rpcd")
        self.n.wait_ready()
        with self.begun(b" ", length=size) as s:
            s.settimeout(0.1)
            def cut_off():
                try:
                    s.sendall(b" ")
                    return s.recv(1) == b""
                except TimeoutError:
                    return False
                except OSError:
                    return True
            wait_for("it is cut off", cut_off, 20)

    def test_answers_of_an_operator(self):
        """Users who don't read their answers don't shut an operator's questions out."""
        self.n.options["rpcd"] |= {"rpc_answers_mb": 1}
        self.n.restart("rpcd")
        self.n.wait_ready()
        self.large_block()
        call = {"jsonrpc": "2.0", "id": 1, "method": "getblock", "params": [self.n.tip(), 2]}
        body = json.dumps(call).encode()
        slow = [self.begun(body, length=len(body)) for _ in range(2)]
        wait_for("too much is held", lambda: self.n.metrics_of("rpcd")
                 ["rustycoin_rpcd_answer_bytes"] > 1 << 20)
        self.assertEqual(self.post(json.dumps(call), user=self.reader)[0], 503)
        self.assertEqual(self.post(json.dumps(call))[0], 200)
        for s in slow:
            s.close()

    def test_slow_readers(self):
        """Answers that nobody reads have a bound; submissions and small questions get through."""
        limit = 1 << 20
        self.n.options["rpcd"] |= {"rpc_answers_mb": 1}
        self.n.restart("rpcd")
        self.n.wait_ready()
        purse = self.large_block()
        call = {"jsonrpc": "2.0", "id": 1, "method": "getblock", "params": [self.n.tip(), 2]}
        def held():
            return self.n.metrics_of("rpcd")["rustycoin_rpcd_answer_bytes"]
        slow = [self.send(call, receive_buffer=4096) for _ in range(6)]
        wait_for("too much is held", lambda: held() > limit // 2)
        wait_for("a refusal", lambda: self.n.metrics_of("rpcd")
                 ["rustycoin_rpcd_refused_busy_total"] > 0)
        self.assertLess(held(), 20 * limit)
        status, headers, answer = self.post(json.dumps(call))
        if status == 503 and answer.startswith(b"{"):
            self.assertEqual(json.loads(answer)["error"]["code"], -32052)
            self.assertIn("Retry-After", headers)
        self.assertEqual(status, 503)
        self.assertEqual(len(self.n.rpc("generatetoaddress", 1, purse.address)), 1)
        for s in slow:
            s.close()
        wait_for("nothing is held", lambda: held() == 0)
        # alone, an answer may be larger than the bound
        self.assertEqual(self.post(json.dumps(call))[0], 200)

    def test_slow_batches(self):
        """What a batch has already counts while its other calls go on, and is given back."""
        limit = 1 << 20
        self.n.options["rpcd"] |= {"rpc_answers_mb": 1}
        self.n.restart("rpcd")
        self.n.wait_ready()
        purse = self.large_block()
        block = {"jsonrpc": "2.0", "id": 1, "method": "getblock", "params": [self.n.tip(), 2]}
        wait = {"jsonrpc": "2.0", "id": 2, "method": "waitfornewblock", "params": [600000]}
        size = len(self.post(json.dumps(block))[2])
        self.assertGreater(size, limit)
        def metric(name):
            return self.n.metrics_of("rpcd")["rustycoin_rpcd_" + name]
        wait_for("nothing is held", lambda: metric("answer_bytes") == 0)
        # kept blocks are shown one or two a turn of the loop, each in its place
        status, answers = self.ask([block | {"id": i} for i in range(6)])
        self.assertEqual((status, [a["id"] for a in answers]), (200, list(range(6))))
        self.assertEqual({json.dumps(a["result"]) for a in answers},
                         {json.dumps(self.n.rpc("getblock", *block["params"]))})
        wait_for("nothing is held", lambda: metric("answer_bytes") == 0)
        for hangs_up in (True, False):
            refused = metric("refused_busy_total")
            batches = [self.send([block] * 15 + [wait]) for _ in range(4)]
            wait_for("refusals", lambda: metric("refused_busy_total") >= refused + 40)
            self.assertGreater(metric("answer_bytes"), limit)
            self.assertLess(metric("answer_bytes"), 20 * size)
            self.assertEqual(self.post(json.dumps(block))[0], 503)
            # what became of submissions is told, whatever its size
            status, answers = self.ask([{"jsonrpc": "2.0", "id": i, "method": "sendrawtransaction",
                                         "params": ["00"]} for i in range(60)])
            self.assertEqual((status, [a["error"]["code"] for a in answers]), (200, [-22] * 60))
            if not hangs_up:
                self.n.rpc("generatetoaddress", 1, purse.address)
            for s in batches:
                if not hangs_up:
                    response = http.client.HTTPResponse(s)
                    response.begin()
                    answers = json.loads(response.read())
                    self.assertEqual(len(answers), 16)
                    self.assertLessEqual({a["error"]["code"] for a in answers if "error" in a},
                                         {-32052})
                s.close()
            wait_for("nothing is held", lambda: metric("answer_bytes") == 0)
            self.assertEqual(self.post(json.dumps(block))[0], 200)

    def test_metrics(self):
        """The operations listener shows of rpcd what rustyctl is told, too."""
        wait_for("all of rpcd's own", lambda: {n.split("{")[0] for n in self.n.metrics_of("rpcd")} <=
                 {n.split("{")[0] for n in self.n.metrics()})

    def test_garbage(self):
        """Whatever comes in is answered or cut; the next caller is served."""
        import random
        rng = random.Random(5)
        for n in range(60):
            with socket.create_connection(("127.0.0.1", self.n.rpc_port), timeout=30) as s:
                kind = n % 4
                if kind == 0:
                    s.sendall(rng.randbytes(rng.randint(1, 2000)))
                elif kind == 1:
                    s.sendall(b"POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\nabc")
                elif kind == 2:
                    s.sendall(b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 5000)
                else:
                    s.sendall(b"POST / HTTP/9.9\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n")
        for body in (b"\xff\xfe", b"[" * 100000, b'{"a":' * 50000, b'"' + b"a" * 100000, b"nul",
                     b'{"jsonrpc":"2.0","id":1,"method":"getblockcount","params":[1e400]}',
                     b'{"jsonrpc":"2.0","id":1,"method":"\\ud800","params":[]}',
                     b'{"jsonrpc":"2.0","id":1,"method":"uptime","params":[99999999999999999999]}'):
            status, _, answer = self.post(body)
            self.assertEqual(status, 200)
            self.assertIn("error", json.loads(answer))
        self.assertEqual(self.n.rpc("getblockcount"), 0)
        self.assertEqual(self.n.rpc("getrpcinfo")["in_flight"], 1)


class Holding(harness.TestCase):
    def test_large_answers_in_turn(self):
        """Few large answers are on their way at once; the others wait here, and all come. What a
        reader's bodies are made into is bounded, too."""
        secret = "let me in"
        digest = hmac.new(b"5a17", secret.encode(), hashlib.sha256).hexdigest()
        node = self.node(options={"rpcd": {"block_cache_mb": 0, "rpcauth": [
            f"reader:5a17${digest}:read"]}})
        node.rpc("generatetoaddress", 8, Purse("turn").address)
        ids = [node.rpc("getblockhash", h) for h in range(9)]
        want = [node.rpc("getblock", i, 2) for i in ids]
        asked = []
        def ask(body):
            c = http.client.HTTPConnection("127.0.0.1", node.rpc_port, timeout=60 * harness.SLOW)
            token = base64.b64encode(f"reader:{secret}".encode()).decode()
            c.request("POST", "/", json.dumps(body), {"Authorization": f"Basic {token}"})
            asked.append(c)
        def call(method, *params):
            return {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        def metric(name):
            return node.metrics_of("rpcd")["rustycoin_rpcd_" + name]
        os.kill(node.pid("chaind"), signal.SIGSTOP)
        try:
            for i in ids:
                ask(call("getblock", i, 2))
            wait_for("four are asked for, the others wait", lambda: metric("in_flight") == 9 and
                     metric("waiting_for_room") == 5)
        finally:
            os.kill(node.pid("chaind"), signal.SIGCONT)
        self.assertEqual(want, [json.loads(c.getresponse().read())["result"] for c in asked])
        self.assertEqual(metric("waiting_for_room"), 0)

        for c in asked:
            c.close()
        asked.clear()
        for _ in range(20):
            ask([call("waitfornewblock", 600000), [{}] * 50000])
        wait_for("some wait, some are refused", lambda: metric("refused_busy_total") + metric(
            "in_flight") == 20)
        self.assertGreater(metric("refused_busy_total"), 10)
        self.assertGreater(metric("in_flight"), 1)
        self.assertEqual(node.rpc("getblockcount"), 8)
        for c in asked:
            c.close()
        wait_for("all is given back", lambda: metric("body_bytes") == 0, 20)

    def test_requests_wait_for_a_restart(self):
        node = self.node(options={"rpcd": {"hold_ms": 20000 * harness.SLOW}})
        purse = Purse("hold")
        node.rpc("generatetoaddress", 2, purse.address)
        for daemon, method, args in (("chaind", "getblockhash", [1]),
                                     ("utxod", "gettxout", [ID, 0, False]),
                                     ("peerd", "getpeerinfo", [])):
            want = node.rpc(method, *args)
            node.kill(daemon)
            asked = harness.Rpc(node.rpc_port, node.cookie)
            asked.connection = http.client.HTTPConnection("127.0.0.1", node.rpc_port, timeout=120)
            asked.connection.request("POST", "/", json.dumps(
                {"jsonrpc": "2.0", "id": 1, "method": method, "params": args}), asked.headers())
            wait_for("it is held", lambda: node.rpc("getrpcinfo")["in_flight"] >= 2)
            wait_for("health says so", lambda: not node.rpc("gethealth")["ready"])
            node.start(daemon)
            answer = json.loads(asked.connection.getresponse().read())
            self.assertEqual(answer.get("result", answer), want, daemon)
            asked.close()
            node.wait_ready()

    def test_half_closed(self):
        """Who ends his sending, as nc -N does, is answered: all of his batch."""
        node = self.node(options={"rpcd": {"hold_ms": 20000 * harness.SLOW}})
        want = node.rpc("getblockhash", 0)
        node.kill("chaind")
        body = json.dumps([{"jsonrpc": "2.0", "id": i, "method": "getblockhash", "params": [0]}
                           for i in range(40)]).encode()
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(30 * harness.SLOW)
            s.connect(os.path.join(node.rundir, "rpcd", "rpcd.sock"))
            s.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            s.shutdown(socket.SHUT_WR)
            wait_for("it is held", lambda: node.rpc("getrpcinfo")["in_flight"] >= 2)
            # Those who wait are looked at each second: who waits for an event and hangs up loses his
            # place by that, so all were looked at.
            later = http.client.HTTPConnection("127.0.0.1", node.rpc_port, timeout=120)
            later.request("POST", "/", json.dumps({"jsonrpc": "2.0", "id": 1,
                "method": "waitforblockheight", "params": [1000, 600000]}), node.client.headers())
            wait_for("another waits", lambda: node.rpc("getrpcinfo")["in_flight"] >= 3)
            later.close()
            wait_for("who hung up is gone", lambda: node.rpc("getrpcinfo")["in_flight"] <= 2)
            node.start("chaind")
            response = http.client.HTTPResponse(s)
            response.begin()
            self.assertEqual([a.get("result") for a in json.loads(response.read())], [want] * 40)

    def test_a_batch_at_the_end(self):
        """rpcd stops while a batch waits for a daemon: what is left of it is begun nowhere."""
        node = self.node(options={"rpcd": {"hold_ms": 60000}})
        node.kill("chaind")
        asked = http.client.HTTPConnection("127.0.0.1", node.rpc_port, timeout=120)
        asked.request("POST", "/", json.dumps(
            [{"jsonrpc": "2.0", "id": i, "method": method, "params": params}
             for i, (method, params) in enumerate((
                 ("invalidateblock", [ID]), ("waitfornewblock", [60000]), ("getblockhash", [0])))]),
                      node.client.headers())
        wait_for("it is held", lambda: node.rpc("getrpcinfo")["in_flight"] >= 2)
        node.stop("rpcd")
        asked.close()
        self.assertFalse(os.path.exists(node.cookie))

    def test_given_up(self):
        node = self.node(options={"rpcd": {"hold_ms": 100}})
        node.kill("chaind")
        status, body = node.client.post(json.dumps(
            {"jsonrpc": "2.0", "id": 1, "method": "getblockhash", "params": [0]}))
        error = json.loads(body)["error"]
        self.assertEqual((status, error["code"], error["data"]["daemon"]), (503, -32050, "chaind"))
        self.assertGreater(error["data"]["retry_ms"], 0)
        wait_for("readyz says so", lambda: self.ops(node, "/readyz")[0] == 503)
        self.assertIn("chaind", self.ops(node, "/readyz")[1])
        self.assertEqual(self.ops(node, "/livez")[0], 200)
        self.assertEqual(self.ops(node, "/startupz")[0], 200)
        node.start("chaind").wait_ready()
        wait_for("readyz", lambda: self.ops(node, "/readyz")[0] == 200)
        wait_for("metrics of all daemons", lambda: {"chaind", "utxod", "peerd", "rpcd"} <= {
            name.split("_")[1] for name in node.metrics()})

    def test_given_up_is_not_done_later(self):
        """What was held and given up is not done when the daemon comes, and says so; what had gone
        out already says that it may have been."""
        node = self.node(options={"rpcd": {"hold_ms": 300}})
        node.rpc("generatetoaddress", 2, Purse("given up").address)
        tip = node.tip()
        node.kill("chaind")
        for method, params in (("invalidateblock", [tip]), ("submitheader", ["00" * 118])):
            error = self.refused(-32050, node.rpc, method, *params)
            self.assertIs(error.data["maybe_done"], False, error)
            self.assertIn("it was not done", error.message)
        error = self.refused(-32050, node.rpc, "getblockhash", 0)
        self.assertNotIn("maybe_done", error.data)
        node.start("chaind").wait_ready()
        # Of the same class, so asked after what was given up.
        node.rpc("logging", "chaind", "info")
        self.assertEqual(node.tip(), tip)
        self.assertEqual(node.rpc("getblockcount"), 2)

        os.kill(node.pid("chaind"), signal.SIGSTOP)
        asked = http.client.HTTPConnection("127.0.0.1", node.rpc_port, timeout=120)
        asked.request("POST", "/", json.dumps({"jsonrpc": "2.0", "id": 1,
            "method": "invalidateblock", "params": [tip]}), node.client.headers())
        wait_for("it is asked", lambda: node.rpc("getrpcinfo")["in_flight"] >= 2)
        node.kill("chaind")
        error = json.loads(asked.getresponse().read())["error"]
        asked.close()
        self.assertEqual((error["code"], error["data"]["maybe_done"]), (-32050, True))
        self.assertIn("may have been done", error["message"])
        self.assertGreaterEqual(node.rpc("getrpcinfo")["held_too_long"], 4)
        node.start("chaind").wait_ready()

    def ops(self, node, path):
        connection = http.client.HTTPConnection("127.0.0.1", node.ops_port, timeout=30)
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read().decode()
        connection.close()
        return response.status, body


if __name__ == "__main__":
    harness.main()
