#!/usr/bin/python3
"""Each RPC method with right and wrong arguments; what waits while a daemon is away."""
import base64
import hashlib
import hmac
import http.client
import json
import os
import re
import signal
import socket

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
