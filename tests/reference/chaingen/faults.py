"""Ways to break a transaction, one table a stage; each names the code it aims at.

A draft fault changes a payment before it is signed, a witness fault what was signed.  Both return
False where they don't apply here.  Faults of blocks and headers are in `blocks`.
"""

from dataclasses import replace

from rcref import secp
from rcref.amount import SUPPLY_LIMIT
from rcref.coinbase import encode_payload
from rcref.lock import bond_lock, data_lock, peg_lock
from rcref.policy import LOCK_TIME_IS_TIME
from rcref.timelock import SEQUENCE_NO_LOCK
from rcref.transaction import COINBASE, SEQUENCE_FINAL, Output, Transaction

from .payments import UNKNOWN_COIN, InputDraft, PaymentDraft, Site
from .policies import CHOICE, MULTI_EMPTY, MULTI_SIGNATURE, PREIMAGE, SELECTION, SIGNATURE

FIELD_PRIME = 2**256 - 2**32 - 977


def off_curve_key(rng) -> bytes:
    """32 bytes that lift_x refuses."""
    if rng.random() < 0.2:
        return rng.choice((b"\xff" * 32, FIELD_PRIME.to_bytes(32, "big")))
    while True:
        key = rng.randbytes(32)
        if not secp.is_key(key):
            return key


