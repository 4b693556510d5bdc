#!/usr/bin/python3
"""JSON-RPC 2.0 over HTTP: passwords, bodies, connections, passed sockets; what garbage gets."""
import base64
import hashlib
import hmac
import http.client
import json
import os
import random
import socket
import subprocess

import harness
from harness import wait_for
from purse import RUST, Purse, template_block

QUICK = True


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

    def bound_answers(self):
        """Answers that wait for their readers may have a megabyte; returns it in bytes."""
        self.n.options["rpcd"] |= {"rpc_answers_mb": 1}
        self.n.restart("rpcd")
        self.n.wait_ready()
        return 1 << 20

    def test_answers_of_an_operator(self):
        """Users who don't read their answers don't shut an operator's questions out."""
        self.bound_answers()
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
        limit = self.bound_answers()
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
        limit = self.bound_answers()
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


if __name__ == "__main__":
    harness.main()
