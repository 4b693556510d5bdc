#!/usr/bin/python3
"""Makes tests/vectors/rustycoin-extra/: vectors for other implementers, the same at each run.

    make_vectors.py [--out DIRECTORY] [--check]

With --check nothing is written: the files there must be what would be written.
"""

import argparse
import json
import random
import sys
from dataclasses import asdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from chaingen.policies import (MULTI_SIGNATURE, SIGNATURE, malformed_leaf, plan_for,  # noqa: E402
                               random_leaf)
from chaingen.scenario import Scenario, random_network                  # noqa: E402
from rcref import asert, compact, network, policy, proof, subsidy       # noqa: E402
from rcref.block import Block                                           # noqa: E402
from rcref.codec import ParseError, u64                                 # noqa: E402
from rcref.header import Header                                         # noqa: E402
from rcref.lock import key_lock                                         # noqa: E402
from rcref.state import TREASURY_KEY, Coin, State, coin_key, treasury_value    # noqa: E402
from rcref.transaction import COINBASE, PAYMENT, Input, Output, Transaction    # noqa: E402
from rcref.trie import COINS, GOVERNANCE, SIDECHAINS                    # noqa: E402
from rcref.verdict import OK, Refused                                   # noqa: E402
from rcref.witness_rules import split_signature_item                    # noqa: E402

FOLDER = HERE.parent / "vectors" / "rustycoin-extra"
SEED = "rustycoin-extra"
SCENARIOS = (5, 20)      # reg; a custom network with ASERT


def drawn(what: str) -> random.Random:
    return random.Random(f"{SEED}/{what}")


# --- Whole scenarios: the format of gen_chains.py ---

def chains() -> str:
    return "".join("\n".join(Scenario(SEED, number).run()) + "\n" for number in SCENARIOS)


# --- Networks ---

def networks() -> list:
    rng = drawn("networks")
    rows = []
    for number in range(10):
        made = random_network(rng, number)
        fields = asdict(made)
        fields["genesis_text"] = made.genesis_text.hex()
        rows.append(dict(fields=fields, table=made.table.hex(), genesis=made.genesis.encode().hex(),
                         genesis_id=made.genesis.id.hex(), network_id=made.id.hex()))
    return rows


# --- Difficulty ---

def asert_rows() -> list:
    rng = drawn("asert")
    return [asert_row(rng) for _ in range(200)]


def asert_row(rng) -> dict:
    """Schedules around the right one, and some far from it."""
    fields = dict(
        genesis_time=network.MAIN.genesis_time, spacing=rng.choice((1, 7, 150, 600, 3_600)),
        half_life=rng.choice((1, 60, 3_600, 43_200, 172_801, 31_536_000)),
        genesis_bits=rng.choice((0x1E00FFFF, 0x1D012345, 0x1B00FFFF, 0x03000001, 0x207FFFFF)),
        limit_bits=rng.choice((0x1E00FFFF, 0x207FFFFF)))
    if fields["genesis_bits"] == 0x207FFFFF:
        fields["limit_bits"] = 0x207FFFFF
    table = network.Network(**{**asdict(network.MAIN), **fields})
    height = rng.choice((0, 1, rng.randint(2, 100_000)))
    off = rng.choice((0, 1, -1, rng.randint(-10, 10) * table.half_life,
                      rng.randint(-2 * table.half_life, 2 * table.half_life),
                      rng.randint(-2**31, 2**31)))
    offset = min(max(table.spacing * height + off, 0), 2**31)
    required = asert.required_bits(table, height, table.genesis_time + offset)
    return dict(spacing=table.spacing, half_life=table.half_life,
                genesis_bits=f"{table.genesis_bits:08x}", limit_bits=f"{table.limit_bits:08x}",
                parent_height=height, parent_time_minus_genesis_time=offset,
                bits=f"{required:08x}")


# --- Treasury ---

def treasury_rows() -> list:
    rng = drawn("treasury")
    rows = []
    for number in range(4):
        table = random_network(rng, number)
        amounts, accrued = [], 0
        for height in range(1, 41):
            accrued = subsidy.treasury_after(table, height, accrued)
            amounts.append([subsidy.subsidy(table, height), accrued])
        rows.append(dict(first_subsidy=table.first_subsidy, halving=table.halving,
                         treasury_share=table.treasury_share, cycle=table.cycle,
                         subsidy_and_treasury_from_block_1=amounts))
    return rows


# --- Policies ---

def stand_in_check(item: bytes, key: bytes) -> str:
    """A signature is valid for a key if its 64 bytes all equal the key's first byte."""
    try:
        signature, _ = split_signature_item(item)
    except Refused as refused:
        return refused.code
    return OK if signature == key[:1] * 64 else "sig-invalid"


def policy_rows() -> list:
    rng = drawn("policies")
    return [policy_row(rng) for _ in range(250)]


