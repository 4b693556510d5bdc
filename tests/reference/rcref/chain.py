"""The tree of headers and the choice of chain.  Document 20, "Choice of chain" and "Errors".

A node's block goes through three stages:

    header    its header passed; the body may be missing
    body      its body passed the rules without state
    judged    its parent is judged valid, and it was judged in the parent's state

A block is judged when its branch, all bodies at hand, has more work than the tip.  There is one
state; it is moved along the tree by undoing and applying deltas.
"""

from typing import Optional

from . import body_rules
from .bits import work
from .block import Block
from .header import HEADER_SIZE, Header, parse_header
from .header_rules import HeaderContext, Parent, check_header
from .network import Network
from .state import Delta, genesis_state
from .state_rules import judge_block
from .timelock import MEDIAN_BLOCKS, median_time_past
from .verdict import OK, UNKNOWN_CODES

PARENT_INVALID = "header-parent-invalid"


class Node:
    """A header in the tree, and what is known of its block."""

    def __init__(self, header: Header, parent: Optional["Node"]):
        self.header, self.parent = header, parent
        self.id, self.height, self.time = header.id, header.height, header.time
        self.work = parent.work + work(header.bits) if parent else 0    # genesis counts 0
        self.children = []
        self.block: Optional[Block] = None
        self.arrival = 0                       # when the body passed; settles ties
        self.invalid: Optional[str] = None     # the code that made it so
        self.delta: Optional[Delta] = None     # once judged valid
        if parent:
            parent.children.append(self)

    @property
    def judged_valid(self) -> bool:
        return self.delta is not None or self.parent is None

    def last_times(self) -> list:
        node, times = self, []
        while node is not None and len(times) < MEDIAN_BLOCKS:
            times.append(node.time)
            node = node.parent
        return times

    def mtp(self) -> int:
        return median_time_past(self.last_times())

    def as_parent(self) -> Parent:
        return Parent(self.height, self.time, self.mtp(), self.invalid is not None)


class Chain:
    """A full node without a network, a disk or a clock."""

    def __init__(self, network: Network):
        self.network = network
        root = Node(network.genesis.header, None)
        self.nodes = {root.id: root}
        self.refused = {}            # ids of headers that failed: their code
        self.root = self.tip = root
        self.state = genesis_state(network)
        self.at = root               # the node whose state `self.state` is
        self.arrivals = 0

    # --- offers ---

    def offer_header(self, data: bytes, clock: int) -> str:
        return self._offer_header(parse_header(data), clock)

    def _offer_header(self, header: Header, clock: int) -> str:
        known = self.nodes.get(header.id)
        if known is not None:
            return known.invalid or OK
        if header.id in self.refused:
            return self.refused[header.id]
        verdict = check_header(HeaderContext(
            self.network, header, self._parent(header.prev), clock))
        if verdict == OK:
            self.nodes[header.id] = Node(header, self.nodes[header.prev])
        elif verdict not in UNKNOWN_CODES:
            self.refused[header.id] = verdict
        return verdict

    def _parent(self, prev: bytes) -> Optional[Parent]:
        if prev in self.nodes:
            return self.nodes[prev].as_parent()
        if prev in self.refused:
            return Parent(0, 0, 0, invalid=True)
        return None

    def offer_block(self, data: bytes, clock: int):
        """(verdict without state, [(id, verdict with state)…] of all blocks judged now)."""
        if len(data) < HEADER_SIZE:
            return "block-parse", []
        header = parse_header(data[:HEADER_SIZE])
        verdict = self._offer_header(header, clock)
        if verdict != OK:
            return verdict, []
        node = self.nodes[header.id]
        if node.block is not None or node is self.root:
            return OK, []
        verdict, block = body_rules.check_body(data)
        if verdict == OK:
            self.arrivals += 1
            node.block, node.arrival = block, self.arrivals
            return OK, self._settle()
        if verdict not in body_rules.NOT_REMEMBERED:
            self._mark_invalid(node, verdict)
        return verdict, []

    # --- choice ---

    def _settle(self) -> list:
        """Moves the tip to the valid branch of most work; returns what was judged on the way."""
        judged = []
        while True:
            best = self._best_candidate()
            if best is None:
                break
            if self._judge_branch(best, judged):
                self.tip = best
        self._move_state(self.tip)
        return judged

    def _best_candidate(self) -> Optional[Node]:
        """Of the connectable branches with more work than the tip: the most, then the first."""
        candidates = [node for node in self.nodes.values()
                      if node.work > self.tip.work and self._connectable(node)]
        return min(candidates, key=lambda node: (-node.work, node.arrival), default=None)

    @staticmethod
    def _connectable(node: Node) -> bool:
        """Whether it and its ancestors have bodies, and none is known to be invalid."""
        while not node.judged_valid:
            if node.invalid or node.block is None:
                return False
            node = node.parent
        return True

    def _judge_branch(self, last: Node, judged: list) -> bool:
        branch = []
        node = last
        while not node.judged_valid:
            branch.append(node)
            node = node.parent
        for node in reversed(branch):
            verdict = self._judge(node)
            judged.append((node.id, verdict))
            if verdict != OK:
                return False
        return True

    def _judge(self, node: Node) -> str:
        self._move_state(node.parent)
        verdict, node.delta = judge_block(
            self.network, self.state, node.block, node.parent.mtp())
        if verdict != OK:
            self._mark_invalid(node, verdict)
        return verdict

    @staticmethod
    def _mark_invalid(node: Node, code: str) -> None:
        node.invalid = code
        below = list(node.children)
        while below:
            child = below.pop()
            child.invalid = PARENT_INVALID
            below.extend(child.children)

    # --- state ---

    def _move_state(self, to: Node) -> None:
        """Undo to the fork, apply from there."""
        forward = []
        node = to
        while not self._is_ancestor_of_state(node):
            forward.append(node)
            node = node.parent
        while self.at is not node:
            self.state.undo(self.at.delta)
            self.at = self.at.parent
        for node in reversed(forward):
            self.state.apply(node.delta)
            self.at = node

    def _is_ancestor_of_state(self, node: Node) -> bool:
        above = self.at
        while above.height > node.height:
            above = above.parent
        return above is node
