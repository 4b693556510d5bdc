"""The scripted run of a node that faults of its disk are put into, and what is right after it.

The blocks and payments are made once, so the same script ends at the same tip, state root, pool and
coins, whatever went wrong on the way: that is what each run is compared with.
"""
import os
import re
import shutil
import subprocess
import threading
import time

import harness
import powercut
from harness import DAEMONS, SLOW, RpcError
from purse import RUST, Purse

LIMIT_SECONDS = 10 * SLOW       # what takes longer hangs
FUND_BLOCKS, FAN_OUT = 24, 80
BANNED = ("192.0.2.1/32", "192.0.2.2/32")
# A call is held only so long while its daemon is away; flushes come early; a small write buffer.
OPTIONS = {"rpcd": {"hold_ms": 300}, "utxod": {"flush_changes": 30, "cache_mb": 16},
           "chaind": {"cache_mb": 1}}
GIVE_UP_SECONDS = 0.2
MISSED = (RpcError, OSError, harness.http.client.HTTPException)
# A line that tells an operator of it.
TOLD = re.compile(r" (warning|err|crit): ")


class Wrong(AssertionError):
    """Something that may not happen, whatever the disk does."""


class FaultNode(harness.Node):
    """A node of which each daemon can be given an environment; .set_up(state) begins it anew."""

    def __init__(self, home, name):
        super().__init__(home, name, options={d: dict(OPTIONS.get(d, {})) for d in DAEMONS})
        self.extra = {}
        self.client.timeout = LIMIT_SECONDS

    def popen(self, command, **settings):
        extra = self.extra.get(os.path.basename(command[0]), {})
        return subprocess.Popen(command, env=dict(os.environ, **extra),
                                preexec_fn=powercut.die_with_parent, **settings)

    def state(self, daemon):
        return os.path.join(self.home, daemon)

    def set_up(self, state):
        """Nothing runs, no log is there, the state directories are copies of those in state."""
        self.end()
        self.client.close()
        self.extra = {}
        shutil.rmtree(self.rundir)
        os.mkdir(self.rundir, 0o755)
        for daemon in DAEMONS:
            shutil.rmtree(self.state(daemon), ignore_errors=True)
            if os.path.exists(self.log_path(daemon)):
                os.unlink(self.log_path(daemon))
            if state and os.path.isdir(os.path.join(state, daemon)):
                shutil.copytree(os.path.join(state, daemon), self.state(daemon))
        return self

    def call(self, daemon, *question):
        """As rpc(), but given up when that daemon ends: nobody starts it again here."""
        if daemon is None:
            return self.rpc(*question)
        results, client = [], self.client

        def ask():
            try:
                results.append((client.call(*question), None))
            except MISSED as error:
                results.append((None, error))
            if client is not self.client:
                client.close()
        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        while thread.is_alive() and self.processes[daemon].poll() is None:
            thread.join(0.005)
        thread.join(GIVE_UP_SECONDS)
        if not results:
            self.client = harness.Rpc(self.rpc_port, self.cookie)
            self.client.timeout = LIMIT_SECONDS
            raise OSError(f"{daemon} has ended")
        if results[0][1]:
            raise results[0][1]
        return results[0][0]

    def log(self, daemon):
        try:
            with open(self.log_path(daemon), encoding="utf-8", errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def told(self, daemon, since=0):
        return [line for line in self.log(daemon)[since:].splitlines() if TOLD.search(line)]

    def ended(self, daemon):
        """The exit status of a daemon that has ended, else None; it is taken off the list then."""
        process = self.processes.get(daemon)
        if process is None or process.poll() is None:
            return None
        del self.processes[daemon]
        return process.returncode

    def wait_ready_or_ended(self, daemon):
        """None when the node is ready, else how that daemon ended."""
        end = time.monotonic() + LIMIT_SECONDS
        last = None
        while time.monotonic() < end:
            status = self.ended(daemon)
            if status is not None:
                return status
            try:
                health = self.rpc("gethealth")
                if health["ready"] and self.rpc("getmempoolinfo")["loaded"]:
                    return None
                last = health["causes"]
            except MISSED as error:
                last = error
            time.sleep(0.01)
        raise Wrong(f"neither ready nor ended within {LIMIT_SECONDS} s: {last}")

    def quit(self, daemon):
        """The exit status after SIGTERM."""
        process = self.processes.pop(daemon)
        if process.poll() is None:
            process.terminate()
        try:
            return process.wait(LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise Wrong(f"{daemon} doesn't stop within {LIMIT_SECONDS} s") from None


class Script:
    """Steps, questions with their answers, and the end. folder: where states are kept."""

    def __init__(self, folder):
        self.folder = folder
        self.purse = Purse("script")
        node = FaultNode(folder, "source").set_up(None)
        try:
            self.make(node)
        finally:
            node.client.close()
            node.end()

    def make(self, node):
        """Plays it on a node of its own and keeps what came out."""
        node.start().wait_ready()
        node.rpc("generatetoaddress", FUND_BLOCKS - 2, self.purse.address)
        coins = self.purse.coins(node)
        each = (coins[-1].amount - RUST) // FAN_OUT
        fan = self.purse.spend([coins[-1]], [(self.purse.address, each)] * FAN_OUT).encode().hex()
        node.rpc("sendrawtransaction", fan)
        node.rpc("generatetoaddress", 2, self.purse.address)
        early = self.purse.spend([coins[0]], [(self.purse.address, RUST)]).encode().hex()
        node.rpc("sendrawtransaction", early)
        first = [self.block(node, h) for h in range(1, FUND_BLOCKS + 1)]
        self.prefix = [("submitblock", raw) for raw in first] + [
            ("sendrawtransaction", early), ("setban", BANNED[0], "add")]
        node.rpc("setban", BANNED[0], "add")
        self.meet(node)
        for daemon in reversed(DAEMONS):
            assert node.quit(daemon) == 0
        # A second start, so that there are tables and blob files beside the logs.
        node.start().wait_ready()
        for daemon in reversed(DAEMONS):
            assert node.quit(daemon) == 0
        self.state = os.path.join(self.folder, "state")
        for daemon in DAEMONS:
            if os.path.isdir(node.state(daemon)):
                shutil.copytree(node.state(daemon), os.path.join(self.state, daemon))
        node.start().wait_ready()
        questions = self.ask_first(node, first)
        self.steps = self.make_steps(node, coins)
        # Those whose answers the steps don't change: not the coins that they spend.
        self.questions = [q for q in questions if node.rpc(*q[0])]
        self.end = self.outcome(node)

    def meet(self, node):
        """Somebody is linked to once: the address book is written."""
        other = FaultNode(self.folder, "other").set_up(None)
        try:
            other.start().wait_ready()
            node.rpc("addnode", other.address, "add")
            harness.wait_for("a link", lambda: node.rpc("getconnectioncount"))
            harness.wait_for("an address", lambda: node.rpc("getnodeaddresses", 0))
        finally:
            other.client.close()
            other.end()

    def make_steps(self, node, coins):
        """Payments, blocks, a reorganisation of two blocks, more of both, a ban."""
        pays = [self.purse.spend([c], [(self.purse.address, RUST)]).encode().hex()
                for c in coins[1:6]]
        steps = []

        def pay(raw):
            node.rpc("sendrawtransaction", raw)
            steps.append(("sendrawtransaction", raw))

        def mine(n, tell=True):
            at = node.rpc("getblockcount")
            node.rpc("generatetoaddress", n, self.purse.address)
            raws = [("submitblock", self.block(node, h)) for h in range(at + 1, at + n + 1)]
            if tell:
                steps.extend(raws)
            return raws
        mine(1)
        pay(pays[0])
        mine(1)
        pay(pays[1])
        mine(1)
        node.rpc("invalidateblock", node.rpc("getblockhash", FUND_BLOCKS + 2))
        steps.extend(mine(3, tell=False))
        pay(pays[2])
        mine(2)
        node.rpc("setban", BANNED[1], "add")
        steps.append(("setban", BANNED[1], "add"))
        pay(pays[3])
        mine(3)
        pay(pays[4])
        return steps

    @staticmethod
    def block(node, height):
        return node.rpc("getblock", node.rpc("getblockhash", height), 0)

    @staticmethod
    def ask_first(node, blocks):
        """(question, field, answer): blocks, and coins that are unspent."""
        questions = []
        for height in range(1, FUND_BLOCKS + 1):
            block = node.rpc("getblockhash", height)
            questions.append((("getblock", block, 0), None, blocks[height - 1]))
            coin = node.rpc("getblock", block)["tx"][0]
            out = node.rpc("gettxout", coin, 0)
            if out:
                questions.append((("gettxout", coin, 0), "value_oxides", out["value_oxides"]))
        return questions

    def outcome(self, node):
        """All that must be the same at the end."""
        info = node.rpc("getblockchaininfo")
        coins = self.purse.coins(node)
        return {"tip": info["bestblockhash"], "root": info["stateroot"], "supply": info["supply"],
                "durable": info["durable"]["hash"], "pool": sorted(node.rpc("getrawmempool")),
                "coins": [(c.outpoint, c.amount) for c in coins],
                "bans": sorted(ban["address"] for ban in node.rpc("listbanned"))}

    # --- on the node that is tried ---

    def play(self, node, steps, daemon=None):
        """(what was acknowledged, what was refused); ends early when that daemon has ended."""
        said, refused = [], []
        for step in steps:
            start = time.monotonic()
            try:
                if step[0] == "setban" and any(b["address"] == step[1] for b in
                                               node.call(daemon, "listbanned")):
                    continue
                result = node.call(daemon, *step)
                if step[0] == "submitblock" and result not in (None, "duplicate"):
                    raise Wrong(f"submitblock: {result}")
                said.append(step)
            except RpcError as error:
                if step[0] == "sendrawtransaction" and error.code == -27:
                    continue
                if error.verdict:
                    raise Wrong(f"{step[0]}: a good one is judged {error.verdict}") from None
                refused.append(f"{step[0]}: {error}")
            except (OSError, harness.http.client.HTTPException) as error:
                refused.append(f"{step[0]}: {error}")
            if time.monotonic() - start > LIMIT_SECONDS:
                raise Wrong(f"{step[0]} took {time.monotonic() - start:.1f} s")
            if daemon and refused and not alive(node, daemon):
                break
        return said, refused

    def ask(self, node, daemon=None):
        """Every question: the right answer or a refusal; returns the refusals."""
        refused = []
        for question, field, answer in self.questions:
            start = time.monotonic()
            try:
                result = node.call(daemon, *question)
            except MISSED as error:
                refused.append(f"{question[0]}: {error}")
                if daemon and not alive(node, daemon):
                    break
                continue
            if (result[field] if field and result else result) != answer:
                raise Wrong(f"{question}: wrong answer {str(result)[:200]}")
            if time.monotonic() - start > LIMIT_SECONDS:
                raise Wrong(f"{question[0]} took {time.monotonic() - start:.1f} s")
        return refused

    def has(self, node, said):
        """What was acknowledged is there."""
        pool, bans = None, None
        tip = node.rpc("getblockcount")
        for step in said:
            if step[0] == "submitblock":
                header = node.rpc("submitblock", step[1])
                if header != "duplicate":
                    raise Wrong(f"an acknowledged block was lost (tip now {tip})")
            elif step[0] == "setban":
                bans = bans or [ban["address"] for ban in node.rpc("listbanned")]
                if step[1] not in bans:
                    raise Wrong("an acknowledged ban was lost")
            else:
                pool = pool or node.rpc("getrawmempool")
                txid = node.rpc("decoderawtransaction", step[1])["txid"]
                if txid not in pool and not any(
                        node.rpc("gettxout", txid, n) for n in (0, 1)):
                    raise Wrong(f"acknowledged payment {txid} was lost")

    def finish(self, node, first=()):
        """A sound node plays it to its end, which is the end of every other run."""
        _, refused = self.play(node, [*first, *self.steps])
        refused += self.ask(node)
        if refused:
            raise Wrong(f"refused after the recovery: {refused[:3]}")
        end = time.monotonic() + LIMIT_SECONDS
        while self.outcome(node) != self.end:
            if time.monotonic() > end:
                now = self.outcome(node)
                raise Wrong("another end: " + str({k: (now[k], v) for k, v in self.end.items()
                                                   if now[k] != v})[:800])
            time.sleep(0.01)


def alive(node, daemon):
    """False when it has ended, or ends within an instant: the answer may come before the end."""
    process = node.processes[daemon]
    try:
        process.wait(0.3)
        return False
    except subprocess.TimeoutExpired:
        return True