def policy_row(rng) -> dict:
    """A policy with arguments that satisfy it, or with something wrong."""
    if rng.random() < 0.1:
        encoded, arguments, lock_time, sequence = malformed_leaf(
            rng, rng.choice(("policy-opcode", "policy-form"))), [], 0, 0
    else:
        encoded = random_leaf(rng, network.REG.genesis_time)
        arguments, lock_time, sequence = satisfied(rng, policy.parse_policy(encoded))
        if rng.random() < 0.6:
            arguments, lock_time, sequence = spoiled(rng, arguments, lock_time, sequence)
    return dict(policy=encoded.hex(), arguments=[a.hex() for a in arguments], lock_time=lock_time,
                sequence=f"{sequence:08x}",
                verdict=policy_verdict(encoded, arguments, lock_time, sequence))


def satisfied(rng, root):
    plan = plan_for(root, rng)
    if plan is None:
        return [], 0, 0
    arguments = []
    for slot in plan.slots:
        item = slot.value
        if slot.role in (SIGNATURE, MULTI_SIGNATURE):
            item = slot.key[:1] * 64 + rng.choice((b"", b"", b"\x81"))
        arguments.append(item)
    return arguments, max(plan.after, default=0), plan.older


def spoiled(rng, arguments, lock_time, sequence):
    arguments = list(arguments)
    if arguments:
        at = rng.randrange(len(arguments))
        arguments[at:at + 1] = rng.choice((
            [], [b""], [arguments[at]] * 2, [arguments[at] + b"\x00"], [arguments[at][:-1]],
            [b"\xff" + arguments[at][1:]]))
    else:
        arguments = rng.choice(([], [b""], [bytes(64)]))
    return (arguments, rng.choice((lock_time, lock_time, max(lock_time, 1) - 1)),
            rng.choice((sequence, sequence, max(sequence, 1) - 1, 0x80000000 | sequence,
                        0xFFFFFFFF)))


def policy_verdict(encoded, arguments, lock_time, sequence) -> str:
    try:
        root = policy.parse_policy(encoded)
        policy.evaluate(root, policy.Spend(lock_time, sequence, stand_in_check), arguments)
    except Refused as refused:
        return refused.code
    return OK


# --- Proofs ---

def proof_rows() -> dict:
    rng = drawn("proofs")
    state = State(0, bytes(32))
    for _ in range(24):      # owners with one coin or many
        lock = key_lock(rng.randbytes(32))
        for index in range(rng.choice((1, 1, 2, 5, 9))):
            coin = Coin(rng.choice((0, 1, rng.randint(0, 10**12))), rng.randint(1, 100),
                        rng.randint(0, 1), lock)
            outpoint = (rng.randbytes(32), rng.choice((0, 1, index, 2**32 - 1)))
            state.tries[COINS].put(coin_key(outpoint, coin), coin.encode())
    state.tries[GOVERNANCE].put(TREASURY_KEY, treasury_value(123_456_789))
    for _ in range(12):
        state.tries[SIDECHAINS].put(rng.choice((b"\x05", b"\x06")) * 32 + rng.randbytes(33),
                                    rng.randbytes(rng.randint(0, 40)))
    entries = {str(ns): [[leaf.key.hex(), leaf.value.hex()] for leaf in trie.leaves()]
               for ns, trie in state.tries.items()}
    return dict(entries=entries, roots=[root.hex() for root in state.roots()],
                state_root=state.root().hex(), proofs=[proof_row(rng, state) for _ in range(60)])


