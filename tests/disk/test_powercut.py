#!/usr/bin/python3
"""Power cuts under load: what was acknowledged is there, all stores agree on one tip, and the state
is that of a node that never lost power. With syncs ignored the same test must lose.

FULL=1: 300 cuts, resumed where the last run ended (build/disk/powercut.json); RC_SECONDS ends it
after so many seconds, to be gone on with. RC_TEST_SEED repeats a run's choices.
"""
import collections
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
                                "functional"))
import harness  # noqa: E402
import killing  # noqa: E402
import powercut  # noqa: E402
from harness import DAEMONS, SLOW, RpcError, wait_for  # noqa: E402
from killing import Load  # noqa: E402
from purse import RUST, Coin, Purse, shown  # noqa: E402

LIMIT = 3600
FULL = bool(os.environ.get("FULL"))
# Without FULL the same choice always: a run says something of the change at hand.
SEED = int(os.environ.get("RC_TEST_SEED", random.randrange(1 << 32) if FULL else 1))
SECONDS = float(os.environ.get("RC_SECONDS", "inf"))
STATE = os.path.join(harness.TOP, os.environ.get("BUILD", "build"), "disk", "powercut.json")
# (way, file system): cuts in CI, and of a full run.
CUTS = {("stop", "ext4"): (6, 50), ("stop", "xfs"): (6, 50),
        ("copy", "ext4"): (8, 110), ("copy", "xfs"): (8, 110)}
BATCH = 10                  # cuts on one disk, with one choice of options
CONTROLS = 2                # cuts without syncs, of each kind; each may be lucky, all may not
COINS = 60                  # as many payments one after the other
PAUSE_SECONDS = 0.02        # between two payments, two blocks, two looks at the metrics
LOAD_SECONDS = 0.4          # at most, from the start of the load to the cut
BACK_SECONDS = 30           # a node that is not ready by then hangs
REORGANISATIONS, AGAIN = 0.25, 0.25     # shares of the cuts: amid one; again while recovering
RECHECKED = 60              # of the newest acknowledged blocks, looked for after each cut
KEPT = ("active", "valid", "stored")
DURABLE = ("rustycoin_utxod_durable_height", "rustycoin_chaind_durable_height")
HEIGHTS = (*DURABLE, "rustycoin_utxod_applied_height", "rustycoin_chaind_tip_height")


class Lost(AssertionError):
    """What was acknowledged isn't there."""


class DiskNode(harness.Node):
    """A node whose daemons' state is on a disk; nosync: of which no sync is done."""

    def __init__(self, home, name, disk, options=None, nosync=False):
        super().__init__(home, name, options={d: dict((options or {}).get(d, {}))
                                              for d in DAEMONS})
        self.disk = disk
        for daemon in DAEMONS:
            self.options[daemon]["statedir"] = os.path.join(disk.path, daemon)
        self.environment = dict(os.environ)
        if nosync:
            self.environment |= powercut.nosync_environment(disk.path)

    def popen(self, command, **settings):
        return subprocess.Popen(command, env=self.environment,
                                preexec_fn=powercut.die_with_parent, **settings)

    def back(self):
        """Started and ready in time; a daemon that refuses has lost what it had."""
        try:
            self.start().wait_ready(BACK_SECONDS * SLOW)
        except AssertionError as error:
            raise Lost(f"{error}\n{self.logs()}") from None


class Acknowledged:
    """What a node has said yes to, as lists that only grow: a copy of their lengths is a moment."""

    def __init__(self, coins):
        self.blocks, self.height = [], 0
        self.chains = [[coin] for coin in coins]    # of payments, each spends the one before

    def moment(self):
        return len(self.blocks), self.height, [len(chain) for chain in self.chains]


