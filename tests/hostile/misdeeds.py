"""What a hostile peer can do in one go, and what rustycoin-p2p(7), rustycoin-link(7) and peerd(8)
say follows: a table. test_conduct.py carries each row out on a link of its own.
"""
import struct
from dataclasses import dataclass, replace
from typing import Callable

import noise
import peer as p
from purse import RUST, Coin, block_on, coinbase_of, mine, unshown
from rcref.amount import SUPPLY_LIMIT
from rcref.bits import target
from rcref.codec import compact_list, compact_size, u64
from rcref.coinbase import encode_payload
from rcref.hashes import double_sha256, sha256
from rcref.header import Header
from rcref.lock import bond_lock, data_lock
from rcref.transaction import Output, Transaction, parse_transaction


@dataclass(frozen=True)
class Fate:
    """points: what the log says was taken, as (points, behaviour); ends: what it calls the link's
    end, None where the link goes on."""
    points: tuple = ()
    ends: str = None

    @property
    def discouraged(self):
        return sum(n for n, _ in self.points) >= 100


def costs(points, what):
    """Points by the table of rustycoin-p2p(7); at 100 the link ends."""
    return Fate(((points, what),), f"misbehaved: {what}" if points >= 100 else None)


def ends(why):
    """Malformed: the link ends at once, without points."""
    return Fate((), why)


@dataclass(frozen=True)
class Row:
    name: str
    fate: Fate
    do: Callable                 # (world, link)
    greeted: bool = True         # else: a connection on which nothing was said
    after: Callable = None       # (world, link): what else has to be so


NOTHING = Fate()
PATTERN = ends("unknown or changed handshake pattern")
POINT = ends("a key of the handshake is not on the curve")
HANDSHAKE_MAC = ends("handshake authentication failed")
RECORD_MAC = ends("record authentication failed")
HEAD = ends("malformed head of a record")
ORDER = ends("first and last fragments in wrong order")
LENGTH = ends("fragments do not add up to the message")
LIMIT = ends("message longer than its type may be")

GARBAGE = b"\xff" * 40           # no field of protobuf begins so
BLOCK_LIMIT = 2_000_000


class World:
    """The node's chain as the attacker knows it, and one purse with coins on it."""

    def __init__(self, node, purse, rng):
        self.node, self.purse, self.rng = node, purse, rng
        self.network_id = purse.network.id
        self.refresh()

    def refresh(self):
        self.template = self.node.rpc("getblocktemplate", {})
        self.tip = unshown(self.template["previousblockhash"])
        self.coin = self.purse.coins(self.node)[0]
        self.young = next(
            Coin((unshown(u["txid"]), u["vout"]), u["value_oxides"], bytes.fromhex(u["lock"]))
            for u in self.node.rpc("getaddressutxos", {"addresses": [self.purse.address]})["utxos"]
            if not u["mature"])

    # --- headers ---

    def header(self, **changes):
        """A header on the tip, good but for the changes; its block is nobody's."""
        header = Header(self.template["height"], self.tip, self.rng.randbytes(32),
                        bytes.fromhex(self.template["stateroot"]), self.template["curtime"],
                        int(self.template["bits"], 16))
        return mine(replace(header, **changes))

    def workless(self):
        header = replace(self.header(), nonce=0)
        while int.from_bytes(header.id, "little") <= target(header.bits):
            header = replace(header, nonce=header.nonce + 1)
        return header

    # --- blocks ---

    def block(self, extra=(), amount=None, payload=None, coinbase=None, **header):
        first = coinbase_of(self.template, self.purse.lock, amount, self.rng.randbytes(8))
        if payload:
            first = replace(first, payload=payload)
        pool = [parse_transaction(bytes.fromhex(t["data"])) for t in self.template["transactions"]]
        return block_on(self.template, (coinbase or [first]) + pool + list(extra), **header)

    # --- transactions ---

    def payment(self, change=lambda tx: tx, coin=None, amount=None, **fields):
        """A payment of the coin, changed, then signed."""
        coin = coin or self.coin
        tx = self.purse.build([coin], [(amount or coin.amount - 10000, self.purse.lock)])
        tx = change(replace(tx, **fields))
        return self.purse.sign(tx, [coin] * len(tx.inputs))


