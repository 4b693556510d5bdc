#!/usr/bin/python3
"""rusty-wallet from its command line, against a stand-in for the node that knows some coins.

The node's answers have the shape that rpcd's have; what is tested here is the program: words,
passphrases, refusals, exit codes, and that nothing changes when something is refused.
"""
import fcntl
import http.server
import json
import os
import pty
import select
import signal
import subprocess
import tempfile
import termios
import threading
import time
import unittest

from purse import parse_transaction, shown

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(TOP, os.environ.get("BUILD", "build"))
WALLET = os.path.join(BUILD, "bin", "rusty-wallet")
REG_ID = "d975ca3ce3bf84320bf85cc0f052625cc4b1d11ec903eb48a912eff2267d0386"
WORDS = "abandon " * 11 + "about"
# A wallet of these words on reg under the passphrase "p w", at scrypt's least price (N = 2): the many
# commands of these tests would cost a third of a second each otherwise.
CHEAP = bytes.fromhex(
    "524357414c4c45540100d975ca3ce3bf84320bf85cc0f052625cc4b1d11ec903eb48a912eff2267d03860108"
    "000000010000002b41555ab027e796238658433193822e8066c7d3ddb8203a3691373cbfb9353b204d984e4f"
    "55fa7af2361e812d000000e7ba8ff81b8069be082e820c8a6e441172ef0f5a5b90807a6c6db48378c6d606b6"
    "09d18e2232519e0d297ce43c")
# Of these words on reg, by an independent program (tests/unit/test_wallet.c names the path).
FIRST = "rcrt1pqt35qwxpq243yety2l98a0zxgpr73f6pd47grffa6nrt780vmgrsxcczhj"
OTHER = "rcrt1p6tq4490n5kdf8rjrzaf7n8yzwkcska7erfyvktxxlzhlccveysaqd6hjjn"


def txid_of(raw):
    return shown(parse_transaction(bytes.fromhex(raw)).txid)


class FakeNode:
    """Answers the five methods the wallet uses."""

    def __init__(self):
        self.network_id = REG_ID
        self.coins = []  # (address, oxides, txid, vout, height, coinbase)
        self.sent = []
        self.refuse = None
        self.fail = None  # an error object for sendrawtransaction
        self.hang_up = None  # a method that gets no answer
        self.before = {}  # of a method: what is done before it is
        self.coins_max = 1000  # in one answer
        self.blocks = 0  # so many come between two pages
        self.asked = []
        node = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                node.asked.append(request["method"])
                node.before.pop(request["method"], lambda: None)()
                answer = {"jsonrpc": "2.0", "id": request["id"]}
                answer.update(node.answer(request["method"], request.get("params", [])))
                if request["method"] == node.hang_up:
                    self.close_connection = True
                    return
                body = json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.handle_error = lambda *args: None  # a wallet that was killed
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, method, params):
        if method == "getblockchaininfo":
            return {"result": {"chain": "reg", "blocks": 120, "network_id": self.network_id}}
        if method == "getaddressutxos":
            asked = params[0]["addresses"]
            begin = int(params[0].get("after", "0"))
            if begin and self.blocks:
                self.blocks -= 1
                return {"error": {"code": -32051, "message": "the tip moved"}}
            coins = [c for c in self.coins if c[0] in asked]
            end = begin + min(params[0]["limit"], self.coins_max)
            more = {"next": str(end)} if end < len(coins) else {}
            return {"result": {**more, "utxos": [
                {"txid": txid, "vout": vout, "address": a, "lock": "", "value": "",
                 "value_oxides": v, "height": h, "confirmations": 120 - h + 1 if h else 0,
                 "coinbase": cb, "mature": True, "spent": False}
                for a, v, txid, vout, h, cb in coins[begin:end]], "anchor": {}}}
        if method == "sendrawtransaction":
            if self.refuse:
                return {"error": {"code": -26, "message": "no", "data": {"verdict": self.refuse}}}
            if self.fail:
                return {"error": self.fail}
            self.sent.append(params[0])
            return {"result": txid_of(params[0])}
        if method == "gettxout":
            for a, v, txid, vout, h, cb in self.coins:
                if [txid, vout] == params[:2]:
                    return {"result": {"confirmations": 120 - h + 1 if h else 0, "value_oxides": v,
                                       "lock": {"type": "key", "address": a}, "coinbase": cb,
                                       "anchor": {"height": 120}}}
            return {"result": None}
        return {"error": {"code": -32601, "message": "no such method"}}

