#!/usr/bin/python3
"""The hostile peer's own link code: BOLT 8's published vectors, and both sides of both patterns."""
import json
import os
import unittest

import noise

QUICK = True
VECTORS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "vectors",
                       "bolt8", "noise-xk-secp256k1.json")


def steps_of(test, kind):
    return [bytes.fromhex(s[kind]) for s in test["steps"] if kind in s and len(s[kind]) % 2 == 0
            and all(c in "0123456789abcdef" for c in s[kind])]


class Noise(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with open(VECTORS, encoding="utf-8") as f:
            cls.vectors = json.load(f)

    def acts(self, test):
        """What our side says to the inputs, and the handshake; LinkError where they are wrong."""
        keys = {name: bytes.fromhex(value) for name, value in test["keys"].items()}
        initiator = "initiator" in test["name"]
        hands = noise.Handshake(initiator, noise.XK, keys["ls.priv"], keys["e.priv"], b"lightning",
                                keys.get("rs.pub"))
        self.assertEqual(noise.public_key(keys["e.priv"]), keys["e.pub"])
        inputs = steps_of(test, "input")
        if initiator:
            return [hands.act1(), hands.act3(inputs[0])], hands
        said = [hands.act2(inputs[0])]
        hands.finish(inputs[1])
        return said, hands

    def test_handshakes(self):
        good = bad = 0
        for test in self.vectors["handshake"]:
            with self.subTest(test["name"]):
                if any("error" in s for s in test["steps"]):
                    self.assertRaises(noise.LinkError, self.acts, test)
                    bad += 1
                    continue
                said, hands = self.acts(test)
                outputs = [s["output"] for s in test["steps"] if "output" in s]
                self.assertEqual([act.hex() for act in said], outputs[:len(said)])
                keys = outputs[-1]
                self.assertEqual((hands.send.cipher.key.hex(), hands.receive.cipher.key.hex()),
                                 (keys["sk"], keys["rk"]))
                good += 1
        self.assertEqual((good, bad), (2, 13))

    def test_records(self):
        v = self.vectors["message"]
        chain, key, payload = (bytes.fromhex(v[name]) for name in ("ck", "sk", "payload_hex"))
        seal, open_ = noise.Direction(True, key, chain), noise.Direction(False, key, chain)
        compared = 0
        for i in range(1002):
            record = seal.seal(payload)
            if str(i) in v["outputs"]:
                self.assertEqual(record.hex(), v["outputs"][str(i)])
                compared += 1
            self.assertEqual(open_.open_head(record[:noise.HEAD]), len(payload) + noise.TAG)
            self.assertEqual(open_.open_body(record[noise.HEAD:]), payload)
        self.assertEqual(compared, len(v["outputs"]))

    def test_both_patterns(self):
        for pattern in (noise.XK, noise.XX):
            a, b, ea, eb = (bytes([n]) * 32 for n in (1, 2, 3, 4))
            start = noise.prologue(bytes(32))
            dialler = noise.Handshake(True, pattern, a, ea, start,
                                      noise.public_key(b) if pattern == noise.XK else None)
            dialled = noise.Handshake(False, pattern, b, eb, start)
            act2 = dialled.act2(dialler.act1())
            act3 = dialler.act3(act2)
            dialled.finish(act3)
            self.assertEqual((dialler.remote, dialled.remote),
                             (noise.public_key(b), noise.public_key(a)))
            record = dialled.send.seal(b"hello")
            size = dialler.receive.open_head(record[:noise.HEAD])
            self.assertEqual(size, len(record) - noise.HEAD)
            self.assertEqual(dialler.receive.open_body(record[noise.HEAD:]), b"hello")


if __name__ == "__main__":
    unittest.main(verbosity=2)
