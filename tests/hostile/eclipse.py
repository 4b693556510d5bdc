"""An attacker who wants one node for himself: thousands of addresses in a few network groups,
somebody behind each of them, links into every inbound slot of his victim, dialled again as soon as
one ends. He names his own addresses, a crowd of others where nobody is, and the honest ones with keys
that aren't theirs; he greets, answers pings, has no block, and knows of no header that is new.

    with Eclipse(enter, Plan(victim, network_id, groups, addresses), seed) as his:
        his.counts()["inbound"]           # his links that stand in the victim's inbound slots
        his.say(links=10)                 # what the plan says, changed while he is at it
"""
import ipaddress
import multiprocessing
import os
import random
import select
import socket
import sys
import time
from dataclasses import dataclass, replace

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import noise  # noqa: E402
import peer as p  # noqa: E402

FIRST_BYTE = 60          # his addresses are 60.GROUP.x.y
NOBODY = 70              # those of nobody are 70.x.y.z to 89.x.y.z: each a group, nearly
PORT = 17440
AT_ONCE = 1000           # addresses in a message
TELL_SECONDS = 15
TICK = 0.05
DIALS_A_TICK = 8
HANDSHAKE_SECONDS = 5
COUNTS = ("inbound", "outbound", "dialled", "taken", "told", "ended")


@dataclass(frozen=True)
class Plan:
    victim: tuple                # ip, port
    network_id: bytes
    groups: int
    addresses: int
    nobody: int = 0              # addresses of nobody that he tells besides
    honest: tuple = ()           # (ip, port) that he gives wrong keys
    links: int = 160             # that he wants into the victim; more than its slots


def address(plan, i):
    """His address number i."""
    in_group = i // plan.groups
    return f"{FIRST_BYTE}.{i % plan.groups}.{in_group // 250}.{1 + in_group % 250}"


def is_his(ip):
    return ip.startswith(f"{FIRST_BYTE}.")


def group(ip):
    return ".".join(ip.split(".")[:2])


def _secret(ip):
    """Each address is another node, as far as one sees, and always the same."""
    return noise.sha256(b"eclipse " + ip.encode())


class _Link:
    """A link of his, of which nothing is waited for."""

    def __init__(self, sock, plan, ip, dialled, rng):
        self.ip, self.dialled, self.plan = ip, dialled, plan
        self.peer = p.Peer(sock, plan.network_id, initiator=dialled, rng=rng)
        self.step, self.greeted, self.since, self.told = 0, False, time.monotonic(), None
        if dialled:
            self._hands(noise.XX)
            self.peer.write(self.peer.hands.act1(), 0)

    def _hands(self, pattern):
        self.peer.hands = noise.Handshake(self.dialled, pattern, _secret(self.ip),
                                          self.peer.rng.randbytes(32),
                                          noise.prologue(self.plan.network_id))

    def go_on(self):
        """The messages that came, when the handshake is over; TimeoutError ends the matter."""
        hands = self.peer.hands
        if self.step == 0 and self.dialled:
            self.peer.write(hands.act3(self.peer.read(hands.act2_size, 0)), 0)
            self.greet()
        elif self.step == 0:
            first = self.peer.read(1, 0)
            self.peer.buffer[:0] = first
            if first[0] not in noise.ACT_SIZES:
                raise noise.LinkError("pattern")
            self._hands(first[0])
            self.step = 1
        if self.step == 1:
            hands = self.peer.hands
            self.peer.write(hands.act2(self.peer.read(noise.ACT_SIZES[hands.pattern][0], 0)), 0)
            self.step = 2
        if self.step == 2:
            self.peer.hands.finish(self.peer.read(66, 0))
            self.greet()
        while True:
            yield self.peer.next(0)

    def greet(self):
        self.step = 3
        self.peer.say(p.HELLO, p.hello(height=1_000_000, port=PORT))


