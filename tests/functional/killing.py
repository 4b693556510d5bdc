"""What a test of kills needs: loads that go on over the kills, moments at which work is in flight,
and the replay of a node's chain by the reference implementation."""
import os
import signal
import threading
import time

import harness
from harness import SLOW, RpcError, wait_for
from purse import shown, unshown
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
        self.winning = threading.Event()
        self.thread = threading.Thread(target=self.submit, daemon=True)
        self.thread.start()
        assert self.winning.wait(60 * SLOW), "the branch isn't submitted"

    @staticmethod
    def branch(node, other):
        """(height, bytes) of the blocks of other that node hasn't got, in order."""
        blocks, block = [], other.tip()
        while True:
            try:
                if node.rpc("getblockheader", block)["status"] != "headers-only":
                    return blocks[::-1]
            except RpcError as error:
                if error.code != -5:
                    raise
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
        except MISSED:
            pass        # its node was killed; the network brings what is missing
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
