#!/usr/bin/python3
"""rusty-wallet with a real node: mined coins, payments in the pool and in blocks, a wallet restored
from its words, a node of another network."""
import json
import os
import subprocess

import harness

PASSPHRASE = "a passphrase"
RUST = 100000000


class Wallet:
    """A wallet file and the program that opens it."""

    def __init__(self, test, node, name, words=None):
        self.test, self.node, self.words = test, node, words
        self.path = os.path.join(test.home, name + ".wallet")
        if words is None:
            self.words = self.run("create", "--network", "reg")["words"]
        else:
            self.restored = self.run("restore", "--network", "reg", *self.remote(),
                                     secrets={"--passphrase-fd": PASSPHRASE, "--words-fd": words})

    def remote(self):
        return ["--rpc-url", f"http://127.0.0.1:{self.node.rpc_port}", "--cookie",
                self.node.cookie]

    def run(self, *args, secrets=None, code=0):
        """The result of a command as JSON; what it says on standard error if it fails by code."""
        fds, extra = [], []
        for option, text in (secrets or {"--passphrase-fd": PASSPHRASE}).items():
            r, w = os.pipe()
            os.write(w, text.encode() + b"\n")
            os.close(w)
            fds.append(r)
            extra += [option, str(r)]
        p = subprocess.run([os.path.join(harness.BIN, "rusty-wallet"), *args, "--json", "--wallet",
                            self.path, *extra], pass_fds=fds, stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120)
        for fd in fds:
            os.close(fd)
        self.test.assertEqual(p.returncode, code, p.stderr)
        return p.stderr if code else json.loads(p.stdout)

    def address(self):
        return self.run("address", "new")["address"]

    def balance(self):
        b = self.run("balance", *self.remote())
        return b["confirmed_oxides"], b["unconfirmed_oxides"], b["immature_oxides"]

    def send(self, *args, **how):
        return self.run("send", *args, *self.remote(), **how)


class WalletTest(harness.TestCase):
    def mine(self, node, blocks, address):
        node.rpc("generatetoaddress", blocks, address)

    def test_payments(self):
        node = self.node()
        alice = Wallet(self, node, "alice")
        bob = Wallet(self, node, "bob")
        self.mine(node, 1, alice.address())
        info = node.rpc("getblockchaininfo")
        reward = alice.balance()[2]
        self.assertGreater(reward, 0)
        self.mine(node, 8, bob.address())  # the first coin may be spent in block 11
        self.assertEqual(alice.balance(), (0, 0, reward))
        self.assertIn("mined too recently", alice.send(bob.address(), "1", code=1))
        self.mine(node, 1, bob.address())
        self.assertEqual(alice.balance(), (reward, 0, 0))

        to = bob.address()
        sent = alice.send(to, "12.5", "--fee-rate", "3")
        self.assertTrue(sent["sent"])
        self.assertEqual(sent["fee_oxides"], 3 * sent["size"])
        self.assertEqual(node.rpc("getrawmempool"), [sent["txid"]])
        self.assertEqual(alice.balance(), (0, reward - 1250000000 - sent["fee_oxides"], 0))
        # Unconfirmed change pays again; what bob was sent, unconfirmed, doesn't.
        again = alice.send(to, "1")
        self.assertEqual(again["inputs"], 1)
        self.assertEqual(sorted(node.rpc("getrawmempool")), sorted([sent["txid"], again["txid"]]))
        before = bob.balance()
        self.mine(node, 1, bob.address())
        self.assertEqual(node.rpc("getrawmempool"), [])
        self.assertEqual(bob.balance()[0] - before[0], 1350000000 + reward)
        left = alice.balance()[0]
        self.assertEqual(left, reward - 1350000000 - sent["fee_oxides"] - again["fee_oxides"])

        # Everything, and the receiver pays the fee.
        every = alice.send(to, "all")
        self.assertEqual(every["amount_oxides"], left - every["fee_oxides"])
        self.mine(node, 1, to)
        self.assertEqual(alice.balance(), (0, 0, 0))
        self.assertEqual(info["chain"], "reg")

    def test_restore(self):
        node = self.node()
        alice = Wallet(self, node, "alice")
        # Whichever coin pays, no 20 addresses in a row are left without one: an address whose coins
        # were all spent looks unused.
        addresses = [alice.address() for _ in range(25)]
        for i in (0, 12, 24):
            self.mine(node, 1, addresses[i])
        self.mine(node, 12, addresses[24])
        alice.send(addresses[5], "7")
        self.mine(node, 1, addresses[5])
        again = Wallet(self, node, "again", words=alice.words)
        self.assertEqual(again.balance(), alice.balance())
        self.assertEqual(again.run("info")["next_receive"], 25)
        self.assertEqual(len(again.run("listunspent", *again.remote())), again.restored["coins"])

    def test_node_away_and_restarted(self):
        node = self.node()
        alice = Wallet(self, node, "alice")
        address = alice.address()
        self.mine(node, 12, address)
        node.stop("rpcd")
        with open(alice.path, "rb") as f:
            before = f.read()
        alice.send(address, "1", code=69)
        with open(alice.path, "rb") as f:
            self.assertEqual(f.read(), before)
        node.start("rpcd").wait_ready()
        sent = alice.send(address, "1")
        # A payment that was answered is on disk.
        node.restart("chaind", kill=True)
        node.wait_ready()
        self.assertEqual(node.rpc("getrawmempool"), [sent["txid"]])


if __name__ == "__main__":
    harness.main()
