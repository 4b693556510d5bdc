"""The encrypted link a second time: handshake and records of rustycoin-link(7), from the text.

    hands = Handshake(initiator=True, pattern=XX, secret=key, prologue=prologue(network_id))
    sock.sendall(hands.act1())
    sock.sendall(hands.act3(read(hands.act2_size)))
    send, receive = hands.send, hands.receive
    sock.sendall(send.seal(body))

Curve and cipher are libsecp256k1 and libcrypto through ctypes; nothing is shared with the C code of
the daemons but these. test_noise.py runs BOLT 8's published vectors on it.
"""
import ctypes
import ctypes.util
import hashlib
import hmac

XK, XX = 0, 1
NAMES = {XK: b"Noise_XK_secp256k1_ChaChaPoly_SHA256", XX: b"Noise_XX_secp256k1_ChaChaPoly_SHA256"}
ACT_SIZES = {XK: (50, 50, 66), XX: (34, 99, 66)}
TAG = 16
HEAD = 2 + TAG        # of a record: its encrypted length
BODY_MAX = 65535
USES_OF_A_KEY = 1000


class LinkError(Exception):
    """The other side's bytes are not what they must be; the text says which."""


def _library(*names):
    for name in filter(None, names):
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    raise ImportError(f"none of {names} is installed")


_secp = _library("libsecp256k1.so.1", ctypes.util.find_library("secp256k1"))
_crypto = _library("libcrypto.so.3", ctypes.util.find_library("crypto"))
_P, _B, _I, _N = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_size_t
for _lib, _rows in (
        (_secp, {"secp256k1_context_create": (_P, ctypes.c_uint),
                 "secp256k1_ec_pubkey_create": (_I, _P, _P, _B),
                 "secp256k1_ec_pubkey_parse": (_I, _P, _P, _B, _N),
                 "secp256k1_ec_pubkey_serialize": (_I, _P, _P, ctypes.POINTER(_N), _P,
                                                   ctypes.c_uint),
                 "secp256k1_ecdh": (_I, _P, _P, _P, _B, _P, _P)}),
        (_crypto, {"EVP_CIPHER_CTX_new": (_P,), "EVP_CIPHER_CTX_free": (None, _P),
                   "EVP_chacha20_poly1305": (_P,),
                   "EVP_CipherInit_ex": (_I, _P, _P, _P, _P, _P, _I),
                   "EVP_CipherUpdate": (_I, _P, _P, ctypes.POINTER(_I), _B, _I),
                   "EVP_CipherFinal_ex": (_I, _P, _P, ctypes.POINTER(_I)),
                   "EVP_CIPHER_CTX_ctrl": (_I, _P, _I, _I, _P)})):
    for _name, _types in _rows.items():
        _function = getattr(_lib, _name)
        _function.restype, _function.argtypes = _types[0], _types[1:]
_CONTEXT = _secp.secp256k1_context_create(1)
_COMPRESSED = 258
_GET_TAG, _SET_TAG = 0x10, 0x11


def public_key(secret):
    """The compressed point of 33 bytes."""
    point, out, size = ctypes.create_string_buffer(64), ctypes.create_string_buffer(33), _N(33)
    if not _secp.secp256k1_ec_pubkey_create(_CONTEXT, point, secret):
        raise ValueError("not a secret key")
    _secp.secp256k1_ec_pubkey_serialize(_CONTEXT, out, size, point, _COMPRESSED)
    return out.raw


def diffie_hellman(secret, public):
    """SHA256 of the compressed product."""
    point, out = ctypes.create_string_buffer(64), ctypes.create_string_buffer(32)
    if not _secp.secp256k1_ec_pubkey_parse(_CONTEXT, point, public, len(public)):
        raise LinkError("point")
    _secp.secp256k1_ecdh(_CONTEXT, out, point, secret, None, None)
    return out.raw


def sha256(data):
    return hashlib.sha256(data).digest()


def hkdf(chain, data):
    """Two keys."""
    prk = hmac.digest(chain, data, "sha256")
    first = hmac.digest(prk, b"\1", "sha256")
    return first, hmac.digest(prk, first + b"\2", "sha256")


def prologue(network_id):
    return b"rustycoin" + network_id


class Cipher:
    """ChaCha20-Poly1305 under one key at a time, one direction."""

    def __init__(self, encrypt, key=bytes(32)):
        self.encrypt = encrypt
        self.context = _crypto.EVP_CIPHER_CTX_new()
        self.out, self.tag, self.n = ctypes.create_string_buffer(1 << 17), \
            ctypes.create_string_buffer(TAG), _I()
        _crypto.EVP_CipherInit_ex(self.context, _crypto.EVP_chacha20_poly1305(), None, None, None,
                                  encrypt)
        self.set_key(key)

    def __del__(self):
        _crypto.EVP_CIPHER_CTX_free(self.context)

    def set_key(self, key):
        self.key, self.counter = key, 0
        _crypto.EVP_CipherInit_ex(self.context, None, None, key, None, self.encrypt)

    def _begin(self, associated):
        nonce = bytes(4) + self.counter.to_bytes(8, "little")
        self.counter += 1
        _crypto.EVP_CipherInit_ex(self.context, None, None, None, nonce, self.encrypt)
        if associated:
            _crypto.EVP_CipherUpdate(self.context, None, self.n, associated, len(associated))

    def seal(self, plain, associated=b""):
        self._begin(associated)
        if plain:
            _crypto.EVP_CipherUpdate(self.context, self.out, self.n, plain, len(plain))
        sealed = self.out[:len(plain)]
        _crypto.EVP_CipherFinal_ex(self.context, self.out, self.n)
        _crypto.EVP_CIPHER_CTX_ctrl(self.context, _GET_TAG, TAG, self.tag)
        return sealed + self.tag.raw

    def open(self, sealed, associated=b""):
        plain, tag = sealed[:-TAG], sealed[-TAG:]
        self._begin(associated)
        if plain:
            _crypto.EVP_CipherUpdate(self.context, self.out, self.n, plain, len(plain))
        opened = self.out[:len(plain)]
        _crypto.EVP_CIPHER_CTX_ctrl(self.context, _SET_TAG, TAG, tag)
        if _crypto.EVP_CipherFinal_ex(self.context, self.out, self.n) != 1:
            raise LinkError("mac")
        return opened


