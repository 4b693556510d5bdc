#!/usr/bin/python3
"""rusty-miner against a stand-in for the node: a block it found isn't lost while the node is away."""
import http.server
import json
import os
import resource
import subprocess
import threading
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(TOP, os.environ.get("BUILD", "build"))
TEMPLATE = {"height": 1, "previousblockhash": "11" * 32, "stateroot": "22" * 32, "longpollid": "a",
            "curtime": 1, "maxtime": 2**32 - 1, "bits": "207fffff", "coinbaseoutputs": [],
            "coinbasevalue": 1, "transactions": []}
AWAY = {"error": {"code": -32050, "message": "chaind is away"}}


class MinerTest(unittest.TestCase):
    def test_node_away_when_found(self):
        submitted = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                method = request["method"]
                answer = {"jsonrpc": "2.0", "id": request["id"]}
                if method == "validateaddress":
                    answer["result"] = {"lock": "01" + "33" * 32}
                elif method == "getblocktemplate":
                    if "longpollid" in request["params"][0]:
                        done.wait(60)
                    answer["result"] = TEMPLATE
                else:
                    submitted.append(request["params"][0])
                    if len(submitted) == 1:     # no answer at all
                        self.close_connection = True
                        return
                    answer.update(AWAY if len(submitted) == 2 else {"result": None})
                body = json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        done = threading.Event()
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            p = subprocess.run([os.path.join(BUILD, "bin", "rusty-miner"), "--address", "x",
                                "--threads", "1", "--blocks", "1", "--rpc-url",
                                f"http://127.0.0.1:{server.server_address[1]}"],
                               capture_output=True, text=True, timeout=60)
        finally:
            done.set()
            server.shutdown()
            server.server_close()
        self.assertEqual(p.returncode, 0, p.stderr)
        self.assertEqual(len(submitted), 3)
        self.assertEqual(len(set(submitted)), 1, "another block than the one found")

    def test_refused_block(self):
        """Whose block is refused while the clock isn't past the header's time: the header's time goes
        on, or the same block would be found and refused for ever. Takes ten seconds, the miner's own
        pause until it looks at the time again."""
        submitted = []

        def answer(method, params):
            if method == "validateaddress":
                return {"result": {"lock": "01" + "33" * 32}}
            if method == "getblocktemplate":
                if "longpollid" in params[0]:
                    done.wait(60)
                return {"result": dict(TEMPLATE, curtime=2**32 - 100)}
            submitted.append(params[0])
            return {"result": None} if len(submitted) == 2 else {
                "error": {"code": -25, "message": "no", "data": {"verdict": "body-merkle"}}}

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"   # a connection that closed would bring the template anew

            def do_POST(self):
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                body = json.dumps({"jsonrpc": "2.0", "id": request["id"],
                                   **answer(request["method"], request["params"])}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        done = threading.Event()
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            p = subprocess.run([os.path.join(BUILD, "bin", "rusty-miner"), "--address", "x",
                                "--threads", "1", "--blocks", "1", "--rpc-url",
                                f"http://127.0.0.1:{server.server_address[1]}"],
                               capture_output=True, text=True, timeout=120)
        finally:
            done.set()
            server.shutdown()
            server.server_close()
        self.assertEqual(p.returncode, 0, p.stderr)
        self.assertEqual((len(submitted), len(set(submitted))), (2, 2), "the same block again")

    @unittest.skipIf("san" in BUILD, "sanitizers need more address space than is left here")
    def test_no_room_for_threads(self):
        """Stacks of 1 GiB in 3 GiB of addresses: the second or third thread can't be started."""
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                body = json.dumps({"jsonrpc": "2.0", "id": request["id"],
                                   "result": {"lock": "01" + "33" * 32}}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        def little_room():
            resource.setrlimit(resource.RLIMIT_STACK, (1 << 30, 1 << 30))
            resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            p = subprocess.run([os.path.join(BUILD, "bin", "rusty-miner"), "--address", "x",
                                "--threads", "8", "--blocks", "1", "--rpc-url",
                                f"http://127.0.0.1:{server.server_address[1]}"],
                               preexec_fn=little_room, capture_output=True, text=True, timeout=60)
        finally:
            server.shutdown()
            server.server_close()
        self.assertEqual(p.returncode, 69, p.stderr)
        self.assertRegex(p.stderr, "thread [0-9] of 8 can't be started")


if __name__ == "__main__":
    unittest.main(verbosity=2)
