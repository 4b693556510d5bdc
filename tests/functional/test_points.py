#!/usr/bin/python3
"""kill -9 at named points (libcommon/base/test_points.def): a daemon of a three-node network under
load ends itself at the point, and then again while it recovers. After each: all nodes agree, the
state root is that of a node that never died, nothing acknowledged is lost, nobody else was
restarted. Every point has to be reached.

FULL=1 ends it five times at each point, and goes on where an earlier run was broken off, or was
ended by RC_SECONDS=n; otherwise a third of the points is taken, once. RC_TEST_SEED repeats a run's
choices, RC_POINTS="NAME NAME" takes these.
"""
import collections
import contextlib
import glob
import hashlib
import mmap
import os
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time

import harness
import killing
from harness import BIN, DAEMONS, SLOW, TOP, RpcError, wait_for
from killing import MISSED
from purse import Purse

SANITIZE = False
LIMIT = 7200
FULL = os.environ.get("FULL") == "1"
ONLY = os.environ.get("RC_POINTS", "").split()
SEED = int(os.environ.get("RC_TEST_SEED", random.randrange(1 << 32)))
TABLE = os.path.join(TOP, "libcommon", "base", "test_points.def")
POINTS_BIN = os.path.join(os.path.dirname(BIN), "points", "bin")
HITS = 5 if FULL else 1
PART = 3                    # one in so many points, when not FULL
LEAST = 40                  # points that a run kills at, whatever the seed
BATCH = 60                  # points of one network: its coins and its chain are bounded
COINS = 900                 # payments of each node in that time
OLD_BLOCKS = 310            # the log of deltas is pruned beyond 288 blocks
DIES_SECONDS = 40
STEPS = ("MADE", "WRITTEN", "SYNCED", "RENAMED", "SAVED")
GROWN = (4 << 20) + (256 << 10)  # of a journal: more than chaind's slack


def read_table():
    """Names in order, as the macro makes them."""
    names = []
    with open(TABLE, encoding="utf-8") as f:
        for kind, name in re.findall(r"^(POINT|POINT_FILE)\((\w+),", f.read(), re.M):
            names += [name] if kind == "POINT" else [f"{name}_{step}" for step in STEPS]
    return names


POINTS = read_table()


class Page:
    """What a test and a daemon share (libcommon/base/test_point.h)."""

    def __init__(self, path):
        self.path = path
        with open(path, "wb") as f:
            f.write(bytes(4096))
        with open(path, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), 4096)

    def arm(self, name, nth=1):
        struct.pack_into("<II", self.map, 0, 0, nth)
        struct.pack_into("<I", self.map, 0, POINTS.index(name) + 1)

    def disarm(self):
        struct.pack_into("<I", self.map, 0, 0)

    def reached(self, name):
        return struct.unpack_from("<I", self.map, 8 + 4 * POINTS.index(name))[0]


class PointNode(harness.Node):
    """A node whose daemons have points."""

    def __init__(self, *args, **named):
        super().__init__(*args, **named)
        self.pages = {d: Page(os.path.join(self.home, f"{d}.points")) for d in DAEMONS}

    def command(self, daemon):
        return [os.path.join(POINTS_BIN, daemon)] + super().command(daemon)[1:]

    def popen(self, command, **settings):
        page = self.pages[os.path.basename(command[0])]
        return super().popen(command, env={**os.environ, "RC_TEST_POINTS": page.path}, **settings)

    def died(self, daemon, what):
        """It ended itself, at the point and in no other way."""
        process = self.processes[daemon]
        try:
            code = process.wait(DIES_SECONDS * SLOW)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{daemon} doesn't reach {what}") from None
        del self.processes[daemon]
        assert code == -signal.SIGKILL, f"{daemon} ended with {code}, not at {what}"

    def state(self, daemon, *path):
        return os.path.join(self.home, daemon, *path)


# --- how a point is reached ---

