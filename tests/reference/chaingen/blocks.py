"""Building and mining blocks, and the faults of blocks and headers."""

import hashlib
from dataclasses import dataclass, field, replace
from typing import Callable, Optional

from rcref import subsidy
from rcref.amount import SUPPLY_LIMIT
from rcref.asert import required_bits
from rcref.bits import compact, target
from rcref.block import Block
from rcref.coinbase import encode_payload
from rcref.codec import compact_list, u32, u64
from rcref.header import HEADER_SIZE, Header
from rcref.lock import bond_lock, data_lock, peg_lock
from rcref.merkle import merkle_root
from rcref.state import State
from rcref.state_rules import View, make_delta
from rcref.timelock import MEDIAN_BLOCKS, median_time_past
from rcref.transaction import COINBASE, PAYMENT, SEQUENCE_FINAL, Input, Output, Transaction
from rcref.witness_rules import transaction_units

from .payments import InputDraft, Site


@dataclass
class Built:
    """A block of the scenario, valid or not, with what is needed to build on it."""
    header: Header
    data: bytes
    parent: Optional["Built"]
    times: list                      # its own and its ancestors', the last 11
    state: Optional[State]           # after it; None where it or an ancestor is invalid
    payments: int = 0

    @property
    def id(self) -> bytes:
        return self.header.id

    @property
    def height(self) -> int:
        return self.header.height

    @property
    def mtp(self) -> int:
        return median_time_past(self.times)


def mine(header: Header, wanted: bool = True) -> Header:
    """With a nonce that has the work its bits ask for, or (wanted False) has not."""
    limit = target(header.bits)
    prefix = header.encode()[:-8]
    nonce = header.nonce
    while True:
        digest = hashlib.sha256(hashlib.sha256(prefix + u64(nonce)).digest()).digest()
        if (int.from_bytes(digest, "little") <= limit) == wanted:
            return replace(header, nonce=nonce)
        nonce = (nonce + 1) % 2**64


@dataclass
class BlockDraft:
    """A block before it is mined; faults change it in any way."""
    site: Site
    parent: Built
    header: Header                    # tx_root and nonce come last
    transactions: list
    coinbase_room: int                # the most the coinbase may take
    clock: int = 0                    # of the offer
    tx_root: Optional[bytes] = None   # instead of the right one
    with_work: bool = True
    encode_body: Callable = field(default=lambda transactions: compact_list(
        [t.encode() for t in transactions]))
    later: bytes = b""                # after the end

    @property
    def rng(self):
        return self.site.rng

    @property
    def height(self) -> int:
        """What it should be; a fault may have changed the header's."""
        return self.parent.height + 1

    @property
    def coinbase(self) -> Transaction:
        return self.transactions[0]

    def change_coinbase(self, **fields) -> None:
        self.transactions[0] = replace(self.coinbase, **fields)

    def change_header(self, **fields) -> None:
        self.header = replace(self.header, **fields)

    def finish(self):
        """(header, data) of the mined block."""
        root = self.tx_root or merkle_root([t.wtxid for t in self.transactions])
        header = mine(replace(self.header, tx_root=root, nonce=self.rng.getrandbits(63)),
                      self.with_work)
        return header, header.encode() + self.encode_body(self.transactions) + self.later


# --- Valid blocks ---

RESERVED = 6_000      # bytes of a block for its coinbase and one payment with a fault


