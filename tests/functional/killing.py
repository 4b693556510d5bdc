"""What a test of kills needs: three nodes and loads that go on over the kills, moments at which
work is in flight, and the replay of a node's chain by the reference implementation."""
import contextlib
import json
import os
import signal
import threading
import time

import harness
from harness import DAEMONS, SLOW, RpcError, wait_for, wait_same_tip
from purse import RUST, Coin, Purse, shown, unshown
from rcref.chain import Chain
from rcref.network import REG

# What says that a commit, a flush or a reorganisation is under way, by the daemons' own counters.
FLIGHT = ("chaind_commit_in_flight", "chaind_reorg_in_flight", "utxod_commit_in_flight",
          "utxod_flush_in_flight")
# Of these, what can't change while utxod is stopped: chaind waits for its answer.
HELD = FLIGHT[:2]
# Counts the questions that a picture of chaind was asked by: tells one picture from the next.
PICTURE = "rustycoin_chaind_bus_requests_total"
PICTURE_SECONDS = 5
# One question that each daemon has to answer itself.
ASKS = {"utxod": ("gettxout", "00" * 32, 0, False), "chaind": ("getblockheader",),
        "peerd": ("getnetworkinfo",), "rpcd": ("getrpcinfo",)}
MISSED = (RpcError, OSError, harness.http.client.HTTPException)
PAY_SECONDS, MINE_SECONDS = 0.1, 0.25
# A run that can be gone on with ends after so long.
RUN_SECONDS = float(os.environ.get("RC_SECONDS", "inf"))
RECHECKED = 40              # of the newest acknowledged, looked for after each kill
# A block found just as a better one arrives is stored and never judged.
KEPT = ("active", "valid", "stored")
OPTIONS = {"rpcd": {"watch_ms": 20, "hold_ms": 20000 * SLOW},
           "utxod": {"flush_changes": 40},
           "peerd": {"retry_max": 1, "relay_delay_ms": 20}}


class Load(threading.Thread):
    """Calls step until told to stop, or until it returns None; one that fails is called again.

    pause: seconds between two calls, unless it is kicked. Whoever holds the lock holds the load.
    """

    def __init__(self, step, pause):
        super().__init__(daemon=True)
        self.step, self.pause = step, pause
        self.wake, self.ending = threading.Event(), threading.Event()
        self.lock, self.done, self.failed, self.broken = threading.Lock(), 0, 0, None
        self.start()

    def run(self):
        try:
            while not self.ending.is_set():
                self.wake.wait(self.pause)
                self.wake.clear()
                with self.lock:
                    try:
                        if self.step() is None:
                            return
                        self.done += 1
                    except MISSED:
                        self.failed += 1
        except Exception as error:  # pylint: disable=broad-except
            self.broken = error

    def kick(self):
        """The next call is now."""
        self.wake.set()

    def end(self):
        self.ending.set()
        self.wake.set()

    def stop(self):
        self.end()
        self.join(120 * SLOW)
        assert not self.is_alive(), "the load doesn't end"
        self.step.client.close()
        if self.broken:
            raise self.broken


def payer(node, purse, to, coins, acknowledged):
    """Each call pays with one coin, until it is acknowledged."""
    client = harness.Rpc(node.rpc_port, node.cookie)
    waiting = []

    def step():
        if not waiting:
            if not coins:
                return None
            coin = coins.pop()
            tx = purse.sign(purse.build([coin], [(coin.amount - 1000, to.lock)]), [coin])
            waiting.append((tx.encode().hex(), shown(tx.txid)))
        raw, txid = waiting[0]
        try:
            assert client.call("sendrawtransaction", raw) == txid
        except RpcError as error:
            # acknowledged by a daemon whose answer was lost, and mined since: fine
            if error.code != -27:
                raise
        acknowledged.append(txid)
        waiting.pop()
        return True
    step.client = client
    return step


def miner(node, address, acknowledged):
    client = harness.Rpc(node.rpc_port, node.cookie)

    def step():
        acknowledged.extend(client.call("generatetoaddress", 1, address))
        return True
    step.client = client
    return step


def ask(node, daemon):
    """A question that the daemon itself must answer; true when it has."""
    method, *args = ASKS[daemon]
    if daemon == "chaind":
        args = [shown(REG.genesis.id)]
    node.rpc(method, *args)
    return True


# --- moments ---

def picture(node):
    figures = node.metrics()
    found = [name for name in FLIGHT if figures.get(f"rustycoin_{name}", 0) > 0]
    return figures.get(PICTURE), found