# --- doing ---

def says(kind, data, **how):
    """A message; data may be a function of the world."""
    return lambda world, link: link.say(kind, data(world) if callable(data) else data, **how)


def record(*bodies):
    def do(_, link):
        for body in bodies:
            link.say_record(body)
    return do


def body(stream, flags, data=b"", kind=None, total=None):
    """A record's body; with a kind, the head of a first fragment."""
    head = b"" if kind is None else struct.pack("<HI", kind, len(data) if total is None else total)
    return bytes([stream, flags]) + head + data


def headers(*make):
    """A message of headers, each made by a function of the world."""
    return says(p.HEADERS, lambda world: p.raw(b"".join(m(world).encode() for m in make)))


def header(**changes):
    return headers(lambda world: world.header(**changes))


def offers_block(make, damage=lambda data: data):
    """Announces a block by its header, and gives it, damaged, when the node asks."""
    def do(world, link):
        block = make(world)
        world.offered = block
        link.say(p.HEADERS, p.raw(block.header.encode()))
        wanted = p.fields(link.hear(p.GETDATA)[1])[1]
        assert wanted == bytes([p.A_BLOCK]) + block.id, "another block was asked for"
        link.say(p.BLOCK, p.raw(damage(block.encode())))
    return do


def gives_it_whole(world, link):
    """The block's name wasn't stained by the message: it is taken from who gives it whole."""
    block = world.offered
    link.say(p.HEADERS, p.raw(block.header.encode()))
    link.hear(p.GETDATA)
    link.say(p.BLOCK, p.raw(block.encode()))
    world.wait_tip(block)


def siphash(key, data):
    """SipHash-2-4 of data whose length is a multiple of 8."""
    mask = (1 << 64) - 1
    k0, k1 = struct.unpack("<QQ", key)
    v = [k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d,
         k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573]

    def turn(x, n):
        return (x << n | x >> 64 - n) & mask

    def rounds(n):
        for _ in range(n):
            v[0] = v[0] + v[1] & mask
            v[1] = turn(v[1], 13) ^ v[0]
            v[0] = turn(v[0], 32)
            v[2] = v[2] + v[3] & mask
            v[3] = turn(v[3], 16) ^ v[2]
            v[0] = v[0] + v[3] & mask
            v[3] = turn(v[3], 21) ^ v[0]
            v[2] = v[2] + v[1] & mask
            v[1] = turn(v[1], 17) ^ v[2]
            v[2] = turn(v[2], 32)
    for word, in struct.iter_unpack("<Q", data + bytes(7) + bytes([len(data) & 255])):
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 0xff
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def short_id(header, nonce, wtxid):
    return u64(siphash(sha256(header + u64(nonce))[:16], wtxid))[:6]


def compact(block, short=lambda ids: ids, prefilled=None, header=None):
    """The compact form of a block, with the coinbase in full; short changes the short ids."""
    head, nonce = header or block.header.encode(), 7
    ids = short([short_id(head, nonce, tx.wtxid) for tx in block.transactions[1:]])
    if prefilled is None:
        prefilled = [compact_size(0) + block.coinbase.encode()]
    return head + u64(nonce) + compact_list(ids) + compact_list(prefilled)


def with_strangers(n):
    """A block of n payments the node has never seen, which hang on each other."""
    def make(world):
        coin, txs = world.coin, []
        for _ in range(n):
            txs.append(world.payment(coin=coin))
            coin = Coin((txs[-1].txid, 0), txs[-1].outputs[0].amount, txs[-1].outputs[0].lock)
        return world.block(txs)
    return make


def offers_compact(make=World.block, form=compact, missing=None):
    """Announces a block, gives it in a compact form when it is asked for so, then what is missing;
    missing: the transactions to give as the asked ones, as bytes; None: nothing is asked."""
    def do(world, link):
        world.offered = block = make(world)
        link.say(p.SENDCOMPACT, p.field(1, 1))
        link.say(p.HEADERS, p.raw(block.header.encode()))
        wanted = p.fields(link.hear(p.GETDATA)[1])[1]
        assert wanted == bytes([p.A_COMPACT]) + block.id, wanted
        link.say(p.COMPACTBLOCK, p.raw(form(block)))
        if missing:
            asked = p.fields(link.hear(p.GETBLOCKTXN)[1])
            assert asked[1] == block.id
            link.say(p.BLOCKTXN, p.field(1, block.id) + p.field(2, missing(block)))
    return do


