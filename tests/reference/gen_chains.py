#!/usr/bin/python3
"""Makes random chains and judges them by the reference; another implementation must agree.

    gen_chains.py --seed 1 --chains 500 --out chains.jsonl

The format of the file is in README.md.
"""

import argparse
import concurrent.futures
import os
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from chaingen.scenario import Scenario      # noqa: E402
from rcref.verdict import CODES, UNREACHABLE    # noqa: E402


class Totals:
    """What was made, over all scenarios."""

    def __init__(self):
        self.verdicts, self.blocks, self.payments, self.undone = Counter(), 0, 0, []

    def add(self, scenario) -> None:
        self.verdicts.update(scenario.counts)
        self.blocks += scenario.blocks
        self.payments += scenario.payments
        self.undone += scenario.reorganisations

    def merge(self, other: "Totals") -> None:
        self.verdicts.update(other.verdicts)
        self.blocks += other.blocks
        self.payments += other.payments
        self.undone += other.undone

    def __str__(self) -> str:
        missing = sorted(CODES - set(self.verdicts) - set(UNREACHABLE))
        return "\n".join(
            [f"{number:8} {code}" for code, number in sorted(self.verdicts.items())] + [
                f"{self.blocks} blocks offered, {self.payments} payments in them",
                f"{len(self.undone)} reorganisations, the deepest undid "
                f"{max(self.undone, default=0)} blocks",
                f"never reached: {', '.join(missing) or 'none'}"])


def run(task) -> tuple:
    seed, number = task
    scenario, totals = Scenario(seed, number), Totals()
    try:
        lines = scenario.run()
    except Exception as error:
        raise RuntimeError(f"seed {seed}, scenario {number}") from error
    totals.add(scenario)
    return "\n".join(lines) + "\n", totals


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", default="1")
    parser.add_argument("--chains", type=int, default=500)
    parser.add_argument("--first", type=int, default=0, help="number of the first scenario")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--out", required=True)
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    start = time.monotonic()
    totals = Totals()
    last = arguments.first + arguments.chains
    tasks = [(arguments.seed, number) for number in range(arguments.first, last)]
    # Not multiprocessing.Pool: it waits for ever for a worker that was killed, and its end may hang.
    with concurrent.futures.ProcessPoolExecutor(arguments.jobs) as pool, \
            open(arguments.out, "w") as out:
        for text, scenario_totals in pool.map(run, tasks, chunksize=4):
            out.write(text)
            totals.merge(scenario_totals)
    print(totals)
    print(f"{len(tasks)} chains in {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
