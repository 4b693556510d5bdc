"""One scenario: headers and blocks offered in some order, and what a node must answer.

The file format is described in README.md, "The file of chains".
"""

import json
import random

from rcref import merkle, proof
from rcref.amount import RUST
from rcref.block import parse_block
from rcref.body_rules import NOT_REMEMBERED
from rcref.chain import Chain
from rcref.codec import ParseError
from rcref.header import HEADER_SIZE, parse_header
from rcref.loose import judge_loose
from rcref.network import REG, Network, bounds_broken
from rcref.timelock import MEDIAN_BLOCKS
from rcref.trie import KEY_SIZES, width
from rcref.verdict import OK, UNKNOWN_CODES

from . import faults
from .blocks import (BLOCK_FAULTS, HEADER_FAULTS, SMALL_LIMIT, Built, Builder, apply_together,
                     pad)
from .owners import make_owners

CODES = tuple(sorted({code for code, _ in BLOCK_FAULTS} | set(faults.TRANSACTION_CODES)))
# Drawn more often, since they apply in few places.
SCARCE = ("block-size", "block-budget", "sig-encoding", "tx-twice", "policy-form", "policy-opcode")
HEADER_CODES = tuple(code for code, _ in HEADER_FAULTS)
# A block inside a branch is broken so that its header still passes and the body is kept.
HIDDEN_CODES = tuple(sorted(
    {"block-state-root", "coinbase-height", "coinbase-lock", "coinbase-amount",
     "tx-input-missing", "tx-input-immature", "tx-lock-time", "tx-relative-lock", "tx-overspend"}
    | set(faults.WITNESS_FAULTS) | set(faults.OWN_PAYMENTS)))


def random_network(rng, number: int) -> Network:
    """A custom network whose halvings, cycles and retargets all happen within some blocks."""
    masternode_share = rng.choice((0, 40, 67, 100))
    network = Network(
        name=f"net-{number}"[:16], hrp="rcx", genesis_time=1_767_225_600 + rng.randint(0, 10**6),
        genesis_bits=rng.choice((0x207FFFFF, 0x203FFFFF, 0x200FFFFF, 0x2007ABCD)),
        genesis_text=rng.randbytes(rng.choice((0, 5, 64))),
        spacing=rng.choice((1, 60, 150, 600)), retarget=rng.choice((1, 1, 1, 0)),
        limit_bits=0x207FFFFF, half_life=rng.choice((60, 300, 3_600)),
        future_limit=rng.choice((1, 60, 900, 7_200)),
        first_subsidy=rng.choice((50 * RUST, 50 * RUST, 1_000_003, 99)),
        halving=rng.choice((1, 4, 9, 20, 1_000)), masternode_share=masternode_share,
        treasury_share=min(rng.choice((0, 10, 10, 33)), 100 - masternode_share),
        maturity=rng.choice((1, 2, 3, 5)),
        block_limit=rng.choice((10_000, 10_000, 10_350, 11_000, 2_000_000)),
        cycle=rng.choice((1, 3, 7, 12, 50)), collateral=100 * RUST)
    assert not bounds_broken(network)
    return network


LEAST_BLOCKS, MOST_BLOCKS = 10, 60     # offered in a scenario