def flip_a_bit(rng, data: bytes) -> bytes:
    if not data:
        return b"\x01"
    place = rng.randrange(8 * len(data))
    changed = bytearray(data)
    changed[place // 8] ^= 1 << place % 8
    return bytes(changed)


# --- Without state ---

def wrong_version(site: Site, draft: PaymentDraft) -> bool:
    draft.version = site.rng.choice((0, 2, 3, 256, 65_535))
    return True


def unknown_type(site, draft) -> bool:
    draft.type = site.rng.choice((2, 3, 9, 10, 14, 15, 20, 30, 31, 40, 44, 256, 65_535))
    return True


def forbidden_lock(site, draft) -> bool:
    rng = site.rng
    lock = rng.choice((bond_lock(rng.choice((0, 1, 2, 3, 4, 255)), rng.randbytes(32)),
                       peg_lock(rng.randbytes(32))))
    amount = draft.outputs[0].amount if draft.outputs else 0
    draft.outputs.insert(rng.randint(0, len(draft.outputs)), Output(rng.choice((0, amount)), lock))
    return True


def no_inputs(site, draft) -> bool:
    draft.inputs.clear()
    return True


def no_outputs(site, draft) -> bool:
    draft.outputs.clear()
    return True


def amount_out_of_range(site, draft) -> bool:
    rng = site.rng
    bad = rng.choice((
        [Output(SUPPLY_LIMIT + 1, site.lock())],
        [Output(2**64 - 1, site.lock())],
        [Output(1, data_lock(b"x"))],
        [Output(SUPPLY_LIMIT, site.lock()), Output(1, site.lock())],
        [Output(2**63, site.lock()), Output(2**63, site.lock())],
    ))
    draft.outputs[:] = draft.outputs * rng.randint(0, 1) + bad
    return True


def input_twice(site, draft) -> bool:
    if not draft.inputs:
        return False
    again = replace(site.rng.choice(draft.inputs))
    again.sequence = site.rng.choice((again.sequence, SEQUENCE_FINAL))
    draft.inputs.insert(site.rng.randint(0, len(draft.inputs)), again)
    return True


def bad_sequence(site, draft) -> bool:
    if not draft.inputs:
        return False
    i = site.rng.choice(draft.inputs)
    i.sequence = 1 << site.rng.randint(16, 30) | site.rng.choice((0, 1, 0xFFFF, 0x7FFF0000))
    return True


def payload_of_payment(site, draft) -> bool:
    draft.payload = site.rng.choice((b"\x00", encode_payload(site.height), site.rng.randbytes(253)))
    return True


# --- With state ---

def missing_input(site, draft) -> bool:
    rng = site.rng
    known = rng.choice(draft.inputs).outpoint if draft.inputs else (bytes(32), 0)
    spent = list(site.view.spent)
    outpoints = [(rng.randbytes(32), 0), (known[0], known[1] + 1_000), (known[0], 2**32 - 1),
                 (site.network.genesis.coinbase.txid, 0)]
    if spent:
        outpoints += [rng.choice(spent)] * 4
    draft.inputs.insert(rng.randint(0, len(draft.inputs)),
                        InputDraft(rng.choice(outpoints), UNKNOWN_COIN, None))
    return True


def immature_input(site, draft) -> bool:
    coins = site.immature_coins()
    if not coins:
        return False
    outpoint, coin = site.rng.choice(coins)
    draft.inputs.insert(site.rng.randint(0, len(draft.inputs)),
                        InputDraft(outpoint, coin, site.owners[coin.lock]))
    return True


def early_lock_time(site, draft) -> bool:
    rng = site.rng
    ends = (site.height, site.height + 1, LOCK_TIME_IS_TIME - 1,
            site.view.parent_mtp, site.view.parent_mtp + 1, 2**32 - 1)
    draft.lock_time = rng.choice(ends)
    if draft.inputs and all(i.sequence == SEQUENCE_FINAL for i in draft.inputs):
        rng.choice(draft.inputs).sequence = rng.choice((SEQUENCE_FINAL - 1, SEQUENCE_NO_LOCK))
    return True


def early_relative_lock(site, draft) -> bool:
    if not draft.inputs:
        return False
    i = site.rng.choice(draft.inputs)
    age = site.height - i.coin.height
    draft.lock_time = 0       # else a lock_time that only final sequences satisfy would fail first
    i.sequence = min(age + site.rng.choice((1, 1, 2, 1_000, 65_535)), 65_535)
    return True


def overspend(site, draft) -> bool:
    available = sum(i.coin.amount for i in draft.inputs)
    room = SUPPLY_LIMIT - available
    if room <= 0 or not draft.outputs:
        return False
    spent = sum(o.amount for o in draft.outputs)
    more = available - spent + site.rng.choice((1, 1, 100, room))
    draft.outputs.append(Output(max(1, more), site.lock()))
    return True


DRAFT_FAULTS = {
    "tx-version": wrong_version,
    "tx-type": unknown_type,
    "tx-lock": forbidden_lock,
    "tx-input-count": no_inputs,
    "tx-output-count": no_outputs,
    "amount-range": amount_out_of_range,
    "tx-input-twice": input_twice,
    "tx-sequence": bad_sequence,
    "tx-payload": payload_of_payment,
    "tx-input-missing": missing_input,
    "tx-input-immature": immature_input,
    "tx-lock-time": early_lock_time,
    "tx-relative-lock": early_relative_lock,
    "tx-overspend": overspend,
}


# --- Witnesses: the items of an input, found by what the plan says of them ---

def _with_role(site, draft, *roles):
    """[(input index, item index)] of the policy arguments that play one of these roles."""
    return [(index, at) for index, i in enumerate(draft.inputs) if i.leaf
            for at, slot in enumerate(i.plan.slots) if slot.role in roles]


def _signatures(site, draft):
    """[(input index, item index)] of every signature item."""
    places = _with_role(site, draft, SIGNATURE, MULTI_SIGNATURE)
    places += [(index, 0) for index, i in enumerate(draft.inputs)
               if i.leaf is None and i.owner and i.owner.secret]
    return places


def _change(site, witness, places, change) -> bool:
    """Puts change(item) at one of the places; other faults may have moved things."""
    places = [(index, at) for index, at in places
              if index < len(witness) and -len(witness[index]) <= at < len(witness[index])]
    if not places:
        return False
    index, at = site.rng.choice(places)
    witness[index][at] = change(witness[index][at])
    return True


def no_witness(site, draft, witness) -> bool:
    site.rng.choice(witness).clear()
    return True


def bad_encoding(site, draft, witness) -> bool:
    def change(item):
        signature = item[:64]
        return site.rng.choice((signature[:63], signature + b"\x00", signature + b"\x01",
                                signature + b"\x80", signature + b"\x81\x81", signature[:1]))
    return _change(site, witness, _signatures(site, draft), change)


def bad_signature(site, draft, witness) -> bool:
    def change(item):
        other_type = item[:64] if len(item) == 65 else item + b"\x81"
        damaged = flip_a_bit(site.rng, item[:64]) + item[64:]
        return site.rng.choice((damaged, damaged, other_type, bytes(64)))
    return _change(site, witness, _signatures(site, draft), change)


def _policy_inputs(site, draft, witness) -> list:
    """Indices of inputs with a policy path; else some input, made into one."""
    found = [index for index, i in enumerate(draft.inputs) if i.leaf]
    ours = [index for index, i in enumerate(draft.inputs) if i.owner and i.owner.secret]
    if not found and ours:
        index = site.rng.choice(ours)
        witness[index] += [b"\x03" + bytes(4), b"\x00" + draft.inputs[index].owner.internal_key]
        found = [index]
    return found


def _change_last(site, draft, witness, at: int, change) -> bool:
    return _change(site, witness, [(index, at) for index in _policy_inputs(site, draft, witness)],
                   change)


def bad_control_size(site, draft, witness) -> bool:
    return _change_last(site, draft, witness, -1, lambda control: site.rng.choice((
        b"", control[:32], control[:-1], control + b"\x00", control + bytes(17 * 32))))


def bad_control_version(site, draft, witness) -> bool:
    def change(control):
        first = control[0] if control else 0
        return bytes([first | 1 << site.rng.randint(1, 7)]) + control[1:]
    return _change_last(site, draft, witness, -1, change)


def bad_policy_size(site, draft, witness) -> bool:
    return _change_last(site, draft, witness, -2, lambda policy: site.rng.choice((
        b"", policy + bytes(max(0, 2_049 - len(policy))))))


def bad_control_key(site, draft, witness) -> bool:
    return _change_last(site, draft, witness, -1, lambda control: (
        control[:1] + off_curve_key(site.rng) + control[33:]))


def bad_commitment(site, draft, witness) -> bool:
    rng = site.rng

    def change(control):
        other_parity = bytes([control[0] ^ 1 if control else 1]) + control[1:]
        shorter = control[:-32] if len(control) > 33 else other_parity
        longer = control + bytes(32) if len(control) < 33 + 16 * 32 else other_parity
        other_key = control[:1] + secp.xonly_key(rng.randbytes(31) + b"\x01") + control[33:]
        return rng.choice((other_parity, shorter, longer, other_key))

    if rng.random() < 0.25:      # another policy; nobody looks whether it parses
        return _change_last(site, draft, witness, -2, lambda policy: policy[:-1] or b"\xff")
    return _change_last(site, draft, witness, -1, change)


def bad_arguments(site, draft, witness) -> bool:
    """One more item, or the last one left out."""
    inputs = [index for index, i in enumerate(draft.inputs) if i.leaf]
    if not inputs:
        return False
    items = witness[site.rng.choice(inputs)]
    if len(items) > 2 and site.rng.random() < 0.5:
        del items[-3]
    else:
        items.insert(len(items) - 2, site.rng.choice((b"", b"\x00", bytes(32), bytes(64))))
    return True


def bad_count(site, draft, witness) -> bool:
    places = _with_role(site, draft, MULTI_EMPTY, MULTI_SIGNATURE)
    return _change(site, witness, places, lambda item: b"" if item else site.rng.choice((
        b"\x00", bytes(64))))


def bad_choice(site, draft, witness) -> bool:
    """Not one byte, a child that isn't there, or one child too many or too few."""
    def none_of_these(item):
        return site.rng.choice((b"", item + b"\x00", b"\xff", b"\x80"))

    def other_count(item):
        if len(item) != 1:
            return b""
        more, fewer = item[0] | item[0] + 1 & 0xFF, item[0] & item[0] - 1
        return site.rng.choice((bytes([more]), bytes([fewer]), none_of_these(item)))

    counts = _with_role(site, draft, SELECTION)
    if counts and site.rng.random() < 0.7:
        return _change(site, witness, counts, other_count)
    return _change(site, witness, _with_role(site, draft, CHOICE, SELECTION), none_of_these)


def bad_preimage(site, draft, witness) -> bool:
    return _change(site, witness, _with_role(site, draft, PREIMAGE), lambda item: site.rng.choice((
        b"", item[:31], item + b"\x00", flip_a_bit(site.rng, item))))


WITNESS_FAULTS = {
    "witness-empty": no_witness,
    "sig-encoding": bad_encoding,
    "sig-invalid": bad_signature,
    "control-size": bad_control_size,
    "control-version": bad_control_version,
    "policy-size": bad_policy_size,
    "control-key": bad_control_key,
    "policy-commitment": bad_commitment,
    "policy-arguments": bad_arguments,
    "policy-count": bad_count,
    "policy-choice": bad_choice,
    "policy-preimage": bad_preimage,
}

# The plan a witness fault needs one input to have.
WISHES = {
    "policy-arguments": lambda leaf, plan: True,
    "policy-count": lambda leaf, plan: plan.has_role(MULTI_SIGNATURE, MULTI_EMPTY),
    "policy-choice": lambda leaf, plan: plan.has_role(CHOICE, SELECTION),
    "policy-preimage": lambda leaf, plan: plan.has_role(PREIMAGE),
    "policy-lock": lambda leaf, plan: plan.after or plan.older,
}


# --- Faults that need a payment of their own ---

def _policy_lock(site):
    """Signed with a lock_time or sequence that the policy refuses."""
    draft = site.policy_payment(WISHES["policy-lock"])
    if draft is None:
        return None
    rng = site.rng
    i = next(i for i in draft.inputs if i.plan.after or i.plan.older)
    if i.plan.older:
        i.sequence = rng.choice((i.plan.older - 1, SEQUENCE_NO_LOCK | i.plan.older,
                                 SEQUENCE_FINAL))
    elif max(i.plan.after) > 0 and rng.random() < 0.6:
        draft.lock_time = rng.choice((0, max(i.plan.after) - 1))
        if max(i.plan.after) == LOCK_TIME_IS_TIME:
            draft.lock_time = site.height - 1     # of the other kind
    else:
        i.sequence = SEQUENCE_FINAL
    return draft


def _malformed_policy(code):
    def make(site):
        """A coin with a committed policy that doesn't parse, spent by it."""
        coins = site.coins()
        site.rng.shuffle(coins)
        for outpoint, coin in coins:
            owner = site.owners[coin.lock]
            leaves = [leaf for leaf in owner.leaves if leaf.fault == code]
            if leaves:
                chosen = InputDraft(outpoint, coin, owner, site.rng.choice(leaves))
                return site.payment_of([chosen])
        return None
    return make


def _dead_coin(site):
    """An output key nobody has, often no point at all: any signature is refused."""
    coins = site.dead_coins()
    if not coins:
        return None
    return site.payment_of([InputDraft(*site.rng.choice(coins), owner=None)])


OWN_PAYMENTS = {
    "policy-lock": _policy_lock,
    "policy-opcode": _malformed_policy("policy-opcode"),
    "policy-form": _malformed_policy("policy-form"),
    "sig-invalid": _dead_coin,
}

TRANSACTION_CODES = tuple(sorted({*DRAFT_FAULTS, *WITNESS_FAULTS, *OWN_PAYMENTS}))


def faulty_transaction(site: Site, code: str):
    """A transaction that fails with this code at this site, or None where none can be made."""
    if code in OWN_PAYMENTS and (code not in WITNESS_FAULTS or site.rng.random() < 0.2):
        draft = OWN_PAYMENTS[code](site)
        return site.finish(draft) if draft else None
    draft = site.policy_payment(WISHES[code]) if code in WISHES else site.payment()
    if draft is None:
        return None
    if code in DRAFT_FAULTS:
        return site.finish(draft) if DRAFT_FAULTS[code](site, draft) else None
    witness = site.witness(draft)
    if not WITNESS_FAULTS[code](site, draft, witness):
        return None
    return site.finish(draft, witness)


def neighbours(rng, faults: list) -> list:
    """Two faults whose rules are close in the order, the later rule's first: it is done first, so
    that the fault that must win isn't undone by it."""
    at = rng.randrange(len(faults) - 1)
    other = min(at + rng.choice((1, 1, 2)), len(faults) - 1)
    return [faults[other], faults[at]]


def doubly_faulty_transaction(site: Site):
    """Two or three faults at once: the order of the rules decides, so no code is aimed at."""
    rng = site.rng
    draft = site.policy_payment(rng.choice(list(WISHES.values()))) or site.payment()
    if draft is None:
        return None
    changes, spoils = list(DRAFT_FAULTS.values()), list(WITNESS_FAULTS.values())
    changes, spoils = rng.choice((
        (neighbours(rng, changes), []),
        (neighbours(rng, changes), []),
        ([], neighbours(rng, spoils)),
        ([], neighbours(rng, spoils)),
        (rng.sample(changes, rng.choice((0, 1, 2))), rng.sample(spoils, rng.choice((1, 2, 3)))),
    ))
    for change in changes:
        change(site, draft)
    witness = site.witness(draft)
    for spoil in spoils:
        if witness and all(witness):
            spoil(site, draft, witness)
    return site.finish(draft, witness)


# --- Loose transactions ---

def loose_coinbase(site: Site) -> Transaction:
    return Transaction(COINBASE, (), (Output(0, data_lock(b"")),),
                       payload=encode_payload(site.height))


def unparsable(site: Site, transaction: Transaction) -> bytes:
    """The bytes of a transaction, damaged so that they don't parse."""
    data = transaction.encode()
    return site.rng.choice((data[:-1], data + b"\x00", data[:site.rng.randrange(len(data))], b""))
