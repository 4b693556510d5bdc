"""Real nodes for functional tests: real daemons, real sockets, in a temporary directory.

    class Chain(harness.TestCase):
        def test_mines(self):
            a = self.node()                     # started, ready
            a.rpc("generatetoaddress", 5, wallet.address())
            harness.wait_for("height 5", lambda: a.rpc("getblockcount") == 5)

A node is a directory: run/ (the bus, rpcd's socket and cookie), one state directory a daemon, one
log a daemon. Every wait is bounded and on a condition. Logs are printed when a test fails; every
process is ended by its pid, and a daemon that doesn't stop cleanly fails the test.
"""
import base64
import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.path.join(TOP, os.environ.get("BUILD", "build"), "bin")
sys.path.insert(0, os.path.join(TOP, "tests", "reference"))

# Start order is of no importance to the daemons; this one is that of the picture, bottom up.
DAEMONS = ("utxod", "chaind", "peerd", "rpcd")
# A sanitizer's build is up to ten times slower: bounded waits are longer, nothing else changes.
SLOW = {"asan": 3, "tsan": 8}.get(os.environ.get("RC_SANITIZER", ""), 1)
READY_SECONDS = 30 * SLOW
STOP_SECONDS = 20 * SLOW
LOG_TAIL_LINES = 60

_taken_ports = set()


class RpcError(Exception):
    """An error object of JSON-RPC."""

    def __init__(self, error):
        super().__init__(f"{error.get('code')}: {error.get('message')}")
        self.code = error.get("code")
        self.message = error.get("message", "")
        self.data = error.get("data") or {}

    @property
    def verdict(self):
        return self.data.get("verdict") if isinstance(self.data, dict) else None


def wait_for(what, condition, limit=30.0):
    """Asks condition until it is true, at most limit seconds; returns what it returned.

    An OSError or a RpcError counts as "not yet"; the last one is told when the time is over.
    """
    end = time.monotonic() + limit * SLOW
    pause, last = 0.005, None
    while True:
        try:
            value = condition()
            if value:
                return value
            last = value
        except (OSError, http.client.HTTPException, RpcError) as error:
            last = error
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {limit * SLOW:g} s (last: {last!r})")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


def free_port():
    """A TCP port nobody listens on, below the range of outgoing connections."""
    while True:
        port = random.randrange(12000, 30000)
        if port in _taken_ports:
            continue
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        _taken_ports.add(port)
        return port


def parse_metrics(text):
    """{name with labels: value} of Prometheus text."""
    rows = (line.rsplit(" ", 1) for line in text.splitlines() if line and line[0] != "#")
    return {name: float(value) for name, value in rows}


