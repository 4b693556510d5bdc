#!/usr/bin/python3
"""Reads a file of chains as another implementation would, and compares every answer.

    replay.py chains.jsonl

It knows nothing of the generator: only the format in README.md and the rules in rcref.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from rcref import merkle, proof                 # noqa: E402
from rcref.block import parse_block             # noqa: E402
from rcref.chain import Chain                   # noqa: E402
from rcref.codec import ParseError              # noqa: E402
from rcref.loose import judge_loose             # noqa: E402
from rcref.network import parse_table           # noqa: E402

h = bytes.fromhex


class Disagreement(AssertionError):
    """An answer in the file is not ours."""


class Replay:
    """One scenario at a time; `events` counts the lines that were compared."""

    def __init__(self):
        self.chain = None
        self.events = 0

    def line(self, row: dict) -> None:
        self.events += 1
        if "scenario" in row:
            self.start(row)
        else:
            {"header": self.header, "block": self.block, "end": self.end}[row["op"]](row)

    def same(self, what: str, ours, theirs) -> None:
        if ours != theirs:
            raise Disagreement(f"line {self.events}: {what} is {ours}, the file says {theirs}")

    def start(self, row: dict) -> None:
        network = parse_table(h(row["table"]))
        self.same("genesis_id", network.genesis.id.hex(), row["genesis_id"])
        self.same("network_id", network.id.hex(), row["network_id"])
        self.chain = Chain(network)

    def header(self, row: dict) -> None:
        self.same("verdict", self.chain.offer_header(h(row["header"]), row["clock"]),
                  row["verdict"])

    def block(self, row: dict) -> None:
        data, chain = h(row["block"]), self.chain
        verdict, judged = chain.offer_block(data, row["clock"])
        self.same("verdict", verdict, row["verdict"])
        self.same("judged", [[block_id.hex(), code] for block_id, code in judged], row["judged"])
        self.same("tip", chain.tip.id.hex(), row["tip"])
        self.same("height", chain.tip.height, row["height"])
        self.same("state_root", chain.state.root().hex(), row["state_root"])
        self.same("work", f"{chain.tip.work:064x}", row["work"])
        try:
            transactions = parse_block(data).transactions
        except ParseError:
            transactions = ()
        self.same("txids", [t.txid.hex() for t in transactions], row["txids"])
        self.same("wtxids", [t.wtxid.hex() for t in transactions], row["wtxids"])

    def end(self, row: dict) -> None:
        chain, state = self.chain, self.chain.state
        self.same("balances", sorted([lock.hex(), total]
                                     for lock, total in state.balances().items()), row["balances"])
        self.same("supply", state.supply(), row["supply"])
        self.same("treasury", state.treasury(), row["treasury"])
        for asked in row["proofs"]:
            self.proof(asked)
        for shown in row["inclusions"]:
            merkle.check_inclusion_proof(h(shown["proof"]), h(shown["txid"]), h(shown["tx_root"]))
        for loose in row["mempool_txs"]:
            self.same("verdict", judge_loose(chain.network, state, chain.tip.mtp(),
                                             h(loose["tx"])), loose["verdict"])

    def proof(self, asked: dict) -> None:
        state = self.chain.state
        question = proof.Question(asked["ns"], asked["bits"], h(asked["prefix"]))
        made = proof.make_proof(state, question, asked["sums_only"], asked["max_leaves"])
        self.same("proof", made.hex(), asked["proof"])
        answer = proof.check_proof(made, state.root(), question)
        self.same("result", [answer.result, len(answer.leaves), answer.total],
                  [asked["result"], asked["leaves"], asked["total"]])


def replay(path) -> int:
    """The number of lines compared."""
    reader = Replay()
    with open(path) as file:
        for line in file:
            reader.line(json.loads(line))
    return reader.events


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(f"{name}: {replay(name)} lines agree")
