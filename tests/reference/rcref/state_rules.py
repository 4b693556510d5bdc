"""The rules that read the parent's state, and what a valid block does to it.

Document 20, "Order of checks", tables "with the parent's state" and "witnesses".
"""

from dataclasses import dataclass, field

from . import subsidy
from .amount import SUPPLY_LIMIT
from .block import Block
from .coinbase import parse_payload
from .lock import kind, makes_coin
from .network import Network
from .sighash import SignedTransaction
from .state import TREASURY_KEY, Coin, Delta, State, treasury_value
from .timelock import lock_time_satisfied, mature, relative_lock_satisfied
from .transaction import COINBASE, Transaction
from .trie import GOVERNANCE
from .txtypes import TYPES
from .verdict import OK, first_failure
from .witness_rules import check_witnesses, transaction_units


class View:
    """The coins as a block's transactions see them, one after the other."""

    def __init__(self, network: Network, state: State, height: int, parent_mtp: int):
        self.network, self.state = network, state
        self.height, self.parent_mtp = height, parent_mtp
        self.created = {}
        self.spent = {}

    def coin(self, outpoint):
        """The unspent coin, or None."""
        if outpoint in self.spent:
            return None
        return self.created.get(outpoint) or self.state.coins.get(outpoint)

    def apply(self, transaction: Transaction, coins) -> None:
        self.spent.update((i.outpoint, coin) for i, coin in zip(transaction.inputs, coins))
        is_coinbase = 1 if transaction.type == COINBASE else 0
        for index, output in enumerate(transaction.outputs):
            if makes_coin(output.lock):
                self.created[transaction.txid, index] = Coin(
                    output.amount, self.height, is_coinbase, output.lock)


# --- One transaction ---

@dataclass(frozen=True)
class InputContext:
    view: View
    transaction: Transaction
    coin: object      # Coin or None


def _exists(c) -> bool:
    return c.coin is not None


def _mature(c) -> bool:
    return mature(c.coin, c.view.height, c.view.network.maturity)


def _spendable(c) -> bool:
    return kind(c.coin.lock) in TYPES[c.transaction.type].spends


INPUT_RULES = (
    ("tx-input-missing", _exists),
    ("tx-input-immature", _mature),
    ("tx-input-lock", _spendable),
)


@dataclass(frozen=True)
class TransactionContext:
    view: View
    transaction: Transaction
    coins: list

    @property
    def sum_in(self) -> int:
        return sum(coin.amount for coin in self.coins)

    @property
    def sum_out(self) -> int:
        return sum(output.amount for output in self.transaction.outputs)


def _lock_time(c) -> bool:
    return lock_time_satisfied(c.transaction, c.view.height, c.view.parent_mtp)


def _relative_locks(c) -> bool:
    return all(relative_lock_satisfied(i.sequence, coin.height, c.view.height)
               for i, coin in zip(c.transaction.inputs, c.coins))


def _input_sum(c) -> bool:
    return c.sum_in <= SUPPLY_LIMIT


def _not_overspent(c) -> bool:
    return c.sum_in >= c.sum_out      # credit and debit of a payment are 0


TRANSACTION_RULES = (
    ("tx-lock-time", _lock_time),
    ("tx-relative-lock", _relative_locks),
    ("amount-range", _input_sum),
    ("tx-overspend", _not_overspent),
)


def check_transaction(view: View, transaction: Transaction):
    """(verdict, the coins it spends); not for the coinbase, which has its own rules."""
    coins = []
    for i in transaction.inputs:
        coin = view.coin(i.outpoint)
        verdict = first_failure(INPUT_RULES, InputContext(view, transaction, coin))
        if verdict != OK:
            return verdict, coins
        coins.append(coin)
    return first_failure(TRANSACTION_RULES, TransactionContext(view, transaction, coins)), coins


# --- The block ---

@dataclass
class BlockContext:
    network: Network
    state: State          # after the parent
    block: Block
    parent_mtp: int
    fees: int = 0
    signed: list = field(default_factory=list)    # what the witnesses are checked against

    def __post_init__(self):
        self.payload = parse_payload(self.block.coinbase.payload)


def _state_root(c) -> bool:
    return c.block.header.state_root == c.state.root()


def _size(c) -> bool:
    return c.block.size <= c.network.block_limit


def _coinbase_height(c) -> bool:
    return c.payload.height == c.block.height


def _coinbase_lock(c) -> bool:
    """Until document 50 is in force the finality lock is absent."""
    return not c.payload.finality_lock


BEFORE_RULES = (
    ("block-state-root", _state_root),
    ("block-size", _size),
    ("coinbase-height", _coinbase_height),
    ("coinbase-lock", _coinbase_lock),
)


def _fees(c) -> bool:
    return c.fees <= SUPPLY_LIMIT


def _budget(c) -> bool:
    return sum(map(transaction_units, c.block.transactions)) <= c.network.block_limit


def _masternode(c) -> bool:
    return True      # masternode(h) = 0: no output is due


def _treasury(c) -> bool:
    return True      # no payment is ever due


def _miner(c) -> bool:
    taken = sum(output.amount for output in c.block.coinbase.outputs)
    return taken <= subsidy.miner_limit(c.network, c.block.height, c.fees)


AFTER_RULES = (
    ("amount-range", _fees),
    ("block-budget", _budget),
    ("coinbase-masternode", _masternode),
    ("coinbase-treasury", _treasury),
    ("coinbase-amount", _miner),
)


def judge_block(network: Network, state: State, block: Block, parent_mtp: int):
    """(verdict, delta or None) of a block whose header and body passed their own rules."""
    context = BlockContext(network, state, block, parent_mtp)
    view = View(network, state, block.height, parent_mtp)
    verdict = _check_state(context, view)
    for signed in context.signed:
        if verdict != OK:
            break
        verdict = check_witnesses(signed)
    return verdict, make_delta(view, block) if verdict == OK else None


def _check_state(context: BlockContext, view: View) -> str:
    verdict = first_failure(BEFORE_RULES, context)
    if verdict != OK:
        return verdict
    coinbase, *others = context.block.transactions
    view.apply(coinbase, [])
    for transaction in others:
        verdict, coins = check_transaction(view, transaction)
        if verdict != OK:
            return verdict
        view.apply(transaction, coins)
        context.fees += sum(c.amount for c in coins) - sum(o.amount for o in transaction.outputs)
        context.signed.append(SignedTransaction(context.network.id, transaction, tuple(coins)))
    return first_failure(AFTER_RULES, context)


def make_delta(view: View, block: Block) -> Delta:
    """The block's net effect: a coin made and spent in it leaves no trace."""
    spent = tuple((o, c) for o, c in view.spent.items() if o not in view.created)
    created = tuple((o, c) for o, c in view.created.items() if o not in view.spent)
    before = view.state.treasury()
    after = subsidy.treasury_after(view.network, block.height, before)
    entries = ()
    if before != after:
        entries = ((GOVERNANCE, TREASURY_KEY, treasury_value(before), treasury_value(after)),)
    return Delta(block.header.prev, block.id, block.height, spent, created, entries)
