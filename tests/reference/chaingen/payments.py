"""Random payments of the coins a block can spend, signed."""

from dataclasses import dataclass, field
from typing import Optional

from rcref import secp
from rcref.hashes import ZERO32
from rcref.lock import data_lock, key_lock, makes_coin
from rcref.sighash import ALL, ANYONECANPAY, SignedTransaction
from rcref.state import Coin
from rcref.state_rules import View
from rcref.timelock import LOCK_TIME_IS_TIME, SEQUENCE_NO_LOCK, mature
from rcref.transaction import PAYMENT, SEQUENCE_FINAL, Input, Output, Transaction
from rcref.tweak import leaf_hash

from .owners import Leaf, Owner
from .policies import MULTI_SIGNATURE, RING, SIGNATURE, Plan, plan_for

UNKNOWN_COIN = Coin(0, 0, 0, key_lock(ZERO32))    # stands in where an input names no coin


@dataclass
class InputDraft:
    outpoint: tuple
    coin: Coin
    owner: Optional[Owner]            # None: any witness will do
    leaf: Optional[Leaf] = None       # None: the key path
    plan: Plan = field(default_factory=Plan)
    sequence: int = SEQUENCE_FINAL


@dataclass
class PaymentDraft:
    """A payment before it is signed; faults change it in any way."""
    inputs: list
    outputs: list
    lock_time: int = 0
    version: int = 1
    type: int = PAYMENT
    payload: bytes = b""

    def unsigned(self) -> Transaction:
        return Transaction(
            self.type, tuple(Input(*i.outpoint, i.sequence) for i in self.inputs),
            tuple(self.outputs), self.lock_time, self.payload, (), self.version)


