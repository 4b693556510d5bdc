"""Hosts that are network namespaces, with tapwire as the network between them.

    with Wire(["a", "b", "c"], seed=7) as wire:
        wire.ask("set a b delay=50ms loss=5%")
        sock = wire.socket("a", socket.SOCK_DGRAM)          # a socket of host a
        wire.pair("a", "b")["lost"]

    node = WireNode(wire, "a", home)                        # a node of the harness on host a

Host i (from 0) has 10.77.i.1 and fd77:0:0:i::1 on eth0, everybody in reach without a router; each
is a network group of its own to peerd. A namespace is held by a descriptor of this process and by
what runs in it, has no name in the file system and goes when they do; tapwire ends with its stdin,
daemons get SIGKILL when this process dies. So nothing is left over, whatever happens.
"""
import contextlib
import ctypes
import fcntl
import functools
import http.client
import json
import os
import random
import select
import signal
import socket
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "functional"))
import harness  # noqa: E402

TAPWIRE = os.path.join(TOP, os.environ.get("BUILD", "build"), "net", "tapwire")
TUN = "/dev/net/tun"
CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1
ANSWER_SECONDS = 10
MTU = 1500
_libc = ctypes.CDLL(None, use_errno=True)


class NoNetwork(AssertionError):
    """This machine can't give what the tests of networks need; the text says what is missing."""


def _call(name, *args):
    if getattr(_libc, name)(*args) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")


def need():
    """Says what is missing, all of it; makes /dev/net/tun where only the node is."""
    missing = []
    if os.geteuid() != 0:
        missing.append("run as root")
    if not os.path.exists(TUN):
        try:
            os.makedirs(os.path.dirname(TUN), exist_ok=True)
            os.mknod(TUN, 0o600 | 0o020000, os.makedev(10, 200))
        except OSError as error:
            missing.append(f"{TUN} (mknod {TUN} c 10 200: {error.strerror})")
    try:
        os.close(os.open(TUN, os.O_RDWR))
    except OSError as error:
        missing.append(f"{TUN}: {error.strerror} (a kernel with CONFIG_TUN)")
    try:
        os.close(new_namespace())
    except OSError as error:
        missing.append(f"network namespaces ({error.strerror})")
    if not os.path.exists("/proc/net/if_inet6"):
        missing.append("a kernel with IPv6")
    if not os.path.exists(TAPWIRE):
        missing.append(f"{TAPWIRE} (make tapwire)")
    if missing:
        raise NoNetwork("tests of networks need: " + "; ".join(missing))


@contextlib.contextmanager
def inside(namespace):
    """This thread is in the namespace of a descriptor for a while; sockets made there stay there."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _call("setns", namespace, CLONE_NEWNET)
        try:
            yield
        finally:
            _call("setns", home, CLONE_NEWNET)
    finally:
        os.close(home)


def new_namespace():
    """A descriptor of a new network namespace."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _call("unshare", CLONE_NEWNET)
        try:
            return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        finally:
            _call("setns", home, CLONE_NEWNET)
    finally:
        os.close(home)


def run_inside(namespace, parent):
    """For preexec_fn, when this process is the child: into the namespace, and no longer than parent."""
    _call("setns", namespace, CLONE_NEWNET)
    _call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