def rest(turned=False):
    """The transactions after the coinbase."""
    return lambda block: b"".join(t.encode() for t in block.transactions[1:][::-1 if turned else 1])


def as_announcer(do):
    """Who gave the newest block is asked to send the next ones unasked."""
    def both(world, link):
        offers_compact(with_strangers(1), missing=rest())(world, link)
        world.wait_tip(world.offered)
        while p.fields(link.hear(p.SENDCOMPACT)[1]).get(2) != 1:
            pass
        do(world, link)
    return both


def then_whole(do):
    """Where short ids don't tell, the same peer is asked for all of it, and not blamed."""
    def both(world, link):
        do(world, link)
        block = world.offered
        assert p.fields(link.hear(p.GETDATA)[1])[1] == bytes([p.A_BLOCK]) + block.id
        link.say(p.BLOCK, p.raw(block.encode()))
        world.wait_tip(block)
    return both


def asks_places(places, back=0):
    """Transactions of the newest block (or one before), by places."""
    def do(world, link):
        at = world.template["height"] - 1 - back
        link.say(p.SENDCOMPACT, p.field(1, 1))
        link.say(p.GETBLOCKTXN, p.field(1, unshown(world.node.rpc("getblockhash", at))) +
                 p.field(2, places))
    return do


def offers_tx(make):
    def do(world, link):
        data = make(world)
        tx = data if isinstance(data, Transaction) else None
        wtxid = tx.wtxid if tx else world.rng.randbytes(32)
        link.say(p.INV, p.items(p.A_WTXID, [wtxid]))
        link.hear(p.GETDATA)
        link.say(p.TX, p.raw(tx.encode() if tx else data))
    return do


def pays(change=lambda tx: tx, **how):
    return offers_tx(lambda world: world.payment(change, **how))


def bad_signature(tx):
    item = tx.witness[0][0]
    return replace(tx, witness=((item[:9] + bytes([item[9] ^ 1]) + item[10:],),))


def act1(change=lambda act: act, pattern=noise.XX, start=None, remote=None):
    def do(world, link):
        hands = noise.Handshake(True, pattern, link.rng.randbytes(32), link.rng.randbytes(32),
                                start or noise.prologue(world.network_id), remote)
        link.write(change(hands.act1()))
        return hands
    return do


def act3(change):
    def do(world, link):
        hands = act1()(world, link)
        link.write(change(hands.act3(link.read(hands.act2_size))))
    return do


def of_another_network(world, link):
    hands = act1(start=noise.prologue(bytes(32)))(world, link)
    link.read(hands.act2_size)           # which it can't open: nor can the node what follows
    link.write(bytes([noise.XX]) + link.rng.randbytes(65))


def bad_tag(_, link):
    sealed = bytearray(link.seal(p.PING, p.field(1, 1)))
    sealed[link.rng.randrange(len(sealed))] ^= 1
    link.write(bytes(sealed))


def child_of_invalid(world, link):
    bad = world.header(time=1)
    with world.link() as other:          # who says it first pays for it
        other.say(p.HEADERS, p.raw(bad.encode()))
        other.ended()
    link.say(p.HEADERS, p.raw(world.header(prev=bad.id, height=bad.height + 1).encode()))


def ids(n):
    return [double_sha256(u64(i)) for i in range(n)]


def gap(world, link):
    link.say(p.HEADERS, p.raw(world.header().encode() + world.header().encode()))


def unasked_answers(world, link):
    link.say(p.NOTFOUND, p.items(p.A_TXID, ids(100)))
    link.say(p.PONG, p.field(1, 7))
    link.say(p.FEEFILTER, p.field(1, 1))
    link.say(p.ADDR, b"")
    link.say(p.HEADERS, b"")


