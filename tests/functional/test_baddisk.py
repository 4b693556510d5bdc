#!/usr/bin/python3
"""State directories that aren't ours, damaged files, a full disk: one clear line (who, what, what
to do), the right exit code, no change; and what was acknowledged is there when the cause is gone."""
import ctypes
import os
import shutil
import socket
import subprocess

import harness
from harness import BIN, DAEMONS, SLOW, RpcError, wait_for
from purse import RUST, Purse

CLONE_NEWNS = 0x20000
FAILURE, UNAVAILABLE, IO, NOPERM, CONFIG = 1, 69, 74, 77, 78
STATEFUL = ("utxod", "chaind", "peerd")


def content(path):
    with open(path, "rb") as f:
        return f.read()


def put(path, data):
    with open(path, "wb") as f:
        f.write(data)


def flipped(data, at):
    """data with one bit changed; at counts from the end when negative."""
    at %= len(data)
    return data[:at] + bytes([data[at] ^ 0x40]) + data[at + 1:]


def tree(folder, databases=True):
    """{path: bytes} of a directory, without what every start writes: the lock's pid, the databases'
    own log of words, and the databases themselves where opening them came first."""
    return {os.path.join(at, name): content(os.path.join(at, name))
            for at, _, names in os.walk(folder) for name in names
            if name not in ("lock", "LOCK") and not name.startswith("LOG")
            and (databases or at == folder)}