class Held:
    """utxod stopped in the midst of what it does. What chaind waits for stays in flight, so its
    counters can be read without haste; a kill of utxod then is one at the moment of the stop."""

    def __init__(self, node):
        self.node, self.pid = node, node.pid("utxod")
        os.kill(self.pid, signal.SIGSTOP)

    def found(self):
        """What is in flight, by a picture that chaind was asked for after the stop."""
        seen, changes = picture(self.node)[0], 0
        end = time.monotonic() + PICTURE_SECONDS * SLOW
        while time.monotonic() < end:
            number, found = picture(self.node)
            changes += number != seen
            seen = number
            if changes == 2:
                return [name for name in found if name in HELD]
            time.sleep(0.005)
        return []

    def release(self):
        process = self.node.processes.get("utxod")
        if process and process.pid == self.pid:
            os.kill(self.pid, signal.SIGCONT)


def watch(node, limit):
    """What is in flight, as soon as anything is."""
    end = time.monotonic() + limit * SLOW
    while True:
        found = picture(node)[1]
        if found or time.monotonic() > end:
            return found


class Reorganisation:
    """Two branches, the better one given to a node block by block, its last ones on a thread."""

    def __init__(self, node, other, acknowledged, address, length):
        node.rpc("setnetworkactive", False)
        wait_for("no link", lambda: not node.rpc("getconnectioncount"), 30)
        acknowledged[node.name] += node.rpc("generatetoaddress", length, address)
        acknowledged[other.name] += other.rpc("generatetoaddress", length, address)
        while other.rpc("getblockcount") <= node.rpc("getblockcount"):
            acknowledged[other.name] += other.rpc("generatetoaddress", 1, address)
        self.node, self.blocks = node, self.branch(node, other)
        self.height = node.rpc("getblockcount")
        self.winning, self.missed = threading.Event(), None
        self.thread = threading.Thread(target=self.submit, daemon=True)
        self.thread.start()
        assert self.winning.wait(60 * SLOW), "the branch isn't submitted"

    @staticmethod
    def branch(node, other):
        """(height, bytes) of the blocks of other that node hasn't judged, in order."""
        blocks, block = [], other.tip()
        while True:
            with contextlib.suppress(RpcError):     # unknown to it
                # below a stored one some may be missing: they come in any order
                if node.rpc("getblockheader", block)["status"] in ("active", "valid"):
                    return blocks[::-1]
            header = other.rpc("getblockheader", block)
            blocks.append((header["height"], other.rpc("getblock", block, 0)))
            block = header["previousblockhash"]

    def submit(self):
        client = harness.Rpc(self.node.rpc_port, self.node.cookie)
        try:
            for height, raw in self.blocks:
                if height > self.height:
                    self.winning.set()
                client.call("submitblock", raw)
        except MISSED as error:
            self.missed = error     # its node was killed; the network brings what is missing
        finally:
            self.winning.set()
            client.close()

    def end(self):
        self.thread.join(60 * SLOW)
        assert not self.thread.is_alive(), "submitblock doesn't return"
        self.node.rpc("setnetworkactive", True)


# --- the replay ---

def replay(node):
    """(blocks, state root) of a node's chain as the reference implementation computes it."""
    chain, clock = Chain(REG), int(time.time()) + 60
    tip = node.tip()
    height = node.rpc("getblockheader", tip)["height"]
    for h in range(1, height + 1):
        data = bytes.fromhex(node.rpc("getblock", node.rpc("getblockhash", h), 0))
        verdict, judged = chain.offer_block(data, clock)
        assert (verdict, [v for _, v in judged]) == ("ok", ["ok"]), (h, verdict, judged)
    assert chain.tip.id == unshown(tip), "the replay ends elsewhere"
    return height, shown(chain.state.root()), chain.state.root().hex()


# --- three nodes under load ---