def own_terminal(tty):
    """In a new process: this is its terminal, and Ctrl-C ends it whatever the caller ignores."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    fcntl.ioctl(tty, termios.TIOCSCTTY, 0)


class WalletTest(unittest.TestCase):
    def setUp(self):
        self.node = FakeNode()
        self.dir = tempfile.TemporaryDirectory(prefix="rc-wallet-")
        self.path = os.path.join(self.dir.name, "w")
        cookie = os.path.join(self.dir.name, "cookie")
        with open(cookie, "w", encoding="ascii") as f:
            f.write("user:password")
        self.remote = ["--rpc-url", f"http://127.0.0.1:{self.node.port}", "--cookie", cookie]

    def tearDown(self):
        self.node.server.shutdown()
        self.node.server.server_close()
        self.dir.cleanup()

    def run_wallet(self, *args, secrets=("p w",), options=("--passphrase-fd",), code=0):
        """Runs a command; secrets go through descriptors, one after each of options."""
        fds, extra = [], []
        for option, text in zip(options, secrets):
            r, w = os.pipe()
            os.write(w, (text + "\n").encode())
            os.close(w)
            fds.append(r)
            extra += [option, str(r)]
        p = subprocess.run([WALLET, *args, "--wallet", self.path, *extra], pass_fds=fds,
                           stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        for fd in fds:
            os.close(fd)
        self.assertEqual(p.returncode, code, p.stderr + p.stdout)
        return p.stdout if code == 0 else p.stderr

    @unittest.skipIf("san" in BUILD, "sanitizers watch free themselves")
    def test_words_are_wiped(self):
        """No block of memory is given back with words in it."""
        watch = os.path.join(self.dir.name, "watch.so")
        found = os.path.join(self.dir.name, "found")
        subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", watch,
                        os.path.join(TOP, "tests/functional/watch_free.c")], check=True)
        os.environ.update(LD_PRELOAD=watch, WATCH_FREE=found)
        try:
            self.run_wallet("create", "--network", "reg")
            os.unlink(self.path)
            made = json.loads(self.run_wallet("create", "--network", "reg", "--json"))
        finally:
            del os.environ["LD_PRELOAD"], os.environ["WATCH_FREE"]
        self.assertEqual(len(made["words"].split()), 24)
        with open(found, encoding="ascii") as f:
            self.assertEqual(sorted(set(f.read().split("\n"))), ["", "watching"])

    def restore(self):
        with open(self.path, "wb") as f:
            f.write(CHEAP)

    def content(self):
        with open(self.path, "rb") as f:
            return f.read()

    def test_create_and_restore(self):
        made = json.loads(self.run_wallet("create", "--network", "reg", "--json"))
        self.assertEqual(len(made["words"].split()), 24)
        self.assertEqual(os.stat(self.path).st_mode & 0o777, 0o600)
        first = self.run_wallet("address").strip()
        before = self.content()
        self.assertIn("is there already", self.run_wallet("create", "--network", "reg", code=1))
        self.assertIn("wrong passphrase", self.run_wallet("info", secrets=("q",), code=77))
        self.assertIn("not one of network", self.run_wallet("info", "--network", "main", code=1))
        self.assertEqual(self.content(), before)
        os.unlink(self.path)
        self.run_wallet("restore", "--network", "reg", "--offline",
                        secrets=("another", made["words"].upper()),
                        options=("--passphrase-fd", "--words-fd"))
        self.assertEqual(self.run_wallet("address", secrets=("another",)).strip(), first)
        self.run_wallet("passphrase", "change", secrets=("another", "third"),
                        options=("--passphrase-fd", "--new-passphrase-fd"))
        self.run_wallet("info", secrets=("another",), code=77)
        info = json.loads(self.run_wallet("info", "--json", secrets=("third",)))
        self.assertEqual((info["path"], info["next_receive"]), ("m/86'/1'/0'", 1))
        self.assertEqual(info["network_id"], REG_ID)

    def test_words_of_no_wallet(self):
        """No words are written where no wallet is made."""
        self.restore()
        words = os.path.join(self.dir.name, "words")
        for passphrase, code in (("p w", 1), ("", 64)):
            with open(words, "w", encoding="ascii") as f:
                p = subprocess.run([WALLET, "create", "--network", "reg", "--wallet", self.path,
                                    "--words-fd", str(f.fileno()), "--passphrase-fd", "0"],
                                   pass_fds=[f.fileno()], input=passphrase + "\n", text=True,
                                   capture_output=True, timeout=60)
            self.assertEqual((p.returncode, p.stdout), (code, ""), p.stderr)
            self.assertEqual(os.path.getsize(words), 0)
            self.path += "2"
        self.assertFalse(os.path.exists(self.path))
        # A descriptor that takes no words: no wallet either.
        with open("/dev/full", "w", encoding="ascii") as f:
            p = subprocess.run([WALLET, "create", "--network", "reg", "--wallet", self.path,
                                "--words-fd", str(f.fileno()), "--passphrase-fd", "0"],
                               pass_fds=[f.fileno()], input="p w\n", text=True,
                               capture_output=True, timeout=60)
        self.assertEqual(p.returncode, 74, p.stderr)
        self.assertFalse(os.path.exists(self.path))

    def test_bad_words(self):
        for words, why in [("abandon " * 12, "don't belong together"), ("abandon zoo", "12, 15"),
                           (WORDS.replace("about", "abuot"), "word 12")]:
            error = self.run_wallet("restore", "--network", "reg", "--offline",
                                    secrets=("p", words), code=64,
                                    options=("--passphrase-fd", "--words-fd"))
            self.assertIn(why, error)
        self.assertFalse(os.path.exists(self.path))

    def test_scan_and_balance(self):
        self.restore()
        self.assertEqual(self.run_wallet("address", "new").strip(), FIRST)
        for _ in range(19):
            last = self.run_wallet("address", "new").strip()
        os.unlink(self.path)
        self.node.coins = [(FIRST, 150000000, "11" * 32, 0, 5, False),
                           (last, 50000000, "22" * 32, 7, 115, True),
                           (last, 25000000, "33" * 32, 1, 0, False)]
        found = json.loads(self.run_wallet(
            "restore", "--network", "reg", "--json", *self.remote, secrets=("p w", WORDS),
            options=("--passphrase-fd", "--words-fd")))
        self.assertEqual(found["coins"], 3)
        info = json.loads(self.run_wallet("info", "--json"))
        self.assertEqual(info["next_receive"], 20)
        balance = json.loads(self.run_wallet("balance", "--json", *self.remote))
        self.assertEqual(balance["confirmed"], "1.50000000")
        named = [arg.replace("127.0.0.1", "localhost") for arg in self.remote]
        self.assertEqual(json.loads(self.run_wallet("balance", "--json", *named)), balance)
        self.assertEqual(balance["immature_oxides"], 50000000)
        self.assertEqual(balance["unconfirmed_oxides"], 25000000)
        coins = json.loads(self.run_wallet("listunspent", "--json", *self.remote))
        self.assertEqual([c["spendable"] for c in coins], [True, False, False])
        self.assertIn("txid " + "11" * 32, self.run_wallet("listunspent", *self.remote))

    def test_send(self):
        self.restore()
        self.run_wallet("address", "new")
        self.node.coins = [(FIRST, 150000000, "11" * 32, 0, 5, False),
                           (FIRST, 70000000, "22" * 32, 1, 6, False)]
        before = self.content()
        dry = json.loads(self.run_wallet("send", OTHER, "1.2", "--dry-run", "--json", *self.remote))
        self.assertEqual(self.content(), before)
        self.assertFalse(dry["sent"])
        self.assertEqual(dry["size"], len(dry["hex"]) // 2)
        self.assertEqual(dry["fee_oxides"], dry["size"])
        self.assertEqual(dry["change_oxides"], 30000000 - dry["fee_oxides"])
        sent = json.loads(self.run_wallet("send", OTHER, "1.2", "--json", *self.remote))
        self.assertEqual(sent["txid"], dry["txid"])
        self.assertEqual(len(self.node.sent), 1)
        self.assertEqual(json.loads(self.run_wallet("info", "--json"))["next_change"], 1)
        every = json.loads(self.run_wallet("send", OTHER, "all", "--dry-run", "--json",
                                           "--fee", "0.001", *self.remote))
        self.assertEqual(every["amount_oxides"], 220000000 - 100000)
        named = json.loads(self.run_wallet("send", OTHER, "0.5", "--dry-run", "--json", "--coin",
                                           "22" * 32 + ":1", "--subtract-fee", *self.remote))
        self.assertEqual(named["inputs"], 1)
        self.assertEqual(named["amount_oxides"], 50000000 - named["fee_oxides"])

    def test_send_refusals(self):
        self.restore()
        self.run_wallet("address", "new")
        self.node.coins = [(FIRST, 150000000, "11" * 32, 0, 5, False)]
        before = self.content()
        for args, code, why in [
                ((OTHER, "1.5"), 1, "not enough"),
                ((OTHER, "0.000000001"), 64, "no amount"),
                ((OTHER, "-1"), 64, None),
                ((OTHER, "1e3"), 64, "no amount"),
                ((OTHER, "0.00000545"), 1, "too little"),
                ((OTHER[:-1] + "q", "1"), 64, "checksum"),
                ((FIRST.replace("rcrt", "rc"), "1"), 64, "checksum"),
                (("rc1p6tq4490n5kdf8rjrzaf7n8yzwkcska7erfyvktxxlzhlccveysaqzt3eym", "1"), 1,
                 "another network"),
                ((OTHER, "1", "--coin", "33" * 32 + ":0"), 1, "not this wallet's"),
                ((OTHER, "1", "--coin", "zz:0"), 64, "is no coin"),
                ((OTHER, "1", "--coin", "11" * 32 + ":0", "--coin", "11" * 32 + ":0"), 64, "twice"),
                ((OTHER, "1", "--fee", "0.2"), 1, "--max-fee"),
                ((OTHER, "1", "--fee", "1", "--fee-rate", "1"), 64, "either"),
                ((OTHER, "1", "--fee-rate", "x"), 64, "not a value"),
                ((OTHER,), 64, "arguments"),
                ((OTHER, "1", "--words", "12"), 64, "no option")]:
            error = self.run_wallet("send", *args, *self.remote, code=code)
            if why:
                self.assertIn(why, error)
        self.assertEqual(self.content(), before)
        self.assertEqual(self.node.sent, [])
        self.node.refuse = "tx-input-missing"
        self.assertIn("tx-input-missing",
                      self.run_wallet("send", OTHER, "1", *self.remote, code=1))

    def test_send_without_answer(self):
        """Who doesn't know whether he paid is told the id, and not to pay again unseen."""
        self.restore()
        self.run_wallet("address", "new")
        self.node.coins = [(FIRST, 150000000, "11" * 32, 0, 5, False)]
        dry = json.loads(self.run_wallet("send", OTHER, "all", "--dry-run", "--json", *self.remote))
        self.node.hang_up = "sendrawtransaction"
        error = self.run_wallet("send", OTHER, "all", *self.remote, code=76)
        self.assertIn(dry["txid"] + " may have been sent", error)
        self.assertEqual(os.stat(self.path + ".pending").st_mode & 0o777, 0o600)
        self.node.hang_up = "getaddressutxos"
        again = json.loads(self.run_wallet("send", OTHER, "all", "--json", *self.remote))
        self.assertEqual((again["txid"], again["again"]), (dry["txid"], True))
        self.assertEqual(len(self.node.sent), 2)
        self.assertEqual(len(set(self.node.sent)), 1, "another transaction than the first")
        self.assertFalse(os.path.exists(self.path + ".pending"))
        # Settled and told: this is a new payment, and fails before anything is sent.
        error = self.run_wallet("send", OTHER, "all", *self.remote, code=74)
        self.assertNotIn("may have been sent", error)

    def two_coins(self):
        self.restore()
        self.run_wallet("address", "new")
        self.node.coins = [(FIRST, 150000000, "11" * 32, 0, 5, False),
                           (FIRST, 70000000, "22" * 32, 1, 6, False)]

    def spend(self, raw):
        """The node's coins without those that a sent transaction spends."""
        self.node.coins = [c for c in self.node.coins if bytes.fromhex(c[2])[::-1].hex() not in raw]

    def test_answers_that_do_not_tell(self):
        """Each of these may have been sent: exit 76, the same again, whatever the fee, pays once."""
        self.two_coins()
        for fail in ({"code": -32050, "message": "chaind is away"},
                     {"code": -32052, "message": "busy"}, {"code": -32603, "message": "?"}):
            with self.subTest(fail=fail):
                self.node.fail, self.node.sent = fail, []
                error = self.run_wallet("send", OTHER, "0.5", *self.remote, code=76)
                txid = error.split("transaction ")[1].split()[0]
                error = self.run_wallet("send", OTHER, "0.5", *self.remote, code=76)
                self.assertIn(txid, error)
                kept = json.loads(self.run_wallet("pending", "--json"))
                self.assertEqual((kept["txid"], kept["address"]), (txid, OTHER))
                self.node.fail = None
                told = json.loads(self.run_wallet("send", OTHER, "0.50", "--fee-rate", "7", "--json",
                                                  *self.remote))
                self.assertEqual(told["txid"], txid)
                self.assertEqual(self.node.sent, [kept["hex"]])
                self.assertIn("no", self.run_wallet("pending"))

    def test_in_chain_already(self):
        self.two_coins()
        self.node.hang_up = "sendrawtransaction"
        self.run_wallet("send", OTHER, "0.5", *self.remote, code=76)
        self.node.hang_up = None
        self.node.fail = {"code": -27, "message": "in the chain", "data": {"verdict": "tx-in-chain"}}
        for _ in range(2):   # resent, it is still kept: who ordered it wasn't told
            told = json.loads(self.run_wallet("pending", "resend", "--json", *self.remote))
            self.assertEqual((told["txid"], told["kept"]), (txid_of(self.node.sent[0]), True))
        again = json.loads(self.run_wallet("send", OTHER, "0.5", "--json", *self.remote))
        self.assertEqual((again["txid"], again["again"]), (told["txid"], True))
        self.assertIn("no payment is pending",
                      self.run_wallet("pending", "resend", *self.remote, code=1))

    def test_another_payment_after_an_unsettled_one(self):
        """Another order neither pays nor forgets the first, which is paid once when asked again."""
        self.two_coins()
        self.node.hang_up = "sendrawtransaction"
        self.run_wallet("send", OTHER, "0.5", "--id", "week 1", *self.remote, code=76)
        self.node.hang_up = None
        txid = txid_of(self.node.sent[0])
        for other in ((FIRST, "0.2"), (OTHER, "0.5"), (OTHER, "0.5", "--id", "week 2"),
                      (OTHER, "0.6", "--id", "week 1")):
            error = self.run_wallet("send", *other, *self.remote, code=76)
            for part in ("nothing was paid", txid, OTHER, "week 1", "ago", "show|resend|drop"):
                self.assertIn(part, error)
        self.assertEqual(len(self.node.sent), 1)
        kept = json.loads(self.run_wallet("pending", "--json"))
        self.assertEqual((kept["id"], kept["txid"]), ("week 1", txid))
        told = json.loads(self.run_wallet("send", OTHER, "0.5", "--id", "week 1", "--json",
                                          *self.remote))
        self.assertEqual((told["txid"], told["again"], told["made"]), (txid, True, kept["made"]))
        self.assertEqual(set(self.node.sent), {kept["hex"]})
        self.spend(self.node.sent[0])
        told = json.loads(self.run_wallet("send", OTHER, "0.5", "--id", "week 2", "--json",
                                          *self.remote))
        self.assertNotEqual(told["txid"], txid)
        self.assertNotIn("again", told)
        for bad in ("", "x" * 201, "a\nb", b"\xff"):
            self.run_wallet("send", OTHER, "0.5", "--id", bad, *self.remote, code=64)

    def test_age_of_a_payment(self):
        """Who gives last week's command again is told that this isn't a new payment."""
        self.two_coins()
        self.node.hang_up = "sendrawtransaction"
        self.run_wallet("send", OTHER, "0.5", *self.remote, code=76)
        self.node.hang_up = None
        with open(self.path + ".pending", encoding="ascii") as f:
            kept = json.load(f)
        kept["made"] -= 7 * 86400
        with open(self.path + ".pending", "w", encoding="ascii") as f:
            json.dump(kept, f)
        self.assertIn("(7 days ago)", self.run_wallet("send", OTHER, "1", *self.remote, code=76))
        told = json.loads(self.run_wallet("send", OTHER, "0.5", "--json", *self.remote))
        self.assertGreaterEqual(told["age_seconds"], 7 * 86400)

    def test_refusals_and_pending(self):
        """Refused when it was new: no payment. Refused later: kept, until somebody drops it."""
        self.two_coins()
        self.node.refuse = "tx-fee-low"
        self.assertIn("tx-fee-low", self.run_wallet("send", OTHER, "1", *self.remote, code=1))
        self.assertFalse(os.path.exists(self.path + ".pending"))
        self.node.refuse, self.node.hang_up = None, "sendrawtransaction"
        self.run_wallet("send", OTHER, "0.5", *self.remote, code=76)
        self.node.refuse, self.node.hang_up = "tx-fee-low", None
        error = self.run_wallet("send", OTHER, "0.5", *self.remote, code=76)
        self.assertIn("pending drop", error)
        self.node.server.shutdown()
        self.node.server.server_close()
        self.run_wallet("send", OTHER, "0.5", *self.remote, code=76)    # no node: not known either
        self.run_wallet("send", OTHER, "0.5", "--dry-run", *self.remote, code=69)
        txid = txid_of(self.node.sent[0])
        spent = [f"{shown(i.outpoint[0])}:{i.outpoint[1]}" for i in
                 parse_transaction(bytes.fromhex(self.node.sent[0])).inputs]
        self.assertEqual(json.loads(self.run_wallet("pending", "show", "--json"))["coins"], spent)
        self.assertIn("coins: " + " ".join(spent), self.run_wallet("pending"))
        self.assertEqual(json.loads(self.run_wallet("pending", "drop", "--json")),
                         {"dropped": txid, "coins": spent})
        self.run_wallet("send", OTHER, "0.5", *self.remote, code=69)
        self.run_wallet("pending", "forget", code=64)
        self.node = FakeNode()

    def test_killed_while_sending(self):
        """Ended at these moments, and asked again until it answers: one transaction, told once."""
        for moment in ("getaddressutxos", "sendrawtransaction", "answered"):
            with self.subTest(moment=moment):
                if os.path.exists(self.path):
                    os.unlink(self.path)
                self.two_coins()
                self.node.sent = []
                r, w = os.pipe()
                os.write(w, b"p w\n")
                os.close(w)
                out_r, out_w = os.pipe()
                if moment == "answered":    # SIGPIPE ends it as it tells the answer
                    os.close(out_r)
                p = subprocess.Popen([WALLET, "send", OTHER, "0.5", *self.remote, "--wallet",
                                      self.path, "--passphrase-fd", str(r)], pass_fds=[r],
                                     stdin=subprocess.DEVNULL, stdout=out_w)
                if moment != "answered":
                    self.node.before[moment] = p.kill
                os.close(r)
                os.close(out_w)
                self.assertLess(p.wait(60), 0)
                if moment != "answered":
                    os.close(out_r)
                told = json.loads(self.run_wallet("send", OTHER, "0.5", "--json", *self.remote))
                self.assertEqual({txid_of(raw) for raw in self.node.sent}, {told["txid"]})
                self.assertEqual("again" in told, moment != "getaddressutxos")
                self.assertFalse(os.path.exists(self.path + ".pending"))

    def to_full(self, *args):
        """Runs a command whose output can't be written; its exit code and what it says."""
        with open("/dev/full", "w", encoding="ascii") as full:
            p = subprocess.run([WALLET, *args, "--wallet", self.path, "--passphrase-fd", "0"],
                               input="p w\n", stdout=full, stderr=subprocess.PIPE, text=True,
                               timeout=60)
        return p.returncode, p.stderr

    def test_result_not_written(self):
        code, error = self.to_full("create", "--network", "reg")
        self.assertEqual(code, 74)
        self.assertIn("no wallet was made", error)
        self.assertFalse(os.path.exists(self.path))
        self.two_coins()
        code, error = self.to_full("send", OTHER, "0.5", *self.remote)
        self.assertEqual(code, 76)
        self.assertIn("is made", error)
        told = json.loads(self.run_wallet("send", OTHER, "0.5", "--json", *self.remote))
        self.assertEqual(told["txid"], txid_of(self.node.sent[0]))
        self.assertEqual(len(set(self.node.sent)), 1)

    def test_damaged_pending(self):
        self.two_coins()
        self.node.hang_up = "sendrawtransaction"
        self.run_wallet("send", OTHER, "0.5", *self.remote, code=76)
        self.node.hang_up = None
        with open(self.path + ".pending", encoding="ascii") as f:
            good = f.read()
        kept = json.loads(good)
        os.rename(self.path, self.path + ".away")
        self.assertIn("unsettled payment", self.run_wallet("create", "--network", "reg", code=1))
        self.assertIn("unsettled payment", self.run_wallet(
            "restore", "--network", "reg", "--offline", secrets=("p w", WORDS),
            options=("--passphrase-fd", "--words-fd"), code=1))
        self.assertFalse(os.path.exists(self.path))
        os.rename(self.path + ".away", self.path)
        for bad in (good[:-10], "{}", "", "[]", good.replace(kept["hex"], kept["hex"][:-2]),
                    good.replace('"report"', '"r"'), good.replace('"order"', '"o"'),
                    good.replace('"made"', '"m"'),
                    good.replace(kept["report"]["txid"], "00" * 32)):
            with open(self.path + ".pending", "w", encoding="ascii") as f:
                f.write(bad)
            self.assertIn("is damaged", self.run_wallet("send", OTHER, "0.5", *self.remote, code=76))
        self.assertEqual(len(self.node.sent), 1)

    def test_many_coins(self):
        """More coins than one answer lists come in pages, anew where a block comes between."""
        self.restore()
        self.run_wallet("address", "new")
        second = self.run_wallet("address", "new").strip()
        self.node.coins = [(FIRST, 1000000, f"{i:064x}", 0, 5, False) for i in range(1, 9)]
        self.node.coins += [(second, 9000000, "22" * 32, 1, 6, False)]
        for coins_max, blocks in ((9, 0), (8, 0), (2, 0), (1, 9)):
            self.node.coins_max, self.node.blocks = coins_max, blocks
            balance = json.loads(self.run_wallet("balance", "--json", *self.remote))
            self.assertEqual(balance["confirmed_oxides"], 17000000)
        self.node.blocks = 1000
        self.assertIn("tip moved", self.run_wallet("send", OTHER, "all", *self.remote, code=75))
        self.node.asked = []
        sent = json.loads(self.run_wallet("send", OTHER, "all", "--coin", "22" * 32 + ":1", "--coin",
                                          f"{3:064x}:0", "--json", *self.remote))
        self.assertEqual(sent["amount_oxides"] + sent["fee_oxides"], 10000000)
        self.assertNotIn("getaddressutxos", self.node.asked)
        self.node.coins_max, self.node.blocks = 2, 0
        every = json.loads(self.run_wallet("send", OTHER, "all", "--dry-run", "--json",
                                           *self.remote))
        self.assertEqual(every["inputs"], 9)

    def test_endless_pages(self):
        self.restore()
        self.node.coins = [(FIRST, 1000000, f"{i:064x}", 0, 5, False) for i in range(1, 600)]
        self.node.coins_max = 1
        self.assertIn("more than", self.run_wallet("balance", *self.remote, code=1))

    def test_surely_not_done(self):
        """A daemon behind was away, and the node knows that it never had it: no payment."""
        self.two_coins()
        for maybe, code in ((False, 69), (True, 76)):
            self.node.fail = {"code": -32050, "message": "chaind is away",
                              "data": {"daemon": "chaind", "retry_ms": 1, "maybe_done": maybe}}
            self.run_wallet("send", OTHER, "0.5", *self.remote, code=code)
            self.assertEqual(os.path.exists(self.path + ".pending"), maybe)

    def test_dry_run_saves_nothing(self):
        self.restore()
        self.node.coins = [(FIRST, 150000000, "11" * 32, 0, 5, False)]  # not given out yet
        before = self.content()
        for coin in ([], ["--coin", "11" * 32 + ":0"]):
            self.run_wallet("send", OTHER, "1", "--dry-run", *coin, *self.remote)
            self.assertEqual((self.content(), os.path.exists(self.path + ".pending")),
                             (before, False))
        self.run_wallet("send", OTHER, "1", *self.remote)
        self.assertNotEqual(self.content(), before)

    def test_wrong_node(self):
        self.restore()
        self.node.network_id = "00" * 32
        before = self.content()
        self.assertIn("the node is on network", self.run_wallet("balance", *self.remote, code=1))
        self.run_wallet("send", OTHER, "1", *self.remote, code=1)
        self.assertEqual(self.content(), before)
        self.node.server.shutdown()
        self.node.server.server_close()
        self.run_wallet("balance", *self.remote, code=69)
        self.node = FakeNode()

    def test_terminal(self):
        """A passphrase is typed unseen; Ctrl-C at the question leaves a terminal that echoes."""
        self.restore()
        for typed, code in ((b"p w\n", 0), (b"\x03", -signal.SIGINT)):
            fd, slave = pty.openpty()
            p = subprocess.Popen([WALLET, "info", "--wallet", self.path], stdin=slave, stdout=slave,
                                 stderr=slave, start_new_session=True,
                                 preexec_fn=lambda tty=slave: own_terminal(tty))
            seen = b""
            while b"Passphrase: " not in seen:
                self.assertTrue(select.select([fd], [], [], 30)[0], seen)
                seen += os.read(fd, 1000)
            end = time.monotonic() + 30
            while termios.tcgetattr(fd)[3] & termios.ECHO:
                self.assertLess(time.monotonic(), end)
                os.sched_yield()
            os.write(fd, typed)
            self.assertEqual(p.wait(60), code)
            self.assertTrue(termios.tcgetattr(fd)[3] & termios.ECHO)
            os.close(slave)
            os.close(fd)

    def test_damaged_file(self):
        self.restore()
        good = self.content()
        for at in (0, 9, 60, 100, len(good) - 1):
            with open(self.path, "wb") as f:
                f.write(good[:at] + bytes([good[at] ^ 0x40]) + good[at + 1:])
            p = subprocess.run([WALLET, "info", "--wallet", self.path, "--passphrase-fd", "0"],
                               input="p w\n", capture_output=True, text=True, timeout=60)
            self.assertIn(p.returncode, (1, 77), p.stderr)

    def test_usage(self):
        for args in ([], ["frobnicate"], ["info", "--nonsense"], ["address", "sing"]):
            p = subprocess.run([WALLET, *args], capture_output=True, text=True, timeout=60,
                               env=dict(os.environ, HOME=self.dir.name))
            self.assertEqual(p.returncode, 64, p.stderr)
        p = subprocess.run([WALLET, "--help"], capture_output=True, text=True, timeout=60)
        self.assertIn("--passphrase-fd", p.stdout)


if __name__ == "__main__":
    unittest.main()