class Builder:
    """Builds blocks on any block of a scenario."""

    def __init__(self, network, owners: dict, rng):
        self.network, self.owners, self.rng = network, owners, rng

    def genesis(self) -> Built:
        block = self.network.genesis
        return Built(block.header, block.encode(), None, [block.header.time],
                     State(0, block.id))

    def site(self, parent: Built) -> Site:
        state = parent.state or State(parent.height, parent.id)
        view = View(self.network, state, parent.height + 1, parent.mtp)
        return Site(self.network, self.owners, self.rng, view)

    def draft(self, parent: Built, faulty=()):
        """A block draft. `faulty` are functions that make a transaction at a site: each is called
        somewhere among the payments; None if one of them can't."""
        site, rng = self.site(parent), self.rng
        # A coinbase made before the fees are known can be named by the block's inputs.
        early = parent.state is not None and rng.random() < 0.3
        if early:
            coinbase = self._coinbase(site, 0)
            site.view.apply(coinbase, [])
        makers = [self._payment] * self._payments_wanted(parent)
        for maker in faulty:
            makers.insert(rng.randint(0, len(makers)), maker)
        transactions = []
        room = self.network.block_limit - RESERVED
        for maker in makers:
            transaction = maker(site)
            if transaction is None and maker in faulty:
                return None
            if transaction is None or (len(transaction.encode()) > room and maker not in faulty):
                continue
            room -= len(transaction.encode())
            transactions.append(transaction)
            site.take(transaction)
        if not early:
            coinbase = self._coinbase(site, site.fees)
        return BlockDraft(site, parent, self._header(parent), [coinbase] + transactions,
                          subsidy.miner_limit(self.network, site.height, site.fees))

    @staticmethod
    def _payment(site: Site):
        draft = site.payment()
        return site.finish(draft) if draft else None

    def _payments_wanted(self, parent: Built) -> int:
        if parent.state is None:
            return 0
        return self.rng.choice((0, 1, 3, 4, 5, 7, 8))

    def _coinbase(self, site: Site, fees: int) -> Transaction:
        rng = self.rng
        room = subsidy.miner_limit(self.network, site.height, fees)
        amount = room if rng.random() < 0.7 else rng.randint(0, room)
        count = rng.choice((1, 2, 3, 4, 6))
        cuts = sorted(rng.randint(0, amount) for _ in range(count - 1))
        outputs = [Output(b - a, site.lock()) for a, b in zip([0] + cuts, cuts + [amount])]
        if rng.random() < 0.03:
            outputs = [Output(0, data_lock(b""))]
        elif rng.random() < 0.1:
            outputs.append(Output(0, data_lock(rng.randbytes(rng.choice((0, 8, 256))))))
        free = rng.randbytes(rng.choice((0, 0, 4, 64)))
        return Transaction(COINBASE, (), tuple(outputs),
                           payload=encode_payload(site.height, free))

    def _header(self, parent: Built) -> Header:
        network = self.network
        root = parent.state.root() if parent.state else self.rng.randbytes(32)
        return Header(parent.height + 1, parent.id, bytes(32), root, self._time(parent),
                      required_bits(network, parent.height, parent.header.time))

    def _time(self, parent: Built) -> int:
        """Near the schedule with ASERT, so that no block is hard to mine; past the median."""
        network, rng = self.network, self.rng
        if network.retarget:
            schedule = network.genesis_time + network.spacing * (parent.height + 1)
            first, last = schedule - 3 * network.half_life, schedule + 3 * network.half_life
        else:
            first, last = parent.header.time - 100, parent.header.time + 300
        first = max(first, parent.mtp + 1)
        return first if rng.random() < 0.15 else rng.randint(first, max(first, last))

    def built(self, draft: BlockDraft, valid: bool) -> Built:
        """Mines the draft. A valid block's state is the parent's with the block applied."""
        header, data = draft.finish()
        parent, state = draft.parent, None
        if valid and parent.state is not None:
            state = parent.state.copy()
            state.apply(self._delta(parent, Block(header, tuple(draft.transactions))))
        return Built(header, data, parent, ([header.time] + parent.times)[:MEDIAN_BLOCKS], state,
                     sum(1 for t in draft.transactions if t.type == PAYMENT))

    def _delta(self, parent: Built, block: Block):
        """What a block known to be valid does."""
        view = View(self.network, parent.state, block.height, parent.mtp)
        for transaction in block.transactions:
            view.apply(transaction, [view.coin(i.outpoint) for i in transaction.inputs])
        return make_delta(view, block)


# --- Faults of blocks: False where they don't apply ---

def _header_version(draft) -> bool:
    draft.change_header(version=draft.rng.choice((0, 2, 256, 65_535)))
    return True


def _header_genesis(draft) -> bool:
    draft.change_header(height=0)
    return True


def _header_bits(draft) -> bool:
    limit = draft.site.network.limit_bits
    above = compact(target(limit) + (1 << (8 * ((limit >> 24) - 3))))
    draft.change_header(bits=draft.rng.choice((
        0, 0x01000000, 0x20800001, 0x2100007F, 0x1D00007F, 0x2100FFFF, 0xFF123456, above)))
    # an id over so great a target is not to be found, and work is not asked about before
    draft.with_work = target(draft.header.bits) > target(limit)
    return True