class Rpc:
    """JSON-RPC over TCP with the cookie, on a connection that is kept."""

    def __init__(self, port, cookie_path, timeout=120):
        self.port, self.cookie_path, self.timeout = port, cookie_path, timeout * SLOW
        self.connection = None

    def headers(self):
        with open(self.cookie_path, encoding="ascii") as f:
            token = base64.b64encode(f.read().strip().encode()).decode()
        return {"Authorization": f"Basic {token}", "Content-Type": "application/json"}

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout)

    def post(self, body, headers=None, path="/"):
        """(status, body) of a POST; a connection that broke before it was used is made anew."""
        for attempt in (0, 1):
            if self.connection is None:
                self.connection = self.connect()
            try:
                self.connection.request("POST", path, body,
                                        self.headers() if headers is None else headers)
                response = self.connection.getresponse()
                return response.status, response.read()
            except (http.client.HTTPException, OSError):
                self.connection.close()
                self.connection = None
                if attempt:
                    raise
        return None

    def call(self, method, *args, **named):
        params = named if named else list(args)
        status, body = self.post(json.dumps(
            {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))
        try:
            answer = json.loads(body)
        except ValueError:
            raise OSError(f"HTTP {status}: {body[:200]!r}") from None
        if answer.get("error") is not None:
            raise RpcError(answer["error"])
        return answer["result"]

    def close(self):
        if self.connection:
            self.connection.close()
            self.connection = None


class Node:
    """One node. Daemons are started, killed and restarted alone."""

    def __init__(self, home, name, network="reg", network_file=None, options=None):
        self.name, self.home = name, os.path.join(home, name)
        self.rundir = os.path.join(self.home, "run")
        self.port, self.rpc_port, self.ops_port = free_port(), free_port(), free_port()
        self.network, self.network_file = network, network_file
        self.options = options or {}
        self.processes = {}
        self.expected_dead = set()
        os.makedirs(self.rundir, mode=0o755)
        self.client = Rpc(self.rpc_port, self.cookie)

    @property
    def cookie(self):
        return os.path.join(self.rundir, "rpcd", "cookie")

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def log_path(self, daemon):
        return os.path.join(self.home, f"{daemon}.log")

    def command(self, daemon):
        own = {
            "peerd": {"port": self.port, "listen": "127.0.0.1", "private_addresses": "yes"},
            "rpcd": {"rpc_port": self.rpc_port, "ops_port": self.ops_port},
        }.get(daemon, {})
        options = {"config": os.path.join(self.home, "none.conf"), "network": self.network,
                   "rundir": self.rundir, "statedir": os.path.join(self.home, daemon),
                   "log_level": os.environ.get("RC_LOG_LEVEL", "info"), **own,
                   **self.options.get(daemon, {})}
        if self.network_file:
            options["network_file"] = self.network_file
        command = [os.path.join(BIN, daemon)]
        for name, value in options.items():
            for one in value if isinstance(value, list) else [value]:
                command += [f"--{name}", str(one)]
        return command

    def start(self, *daemons):
        config = os.path.join(self.home, "none.conf")
        if not os.path.exists(config):
            with open(config, "w", encoding="ascii"):
                pass
        for daemon in daemons or DAEMONS:
            assert daemon not in self.processes, f"{daemon} of {self.name} runs already"
            os.makedirs(os.path.join(self.home, daemon), mode=0o700, exist_ok=True)
            with open(self.log_path(daemon), "ab") as log:
                self.processes[daemon] = self.popen(
                    self.command(daemon), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                    cwd=self.home)
        return self

    def popen(self, command, **settings):
        """Where the node's processes begin: on this host, unless a kind of node says otherwise."""
        return subprocess.Popen(command, **settings)

    def pid(self, daemon):
        return self.processes[daemon].pid

    def wait_ready(self, limit=READY_SECONDS):
        def ready():
            self.check_alive()
            return self.rpc("gethealth")["ready"] and self.rpc("getmempoolinfo")["loaded"]
        wait_for(f"{self.name} ready", ready, limit / SLOW)
        return self

    def check_alive(self):
        for daemon, process in self.processes.items():
            if process.poll() is not None:
                raise AssertionError(f"{daemon} of {self.name} ended with {process.returncode}")

    def kill(self, daemon, sig=signal.SIGKILL):
        """Ends a daemon at once; it is gone when this returns."""
        process = self.processes.pop(daemon)
        process.send_signal(sig)
        process.wait(STOP_SECONDS)
        return process.returncode

    def stop(self, *daemons):
        """Asks daemons to stop (all of them: top down) and demands exit 0."""
        for daemon in daemons or reversed(DAEMONS):
            process = self.processes.pop(daemon, None)
            if process is None:
                continue
            if process.poll() is None:
                process.terminate()
            try:
                code = process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise AssertionError(f"{daemon} of {self.name}: no stop in {STOP_SECONDS} s") from None
            if code != 0:
                raise AssertionError(f"{daemon} of {self.name} ended with {code}")

    def restart(self, daemon, kill=False):
        if kill:
            self.kill(daemon)
        else:
            self.stop(daemon)
        return self.start(daemon)

    def rpc(self, method, *args, **named):
        return self.client.call(method, *args, **named)

    def metrics(self):
        """{name with labels: value} of all daemons of the node."""
        with socket.create_connection(("127.0.0.1", self.ops_port), timeout=10 * SLOW):
            pass
        connection = http.client.HTTPConnection("127.0.0.1", self.ops_port, timeout=30 * SLOW)
        try:
            connection.request("GET", "/metrics")
            text = connection.getresponse().read().decode()
        finally:
            connection.close()
        return parse_metrics(text)

    def metrics_of(self, daemon):
        """The same of one daemon, asked now: rpcd shows what it was told within the last second."""
        return parse_metrics(subprocess.run(
            [os.path.join(BIN, "rustyctl"), "--network", self.network, "--rundir", self.rundir,
             *(["--network_file", self.network_file] if self.network_file else []),
             "metrics", daemon], check=True, stdout=subprocess.PIPE, text=True).stdout)

    def connect(self, other):
        self.rpc("addnode", other.address, "add")

    def tip(self):
        return self.rpc("getbestblockhash")

    def logs(self):
        text = ""
        for daemon in DAEMONS:
            try:
                with open(self.log_path(daemon), encoding="utf-8", errors="replace") as f:
                    lines = f.read().splitlines()
            except OSError:
                continue
            text += f"--- {self.name} {daemon} (last {LOG_TAIL_LINES} of {len(lines)} lines)\n"
            text += "\n".join(lines[-LOG_TAIL_LINES:]) + "\n"
        return text

    def end(self):
        """Ends what still runs, by pid; for clean-up after a failure."""
        for process in self.processes.values():
            if process.poll() is None:
                process.kill()
                process.wait()
        self.processes.clear()


def wait_same_tip(nodes, limit=60.0):
    """All nodes have one tip; returns it."""
    wait_for("one tip on " + ", ".join(n.name for n in nodes),
             lambda: len({n.tip() for n in nodes}) == 1, limit)
    return nodes[0].tip()


class TestCase(unittest.TestCase):
    """Makes nodes, stops them cleanly, shows their logs when something failed."""

    def setUp(self):
        self.home = tempfile.mkdtemp(prefix="rc-", dir="/tmp")
        self.nodes = []

    def node(self, name=None, start=True, **settings):
        node = Node(self.home, name or f"n{len(self.nodes)}", **settings)
        self.nodes.append(node)
        if start:
            node.start().wait_ready()
        return node

    def tearDown(self):
        result = self._outcome.result
        failed = any(getattr(test, "test_case", test) is self
                     for test, _ in result.errors + result.failures)
        try:
            if not failed:
                for node in self.nodes:
                    node.client.close()
                    node.stop()
        except AssertionError:
            failed = True
            raise
        finally:
            if failed:
                for node in self.nodes:
                    print(node.logs(), file=sys.stderr)
            for node in self.nodes:
                node.client.close()
                node.end()
            if not (failed and os.environ.get("RC_KEEP")):
                shutil.rmtree(self.home, ignore_errors=True)

    def refused(self, code, call, *args, verdict=None, **named):
        """The call answers with this error code (and verdict); returns the RpcError."""
        try:
            result = call(*args, **named)
        except RpcError as error:
            self.assertEqual(error.code, code, str(error))
            if verdict is not None:
                self.assertEqual(error.verdict, verdict, str(error))
            return error
        self.fail(f"not refused: {args} {named} gave {result!r}")
        return None


def main():
    unittest.main(verbosity=2)
