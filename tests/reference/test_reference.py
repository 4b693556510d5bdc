#!/usr/bin/python3
"""The reference against published vectors and the project's check values.

Run: python3 tests/reference/test_reference.py
Every row that applies is run; the numbers of rows are asserted, so none is lost in silence.
"""

import csv
import hashlib
import json
import sys
import unittest
from dataclasses import replace
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import make_vectors                                                  # noqa: E402
from chaingen.scenario import Scenario                               # noqa: E402
from rcref import (address, asert, bits, block, body_rules, codec, compact, curve,  # noqa: E402
                   header_rules, lock, merkle, network, policy, proof, secp, state, state_rules, subsidy,
                   trie, tweak, verdict, witness_rules)
from rcref.amount import SUPPLY_LIMIT                                # noqa: E402
from rcref.chain import Chain                                        # noqa: E402
from rcref.sighash import ALL, ANYONECANPAY, SignedTransaction       # noqa: E402
from rcref.transaction import (Input, Output, Transaction, parse_transaction,  # noqa: E402
                               wtxid_of)
from replay import Disagreement, Replay, replay                      # noqa: E402

VECTORS = HERE.parent / "vectors"
EXTRA = VECTORS / "rustycoin-extra"
CHECK = json.loads((VECTORS / "rustycoin" / "check-values.json").read_text())
LATE_CLOCK = 2**32 - 1

h = bytes.fromhex


def refusal(function, *arguments) -> str:
    """The code with which the call is refused, or "ok"."""
    try:
        function(*arguments)
    except verdict.Refused as refused:
        return refused.code
    return verdict.OK


class Rows(unittest.TestCase):
    """A test case whose rows are counted."""

    def rows(self, rows, expected: int):
        self.assertEqual(len(rows), expected, "number of rows")
        for number, row in enumerate(rows):
            with self.subTest(row=number):
                yield row


class Encoding(Rows):
    def test_compact_sizes(self):
        for value, encoding in self.rows(CHECK["cs"]["good"], 11):
            self.assertEqual(codec.compact_size(value).hex(), encoding)
            self.assertEqual(codec.parse_compact_size(h(encoding)), value)
        for encoding in self.rows(CHECK["cs"]["bad"], 10):
            self.assertRaises(codec.ParseError, codec.parse_compact_size, h(encoding))

    def test_networks(self):
        for row in self.rows(CHECK["networks"], 3):
            known = network.NETWORKS[row["name"]]
            genesis = known.genesis
            self.assertEqual(known.table.hex(), row["table"])
            self.assertEqual(network.parse_table(h(row["table"])), known)
            self.assertEqual(genesis.coinbase.encode().hex(), row["genesis_tx"])
            self.assertEqual(genesis.coinbase.txid.hex(), row["genesis_txid"])
            self.assertEqual(genesis.coinbase.witness_hash.hex(), row["genesis_witness_hash"])
            self.assertEqual(genesis.tx_root().hex(), row["genesis_tx_root"])
            self.assertEqual(genesis.encode().hex(), row["genesis_block"])
            self.assertEqual(genesis.id.hex(), row["genesis_id"])
            self.assertEqual(known.id.hex(), row["network_id"])

    def test_block_round_trip(self):
        for row in self.rows(CHECK["chain"]["blocks"], 14):
            verdict_, block = body_rules.check_body(h(row["block"]))
            self.assertEqual((verdict_, block.encode().hex(), block.id.hex()),
                             ("ok", row["block"], row["id"]))

    def test_greatest_block(self):
        """32,000,000 bytes are read, one more is refused before."""
        self.assertEqual(body_rules.check_body(bytes(32_000_001))[0], "block-size-max")
        self.assertEqual(body_rules.check_body(bytes(32_000_000))[0], "block-parse")