class BadDisk(harness.TestCase):
    def refused(self, node, daemon, code, *words, user=None, databases=True):
        """The daemon doesn't start, says why in one line, and its directory is as it was."""
        state = os.path.join(node.home, daemon)
        before = tree(state, databases)
        p = subprocess.run(node.command(daemon), stdin=subprocess.DEVNULL, text=True, user=user,
                           stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=60 * SLOW)
        lines = [line for line in p.stderr.splitlines()
                 if " notice: " not in line and " info: " not in line]
        self.assertEqual((p.returncode, len(lines)), (code, 1), f"{daemon}: {p.stderr}")
        for word in (daemon, *words):
            self.assertIn(word, lines[0])
        self.assertTrue(tree(state, databases) == before, f"{daemon} changed its directory")

    def mined(self, blocks=12):
        """A stopped node with some blocks, an address book and a payment in the pool."""
        node, purse = self.node(), Purse("disk")
        node.rpc("generatetoaddress", blocks, purse.address)
        self.txid = node.rpc("sendrawtransaction", purse.pay(node, purse.address, RUST).hex())
        node.rpc("addnode", "127.0.0.1:1", "add")
        node.rpc("setban", "192.0.2.1", "add")
        tip = node.tip()
        node.stop()
        return node, tip

    def comes_back(self, node, tip):
        node.start().wait_ready()
        self.assertEqual(node.tip(), tip)
        self.assertEqual(node.rpc("getrawmempool"), [self.txid])

    def test_not_ours(self):
        """A directory of another daemon, another network, a newer or older format, and no one's."""
        node, tip = self.mined()
        for daemon in STATEFUL:
            path = os.path.join(node.home, daemon, "format")
            good = content(path)
            network = good.split()[5]
            fields = dict(zip(good.split()[::2], good.split()[1::2]))
            self.assertEqual(fields[b"daemon"], daemon.encode())
            version = int(fields[b"format"])
            for bad, code, words in (
                    (good.replace(network, b"00" * 32), CONFIG, ["network", "statedir"]),
                    (good.replace(b"format %d" % version, b"format %d" % (version + 1)), CONFIG,
                     ["newer", f"format {version + 1}"]),
                    (good.replace(b"format %d" % version, b"format 0"), CONFIG, ["older"]),
                    (good.replace(daemon.encode(), b"rpcd"), CONFIG, ["rpcd", "statedir"]),
                    (b"", CONFIG, ["not a format file", "statedir"]),
                    (os.urandom(300), CONFIG, ["not a format file"]),
                    (good * 100, CONFIG, ["format"])):
                with self.subTest(daemon=daemon, bad=bad[:80]):
                    put(path, bad)
                    self.refused(node, daemon, code, path, *words)
            os.unlink(path)
            os.mkdir(path)
            self.refused(node, daemon, FAILURE, path, "not a regular file")
            os.rmdir(path)
            put(path, good)
        self.comes_back(node, tip)

    def test_damaged_files(self):
        node, tip = self.mined()
        for daemon, name, places in (("peerd", "link_key", (0, 8, 20, 60, -1)),
                                     ("peerd", "bans", (0, 8, -1)),
                                     ("chaind", "mempool.journal", (0, 4, 10))):
            path = os.path.join(node.home, daemon, name)
            good = content(path)
            for bad in [flipped(good, at) for at in places]:
                put(path, bad)
                self.refused(node, daemon, CONFIG, path, databases=daemon == "peerd")
            put(path, good)
        self.comes_back(node, tip)

    def test_damaged_coins(self):
        """A disk that returns other bytes than were written ends utxod with 74, at a mere question
        too: it may not go on serving from such a disk."""
        node, purse = self.node(options={"utxod": {"flush_changes": 100}}), Purse("disk")
        blocks = node.rpc("generatetoaddress", 250, purse.address)
        coins = [node.rpc("getblock", block)["tx"][0] for block in blocks[:60]]
        wait_for("flushed", lambda: node.metrics_of("utxod")["rustycoin_utxod_flushed_height"] > 100)
        node.stop()
        state = os.path.join(node.home, "utxod", "state")
        for name in os.listdir(state):
            if name.endswith(".sst") and os.path.getsize(os.path.join(state, name)) > 8192:
                path = os.path.join(state, name)
                put(path, flipped(content(path), 40))   # a block of coins alone
        node.start().wait_ready()
        with self.assertRaises(RpcError):
            for coin in coins:
                self.assertIsNotNone(node.rpc("gettxout", coin, 0))
        self.assertEqual(node.processes.pop("utxod").wait(30 * SLOW), IO)
        with open(node.log_path("utxod"), encoding="utf-8") as f:
            self.assertIn("ends at once (74)", f.read().splitlines()[-1])

    def test_damaged_journal(self):
        """A damaged record costs its transaction and a warning, no start."""
        node, tip = self.mined()
        path = os.path.join(node.home, "chaind", "mempool.journal")
        good = content(path)
        put(path, flipped(good, -20) + good[37:])
        self.comes_back(node, tip)
        self.assertIn("damaged in 1 place", node.logs())
        node.stop()
        put(path, good + good[37:60])    # a write that a power cut ended
        self.comes_back(node, tip)

    def test_damaged_book(self):
        """The address book is a convenience: kept aside, begun anew, told."""
        node, tip = self.mined()
        path = os.path.join(node.home, "peerd", "addresses")
        put(path, os.urandom(500))
        bad = content(path)
        self.comes_back(node, tip)
        self.assertIn("addresses.damaged", node.logs())
        self.assertEqual(content(path + ".damaged"), bad)

    def test_damaged_databases(self):
        node, tip = self.mined()
        for daemon, folder in (("utxod", "log"), ("utxod", "state"), ("chaind", "blocks")):
            path = os.path.join(node.home, daemon, folder)
            keep = path + ".keep"
            shutil.copytree(path, keep)
            for name in sorted(os.listdir(path)):
                if name.startswith("MANIFEST") or name == "CURRENT":
                    good = content(os.path.join(path, name))
                    put(os.path.join(path, name), flipped(good, 8))
                    self.refused_database(node, daemon, path)
                    shutil.rmtree(path)
                    shutil.copytree(keep, path)
            shutil.rmtree(keep)
        self.comes_back(node, tip)

    def refused_database(self, node, daemon, path):
        p = subprocess.run(node.command(daemon), stdin=subprocess.DEVNULL, text=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=60 * SLOW)
        lines = [line for line in p.stderr.splitlines() if " err: " in line or " crit: " in line]
        self.assertIn(p.returncode, (CONFIG, IO), p.stderr)
        self.assertEqual(len(lines), 1, p.stderr)
        self.assertIn(path, lines[0])

    def test_unreadable(self):
        """Files that belong to somebody else: a daemon of another user, a client without rights."""
        if os.geteuid():
            self.skipTest("needs root to become somebody else")
        node = self.node()
        os.chmod(self.home, 0o755)
        os.chmod(node.home, 0o755)
        for command, code, word in (
                (["rusty-cli", "--datadir", node.home, "uptime"], NOPERM, "cookie"),
                (["rusty-cli", "--rpc-url", f"http://127.0.0.1:{node.rpc_port}", "--cookie",
                  node.cookie, "uptime"], NOPERM, "cookie")):
            p = subprocess.run([os.path.join(BIN, command[0]), *command[1:]], text=True, timeout=60,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, user=65534, group=65534, extra_groups=[])
            self.assertEqual((p.returncode, p.stdout), (code, ""), p.stderr)
            self.assertIn(word, p.stderr)
        node.stop()
        path = os.path.join(node.home, "none.conf")
        os.chmod(path, 0)
        for daemon in DAEMONS:
            self.refused(node, daemon, CONFIG, path, "ermission denied", user=65534)


