"""Where nodes are attacked: a network namespace of this process in which every address of 10.0.0.0/8
is at home, so that an attacker comes from as many addresses and groups as it likes; and what is
measured of a node meanwhile.
"""
import collections
import ctypes
import os
import re
import socket
import subprocess
import sys
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "functional"))
import harness  # noqa: E402
from rcref.network import parse_table  # noqa: E402

CLONE_NEWNET = 0x40000000
HONEST = "10.200.0.1"      # where nodes dial from, unless a socket is bound
DIALLED = 20               # nodes' own addresses: 10.20.N.1


def enter():
    """This process, and what it starts from now on, in a network of its own. Before any thread."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        code = ctypes.get_errno()
        raise AssertionError(f"a network namespace of its own is needed (run as root): "
                             f"{os.strerror(code)}")
    subprocess.run(["ip", "-batch", "-"], check=True, text=True, input=(
        f"link set lo up\naddr add {HONEST}/32 dev lo\n"
        f"route add local 10.0.0.0/8 dev lo src {HONEST}\n"))


def node_options(index, **more):
    """Options of a node that listens at an address of its own and dials nobody by itself."""
    return {"peerd": {"listen": f"10.{DIALLED}.{index}.1", "discover": "no", "outbound": 0,
                      "block_only": 0, **more}}


def network(home):
    """(file, network) of a network with ASERT, and so with rules against branches of little work,
    that is far behind its schedule: two hashes make a block, as on reg."""
    path = os.path.join(home, "hostile.ini")
    genesis = os.path.join(harness.BIN, "rusty-genesis")
    subprocess.run([genesis, "new", "--name", "hostile", "--hrp", "hos", "--from", "reg", "-o", path,
                    "--set", "retarget=asert", "--set", "spacing=1",
                    "--set", f"genesis_time={int(time.time()) - 1_000_000}"],
                   check=True, stdout=subprocess.DEVNULL)
    shown = subprocess.run([genesis, "show", path], check=True, stdout=subprocess.PIPE, text=True)
    table = re.search(r"^table\s+([0-9a-f]+)$", shown.stdout, re.M).group(1)
    return path, parse_table(bytes.fromhex(table))


def mine(node, address, blocks):
    """By rusty-miner: such a network has no generatetoaddress."""
    subprocess.run([os.path.join(harness.BIN, "rusty-miner"), "--address", address, "--blocks",
                    str(blocks), "--force", "--threads", "1", "--cookie", node.cookie,
                    "--rpc-url", f"http://127.0.0.1:{node.rpc_port}"],
                   check=True, timeout=600, stdout=subprocess.DEVNULL)


class Node(harness.Node):
    """A node of the harness that listens at the one address of its options."""

    @property
    def address(self):
        return f"{self.ip}:{self.port}"

    @property
    def ip(self):
        return self.options["peerd"]["listen"]

    def log_of(self, address):
        """What peerd's log says of who came from there: points as (points, behaviour), and why the
        link ended, or None."""
        points, ended = [], None
        with open(self.log_path("peerd"), encoding="utf-8", errors="replace") as f:
            for line in f:
                if f" {address}" not in line:
                    continue
                if m := re.search(r": (\d+) points for ([a-z-]+)", line):
                    points.append((int(m.group(1)), m.group(2)))
                elif m := re.search(r"link ended: (.*)", line):
                    ended = m.group(1)
        return points, ended


def links(node):
    return [p for p in node.rpc("getpeerinfo") if p["state"] == "ready"]


class TestCase(harness.TestCase):
    def node(self, name=None, start=True, index=None, **settings):
        index = len(self.nodes) + 1 if index is None else index
        node = Node(self.home, name or f"n{index}",
                    options=node_options(index, **settings.pop("peerd", {})), **settings)
        self.nodes.append(node)
        if start:
            node.start().wait_ready()
        return node


# --- measures ---

def resident(pid):
    """(KiB now, KiB at most so far)."""
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        text = f.read()
    return tuple(int(re.search(rf"^{name}:\s+(\d+) kB", text, re.M).group(1))
                 for name in ("VmRSS", "VmHWM"))


def memory(node):
    """{daemon: MiB now} of a node's daemons."""
    return {daemon: resident(node.pid(daemon))[0] / 1024 for daemon in harness.DAEMONS}


class ThinLine(threading.Thread):
    """A bad line to a node: everything both ways comes late, and few bytes a second at a time."""

    TICK = 0.02

    def __init__(self, node, ip, rate, delay, rng):
        super().__init__(daemon=True)
        self.server = socket.create_server((ip, 0))
        self.to, self.share, self.delay, self.rng = (node.ip, node.port), int(rate * self.TICK), \
            delay, rng
        self.address = "%s:%d" % self.server.getsockname()
        self.ways, self.stopped = [], threading.Event()

    def run(self):
        self.server.setblocking(False)
        while not self.stopped.wait(self.TICK):
            try:
                near, far = self.server.accept()[0], socket.create_connection(self.to)
                for sock in (near, far):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
                    sock.setblocking(False)
                # From, to, what is on its way with the time it arrives.
                self.ways += [(near, far, collections.deque()), (far, near, collections.deque())]
            except BlockingIOError:
                pass
            for way in self.ways[:]:
                try:
                    self._carry(*way)
                except OSError:
                    for sock in way[:2]:
                        sock.close()

    def _carry(self, source, sink, under_way):
        now = time.monotonic()
        try:
            if len(under_way) < 1000:
                part = source.recv(self.rng.randrange(1, 2 * self.share))
                if not part:
                    raise ConnectionError
                under_way.append((now + self.delay * self.rng.uniform(0.5, 1.5), part))
        except BlockingIOError:
            pass
        while under_way and under_way[0][0] <= now:
            try:
                rest = under_way[0][1][sink.send(under_way[0][1]):]
            except BlockingIOError:
                break
            under_way.popleft()
            if rest:
                under_way.appendleft((now, rest))
                break

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.join()
        self.server.close()
        for source, sink, _ in self.ways:
            source.close()
            sink.close()


class Caller(threading.Thread):
    """A healthy client of rpcd: one call each PAUSE seconds; latencies in seconds."""

    PAUSE = 0.005

    def __init__(self, node, calls):
        super().__init__(daemon=True)
        self.client = harness.Rpc(node.rpc_port, node.cookie, timeout=30)
        self.calls, self.times, self.errors, self.stopped = calls, [], [], threading.Event()

    def run(self):
        number = 0
        while not self.stopped.is_set():
            method, args = self.calls[number % len(self.calls)]
            number += 1
            start = time.monotonic()
            try:
                self.client.call(method, *args)
            except (OSError, harness.RpcError) as error:
                self.errors.append(error)
            self.times.append(time.monotonic() - start)
            self.stopped.wait(self.PAUSE)
        self.client.close()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.join()


def quantile(times, share):
    return sorted(times)[min(len(times) - 1, int(len(times) * share))]