class Direction:
    """Records one way: a key, renewed after 1,000 uses."""

    def __init__(self, encrypt, key, chain):
        self.cipher, self.chain = Cipher(encrypt, key), chain

    def _rotate(self):
        if self.cipher.counter >= USES_OF_A_KEY:
            self.chain, key = hkdf(self.chain, self.cipher.key)
            self.cipher.set_key(key)

    def seal(self, body):
        """One record."""
        sealed = self.cipher.seal(len(body).to_bytes(2, "big")) + self.cipher.seal(body)
        self._rotate()
        return sealed

    def open_head(self, head):
        """How many bytes follow the head."""
        return int.from_bytes(self.cipher.open(head), "big") + TAG

    def open_body(self, sealed):
        body = self.cipher.open(sealed)
        self._rotate()
        return body


class Handshake:
    """Both patterns, both sides. After the last act: send, receive, remote (the other's key)."""

    def __init__(self, initiator, pattern, secret, ephemeral, start, remote=None):
        self.initiator, self.pattern, self.secret, self.ephemeral = \
            initiator, pattern, secret, ephemeral
        self.hash = self.chain = sha256(NAMES[pattern])
        self._mix_hash(start)
        self.remote, self.remote_ephemeral = remote, None
        if pattern == XK:
            self._mix_hash(remote if initiator else public_key(secret))
        self.keyed = False
        self.sealing, self.opening = Cipher(True), Cipher(False)
        self.send = self.receive = None

    @property
    def act2_size(self):
        return ACT_SIZES[self.pattern][1]

    def _mix_hash(self, data):
        self.hash = sha256(self.hash + data)

    def _mix_key(self, secret):
        self.chain, key = hkdf(self.chain, secret)
        self.keyed = True
        self.sealing.set_key(key)
        self.opening.set_key(key)

    # Both ciphers hold one key; only one of them is used under it, but for the counter.
    def _seal(self, plain):
        if not self.keyed:
            sealed = plain
        else:
            sealed = self.sealing.seal(plain, self.hash)
            self.opening.counter = self.sealing.counter
        self._mix_hash(sealed)
        return sealed

    def _open(self, sealed):
        if not self.keyed:
            plain = sealed
        else:
            plain = self.opening.open(sealed, self.hash)
            self.sealing.counter = self.opening.counter
        self._mix_hash(sealed)
        return plain

    def _own_ephemeral(self):
        public = public_key(self.ephemeral)
        self._mix_hash(public)
        return public

    def _take(self, act, number):
        """The act without its pattern byte."""
        if len(act) != ACT_SIZES[self.pattern][number - 1] or act[0] != self.pattern:
            raise LinkError("pattern")
        return act[1:]

    def _take_ephemeral(self, public):
        self.remote_ephemeral = public
        self._mix_hash(public)

    def _split(self):
        first, second = hkdf(self.chain, b"")
        if not self.initiator:
            first, second = second, first
        self.send = Direction(True, first, self.chain)
        self.receive = Direction(False, second, self.chain)

    # --- who dialled ---

    def act1(self):
        act = self._own_ephemeral()
        if self.pattern == XK:
            self._mix_key(diffie_hellman(self.ephemeral, self.remote))
        return bytes([self.pattern]) + act + self._seal(b"")

    def act3(self, act2):
        """Takes the second act; makes the third."""
        act2 = self._take(act2, 2)
        self._take_ephemeral(act2[:33])
        self._mix_key(diffie_hellman(self.ephemeral, self.remote_ephemeral))
        if self.pattern == XX:
            self.remote = self._open(act2[33:82])
            self._mix_key(diffie_hellman(self.ephemeral, self.remote))
        self._open(act2[82 if self.pattern == XX else 33:])
        act = self._seal(public_key(self.secret))
        self._mix_key(diffie_hellman(self.secret, self.remote_ephemeral))
        act += self._seal(b"")
        self._split()
        return bytes([self.pattern]) + act

    # --- who was dialled ---

    def act2(self, act1):
        """Takes the first act; makes the second."""
        act1 = self._take(act1, 1)
        self._take_ephemeral(act1[:33])
        if self.pattern == XK:
            self._mix_key(diffie_hellman(self.secret, self.remote_ephemeral))
        self._open(act1[33:])
        act = self._own_ephemeral()
        self._mix_key(diffie_hellman(self.ephemeral, self.remote_ephemeral))
        if self.pattern == XX:
            act += self._seal(public_key(self.secret))
            self._mix_key(diffie_hellman(self.secret, self.remote_ephemeral))
        return bytes([self.pattern]) + act + self._seal(b"")

    def finish(self, act3):
        """Takes the third act."""
        act3 = self._take(act3, 3)
        self.remote = self._open(act3[:49])
        self._mix_key(diffie_hellman(self.ephemeral, self.remote))
        self._open(act3[49:])
        self._split()