class _Attacker:
    def __init__(self, plan, seed, shared, orders):
        self.plan, self.rng, self.shared, self.orders = plan, random.Random(seed), shared, orders
        self.links, self.poll = {}, select.epoll()
        self.parts, self.made_at = [], 0
        self.listener = socket.create_server(("0.0.0.0", PORT), backlog=1000)
        self.listener.setblocking(False)
        self.poll.register(self.listener.fileno(), select.EPOLLIN)

    # --- addresses ---

    def _part(self):
        """An addr of a thousand, made anew each few minutes: his own, each once, and nobody's."""
        if not self.parts:
            now, key = int(time.time()), noise.public_key(_secret("wrong"))
            mine = [address(self.plan, i) for i in range(self.plan.addresses)]
            nobody = [str(ipaddress.IPv4Address(self.rng.randrange(NOBODY << 24, 90 << 24)))
                      for _ in range(self.plan.nobody)]
            all_ = mine + nobody
            self.rng.shuffle(all_)
            poison = [p.endpoint(socket.inet_aton(ip), port, now, key=key)
                      for ip, port in self.plan.honest]
            room = AT_ONCE - len(poison)
            for at in range(0, len(all_), room):
                self.parts.append(p.addr(poison + [
                    p.endpoint(socket.inet_aton(ip), PORT, now) for ip in all_[at:at + room]]))
        return self.parts.pop()

    def _tell(self, link):
        link.peer.say(p.ADDR, self._part())
        link.told = time.monotonic()
        self.shared[COUNTS.index("told")] += AT_ONCE

    # --- links ---

    def _add(self, link):
        fd = link.peer.sock.fileno()
        self.links[fd] = link
        self.poll.register(fd, select.EPOLLIN)

    def _drop(self, fd):
        link = self.links.pop(fd)
        self.poll.unregister(fd)
        link.peer.reset()
        self.shared[COUNTS.index("ended")] += link.greeted

    def _dial(self):
        ip = address(self.plan, self.rng.randrange(self.plan.addresses))
        sock = socket.socket()
        sock.settimeout(1)
        try:
            # The port of a link that just ended may serve again at once.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((ip, 0))
            sock.connect(self.plan.victim)
            self._add(_Link(sock, self.plan, ip, True, self.rng))
        except (OSError, p.Ended):
            sock.close()
            return False
        self.shared[COUNTS.index("dialled")] += 1
        return True

    def _take(self):
        try:
            sock, _ = self.listener.accept()
        except OSError:
            return
        self._add(_Link(sock, self.plan, sock.getsockname()[0], False, self.rng))
        self.shared[COUNTS.index("taken")] += 1

    def _hear(self, link, kind, data):
        if kind == p.HELLO:
            link.greeted = True
            self._tell(link)
        elif kind == p.PING:
            link.peer.say(p.PONG, data)
        elif kind == p.GETADDR:
            self._tell(link)
        elif kind == p.GETHEADERS:
            link.peer.say(p.HEADERS, b"")

    def _serve(self, fd):
        link = self.links[fd]
        try:
            for kind, data in link.go_on():
                self._hear(link, kind, data)
        except p.Ended:
            self._drop(fd)
        except TimeoutError as error:
            if str(error) != "the node says nothing":    # it doesn't read
                self._drop(fd)
        except noise.LinkError:
            self._drop(fd)

    def _tend(self):
        now = time.monotonic()
        for fd, link in list(self.links.items()):
            if not link.greeted and now - link.since > HANDSHAKE_SECONDS:
                self._drop(fd)
            elif link.greeted and now - link.told > TELL_SECONDS:
                try:
                    self._tell(link)
                except (p.Ended, TimeoutError):
                    self._drop(fd)
        under_way = sum(link.dialled for link in self.links.values())
        for _ in range(min(DIALS_A_TICK, self.plan.links - under_way)):
            if not self._dial():
                break
        for i, dialled in enumerate((True, False)):
            self.shared[i] = sum(link.greeted and link.dialled == dialled
                                 for link in self.links.values())

    def run(self):
        tend_at = 0
        while True:
            for fd, _ in self.poll.poll(TICK):
                if fd == self.listener.fileno():
                    self._take()
                elif fd in self.links:
                    self._serve(fd)
            while self.orders.poll():
                self.plan, self.parts = self.orders.recv(), []
            if time.monotonic() >= tend_at:
                self._tend()
                tend_at = time.monotonic() + TICK


def _run(enter, plan, seed, shared, orders):
    enter()
    _Attacker(plan, seed, shared, orders).run()


class Eclipse:
    """The attacker, a process of its own. enter() is called there first: it goes to his host, where
    60.0.0.0/8 is at home."""

    def __init__(self, enter, plan, seed):
        self.plan, self.shared = plan, multiprocessing.Array("q", len(COUNTS), lock=False)
        self.orders, his = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=_run, daemon=True,
                                               args=(enter, plan, seed, self.shared, his))

    def __enter__(self):
        self.process.start()
        return self

    def say(self, **changes):
        self.plan = replace(self.plan, **changes)
        self.orders.send(self.plan)

    def counts(self):
        if not self.process.is_alive():
            raise AssertionError("the attacker ended")
        return dict(zip(COUNTS, self.shared))

    def __exit__(self, *_):
        self.process.kill()
        self.process.join()
