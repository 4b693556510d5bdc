"""A peer that says what it likes: messages of proto/peer.proto by an encoder of its own, over its
own link (noise.py).

    with Peer.dial(("10.9.0.1", port), network_id, source=("10.1.2.3", 0)) as peer:
        peer.greet()
        peer.say(GETHEADERS, getheaders([genesis]))
        kind, data = peer.hear(HEADERS, seconds=5)
        peer.ended(seconds=5)             # the node closes the link
"""
import random
import select
import socket
import struct
import time

import noise

(HELLO, PING, PONG, GETADDR, ADDR, GETHEADERS, HEADERS, INV, GETDATA, NOTFOUND, BLOCK, TX,
 FEEFILTER, SENDCOMPACT, COMPACTBLOCK, GETBLOCKTXN, BLOCKTXN) = range(1, 18)
CONTROL, BULK = 0, 1
FIRST, LAST, PADDED = 1, 2, 4
IN_BULK = (BLOCK, TX, COMPACTBLOCK, BLOCKTXN)
A_BLOCK, A_WTXID, A_TXID, A_COMPACT = 1, 2, 3, 4
FRAGMENT = 16384


class Ended(Exception):
    """The other side has closed the link."""


# --- protobuf ---

def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number, value):
    """A number (left out when 0), bytes or text (left out when empty)."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value) if value else b""
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value if value else b""


def fields(data):
    """{number: value} of a message; of repeated ones the last."""
    at, found = 0, {}

    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7
    while at < len(data):
        key = number()
        if key & 7 == 0:
            found[key >> 3] = number()
        else:
            size = number()
            found[key >> 3] = data[at:at + size]
            at += size
    return found


def hello(height=0, port=0, version=1, agent="/hostile/", relay=1):
    return (field(1, version) + field(2, 1) + field(3, height) + field(4, int(time.time())) +
            field(5, agent) + field(6, port) + field(7, relay) + field(8, 1))


def endpoint(ip, port, when, services=1, key=b""):
    return (field(1, ip) + field(2, port) + field(3, services) + field(4, when) + field(5, key))


def addr(endpoints):
    return b"".join(field(1, e) for e in endpoints)


def getheaders(ids, stop=b""):
    return field(1, b"".join(ids)) + field(2, stop)


def items(kind, ids):
    """What inv, getdata and notfound hold."""
    return field(1, b"".join(bytes([kind]) + i for i in ids))


def raw(data):
    """headers, block and tx."""
    return field(1, data)


def bodies(kind, data, stream=None, fragment=FRAGMENT):
    """The record bodies of a message."""
    stream = (BULK if kind in IN_BULK else CONTROL) if stream is None else stream
    parts = [data[i:i + fragment] for i in range(0, len(data), fragment)] or [b""]
    for i, part in enumerate(parts):
        flags = (FIRST if i == 0 else 0) | (LAST if i == len(parts) - 1 else 0)
        head = struct.pack("<BB", stream, flags)
        if i == 0:
            head += struct.pack("<HI", kind, len(data))
        yield head + part


class Peer:
    """A link over a connected socket; the handshake is made by open()."""

    def __init__(self, sock, network_id, initiator=True, rng=random, remote=None):
        self.sock, self.initiator, self.rng = sock, initiator, rng
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.hands = noise.Handshake(
            initiator, noise.XX if remote is None else noise.XK, rng.randbytes(32),
            rng.randbytes(32), noise.prologue(network_id), remote)
        self.buffer, self.head, self.halves = bytearray(), None, {}
        self.heard = {}          # kind: how many

    @classmethod
    def dial(cls, address, network_id, source=None, open_=True, seconds=10, **settings):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.settimeout(seconds)
        try:
            if source:
                sock.bind(source)
            sock.connect(address)
            peer = cls(sock, network_id, **settings)
        except (OSError, ValueError):
            sock.close()
            raise
        if open_:
            try:
                peer.open(seconds)
            except BaseException:
                peer.close()
                raise
        return peer

    # --- bytes ---

    def write(self, data, seconds=30):
        """All of it, reading nothing; Ended when the link is closed, TimeoutError if it stalls."""
        view, end = memoryview(data), time.monotonic() + seconds
        while view:
            try:
                view = view[self.sock.send(view):]
                continue
            except BlockingIOError:
                pass
            except OSError as error:
                raise Ended(str(error)) from None
            if not select.select([], [self.sock], [], max(0, end - time.monotonic()))[1]:
                raise TimeoutError("the node takes nothing")

    def _fill(self, end):
        """Reads what is there; waits for it until then."""
        if not select.select([self.sock], [], [], max(0, end - time.monotonic()))[0]:
            raise TimeoutError("the node says nothing")
        try:
            part = self.sock.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError as error:
            raise Ended(str(error)) from None
        if not part:
            raise Ended("closed")
        self.buffer += part

    def read(self, size, seconds=10):
        end = time.monotonic() + seconds
        while len(self.buffer) < size:
            self._fill(end)
        data = bytes(self.buffer[:size])
        del self.buffer[:size]
        return data

    def open(self, seconds=10):
        hands, (one, two, three) = self.hands, noise.ACT_SIZES[self.hands.pattern]
        if self.initiator:
            self.write(hands.act1())
            self.write(hands.act3(self.read(two, seconds)))
        else:
            self.write(hands.act2(self.read(one, seconds)))
            hands.finish(self.read(three, seconds))

    def close(self):
        self.sock.close()

    def reset(self):
        """Closes at once: what the node has still to say meets a closed door."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # --- messages ---

    def seal(self, kind, data, **how):
        return b"".join(self.hands.send.seal(body) for body in bodies(kind, data, **how))

    def say(self, kind, data, **how):
        self.write(self.seal(kind, data, **how))

    def say_record(self, body):
        self.write(self.hands.send.seal(body))

    def _record(self, end):
        while True:
            if self.head is None and len(self.buffer) >= noise.HEAD:
                self.head = self.hands.receive.open_head(bytes(self.buffer[:noise.HEAD]))
                del self.buffer[:noise.HEAD]
            if self.head is not None and len(self.buffer) >= self.head:
                body = self.hands.receive.open_body(bytes(self.buffer[:self.head]))
                del self.buffer[:self.head]
                self.head = None
                return body
            self._fill(end)

    def next(self, seconds=10):
        """The next message: kind, data."""
        end = time.monotonic() + seconds
        while True:
            body = self._record(end)
            stream, flags = body[0], body[1]
            if flags & FIRST:
                kind, = struct.unpack_from("<H", body, 2)
                self.halves[stream] = [kind, bytearray()]
                body = body[8:]
            else:
                body = body[2:]
            half = self.halves[stream]
            half[1] += body
            if flags & LAST:
                self.heard[half[0]] = self.heard.get(half[0], 0) + 1
                return half[0], bytes(half[1])

    def hear(self, *kinds, seconds=10):
        """The next message of these kinds; pings are answered, others passed over."""
        end = time.monotonic() + seconds
        while True:
            kind, data = self.next(end - time.monotonic())
            if kind == PING:
                self.say(PONG, data)
            if kind in kinds:
                return kind, data

    def greet(self, seconds=10, **settings):
        self.say(HELLO, hello(**settings))
        return fields(self.hear(HELLO, seconds=seconds)[1])

    def alive(self, seconds=10):
        """The node answers a ping."""
        nonce = self.rng.randrange(1, 1 << 63)
        self.say(PING, field(1, nonce))
        while fields(self.hear(PONG, seconds=seconds)[1]).get(1) != nonce:
            pass
        return True

    def ended(self, seconds=10):
        """Whether the node closes the link within this time."""
        end = time.monotonic() + seconds
        try:
            while True:
                self._fill(end)
                self.buffer.clear()
        except Ended:
            return True
        except TimeoutError:
            return False