def spends_of_itself(world, link):
    """The same coin in two inputs."""
    offers_tx(lambda w: w.payment(lambda tx: replace(tx, inputs=tx.inputs * 2)))(world, link)


KEY33 = noise.public_key(b"\1" * 32)
A_PLACE = p.endpoint(bytes([10, 77, 0, 1]), 7440, 1)

ROWS = [
    # --- the handshake: closed without a word ---
    Row("a pattern nobody knows", PATTERN, act1(lambda a: b"\2" + a[1:]), False),
    Row("a browser", PATTERN, lambda w, l: l.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 4), False),
    Row("a point off the curve", POINT, act1(lambda a: a[:1] + b"\2" + b"\xff" * 32), False),
    Row("a key that is none", POINT, act1(lambda a: a[:1] + b"\7" + a[2:]), False),
    Row("XK with a key not ours", HANDSHAKE_MAC, act1(pattern=noise.XK, remote=KEY33), False),
    Row("another network", HANDSHAKE_MAC, of_another_network, False),
    Row("third act, bad tag", HANDSHAKE_MAC, act3(lambda a: a[:-1] + bytes([a[-1] ^ 1])), False),
    Row("third act, bad key", HANDSHAKE_MAC, act3(lambda a: a[:5] + bytes([a[5] ^ 1]) + a[6:]),
        False),
    Row("third act, other pattern", PATTERN, act3(lambda a: b"\0" + a[1:]), False),

    # --- records and fragments ---
    Row("a record with a bad tag", RECORD_MAC, bad_tag),
    Row("an empty record", HEAD, record(b"")),
    Row("a record of one byte", HEAD, record(b"\0")),
    Row("a stream nobody knows", HEAD, record(body(2, 3, kind=p.PING))),
    Row("a flag nobody knows", HEAD, record(body(0, 11, kind=p.PING))),
    Row("a first fragment cut", HEAD, record(body(0, 3, b"\2\0\0"))),
    Row("more padding than there is", HEAD, record(body(0, 7, b"\xff\xff", p.PING, 0))),
    Row("no first fragment", ORDER, record(body(0, 0, b"x"))),
    Row("a last fragment alone", ORDER, record(body(0, 2, b"x"))),
    Row("first and first again", ORDER, record(body(0, 1, b"x", p.INV, 99),
                                               body(0, 1, b"x", p.INV, 99))),
    Row("more than was said", LENGTH, record(body(0, 3, b"x" * 9, p.PING, 8))),
    Row("less than was said", LENGTH, record(body(0, 3, b"x" * 7, p.PING, 8))),
    Row("a ping too long", LIMIT, record(body(0, 3, b"x" * 33, p.PING))),
    Row("4 GiB of headers", LIMIT, record(body(0, 1, b"x", p.HEADERS, 0xffffffff))),
    Row("a block over the limit", LIMIT, record(body(1, 1, b"x", p.BLOCK, BLOCK_LIMIT + 100))),
    Row("a transaction over the limit", LIMIT, record(body(1, 1, b"x", p.TX, BLOCK_LIMIT + 100))),
    Row("an unknown type", NOTHING, says(31, b"x" * 100000)),
    Row("an unknown type of 4 GiB, begun", NOTHING, record(body(1, 1, b"x", 9999, 0xffffffff))),
    Row("a ping in the other stream", NOTHING, says(p.PING, p.field(1, 5), stream=p.BULK)),
    Row("a compact block over the limit", LIMIT,
        record(body(1, 1, b"x", p.COMPACTBLOCK, 2 * BLOCK_LIMIT))),
    Row("a padded ping", NOTHING, record(body(0, 7, b"\10\5" + bytes(30) + b"\36\0", p.PING, 2))),

    # --- messages ---
    Row("a word before the greeting", ends("ping out of place"),
        lambda w, l: (l.open(), l.say(p.PING, p.field(1, 1))), False),
    Row("greeting of version 0", ends("its protocol version is 0"),
        lambda w, l: (l.open(), l.say(p.HELLO, p.hello(version=0))), False),
    Row("greeting that is garbage", ends("malformed hello"),
        lambda w, l: (l.open(), l.say(p.HELLO, GARBAGE)), False),
    Row("a second greeting", ends("hello out of place"), says(p.HELLO, p.hello())),
    *(Row(f"garbage as {name}", ends(f"malformed {name}"), says(kind, GARBAGE[:32]))
      for kind, name in ((p.PING, "ping"), (p.PONG, "pong"), (p.GETADDR, "getaddr"),
                         (p.ADDR, "addr"), (p.GETHEADERS, "getheaders"), (p.HEADERS, "headers"),
                         (p.INV, "inv"), (p.GETDATA, "getdata"), (p.NOTFOUND, "notfound"),
                         (p.BLOCK, "block"), (p.TX, "tx"), (p.FEEFILTER, "feefilter"),
                         (p.SENDCOMPACT, "sendcompact"), (p.COMPACTBLOCK, "compactblock"),
                         (p.GETBLOCKTXN, "getblocktxn"), (p.BLOCKTXN, "blocktxn"))),
    Row("a length that passes the end", ends("malformed inv"), says(p.INV, b"\x0a\xff\xff\x03xx")),
    Row("an inventory of kind 0", costs(100, "inv-form"), says(p.INV, p.items(0, ids(1)))),
    Row("an inventory of kind 3", costs(100, "inv-form"), says(p.INV, p.items(3, ids(1)))),
    Row("half an item", costs(100, "inv-form"), says(p.INV, p.field(1, b"\2" * 50))),
    Row("notfound of kind 9", costs(100, "inv-form"), says(p.NOTFOUND, p.items(9, ids(1)))),
    Row("getdata of kind 0", costs(100, "inv-form"), says(p.GETDATA, p.items(0, ids(1)))),
    Row("half an item asked", costs(100, "inv-form"), says(p.GETDATA, p.field(1, b"\2" * 50))),
    Row("too much asked for", costs(100, "getdata-flood"),
        says(p.GETDATA, p.items(p.A_WTXID, ids(5001)))),
    Row("what isn't there asked for", NOTHING, says(p.GETDATA, p.items(p.A_WTXID, ids(1000)))),
    Row("no locator", costs(100, "locator-form"), says(p.GETHEADERS, b"")),
    Row("half a locator", costs(100, "locator-form"), says(p.GETHEADERS, p.field(1, b"x" * 40))),
    Row("a locator of 102", costs(100, "locator-form"), says(p.GETHEADERS, p.getheaders(ids(102)))),
    Row("half a stop", costs(100, "locator-form"),
        says(p.GETHEADERS, p.getheaders(ids(1), b"x" * 5))),
    Row("a locator of strangers", NOTHING, says(p.GETHEADERS, p.getheaders(ids(101)))),
    Row("an address of 5 bytes", costs(20, "addr-form"),
        says(p.ADDR, p.addr([p.endpoint(b"\n" * 5, 1, 1)]))),
    Row("an address with a key that is none", costs(20, "addr-form"),
        says(p.ADDR, p.addr([p.endpoint(b"\n" * 4, 1, 1, key=b"\2" + b"\xff" * 32)]))),
    Row("five bad addresses", Fate(((20, "addr-form"),) * 5, "misbehaved: addr-form"),
        says(p.ADDR, p.addr([p.endpoint(b"\n" * 5, 1, 1)] * 6))),
    Row("1,001 addresses", costs(20, "addr-form"), says(p.ADDR, p.addr([A_PLACE] * 1001))),
    Row("1,000 addresses", NOTHING, says(p.ADDR, p.addr([A_PLACE] * 1000))),
    Row("answers to nothing", NOTHING, unasked_answers),

    # --- headers ---
    Row("headers that aren't whole", costs(100, "headers-count"),
        says(p.HEADERS, p.raw(b"x" * 117))),
    Row("2,001 headers", LIMIT, says(p.HEADERS, p.raw(bytes(2001 * 118)))),
    Row("headers with a gap", costs(100, "headers-gap"), gap),
    Row("header-version", costs(100, "header-version"), header(version=2)),
    Row("header-genesis", costs(100, "header-genesis"), header(height=0)),
    Row("header-bits", costs(100, "header-bits"), header(bits=0x20ff0000)),
    Row("header-work", costs(100, "header-work"), headers(World.workless)),
    Row("header-height", costs(100, "header-height"), header(height=7777)),
    Row("header-difficulty", costs(100, "header-difficulty"), header(bits=0x207ffffe)),
    Row("header-time-past", costs(100, "header-time-past"), header(time=1)),
    Row("header-parent-invalid", costs(10, "header-parent-invalid"), child_of_invalid),
    Row("a header without a parent", NOTHING, header(prev=b"\7" * 32)),
    Row("a header from the future", NOTHING, headers(
        lambda w: w.header(time=w.template["curtime"] + 100_000))),

    # --- blocks ---
    Row("a block of no header", costs(100, "block-parse"), says(p.BLOCK, p.raw(b"x" * 117))),
    Row("a block nobody asked for", NOTHING,
        says(p.BLOCK, lambda w: p.raw(w.block().encode()))),
    Row("block-parse", costs(100, "block-parse"),
        offers_block(World.block, lambda d: d + b"x"), after=gives_it_whole),
    Row("block-root-mismatch", costs(100, "block-root-mismatch"),
        offers_block(World.block, lambda d: d[:-9] + bytes([d[-9] ^ 1]) + d[-8:]),
        after=gives_it_whole),
    Row("block-coinbase", costs(100, "block-coinbase"),
        offers_block(lambda w: w.block(coinbase=[w.payment()]))),
    Row("block-state-root", costs(100, "block-state-root"),
        offers_block(lambda w: w.block(state_root=b"\7" * 32))),
    Row("coinbase-height", costs(100, "coinbase-height"),
        offers_block(lambda w: w.block(payload=encode_payload(7777)))),
    Row("coinbase-lock", costs(100, "coinbase-lock"),
        offers_block(lambda w: w.block(payload=encode_payload(
            w.template["height"], finality_lock=bytes(132))))),
    Row("coinbase-amount", costs(100, "coinbase-amount"),
        offers_block(lambda w: w.block(amount=w.template["coinbasevalue"] + 1))),
    Row("a block that spends twice", costs(20, "tx-input-missing"),
        offers_block(lambda w: w.block([w.payment(), w.payment(amount=RUST)]))),
    Row("a block that spends young coins", costs(20, "tx-input-immature"),
        offers_block(lambda w: w.block([w.payment(coin=w.young)]))),
    Row("a block with a bad signature", costs(20, "sig-invalid"),
        offers_block(lambda w: w.block([bad_signature(w.payment())]))),

    # --- compact blocks ---
    Row("compact blocks of version 9", NOTHING, says(p.SENDCOMPACT, p.field(1, 9))),
    Row("a compact block that is none", costs(100, "compact-form"),
        says(p.COMPACTBLOCK, p.raw(b"x" * 200))),
    Row("a compact block cut short", costs(100, "compact-form"),
        says(p.COMPACTBLOCK, lambda w: p.raw(compact(w.block())[:-1]))),
    Row("a compact block without a coinbase", costs(100, "compact-form"),
        says(p.COMPACTBLOCK, lambda w: p.raw(compact(w.block(), lambda _: [b"x" * 6], [])))),
    Row("a compact block whose places pass its end", costs(100, "compact-form"),
        says(p.COMPACTBLOCK, lambda w: p.raw(compact(w.block(), prefilled=[
            compact_size(0) + w.payment().encode(), compact_size(9) + w.payment().encode()])))),
    Row("a compact block without work", costs(100, "header-work"),
        says(p.COMPACTBLOCK, lambda w: p.raw(compact(w.block(), header=w.workless().encode())))),
    Row("a compact block nobody asked for", NOTHING,
        says(p.COMPACTBLOCK, lambda w: p.raw(compact(w.block())))),
    Row("transactions nobody asked for", NOTHING,
        says(p.BLOCKTXN, lambda w: p.field(1, w.tip) + p.field(2, w.payment().encode()))),
    Row("a compact block whose header breaks a rule", costs(100, "header-time-past"),
        as_announcer(says(p.COMPACTBLOCK, lambda w: p.raw(compact(w.block(time=1)))))),
    Row("a compact block that completes", NOTHING, offers_compact(
        with_strangers(3), missing=rest()), after=lambda w, _: w.wait_tip(w.offered)),
    Row("short ids that collide", NOTHING, then_whole(offers_compact(
        with_strangers(3), lambda b: compact(b, lambda ids: [ids[0], ids[0], ids[2]])))),
    Row("a compact block of another root", NOTHING, then_whole(offers_compact(
        with_strangers(2), lambda b: compact(b, lambda ids: ids[::-1]), rest(turned=True)))),
    Row("other transactions than asked", NOTHING, then_whole(offers_compact(
        with_strangers(2), missing=rest(turned=True)))),
    Row("what is missing comes as garbage", costs(100, "compact-form"), offers_compact(
        with_strangers(2), missing=lambda b: b"x" * 99), after=gives_it_whole),
    Row("what is missing comes cut", costs(100, "compact-form"), offers_compact(
        with_strangers(2), missing=lambda b: b.transactions[1].encode()), after=gives_it_whole),
    Row("a compact block with a coinbase that breaks a rule", costs(100, "block-coinbase"),
        offers_compact(lambda w: w.block(coinbase=[w.payment()]))),
    Row("a compact block that pays its miner too much", NOTHING,
        offers_compact(lambda w: w.block(amount=w.template["coinbasevalue"] + 1))),
    Row("places that are none", costs(100, "compact-form"), asks_places(b"\xfd")),
    Row("a place behind the last", costs(100, "compact-place"), asks_places(compact_size(9999))),

    # --- transactions ---
    Row("a transaction that is none", costs(100, "tx-parse"), says(p.TX, p.raw(b"x" * 60))),
    Row("a transaction nobody asked for", NOTHING,
        says(p.TX, lambda w: p.raw(w.payment().encode()))),
    Row("tx-coinbase", costs(20, "tx-coinbase"),
        offers_tx(lambda w: coinbase_of(w.template, w.purse.lock))),
    Row("tx-version", costs(20, "tx-version"), pays(version=2)),
    Row("tx-type", costs(20, "tx-type"), pays(type=99)),
    Row("tx-lock", costs(20, "tx-lock"),
        pays(outputs=(Output(RUST, bond_lock(1, b"\1" * 32)),))),
    Row("tx-output-count", costs(20, "tx-output-count"), pays(outputs=())),
    Row("amount-range", costs(20, "amount-range"), pays(amount=SUPPLY_LIMIT + 1)),
    Row("tx-input-twice", costs(20, "tx-input-twice"), spends_of_itself),
    Row("tx-sequence", costs(20, "tx-sequence"), pays(
        lambda tx: replace(tx, inputs=tuple(replace(i, sequence=0x10001) for i in tx.inputs)))),
    Row("tx-payload", costs(20, "tx-payload"), pays(payload=b"x")),
    Row("tx-overspend", costs(20, "tx-overspend"), pays(amount=51 * RUST)),
    Row("witness-empty", costs(20, "witness-empty"),
        offers_tx(lambda w: replace(w.payment(), witness=((),)))),
    Row("sig-encoding", costs(20, "sig-encoding"),
        offers_tx(lambda w: replace(w.payment(), witness=((b"x" * 63,),)))),
    Row("sig-invalid", costs(20, "sig-invalid"),
        offers_tx(lambda w: bad_signature(w.payment()))),
    Row("control-size", costs(20, "control-size"),
        offers_tx(lambda w: replace(w.payment(), witness=((b"\1" * 34, b"x" * 32),)))),
    Row("an orphan", NOTHING, offers_tx(lambda w: w.payment(
        coin=replace(w.coin, outpoint=(b"\7" * 32, 0))))),
    Row("a young coin spent", NOTHING, offers_tx(lambda w: w.payment(coin=w.young))),
    Row("locked until later", NOTHING, pays(lock_time=7777)),
    Row("too little fee", NOTHING, offers_tx(lambda w: w.payment(amount=w.coin.amount))),
    Row("dust", NOTHING, pays(amount=1)),
    Row("two notes", NOTHING, pays(lambda tx: replace(
        tx, outputs=tx.outputs + (Output(0, data_lock(b"a")), Output(0, data_lock(b"b")))))),
]
