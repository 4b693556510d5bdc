#!/usr/bin/python3
"""Every input/output call of a scripted run fails once, and the disk is full at ten points: a clean
refusal, 74 and a recovery, or no effect; never a wrong answer, a loss of what was acknowledged, a
hang, a second try of a failed sync, or silence.

FULL=1: every N of every kind and error, resumed where the last run ended (build/disk/badcall.json);
RC_SECONDS ends it after so many seconds, to be gone on with; without FULL a choice by RC_TEST_SEED.
RC_CASE="utxod kept write:12:EIO" repeats one case and shows its logs.
"""
import collections
import errno
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
                                "functional"))
import badcall  # noqa: E402
import harness  # noqa: E402
import powercut  # noqa: E402
from harness import DAEMONS  # noqa: E402
from script import LIMIT_SECONDS, FaultNode, Script, Wrong  # noqa: E402

LIMIT = 7200
FULL = bool(os.environ.get("FULL"))
# Without FULL the same choice always: a run says something of the change at hand.
SEED = int(os.environ.get("RC_TEST_SEED", random.randrange(1 << 32) if FULL else 1))
SECONDS = float(os.environ.get("RC_SECONDS", "inf"))
CASE = os.environ.get("RC_CASE")
STATE = os.path.join(harness.TOP, os.environ.get("BUILD", "build"), "disk", "badcall.json")
CHOSEN = 40                     # cases without FULL
LEAST_FULL = 2000
IO, CONFIG = 74, 78
NO_MEMORY = "out of memory"     # ends every program of the project, told
# How a daemon may end at a start, and later.
AT_START, LATER = (IO, CONFIG), (IO,)
STARTS = ("kept", "first")      # on a state that is there, and on nothing
# Bytes that are left on a disk: the stores want 48 MiB at a start and 32 MiB at a write.
FILL_POINTS = (0, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 8 << 20, 31 << 20, 33 << 20,
               47 << 20)
DISK_MEGABYTES = 96
FILLED = ("before the start", "while running")
FULL_CHOSEN, WALLET_CHOSEN = 8, 12