def _header_work(draft) -> bool:
    draft.with_work = False
    return True


def _header_parent_unknown(draft) -> bool:
    draft.change_header(prev=draft.rng.randbytes(32))
    return True


def _header_height(draft) -> bool:
    height = draft.height
    draft.change_header(height=draft.rng.choice(
        [wrong for wrong in (height + 1, height - 1, height + 1_000, 2**32 - 1) if wrong > 0]))
    return True


def _header_difficulty(draft) -> bool:
    required = target(draft.header.bits)
    limit = target(draft.site.network.limit_bits)
    wrong = [compact(t) for t in (required - (required >> 12), required >> 1,
                                  min(required + (required >> 12), limit), limit)]
    wrong = [bits for bits in wrong if bits != draft.header.bits]
    draft.change_header(bits=draft.rng.choice(wrong))
    return True


def _header_time_past(draft) -> bool:
    mtp = draft.parent.mtp     # 0 on a broken header that claims the time 0
    draft.change_header(time=draft.rng.choice((mtp, max(mtp - 1, 0), 0)))
    return True


def _header_time_future(draft) -> bool:
    latest = draft.clock + draft.site.network.future_limit
    draft.change_header(time=latest + draft.rng.choice((1, 1, 60)))
    return True


def _block_parse(draft) -> bool:
    """Not one encoding: more, less, or a longer compact size."""
    rng = draft.rng

    def cut(transactions):
        whole = compact_list([t.encode() for t in transactions])
        return whole[:rng.randrange(len(whole))]

    def none(transactions):
        return b"\x00"

    def longer_count(transactions):
        return b"\xfd" + len(transactions).to_bytes(2, "little") + b"".join(
            t.encode() for t in transactions)

    def huge_count(transactions):
        return b"\xff" + b"\xff" * 8 + b"".join(t.encode() for t in transactions)

    choice = rng.choice(("later", cut, none, longer_count, huge_count, "kind", "data", "data-size"))
    outputs = {"kind": Output(0, rng.choice((b"\x00", b"\x05", b"\xff")) + bytes(32)),
               "data": Output(0, data_lock(bytes(257))),
               "data-size": Output(0, b"\x02\xfd\x05\x00" + bytes(5))}
    if choice == "later":
        draft.later = rng.choice((b"\x00", bytes(100)))
    elif choice in outputs:
        draft.change_coinbase(outputs=draft.coinbase.outputs + (outputs[choice],))
    else:
        draft.encode_body = choice
    return True


def _root_mismatch(draft) -> bool:
    """Another root, or another order or witness than the root's."""
    rng, transactions = draft.rng, draft.transactions
    right = merkle_root([t.wtxid for t in transactions])
    payments = [i for i, t in enumerate(transactions) if t.inputs]
    if payments and rng.random() < 0.4:
        i = rng.choice(payments)
        items = ((b"\x01",) + transactions[i].witness[0],) + transactions[i].witness[1:]
        transactions[i] = replace(transactions[i], witness=items)
        draft.tx_root = right
    elif len(transactions) > 2 and rng.random() < 0.5:
        transactions[1], transactions[2] = transactions[2], transactions[1]
        draft.tx_root = right
    else:
        draft.tx_root = rng.choice((rng.randbytes(32), bytes(32)[:-1] + b"\x01"))
    return True


def _block_coinbase(draft) -> bool:
    rng, transactions = draft.rng, draft.transactions
    another = replace(draft.coinbase, payload=encode_payload(draft.height + 1))
    choice = rng.choice(("two", "missing", "second", "type"))
    if choice == "two":
        transactions.insert(rng.randint(1, len(transactions)), another)
    elif choice == "missing" and len(transactions) > 1:
        del transactions[0]
    elif choice == "second" and len(transactions) > 1:
        transactions[0], transactions[1] = transactions[1], transactions[0]
    else:
        draft.change_coinbase(type=rng.choice((0, 2, 10, 65_535)))
    return True


def _coinbase_version(draft) -> bool:
    draft.change_coinbase(version=draft.rng.choice((0, 2)))
    return True