class FullDisk(BadDisk):
    """Each daemon's directory on a small file system of its own, seen by nobody else."""
    test_not_ours = test_damaged_files = test_damaged_journal = test_damaged_book = None
    test_damaged_databases = test_unreadable = None

    @classmethod
    def setUpClass(cls):
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(CLONE_NEWNS):
            raise harness.unittest.SkipTest("needs the right to make a mount namespace")
        subprocess.run(["mount", "--make-rprivate", "/"], check=True)

    def small(self, path, megabytes):
        os.makedirs(path, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700", "tmpfs", path],
                       check=True)
        # In reverse: what tearDown couldn't remove, since something was mounted there, goes after all.
        self.addCleanup(shutil.rmtree, self.home, ignore_errors=True)
        self.addCleanup(subprocess.run, ["umount", "-l", path], check=False)

    def fill(self, path):
        """Not one page is left."""
        filler = os.path.join(path, "filler")
        with open(filler, "wb", buffering=0) as f:
            for size in (1 << 20, 4096):
                try:
                    while True:
                        f.write(bytes(size))
                except OSError:
                    pass
        return filler

    def ended(self, node, daemon, code):
        process = node.processes.pop(daemon)
        self.assertEqual(process.wait(30 * SLOW), code, node.logs())
        with open(node.log_path(daemon), encoding="utf-8") as f:
            lines = f.read().splitlines()
        told = [line for line in lines if " crit: " in line or " err: " in line]
        self.assertTrue(told, "\n".join(lines))
        self.assertIn("o space left", told[-1])
        return told[-1]

    def full_while_running(self, daemon, megabytes, work):
        """A node whose daemon meets the full disk, then refuses a start, then is there again."""
        node, purse = self.node(start=False), Purse("full")
        state = os.path.join(node.home, daemon)
        self.small(state, megabytes)
        node.start().wait_ready()
        node.rpc("generatetoaddress", 12, purse.address)
        self.txid = node.rpc("sendrawtransaction", purse.pay(node, purse.address, RUST).hex())
        filler = self.fill(state)
        known = [node.tip()]
        node.client.close()
        node.client.timeout = 3 * SLOW    # a call is held while its daemon is away

        def dead():
            try:
                work(node, purse, known)
            except (OSError, RpcError):
                pass
            return node.processes[daemon].poll() is not None
        wait_for("the disk is met", dead, 60)
        self.assertIn(state, self.ended(node, daemon, IO))
        node.check_alive()
        node.start(daemon)
        self.ended(node, daemon, IO)
        os.unlink(filler)
        node.start(daemon)
        node.client.close()
        node.client.timeout = 60 * SLOW
        node.wait_ready()
        for block in known:
            self.assertGreaterEqual(node.rpc("getblockheader", block)["confirmations"], 1)
        return node, purse

    @staticmethod
    def mine(node, purse, known):
        known.extend(node.rpc("generatetoaddress", 1, purse.address))

    def test_utxod(self):
        self.full_while_running("utxod", 256, self.mine)

    def test_chaind(self):
        self.full_while_running("chaind", 256, self.mine)

    def test_chaind_pool(self):
        """The pool's journal: what was acknowledged is in the pool afterwards."""
        sent = []

        def pay(node, purse, _):
            sent.append(node.rpc("sendrawtransaction",
                                 purse.pay(node, purse.address, RUST + len(sent)).hex()))
        node, _ = self.full_while_running("chaind", 256, pay)
        pool = node.rpc("getrawmempool")
        for txid in sent + [self.txid]:
            self.assertIn(txid, pool)

    def test_peerd(self):
        """peerd's files are small things: what can't be kept is refused, the links go on."""
        node = self.node(start=False)
        state = os.path.join(node.home, "peerd")
        self.small(state, 1)
        filler = self.fill(state)
        node.start("peerd")
        self.ended(node, "peerd", IO)
        os.unlink(filler)
        self.assertNotIn("link_key", os.listdir(state))
        node.start().wait_ready()
        filler = self.fill(state)
        before = tree(state)
        with self.assertRaises(RpcError) as caught:
            node.rpc("setban", "192.0.2.1", "add")
        self.assertIn("o space left", str(caught.exception))
        self.assertEqual(node.rpc("listbanned"), [])
        self.assertEqual(tree(state), before)
        os.unlink(filler)
        node.rpc("setban", "192.0.2.1", "add")
        node.restart("peerd")
        wait_for("the ban", lambda: len(node.rpc("listbanned")) == 1)

    def test_rpcd_run_directory(self):
        node = self.node(start=False)
        self.small(node.rundir, 1)
        filler = self.fill(node.rundir)
        node.start("rpcd")
        self.ended(node, "rpcd", IO)
        os.unlink(filler)
        node.start().wait_ready()


if __name__ == "__main__":
    harness.main()
