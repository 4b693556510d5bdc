"""Networks: their table, genesis block and id.  Document 20, "Networks"."""

import re
from dataclasses import dataclass, fields
from functools import cached_property

from .amount import RUST, SUPPLY_LIMIT
from .bits import is_canonical, target
from .block import Block
from .codec import ParseError, Reader, u8, u16, u32, u64
from .coinbase import encode_payload
from .hashes import ZERO32, tagged
from .header import Header
from .lock import data_lock
from .merkle import merkle_root
from .state import EMPTY_STATE_ROOT
from .transaction import COINBASE, Output, Transaction


def _short_bytes(data: bytes) -> bytes:
    return u8(len(data)) + data


def _short_text(text: str) -> bytes:
    return _short_bytes(text.encode("ascii"))


def _read_short_bytes(reader: Reader) -> bytes:
    return reader.take(reader.u8())


def _read_short_text(reader: Reader) -> str:
    data = _read_short_bytes(reader)
    if not data.isascii():
        raise ParseError("a name that is not ASCII")
    return data.decode("ascii")


# field of the table, in its order: how it is written, how it is read
TABLE = (
    ("table_version", u16, Reader.u16),
    ("name", _short_text, _read_short_text),
    ("hrp", _short_text, _read_short_text),
    ("genesis_time", u32, Reader.u32),
    ("genesis_bits", u32, Reader.u32),
    ("genesis_text", _short_bytes, _read_short_bytes),
    ("spacing", u32, Reader.u32),
    ("retarget", u8, Reader.u8),
    ("limit_bits", u32, Reader.u32),
    ("half_life", u32, Reader.u32),
    ("future_limit", u32, Reader.u32),
    ("first_subsidy", u64, Reader.u64),
    ("halving", u32, Reader.u32),
    ("masternode_share", u8, Reader.u8),
    ("treasury_share", u8, Reader.u8),
    ("maturity", u32, Reader.u32),
    ("block_limit", u32, Reader.u32),
    ("cycle", u32, Reader.u32),
    ("collateral", u64, Reader.u64),
)


@dataclass(frozen=True)
class Network:
    name: str
    hrp: str
    genesis_time: int
    genesis_bits: int
    genesis_text: bytes
    spacing: int
    retarget: int                  # 0 always the limit, 1 ASERT
    limit_bits: int
    future_limit: int
    halving: int
    maturity: int
    cycle: int
    collateral: int
    half_life: int = 43_200
    first_subsidy: int = 50 * RUST
    masternode_share: int = 40     # percent
    treasury_share: int = 10       # percent
    block_limit: int = 2_000_000   # bytes
    table_version: int = 1

    @cached_property
    def table(self) -> bytes:
        return b"".join(write(getattr(self, name)) for name, write, _ in TABLE)

    @cached_property
    def genesis(self) -> Block:
        """Valid by definition; pays nothing and makes no coin."""
        transaction = Transaction(
            COINBASE, (), (Output(0, data_lock(b"")),),
            payload=encode_payload(height=0, free=self.genesis_text))
        header = Header(height=0, prev=ZERO32, tx_root=merkle_root([transaction.wtxid]),
                        state_root=EMPTY_STATE_ROOT, time=self.genesis_time,
                        bits=self.genesis_bits)
        return Block(header, (transaction,))

    @cached_property
    def id(self) -> bytes:
        """The network id: in every signature hash, so nothing replays across networks."""
        return tagged("RC/network", self.table + self.genesis.id)


MAIN = Network(
    name="main", hrp="rc", genesis_time=1_798_761_600, genesis_bits=0x1E00FFFF,
    genesis_text=b"Rusty Coin main", spacing=150, retarget=1, limit_bits=0x1E00FFFF,
    future_limit=900, halving=840_000, maturity=100, cycle=16_616, collateral=10_000 * RUST)

TEST = Network(
    name="test", hrp="trc", genesis_time=1_798_761_600, genesis_bits=0x1E00FFFF,
    genesis_text=b"Rusty Coin test", spacing=150, retarget=1, limit_bits=0x1E00FFFF,
    future_limit=900, halving=840_000, maturity=100, cycle=16_616, collateral=10_000 * RUST)

REG = Network(
    name="reg", hrp="rcrt", genesis_time=1_767_225_600, genesis_bits=0x207FFFFF,
    genesis_text=b"Rusty Coin reg", spacing=0, retarget=0, limit_bits=0x207FFFFF,
    future_limit=7_200, halving=1_000, maturity=10, cycle=50, collateral=100 * RUST)

NETWORKS = {network.name: network for network in (MAIN, TEST, REG)}


def parse_table(data: bytes) -> Network:
    reader = Reader(data)
    values = {name: read(reader) for name, _, read in TABLE}
    reader.finish()
    return Network(**values)


# what a custom network's table must satisfy, the column "bounds for custom"
BOUNDS = (
    ("table version", lambda n: n.table_version == 1),
    ("name", lambda n: re.fullmatch("[a-z0-9-]{1,16}", n.name) and n.name not in NETWORKS),
    ("address prefix", lambda n: re.fullmatch("[a-z]{1,15}", n.hrp) and n.hrp not in ("rc", "trc")),
    ("genesis time", lambda n: n.genesis_time >= 1),
    ("target limit", lambda n: is_canonical(n.limit_bits)
     and target(n.limit_bits) <= target(0x207FFFFF)),
    ("genesis bits", lambda n: is_canonical(n.genesis_bits)
     and target(n.genesis_bits) <= target(n.limit_bits)),
    ("genesis text", lambda n: len(n.genesis_text) <= 64),
    ("retarget", lambda n: n.retarget in (0, 1)),
    ("spacing", lambda n: n.retarget == 0 or 1 <= n.spacing <= 3_600),
    ("half-life", lambda n: 1 <= n.half_life <= 31_536_000),
    ("future limit", lambda n: 1 <= n.future_limit <= 7_200),
    ("halving", lambda n: n.halving >= 1),
    ("first subsidy", lambda n: n.first_subsidy * 2 * n.halving <= SUPPLY_LIMIT),
    ("shares", lambda n: n.masternode_share + n.treasury_share <= 100),
    ("coinbase maturity", lambda n: 1 <= n.maturity <= 65_535),
    ("block limit", lambda n: 10_000 <= n.block_limit <= 32_000_000),
    ("cycle", lambda n: n.cycle >= 1),
    ("masternode collateral", lambda n: n.collateral >= 1),
)


def bounds_broken(network: Network) -> list:
    """The names of the bounds a custom network's table breaks."""
    return [name for name, holds in BOUNDS if not holds(network)]


assert {f.name for f in fields(Network)} == {name for name, _, _ in TABLE}