class Sweep(harness.TestCase):
    @classmethod
    def setUpClass(cls):
        powercut.own_mounts()
        os.makedirs(os.path.dirname(STATE), exist_ok=True)

    def setUp(self):
        super().setUp()
        # Speed: what is tested is what happens after a call failed, not the disk.
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", self.home], check=True)
        self.script = Script(self.home)
        self.tried = FaultNode(self.home, "tried")
        self.report = badcall.Report(os.path.join(self.home, "report"))

    def tearDown(self):
        self.tried.client.close()
        self.tried.end()
        subprocess.run(["umount", "-l", self.home], check=True)
        super().tearDown()

    # --- one case ---

    def begin(self, daemon, start, what):
        node = self.tried.set_up(self.script.state if start == "kept" else None)
        dirs = [node.state(daemon), os.path.join(node.rundir, daemon)]
        if os.path.exists(self.report.path):
            os.unlink(self.report.path)
        node.extra[daemon] = badcall.environment(what, dirs, self.report.path)
        return node

    def run_faulty(self, node, daemon, first, when_ready=None):
        """(how it ended or None, how far, said, refused): the script on the node with the fault."""
        node.start()
        status = node.wait_ready_or_ended(daemon)
        if status is not None:
            return status, "start", [], []
        if when_ready:
            when_ready()
        said, refused = self.script.play(node, [*first, *self.script.steps], daemon)
        if node.processes[daemon].poll() is None:
            refused += self.script.ask(node, daemon)
        status = node.ended(daemon)
        if status is not None:
            return status, "run", said, refused
        status = node.quit(daemon)
        return status, "stop", said, refused

    def judge_end(self, node, daemon, ended):
        """What the daemon with the fault did is one of what it may do; returns which."""
        status, when, _, refused = ended
        told = node.told(daemon)
        if os.path.exists(self.report.path) and self.report.read().synced_again:
            raise Wrong("a sync that failed was tried again")
        if status < 0:
            raise Wrong(f"ended by signal {-status} ({when})")
        if when == "stop" and status == 0:
            return "refused a request" if refused else "told" if told else "without effect"
        if status not in (AT_START if when == "start" else LATER):
            raise Wrong(f"ended with {status} ({when}): {told[-1:]}")
        if not told:
            raise Wrong(f"ended with {status} ({when}) without a word")
        return f"{status} at the {when}"

    def recover(self, node, daemon, said, first):
        """The fault is gone: what fell is started, nothing acknowledged is lost, the end is right."""
        node.extra = {}
        for other in DAEMONS:
            if other != daemon and node.ended(other) is not None:
                raise Wrong(f"{other} ended too")
        node.start(daemon)
        status = node.wait_ready_or_ended(daemon)
        if status is not None:
            raise Wrong(f"no recovery: {daemon} ended with {status}")
        self.script.has(node, said)
        self.script.finish(node, first)
        for other in reversed(DAEMONS):
            status = node.quit(other)
            if status:
                raise Wrong(f"{other} stopped with {status}")

    def attempt(self, daemon, start, what):
        """(class of what happened, call and file) of one case; Wrong."""
        node = self.begin(daemon, start, what)
        first = self.script.prefix if start == "first" else []
        ended = self.run_faulty(node, daemon, first)
        if not self.report.read().failed:
            return None, None
        outcome = self.judge_end(node, daemon, ended)
        self.recover(node, daemon, ended[2], first)
        return outcome, f"{self.report.call} {os.path.basename(self.report.file)}"

    # --- all ---

    def count(self, daemon, start):
        """Calls by kind of a run without a fault."""
        node = self.begin(daemon, start, "count")
        first = self.script.prefix if start == "first" else []
        status, when, _, refused = self.run_faulty(node, daemon, first)
        self.assertEqual((status, when, refused), (0, "stop", []))
        return self.report.read().calls

    def cases(self):
        """Every (daemon, start, KIND:N:ERROR)."""
        result = []
        for daemon in DAEMONS:
            for start in STARTS:
                calls = self.count(daemon, start)
                print(f"{daemon}, {start}: {calls}", file=sys.stderr)
                result += [f"{daemon} {start} {kind}:{n}:{error}" for kind in badcall.KINDS
                           for error in badcall.ERRORS[kind] for n in range(1, calls[kind] + 1)]
        return result

    def chosen(self, state):
        if CASE:
            return [CASE]
        if FULL and "cases" in state:
            return state["cases"]
        cases = self.cases()
        random.Random(SEED).shuffle(cases)
        return cases if FULL else cases[:CHOSEN]

    def test_every_call(self):
        state = {"seed": SEED, "done": 0, "outcomes": {}, "wrong": []}
        if FULL and not CASE and os.path.exists(STATE):
            with open(STATE, encoding="ascii") as f:
                state = json.load(f)
            if state["done"] == len(state["cases"]):
                state = {"seed": SEED, "done": 0, "outcomes": {}, "wrong": []}
        start = time.monotonic()
        state["cases"] = self.chosen(state)
        print(f"\nRC_TEST_SEED={state['seed']}: {len(state['cases'])} cases, {state['done']} done "
              "before", file=sys.stderr)
        outcomes = collections.Counter(state["outcomes"])
        unnoticed = collections.Counter(state.get("unnoticed", {}))
        while state["done"] < len(state["cases"]) and time.monotonic() - start < SECONDS:
            case = state["cases"][state["done"]]
            try:
                outcome, where = self.attempt(*case.split())
                if outcome:
                    outcomes[outcome] += 1
                if outcome == "without effect" and not case.endswith("SHORT"):
                    name = re.sub(r"\d{6,}", "N", where)
                    unnoticed[f"{case.split()[0]}: {name}"] += 1
                if CASE:
                    print(f"{case}: {outcome}, {where}\n{self.tried.logs()}", file=sys.stderr)
            except (Wrong, AssertionError, *harness_missed()) as error:
                where = str(self.report.read())
                state["wrong"].append(
                    f"RC_CASE=\"{case}\" ({where.rsplit('; ', 1)[-1]}): {error!r}")
                print(f"{state['wrong'][-1]}\n{self.tried.logs()}", file=sys.stderr)
            state["done"] += 1
            state["outcomes"], state["unnoticed"] = dict(outcomes), dict(unnoticed)
            if FULL and not CASE:
                with open(STATE, "w", encoding="ascii") as f:
                    json.dump(state, f)
        total = sum(outcomes.values())
        print(f"{total} failures survived of {state['done']} cases ({len(state['cases'])} in all): "
              f"{dict(outcomes)}\nwithout effect, short ones aside: {dict(unnoticed)}",
              file=sys.stderr)
        self.assertEqual(state["wrong"], [])
        self.assertGreater(total, 0, "no call failed")
        if FULL and not CASE and state["done"] == len(state["cases"]):
            self.assertGreaterEqual(total, LEAST_FULL)


    # --- a full disk ---

    def fill(self, path, left):
        """So many bytes are left on its file system; returns the file that takes the rest."""
        filler = os.path.join(path, "filler")
        with open(filler, "wb") as f:
            for tries in range(20):     # the daemon may write in between
                fs = os.statvfs(path)
                try:
                    os.posix_fallocate(f.fileno(), 0, max(fs.f_bavail * fs.f_frsize - left, 1))
                    break
                except OSError as error:
                    if error.errno != errno.ENOSPC or tries == 19:
                        raise
        return filler

    def full(self, daemon, left, filled):
        """A daemon whose state is on a disk of its own, and that gets full."""
        if os.path.exists(self.report.path):
            os.unlink(self.report.path)
        node = self.tried.set_up(self.script.state)
        small = os.path.join(self.home, "small")
        os.makedirs(small, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MEGABYTES}m", "tmpfs", small],
                       check=True)
        try:
            state = os.path.join(small, daemon)
            shutil.copytree(node.state(daemon), state)
            node.options[daemon]["statedir"] = state
            fillers = []

            def fill():
                fillers.append(self.fill(small, left))
            if filled == FILLED[0]:
                fill()
            ended = self.run_faulty(node, daemon, [], None if fillers else fill)
            outcome = self.judge_end(node, daemon, ended)
            os.unlink(fillers[0])
            self.recover(node, daemon, ended[2], [])
            return outcome
        finally:
            node.end()
            del node.options[daemon]["statedir"]
            subprocess.run(["umount", "-l", small], check=True)

    def test_full_disk(self):
        """At ten fill points, before the start and while running."""
        print(f"\nRC_TEST_SEED={SEED}", file=sys.stderr)
        cases = [(d, left, filled) for d in ("utxod", "chaind", "peerd") for left in FILL_POINTS
                 for filled in FILLED]
        random.Random(SEED).shuffle(cases)
        outcomes, wrong = collections.Counter(), []
        for case in cases if FULL else cases[:FULL_CHOSEN]:
            try:
                outcomes[self.full(*case)] += 1
            except (Wrong, AssertionError, *harness_missed()) as error:
                wrong.append(f"{case}: {error!r}")
                print(f"{wrong[-1]}\n{self.tried.logs()}", file=sys.stderr)
        print(f"full disks: {dict(outcomes)}", file=sys.stderr)
        self.assertEqual(wrong, [])
        self.assertTrue(set(outcomes) - {"without effect"}, "no full disk was met")


