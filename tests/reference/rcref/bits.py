"""Compact targets, proof of work, work.  Document 20, "Difficulty"."""

TARGET_END = 1 << 256


def target(bits: int) -> int:
    exponent, mantissa = bits >> 24, bits & 0x7FFFFF
    if exponent >= 3:
        return mantissa << (8 * (exponent - 3))
    return mantissa >> (8 * (3 - exponent))


def compact(t: int) -> int:
    n = (t.bit_length() + 7) // 8
    c = t >> (8 * (n - 3)) if n > 3 else t << (8 * (3 - n))
    if c & 0x800000:
        c, n = c >> 8, n + 1
    return (n << 24) + c


def is_canonical(bits: int) -> bool:
    """Bit 23 clear, a target of 1…2^256 − 1, and the only bits of that target."""
    if bits & 0x00800000:
        return False
    t = target(bits)
    return 1 <= t < TARGET_END and compact(t) == bits


def has_work(block_id: bytes, bits: int) -> bool:
    """Proof of work: the id read as a little-endian number is at most the target."""
    return int.from_bytes(block_id, "little") <= target(bits)


def work(bits: int) -> int:
    return TARGET_END // (target(bits) + 1)