def _coinbase_lock_kind(draft) -> bool:
    lock = draft.rng.choice((bond_lock(1, bytes(32)), peg_lock(bytes(32))))
    draft.change_coinbase(outputs=draft.coinbase.outputs + (Output(0, lock),))
    return True


def _coinbase_input(draft) -> bool:
    draft.change_coinbase(inputs=(Input(bytes(32), 2**32 - 1, 2**32 - 1),), witness=((),))
    return True


def _coinbase_without_outputs(draft) -> bool:
    draft.change_coinbase(outputs=())
    return True


def _coinbase_amount_range(draft) -> bool:
    bad = draft.rng.choice(((Output(SUPPLY_LIMIT + 1, draft.site.lock()),),
                            (Output(7, data_lock(b"")),),
                            (Output(SUPPLY_LIMIT, draft.site.lock()),) * 2))
    draft.change_coinbase(outputs=draft.coinbase.outputs + bad)
    return True


def _coinbase_lock_time(draft) -> bool:
    draft.change_coinbase(lock_time=draft.rng.choice((1, draft.header.height, 2**32 - 1)))
    return True


def _coinbase_payload(draft) -> bool:
    height, payload = draft.height, draft.coinbase.payload
    locked = encode_payload(height, finality_lock=bytes(132))
    draft.change_coinbase(payload=draft.rng.choice((
        b"", payload[:-1], payload + b"\x00", payload[:4] + b"\x02" + payload[5:],
        encode_payload(height, free=bytes(65)), payload[:4] + b"\x01" + payload[5:],
        encode_payload(height, finality_lock=bytes(131)), locked[:4] + b"\x02" + locked[5:])))
    return True


def _tx_twice(draft) -> bool:
    """The same transaction again, or the same txid with another witness."""
    payments = [t for t in draft.transactions if t.inputs]
    if not payments:
        return False
    again = draft.rng.choice(payments)
    if draft.rng.random() < 0.5:
        again = replace(again, witness=((),) * len(again.inputs))
    draft.transactions.append(again)
    return True


def _state_root(draft) -> bool:
    """Any root, the grandparent's, or a bit off."""
    right = draft.header.state_root
    wrong = [draft.rng.randbytes(32), bytes([right[0] ^ 1]) + right[1:]]
    if draft.parent.header.state_root != right:
        wrong.append(draft.parent.header.state_root)
    draft.change_header(state_root=draft.rng.choice(wrong))
    return True


SMALL_LIMIT = 12_000     # where a block over its limit is not too long to print
DATA_OUTPUT = 8 + 1 + 3 + 256


def _data_size(output_size: int):
    """The bytes of data in a DATA output of this size; None for 263 and 264, which don't exist."""
    if output_size in (263, 264):
        return None
    return output_size - (10 if output_size <= 262 else 12)