class Loads:
    """Blocks, payments, and a look at the metrics, without pause."""

    def __init__(self, node, said, purse, chance):
        self.node, self.said, self.purse, self.random = node, said, purse, chance
        self.pending = [None] * len(said.chains)
        self.all = {}
        self.start()

    def start(self):
        self.all = {name: Load(self.step(do), PAUSE_SECONDS)
                    for name, do in (("mine", self.mine), ("pay", self.pay), ("look", self.look))}

    def step(self, do):
        client = harness.Rpc(self.node.rpc_port, self.node.cookie)

        def step():
            return do(client)
        step.client = client
        return step

    def mine(self, client):
        self.said.blocks += client.call("generatetoaddress", 1, self.purse.address)
        return True

    def pay(self, client):
        """The next payment of a chain; one that wasn't acknowledged is sent again first."""
        i = self.random.randrange(len(self.pending))
        if not self.pending[i]:
            coin = self.said.chains[i][-1]
            tx = self.purse.sign(self.purse.build([coin], [(coin.amount - 1000, coin.lock)]), [coin])
            self.pending[i] = tx
        tx = self.pending[i]
        try:
            client.call("sendrawtransaction", tx.encode().hex())
        except RpcError as error:
            if error.code == -26:       # a long chain of unconfirmed ones: later
                return True
            if error.code != -27:       # had been taken, the answer was lost; mined since
                raise
        self.said.chains[i].append(Coin((tx.txid, 0), tx.outputs[0].amount, tx.outputs[0].lock))
        self.pending[i] = None
        return True

    def look(self, _):
        figures = self.node.metrics()
        self.said.height = max([self.said.height] + [int(figures.get(name, 0)) for name in DURABLE])
        return True

    def stop(self):
        for load in self.all.values():
            load.end()
        for load in self.all.values():
            load.stop()


