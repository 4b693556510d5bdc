"""Required bits.  Document 20, "Difficulty": ASERT (aserti3-2d), or always the limit's."""

from .bits import compact, target


def required_bits(network, parent_height: int, parent_time: int) -> int:
    """The bits a block must state on a parent of this height and time."""
    if network.retarget == 0:
        return network.limit_bits
    return compact(_asert_target(network, parent_height, parent_time))


def _truncated_division(a: int, b: int) -> int:
    """C's division, for b > 0: toward zero, where Python's // floors."""
    return a // b if a >= 0 else -(-a // b)


def _asert_target(network, parent_height: int, parent_time: int) -> int:
    limit = target(network.limit_bits)
    d = (parent_time - network.genesis_time) - network.spacing * parent_height
    e = _truncated_division(d * 65536, network.half_life)
    s = e >> 16              # floors
    f = e - (s << 16)        # 0 ≤ f ≤ 65535
    if s > 256:
        return limit
    if s < -273:
        return 1
    factor = 65536 + ((195766423245049 * f + 971821376 * f**2 + 5127 * f**3 + 2**47) >> 48)
    t = target(network.genesis_bits) * factor
    t = t << (s - 16) if s >= 16 else t >> (16 - s)
    return min(max(t, 1), limit)
