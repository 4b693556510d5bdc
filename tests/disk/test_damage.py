#!/usr/bin/python3
"""Damaged files: bits turned, cut, zeroed, overwritten, longer, swapped, missing, for each kind of
file that a node and a wallet write. Refused with a line that names the place, ended with 74 when it
is read, mended and told, or without effect; never a wrong answer, a hang or silence.

FULL=1: 2,000 cases, resumed where the last run ended (build/disk/damage.json); RC_SECONDS ends it
after so many seconds, to be gone on with. RC_TEST_SEED repeats a run's choices, RC_CASE="17" with
its seed one case of them, and shows its logs.
"""
import collections
import json
import os
import random
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
                                "functional"))
import damage  # noqa: E402
import harness  # noqa: E402
import powercut  # noqa: E402
from harness import BIN, DAEMONS, wait_for  # noqa: E402
from script import FUND_BLOCKS, LIMIT_SECONDS, MISSED, FaultNode, Script, Wrong  # noqa: E402

LIMIT = 7200
FULL = bool(os.environ.get("FULL"))
# Without FULL the same choice always: a run says something of the change at hand.
SEED = int(os.environ.get("RC_TEST_SEED", random.randrange(1 << 32) if FULL else 1))
SECONDS = float(os.environ.get("RC_SECONDS", "inf"))
CASE = os.environ.get("RC_CASE")
STATE = os.path.join(harness.TOP, os.environ.get("BUILD", "build"), "disk", "damage.json")
CASES = 2040 if FULL else 80
IO, CONFIG, FAILURE = 74, 78, 1
REPAIRED = 0.2              # of those that refused: the file is put back, and all is well
# Files whose absence is a first start, as their manual pages say.
MAY_BE_MISSING = ("chaind/mempool.journal", "peerd/bans", "peerd/addresses", "peerd/link_key",
                  "run/cookie", "wallet")
# It reads its files before it says one of these.
OPENED = re.compile(r" (ready after|not ready yet|waits for)")