def proof_row(rng, state) -> dict:
    ns = rng.choice((1, 1, 1, 5, 4, 2))
    keys = [leaf.key for leaf in state.tries[ns].leaves()]
    size = len(keys[0]) if keys else 32
    key = bytearray(rng.choice(keys) if keys else bytes(32))
    bits = rng.choice((0, 1, 2, 5, 255, 256, 8 * size, rng.randint(0, 8 * size)))
    if rng.random() < 0.4:      # an absent neighbour
        place = rng.randrange(max(1, bits))
        key[place // 8] ^= 0x80 >> place % 8
    path = int.from_bytes(key, "big") >> (8 * size - bits)
    length = (bits + 7) // 8
    question = proof.Question(ns, bits, (path << (8 * length - bits)).to_bytes(length, "big"))
    sums_only, max_leaves = rng.random() < 0.3, rng.choice((None, 1, 4))
    made = proof.make_proof(state, question, sums_only, max_leaves)
    answer = proof.check_proof(made, state.root(), question)
    return dict(ns=ns, bits=bits, prefix=question.prefix.hex(), sums_only=sums_only,
                max_leaves=max_leaves, proof=made.hex(), result=answer.result,
                leaves=len(answer.leaves), total=answer.total)


# --- Compact blocks ---

COMPACT_LIMIT = 60_000      # of the block these are read for


def some_transaction(rng, type_=PAYMENT) -> Transaction:
    inputs = tuple(Input(rng.randbytes(32), rng.randrange(4), 2**32 - 1)
                   for _ in range(rng.choice((1, 1, 2)) if type_ == PAYMENT else 0))
    outputs = tuple(Output(rng.randrange(10**10), key_lock(rng.randbytes(32)))
                    for _ in range(rng.choice((1, 2))))
    return Transaction(type_, inputs, outputs, 0, b"" if type_ == PAYMENT else rng.randbytes(6),
                       tuple((rng.randbytes(64),) for _ in inputs))


def compact_rows() -> dict:
    rng = drawn("compact")
    good, bad = [], []
    for count, prefilled in ((1, (0,)), (2, (0,)), (2, (0, 1)), (9, (0,)), (9, (0, 1, 4, 8)),
                             (12, (0, 5, 11)), (254, (0,)), (256, (0, 255))):
        others = PAYMENT if count < 100 else COINBASE      # the shorter ones
        transactions = [some_transaction(rng, COINBASE)] + \
            [some_transaction(rng, others) for _ in range(count - 1)]
        header = Header(rng.randrange(1000), rng.randbytes(32), rng.randbytes(32),
                        rng.randbytes(32), rng.randrange(2**32), 0x207FFFFF, rng.randrange(2**64))
        block = Block(header, tuple(transactions))
        nonce = rng.randrange(2**64)
        made = compact.compact_of(block, nonce, prefilled)
        good.append(dict(block=block.encode().hex(), nonce=nonce, prefilled=list(prefilled),
                         short_ids=b"".join(made.short_ids).hex(), compact=made.encode().hex()))
    whole = compact.parse_compact(bytes.fromhex(good[4]["compact"]), COMPACT_LIMIT)
    encoded, first = whole.encode(), whole.prefilled[0][1]

    def spoilt(why, data):
        try:
            compact.parse_compact(data, COMPACT_LIMIT)
        except ParseError:
            bad.append(dict(why=why, compact=data.hex()))
            return
        raise AssertionError(why)
    head = whole.header.encode() + u64(7)
    for cut in (0, 100, 118, 125, 126, 130, len(encoded) - 1):
        spoilt(f"cut at {cut}", encoded[:cut])
    spoilt("a byte more", encoded + b"\0")
    spoilt("no transaction at all", head + bytes(2))
    spoilt("none in full", head + b"\1" + bytes(6) + b"\0")
    spoilt("another place than the first", head + b"\1" + bytes(6) + b"\1\1" + first.encode())
    spoilt("a place at the end", head + b"\0\1\1" + first.encode())
    spoilt("a place beyond the end", head + b"\2" + bytes(12) + b"\2\0" + first.encode()
           + b"\3" + first.encode())
    spoilt("a place that overflows", head + b"\0\2\0" + first.encode() + b"\xff" + b"\xff" * 8
           + first.encode())
    spoilt("a count in a longer form", head + b"\xfd\1\0" + bytes(6) + b"\1\0" + first.encode())
    spoilt("a skip in a longer form", head + b"\0\1\xfd\0\0" + first.encode())
    spoilt("more short ids than bytes", head + b"\xfe" + b"\xff" * 4)
    spoilt("more short ids than a block holds",
           head + b"\xfd" + (COMPACT_LIMIT // 11).to_bytes(2, "little")
           + bytes(6 * (COMPACT_LIMIT // 11)) + b"\1\0" + first.encode())
    return dict(limit=COMPACT_LIMIT, good=good, bad=bad, places=place_rows(rng))


def place_rows(rng) -> list:
    """The last member of a row: the places, or null where there is no such list."""
    limit = 2000
    rows = [[limit, compact.encode_places(places).hex(), places] for places in (
        [0], [1999], list(range(300)), [0, 2, 4, 1000, 1999], sorted(rng.sample(range(limit), 40)))]
    for data in ("", "fdd007", "00fdcf07", "fdfc00", "fd", "fe00000100", "ff" + "ff" * 8,
                 "fdcf0700", "01" * 1001):
        try:
            compact.parse_places(bytes.fromhex(data), limit)
        except ParseError:
            rows.append([limit, data, None])
            continue
        raise AssertionError(data)
    return rows


# --- Files ---

def rows_of(value) -> str:
    """JSON with one row a line."""
    if isinstance(value, list):
        return "[\n" + ",\n".join(json.dumps(row) for row in value) + "\n]\n"
    return "{\n" + ",\n".join(
        f"{json.dumps(key)}: " + (rows_of(rows).rstrip() if isinstance(rows, list)
                                  else json.dumps(rows)) for key, rows in value.items()) + "\n}\n"


FILES = {
    "chains.jsonl": chains,
    "networks.json": lambda: rows_of(networks()),
    "asert.json": lambda: rows_of(asert_rows()),
    "treasury.json": lambda: rows_of(treasury_rows()),
    "policies.json": lambda: rows_of(policy_rows()),
    "proofs.json": lambda: rows_of(proof_rows()),
    "compact.json": lambda: rows_of(compact_rows()),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=FOLDER)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    stale = []
    for name, make in FILES.items():
        path = arguments.out / name
        if arguments.check:
            stale += [name] * (not path.exists() or path.read_text() != make())
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(make())
    if stale:
        print(f"make_vectors: not what would be made now: {', '.join(stale)}", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