class Difficulty(Rows):
    def test_bits(self):
        for row in self.rows(CHECK["bits"], 28):
            value = int(row["bits"], 16)
            self.assertEqual(bits.is_canonical(value), row["canonical"])
            if row["canonical"]:
                self.assertEqual(f"{bits.target(value):064x}", row["target"])
                self.assertEqual(f"{bits.work(value):064x}", row["work"])

    def test_compact(self):
        for target, compact in self.rows(CHECK["compact"], 17):
            self.assertEqual(bits.compact(int(target, 16)), int(compact, 16))

    def test_asert(self):
        differing = 0
        for row in self.rows(CHECK["asert"], 18):
            table = replace(network.MAIN, genesis_bits=int(row["genesis_bits"], 16))
            time = table.genesis_time + row["parent_time_minus_genesis_time"]
            required = asert.required_bits(table, row["parent_height"], time)
            self.assertEqual(f"{required:08x}", row["bits"])
            differing += "wrong_if_floored" in row
            self.assertNotEqual(f"{required:08x}", row.get("wrong_if_floored"))
        self.assertEqual(differing, 8)

    def test_asert_far_away(self):
        """Schedules so far off that the shift is answered at once."""
        table = replace(network.MAIN, half_life=1)
        self.assertEqual(asert.required_bits(table, 0, 2**32 - 1), table.limit_bits)
        self.assertEqual(asert.required_bits(table, 2**32 - 1, table.genesis_time), 0x01010000)

    def test_subsidy(self):
        for row in self.rows(CHECK["subsidy"], 18):
            known, height = network.NETWORKS[row["network"]], row["height"]
            self.assertEqual(subsidy.subsidy(known, height), row["subsidy"])
            self.assertEqual(subsidy.treasury(known, height), row["treasury"])
            self.assertEqual(subsidy.masternode(known, height, True), row["masternode"])
            self.assertEqual(subsidy.masternode(known, height, False), 0)


class Merkle(Rows):
    def test_roots_and_proofs(self):
        for row in self.rows(CHECK["tx_root"], 5):
            leaves = [wtxid_of(h(leaf["txid"]), h(leaf["witness_hash"])) for leaf in row["leaves"]]
            self.assertEqual([leaf.hex() for leaf in leaves],
                             [leaf["wtxid"] for leaf in row["leaves"]])
            self.assertEqual(merkle.tree(leaves).hex(), row["tree"])
            self.assertEqual(merkle.merkle_root(leaves).hex(), row["tx_root"])
            for index, leaf in enumerate(row["leaves"]):
                made = merkle.InclusionProof(index, len(leaves), h(leaf["witness_hash"]),
                                             tuple(merkle.path(leaves, index)))
                self.assertEqual(made.encode().hex(), row["proofs"][index])
                found = merkle.check_inclusion_proof(
                    made.encode(), h(leaf["txid"]), h(row["tx_root"]))
                self.assertEqual(found, made)

    def test_bad_proofs(self):
        for row in self.rows(CHECK["tx_root_bad"], 7):
            self.assertEqual(refusal(merkle.check_inclusion_proof, h(row["proof"]),
                                     h(row["txid"]), h(row["tx_root"])), "proof-invalid")