class Site:
    """Where payments are made: after some transactions of a block on some parent."""

    def __init__(self, network, owners: dict, rng, view: View):
        self.network, self.owners, self.rng, self.view = network, owners, rng, view
        self.fees = 0

    @property
    def height(self) -> int:
        return self.view.height

    def take(self, transaction: Transaction) -> None:
        """Lets what is made next see this transaction, unless it can't pass the rules of coins."""
        coins = [self.view.coin(i.outpoint) for i in transaction.inputs]
        locks = {o.lock for o in transaction.outputs if makes_coin(o.lock)}
        if None in coins or transaction.type != PAYMENT or not locks <= self.owners.keys():
            return
        fee = sum(c.amount for c in coins) - sum(o.amount for o in transaction.outputs)
        if fee >= 0:
            self.view.apply(transaction, coins)
            self.fees += fee

    # --- coins ---

    def _unspent(self):
        for coins in (self.view.state.coins, self.view.created):
            for outpoint, coin in coins.items():
                if outpoint not in self.view.spent:
                    yield outpoint, coin

    def coins(self) -> list:
        """What a key of ours can spend now, in no order that depends on hashing."""
        return [(outpoint, coin) for outpoint, coin in self._unspent()
                if self.owners[coin.lock].secret
                and mature(coin, self.height, self.network.maturity)]

    def immature_coins(self) -> list:
        return [(outpoint, coin) for outpoint, coin in self._unspent()
                if not mature(coin, self.height, self.network.maturity)]

    def dead_coins(self) -> list:
        return [(outpoint, coin) for outpoint, coin in self._unspent()
                if not self.owners[coin.lock].secret
                and mature(coin, self.height, self.network.maturity)]

    def pick_coins(self, count: int) -> list:
        coins = self.coins()
        fresh = [pair for pair in coins if pair[0] in self.view.created]
        picked = self.rng.sample(coins, min(count, len(coins)))
        if fresh and self.rng.random() < 0.3:     # a chain of transactions in one block
            other = self.rng.choice(fresh)
            if other not in picked:
                picked[:1] = [other]
        return picked

    # --- inputs ---

    def _plan_fits(self, plan: Plan, coin: Coin, kinds: set) -> bool:
        if len(plan.lock_kinds | kinds) > 1:
            return False
        if any(v >= (self.view.parent_mtp if v >= LOCK_TIME_IS_TIME else self.height)
               for v in plan.after):
            return False
        return self.height >= coin.height + plan.older

    def policy_input(self, outpoint, coin, kinds: set, wish=lambda leaf, plan: True):
        """This coin by a policy of its owner that fits here and is as wished, or None."""
        owner = self.owners[coin.lock]
        leaves = [leaf for leaf in owner.leaves if not leaf.fault]
        self.rng.shuffle(leaves)
        for leaf in leaves:
            for _ in range(3):
                plan = plan_for(leaf.root_node, self.rng)
                if plan and self._plan_fits(plan, coin, kinds) and wish(leaf, plan):
                    return InputDraft(outpoint, coin, owner, leaf, plan)
        return None

    def input(self, outpoint, coin, kinds: set) -> InputDraft:
        found = None
        if self.rng.random() < 0.75:
            found = self.policy_input(outpoint, coin, kinds)
        return found or InputDraft(outpoint, coin, self.owners[coin.lock])

    def inputs(self, coins) -> list:
        drafts, kinds = [], set()
        for outpoint, coin in coins:
            drafts.append(self.input(outpoint, coin, kinds))
            kinds |= drafts[-1].plan.lock_kinds
        return drafts

    # --- payments ---

    def lock(self) -> bytes:
        return self.rng.choice(list(self.owners))

    def outputs(self, amount: int) -> list:
        """Splits the amount; among the outputs are DATA and amounts of zero."""
        rng = self.rng
        count = rng.choice((1, 1, 2, 2, 2, 3, 5))
        cuts = sorted(rng.randint(0, amount) for _ in range(count - 1))
        parts = [b - a for a, b in zip([0] + cuts, cuts + [amount])]
        made = [Output(part, self.lock()) for part in parts]
        if rng.random() < 0.15:
            made.append(Output(0, self.lock()))
        if rng.random() < 0.2:
            size = rng.choice((0, 1, 20, 80, 252, 253, 256))
            made.append(Output(0, data_lock(rng.randbytes(size))))
        rng.shuffle(made)
        return made

    def fee(self, amount: int) -> int:
        return min(amount, self.rng.choice((0, 1, 250, self.rng.randint(0, 5_000))))

    def payment(self, coins=None):
        """A valid payment of these coins, or of some; None without coins."""
        if coins is None:
            coins = self.pick_coins(self.rng.choice((1, 1, 1, 2, 2, 3)))
        return self.payment_of(self.inputs(coins)) if coins else None

    def payment_of(self, inputs: list) -> PaymentDraft:
        amount = sum(i.coin.amount for i in inputs)
        draft = PaymentDraft(inputs, self.outputs(amount - self.fee(amount)))
        self._choose_locks(draft)
        return draft

    def policy_payment(self, wish):
        """A payment one of whose inputs takes a policy path as wished, or None."""
        coins = self.coins()
        self.rng.shuffle(coins)
        for outpoint, coin in coins[:60]:
            found = self.policy_input(outpoint, coin, set(), wish)
            if found:
                others = [pair for pair in self.pick_coins(self.rng.choice((0, 0, 1)))
                          if pair[0] != outpoint]
                inputs = [found]
                for pair in others:
                    inputs.append(self.input(*pair, found.plan.lock_kinds))
                self.rng.shuffle(inputs)
                return self.payment_of(inputs)
        return None

    def _choose_locks(self, draft: PaymentDraft) -> None:
        """lock_time and sequences: what the plans need, else anything that is satisfied."""
        rng = self.rng
        after = [v for i in draft.inputs for v in i.plan.after]
        free = all(not i.plan.after and not i.plan.older for i in draft.inputs)
        ends = {False: self.height, True: self.view.parent_mtp}
        if after:
            kind = max(after) >= LOCK_TIME_IS_TIME
            draft.lock_time = rng.choice((max(after), rng.randint(max(after), ends[kind] - 1)))
        elif rng.random() < 0.25:
            kind = rng.random() < 0.3
            first, last = LOCK_TIME_IS_TIME if kind else 0, ends[kind] - 1
            draft.lock_time = rng.choice((last, rng.randint(first, last)))
        elif free and rng.random() < 0.08:
            draft.lock_time = rng.choice((self.height, 499_999_999, 500_000_000, 2**32 - 1))
            return         # not satisfied, but every sequence is final
        for i in draft.inputs:
            i.sequence = self._sequence(i)

    def _sequence(self, i: InputDraft) -> int:
        rng = self.rng
        age = min(self.height - i.coin.height, 65_535)
        if i.plan.older:
            return rng.choice((i.plan.older, age))
        not_final = [SEQUENCE_FINAL - 1, SEQUENCE_NO_LOCK | rng.getrandbits(16),
                     rng.randint(0, age), age]
        if i.plan.after:
            return rng.choice(not_final)
        return rng.choice(not_final + [SEQUENCE_FINAL] * 4)

    # --- signing ---

    def witness(self, draft: PaymentDraft) -> list:
        """For each input its items."""
        signed = SignedTransaction(self.network.id, draft.unsigned(),
                                   tuple(i.coin for i in draft.inputs))
        return [self._items(signed, index, i) for index, i in enumerate(draft.inputs)]

    def _items(self, signed, index: int, i: InputDraft) -> list:
        if i.owner is None or i.owner.secret is None:
            return [self.rng.randbytes(64)]
        if i.leaf is None:
            return [self._signature(signed, index, i.owner.secret, ZERO32)]
        leaf = leaf_hash(i.leaf.policy)
        arguments = [
            self._signature(signed, index, RING.secret_of[slot.key], leaf)
            if slot.role in (SIGNATURE, MULTI_SIGNATURE) else slot.value
            for slot in i.plan.slots]
        return arguments + [i.leaf.policy, i.owner.control(i.leaf)]

    def _signature(self, signed, index: int, secret: bytes, leaf: bytes) -> bytes:
        alone = self.rng.random() < 0.25
        digest = signed.sighash(index, ANYONECANPAY if alone else ALL, leaf)
        signature = secp.sign(secret, digest, self.rng.randbytes(32))
        return signature + bytes([ANYONECANPAY]) if alone else signature

    def finish(self, draft: PaymentDraft, witness=None) -> Transaction:
        witness = self.witness(draft) if witness is None else witness
        return Transaction(draft.type, draft.unsigned().inputs, tuple(draft.outputs),
                           draft.lock_time, draft.payload, tuple(map(tuple, witness)),
                           draft.version)