class Wallet(harness.TestCase):
    """The same for rusty-wallet, whose every command opens, works and ends."""

    def setUp(self):
        super().setUp()
        self.folder = os.path.join(self.home, "w")
        self.path = os.path.join(self.folder, "wallet")
        self.report = badcall.Report(os.path.join(self.home, "report"))

    def wallet(self, command, passphrases, what=None):
        """(exit status, what it said); passphrases by option."""
        fds, extra = [], []
        for option, text in passphrases.items():
            r, w = os.pipe()
            os.write(w, text.encode() + b"\n")
            os.close(w)
            fds.append(r)
            extra += [option, str(r)]
        env = dict(os.environ)
        if what:
            env |= badcall.environment(what, [self.folder], self.report.path)
        try:
            p = subprocess.run([os.path.join(harness.BIN, "rusty-wallet"), *command, "--wallet",
                                self.path, *extra], pass_fds=fds, stdin=subprocess.DEVNULL, env=env,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               check=False, timeout=LIMIT_SECONDS)
        finally:
            for fd in fds:
                os.close(fd)
        return p.returncode, p.stdout

    def opens(self, passphrase):
        return self.wallet(["info"], {"--passphrase-fd": passphrase})[0] == 0

    def begin(self, name):
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        if os.path.exists(self.report.path):
            os.unlink(self.report.path)
        if name != "create":
            with open(self.path, "wb") as f:
                f.write(self.good)

    def attempt(self, name, what):
        """How a command ended one of whose calls failed, or None where it has fewer."""
        command, passphrases = self.commands[name]
        self.begin(name)
        status, said = self.wallet(command, passphrases, what)
        if not self.report.read().failed:
            return None
        if self.report.synced_again:
            raise Wrong("a sync that failed was tried again")
        no_memory = what.startswith("mmap") and status == -signal.SIGABRT and NO_MEMORY in said
        if status not in (0, IO) and not no_memory or (status and not said.strip()):
            raise Wrong(f"ended with {status}: {said}")
        if name == "create":
            if status == 0 and not self.opens("one"):
                raise Wrong("it says that it was made, and it doesn't open")
        elif name == "change":
            if not self.opens("two") and (status == 0 or not self.opens("one")):
                raise Wrong(f"the wallet opens no more (ended with {status})")
        elif status == 0 and said != self.info:
            raise Wrong(f"a wrong answer: {said}")
        return f"{status} from {name}"

    def test_every_call(self):
        print(f"\nRC_TEST_SEED={SEED}", file=sys.stderr)
        one, two = {"--passphrase-fd": "one"}, {"--new-passphrase-fd": "two"}
        self.commands = {"create": (["create", "--network", "reg"], one), "info": (["info"], one),
                         "change": (["passphrase", "change"], one | two)}
        self.begin("create")
        self.assertEqual(self.wallet(*self.commands["create"])[0], 0)
        with open(self.path, "rb") as f:
            self.good = f.read()
        status, self.info = self.wallet(*self.commands["info"])
        self.assertEqual(status, 0, self.info)
        cases = []
        for name, (command, passphrases) in self.commands.items():
            self.begin(name)
            status, said = self.wallet(command, passphrases, "count")
            self.assertEqual(status, 0, said)
            calls = self.report.read().calls
            print(f"rusty-wallet {name}: {calls}", file=sys.stderr)
            cases += [(name, f"{kind}:{n}:{error}") for kind in badcall.KINDS
                      for error in badcall.ERRORS[kind] for n in range(1, calls[kind] + 1)]
        random.Random(SEED).shuffle(cases)
        outcomes, wrong = collections.Counter(), []
        for case in cases if FULL else cases[:WALLET_CHOSEN]:
            try:
                outcome = self.attempt(*case)
                outcomes[outcome] += outcome is not None
            except (Wrong, AssertionError, subprocess.TimeoutExpired) as error:
                wrong.append(f"{case} ({self.report.read()}): {error!r}")
        print(f"wallet: {sum(outcomes.values())} failures survived: {dict(outcomes)}",
              file=sys.stderr)
        self.assertEqual(wrong, [])
        self.assertGreater(sum(outcomes.values()), 0, "no call failed")


