#!/usr/bin/python3
"""Prints how much of some folders the tests reached, from gcov's files.

usage: coverage.py BUILD_DIR FOLDER[:LINES:BRANCHES]...

LINES and BRANCHES are least percentages; below them the exit status is 1. Branches of a line with
assert() aren't counted: their other side is our own mistake, which no test may reach.
"""
import json
import os
import subprocess
import sys


def gcov(path):
    """What gcov says about one object, as parsed JSON; None without data."""
    p = subprocess.run(["gcov", "--json-format", "--stdout", "--branch-probabilities", path],
                       capture_output=True, text=True, check=False)
    return json.loads(p.stdout) if p.returncode == 0 and p.stdout.strip() else None


def asserting_lines(source):
    """Numbers of the lines that belong to an assert(), which may go over several."""
    found, depth = set(), 0
    with open(source, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            if depth or "assert(" in line:
                found.add(number)
                depth += line.count("(") - line.count(")")
                depth = max(depth, 0)
    return found


def measure(build, folder):
    """{source: (lines, lines reached, branches, branches reached, missing lines)}"""
    result = {}
    objects = os.path.join(build, "obj", folder)
    for name in sorted(os.listdir(objects)):
        if not name.endswith(".gcno"):
            continue
        data = gcov(os.path.join(objects, name))
        for entry in (data or {"files": []})["files"]:
            source = entry["file"]
            if os.path.dirname(source) != folder or not source.endswith(".c"):
                continue
            skipped = asserting_lines(source)
            lines = {}
            for line in entry["lines"]:
                count, branches = lines.get(line["line_number"], (0, []))
                lines[line["line_number"]] = (count + line["count"],
                                              branches + [b["count"] for b in line["branches"]])
            branches = [b for n, (_, bs) in lines.items() if n not in skipped for b in bs]
            result[source] = (len(lines), sum(c > 0 for c, _ in lines.values()),
                              len(branches), sum(b > 0 for b in branches),
                              [n for n, (c, _) in sorted(lines.items()) if c == 0])
    return result


def percent(part, whole):
    return 100.0 * part / whole if whole else 100.0


def main():
    bad = False
    for argument in sys.argv[2:]:
        folder, *least = argument.split(":")
        files = measure(sys.argv[1], folder)
        print(f"{'file':44} {'lines':>7} {'branches':>9}  lines not reached")
        for source, (n, reached, b, b_reached, missing) in files.items():
            shown = " ".join(map(str, missing[:12])) + (" ..." if len(missing) > 12 else "")
            print(f"{source:44} {percent(reached, n):6.1f}% {percent(b_reached, b):8.1f}%  {shown}")
        sums = [sum(f[i] for f in files.values()) for i in range(4)]
        lines, branches = percent(sums[1], sums[0]), percent(sums[3], sums[2])
        print(f"{folder}: {lines:.1f} % of {sums[0]} lines, {branches:.1f} % of {sums[2]} branches\n")
        if not files or least and (lines < float(least[0]) or branches < float(least[1])):
            print(f"{folder} is under {least[0]} % of lines or {least[1]} % of branches"
                  if files else f"nothing was measured in {folder}")
            bad = True
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