class Tree(Rows):
    @staticmethod
    def entries(row):
        return [(h(key), h(value)) for key, value in row["entries"]]

    def row(self, ns, n):
        [row] = [row for row in CHECK["tries"] if (row["ns"], row["n"]) == (ns, n)]
        return self.entries(row)

    @staticmethod
    def state_with(*entries):
        made = state.State(0, bytes(32))
        for ns, key, value in entries:
            made.tries[ns].put(key, value)
        return made

    def states(self):
        """The states of the rows of proofs, by their root."""
        treasury = (trie.GOVERNANCE, state.TREASURY_KEY, state.treasury_value(500_000_000))
        twins = [((b"\x22" * 32, index), state.Coin(amount, 5, 0, lock.key_lock(b"\x11" * 32)))
                 for index, amount in ((0, 700), (1, 800))]
        made = [
            self.state_with(),
            self.state_with(treasury, *((1, state.coin_key(*twin), twin[1].encode())
                                        for twin in twins)),
            self.state_with(treasury, *((1, *entry) for entry in self.row(1, 50))),
            self.state_with(*((1, *entry) for entry in self.row(1, 1))),
            self.state_with(*((5, *entry) for entry in self.row(5, 50))),
        ]
        return {one.root().hex(): one for one in made}

    def test_tries(self):
        for row in self.rows(CHECK["tries"], 15):
            entries = self.entries(row)
            for order in (entries, entries[::-1]):
                made = trie.trie_of(row["ns"], order)
                self.assertEqual(made.root.hex(), row["root"])
                self.assertEqual(made.sum, row.get("sum", 0))
            for key, value in entries:
                self.assertEqual(made.get(key), value)
            for key, _ in entries[::3]:
                made.delete(key)
            rest = [entry for i, entry in enumerate(entries) if i % 3]
            self.assertEqual(made.root, trie.trie_of(row["ns"], rest).root)
            self.assertEqual([leaf.key for leaf in made.leaves()], sorted(key for key, _ in rest))

    def test_governance_keys(self):
        for text, subject, key in self.rows(CHECK["gov_keys"], 4):
            self.assertIn(text, (None, h(subject).decode("latin1")))
            self.assertEqual(state.governance_key(h(subject)).hex(), key)

    def test_states(self):
        made = list(self.states().values())[:3]
        for row, one in zip(self.rows(CHECK["states"], 3), made):
            self.assertEqual([root.hex() for root in one.roots()], row["roots"])
            self.assertEqual(one.root().hex(), row["state_root"])

    def test_proofs(self):
        states = self.states()
        for row in self.rows(CHECK["proofs"], 20):
            question = proof.Question(row["ns"], row["bits"], h(row["prefix"]))
            answer = proof.check_proof(h(row["proof"]), h(row["state_root"]), question)
            self.assertEqual(answer.result, row["result"])
            if answer.result == "leaves":
                self.assertEqual([[key.hex(), value.hex()] for key, value in answer.leaves],
                                 row["leaves"])
            self.assertEqual(answer.total, row.get("total", 0))
            ours = proof.make_proof(
                states[row["state_root"]], question, sums_only=answer.result == "total")
            self.assertEqual(ours.hex(), row["proof"])

    def test_max_leaves(self):
        [one] = [s for s in self.states().values() if len(list(s.tries[1].leaves())) == 50]
        whole = proof.Question(1, 0, b"")
        for max_leaves, result in ((50, "leaves"), (49, "total")):
            made = proof.make_proof(one, whole, max_leaves=max_leaves)
            self.assertEqual(proof.check_proof(made, one.root(), whole).result, result)

    def test_bad_proofs(self):
        for row in self.rows(CHECK["proofs_bad"], 27):
            asked = row.get("asked")
            question = asked and proof.Question(asked["ns"], asked["bits"], h(asked["prefix"]))
            self.assertEqual(refusal(proof.check_proof, h(row["proof"]), h(row["state_root"]),
                                     question), "proof-invalid")


