"""Signatures and key tweaks by libsecp256k1, through ctypes.  crypto.md, section 0."""

import ctypes
import ctypes.util
from functools import lru_cache

_LIBRARIES = ("libsecp256k1.so.1", ctypes.util.find_library("secp256k1"))
_CONTEXT_NONE = 1
_POINT_SIZE, _KEYPAIR_SIZE = 64, 96


class _ExtraParams(ctypes.Structure):
    """secp256k1_schnorrsig_extraparams, which `sign_custom` takes."""
    _fields_ = [("magic", ctypes.c_ubyte * 4), ("nonce_function", ctypes.c_void_p),
                ("nonce_data", ctypes.c_char_p)]

    def __init__(self, aux: bytes):
        super().__init__((ctypes.c_ubyte * 4)(0xDA, 0x6F, 0xB3, 0x8C), None, aux)


_POINTER, _BYTES, _SIZE = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t

_SIGNATURES = {
    "secp256k1_xonly_pubkey_parse": (_POINTER, _POINTER, _BYTES),
    "secp256k1_xonly_pubkey_serialize": (_POINTER, _POINTER, _POINTER),
    "secp256k1_xonly_pubkey_from_pubkey":
        (_POINTER, _POINTER, ctypes.POINTER(ctypes.c_int), _POINTER),
    "secp256k1_xonly_pubkey_tweak_add": (_POINTER, _POINTER, _POINTER, _BYTES),
    "secp256k1_keypair_create": (_POINTER, _POINTER, _BYTES),
    "secp256k1_keypair_xonly_pub":
        (_POINTER, _POINTER, ctypes.POINTER(ctypes.c_int), _POINTER),
    "secp256k1_keypair_xonly_tweak_add": (_POINTER, _POINTER, _BYTES),
    "secp256k1_keypair_sec": (_POINTER, _POINTER, _POINTER),
    "secp256k1_schnorrsig_sign_custom":
        (_POINTER, _POINTER, _BYTES, _SIZE, _POINTER, ctypes.POINTER(_ExtraParams)),
    "secp256k1_schnorrsig_verify": (_POINTER, _BYTES, _BYTES, _SIZE, _POINTER),
}


def _load():
    for name in filter(None, _LIBRARIES):
        try:
            library = ctypes.CDLL(name)
            break
        except OSError:
            continue
    else:
        raise ImportError("libsecp256k1 is not installed (Debian: libsecp256k1-1)")
    library.secp256k1_context_create.restype = ctypes.c_void_p
    library.secp256k1_context_create.argtypes = (ctypes.c_uint,)
    for name, arguments in _SIGNATURES.items():
        function = getattr(library, name)
        function.argtypes, function.restype = arguments, ctypes.c_int
    return library


_LIB = _load()
_CTX = _LIB.secp256k1_context_create(_CONTEXT_NONE)


@lru_cache(maxsize=4096)
def _point(key: bytes):
    """The parsed x-only key, or None if it isn't the x of a point."""
    point = ctypes.create_string_buffer(_POINT_SIZE)
    return point if _LIB.secp256k1_xonly_pubkey_parse(_CTX, point, key) else None


@lru_cache(maxsize=4096)
def _keypair(secret: bytes):
    keypair = ctypes.create_string_buffer(_KEYPAIR_SIZE)
    if not _LIB.secp256k1_keypair_create(_CTX, keypair, secret):
        raise ValueError("not a secret key")
    return keypair


def _serialize(point) -> bytes:
    out = ctypes.create_string_buffer(32)
    _LIB.secp256k1_xonly_pubkey_serialize(_CTX, out, point)
    return out.raw


def is_key(key: bytes) -> bool:
    """Whether lift_x(key) exists."""
    return _point(key) is not None


def xonly_key(secret: bytes) -> bytes:
    point = ctypes.create_string_buffer(_POINT_SIZE)
    _LIB.secp256k1_keypair_xonly_pub(_CTX, point, None, _keypair(secret))
    return _serialize(point)


def tweak_add(internal_key: bytes, tweak: bytes):
    """lift_x(P) + t·G as (x, parity of y); None if P doesn't lift, t ≥ n or at infinity."""
    internal = _point(internal_key)
    if internal is None:
        return None
    sum_, xonly = (ctypes.create_string_buffer(_POINT_SIZE) for _ in range(2))
    if not _LIB.secp256k1_xonly_pubkey_tweak_add(_CTX, sum_, internal, tweak):
        return None
    parity = ctypes.c_int()
    _LIB.secp256k1_xonly_pubkey_from_pubkey(_CTX, xonly, parity, sum_)
    return _serialize(xonly), parity.value


def tweak_secret(secret: bytes, tweak: bytes) -> bytes:
    """The secret of lift_x(P) + t·G, P being the x-only key of `secret`."""
    keypair = ctypes.create_string_buffer(_keypair(secret).raw, _KEYPAIR_SIZE)
    if not _LIB.secp256k1_keypair_xonly_tweak_add(_CTX, keypair, tweak):
        raise ValueError("the tweak is not usable")
    out = ctypes.create_string_buffer(32)
    _LIB.secp256k1_keypair_sec(_CTX, out, keypair)
    return out.raw


def sign(secret: bytes, message: bytes, aux: bytes = bytes(32)) -> bytes:
    """A BIP340 signature of a message of any length."""
    signature = ctypes.create_string_buffer(64)
    parameters = _ExtraParams(aux)
    if not _LIB.secp256k1_schnorrsig_sign_custom(
            _CTX, signature, message, len(message), _keypair(secret), parameters):
        raise ValueError("signing failed")
    return signature.raw


def verify(key: bytes, message: bytes, signature: bytes) -> bool:
    point = _point(key)
    if point is None or len(signature) != 64:
        return False
    return bool(_LIB.secp256k1_schnorrsig_verify(_CTX, signature, message, len(message), point))
