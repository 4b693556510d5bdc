#!/usr/bin/python3
"""Makes the Nth input/output call of a program fail, as a tool and for tests.

    badcall.py --dir data -- ./program                          counts the calls
    badcall.py --dir data --fail write:12:ENOSPC -- ./program   the 12th write fails
    badcall.py --dir data --sweep sync:EIO --reset 'rm -rf data' --check './check $STATUS' -- ./program

README.md, "badcall", names kinds and errors.
"""
import argparse
import os
import struct
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LIBRARY = os.path.join(TOP, os.environ.get("BUILD", "build"), "disk", "badcall.so")
KINDS = ("open", "read", "write", "sync", "rename", "mmap", "change")
# What a call of each kind is made to fail with by a sweep that isn't told; SHORT: half is done.
ERRORS = {"open": ("EMFILE", "EIO"), "read": ("EIO", "SHORT"),
          "write": ("EIO", "ENOSPC", "SHORT", "ENOSPC+"), "sync": ("EIO", "ENOSPC"),
          "rename": ("EIO", "ENOSPC"), "mmap": ("ENOMEM",), "change": ("EIO", "ENOSPC")}
LAYOUT = struct.Struct(f"<Q{len(KINDS)}QQQQ32s384s")        # struct report of badcall.c
MAGIC = struct.unpack("<Q", b"BDCALL01")[0]
SWEEP_LIMIT = 10


class Report:
    """What happened in a program under badcall.so, during its life and afterwards."""

    def __init__(self, path):
        self.path = path

    def read(self):
        """Fills .calls {kind: number}, .failed, .synced_again, .ignored, .call, .file."""
        with open(self.path, "rb") as f:
            fields = LAYOUT.unpack(f.read(LAYOUT.size))
        assert fields[0] == MAGIC, "not a report of badcall"
        self.calls = dict(zip(KINDS, fields[1:]))
        self.failed, self.synced_again, self.ignored = fields[1 + len(KINDS):4 + len(KINDS)]
        self.call, self.file = (f.rstrip(b"\0").decode() for f in fields[-2:])
        return self

    def __str__(self):
        counts = " ".join(f"{kind}={n}" for kind, n in self.calls.items())
        bad = f"; {self.call} of {self.file} failed" if self.failed else ""
        return f"{counts}; failed={self.failed} synced_again={self.synced_again}{bad}"


def environment(what, dirs, report):
    """For a program's start; what: "count", "nosync" or KIND:N:ERROR[+]."""
    assert os.path.exists(LIBRARY), f"{LIBRARY} is missing: make badcall"
    return {"LD_PRELOAD": LIBRARY, "BADCALL": what, "BADCALL_DIRS": ":".join(dirs),
            "BADCALL_REPORT": report}


def run(options, what, folder):
    """(exit status or None for a hang, report)"""
    report = Report(os.path.join(folder, "report"))
    if os.path.exists(report.path):
        os.unlink(report.path)
    env = dict(os.environ, **environment(what, [os.path.abspath(d) for d in options.dir],
                                         report.path))
    try:
        status = subprocess.run(options.command, env=env, check=False,
                                timeout=options.limit).returncode
    except subprocess.TimeoutExpired:
        status = None
    return status, report.read()


def sweep(options, folder):
    """Every N until the program ends before it; 1 if any went wrong."""
    kind, error = options.sweep.split(":")
    n = bad = 0
    while True:
        n += 1
        if options.reset:
            subprocess.run(options.reset, shell=True, check=True)
        status, report = run(options, f"{kind}:{n}:{error}", folder)
        if not report.failed:
            break
        wrong = []
        if status is None:
            wrong.append(f"no end within {options.limit:g} s")
        if report.synced_again:
            wrong.append("a failed sync was tried again")
        if options.check:
            env = dict(os.environ, STATUS=str(status))
            if subprocess.run(options.check, shell=True, check=False, env=env).returncode:
                wrong.append("the check failed")
        bad += bool(wrong)
        print(f"{kind}:{n}:{error} {report.call} {report.file}: status {status} "
              f"{', '.join(wrong) or 'ok'}", flush=True)
    print(f"{n - 1} failures, {bad} wrong")
    return bool(bad) or n == 1


def parse(args):
    p = argparse.ArgumentParser(
        description="Runs a command whose input/output calls on files below some directories are "
        "counted, or made to fail.",
        epilog="Exit status: the command's, 124 for no end within the limit; of a sweep 0 if all was "
        "right and at least one call failed, else 1; 64 usage.")
    p.add_argument("--dir", action="append", required=True, help="whose files; may be repeated")
    p.add_argument("--fail", metavar="KIND:N:ERROR[+]", default="count",
                   help=f"KIND: {', '.join(KINDS)}; +: all from the Nth on")
    p.add_argument("--sweep", metavar="KIND:ERROR", help="every N, one run each")
    p.add_argument("--reset", metavar="SHELL COMMAND", help="before each run of a sweep")
    p.add_argument("--check", metavar="SHELL COMMAND", help="after each; $STATUS is how it ended")
    p.add_argument("--limit", type=float, default=SWEEP_LIMIT, metavar="SECONDS")
    p.add_argument("command", nargs=argparse.REMAINDER)
    options = p.parse_args(args)
    if options.command[:1] == ["--"]:
        del options.command[0]
    if not options.command:
        p.error("no command")
    return options


def main():
    options = parse(sys.argv[1:])
    with tempfile.TemporaryDirectory(prefix="badcall-") as folder:
        if options.sweep:
            return sweep(options, folder)
        status, report = run(options, options.fail, folder)
        print(f"badcall: {report}", file=sys.stderr)
        return 124 if status is None else status


if __name__ == "__main__":
    sys.exit(main())