WRITER = """
import os, sys
folder, bad = sys.argv[1:]
f = os.open(folder + "/a", os.O_WRONLY | os.O_CREAT, 0o600)
try:
    for n in range(3):
        os.write(f, b"x")
        os.fsync(f)
except OSError:
    if bad == "again":
        os.fsync(f)
    if bad == "hang":
        import time; time.sleep(60)
    sys.exit(bad != "silent")
"""


class Tool(harness.TestCase):
    """badcall.py by its command line: a sound program passes a sweep, three others don't."""

    def sweep(self, what, bad):
        p = subprocess.run(
            [sys.executable, badcall.__file__, "--dir", self.home, "--sweep", what, "--limit",
             str(5 * harness.SLOW), "--check", "test $STATUS = 1", "--", sys.executable, "-c",
             WRITER, self.home, bad], check=False, stdout=subprocess.PIPE, text=True,
            timeout=120 * harness.SLOW)
        return p.returncode, p.stdout.splitlines()[-1]

    def test_command(self):
        self.assertEqual(self.sweep("sync:EIO", "good"), (0, "3 failures, 0 wrong"))
        self.assertEqual(self.sweep("write:ENOSPC", "good"), (0, "3 failures, 0 wrong"))
        self.assertEqual(self.sweep("sync:EIO", "again"), (1, "3 failures, 3 wrong"))
        self.assertEqual(self.sweep("write:EIO", "silent"), (1, "3 failures, 3 wrong"))
        self.assertEqual(self.sweep("write:EIO", "hang"), (1, "3 failures, 3 wrong"))
        self.assertEqual(self.sweep("rename:EIO", "good"), (1, "0 failures, 0 wrong"))


def harness_missed():
    return (harness.RpcError, OSError, harness.http.client.HTTPException)


if __name__ == "__main__":
    harness.main()
