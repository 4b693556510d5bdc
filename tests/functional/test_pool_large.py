#!/usr/bin/python3
"""A pool of some thousand transactions, brought by a peer: listed whole, kept over a kill."""
import os
import sys

import harness

sys.path.insert(0, os.path.join(harness.TOP, "tests", "bench"))
from pairs import Driver  # noqa: E402

PAYMENTS = 2500     # more than two parts of a list
RECORD_HEAD = 25    # of a record of the journal: magic, length, check, time, flags


class PoolLarge(harness.TestCase):
    def test_fill_list_kill(self):
        node = self.node()
        journal = os.path.join(node.home, "chaind", "mempool.journal")
        with Driver("tx_peer") as peer:
            peer("open", node.rundir, node.port)
            peer("fund", 2 * PAYMENTS)
            before = os.path.getsize(journal)
            each = peer("sign", PAYMENTS)["bytes_each"]
            self.assertEqual(peer("send", PAYMENTS)["count"], PAYMENTS)
        txids = node.rpc("getrawmempool")
        self.assertEqual(len(txids), PAYMENTS)
        self.assertEqual(len(set(txids)), PAYMENTS)
        verbose = node.rpc("getrawmempool", True)
        self.assertEqual(set(verbose), set(txids))
        self.assertEqual(node.rpc("getmempoolinfo")["size"], PAYMENTS)

        # What a peer brought is in the journal milliseconds later; then a kill loses none of it.
        size = before + PAYMENTS * (RECORD_HEAD + each)
        harness.wait_for("all in the journal", lambda: os.path.getsize(journal) == size)
        node.restart("chaind", kill=True)
        node.wait_ready()
        harness.wait_for("the pool filled again",
                         lambda: node.rpc("getmempoolinfo")["size"] == PAYMENTS)
        self.assertEqual(set(node.rpc("getrawmempool")), set(txids))


if __name__ == "__main__":
    harness.main()
