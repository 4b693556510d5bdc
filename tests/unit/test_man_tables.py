#!/usr/bin/python3
"""Manual pages say what the tables of the code say.

rustycoin-bus(7) and rustycoin.conf(5) hold tables between the lines `.\" begin NAME` and
`.\" end NAME`; they are made from libcommon/bus/messages.def, libcommon/bus/topology.c and a
daemon's --print-options. Every other option of a daemon stands in the daemon's own page as
`.It Cm NAME`.

usage: test_man_tables.py [--write]     (make man-tables writes)
"""
import os
import re
import subprocess
import sys
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("BUILD", "build")
DAEMONS = ("utxod", "chaind", "peerd", "rpcd")
# A daemon that has every common option; rpcd keeps no state.
MODEL = "chaind"


def read(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as f:
        return f.read()


def names(enum):
    """RC_ROLE_READ, RC_UTXOD: what follows the prefix, small."""
    return enum.replace("RC_ROLE_", "").replace("RC_", "").lower()


def messages():
    text = read("libcommon/bus/messages.def")
    sizes = {m[0]: int(m[1]) << int(m[2])
             for m in re.findall(r"#define (RC_\w+)\s+\((\d+)u << (\d+)\)", text)}
    for m in re.findall(r"^RC_MESSAGE\((.*)\)$", text, re.M):
        _, number, daemon, role, snake, request, reply = [w.strip() for w in m.split(",")]
        yield (snake, int(number), names(daemon), names(role), sizes[request], sizes[reply])


def size_text(size):
    return f"{size >> 20} MiB" if size >= 1 << 20 else f"{size >> 10} KiB"


def message_table():
    lines = []
    owner = None
    for snake, number, daemon, role, request, reply in messages():
        if daemon != owner:
            if owner:
                lines.append(".El")
            whom = "every daemon:" if daemon == "daemon_count" else f"\n.Xr {daemon} 8 :"
            lines.append(f".Pp\nAnswered by {whom}".replace(" \n", "\n"))
            lines.append('.Bl -column "set_network_active" "number" "submit" "request" "96 MiB"')
            lines.append(".It Sy message Ta Sy number Ta Sy role Ta Sy request Ta Sy answer")
            owner = daemon
        lines.append(f".It {snake} Ta {number} Ta {role} Ta {size_text(request)} "
                     f"Ta {size_text(reply)}")
    lines.append(".El")
    return "\n".join(lines)


def edge_table():
    text = read("libcommon/bus/topology.c")
    lines = ['.Bl -column "chaind" "utxod" "submit" "requests" "256 MiB" "transactions, mined"',
             ".It Sy from Ta Sy to Ta Sy role Ta Sy requests Ta Sy bytes Ta Sy for"]
    for m in re.findall(r'\{(RC_\w+), (RC_\w+), (RC_ROLE_\w+), (\d+), (\d+) \* MIB,\s*"([^"]*)"\}',
                        text):
        lines.append(f".It {names(m[0])} Ta {names(m[1])} Ta {names(m[2])} Ta {m[3]} "
                     f"Ta {m[4]} MiB Ta {m[5]}")
    return "\n".join(lines + [".El"])


def options(daemon):
    out = subprocess.run([os.path.join(TOP, BUILD, "bin", daemon), "--print-options"],
                         stdout=subprocess.PIPE, check=True, cwd=TOP).stdout.decode()
    return [line.split("\t") for line in out.splitlines()]


def common_names():
    text = read("libcommon/service/config.c")
    return re.findall(r'^\t\{"(\w+)", RC_OPT_', text, re.M)


def sentence(text):
    """One sentence a line, as mdoc wants it."""
    return re.sub(r"\. (?=[A-Z])", ".\n", text)


def option_table():
    common = common_names()
    lines = [".Bl -tag -width Ds"]
    for name, kind, default, reload, text in options(MODEL):
        if name not in common:
            continue
        default = default.replace(f"/{MODEL}", "/DAEMON")
        if name == "confine":
            default = "yes"  # no where a sanitizer is built in
        lines.append(f".It Cm {name}")
        lines.append(sentence(text))
        lines.append(f"({kind}" + (f"; default {default}" if default else "")
                     + ("; read again on reload" if reload == "reload" else "") + ")")
    return "\n".join(lines + [".El"])


TABLES = {
    "man/rustycoin-bus.7": {"messages": message_table, "edges": edge_table},
    "man/rustycoin.conf.5": {"options": option_table},
}


def filled(path):
    """The page with its tables as they should be."""
    text = read(path)
    for name, make in TABLES[path].items():
        pattern = rf'(\.\\" begin {name}\n).*?(\.\\" end {name}\n)'
        text, n = re.subn(pattern, lambda m, t=make(): m.group(1) + t + "\n" + m.group(2), text,
                          flags=re.S)
        if n != 1:
            raise AssertionError(f"{path}: no place for the table {name}")
    return text


class ManTables(unittest.TestCase):
    def test_tables(self):
        for path in TABLES:
            self.assertEqual(read(path), filled(path), f"{path}: run make man-tables")

    def test_counts(self):
        self.assertGreater(len(list(messages())), 50)
        self.assertGreater(edge_table().count(".It"), 15)

    def test_own_options(self):
        common = common_names()
        for daemon in DAEMONS:
            page = f"man/{daemon}.8"
            if not (os.path.exists(os.path.join(TOP, BUILD, "bin", daemon))
                    and os.path.exists(os.path.join(TOP, page))):
                continue
            told = re.findall(r"^\.It (?:Cm|Ic) (.*)$", read(page), re.M)
            told = set(re.findall(r"\w+", " ".join(told)))
            own = {o[0] for o in options(daemon)} - set(common)
            self.assertEqual(own - told, set(), f"{page} lacks options")


if __name__ == "__main__":
    if "--write" in sys.argv:
        for p in TABLES:
            page_text = filled(p)
            with open(os.path.join(TOP, p), "w", encoding="utf-8") as out_file:
                out_file.write(page_text)
    else:
        unittest.main()
