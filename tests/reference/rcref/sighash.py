"""What a signature signs.  Document 20, "Signature hash"."""

from dataclasses import dataclass
from functools import cached_property

from .codec import u8, u16, u32, u64
from .hashes import ZERO32, sha256, tagged
from .transaction import Transaction

ALL, ANYONECANPAY = 0x00, 0x81
MESSAGE_SIZE = 269
NO_INDEX = 0xFFFF_FFFF


@dataclass(frozen=True)
class SignedTransaction:
    """A transaction with the outputs it spends, one for each input, in order."""
    network_id: bytes
    transaction: Transaction
    spent: tuple     # of Output (or a Coin: anything with .amount and .lock)

    def _input_hashes(self, indices) -> bytes:
        """The four hashes over inputs: outpoints, spent amounts, spent locks, sequences."""
        inputs = [self.transaction.inputs[i] for i in indices]
        spent = [self.spent[i] for i in indices]
        return (sha256(b"".join(i.encode_outpoint() for i in inputs))
                + sha256(b"".join(u64(coin.amount) for coin in spent))
                + sha256(b"".join(coin.lock for coin in spent))
                + sha256(b"".join(u32(i.sequence) for i in inputs)))

    @cached_property
    def _all_inputs(self) -> bytes:
        return self._input_hashes(range(len(self.transaction.inputs)))

    @cached_property
    def _shared_hashes(self) -> bytes:
        """The two hashes every input shares: outputs, payload."""
        return (sha256(b"".join(o.encode() for o in self.transaction.outputs))
                + sha256(self.transaction.payload))

    def message(self, index: int, hash_type: int, leaf: bytes = ZERO32) -> bytes:
        """The 269 bytes m."""
        alone = hash_type == ANYONECANPAY
        t = self.transaction
        return b"".join((
            self.network_id, u8(hash_type), u16(t.version), u16(t.type), u32(t.lock_time),
            self._input_hashes([index]) if alone else self._all_inputs,
            self._shared_hashes,
            u32(NO_INDEX if alone else index),
            leaf,
        ))

    def sighash(self, index: int, hash_type: int, leaf: bytes = ZERO32) -> bytes:
        return tagged("RC/sighash", self.message(index, hash_type, leaf))