# At a start after a kill, always; also where a recovery is ended again.
STARTS = {
    "utxod": ["STORE_OPENED", "UTXOD_START_DATABASES", "UTXOD_START_LOG", "UTXOD_START_SYNCED",
              "UTXOD_START_READ", "UTXOD_START_APPLIED", "UTXOD_STARTED", "UTXOD_OPEN_WRITER",
              "UTXOD_OPEN_ANSWER"],
    "chaind": ["CHAIND_START_STORE", "CHAIND_START_INDEX", "CHAIND_START_JOURNAL",
               "CHAIND_STARTED", "CHAIND_SESSION_OPENED", "CHAIND_SESSION_TIP",
               "CHAIND_RESTARTED"],
    "peerd": ["PEERD_START_FILES", "PEERD_STARTED", "PEERD_LINK"],
    "rpcd": ["RPCD_STARTED"] + [f"RPCD_COOKIE_{step}" for step in STEPS],
}
WAYS = {
    "stop": r"\w+_STOP|\w+_CLOSE|PEERD_BOOK_\w+",
    "start": "|".join(name for names in STARTS.values() for name in names),
    "birth": r"STORE_MADE|FORMAT_\w+|CHAIND_JOURNAL_HEAD_\w+|PEERD_KEY_\w+",
    "ban": r"PEERD_BANS_\w+",
    "reorganise": r"UTXOD_SWITCH\w*|CHAIND_(MOVE|SWITCHED|REORG_\w+|UNSETTLED)",
    "revert": r"UTXOD_REVERT\w*|UTXOD_REPEAT_UNDONE|CHAIND_MOVED_BACK|CHAIND_VETO",
    "compact": r"CHAIND_COMPACT_\w+",
    "cut": "CHAIND_START_CUT",
    "restore": "CHAIND_SESSION_(BACK|REVERTED)",
    "abort": "UTXOD_ABORTED",
    "refill": "CHAIND_REFILLED",
    "behind": r"PEERD_BLOCK\w*",
}
# Who is born at a birth's point; others by their name.
BORN = {"STORE_MADE": "utxod", "STORE_OPENED": "utxod", **{f"FORMAT_{s}": "chaind" for s in STEPS}}
WHOLE = {"utxod": "UTXOD_STARTED", "chaind": "CHAIND_STARTED", "peerd": "PEERD_STARTED"}


def way_of(point):
    return next((w for w, names in WAYS.items() if re.fullmatch(names, point)), "load")


def daemon_of(point):
    return BORN.get(point) or point.split("_")[0].lower()


