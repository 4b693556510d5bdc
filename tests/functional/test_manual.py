#!/usr/bin/python3
"""The manual and the default files say what the programs say: every option, every program."""
import glob
import os
import re
import subprocess
import sys
import unittest

QUICK = True
SANITIZE = False    # defaults differ there, and texts have no races
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(TOP, os.environ.get("BUILD", "build"))
sys.path.insert(0, os.path.join(TOP, "mk"))
import options  # noqa: E402  (mk/options.py)


def read(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as f:
        return f.read()


def stated(row):
    """What a page says of an option beside its name."""
    _, values, default, when, _ = row
    if "|" in values:
        values = ", ".join(values.split("|")[:-1]) + " or " + values.split("|")[-1]
    elif " to " in values:
        values = re.sub(r"\d+", lambda number: f"{int(number[0]):,}", values)
    return "; ".join([values] + [f"default {default}"] * bool(default)
                     + ["read again on reload"] * (when == "reload"))


class Manual(unittest.TestCase):
    def test_every_program_has_a_page(self):
        for folder, section in (("daemons", 8), ("tools", 1)):
            for name in sorted(os.listdir(os.path.join(TOP, folder))):
                page = read(f"man/{name}.{section}")
                if section == 8:
                    for title in ("MESSAGES", "FILES", "SIGNALS", "SECURITY", "DIAGNOSTICS", "BUGS"):
                        self.assertIn(f".Sh {title}", page, f"{name}.8")

    def test_default_files_are_the_tables(self):
        p = subprocess.run([sys.executable, "mk/options.py", "--check"], cwd=TOP, text=True,
                           stdout=subprocess.PIPE)
        self.assertEqual(p.returncode, 0, p.stdout)

    def test_options_are_as_the_tables_have_them(self):
        """Each daemon's page has its own options; rpcd's with their values and defaults, as
        .It Cm NAME Pq VALUES; default DEFAULT"""
        tables = {d: options.table(d) for d in options.DAEMONS}
        common = set.intersection(*({row[0] for row in rows} for rows in tables.values()))
        for d, rows in tables.items():
            found = dict(re.findall(r"^\.It Cm (\S+)(?: Pq (.*))?$", read(f"man/{d}.8"), re.M))
            own = [row for row in rows if row[0] not in common]
            self.assertLessEqual({row[0] for row in own}, set(found), f"{d}.8")
            if d == "rpcd":
                self.assertEqual({row[0]: stated(row) for row in own}, found, f"{d}.8")

    def test_every_reference_has_a_page(self):
        pages = {os.path.basename(p) for p in glob.glob(os.path.join(TOP, "man/*.[1-9]"))}
        ours = re.compile(r"^(rusty|chaind|utxod|peerd|rpcd|network)")
        for name in sorted(pages):
            for target, section in re.findall(r"^\.Xr (\S+) (\d)", read(f"man/{name}"), re.M):
                if ours.match(target):
                    self.assertIn(f"{target}.{section}", pages, f"{name} refers to it")

    def test_every_tool_answers_help_and_version(self):
        for folder in ("daemons", "tools"):
            for name in sorted(os.listdir(os.path.join(TOP, folder))):
                for option in ("--help", "--version"):
                    p = subprocess.run([os.path.join(BUILD, "bin", name), option], text=True,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                    self.assertEqual(p.returncode, 0, f"{name} {option}: {p.stderr}")
                    self.assertIn(name, p.stdout)
                p = subprocess.run([os.path.join(BUILD, "bin", name), "--no-such-option"],
                                   text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                self.assertIn(p.returncode, (64, 78), f"{name}: {p.stderr}")
                self.assertIn("no-such-option", p.stderr.replace("_", "-"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
