"""secp256k1 and BIP340 in plain Python, to compare the library with.

Slow and not constant in time: for tests only.  The formulas are BIP340's "Specification".
"""

import hashlib

P = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G = (0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
     0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8)

INFINITY = None


def _hash(tag: str, data: bytes) -> bytes:
    digest = hashlib.sha256(tag.encode()).digest()
    return hashlib.sha256(digest + digest + data).digest()


def _bytes(number: int) -> bytes:
    return number.to_bytes(32, "big")


def _number(data: bytes) -> int:
    return int.from_bytes(data, "big")


# Points in Jacobian coordinates (X, Y, Z) stand for (X/Z², Y/Z³); Z = 0 is infinity.

def _double(p):
    x, y, z = p
    if z == 0 or y == 0:
        return (1, 1, 0)
    s = 4 * x * y * y % P
    m = 3 * x * x % P
    nx = (m * m - 2 * s) % P
    return (nx, (m * (s - nx) - 8 * y**4) % P, 2 * y * z % P)


def _add(p, q):
    if p[2] == 0:
        return q
    if q[2] == 0:
        return p
    pz2, qz2 = p[2] * p[2] % P, q[2] * q[2] % P
    u1, u2 = p[0] * qz2 % P, q[0] * pz2 % P
    s1, s2 = p[1] * qz2 * q[2] % P, q[1] * pz2 * p[2] % P
    if u1 == u2:
        return _double(p) if s1 == s2 else (1, 1, 0)
    h, r = u2 - u1, s2 - s1
    h2 = h * h % P
    h3 = h * h2 % P
    x = (r * r - h3 - 2 * u1 * h2) % P
    return (x, (r * (u1 * h2 - x) - s1 * h3) % P, h * p[2] * q[2] % P)


def _affine(p):
    if p[2] == 0:
        return INFINITY
    inverse = pow(p[2], -1, P)
    return (p[0] * inverse**2 % P, p[1] * inverse**3 % P)


def _jacobian(point):
    return (1, 1, 0) if point is INFINITY else (point[0], point[1], 1)


def multiply(k: int, point=G):
    result, addend = (1, 1, 0), _jacobian(point)
    while k:
        if k & 1:
            result = _add(result, addend)
        addend = _double(addend)
        k >>= 1
    return _affine(result)


def add(a, b):
    return _affine(_add(_jacobian(a), _jacobian(b)))


def lift_x(key: bytes):
    """The point of even y with this x, or None."""
    x = _number(key)
    if x >= P:
        return None
    square = (pow(x, 3, P) + 7) % P
    y = pow(square, (P + 1) // 4, P)
    if y * y % P != square:
        return None
    return (x, y if y % 2 == 0 else P - y)


def xonly_key(secret: bytes) -> bytes:
    return _bytes(multiply(_number(secret))[0])


def tweak_add(internal_key: bytes, tweak: bytes):
    """lift_x(P) + t·G as (x, parity of y), or None where document 20 says `control-key`."""
    point, t = lift_x(internal_key), _number(tweak)
    if point is None or t >= N:
        return None
    result = add(point, multiply(t))
    if result is INFINITY:
        return None
    return _bytes(result[0]), result[1] & 1


def sign(secret: bytes, message: bytes, aux: bytes) -> bytes:
    d0 = _number(secret)
    if not 1 <= d0 < N:
        raise ValueError("not a secret key")
    point = multiply(d0)
    d = d0 if point[1] % 2 == 0 else N - d0
    masked = bytes(a ^ b for a, b in zip(_bytes(d), _hash("BIP0340/aux", aux)))
    k0 = _number(_hash("BIP0340/nonce", masked + _bytes(point[0]) + message)) % N
    if k0 == 0:
        raise ValueError("a nonce of zero")
    r = multiply(k0)
    k = k0 if r[1] % 2 == 0 else N - k0
    e = _number(_hash("BIP0340/challenge", _bytes(r[0]) + _bytes(point[0]) + message)) % N
    return _bytes(r[0]) + _bytes((k + e * d) % N)


def verify(key: bytes, message: bytes, signature: bytes) -> bool:
    point = lift_x(key)
    if point is None or len(signature) != 64:
        return False
    r, s = _number(signature[:32]), _number(signature[32:])
    if r >= P or s >= N:
        return False
    e = _number(_hash("BIP0340/challenge", signature[:32] + key + message)) % N
    result = add(multiply(s), multiply(N - e, point))
    return result is not INFINITY and result[1] % 2 == 0 and result[0] == r
