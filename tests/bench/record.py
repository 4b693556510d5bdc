#!/usr/bin/python3
"""Puts the last run's figures into tests/bench/RESULTS.md: the table of build/bench/results.json, and
the curves of build/bench/scale/*.csv as tables and pictures (gnuplot). What stands outside the marked
parts is written by hand and left alone.
"""
import csv
import glob
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
RESULTS = os.path.join(HERE, "RESULTS.md")
PICTURES = os.path.join(HERE, "pictures")
MADE = os.path.join(TOP, os.environ.get("BUILD", "build"), "bench")


def figure(x):
    if x is None:
        return ""
    return f"{x:,.0f}" if abs(x) >= 1000 else f"{x:.3g}"


def table(columns, rows):
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def results():
    with open(os.path.join(MADE, "results.json"), encoding="utf-8") as f:
        found = json.load(f)
    with open(os.path.join(MADE, "machine"), encoding="utf-8") as f:
        where = f.read().strip()
    rows = [(f"`{r['name']}`", f"{figure(r['value'])} {r['unit']}", figure(r["baseline"]),
             figure(r["ratio"]),
             "–".join(figure(q) for q in r["iqr"]) if r["iqr"] else "", r["goal"] or "",
             r["verdict"] or "") for r in found]
    notes = "\n".join(f"- `{r['name']}`: {r['note']}" for r in found if r["note"])
    return (f"{where}\n\n" + table(("name", "value", "baseline", "ratio", "quartiles", "goal",
                                     "verdict"), rows) + (f"\n\n{notes}" if notes else ""))


def by_unit(columns):
    """{unit: [index, …]} of the columns after the first; a column's unit is its last word."""
    groups = {}
    for i, column in enumerate(columns[1:], 1):
        groups.setdefault(column.split()[-1], []).append(i)
    return groups


PANEL_HEIGHT = 260  # pixels of a picture 640 wide


def picture(name, columns):
    """One picture a curve: a panel a unit, each from zero, above one axis of sizes."""
    source = os.path.join(MADE, "scale", f"{name}.csv")
    groups = by_unit(columns)
    panels = []
    for n, (unit, members) in enumerate(groups.items(), 1):
        plots = ", ".join(f"'{source}' using 1:{i + 1} skip 1 with linespoints title "
                          f"'{columns[i]}' noenhanced" for i in members)
        below = f"set xlabel '{columns[0]}' noenhanced;" if n == len(groups) else "unset xlabel;"
        panels.append(f"{below} set ylabel '{unit}' noenhanced; plot {plots}")
    script = (f"set terminal svg size 640,{PANEL_HEIGHT * len(groups)} dynamic;"
              f"set output '{PICTURES}/{name}.svg'; set datafile separator ',';"
              f"set key tmargin right horizontal; set logscale x; set yrange [0:*]; set grid y;"
              f"set lmargin 12; set multiplot layout {len(groups)},1 title '{name}' noenhanced;"
              + "; ".join(panels) + "; unset multiplot")
    subprocess.run(["gnuplot", "-e", script], check=True)


def curves():
    os.makedirs(PICTURES, exist_ok=True)
    parts = []
    for path in sorted(glob.glob(os.path.join(MADE, "scale", "*.csv"))):
        name = os.path.basename(path)[:-4]
        with open(path, newline="", encoding="utf-8") as f:
            columns, *points = list(csv.reader(f))
        if not points:
            continue
        picture(name, columns)
        rows = [[figure(float(cell)) for cell in point] for point in points]
        parts.append(f"### {name}\n\n{table(columns, rows)}\n\n![{name}](pictures/{name}.svg)")
    return "\n\n".join(parts)


def main():
    with open(RESULTS, encoding="utf-8") as f:
        text = f.read()
    for mark, source, make in (("table", "results.json", results), ("curves", "scale", curves)):
        if os.path.exists(os.path.join(MADE, source)):
            text, n = re.subn(rf"(<!-- {mark} -->\n).*?(<!-- end of {mark} -->)",
                              lambda m, made=make: f"{m[1]}\n{made()}\n\n{m[2]}", text, flags=re.S)
            if n != 1:
                sys.exit(f"{RESULTS}: no part marked {mark}")
    with open(RESULTS, "w", encoding="utf-8") as f:
        f.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