class Wire:
    """The hosts and the tapwire between them. Use with "with", or end().

    neighbours: hosts know each other's Ethernet addresses, as if the way led over routers: what is
    sent into a cut is gone. Without, they ask by ARP and ND, which faults hit too: what is sent
    into a cut is soon refused as "no route to host". addresses: False leaves the hosts without.
    """

    def __init__(self, names, seed=None, addresses=True, neighbours=True):
        need()
        self.names = list(names)
        self.seed = random.randrange(1 << 32) if seed is None else seed
        self.namespaces, self.process, self.buffer = {}, None, b""
        try:
            for name in self.names:
                self.namespaces[name] = new_namespace()
            self._start()
            for name in self.names:
                self._configure(name, addresses, neighbours)
        except BaseException:
            self.end()
            raise

    def _start(self):
        me = f"/proc/{os.getpid()}/fd"
        self.process = subprocess.Popen(
            [TAPWIRE, "--seed", str(self.seed),
             *[f"{name}={me}/{fd}" for name, fd in self.namespaces.items()]],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        fcntl.fcntl(self.process.stdout, fcntl.F_SETFL, os.O_NONBLOCK)
        ready = self._read_line().split()
        if ready[:1] != ["ready"]:
            raise AssertionError(f"tapwire says {ready}")
        self.macs = dict(word.split("=") for word in ready[2:])

    def _configure(self, name, addresses, neighbours):
        with inside(self.namespaces[name]):
            # No address is probed for doubles, no router is looked for, groups are reported at once
            # and not for seconds: up is up, and then only what the test does is on the wire.
            for key, value in (("disable_ipv6", 0 if addresses else 1), ("accept_dad", 0),
                               ("router_solicitations", 0),
                               ("mldv2_unsolicited_report_interval", 1)):
                for where in ("default", "eth0"):
                    with open(f"/proc/sys/net/ipv6/conf/{where}/{key}", "w", encoding="ascii") as f:
                        f.write(str(value))
        lines = ["link set lo up", f"link set eth0 mtu {MTU} up"]
        if addresses:
            lines += [f"addr add {self.ipv4(name)}/16 dev eth0",
                      f"addr add {self.ipv6(name)}/48 dev eth0 nodad"]
        if addresses and neighbours:
            lines += [f"neigh add {address(other)} lladdr {self.macs[other]} dev eth0 nud permanent"
                      for other in self.names if other != name
                      for address in (self.ipv4, self.ipv6)]
        self.run(name, ["ip", "-batch", "-"], input="\n".join(lines) + "\n", text=True, check=True)

    # --- hosts ---

    def ipv4(self, name):
        return f"10.77.{self.names.index(name)}.1"

    def ipv6(self, name):
        return f"fd77:0:0:{self.names.index(name):x}::1"

    def inside(self, name):
        return inside(self.namespaces[name])

    def popen(self, name, command, **settings):
        """Starts a command on the host; it doesn't outlive this process."""
        return subprocess.Popen(command, preexec_fn=functools.partial(
            run_inside, self.namespaces[name], os.getpid()), **settings)

    def run(self, name, command, check=False, **settings):
        """subprocess.run there; its process."""
        data = settings.pop("input", None)
        with self.popen(name, command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                        stderr=subprocess.STDOUT, **settings) as process:
            try:
                out, _ = process.communicate(data, timeout=60)
            except BaseException:
                process.kill()
                raise
        if check and process.returncode:
            raise AssertionError(f"{command} on {name}: {process.returncode}: {out}")
        return process.returncode, out

    def socket(self, name, kind=socket.SOCK_STREAM, family=socket.AF_INET, protocol=0):
        with self.inside(name):
            return socket.socket(family, kind, protocol)

    # --- tapwire ---

    def _read_line(self):
        end = time.monotonic() + ANSWER_SECONDS * harness.SLOW
        while b"\n" not in self.buffer:
            if not select.select([self.process.stdout], [], [], end - time.monotonic())[0]:
                raise AssertionError(f"tapwire doesn't answer in {ANSWER_SECONDS} s")
            part = self.process.stdout.read(65536)
            if not part:
                raise AssertionError(f"tapwire ended with {self.process.wait()}")
            self.buffer += part
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line.decode()

    def say(self, line):
        """A control line's answer, whatever it is."""
        self.process.stdin.write(line.encode() + b"\n")
        return self._read_line()

    def ask(self, *lines):
        """Control lines that have to be carried out."""
        for line in lines:
            answer = self.say(line)
            if answer != "ok":
                raise AssertionError(f"tapwire: {line}: {answer}")

    def stats(self):
        return json.loads(self.say("stats"))

    def pair(self, a, b):
        """The counters from a to b; a pair without frames has none but zeros."""
        for pair in self.stats()["pairs"]:
            if (pair["from"], pair["to"]) == (a, b):
                return pair
        return dict.fromkeys(("frames", "bytes", "delivered", "lost", "cut", "overflow", "down",
                              "duplicated", "corrupted", "reordered", "delayed", "queued"), 0)

    def total(self, counter):
        return sum(pair[counter] for pair in self.stats()["pairs"])

    def end(self):
        if self.process:
            self.process.stdin.close()
            try:
                code = self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                code = self.process.wait()
            self.process.stdout.close()
            self.process = None
            if code:
                raise AssertionError(f"tapwire ended with {code}")
        for fd in self.namespaces.values():
            os.close(fd)
        self.namespaces = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class UnixRpc(harness.Rpc):
    """JSON-RPC through rpcd's Unix socket, which no network namespace hides."""

    def __init__(self, path, timeout=120):
        super().__init__(0, None, timeout)
        self.path = path

    def headers(self):
        return {"Content-Type": "application/json"}

    def connect(self):
        return _UnixConnection(self.path, self.timeout)


class WireNode(harness.Node):
    """A node on a host of a wire; everything but the network is as in the harness."""

    def __init__(self, wire, host, home, options=None):
        super().__init__(home, host, options=options)
        self.wire, self.host = wire, host
        self.client = UnixRpc(os.path.join(self.rundir, "rpcd", "rpcd.sock"))
        self.options.setdefault("peerd", {}).setdefault("listen", [wire.ipv4(host), wire.ipv6(host)])

    @property
    def address(self):
        return f"{self.wire.ipv4(self.host)}:{self.port}"

    @property
    def address6(self):
        return f"[{self.wire.ipv6(self.host)}]:{self.port}"

    def popen(self, command, **settings):
        return self.wire.popen(self.host, command, **settings)

    def metrics(self):
        """{name with labels: value} of all daemons, over the bus: rpcd's port is on another host."""
        return {name: value for daemon in harness.DAEMONS
                for name, value in self.metrics_of(daemon).items()}
