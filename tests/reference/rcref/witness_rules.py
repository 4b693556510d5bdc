"""The rules of witnesses, and the verification budget.

Document 20, "Locks", "Order of checks" (table "witnesses") and "Block" (budget).
"""

from . import secp, sighash
from .hashes import ZERO32
from .lock import BOND, key_of, kind
from .policy import Spend, evaluate, parse_policy, size_ok
from .sighash import SignedTransaction
from .tweak import (control_siblings, control_size_ok, fold, leaf_hash, tweak)
from .verdict import OK, Refused, require

SIGNATURE_SIZE = 64


def split_signature_item(item: bytes):
    """(signature, hash type); Refused("sig-encoding") for any other form."""
    if len(item) == SIGNATURE_SIZE:
        return item, sighash.ALL
    if len(item) == SIGNATURE_SIZE + 1 and item[-1] == sighash.ANYONECANPAY:
        return item[:-1], sighash.ANYONECANPAY
    raise Refused("sig-encoding")


def check_signature(signed: SignedTransaction, index: int, item: bytes, key: bytes,
                    leaf: bytes = ZERO32) -> str:
    """The verdict of one signature item for a key."""
    try:
        signature, hash_type = split_signature_item(item)
    except Refused as refused:
        return refused.code
    message = signed.sighash(index, hash_type, leaf)
    return OK if secp.verify(key, message, signature) else "sig-invalid"


def _require_signature(signed, index, item, key) -> None:
    verdict = check_signature(signed, index, item, key)
    require(verdict == OK, verdict)


def _require_policy(signed, index, items, output_key) -> None:
    """The policy path: arguments, policy, control block."""
    *arguments, policy, control = items
    require(control_size_ok(control), "control-size")
    require(control[0] in (0, 1), "control-version")
    require(size_ok(policy), "policy-size")
    leaf = leaf_hash(policy)
    parity, internal_key = control[0], control[1:33]
    root = fold(leaf, control_siblings(control))
    point = secp.tweak_add(internal_key, tweak(internal_key, root))
    require(point is not None, "control-key")
    require(point == (output_key, parity), "policy-commitment")
    spend = Spend(signed.transaction.lock_time, signed.transaction.inputs[index].sequence,
                  lambda item, key: check_signature(signed, index, item, key, leaf))
    evaluate(parse_policy(policy), spend, arguments)


def require_witness(signed: SignedTransaction, index: int) -> None:
    """Refused unless the witness of this input satisfies the lock it spends."""
    items, lock = signed.transaction.witness[index], signed.spent[index].lock
    if kind(lock) == BOND:
        require(len(items) == 1, "witness-form")
    require(len(items) >= 1, "witness-empty")
    if len(items) == 1:
        _require_signature(signed, index, items[0], key_of(lock))
    else:
        _require_policy(signed, index, items, key_of(lock))


def check_witnesses(signed: SignedTransaction) -> str:
    """The verdict over all inputs of a transaction, in order."""
    try:
        for index in range(len(signed.transaction.inputs)):
            require_witness(signed, index)
    except Refused as refused:
        return refused.code
    return OK


ONE_ITEM_UNITS, POLICY_UNITS, SIGNATURE_UNITS = 100, 50, 100


def witness_units(items) -> int:
    """What one witness counts against the block's budget, from its form alone."""
    if not items:
        return 0
    if len(items) == 1:
        return ONE_ITEM_UNITS
    signatures = sum(1 for item in items[:-2]
                     if len(item) in (SIGNATURE_SIZE, SIGNATURE_SIZE + 1))
    return POLICY_UNITS + SIGNATURE_UNITS * signatures


def transaction_units(transaction) -> int:
    """No payload of types 0 and 1 holds a signature that counts."""
    return sum(map(witness_units, transaction.witness))