class Points(killing.KillCase):
    def make(self, batch):
        """a, which is killed; b, which makes rival blocks; c; and d, which is born at the end."""
        self.a = PointNode(self.home, f"a{batch}", options={"utxod": {"undo_blocks": 288}})
        self.b, self.c = (harness.Node(self.home, f"{name}{batch}") for name in "bc")
        self.d = PointNode(self.home, f"d{batch}")
        self.nodes += [self.a, self.b, self.c, self.d]
        self.three = [self.a, self.b, self.c]
        self.network(self.three)
        self.a.rpc("generatetoaddress", OLD_BLOCKS, Purse("old").address)
        self.start_loads(self.three, COINS)
        self.bans = 0

    def unmake(self):
        self.stop_loads()
        height = self.check_all(self.three, self.d)
        for node in [*self.three, self.d]:
            self.reached.update({p for page in getattr(node, "pages", {}).values()
                                 for p in POINTS if page.reached(p)})
            node.stop()
            node.client.close()
            shutil.rmtree(node.home)
        self.nodes.clear()
        for kept in (self.loads, self.sent, self.blocks):
            kept.clear()
        return height

    # --- ways: each leads a's daemon past the point; armed: it may end there ---

    def load(self, name):
        return self.loads[f"{name} {self.a.name}"]

    def way_load(self, point):
        """By a's own blocks and payments, or (peerd's points) by those of c."""
        whose = self.c.name if point.startswith("PEERD") else self.a.name
        loads = [self.loads[f"{what} {whose}"] for what in ("mine", "pay")]

        def passed():
            for load in loads:
                load.kick()
            return self.gone(point)
        wait_for(point, passed, DIES_SECONDS)

    def gone(self, point):
        """Ended, or (not armed) passed."""
        daemon = daemon_of(point)
        if self.armed:
            process = self.a.processes[daemon]
            return process.poll() is not None
        return self.a.pages[daemon].reached(point) > self.before[point]

    def way_start(self, point):
        self.a.kill(daemon_of(point))
        self.a.start(daemon_of(point))

    def way_stop(self, point):
        daemon = daemon_of(point)
        self.a.rpc("addnode", f"192.0.2.{self.random.randrange(1, 250)}:1", "onetry")
        self.a.processes[daemon].terminate()
        if not self.armed:
            self.assertEqual(self.a.processes.pop(daemon).wait(20 * SLOW), 0)
            self.a.start(daemon)

    def way_ban(self, _):
        self.bans += 1
        self.a.pages["peerd"].disarm()
        self.a.rpc("setban", f"198.51.100.{self.bans % 200}", "add")
        kept = self.a.rpc("listbanned")
        self.arm_again()

        def ban():
            client = harness.Rpc(self.a.rpc_port, self.a.cookie)
            with contextlib.suppress(*MISSED):
                client.call("setban", f"203.0.113.{self.bans % 200}", "add")
            client.close()
        thread = threading.Thread(target=ban, daemon=True)
        thread.start()

        def after():
            thread.join(60 * SLOW)
            now = [b["address"] for b in self.a.rpc("listbanned")]
            for b in kept:
                self.assertIn(b["address"], now)
            self.a.rpc("clearbanned")
        self.after.append(after)

    def way_reorganise(self, point):
        """Without blocks of its own until it is there: one more, and the branch isn't better."""
        made = []

        def after():
            for r in made:
                r.thread.join(60 * SLOW)
            self.a.rpc("setnetworkactive", True)
        self.after.append(after)
        with self.load("mine").lock:
            try:
                made.append(killing.Reorganisation(
                    self.a, self.b, self.blocks, self.purse.address, self.random.randrange(1, 7)))
            except MISSED:
                if not self.armed:  # ended by a reorganisation of the network's own
                    raise
            if self.armed:
                wait_for(point, lambda: self.gone(point), DIES_SECONDS)
            for r in made if not self.armed else []:
                r.thread.join(60 * SLOW)
                if r.missed:
                    raise r.missed

    def way_revert(self, point):
        client = harness.Rpc(self.a.rpc_port, self.a.cookie)
        self.a.rpc("setnetworkactive", False)
        wait_for("no link", lambda: not self.a.rpc("getconnectioncount"))
        with self.load("mine").lock:
            # three ahead of all rivals: without the last two it stays on its branch
            blocks = self.a.rpc("generatetoaddress", 3, self.purse.address)
            self.blocks[self.a.name] += blocks
            block = blocks[1]

            def revert():
                with contextlib.suppress(*MISSED):
                    client.call("invalidateblock", block)
            thread = threading.Thread(target=revert, daemon=True)
            thread.start()
            wait_for(point, lambda: self.gone(point), DIES_SECONDS)

        def after():
            thread.join(60 * SLOW)
            client.close()
            self.a.rpc("reconsiderblock", block)
            self.a.rpc("setnetworkactive", True)
        self.after.append(after)

    def way_behind(self, point):
        """Some blocks behind, a fetches them whole."""
        self.a.rpc("setnetworkactive", False)
        wait_for("no link", lambda: not self.a.rpc("getconnectioncount"))
        with self.load("mine").lock:
            ahead = self.a.rpc("getblockcount") + 4
            while self.c.rpc("getblockcount") < ahead:
                self.blocks[self.c.name] += self.c.rpc("generatetoaddress", 1, self.purse.address)
            self.a.rpc("setnetworkactive", True)
            wait_for(point, lambda: self.gone(point), DIES_SECONDS)

    def way_compact(self, _):
        self.a.kill("chaind")
        tx = self.funding
        body = struct.pack("<QB", int(time.time()), 1) + tx
        record = b"RCTX" + struct.pack("<I", len(body)) + hashlib.sha256(body).digest()[:8] + body
        with open(self.a.state("chaind", "mempool.journal"), "ab") as f:
            f.write(record * (GROWN // len(record) + 1))
        self.a.start("chaind")

    def way_cut(self, _):
        self.a.kill("chaind")
        with open(self.a.state("chaind", "mempool.journal"), "ab") as f:
            f.write(b"RCTX" + struct.pack("<I", 300) + b"the power failed here")
        self.a.start("chaind")

    def way_refill(self, _):
        """A start with a payment in the pool."""
        with self.quiet():
            self.load("pay").step()
            self.a.kill("chaind")
            self.a.start("chaind")

    def way_restore(self, _):
        """An older copy of the block store is put in its place."""
        store, copy = self.a.state("chaind", "blocks"), os.path.join(self.a.home, "copy")
        shutil.rmtree(copy, ignore_errors=True)
        with self.quiet():
            self.a.pages["chaind"].disarm()
            self.a.stop("chaind")
            shutil.copytree(store, copy)
            self.revive(self.a, "chaind")
            self.blocks[self.b.name] += self.b.rpc("generatetoaddress", 3, self.purse.address)
            self.agree(self.three, self.c)
            # What only the copy's successor had seen, and isn't in the chain, is lost with it.
            self.blocks[self.a.name][:] = [
                block for block in self.blocks[self.a.name]
                if self.status(self.c, block) == "active"]
            # peers must not bring the blocks before utxod is asked
            self.a.rpc("setnetworkactive", False)
            wait_for("no link", lambda: not self.a.rpc("getconnectioncount"))
            self.after.append(lambda: self.a.rpc("setnetworkactive", True))
            self.a.kill("chaind")
            shutil.rmtree(store)
            os.rename(copy, store)
            self.arm_again()
            self.a.start("chaind")

    @staticmethod
    def status(node, block):
        try:
            return node.rpc("getblockheader", block)["status"]
        except RpcError:
            return None

    def way_abort(self, _):
        """A chaind ends with a block staged; the next one opens utxod."""
        page = self.a.pages["chaind"]
        page.arm("CHAIND_STAGED")
        self.load("mine").kick()
        self.a.died("chaind", "CHAIND_STAGED")
        page.disarm()
        self.a.start("chaind")

    # --- one point ---

    def arm_again(self):
        if self.armed:
            self.a.pages[daemon_of(self.armed)].arm(self.armed)

    def lead(self, way, point, nth=1):
        """Leads a past the point; with nth: until it ends there."""
        self.after, self.armed = [], point if nth else None
        if nth:
            self.a.pages[daemon_of(point)].arm(point, nth)
        getattr(self, f"way_{way}")(point)

    def kill_at(self, point, nth, again):
        """a's daemon ends at the point, and again at a point of its recovery; then all is well."""
        daemon, way = daemon_of(point), way_of(point)
        node, page = self.a, self.a.pages[daemon]
        others = self.pids(self.three)
        self.lead(way, point, nth)
        node.died(daemon, point)
        page.disarm()
        if again:
            page.arm(again)
            node.start(daemon)
            node.died(daemon, f"{again}, recovering from {point}")
            page.disarm()
        self.revive(node, daemon)
        for step in self.after:
            step()
        now = self.pids(self.three)
        meant = {daemon, "chaind"} if way == "abort" else {daemon}
        for (name, d), pid in others.items():
            if name != node.name or d not in meant:
                self.assertEqual(now[name, d], pid, f"{d} of {name} was restarted")
        with self.quiet():
            self.agree(self.three, self.c)
            self.check_node(node)

    def be_born_at(self, point, again):
        """The first start of d's daemon ends at the point, so does the second; the third doesn't."""
        daemon, node = daemon_of(point), self.d
        page = node.pages[daemon]
        shutil.rmtree(node.state(daemon), ignore_errors=True)
        page.arm(point)
        node.start(daemon)
        node.died(daemon, point)
        if again:
            page.arm(again)
            node.start(daemon)
            node.died(daemon, f"{again}, recovering from {point}")
        page.disarm()
        before = page.reached(WHOLE[daemon])
        node.start(daemon)
        wait_for(f"{daemon} starts", lambda: node.check_alive() or
                 page.reached(WHOLE[daemon]) > before)
        node.kill(daemon)

    def pass_all(self):
        """Leads a past all ways without an end, so that every point is reached."""
        for way, names in WAYS.items():
            if way == "birth":
                continue
            for daemon in {daemon_of(p) for p in POINTS if re.fullmatch(names, p)}:
                mine = [p for p in POINTS if re.fullmatch(names, p) and daemon_of(p) == daemon]
                self.before = {p: self.a.pages[daemon].reached(p) for p in POINTS}
                self.lead(way, mine[-1], nth=0)
                wait_for(f"{way}: {mine}", lambda m=mine, d=daemon: all(
                    self.a.pages[d].reached(p) > self.before[p] for p in m), DIES_SECONDS)
                wait_for("ready", lambda: self.a.rpc("gethealth")["ready"])
                for step in self.after:
                    step()
        for point in [p for p in POINTS if way_of(p) == "load"]:
            self.before = {p: 0 for p in POINTS}
            self.lead("load", point, nth=0)

    def chosen(self):
        if ONLY:
            return ONLY
        if FULL:
            return self.random.sample(POINTS, len(POINTS))
        return self.random.sample(POINTS, max(LEAST, len(POINTS) // PART))

    def jobs(self, progress):
        """(point, which hit, point of the recovery) of what isn't done yet."""
        for hit in range(1, HITS + 1):
            for i, point in enumerate(self.chosen()):
                if progress.count(point) < hit:
                    daemon = daemon_of(point)
                    starts = [p for p in STARTS[daemon] if way_of(point) != "birth" or p not in
                              ("PEERD_LINK", "UTXOD_START_READ", "UTXOD_START_APPLIED",
                               "UTXOD_OPEN_WRITER", "UTXOD_OPEN_ANSWER", "CHAIND_SESSION_OPENED",
                               "CHAIND_SESSION_TIP", "CHAIND_RESTARTED")]
                    yield point, hit, starts[(i + hit) % len(starts)]

    def test_points(self):
        print(f"\nRC_TEST_SEED={SEED}{' FULL=1' if FULL else ''}", file=sys.stderr)
        self.random = random.Random(SEED)
        self.reached, self.armed = set(), None
        progress = killing.Progress("points", {"points": POINTS, "hits": HITS})
        if not FULL:
            progress.end()
            progress = killing.Progress("points", None)
        jobs = list(self.jobs(progress))
        start, ways = time.monotonic(), collections.Counter()
        for at in range(0, len(jobs), BATCH):
            if time.monotonic() - start > killing.RUN_SECONDS:
                break
            self.make(at // BATCH)
            try:
                if at == 0 and not ONLY:
                    self.pass_all()
                for point, hit, again in jobs[at:at + BATCH]:
                    try:
                        if way_of(point) == "birth":
                            self.be_born_at(point, again)
                        else:
                            self.kill_at(point, hit if way_of(point) == "load" else 1, again)
                    except Exception as error:
                        raise AssertionError(f"{point}, hit {hit}, then {again}: {error}") from error
                    ways[way_of(point)] += 1
                    progress.add(point)
                    if FULL:
                        progress.save()
            finally:
                for load in self.loads.values():
                    load.end()
            height = self.unmake()
            print(f"{height} blocks replayed: one state root on all nodes", file=sys.stderr)
        n = sum(ways.values())
        print(f"{n} deaths at {len({p for p, _, _ in jobs[:n]})} of {len(POINTS)} points, "
              f"{n} while recovering from them, in {time.monotonic() - start:.0f} s: "
              f"{dict(ways)}; with earlier runs {sum(progress.state['done'].values())}",
              file=sys.stderr)
        self.assertGreater(n, 0, "nothing was killed")
        if not ONLY:
            self.assertEqual([p for p in POINTS if p not in self.reached], [], "never reached")
        if n < len(jobs):
            self.skipTest(f"{len(jobs) - n} left: start it again")
        progress.end()


class Shipped(harness.unittest.TestCase):
    def test_table(self):
        """Each point of the table stands in the code once, and nothing else does."""
        code = []
        for path in glob.glob(f"{TOP}/daemons/*/*.c") + glob.glob(f"{TOP}/libcommon/*/*.c"):
            with open(path, encoding="utf-8") as f:
                code += re.findall(r"RC_TEST_POINT\((\w+)\)", f.read())
        files = [p for p in POINTS if p.rsplit("_", 1)[-1] in STEPS and p not in code]
        self.assertEqual(sorted(code), sorted(set(POINTS) - set(files)))
        self.assertEqual(len(set(POINTS)), len(POINTS))
        self.assertGreaterEqual(len(POINTS), 40)

    def test_nothing_shipped(self):
        """What is installed has no points."""
        for daemon in DAEMONS:
            for folder, some in ((BIN, False), (POINTS_BIN, True)):
                with open(os.path.join(folder, daemon), "rb") as f:
                    found = re.search(rb"test_point", f.read(), re.I)
                self.assertEqual(bool(found), some, f"{folder}/{daemon}")


if __name__ == "__main__":
    harness.main()