class Spending(Rows):
    def test_keys(self):
        for row in self.rows(CHECK["keys"], 4):
            secret, internal = h(row["secret"]), h(row["internal_key"])
            t = tweak.tweak(internal)
            self.assertEqual(secp.xonly_key(secret), internal)
            self.assertEqual(t.hex(), row["tweak"])
            self.assertEqual(secp.tweak_secret(secret, t).hex(), row["tweaked_secret"])
            for maths in (secp, curve):
                self.assertEqual(maths.tweak_add(internal, t),
                                 (h(row["output_key"]), row["parity"]))
            key_lock = lock.key_lock(h(row["output_key"]))
            self.assertEqual(key_lock.hex(), row["lock"])
            for name, text in row["address"].items():
                hrp = network.NETWORKS[name].hrp
                self.assertEqual(address.address_of(hrp, key_lock), text)
                self.assertEqual(address.lock_of(hrp, text), key_lock)

    def signed(self, row):
        transaction = parse_transaction(h(row["raw"]))
        spent = tuple(Output(coin["amount"], h(coin["lock"])) for coin in row["spent"])
        known = network.NETWORKS[row["network"]]
        self.assertEqual(transaction.encode().hex(), row["raw"])
        self.assertEqual(transaction.txid.hex(), row["txid"])
        self.assertEqual(transaction.witness_hash.hex(), row["witness_hash"])
        self.assertEqual(transaction.wtxid.hex(), row["wtxid"])
        self.assertEqual(witness_rules.transaction_units(transaction), row["budget"])
        return SignedTransaction(known.id, transaction, spent)

    def test_key_path(self):
        for row in self.rows(CHECK["signed"], 2):
            signed = self.signed(row)
            for index, expected in enumerate(row["inputs"]):
                item = h(expected["item"])
                hash_type = ALL if len(item) == 64 else ANYONECANPAY
                self.assertEqual(signed.message(index, hash_type).hex(), expected["message_269"])
                digest = signed.sighash(index, hash_type)
                self.assertEqual(digest.hex(), expected["sighash"])
                secret = h(CHECK["keys"][index]["tweaked_secret"])
                self.assertEqual(secp.sign(secret, digest), item[:64])
            self.assertEqual(witness_rules.check_witnesses(signed), "ok")

    def test_policy_path(self):
        for row in self.rows(CHECK["policy_spend"], 1):
            signed = self.signed(row)
            leaf, other = tweak.leaf_hash(h(row["policy"])), tweak.leaf_hash(h(row["other_policy"]))
            root = tweak.branch(leaf, other)
            internal = h(row["internal_key"])
            self.assertEqual(
                [leaf.hex(), other.hex(), root.hex()],
                [row["leaf_hash"], row["other_leaf_hash"], row["root"]])
            self.assertEqual(secp.tweak_add(internal, tweak.tweak(internal, root)),
                             (h(row["output_key"]), row["parity"]))
            self.assertEqual(tweak.encode_control(row["parity"], internal, [other]).hex(),
                             row["control"])
            for index, expected in enumerate(row["inputs"]):
                self.assertEqual(signed.message(index, ALL, leaf).hex(), expected["message_269"])
                self.assertEqual(signed.sighash(index, ALL, leaf).hex(), expected["sighash"])
            self.assertEqual(witness_rules.check_witnesses(signed), "ok")

    def test_policy_form(self):
        for row in self.rows(CHECK["policy_form"], 38):
            self.assertEqual(refusal(policy.parse_policy, h(row["policy"])), row["verdict"])
            if row["verdict"] == "ok":
                root = policy.parse_policy(h(row["policy"]))
                self.assertEqual(root.encode().hex(), row["policy"])

    @staticmethod
    def replaced_check(item: bytes, key: bytes) -> str:
        """The stand-in for signatures of the rows of policy_eval."""
        try:
            signature, _ = witness_rules.split_signature_item(item)
        except verdict.Refused as refused:
            return refused.code
        return "ok" if signature == key[:1] * 64 else "sig-invalid"

    def test_policy_evaluation(self):
        for row in self.rows(CHECK["policy_eval"], 57):
            spend = policy.Spend(row["lock_time"], int(row["sequence"], 16), self.replaced_check)
            root = policy.parse_policy(h(row["policy"]))
            self.assertEqual(refusal(policy.evaluate, root, spend, list(map(h, row["arguments"]))),
                             row["verdict"])


class Blocks(Rows):
    def chain_to(self, height: int) -> Chain:
        chain = Chain(network.REG)
        for row in CHECK["chain"]["blocks"][:height]:
            self.assertEqual(chain.offer_block(h(row["block"]), LATE_CLOCK),
                             ("ok", [(h(row["id"]), "ok")]))
            self.assertEqual(chain.state.root().hex(), row["state_root_after"])
        return chain

    def test_chain(self):
        self.assertEqual(len(CHECK["chain"]["blocks"]), 14)
        chain = self.chain_to(14)
        self.assertEqual(chain.state.treasury(), 14 * 500_000_000)

    def test_undo(self):
        chain = self.chain_to(14)
        node = chain.tip
        while node is not chain.root:
            chain.state.undo(node.delta)
            self.assertEqual(chain.state.root(), node.header.state_root)
            node = node.parent
        self.assertEqual(chain.state.coins, {})

    def test_failing_blocks(self):
        for row in self.rows(CHECK["chain"]["fail_after_block_13"], 64):
            chain = self.chain_to(13)
            code, judged = chain.offer_block(h(row["block"]), row.get("local_clock", LATE_CLOCK))
            if code == "ok":
                [(_, code)] = judged
            self.assertEqual(code, row["code"])
            self.assertEqual(chain.tip.height, 13)