class KillCase(harness.TestCase):
    """A network whose daemons are killed, and what must hold afterwards. self.purse pays."""

    def setUp(self):
        super().setUp()
        self.purse, self.loads, self.sent, self.blocks = Purse("load"), {}, {}, {}

    def network(self, nodes):
        """Starts these nodes, each linked with each."""
        for node in nodes:
            node.options = {d: {**o, **node.options.get(d, {})} for d, o in OPTIONS.items()}
            node.options["peerd"]["addnode"] = [n.address for n in nodes if n is not node]
            node.start()
        for node in nodes:
            node.wait_ready()
            wait_for("links", lambda n=node: n.rpc("getconnectioncount") >= len(nodes) - 1)
        return nodes

    def fund(self, node, n):
        """At least n confirmed coins of the purse."""
        node.rpc("generatetoaddress", 11 + n // 300, self.purse.address)
        funded = []
        for coin in self.purse.coins(node):
            each = (coin.amount - RUST) // 300
            tx = self.purse.spend([coin], [(self.purse.address, each)] * 300)
            node.rpc("sendrawtransaction", tx.encode().hex())
            funded += [Coin((tx.txid, i), each, self.purse.lock) for i in range(300)]
        self.funding = tx.encode()      # a large transaction
        while node.rpc("getrawmempool"):
            node.rpc("generatetoaddress", 1, Purse("miner").address)
        self.assertGreaterEqual(len(funded), n)
        return funded

    def start_loads(self, nodes, each):
        """Payments (each so many, one a coin) and blocks on every node."""
        coins = self.fund(nodes[0], each * len(nodes))
        wait_same_tip(nodes)
        for i, node in enumerate(nodes):
            name = node.name
            self.sent[name], self.blocks[name] = [], []
            self.loads[f"pay {name}"] = Load(payer(
                node, self.purse, Purse("paid"), coins[i::len(nodes)], self.sent[name]),
                PAY_SECONDS)
            self.loads[f"mine {name}"] = Load(miner(
                node, Purse(f"mine {name}").address, self.blocks[name]), MINE_SECONDS)

    def stop_loads(self):
        for load in self.loads.values():
            load.end()
        for load in self.loads.values():
            load.stop()

    @contextlib.contextmanager
    def quiet(self):
        """The loads stand still, but for what is being answered."""
        with contextlib.ExitStack() as stack:
            for load in self.loads.values():
                stack.enter_context(load.lock)
            yield

    def pids(self, nodes):
        for node in nodes:
            node.check_alive()
        return {(n.name, d): n.pid(d) for n in nodes for d in DAEMONS}

    def revive(self, node, daemon):
        """Starts it; the seconds until it answers."""
        start = time.monotonic()
        node.start(daemon)
        wait_for(f"{daemon} of {node.name} answers", lambda: ask(node, daemon), 30)
        took = time.monotonic() - start

        def ready():
            node.check_alive()
            health = node.rpc("gethealth")
            if not health["ready"]:
                raise OSError(str(health["causes"]))
            return True
        wait_for(f"{node.name} is ready after a kill of {daemon}", ready, 30)
        return took

    def check_node(self, node):
        """What the node has acknowledged last is there."""
        for block in self.blocks[node.name][-RECHECKED:]:
            self.assertIn(node.rpc("getblockheader", block)["status"], KEPT)
        for txid in self.sent[node.name][-RECHECKED:]:
            # a reorganisation moves it from the chain to the pool: for an instant in neither
            wait_for(f"payment {txid} on {node.name}", lambda t=txid: node.rpc("gettxout", t, 0))

    def agree(self, nodes, judge, limit=60):
        """With quiet loads: one tip on all, and the state root of judge, which never died."""
        decided = [time.monotonic()]

        def one_tip():
            tips = {n.tip() for n in nodes}
            if len(tips) == 1:
                return tips.pop()
            # branches of equal work: a block decides
            if time.monotonic() > decided[0] + 0.5 and len({n.rpc("getblockcount")
                                                            for n in nodes}) == 1:
                judge.rpc("generatetoaddress", 1, self.purse.address)
                decided[0] = time.monotonic()
            return None
        tip = wait_for("one tip on " + ", ".join(n.name for n in nodes), one_tip, limit)
        roots = {n.name: wait_for("a root", lambda n=n: n.rpc("getblockchaininfo")["stateroot"])
                 for n in nodes}
        self.assertEqual(set(roots.values()), {roots[judge.name]}, roots)
        return tip

    def check_all(self, nodes, newcomer):
        """All agree, nothing acknowledged is lost, the state is the replay's and a newcomer's."""
        for node in nodes:
            node.wait_ready()
        tip = self.agree(nodes, nodes[-1], 120)
        work = nodes[0].rpc("getblockchaininfo")["chainwork"]
        for node in nodes:
            for block in self.blocks[node.name]:
                header = node.rpc("getblockheader", block)
                self.assertIn(header["status"], KEPT)
                self.assertLessEqual(header["chainwork"], work)
            for txid in self.sent[node.name]:
                wait_for(f"payment {txid}", lambda n=node, t=txid: n.rpc("gettxout", t, 0))
        height, *root = replay(nodes[0])
        newcomer.options = {"peerd": {"addnode": [n.address for n in nodes]}}
        newcomer.start().wait_ready()
        self.assertEqual(wait_same_tip([*nodes, newcomer], 300), tip)
        for node in [*nodes, newcomer]:
            self.assertIn(wait_for("a root", lambda n=node: n.rpc(
                "getblockchaininfo")["stateroot"]), root)
        return height


class Progress:
    """What a long run has done, in a file under build/: who starts it again goes on from there."""

    def __init__(self, name, wanted):
        self.path = os.path.join(harness.TOP, os.environ.get("BUILD", "build"), f"{name}.state")
        self.state = {"wanted": wanted, "done": {}}
        try:
            with open(self.path, encoding="ascii") as f:
                state = json.load(f)
            if state["wanted"] == wanted:
                self.state = state
        except (OSError, ValueError, KeyError):
            pass

    def count(self, key):
        return self.state["done"].get(key, 0)

    def add(self, key, n=1):
        self.state["done"][key] = self.count(key) + n

    def save(self):
        with open(self.path + ".tmp", "w", encoding="ascii") as f:
            json.dump(self.state, f)
        os.replace(self.path + ".tmp", self.path)

    def end(self):
        """All is done: the next run begins anew."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