class Cuts(harness.TestCase):
    @classmethod
    def setUpClass(cls):
        powercut.own_mounts()
        os.makedirs(os.path.dirname(STATE), exist_ok=True)

    def setUp(self):
        super().setUp()
        self.figures = collections.Counter()
        self.disks, self.number = [], 0

    def tearDown(self):
        if self.disks:      # something failed: what stands on them has to end first
            for node in self.nodes:
                print(node.logs(), file=sys.stderr)
                node.end()
            self.nodes.clear()
        for disk in reversed(self.disks):
            disk.remove()
        super().tearDown()

    # --- one disk ---

    def begin(self, way, fs, seed, nosync=False):
        """A node on a disk of its own with coins, and one beside it that never loses power."""
        self.random, self.number = random.Random(seed), self.number + 1
        folder = tempfile.mkdtemp(dir=self.home)
        self.disk = (powercut.CopiedDisk if way == "copy" else powercut.Disk)(folder, fs)
        self.disks.append(self.disk)
        # What decides how much stands in write buffers and caches, and when it goes to the disk.
        self.options = {
            "utxod": {"cache_mb": self.random.choice([16, 64, 450]),
                      "flush_changes": self.random.choice([20, 200, 5000])},
            "chaind": {"cache_mb": self.random.choice([1, 8, 64])}}
        self.live = DiskNode(self.home, f"live{self.number}", self.disk, self.options, nosync)
        self.nodes.append(self.live)
        self.live.start().wait_ready()
        self.witness = self.node(f"witness{self.number}")
        self.purse = Purse("cut")
        self.live.rpc("generatetoaddress", 11, self.purse.address)
        source = self.purse.coins(self.live)[0]
        each = (source.amount - RUST) // COINS
        tx = self.purse.spend([source], [(self.purse.address, each)] * COINS)
        self.live.rpc("sendrawtransaction", tx.encode().hex())
        self.live.rpc("generatetoaddress", 1, self.purse.address)
        self.feed(self.live, self.witness)
        self.said = Acknowledged([Coin((tx.txid, i), each, self.purse.lock) for i in range(COINS)])
        self.loads = Loads(self.live, self.said, self.purse, self.random)

    def end(self):
        self.loads.stop()
        for node in (self.live, self.witness):
            node.client.close()
            node.stop()
            self.nodes.remove(node)
        self.disks.remove(self.disk)
        self.disk.remove()

    def drop(self):
        """The same where there is nothing left to stop."""
        for node in (self.live, self.witness):
            node.end()
            node.client.close()
            self.nodes.remove(node)
        self.loads.stop()
        self.disks.remove(self.disk)
        self.disk.remove()

    @staticmethod
    def feed(source, sink):
        for _, raw in killing.Reorganisation.branch(sink, source):
            sink.rpc("submitblock", raw)

    # --- what must be there ---

    def check(self, node, moment):
        """What was acknowledged up to a moment is there, and the node agrees with itself."""
        blocks, height, lengths = moment
        info = node.rpc("getblockchaininfo")
        for block in self.said.blocks[max(0, blocks - RECHECKED):blocks]:
            try:
                header = node.rpc("getblockheader", block)
            except RpcError as error:
                raise Lost(f"block {block}: {error}") from None
            if header["status"] not in KEPT or header["chainwork"] > info["chainwork"]:
                raise Lost(f"block {block} {header['status']}, the tip has less work")
        if info["blocks"] < height:
            raise Lost(f"height {info['blocks']}, and {height} was durable")
        wait_for("all stores at one tip", lambda: self.agrees(node), BACK_SECONDS)
        for i, (chain, length) in enumerate(zip(self.said.chains, lengths)):
            later = [shown(coin.outpoint[0]) for coin in chain[length - 1:]]
            if self.loads.pending[i]:
                later.append(shown(self.loads.pending[i].txid))
            first = chain[length - 1].outpoint[1] if length == 1 else 0
            try:
                wait_for("a payment", lambda t=later, n=first: any(
                    node.rpc("gettxout", txid, n if k == 0 else 0) for k, txid in enumerate(t)), 10)
            except AssertionError:
                raise Lost(f"payment {later[0]}") from None

    @staticmethod
    def agrees(node):
        info = node.rpc("getblockchaininfo")
        figures = node.metrics_of("utxod") | node.metrics_of("chaind")
        heights = {int(figures[name]) for name in HEIGHTS}
        return heights == {info["blocks"]} and info["durable"]["hash"] == info["bestblockhash"]

    def check_state(self, node, never_cut):
        """The state at the node's tip is that of the other node, which gets there too."""
        both = (node, never_cut)
        self.feed(node, never_cut)
        self.feed(never_cut, node)
        if len({n.tip() for n in both}) == 2 and len({n.rpc("getblockcount") for n in both}) == 1:
            node.rpc("generatetoaddress", 1, self.purse.address)    # decides between equals
            self.feed(node, never_cut)

        def at_one_tip():
            infos = [n.rpc("getblockchaininfo") for n in both]
            return (infos[0]["bestblockhash"] == infos[1]["bestblockhash"]
                    and infos[0]["stateroot"] and infos[1]["stateroot"] and infos)
        try:
            infos = wait_for("one tip", at_one_tip, BACK_SECONDS)
        except AssertionError:
            raise AssertionError("no one tip: " + str(
                [(n.name, n.rpc("getblockcount"), n.rpc("getchaintips")) for n in both])) from None
        self.assertEqual(infos[0]["stateroot"], infos[1]["stateroot"])

    # --- cuts ---

    def reorganisation(self):
        """A better branch on its way into the live node, sometimes."""
        if self.random.random() >= REORGANISATIONS:
            return None
        load = self.loads.all["mine"]
        said = {self.live.name: self.said.blocks, self.witness.name: []}
        with load.lock:
            self.figures["amid a reorganisation"] += 1
            return killing.Reorganisation(self.live, self.witness, said, self.purse.address,
                                          self.random.randrange(1, 8))

    def cut_stopped(self):
        self.cut_once(self.reorganisation())
        while self.random.random() < AGAIN:     # amid the recovery
            self.live.start()
            time.sleep(self.random.random() * 0.3)
            self.power_off()
            self.figures["while recovering"] += 1
        self.live.back()
        if self.reorganised:
            self.reorganised.end()
        self.check(self.live, self.said.moment())
        self.check_state(self.live, self.witness)
        self.loads.start()

    def cut_once(self, reorganisation):
        self.reorganised = reorganisation
        time.sleep(self.random.random() * (0.02 if reorganisation else LOAD_SECONDS))
        for load in self.loads.all.values():
            load.end()                          # a call that is under way is answered or not
        self.power_off()
        self.loads.stop()

    def power_off(self):
        """Only what was said before the processes stopped can have been said."""
        self.disk.cut([self.live.pid(d) for d in DAEMONS])
        for daemon in DAEMONS:
            self.live.kill(daemon)
        self.live.client.close()
        self.disk.unmount()
        self.disk.mount()

    def cut_copied(self):
        reorganisation = self.reorganisation()
        time.sleep(self.random.random() * (0.02 if reorganisation else LOAD_SECONDS))
        moment = self.said.moment()
        copy = self.disk.copy()
        self.disks.append(copy)
        if reorganisation:
            reorganisation.end()
        node = DiskNode(self.home, f"copy{self.number}.{self.figures['cuts']}", copy, self.options)
        try:
            node.back()
            self.check(node, moment)
            self.check_state(node, self.live_now())
        except Exception as error:
            raise type(error)(f"{error}\n{node.logs()}") from None
        finally:
            node.client.close()
            node.end()
            self.disks.remove(copy)
            copy.remove()

    def live_now(self):
        """The witness, brought to where the live node is: that one goes on."""
        self.feed(self.live, self.witness)
        return self.witness

    def cut(self, way):
        {"stop": self.cut_stopped, "copy": self.cut_copied}[way]()
        self.figures["cuts"] += 1

    def batch(self, way, fs, cuts, seed):
        self.begin(way, fs, seed)
        for i in range(cuts):
            try:
                self.cut(way)
            except Exception as error:
                raise AssertionError(f"cut {i} ({way}, {fs}, RC_TEST_SEED={SEED}, options "
                                     f"{self.options}): {error}") from error
        self.assertTrue(self.said.blocks and self.said.height, "nothing was acknowledged")
        self.figures["blocks"] += len(self.said.blocks)
        self.figures["payments"] += sum(map(len, self.said.chains)) - COINS
        self.loads.stop()
        blocks, *root = killing.replay(self.witness)
        self.assertIn(self.witness.rpc("getblockchaininfo")["stateroot"], root)
        self.figures["blocks replayed"] += blocks
        self.end()

    # --- all ---

    def test_cuts(self):
        start, state = time.monotonic(), self.resumed()
        for (way, fs), sizes in CUTS.items():
            name = f"{way} {fs}"
            while state["done"].get(name, 0) < sizes[FULL]:
                if time.monotonic() - start > SECONDS:
                    break
                done = state["done"].get(name, 0)
                size = min(BATCH, sizes[FULL] - done)
                self.figures = collections.Counter()
                self.batch(way, fs, size, f"{state['seed']} {name} {done}")
                state["done"][name] = done + size
                figures = collections.Counter(state["figures"]) + self.figures
                state["figures"] = dict(figures)
                if FULL:
                    with open(STATE, "w", encoding="ascii") as f:
                        json.dump(state, f)
        print(f"cuts survived: {state['done']}; {state['figures']}; lost 0", file=sys.stderr)
        self.assertGreater(state["figures"].get("cuts", 0), 0, "no power was cut")
        self.assertGreater(state["figures"].get("payments", 0), 0)

    def resumed(self):
        state = {"seed": SEED, "done": {}, "figures": {}}
        if FULL and os.path.exists(STATE):
            with open(STATE, encoding="ascii") as f:
                state = json.load(f)
            if sum(state["done"].values()) >= sum(sizes[1] for sizes in CUTS.values()):
                state = {"seed": SEED, "done": {}, "figures": {}}
        print(f"\nRC_TEST_SEED={state['seed']}, done before: {state['done']}", file=sys.stderr)
        return state

    def test_controls(self):
        """Without syncs the same cuts lose, by both ways and on both file systems."""
        for way, fs in CUTS:
            lost = []
            for i in range(CONTROLS):
                self.begin(way, fs, f"{SEED} control {way} {fs} {i}", nosync=True)
                try:
                    self.cut(way)
                # What half of it is there breaks in many ways; all of them are losses.
                except (AssertionError, RpcError, OSError,
                        harness.http.client.HTTPException) as error:
                    lost.append(str(error).splitlines()[0])
                self.drop()
            print(f"control {way} {fs}: lost {len(lost)} of {CONTROLS} ({lost[:1]})", file=sys.stderr)
            self.assertTrue(lost, f"{way} {fs}: nothing was lost without a sync; the test shows nothing")