def pad(draft, size: int) -> bool:
    """Makes the block this long by DATA outputs of the coinbase; False if it is too long."""
    short = size - HEADER_SIZE - len(draft.encode_body(draft.transactions))
    if short < 2 * DATA_OUTPUT:
        return False
    many, rest = divmod(short - DATA_OUTPUT, DATA_OUTPUT)
    rest += DATA_OUTPUT
    half = next(n for n in range(rest // 2, 0, -1) if _data_size(n) and _data_size(rest - n))
    sizes = [256] * many + [_data_size(half), _data_size(rest - half)]
    draft.change_coinbase(outputs=draft.coinbase.outputs + tuple(
        Output(0, data_lock(bytes(n))) for n in sizes))
    return True


def _block_size(draft) -> bool:
    limit = draft.site.network.block_limit
    if limit > SMALL_LIMIT:
        return False
    return pad(draft, limit + 1)


def _coinbase_height(draft) -> bool:
    height = draft.height
    wrong = draft.rng.choice((height - 1, height + 1, 2**32 - 1, 0))
    draft.change_coinbase(payload=u32(wrong) + draft.coinbase.payload[4:])
    return True


def _coinbase_finality_lock(draft) -> bool:
    draft.change_coinbase(payload=encode_payload(
        draft.height, finality_lock=draft.rng.randbytes(132)))
    return True


def _missing_later(draft) -> bool:
    """An input that names an output of a later transaction of the block."""
    dependent = [(at, before) for at, t in enumerate(draft.transactions)
                 for before in range(1, at)
                 if any(i.prev_txid == draft.transactions[before].txid for i in t.inputs)]
    if not dependent:
        return False
    at, before = draft.rng.choice(dependent)
    draft.transactions.insert(before, draft.transactions.pop(at))
    return True


# witnesses that fail, by the units they count: what a budget can be filled with at little length
COSTING = {50: (b"", b""), 100: (b"",), 150: (bytes(64), b"", b""), 250: (bytes(64), bytes(65)) * 2}


def _fill_budget(draft, units: int) -> bool:
    """A payment whose witnesses count so many units; its coins are made before it."""
    site = draft.site
    coins = [pair for pair in site.coins() if pair[0] in site.view.state.coins]
    if site.network.block_limit > 10_400 or not coins:
        return False
    costs = [100] + draft.rng.sample((50, 100, 100, 150, 250), 3)
    costs += [50] * (sum(costs) % 100 != units % 100)
    costs += [100] * ((units - sum(costs)) // 100)
    source = site.payment_of([InputDraft(*coins[0], owner=site.owners[coins[0][1].lock])])
    lock = next(lock for lock, owner in site.owners.items() if owner.secret)
    source.outputs[:] = [Output(0, lock)] * len(costs)
    source.lock_time = 0
    fan = site.finish(source)
    inputs = tuple(Input(fan.txid, i, SEQUENCE_FINAL) for i in range(len(costs)))
    spend = Transaction(PAYMENT, inputs, (Output(0, lock),),
                        witness=tuple(COSTING[cost] for cost in costs))
    draft.change_coinbase(outputs=(Output(0, data_lock(b"")),))
    draft.transactions[1:] = [fan, spend]
    assert sum(map(transaction_units, (fan, spend))) == units + 100
    return True


def _budget(draft) -> bool:
    """The least over the budget."""
    limit = draft.site.network.block_limit
    return _fill_budget(draft, limit // 50 * 50 + 50 - 100)


def _budget_met(draft) -> bool:
    """The budget used up: the block fails by its first witness after all."""
    return _fill_budget(draft, draft.site.network.block_limit // 50 * 50 - 100)


def _coinbase_amount(draft) -> bool:
    taken = sum(output.amount for output in draft.coinbase.outputs)
    over = max(1, draft.coinbase_room - taken + draft.rng.choice((1, 1, 1_000, 10**9)))
    draft.change_coinbase(outputs=draft.coinbase.outputs + (Output(over, draft.site.lock()),))
    return True


BLOCK_FAULTS = (
    ("header-version", _header_version),
    ("header-genesis", _header_genesis),
    ("header-bits", _header_bits),
    ("header-work", _header_work),
    ("header-parent-unknown", _header_parent_unknown),
    ("header-height", _header_height),
    ("header-difficulty", _header_difficulty),
    ("header-time-past", _header_time_past),
    ("header-time-future", _header_time_future),
    ("block-parse", _block_parse),
    ("block-root-mismatch", _root_mismatch),
    ("block-coinbase", _block_coinbase),
    ("tx-version", _coinbase_version),
    ("tx-lock", _coinbase_lock_kind),
    ("tx-input-count", _coinbase_input),
    ("tx-output-count", _coinbase_without_outputs),
    ("amount-range", _coinbase_amount_range),
    ("tx-lock-time-form", _coinbase_lock_time),
    ("tx-payload", _coinbase_payload),
    ("tx-twice", _tx_twice),
    ("block-state-root", _state_root),
    ("block-size", _block_size),
    ("coinbase-height", _coinbase_height),
    ("coinbase-lock", _coinbase_finality_lock),
    ("tx-input-missing", _missing_later),
    ("block-budget", _budget),
    ("sig-encoding", _budget_met),
    ("coinbase-amount", _coinbase_amount),
)

HEADER_FAULTS = [fault for fault in BLOCK_FAULTS if fault[0].startswith("header-")]

# Of several faults these come first, since they replace the transactions, or last, since they
# count bytes.
_FIRST, _LAST = ("block-budget", "sig-encoding"), ("block-size",)


def apply_together(draft, chosen) -> None:
    """Several faults of one block, in an order in which they don't undo each other."""
    for _, change in sorted(chosen, key=lambda fault: (fault[0] not in _FIRST, fault[0] in _LAST)):
        change(draft)
