"""Volume: floods of every kind, each a process of low priority that comes from as many addresses as
it likes. A flood is a function of an Attack, which counts what is sent and says when it is enough;
FLOODS is the table: share of all frames, and what each sends.
"""
import multiprocessing
import os
import random
import struct
import time
from dataclasses import dataclass, replace

import noise
import peer as p
from purse import mine
from rcref.header import Header
from rcref.transaction import PAYMENT, Input, Output, Transaction

BATCH = 16               # frames in one write
PAUSE = 0.05             # after a refusal: a flood that turns on the spot sends nothing


@dataclass
class Target:
    """What an attacker knows of the node: where it is, and its chain."""
    ip: str
    port: int
    network_id: bytes
    template: dict
    lock: bytes
    heads: list                      # (height, id) of some blocks of its chain
    block: bytes                     # of one of them

    @classmethod
    def of(cls, node, purse, height):
        def block_id(at):
            return bytes.fromhex(node.rpc("getblockhash", at))[::-1]
        heads = [(at, block_id(at)) for at in range(0, height + 1, max(1, height // 50))]
        return cls(node.ip, node.port, purse.network.id, node.rpc("getblocktemplate", {}),
                   purse.lock, heads,
                   bytes.fromhex(node.rpc("getblock", heads[-2][1][::-1].hex(), 0)))

    @property
    def tip(self):
        return bytes.fromhex(self.template["previousblockhash"])[::-1]


class Attack:
    """One flood under way."""

    def __init__(self, target, seed, number, frames, stop, shared):
        self.target, self.rng, self.number = target, random.Random(f"{seed} {number}"), number
        self.left, self.stop, self.shared = frames, stop, shared
        self.addresses = 0

    def more(self):
        return self.left > 0 and not self.stop.is_set()

    def sent(self, frames=1):
        self.left -= frames
        with self.shared.get_lock():
            self.shared[0] += frames

    def source(self):
        """An address of this flood's own range; each is a group of its own."""
        self.addresses += 1
        return f"10.{130 + self.number}.{self.addresses % 250}.{1 + self.addresses // 250 % 250}"

    def connect(self, open_=False):
        """A connection, or None: not now."""
        try:
            link = p.Peer.dial((self.target.ip, self.target.port), self.target.network_id,
                               source=(self.source(), 0), open_=False, rng=self.rng)
        except OSError:
            self.stop.wait(PAUSE)
            return None
        with self.shared.get_lock():
            self.shared[1] += 1
        return link

    def link(self):
        """A link that is open and greeted, or None: not now."""
        link = self.connect()
        if not link:
            return None
        try:
            link.open()
            link.say(p.HELLO, p.hello())
            return link
        except (p.Ended, TimeoutError, noise.LinkError):
            link.close()
            self.stop.wait(PAUSE)
            return None

    def over_links(self, do, life=1000):
        """Calls do(link), which returns the bytes of BATCH frames, until all are sent; links end by
        the node's doing, or after so many frames."""
        while self.more():
            link = self.link()
            frames = 0
            try:
                while link and self.more() and frames < life:
                    link.write(do(link), 1)
                    self.drain(link)
                    frames += BATCH
                    self.sent(BATCH)
            except (p.Ended, TimeoutError):
                self.sent(1)             # at least the last one was taken
            finally:
                if link:
                    link.reset()

    @staticmethod
    def drain(link):
        """Takes what the node says, and forgets it."""
        try:
            while True:
                link._fill(0)
                link.buffer.clear()
        except TimeoutError:
            pass


# --- what is sent ---

def samples(target, rng):
    """Good messages of every kind, as (kind, data)."""
    ids = [rng.randbytes(32) for _ in range(3)] + [rng.choice(target.heads)[1]]
    now = int(time.time())
    return [
        (p.HELLO, p.hello()), (p.PING, p.field(1, 7)), (p.PONG, p.field(1, 7)),
        (p.GETADDR, p.field(2, 9)),
        (p.ADDR, p.addr([p.endpoint(rng.randbytes(4), 7440, now) for _ in range(3)])),
        (p.GETHEADERS, p.getheaders(ids)), (p.HEADERS, p.raw(header(target, rng).encode())),
        (p.INV, p.items(rng.choice((1, 2)), ids)), (p.GETDATA, p.items(rng.choice((1, 2, 3)), ids)),
        (p.NOTFOUND, p.items(2, ids)), (p.BLOCK, p.raw(target.block)),
        (p.TX, p.raw(orphan(rng).encode())), (p.FEEFILTER, p.field(1, 5)),
        (p.SENDCOMPACT, p.field(1, 1) + p.field(2, rng.randrange(2))),
        (p.COMPACTBLOCK, p.raw(target.block[:118] + rng.randbytes(8) + b"\1" + rng.randbytes(6) +
                               b"\1\0" + orphan(rng).encode())),
        (p.GETBLOCKTXN, p.field(1, ids[3]) + p.field(2, bytes([rng.randrange(3)]))),
        (p.BLOCKTXN, p.field(1, ids[3]) + p.field(2, orphan(rng).encode())),
        (rng.randrange(64, 65536), rng.randbytes(20)),
    ]


def header(target, rng, work=True, **changes):
    """One on the tip (by default), whose block nobody has."""
    made = Header(target.template["height"], target.tip, rng.randbytes(32), rng.randbytes(32),
                  target.template["curtime"], int(target.template["bits"], 16))
    made = replace(made, **changes)
    return mine(made) if work else replace(made, nonce=rng.randrange(1 << 64))


def branch(target, rng, length):
    """Headers with work, from the genesis block on: less work than the node's chain has."""
    height, prev = target.heads[0]
    out = []
    for i in range(1, length + 1):
        made = header(target, rng, height=height + i, prev=prev,
                      time=target.template["curtime"] - 500_000 + i)
        prev = made.id
        out.append(made.encode())
    return b"".join(out)


def orphan(rng):
    """A payment of a coin that nobody knows."""
    return Transaction(PAYMENT, (Input(rng.randbytes(32), 0, 0xfffffffe),),
                       (Output(100_000, b"\1" + rng.randbytes(32)),),
                       witness=((rng.randbytes(64),),))


def mutate(data, rng):
    """A few changes, small ones as often as none fits."""
    data = bytearray(data)
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(data) + 1)
        how = rng.randrange(6)
        if how == 0:
            del data[at:]
        elif how == 1:
            data[at:at] = rng.randbytes(rng.randrange(1, 9))
        elif how == 2:
            data[at:at + rng.randrange(1, 9)] = b""
        elif how == 3:
            data[at:at] = data[at:at + rng.randrange(1, 40)]
        elif at < len(data):
            data[at] = rng.choice((0, 1, 127, 128, 255, data[at] ^ 1 << rng.randrange(8)))
    return bytes(data)


# --- the floods ---

def mutants(attack):
    """Messages of every kind, most with something wrong in them; some heads of fragments, too."""
    rng, pool = attack.rng, []

    def batch(link):
        if not pool or rng.random() < 0.01:
            pool[:] = samples(attack.target, rng)
        out = []
        for _ in range(BATCH):
            kind, data = rng.choice(pool)
            if rng.random() < 0.3:
                data = mutate(data, rng)
            for body in p.bodies(kind, data):
                out.append(link.hands.send.seal(mutate(body, rng) if rng.random() < 0.02 else body))
        return b"".join(out)
    attack.over_links(batch)


def chatter(attack):
    """Pings, answers nobody asked for, types nobody knows."""
    rng = attack.rng
    said = [(p.PING, p.field(1, 1)), (p.PONG, p.field(1, 1)), (p.FEEFILTER, p.field(1, 1)),
            (p.NOTFOUND, p.items(2, [bytes(32)])), (999, bytes(60)), (99, b""), (77, bytes(500)),
            (p.HEADERS, b"")]
    attack.over_links(lambda link: b"".join(link.seal(*rng.choice(said)) for _ in range(BATCH)),
                      life=4000)


def raw_bytes(attack):
    """Connections with bytes that are no handshake."""
    while attack.more():
        link = attack.connect()
        if not link:
            continue
        try:
            data = attack.rng.randbytes(attack.rng.randrange(1, 300))
            link.write(attack.rng.choice((b"", b"\0\2", b"\1\2", b"\1\3")) + data)
            attack.sent()
            link.ended(0.02)
        except p.Ended:
            pass
        finally:
            link.reset()


def handshakes(attack):
    """Handshakes that are left at every stage, and whole ones that say nothing then."""
    while attack.more():
        link = attack.connect()
        if not link:
            continue
        try:
            link.write(link.hands.act1())
            if attack.rng.random() < 0.7:
                act3 = link.hands.act3(link.read(link.hands.act2_size, 1))
                link.write(act3[:attack.rng.choice((10, 66, 66))])
            attack.sent()
        except (p.Ended, TimeoutError, noise.LinkError):
            pass
        finally:
            link.reset()


def idlers(attack, connections=1000):
    """A thousand connections that are held: silent ones, a byte a second, greeted and then mute."""
    held, turn = [], 0
    while attack.more():
        turn += 1
        held = [(link, kind) for link, kind in held if not gone(link)]
        for _ in range(50):
            if len(held) >= connections or not attack.more():
                break
            kind = attack.rng.choice(("silent", "dripping", "greeted", "greeted"))
            link = attack.link() if kind == "greeted" else attack.connect()
            if link:
                held.append((link, kind))
        for link, kind in held:
            if kind == "dripping":
                try:
                    link.sock.send(b"\1")
                    attack.sent()
                except OSError:
                    pass
        attack.stop.wait(0.5)
    for link, _ in held:
        link.close()


def gone(link):
    if link.ended(0):
        link.close()
        return True
    return False


def asks(attack):
    """Asks for blocks, headers, addresses and what isn't there, and doesn't take the answers."""
    rng, target = attack.rng, attack.target

    def one():
        ids = [rng.choice(target.heads)[1] for _ in range(8)]
        return rng.choice((
            (p.GETDATA, p.items(p.A_BLOCK, ids)),
            (p.GETDATA, p.items(p.A_WTXID, [rng.randbytes(32) for _ in range(50)])),
            (p.GETHEADERS, p.getheaders([target.heads[0][1]])),
            (p.GETHEADERS, p.getheaders([rng.randbytes(32) for _ in range(101)])),
            (p.GETADDR, b"")))
    while attack.more():
        link, frames = attack.link(), 0
        try:
            while link and attack.more() and frames < 2000:
                link.write(b"".join(link.seal(*one()) for _ in range(BATCH)), 2)
                frames += BATCH
                attack.sent(BATCH)
        except (p.Ended, TimeoutError):
            attack.sent(1)
        finally:
            if link:
                link.reset()


def promises(attack):
    """Inventories of transactions and blocks that nobody has."""
    rng = attack.rng
    attack.over_links(lambda link: b"".join(
        link.seal(p.INV, p.items(rng.choice((1, 2, 2, 2)),
                                 [rng.randbytes(32) for _ in range(rng.choice((1, 10, 300)))]))
        for _ in range(BATCH)))


def addresses(attack):
    """Addresses of nobody, few and many in a message."""
    rng = attack.rng

    def one():
        now = int(time.time()) - rng.randrange(1000)
        return p.addr([p.endpoint(bytes([10]) + rng.randbytes(3), 7440, now)
                       for _ in range(rng.choice((1, 5, 10, 300)))])
    attack.over_links(lambda link: b"".join(link.seal(p.ADDR, one()) for _ in range(BATCH)))


def bad_headers(attack):
    """Without work, without a parent, from the future, and good ones of branches with little work."""
    rng, target = attack.rng, attack.target
    length = min(2000, target.template["height"] // 2)

    def one():
        dice = rng.randrange(40)
        if dice == 0:
            return branch(target, rng, length)
        if dice == 1:
            return header(target, rng, work=False, time=rng.randrange(1 << 32)).encode()
        if dice < 10:
            return header(target, rng, time=target.template["curtime"] + 10_000 + dice).encode()
        return header(target, rng, prev=rng.randbytes(32)).encode()
    attack.over_links(lambda link: b"".join(link.seal(p.HEADERS, p.raw(one()))
                                            for _ in range(BATCH)))


def orphans(attack):
    """Transactions whose coins nobody knows, given when asked for, or unasked if they aren't."""
    rng = attack.rng
    while attack.more():
        link, frames = attack.link(), 0
        try:
            while link and attack.more() and frames < 2000:
                txs = {tx.wtxid: tx for tx in (orphan(rng) for _ in range(BATCH))}
                link.say(p.INV, p.items(p.A_WTXID, txs))
                try:
                    asked = p.fields(link.hear(p.GETDATA, seconds=0.05)[1])[1]
                except TimeoutError:     # its book of promises is full
                    asked = b"".join(b"\2" + wtxid for wtxid in txs)
                for i in range(1, len(asked), 33):
                    if tx := txs.get(asked[i:i + 32]):
                        link.say(p.TX, p.raw(tx.encode()))
                        frames += 1
                        attack.sent()
                attack.sent()
        except (p.Ended, TimeoutError):
            attack.sent()
        finally:
            if link:
                link.reset()


def unasked(attack):
    """Blocks and transactions that nobody asked for."""
    rng, target = attack.rng, attack.target

    def one():
        if rng.random() < 0.1:
            return p.BLOCK, p.raw(target.block)
        return p.TX, p.raw(orphan(rng).encode())
    attack.over_links(lambda link: b"".join(link.seal(*one()) for _ in range(BATCH)))


def stalls(attack):
    """Announces blocks and never gives them, or begins big messages and leaves them half."""
    rng, target = attack.rng, attack.target
    while attack.more():
        link = attack.link()
        try:
            if link:
                link.say(p.HEADERS, p.raw(header(target, rng).encode()))
                link.write(link.hands.send.seal(struct.pack(
                    "<BBHI", p.BULK, p.FIRST, rng.choice((p.BLOCK, p.TX)), 1_900_000) + bytes(9)))
                for _ in range(rng.randrange(20)):
                    link.write(link.hands.send.seal(bytes([p.BULK, 0]) + bytes(60000)))
                    attack.sent()
                attack.sent(2)
                link.ended(rng.random() * 3)
        except (p.Ended, TimeoutError):
            attack.sent()
        finally:
            if link:
                link.reset()


# What, and its share of all frames in percent; idlers and stalls go on until all others are done.
FLOODS = (
    (mutants, 20), (chatter, 38), (raw_bytes, 1), (handshakes, 1), (asks, 4), (promises, 10),
    (addresses, 5), (bad_headers, 3), (orphans, 5), (unasked, 13), (idlers, None), (stalls, None),
)


def _run(flood, *settings):
    os.nice(19)     # an attacker's work is done elsewhere: it must not take the node's time
    attack = Attack(*settings)
    try:
        flood(attack)
    finally:
        attack.shared[2] = 1             # done, not broken


class Campaign:
    """All floods at once, in processes of their own."""

    def __init__(self, target, seed, frames):
        self.stop = multiprocessing.Event()
        self.runs = []
        for number, (flood, share) in enumerate(FLOODS):
            shared = multiprocessing.Array("q", 3)
            settings = (target, seed, number, frames * share // 100 if share else 1 << 60,
                        self.stop, shared)
            process = multiprocessing.Process(target=_run, args=(flood, *settings), daemon=True)
            self.runs.append((flood.__name__, share, process, shared))

    def __enter__(self):
        for _, _, process, _ in self.runs:
            process.start()
        return self

    def sent(self):
        return sum(shared[0] for _, _, _, shared in self.runs)

    def spent(self):
        """Every flood that has a share has sent it."""
        return all(not process.is_alive() for _, share, process, _ in self.runs if share)

    def report(self):
        return {name: (shared[0], shared[1]) for name, _, _, shared in self.runs}

    def broken(self):
        """Floods that ended by a mistake of their own."""
        return [name for name, _, process, _ in self.runs if process.exitcode not in (None, 0)]

    def __exit__(self, *_):
        self.stop.set()
        for _, _, process, _ in self.runs:
            process.join(60)
            if process.is_alive():
                process.kill()
                process.join()