WRITER = """
import os
n, f = 0, os.open(os.environ["DISK"] + "/numbers", os.O_WRONLY | os.O_CREAT, 0o600)
while True:
    os.write(f, b"%d\\n" % n)
    os.fdatasync(f)
    print(n, flush=True)
    n += 1
"""
CHECK = """
import os, sys
def numbers(path):
    return open(path).read().split() if os.path.exists(path) else []
said, there = numbers(os.environ["SAID"])[:-1], numbers(os.environ["DISK"] + "/numbers")
assert said, "nothing was said"
sys.exit(4 if there[:len(said)] != said else 0)
"""


class Tool(unittest.TestCase):
    """powercut.py by its command line: what a program synced is there, and without syncs it isn't."""

    def powercut(self, *args):
        return subprocess.run(
            [sys.executable, powercut.__file__, *args, "--after", "2", "--check",
             f"{sys.executable} -c '{CHECK}'", "--", sys.executable, "-c", WRITER],
            check=False, timeout=120 * SLOW).returncode

    def test_command(self):
        for way, fs in CUTS:
            with self.subTest(way=way, fs=fs):
                self.assertEqual(self.powercut("--way", way, "--fs", fs), 0)
                self.assertEqual(self.powercut("--way", way, "--fs", fs, "--nosync"), 4)


if __name__ == "__main__":
    harness.main()
