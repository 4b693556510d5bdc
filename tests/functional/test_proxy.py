#!/usr/bin/python3
"""Everything a node dials goes through a SOCKS5 proxy: a real one (microsocks), one that ends and comes
back, and ones that answer wrongly, by halves, slowly or never."""
import shutil
import signal
import socket
import subprocess
import threading
import unittest

import harness
from harness import wait_for, wait_same_tip
from purse import Purse

QUIET = {"peerd": {"outbound": "0", "block_only": "0"}}


def links(node):
    return [p for p in node.rpc("getpeerinfo") if p["state"] == "ready"]


class Proxy:
    """A SOCKS5 proxy that can be told to misbehave; counts what it was asked."""

    def __init__(self):
        self.mode = "good"
        self.asked, self.users, self.open = 0, [], []
        self.server = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.server.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            self.open.append(client)
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        try:
            self.asked += 1
            getattr(self, self.mode)(client)
        except OSError:
            pass

    @staticmethod
    def take(client, n):
        data = b""
        while len(data) < n:
            more = client.recv(n - len(data))
            if not more:
                raise OSError
            data += more
        return data

    def greeting(self, client):
        _, n = self.take(client, 2)
        methods = self.take(client, n)
        if 2 in methods:
            client.sendall(b"\5\2")
            _, n = self.take(client, 2)
            user = self.take(client, n)
            self.users.append((user, self.take(client, self.take(client, 1)[0])))
            client.sendall(b"\1\0")
        else:
            client.sendall(b"\5\0")

    def target(self, client):
        head = self.take(client, 4)
        assert head == b"\5\1\0\1", head
        ip = socket.inet_ntoa(self.take(client, 4))
        return ip, int.from_bytes(self.take(client, 2), "big")

    def good(self, client):
        self.greeting(client)
        other = socket.create_connection(self.target(client))
        self.open.append(other)
        client.sendall(b"\5\0\0\1\0\0\0\0\0\0")

        def copy(a, b):
            try:
                while data := a.recv(65536):
                    b.sendall(data)
            except OSError:
                pass
            for s in (a, b):
                try:
                    s.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        threading.Thread(target=copy, args=(other, client), daemon=True).start()
        copy(client, other)

    def closes(self, client):
        client.close()

    def nonsense(self, client):
        client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    def half(self, client):
        self.greeting(client)
        self.target(client)
        client.sendall(b"\5\0\0\1\0\0\0")

    def silent(self, client):
        self.take(client, 1 << 20)

    def slow(self, client):
        for byte in b"\5\0\5\0\0\3\xff" + bytes(257):
            client.sendall(bytes([byte]))
            if client.recv(1) == b"":
                return

    def refuses(self, client):
        self.greeting(client)
        self.target(client)
        client.sendall(b"\5\5\0\1\0\0\0\0\0\0")

    def floods(self, client):
        self.greeting(client)
        self.target(client)
        client.sendall(b"\5\0\0\1\0\0\0\0\0\0")
        while True:
            client.sendall(bytes(65536))

    def close(self):
        self.server.close()
        for s in self.open:
            s.close()


class ThroughAProxy(harness.TestCase):
    def start_proxy(self, port):
        process = subprocess.Popen(["microsocks", "-i", "127.0.0.1", "-p", str(port)],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(self.end_proxy, process)

        def answers():
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", port)) == 0
        wait_for("the proxy", answers)
        return process

    @staticmethod
    def end_proxy(process):
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            process.wait()

    @unittest.skipUnless(shutil.which("microsocks"), "microsocks is not installed (make deps)")
    def test_a_real_one(self):
        port = harness.free_port()
        proxy = self.start_proxy(port)
        b = self.node("b", options=QUIET)
        a = self.node("a", start=False, options={"peerd": {
            **QUIET["peerd"], "proxy": f"127.0.0.1:{port}", "addnode": b.address,
            "retry_max": "1", "listen": []}})
        a.start()
        a.wait_ready()
        wait_for("a link", lambda: links(a) and links(b))
        b.rpc("generatetoaddress", 20, Purse("proxy").address)
        wait_same_tip([a, b])
        with socket.socket() as s:  # behind a proxy nothing is listened at
            self.assertNotEqual(s.connect_ex(("127.0.0.1", a.port)), 0)
        self.assertEqual(b.rpc("getnodeaddresses", 0), [])  # nor told to who is dialled
        self.end_proxy(proxy)
        wait_for("no link", lambda: not links(a) and not links(b), 60)
        wait_for("it says so", lambda: f"the proxy 127.0.0.1:{port}: Connection refused" in a.logs())
        self.start_proxy(port)
        wait_for("a link again", lambda: links(a) and links(b), 60)
        a.check_alive()

    def test_hostile_ones(self):
        proxy = Proxy()
        self.addCleanup(proxy.close)
        b = self.node("b", options=QUIET)
        a = self.node("a", start=False, options={"peerd": {
            **QUIET["peerd"], "proxy": proxy.address, "proxy_isolate": "yes",
            "addnode": b.address, "retry_max": "1", "dial_timeout": "1", "handshake_timeout": "1"}})
        proxy.mode = "closes"
        a.start()
        a.wait_ready()
        for mode in ("closes", "nonsense", "half", "silent", "slow", "refuses", "floods"):
            proxy.mode = mode
            before = proxy.asked
            wait_for(f"dials with a proxy that {mode}", lambda: proxy.asked >= before + 2, 60)
            self.assertEqual(links(a), [])
            a.check_alive()
        proxy.mode = "good"
        wait_for("a link", lambda: links(a) and links(b), 60)
        # Each dial has a user and a password of its own.
        self.assertGreater(len(proxy.users), 3)
        self.assertEqual(len(set(proxy.users)), len(proxy.users))


if __name__ == "__main__":
    harness.main()