class Scenario:
    """Builds blocks, offers them to the reference, and writes down what it said."""

    def __init__(self, seed: str, number: int):
        self.rng = random.Random(f"{seed}/{number}")
        self.number = number
        self.network = REG if self.rng.random() < 0.5 else random_network(self.rng, number)
        self.chain = Chain(self.network)
        self.owners = make_owners(self.rng, self.network.genesis_time)
        self.builder = Builder(self.network, self.owners, self.rng)
        genesis = self.builder.genesis()
        self.built = {genesis.id: genesis}     # valid blocks, also those not offered yet
        self.broken = []                       # headers of blocks the chain knows to be invalid
        self.waiting = []                      # blocks from the future, to be offered again
        self.clock = self.network.genesis_time
        self.lines = []
        self.blocks = 0
        self.counts = {}                       # verdicts reached
        self.payments = 0
        self.reorganisations = []              # blocks undone by each

    # --- the whole ---

    ACTIONS = (
        (48, "extend"), (24, "break_block"), (14, "break_block_twice"), (12, "branch"),
        (3, "rivals"), (3, "damage"), (2, "offer_again"), (3, "build_on_broken"),
        (3, "header_first"), (3, "break_header"),
    )

    LONG = ("branch", "rivals")      # offer up to 20 blocks at once

    def run(self) -> list:
        self._write(scenario=self.number, table=self.network.table.hex(),
                    genesis_id=self.network.genesis.id.hex(), network_id=self.network.id.hex())
        wanted = self.rng.randint(LEAST_BLOCKS, MOST_BLOCKS - 1)
        weights, actions = zip(*self.ACTIONS)
        while self.blocks < wanted:
            if self.waiting and self.rng.random() < 0.3:
                self.offer_waiting()
            action = self.rng.choices(actions, weights)[0]
            if action in self.LONG and self.blocks > MOST_BLOCKS - 20:
                action = "extend"
            getattr(self, action)()
        self.end()
        return self.lines

    def _write(self, **fields) -> None:
        self.lines.append(json.dumps(fields, separators=(",", ":")))

    @property
    def tip(self) -> Built:
        return self.built[self.chain.tip.id]

    # --- offering ---

    def _pass_time(self, header) -> None:
        """The clock is often just late enough for the header."""
        least = header.time - self.network.future_limit
        self.clock = max(self.clock, least + self.rng.choice((0, 1, self.network.future_limit)))

    def offer_block(self, data: bytes, aim: str = "", payments: int = 0) -> str:
        """The final verdict if one was reached, else "ok"; `aim` is what it must be."""
        before = self.chain.tip
        code, judged = self.chain.offer_block(data, self.clock)
        self._count_undone(before)
        self.blocks += 1
        self.payments += payments
        header = parse_header(data[:HEADER_SIZE])
        self._remember_broken(header, code, judged)
        self._write_block(header.id, data, code, judged)
        final = code if code != OK else dict(judged).get(header.id, OK)
        for verdict in [code] + [verdict for _, verdict in judged]:
            self.counts[verdict] = self.counts.get(verdict, 0) + 1
        assert final == (aim or final), (self.number, aim, final)
        self._check_tip(data)
        return final

    def _check_tip(self, data: bytes) -> None:
        """The state undone and applied along the tree is the one computed block by block."""
        node = self.chain.tip
        if node.id not in self.built:      # faults that didn't apply left a valid block
            parent = self.built[node.parent.id]
            self.built[node.id] = Built(
                node.header, data, parent, ([node.time] + parent.times)[:MEDIAN_BLOCKS],
                self.chain.state.copy())
        assert self.tip.state.root() == self.chain.state.root()

    def _count_undone(self, before) -> None:
        best, undone = {self.chain.tip.id}, 0
        node = self.chain.tip
        while node.parent:
            node = node.parent
            best.add(node.id)
        while before.id not in best:
            before, undone = before.parent, undone + 1
        if undone:
            self.reorganisations.append(undone)

    def _remember_broken(self, header, code, judged) -> None:
        if code != OK and code not in UNKNOWN_CODES and code not in NOT_REMEMBERED:
            self.broken.append(header)
        for block_id, verdict in judged:
            if verdict != OK:
                self.broken.append(self.chain.nodes[block_id].header)

    def _write_block(self, block_id, data, code, judged) -> None:
        try:
            transactions = parse_block(data).transactions
        except ParseError:
            transactions = ()
        tip = self.chain.tip
        self._write(
            op="block", block=data.hex(), clock=self.clock, id=block_id.hex(),
            verdict=code, txids=[t.txid.hex() for t in transactions],
            wtxids=[t.wtxid.hex() for t in transactions],
            judged=[[block_id.hex(), verdict] for block_id, verdict in judged],
            tip=tip.id.hex(), height=tip.height, state_root=self.chain.state.root().hex(),
            work=f"{tip.work:064x}")

    def offer_header(self, header, aim: str = "") -> None:
        code = self.chain.offer_header(header.encode(), self.clock)
        self.counts[code] = self.counts.get(code, 0) + 1
        if code != OK and code not in UNKNOWN_CODES:
            self.broken.append(header)
        self._write(op="header", header=header.encode().hex(), clock=self.clock, verdict=code)
        assert code == (aim or code), (aim, code)

    # --- actions ---

    def _build(self, parent: Built) -> Built:
        """A valid block, now and then exactly as long as the limit."""
        draft = self.builder.draft(parent)
        if self.network.block_limit <= SMALL_LIMIT and self.rng.random() < 0.02:
            pad(draft, self.network.block_limit)
        built = self.builder.built(draft, valid=True)
        self.built[built.id] = built
        return built

    def extend(self) -> None:
        built = self._build(self.tip)
        self._pass_time(built.header)
        self.offer_block(built.data, OK, built.payments)

    def header_first(self) -> None:
        """The header of a valid block; the body comes later or never."""
        built = self._build(self.tip)
        self._pass_time(built.header)
        self.offer_header(built.header, OK)
        if self.rng.random() < 0.7:
            self.offer_block(built.data, OK, built.payments)

    def break_block(self) -> None:
        codes = CODES + SCARCE * 3
        built, code = self._broken(self.tip, self.rng.sample(codes, len(codes)))
        self.offer_block(built.data, code, built.payments)
        if code == "header-time-future":
            self.waiting.append(built)

    def _broken(self, parent: Built, codes):
        """A block that fails with the first of these codes that can be provoked here."""
        for code in codes:
            draft = self._draft_with(parent, code)
            if draft is not None:
                valid = code == "header-time-future"
                built = self.builder.built(draft, valid)
                if valid:
                    self.built[built.id] = built
                return built, code
        raise AssertionError("no fault applies")

    def _draft_with(self, parent: Built, code: str):
        ways = [change for name, change in BLOCK_FAULTS if name == code]
        if code in faults.TRANSACTION_CODES and (not ways or self.rng.random() < 0.6):
            draft = self.builder.draft(parent, [self._faulty(code)])
            if draft is not None:
                self._set_clock(draft)
            return draft
        draft = self.builder.draft(parent)
        self._set_clock(draft)
        return draft if ways and self.rng.choice(ways)(draft) else None

    @staticmethod
    def _faulty(code: str):
        return lambda site: faults.faulty_transaction(site, code)

    def _set_clock(self, draft) -> None:
        self._pass_time(draft.header)
        draft.clock = self.clock

    def break_block_twice(self) -> None:
        """Several faults in a block: only the order of the rules tells the verdict."""
        rng = self.rng
        faulty, together = rng.choice((
            ([], faults.neighbours(rng, BLOCK_FAULTS)),
            ([], faults.neighbours(rng, BLOCK_FAULTS)),
            ([], rng.sample(BLOCK_FAULTS, 2)),
            ([faults.doubly_faulty_transaction], []),
            ([faults.doubly_faulty_transaction], []),
            ([self._faulty(code) for code in rng.choices(faults.TRANSACTION_CODES, k=2)], []),
            ([self._faulty(rng.choice(faults.TRANSACTION_CODES))], [rng.choice(BLOCK_FAULTS)]),
        ))
        draft = self.builder.draft(self.tip, faulty) or self.builder.draft(self.tip)
        self._set_clock(draft)
        apply_together(draft, together)
        built = self.builder.built(draft, valid=False)
        self.offer_block(built.data, payments=built.payments)

    def break_header(self) -> None:
        if self.rng.random() < 0.2:
            self._break_past_and_future()
            return
        built, code = self._broken(self.tip, [self.rng.choice(HEADER_CODES)])
        self.offer_header(built.header, code)
        if code == "header-time-future":
            self.waiting.append(built)

    def _break_past_and_future(self) -> None:
        """Not past the median, and yet in the future of a clock that went back."""
        draft = self.builder.draft(self.tip)
        draft.change_header(time=draft.parent.mtp)
        built = self.builder.built(draft, valid=False)
        clock = self.clock
        self.clock = max(0, built.header.time - self.network.future_limit - 1)
        self.offer_header(built.header, "header-time-past")
        self.clock = clock

    def offer_waiting(self) -> None:
        """What came from the future is kept and offered when its time has come."""
        built = self.waiting.pop(0)
        self._pass_time(built.header)
        self.offer_block(built.data, OK, built.payments)

    def damage(self) -> None:
        """A damaged body doesn't harm the block: the right one is accepted after it."""
        rng = self.rng
        built = self._build(self.tip)
        self._pass_time(built.header)
        at = rng.randrange(HEADER_SIZE, len(built.data))
        flipped = built.data[:at] + bytes([built.data[at] ^ 1 << rng.randrange(8)])
        self.offer_block(rng.choice((
            built.data[:at], built.data + b"\x00", flipped + built.data[at + 1:])))
        if rng.random() < 0.3:
            self.offer_header(built.header, OK)
        if rng.random() < 0.8:
            self.offer_block(built.data, OK, built.payments)

    def offer_again(self) -> None:
        """Known blocks and headers change nothing."""
        known = [b for b in self.built.values()
                 if b.id in self.chain.nodes and self.chain.nodes[b.id].block is not None]
        if known:
            built = self.rng.choice(known)
            if self.rng.random() < 0.5:
                self.offer_header(built.header, OK)
            else:
                self.offer_block(built.data, OK)

    def build_on_broken(self) -> None:
        """Descendants of an invalid block, whatever made it so."""
        if not self.broken:
            return
        header = self.rng.choice(self.broken[-6:])
        if header.height == 2**32 - 1:
            return
        parent = Built(header, b"", None, [header.time], None)
        draft = self.builder.draft(parent)
        draft.change_header(bits=self.network.limit_bits)    # nobody asks what is required
        self._set_clock(draft)
        aim = "header-parent-invalid"
        if self.rng.random() < 0.5:
            aim = ""
            apply_together(draft, [self.rng.choice(HEADER_FAULTS)])
        built = self.builder.built(draft, valid=False)
        if self.rng.random() < 0.5:
            self.offer_header(built.header, aim)
        else:
            self.offer_block(built.data, aim)

    # --- branches ---

    def branch(self) -> None:
        """A rival branch, often longer than the best one, sometimes with a rotten block in it."""
        rng = self.rng
        base, depth = self._fork_point()
        length = max(1, depth + rng.choice((-1, 0, 1, 1, 2)))
        rotten_at = rng.randrange(length) if rng.random() < 0.3 else None
        branch = []
        for at in range(length):
            parent = branch[-1] if branch else base
            rotten = at == rotten_at or parent.state is None
            branch.append(self._hidden(parent) if rotten else self._build(parent))
        for built in branch:
            self._pass_time(built.header)
        rng.choice((self._in_order, self._in_order, self._headers_first, self._shuffled))(branch)

    def rivals(self) -> None:
        """Rival branches on a block whose body comes last: all connect in one event."""
        rng = self.rng
        trunk = self._build(self.tip)
        lengths = rng.choice(((1, 1), (2, 2), (1, 2), (1, 1, 1), (3, 1, 3)))
        branches = []
        for length in lengths:
            branch, parent = [], trunk
            for _ in range(length):
                if rng.random() < 0.15 or parent.state is None:
                    built = self._hidden(parent)
                else:
                    built = self._build(parent)
                branch.append(built)
                parent = built
            branches.append(branch)
        blocks = [built for branch in branches for built in branch]
        for built in [trunk] + blocks:
            self._pass_time(built.header)
            self.offer_header(built.header)
        rng.shuffle(blocks)
        self._in_order(blocks + [trunk])

    def _hidden(self, parent: Built) -> Built:
        """A block that only its judge in the parent's state refuses, or one on such a block."""
        if parent.state is None:
            return self.builder.built(self.builder.draft(parent), valid=False)
        return self._broken(parent, self.rng.sample(HIDDEN_CODES, len(HIDDEN_CODES)))[0]

    def _fork_point(self):
        """A valid block, the tip's ancestor or not, and how many blocks the tip is above it."""
        tip = self.tip
        near = [b for b in self.built.values()
                if tip.height - 8 <= b.height <= tip.height and b.id in self.chain.nodes
                and b.id != tip.id]
        base = self.rng.choice(near) if near else tip
        return base, tip.height - base.height

    def _in_order(self, branch) -> None:
        for built in branch:
            self.offer_block(built.data, payments=built.payments)

    def _headers_first(self, branch) -> None:
        for built in branch:
            self.offer_header(built.header)
        self.rng.shuffle(branch)
        self._in_order(branch)

    def _shuffled(self, branch) -> None:
        """Children before their parents: unknown, so they are offered again."""
        later = list(branch)
        self.rng.shuffle(later)
        missed = [built for built in later
                  if self.offer_block(built.data, payments=built.payments)
                  == "header-parent-unknown"]
        for built in sorted(missed, key=lambda b: b.height):
            self.offer_block(built.data)

    # --- the end ---

    def end(self) -> None:
        state = self.chain.state
        self._write(
            op="end",
            balances=[[lock.hex(), total] for lock, total in sorted(state.balances().items())],
            supply=state.supply(), treasury=state.treasury(),
            proofs=[self._proof() for _ in range(8)],
            inclusions=self._inclusions(),
            mempool_txs=[self._loose() for _ in range(16)])

    def _question(self) -> proof.Question:
        """About an owner, a coin, nobody, a whole namespace or any short prefix."""
        rng = self.rng
        ns = rng.choice((1, 1, 1, 1, 4, rng.choice(tuple(KEY_SIZES))))
        keys = [leaf.key for leaf in self.chain.state.tries[ns].leaves()]
        key = rng.choice(keys) if keys and rng.random() < 0.7 else rng.randbytes(KEY_SIZES[ns])
        bits = rng.choice((0, 1, 3, rng.randint(0, width(ns)), 256, 256, width(ns)))
        path = int.from_bytes(key, "big") >> (width(ns) - bits)
        size = (bits + 7) // 8
        return proof.Question(ns, bits, (path << (8 * size - bits)).to_bytes(size, "big"))

    def _proof(self) -> dict:
        state, question = self.chain.state, self._question()
        sums_only, max_leaves = self.rng.random() < 0.3, self.rng.choice((None, None, 1, 3, 10))
        made = proof.make_proof(state, question, sums_only, max_leaves)
        answer = proof.check_proof(made, state.root(), question)
        return dict(ns=question.ns, bits=question.bits, prefix=question.prefix.hex(),
                    max_leaves=max_leaves, sums_only=sums_only, proof=made.hex(),
                    result=answer.result, leaves=len(answer.leaves), total=answer.total)

    def _inclusions(self) -> list:
        node, made = self.chain.tip, []
        while node.parent and len(made) < 3:
            transactions = node.block.transactions
            index = self.rng.randrange(len(transactions))
            data = merkle.make_inclusion_proof(transactions, index).encode()
            txid, root = transactions[index].txid, node.header.tx_root
            merkle.check_inclusion_proof(data, txid, root)
            made.append(dict(txid=txid.hex(), tx_root=root.hex(), proof=data.hex()))
            node = node.parent
        return made

    def _loose(self) -> dict:
        site = self.builder.site(self.tip)
        data, aim = self._loose_data(site)
        code = judge_loose(self.network, self.chain.state, self.chain.tip.mtp(), data)
        self.counts[code] = self.counts.get(code, 0) + 1
        assert not aim or code == aim, (aim, code)
        return dict(tx=data.hex(), verdict=code)

    def _loose_data(self, site):
        """(bytes, the verdict aimed at or "")."""
        rng = self.rng
        kind = rng.choice(("valid", "valid", "fault", "fault", "twice", "twice", "form"))
        draft = site.payment()
        if kind == "form" or draft is None:
            whole = faults.loose_coinbase(site) if draft is None else site.finish(draft)
            if rng.random() < 0.5:
                return faults.loose_coinbase(site).encode(), "tx-coinbase"
            return faults.unparsable(site, whole), "tx-parse"
        if kind == "twice":
            transaction = faults.doubly_faulty_transaction(site)
            return transaction.encode(), ""
        if kind == "fault":
            code = rng.choice(faults.TRANSACTION_CODES)
            transaction = faults.faulty_transaction(site, code)
            if transaction is not None:
                return transaction.encode(), code
        return site.finish(draft).encode(), OK
