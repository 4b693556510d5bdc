"""The rules of headers, in order.  Document 20, "Order of checks", table "header"."""

from dataclasses import dataclass
from typing import Optional

from .asert import required_bits
from .bits import has_work, is_canonical, target
from .header import Header
from .network import Network
from .verdict import first_failure


@dataclass(frozen=True)
class Parent:
    """What the rules read of a header's parent."""
    height: int
    time: int
    mtp: int
    invalid: bool = False


@dataclass(frozen=True)
class HeaderContext:
    network: Network
    header: Header
    parent: Optional[Parent]     # None: not known
    clock: int                   # the local clock


def _version(c) -> bool:
    return c.header.version == 1


def _genesis(c) -> bool:
    return c.header.height != 0 or c.header.id == c.network.genesis.id


def _bits(c) -> bool:
    return (is_canonical(c.header.bits)
            and target(c.header.bits) <= target(c.network.limit_bits))


def _work(c) -> bool:
    return has_work(c.header.id, c.header.bits)


def _parent_known(c) -> bool:
    return c.parent is not None


def _parent_not_invalid(c) -> bool:
    return not c.parent.invalid


def _height(c) -> bool:
    return c.header.height == c.parent.height + 1


def _difficulty(c) -> bool:
    return c.header.bits == required_bits(c.network, c.parent.height, c.parent.time)


def _time_past(c) -> bool:
    return c.header.time > c.parent.mtp


def _time_future(c) -> bool:
    return c.header.time <= c.clock + c.network.future_limit


RULES = (
    ("header-version", _version),
    ("header-genesis", _genesis),
    ("header-bits", _bits),
    ("header-work", _work),
    ("header-parent-unknown", _parent_known),
    ("header-parent-invalid", _parent_not_invalid),
    ("header-height", _height),
    ("header-difficulty", _difficulty),
    ("header-time-past", _time_past),
    ("header-time-future", _time_future),
)


def check_header(context: HeaderContext) -> str:
    return first_failure(RULES, context)