class Damage(harness.TestCase):
    @classmethod
    def setUpClass(cls):
        powercut.own_mounts()
        os.makedirs(os.path.dirname(STATE), exist_ok=True)

    def setUp(self):
        super().setUp()
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", self.home], check=True)
        self.script = Script(self.home)
        self.tried = FaultNode(self.home, "tried")
        self.make_wallet()
        self.kinds = self.find_kinds()
        self.outcomes = collections.Counter()

    def tearDown(self):
        self.tried.client.close()
        self.tried.end()
        subprocess.run(["umount", "-l", self.home], check=True)
        super().tearDown()

    # --- what there is ---

    def find_kinds(self):
        """{kind: its files, relative to the state}: numbers in names are one kind."""
        kinds = collections.defaultdict(list)
        for at, _, names in os.walk(self.script.state):
            for name in names:
                path = os.path.relpath(os.path.join(at, name), self.script.state)
                kinds[re.sub(r"\d{6,}", "N", path)].append(path)
        for kind in ("run/cookie", "wallet", "wallet.lock"):
            kinds[kind].append(kind)
        for kind in ("chaind/blocks/N.blob", "chaind/blocks/N.log", "chaind/blocks/N.sst",
                     "utxod/log/N.log", "utxod/log/N.sst", "utxod/state/N.sst",
                     "utxod/state/MANIFEST-N", "chaind/mempool.journal", "peerd/bans",
                     "peerd/addresses", "peerd/link_key", "peerd/format"):
            self.assertIn(kind, kinds, f"no such file was written: {sorted(kinds)}")
        return dict(sorted(kinds.items()))

    def case(self, number):
        """(kind, file, way, chance): every kind by every way, round by round."""
        chance = random.Random(f"{SEED} {number}")
        pairs = [(k, w) for w in damage.WAYS for k in self.kinds]
        random.Random(SEED).shuffle(pairs)
        kind, way = pairs[number % len(pairs)]
        return kind, chance.choice(self.kinds[kind]), way, chance

    # --- a node ---

    def other(self, kind, path):
        """With what a file is swapped: another of its kind, else one of its directory."""
        beside = [os.path.join(os.path.dirname(path), name)
                  for name in sorted(os.listdir(os.path.dirname(path)))]
        same = [os.path.join(self.tried.home, p) for p in self.kinds[kind]]
        return next((p for p in same + beside if p != path and os.path.isfile(p)), None)

    def try_node(self, kind, file, way, chance):
        node = self.tried.set_up(self.script.state)
        daemon = file.split("/")[0]
        path = os.path.join(node.home, file)
        if daemon == "run":
            daemon, path = "rpcd", node.cookie
            os.makedirs(os.path.dirname(path))
            with open(path, "w", encoding="ascii") as f:
                f.write("user:password")
        what = damage.damage(way, path, chance, self.other(kind, path))
        if not what:
            return None, None
        try:
            return self.judge(node, daemon, kind, way), what
        except (Wrong, AssertionError, *MISSED) as error:
            raise Wrong(f"{file} {what}: {error!r}") from None

    def judge(self, node, daemon, kind, way):
        node.start(daemon)
        wait_for(f"{daemon} has read its files or ended",
                 lambda: OPENED.search(node.log(daemon)) or node.processes[daemon].poll() is not None,
                 LIMIT_SECONDS)
        status = node.ended(daemon)
        if status is None:
            node.start(*(d for d in DAEMONS if d != daemon))
            status = node.wait_ready_or_ended(daemon)
        if status is not None:
            return self.refused(node, daemon, status)
        short = node.rpc("getblockcount") < FUND_BLOCKS
        refused = [] if short else self.script.ask(node, daemon)    # else at the end
        status = node.ended(daemon)
        if status is None and not refused:
            try:
                self.to_the_end(node, kind, way, short)
            except (Wrong, *MISSED):
                status = node.ended(daemon)
                if status is None:
                    raise
        if status is None and refused:
            if not node.told(daemon):
                raise Wrong(f"refused without a word in the log: {refused[0]}")
            return self.end_all(node, "a question refused, and told")
        if status is not None:
            if status != IO or not node.told(daemon):
                raise Wrong(f"ended with {status}: {node.told(daemon)}")
            return "74 when it was read"
        told = any(node.told(d) for d in DAEMONS)
        return self.end_all(node, "told" if told else "without effect")

    @staticmethod
    def end_all(node, outcome):
        for each in reversed(DAEMONS):
            status = node.quit(each)
            if status:
                raise Wrong(f"{each} stopped with {status}")
        return outcome

    def refused(self, node, daemon, status):
        told = node.told(daemon)
        if status not in (IO, CONFIG, FAILURE) or not told:
            raise Wrong(f"ended with {status}: {told}")
        if node.home not in told[-1]:
            raise Wrong(f"the place isn't named: {told[-1]}")
        return f"{status} at the start"

    def to_the_end(self, node, kind, way, short):
        """It runs: then it is right, and where something was lost somebody was told."""
        told = any(node.told(d) for d in DAEMONS)
        try:
            self.script.finish(node, self.script.prefix if short else ())
        except Wrong:
            bans = self.script.outcome(node)["bans"]
            if kind != "peerd/bans" or way != "missing" or bans == self.script.end["bans"]:
                raise
        if short and not told:
            raise Wrong("blocks were lost without a word")

    def repaired(self, kind, file):
        """The good file is put back: the node is as it was."""
        node, daemon = self.tried, file.split("/")[0]
        node.end()
        with open(os.path.join(self.script.state, file), "rb") as good:
            with open(os.path.join(node.home, file), "wb") as f:
                f.write(good.read())
        node.start()
        status = node.wait_ready_or_ended(daemon)
        if status is not None:
            raise Wrong(f"{kind} was put back, and {daemon} ended with {status}")
        self.script.finish(node)

    # --- a wallet ---

    def make_wallet(self):
        self.wallet = os.path.join(self.home, "wallet")
        status, said = self.run_wallet("create", "--network", "reg")
        self.assertEqual(status, 0, said)
        with open(self.wallet, "rb") as f:
            self.wallet_bytes = f.read()
        status, self.wallet_info = self.run_wallet("info")
        self.assertEqual(status, 0, self.wallet_info)

    def run_wallet(self, *args):
        """(exit status, what it wrote)"""
        r, w = os.pipe()
        os.write(w, b"pass\n")
        os.close(w)
        try:
            p = subprocess.run([os.path.join(BIN, "rusty-wallet"), *args, "--wallet", self.wallet,
                                "--passphrase-fd", str(r)], pass_fds=[r], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               check=False, timeout=LIMIT_SECONDS)
        finally:
            os.close(r)
        return p.returncode, p.stdout

    def try_wallet(self, _, file, way, chance):
        with open(self.wallet, "wb") as f:
            f.write(self.wallet_bytes)
        path = os.path.join(self.home, file)
        if not os.path.exists(path):
            with open(path, "wb"):
                pass
        what = damage.damage(way, path, chance, self.wallet if file != "wallet" else None)
        if not what:
            return None, None
        status, said = self.run_wallet("info")
        if status < 0 or (status == 0 and said != self.wallet_info):
            raise Wrong(f"{file} {what}: {status} {said}")
        if status and not said:
            raise Wrong(f"{file} {what}: {status} without a word")
        with open(path, "wb") as f:
            f.write(self.wallet_bytes if file == "wallet" else b"")
        return f"wallet: {status}", what

    # --- all ---

    def test_damage(self):
        state = {"seed": SEED, "done": 0, "outcomes": {}, "kinds": {}, "wrong": []}
        if FULL and not CASE and os.path.exists(STATE):
            with open(STATE, encoding="ascii") as f:
                state = json.load(f)
            if state["done"] >= CASES:
                state = {"seed": SEED, "done": 0, "outcomes": {}, "kinds": {}, "wrong": []}
        globals()["SEED"] = state["seed"]
        print(f"\nRC_TEST_SEED={SEED}, {state['done']} done before; kinds: {list(self.kinds)}",
              file=sys.stderr)
        start = time.monotonic()
        outcomes, kinds = (collections.Counter(state[k]) for k in ("outcomes", "kinds"))
        numbers = [int(CASE)] if CASE else range(state["done"], CASES)
        for number in numbers:
            if time.monotonic() - start > SECONDS:
                break
            kind, file, way, chance = self.case(number)
            try:
                attempt = self.try_wallet if kind.startswith("wallet") else self.try_node
                outcome, what = attempt(kind, file, way, chance)
                if outcome and outcome.endswith("start") and chance.random() < REPAIRED:
                    if way != "swap":
                        self.repaired(kind, file)
                        outcomes["put back, and well"] += 1
                if outcome:
                    outcomes[outcome] += 1
                    kinds[kind] += 1
                if CASE:
                    print(f"{file}: {what}: {outcome}\n{self.tried.logs()}", file=sys.stderr)
            except (Wrong, AssertionError, *MISSED) as error:
                state["wrong"].append(
                    f"RC_TEST_SEED={SEED} RC_CASE={number} {kind} {way}: {error}")
                print(f"{state['wrong'][-1]}\n{self.tried.logs()}", file=sys.stderr)
            state.update(done=number + 1, outcomes=dict(outcomes), kinds=dict(kinds))
            if FULL and not CASE:
                with open(STATE, "w", encoding="ascii") as f:
                    json.dump(state, f)
        print(f"{sum(kinds.values())} damaged files of {len(kinds)} kinds: {dict(outcomes)}",
              file=sys.stderr)
        self.assertEqual(state["wrong"], [])
        self.assertGreater(sum(kinds.values()), 0, "nothing was damaged")
        if not CASE and state["done"] >= len(self.kinds) * len(damage.WAYS):
            self.assertEqual(sorted(set(self.kinds) - set(kinds)), [], "kinds never damaged")


if __name__ == "__main__":
    harness.main()