class Published(Rows):
    def test_bip340(self):
        with open(VECTORS / "bip340" / "test-vectors.csv", newline="") as file:
            table = list(csv.DictReader(file))
        for row in self.rows(table, 19):
            key, message, signature = (h(row[name]) for name in (
                "public key", "message", "signature"))
            for maths in (secp, curve):
                self.assertEqual(maths.verify(key, message, signature),
                                 row["verification result"] == "TRUE")
                if row["secret key"]:
                    secret, aux = h(row["secret key"]), h(row["aux_rand"])
                    self.assertEqual(maths.xonly_key(secret), key)
                    self.assertEqual(maths.sign(secret, message, aux), signature)

    def test_bip350_strings(self):
        vectors = json.loads((VECTORS / "bip350" / "bech32m.json").read_text())
        for row in self.rows(vectors["bech32m_valid"], 7):
            text = h(row["string_hex"]).decode("latin1")
            self.assertEqual(address.encode(*address.decode(text)), text.lower())
        for row in self.rows(vectors["bech32m_invalid"], 14):
            text = h(row["string_hex"]).decode("latin1")
            self.assertRaises(address.AddressError, address.decode, text)

    def test_bip350_addresses(self):
        """Only version 1 with 32 bytes is an address of ours."""
        vectors = json.loads((VECTORS / "bip350" / "bech32m.json").read_text())
        accepted = 0
        for row in self.rows(vectors["segwit_address_valid"], 8):
            text, script = row["address"], row["scriptPubKey"]
            hrp = text.lower().rpartition("1")[0]
            if script.startswith("5120"):
                self.assertEqual(address.lock_of(hrp, text).hex(), "01" + script[4:])
                accepted += 1
            else:
                self.assertRaises(address.AddressError, address.lock_of, hrp, text)
        self.assertEqual(accepted, 2)
        for row in self.rows(vectors["segwit_address_invalid"], 15):
            hrp = "bc" if row["address"].lower().startswith("bc") else "tb"
            self.assertRaises(address.AddressError, address.lock_of, hrp, row["address"])


class TwoSignatures(Rows):
    """libsecp256k1 and plain Python on 300 rows: the same signatures, the same verdicts."""

    ROWS = 300

    @staticmethod
    def drawn(*what) -> bytes:
        return hashlib.sha256(repr(what).encode()).digest()

    def test_agree(self):
        for row in range(self.ROWS):
            secret, message, aux = (self.drawn(row, what) for what in ("secret", "message", "aux"))
            key, signature = secp.xonly_key(secret), secp.sign(secret, message, aux)
            self.assertEqual(signature, curve.sign(secret, message, aux))
            if row % 3 == 1:      # one bit wrong, somewhere
                place = self.drawn(row, "place")
                damaged = bytearray(signature)
                damaged[place[0] % 64] ^= 1 << place[1] % 8
                signature = bytes(damaged)
            elif row % 3 == 2:    # any 32 bytes as the key: half of them are no point
                key = self.drawn(row, "key")
            verdicts = {maths.verify(key, message, signature) for maths in (secp, curve)}
            self.assertEqual(verdicts, {row % 3 == 0}, row)
            tweaks = {maths.tweak_add(key, aux) for maths in (secp, curve)}
            self.assertEqual(len(tweaks), 1, row)

    def test_tweak_edges(self):
        key = secp.xonly_key(bytes(31) + b"\x01")
        minus_one = (curve.N - 1).to_bytes(32, "big")
        for t in (bytes(32), minus_one, curve.N.to_bytes(32, "big"), b"\xff" * 32):
            self.assertEqual(secp.tweak_add(key, t), curve.tweak_add(key, t))
        self.assertIsNone(secp.tweak_add(key, minus_one))    # G − G is infinity


