"""Locks in time.  Document 20, "Locks in time"."""

from .transaction import SEQUENCE_FINAL

MEDIAN_BLOCKS = 11
LOCK_TIME_IS_TIME = 500_000_000
SEQUENCE_NO_LOCK = 1 << 31
SEQUENCE_BLOCKS = 0xFFFF
SEQUENCE_ZERO_BITS = 0x7FFF_0000     # bits 16–30, where bit 31 is clear


def median_time_past(times: list) -> int:
    """MTP of a block; `times` are its own and its ancestors' times, at least the last 11."""
    last = sorted(times[-MEDIAN_BLOCKS:])
    return last[len(last) // 2]


def sequence_form_ok(sequence: int) -> bool:
    return bool(sequence & SEQUENCE_NO_LOCK) or not sequence & SEQUENCE_ZERO_BITS


def lock_time_satisfied(transaction, height: int, parent_mtp: int) -> bool:
    """For a transaction in a block of this height, on a parent with this MTP."""
    lock_time = transaction.lock_time
    if lock_time == 0:
        return True
    if lock_time < (height if lock_time < LOCK_TIME_IS_TIME else parent_mtp):
        return True
    return all(i.sequence == SEQUENCE_FINAL for i in transaction.inputs)


def relative_lock_satisfied(sequence: int, coin_height: int, height: int) -> bool:
    if sequence & SEQUENCE_NO_LOCK:
        return True
    return height >= coin_height + (sequence & SEQUENCE_BLOCKS)


def mature(coin, height: int, maturity: int) -> bool:
    """Whether the coin may be spent in a block of this height; only coinbases have to wait."""
    return not coin.coinbase or height - coin.height >= maturity
