"""Both sides of a benchmark in turns: what the machine does meanwhile hits both alike.

A host's speed can move by a factor of two within minutes, so only the ratios of neighbouring
slices mean something; their median and inter-quartile range are what is reported.
"""
import json
import os
import statistics
import subprocess
from dataclasses import dataclass, field

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(TOP, os.environ.get("BUILD", "build"))


def program(name):
    """The path of a benchmark's program."""
    return os.path.join(BUILD, "bench", name)


class Driver:
    """A program of tests/bench/driver.h: commands in, JSON out."""

    def __init__(self, name, arguments=(), **options):
        self.name = name
        self.process = subprocess.Popen([program(name), *map(str, arguments)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        **options)

    def __call__(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended ({self.process.wait()}) at: {words}")
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        if self.process.wait(60) != 0:
            raise RuntimeError(f"{self.name} ended with {self.process.returncode}")

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.close()
        else:
            self.process.kill()
            self.process.wait()


class Verify:
    """The floor: raw signatures a second of both cores, in slices."""

    def __init__(self, threads=None):
        self.threads = threads or os.cpu_count()
        self.driver = Driver("raw_verify")

    def rate(self, milliseconds=150):
        """Signatures a second of all threads together, over a slice."""
        answer = self.driver("run", self.threads, milliseconds)
        return answer["count"] / answer["seconds"]

    def seconds(self, signatures):
        """The time for so many signatures by all threads."""
        return self.driver("verify", self.threads, signatures)["seconds"]

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.driver.__exit__(*what)


@dataclass
class Result:
    """One line of the table. ours and base are the raw figures of the rounds, in `unit`; ratios
    those of each round (ours ÷ base unless given: where less is better, it is still the ratio
    that the goal speaks of)."""
    name: str
    unit: str
    goal: str = ""                          # "≥ 0.92", "≤ 600"
    ours: list = field(default_factory=list)
    base: list = field(default_factory=list)
    ratios: list = field(default_factory=list)
    note: str = ""                          # where the rest goes, as the profile says

    def __post_init__(self):
        if not self.ratios and self.base:
            self.ratios = [a / b for a, b in zip(self.ours, self.base)]

    @property
    def value(self):
        return statistics.median(self.ours)

    @property
    def baseline(self):
        return statistics.median(self.base) if self.base else None

    @property
    def ratio(self):
        return statistics.median(self.ratios) if self.ratios else None

    @property
    def iqr(self):
        """(lower, upper) quartile of the ratios; of ours where there is no ratio."""
        from_ = self.ratios or self.ours
        if len(from_) < 2:
            return None
        low, _, high = statistics.quantiles(from_, n=4, method="inclusive")
        return low, high

    @property
    def verdict(self):
        """met, unmet, or unsure where the quartiles lie on both sides of the goal."""
        if not self.goal:
            return ""
        sign, limit = self.goal.split()
        limit = float(limit)
        def meets(x):
            return x >= limit if sign == "≥" else x <= limit
        figure = self.ratio if self.ratio is not None else self.value
        low, high = self.iqr or (figure, figure)
        if meets(low) != meets(high):
            return "unsure"
        return "met" if meets(figure) else "unmet"

    def as_json(self):
        iqr = self.iqr
        return {"name": self.name, "value": self.value, "unit": self.unit,
                "baseline": self.baseline, "ratio": self.ratio,
                "iqr": list(iqr) if iqr else None, "goal": self.goal or None,
                "verdict": self.verdict or None, "rounds": len(self.ratios or self.ours),
                "note": self.note}


def paired(rounds, ours, base):
    """Calls both in turns, changing who is first; returns their figures as two lists."""
    a, b = [], []
    for i in range(rounds):
        if i % 2:
            b.append(base())
            a.append(ours())
        else:
            a.append(ours())
            b.append(base())
    return a, b