class OutOfReach(unittest.TestCase):
    """Rules that no chain of types 0 and 1 can break, in made-up states."""

    SECRET = b"\x07" * 32

    def spend(self, *coins, witness=()):
        """(view, transaction) of a payment of these coins, the only ones there are."""
        known = state.State(20, bytes(32))
        outpoints = [(bytes(31) + bytes([n]), n) for n in range(len(coins))]
        for outpoint, coin in zip(outpoints, coins):
            known.coins[outpoint] = coin
        transaction = Transaction(
            0, tuple(Input(*outpoint, 0xFFFFFFFF) for outpoint in outpoints),
            (Output(1, lock.key_lock(bytes(32))),), witness=witness)
        return state_rules.View(network.REG, known, 21, 1_000_000_000), transaction

    def verdict_of(self, *coins) -> str:
        return state_rules.check_transaction(*self.spend(*coins))[0]

    def coin(self, amount, lock_) -> state.Coin:
        return state.Coin(amount, 5, 0, lock_)

    def test_bond_is_not_spendable(self):
        bond = self.coin(5, lock.bond_lock(1, bytes(32)))
        self.assertEqual(self.verdict_of(bond), "tx-input-lock")

    def test_sum_of_inputs(self):
        key = lock.key_lock(bytes(32))
        self.assertEqual(self.verdict_of(self.coin(SUPPLY_LIMIT, key)), "ok")
        self.assertEqual(self.verdict_of(self.coin(SUPPLY_LIMIT, key), self.coin(1, key)),
                         "amount-range")

    def test_sum_of_fees(self):
        block = network.REG.genesis
        context = state_rules.BlockContext(network.REG, state.State(0, block.id), block, 0)
        for fees, expected in ((SUPPLY_LIMIT, "ok"), (SUPPLY_LIMIT + 1, "amount-range")):
            context.fees = fees
            self.assertEqual(verdict.first_failure(state_rules.AFTER_RULES, context), expected)

    def test_witness_of_a_bond(self):
        """One signature item for the owner key as it stands."""
        bond = self.coin(5, lock.bond_lock(1, secp.xonly_key(self.SECRET)))
        for items in ((), (b"", b""), (bytes(64), b"\x01", b"\x02")):
            _, transaction = self.spend(bond, witness=(items,))
            signed = SignedTransaction(network.REG.id, transaction, (bond,))
            self.assertEqual(witness_rules.check_witnesses(signed), "witness-form")
        _, unsigned = self.spend(bond)
        digest = SignedTransaction(network.REG.id, unsigned, (bond,)).sighash(0, ALL)
        good = secp.sign(self.SECRET, digest)
        for item, expected in ((good, "ok"), (bytes(64), "sig-invalid"), (b"", "sig-encoding")):
            _, transaction = self.spend(bond, witness=((item,),))
            signed = SignedTransaction(network.REG.id, transaction, (bond,))
            self.assertEqual(witness_rules.check_witnesses(signed), expected)

    def test_custom_bounds(self):
        good = replace(network.REG, name="mine", hrp="own")
        self.assertEqual(network.bounds_broken(good), [])
        for fields, broken in (
                (dict(name="main"), "name"), (dict(name="Mine"), "name"),
                (dict(name="x" * 17), "name"), (dict(hrp="rc"), "address prefix"),
                (dict(hrp="rc1"), "address prefix"), (dict(table_version=2), "table version"),
                (dict(genesis_time=0), "genesis time"), (dict(retarget=2), "retarget"),
                (dict(limit_bits=0x2100FFFF), "target limit"),
                (dict(limit_bits=0x1E00FFFF), "genesis bits"),
                (dict(genesis_text=bytes(65)), "genesis text"),
                (dict(retarget=1), "spacing"), (dict(half_life=0), "half-life"),
                (dict(future_limit=7_201), "future limit"), (dict(halving=0), "halving"),
                (dict(halving=10**9), "first subsidy"), (dict(treasury_share=61), "shares"),
                (dict(maturity=0), "coinbase maturity"), (dict(block_limit=9_999), "block limit"),
                (dict(cycle=0), "cycle"), (dict(collateral=0), "masternode collateral")):
            self.assertIn(broken, network.bounds_broken(replace(good, **fields)), fields)


