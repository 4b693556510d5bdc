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

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(TOP, os.environ.get("BUILD", "build"))
WALLET = os.path.join(BUILD, "bin", "rusty-wallet")
REG_ID = "d975ca3ce3bf84320bf85cc0f052625cc4b1d11ec903eb48a912eff2267d0386"
WORDS = "abandon " * 11 + "about"
# Of these words on reg, by an independent program (tests/unit/test_wallet.c names the path).
FIRST = "rcrt1pqt35qwxpq243yety2l98a0zxgpr73f6pd47grffa6nrt780vmgrsxcczhj"
OTHER = "rcrt1p6tq4490n5kdf8rjrzaf7n8yzwkcska7erfyvktxxlzhlccveysaqd6hjjn"


class FakeNode:
    """Answers the four methods the wallet uses."""

    def __init__(self):
        self.network_id = REG_ID
        self.coins = []  # (address, oxides, txid, vout, height, coinbase)
        self.sent = []
        self.refuse = None
        self.hang_up = None  # a method that gets no answer
        node = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if request["method"] == node.hang_up:
                    self.close_connection = True
                    return
                answer = {"jsonrpc": "2.0", "id": request["id"]}
                answer.update(node.answer(request["method"], request.get("params", [])))
                body = json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, method, params):
        if method == "getblockchaininfo":
            return {"result": {"chain": "reg", "blocks": 120, "network_id": self.network_id}}
        if method == "getaddressutxos":
            asked = params[0]["addresses"]
            return {"result": {"utxos": [
                {"txid": txid, "vout": vout, "address": a, "lock": "", "value": "",
                 "value_oxides": v, "height": h, "confirmations": 120 - h + 1 if h else 0,
                 "coinbase": cb, "mature": True, "spent": False}
                for a, v, txid, vout, h, cb in self.coins if a in asked], "anchor": {}}}
        if method == "sendrawtransaction":
            if self.refuse:
                return {"error": {"code": -26, "message": "no", "data": {"verdict": self.refuse}}}
            self.sent.append(params[0])
            return {"result": self.expected_txid}
        return {"error": {"code": -32601, "message": "no such method"}}

    expected_txid = ""


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
        self.run_wallet("restore", "--network", "reg", "--offline", secrets=("p w", WORDS),
                        options=("--passphrase-fd", "--words-fd"))

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
        self.node.expected_txid = dry["txid"]  # a txid doesn't cover signatures
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
        error = self.run_wallet("send", OTHER, "all", *self.remote, code=74)
        self.assertIn(dry["txid"] + " may have been sent", error)
        self.node.hang_up = "getaddressutxos"
        error = self.run_wallet("send", OTHER, "all", *self.remote, code=74)
        self.assertNotIn("may have been sent", error)

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
