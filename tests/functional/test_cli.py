#!/usr/bin/python3
"""rusty-cli against a stand-in for the node: whom it gives the cookie, what it repeats, how it ends
when the connection breaks."""
import http.server
import json
import os
import subprocess
import tempfile
import threading
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(TOP, os.environ.get("BUILD", "build"))
AWAY = {"error": {"code": -32050, "message": "chaind is away"}}
DONE = {"result": "done"}


class CliTest(unittest.TestCase):
    def setUp(self):
        self.answers = []  # in turn; None: the connection is closed
        self.seen = []     # (method, Authorization) of each request
        test = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                test.seen.append((request["method"], self.headers["Authorization"]))
                answer = test.answers.pop(0)
                if answer is None:
                    self.close_connection = True
                    return
                body = json.dumps({"jsonrpc": "2.0", "id": request["id"], **answer}).encode()
                self.send_response(503 if answer is AWAY else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.dir = tempfile.TemporaryDirectory(prefix="rc-cli-")
        os.makedirs(os.path.join(self.dir.name, "rpcd"))
        self.cookie = os.path.join(self.dir.name, "rpcd", "cookie")
        with open(self.cookie, "w", encoding="ascii") as f:
            f.write("__cookie__:secret")

    def tearDown(self):
        self.server.shutdown()
        self.server.server_close()
        self.dir.cleanup()

    def cli(self, host, *args):
        p = subprocess.run([os.path.join(BUILD, "bin", "rusty-cli"), "--rundir", self.dir.name,
                            "--rpc-url", f"http://{host}:{self.port}", *args],
                           stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        return p.returncode, p.stdout.strip(), p.stderr

    def test_cookie_stays_here(self):
        """0.0.0.0 leads to this host too, but isn't an address of it."""
        for host, option, given in (("127.0.0.1", [], True), ("localhost", [], True),
                                    ("0.0.0.0", [], False),
                                    ("0.0.0.0", ["--cookie", self.cookie], True)):
            self.answers, self.seen = [DONE], []
            self.assertEqual(self.cli(host, *option, "uptime")[:2], (0, "done"))
            self.assertEqual([bool(auth) for _, auth in self.seen], [given], host)

    def test_what_is_repeated(self):
        for words, code, calls in (
                (["getblockcount"], 0, 2), (["sendrawtransaction", "00"], 0, 2),
                (["generatetoaddress", "1", "x"], 69, 1), (["newermethod"], 69, 1)):
            self.answers, self.seen = [AWAY, DONE], []
            self.assertEqual(self.cli("127.0.0.1", "--wait", "60", *words)[0], code, words)
            self.assertEqual([m for m, _ in self.seen], [words[0]] * calls)

    def test_connection_breaks(self):
        self.answers = [None]
        code, out, err = self.cli("127.0.0.1", "--wait", "60", "uptime")
        self.assertEqual((code, out), (74, ""), err)
        self.assertIn("may have been carried out", err)
        self.assertEqual(len(self.seen), 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