class Extra(Rows):
    """The vectors for other implementers, read as they would read them."""

    def load(self, name):
        return json.loads((EXTRA / name).read_text())

    def test_up_to_date(self):
        for name, make in make_vectors.FILES.items():
            self.assertEqual((EXTRA / name).read_text(), make(), f"{name}: run make_vectors.py")

    def test_chains(self):
        self.assertEqual(replay(EXTRA / "chains.jsonl"), 101)

    def test_networks(self):
        for row in self.rows(self.load("networks.json"), 10):
            made = network.parse_table(h(row["table"]))
            self.assertEqual(network.bounds_broken(made), [])
            self.assertEqual([made.id.hex(), made.genesis.id.hex()],
                             [row["network_id"], row["genesis_id"]])

    def test_asert(self):
        for row in self.rows(self.load("asert.json"), 200):
            table = replace(network.MAIN, spacing=row["spacing"], half_life=row["half_life"],
                            genesis_bits=int(row["genesis_bits"], 16),
                            limit_bits=int(row["limit_bits"], 16))
            time = table.genesis_time + row["parent_time_minus_genesis_time"]
            self.assertEqual(f"{asert.required_bits(table, row['parent_height'], time):08x}",
                             row["bits"])

    def test_policies(self):
        for row in self.rows(self.load("policies.json"), 250):
            self.assertEqual(make_vectors.policy_verdict(
                h(row["policy"]), [h(item) for item in row["arguments"]], row["lock_time"],
                int(row["sequence"], 16)), row["verdict"])

    def test_siphash(self):
        """The paper's example (appendix A), and the reference implementation's of 0, 1 and 32."""
        k0, k1 = 0x0706050403020100, 0x0F0E0D0C0B0A0908
        self.assertEqual(compact.siphash(k0, k1, bytes(range(15))), 0xA129CA6149BE45E5)
        for size, output in ((0, "310e0edd47db6f72"), (1, "fd67dc93c539f874"),
                             (32, "ce7cf2722f512771")):
            self.assertEqual(compact.siphash(k0, k1, bytes(range(size))).to_bytes(8, "little"),
                             h(output))

    def test_compact_blocks(self):
        vectors = self.load("compact.json")
        for row in self.rows(vectors["good"], 8):
            read = compact.parse_compact(h(row["compact"]), vectors["limit"])
            made = block.parse_block(h(row["block"]))
            self.assertEqual(read, compact.compact_of(made, row["nonce"],
                                                      tuple(row["prefilled"])))
            self.assertEqual(read.encode().hex(), row["compact"])
            self.assertEqual(b"".join(read.short_ids).hex(), row["short_ids"])
        for row in self.rows(vectors["bad"], 18):
            self.assertRaises(codec.ParseError, compact.parse_compact, h(row["compact"]),
                              vectors["limit"])
        for limit, encoded, places in self.rows(vectors["places"], 14):
            if places is None:
                self.assertRaises(codec.ParseError, compact.parse_places, h(encoded), limit)
            else:
                self.assertEqual(compact.parse_places(h(encoded), limit), places)
                self.assertEqual(compact.encode_places(places).hex(), encoded)

    def test_proofs(self):
        vectors = self.load("proofs.json")
        for row in self.rows(vectors["proofs"], 60):
            question = proof.Question(row["ns"], row["bits"], h(row["prefix"]))
            answer = proof.check_proof(h(row["proof"]), h(vectors["state_root"]), question)
            self.assertEqual((answer.result, len(answer.leaves), answer.total),
                             (row["result"], row["leaves"], row["total"]))


class RandomChains(unittest.TestCase):
    SCENARIOS = 12

    def test_generator_and_replay(self):
        """A reader that knows the format alone agrees, and the same seed gives the same chains."""
        for number in range(self.SCENARIOS):
            lines = Scenario("test", number).run()
            reader = Replay()
            for line in lines:
                reader.line(json.loads(line))
            self.assertEqual(reader.events, len(lines))
        self.assertEqual(lines, Scenario("test", number).run())

    def test_replay_notices(self):
        """A changed answer is a disagreement."""
        lines = [json.loads(line) for line in Scenario("test", 0).run()]
        for at, row in enumerate(lines):
            changed = {"block": dict(state_root="00" * 32), "header": dict(verdict="header-work"),
                       "end": dict(treasury=row.get("treasury", 0) + 1)}.get(row.get("op"))
            if changed is None:
                continue
            reader = Replay()
            for before in lines[:at]:
                reader.line(before)
            with self.assertRaises(Disagreement):
                reader.line({**row, **changed})


class Order(unittest.TestCase):
    """The tables of rules name the codes of verdict.py, in its order."""

    def codes(self, *tables):
        return [code for table in tables for code, _ in table]

    def listed(self, table, *without):
        return [row.code for row in table if row.code not in without]

    def test_tables(self):
        self.assertEqual(self.codes(header_rules.RULES), self.listed(verdict.HEADER))
        self.assertEqual(self.codes(body_rules.BLOCK_RULES, body_rules.TRANSACTION_RULES),
                         self.listed(verdict.BODY, "block-size-max", "block-parse", "tx-twice"))
        self.assertEqual(self.codes(state_rules.BEFORE_RULES, state_rules.INPUT_RULES,
                                    state_rules.TRANSACTION_RULES, state_rules.AFTER_RULES),
                         self.listed(verdict.STATE))


if __name__ == "__main__":
    unittest.main()
