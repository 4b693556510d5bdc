#!/usr/bin/python3
"""Requests at a steady rate, whatever becomes of the answers: each is sent in its turn, on a kept
connection that is free or on a new one, and not sent again. A program of its own, so that what a
test does meanwhile doesn't hold it up.

    load = Steady(port, authorization, 500, kinds)      # starts it
    load.status()                                       # {"sent": …, "waiting": …, …}
    report = load.end()                                 # the same, of all, with what failed

kinds: a list of {"name", "every": one in so many requests, "method", "params"} and what has to be
answered: "result"; "least", a number that it must reach; "holds", what an object must have; none of
them: anything but an error. With "each", a list of {"params", "result"}, every request takes the
next one, and the kind ends with the list; "in_order": each is answered before the next is sent, and
one that broke off is sent again, when it may be answered by "again", too.

Times are seconds of the monotonic clock, which all processes share.
"""
import asyncio
import json
import os
import subprocess
import sys
import time

ANSWER_SECONDS = 120        # beyond, an answer counts as missing
SLOWEST_TOLD = 2000         # latencies above LONG that are told, with their times
LONG = 0.2


class Steady:
    """The program, seen by a test."""

    def __init__(self, port, authorization, rate, kinds):
        self.process = subprocess.Popen([sys.executable, os.path.abspath(__file__)], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.tell({"port": port, "authorization": authorization, "rate": rate, "kinds": kinds})

    def tell(self, what):
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()

    def status(self):
        self.tell("status")
        return json.loads(self.process.stdout.readline())

    def end(self):
        """No further requests; the report when all are answered."""
        self.tell("end")
        report = json.loads(self.process.stdout.readline())
        self.kill()
        return report

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class Connection:
    def __init__(self, opened, reader, writer):
        self.opened, self.reader, self.writer = opened, reader, writer

    async def ask(self, head, body):
        self.writer.write(head % len(body) + body)
        answer = await self.reader.readuntil(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in
                      answer.decode("latin-1").split("\r\n")[1:] if line)
        fields = {name.lower(): value for name, value in fields.items()}
        data = await self.reader.readexactly(int(fields["content-length"]))
        return answer.split(b" ", 2)[1], data, fields.get("connection", "").lower() != "close"

    def usable(self):
        return not self.reader.at_eof() and not self.writer.is_closing()


class Load:
    def __init__(self, port, authorization, rate, kinds):
        self.port, self.rate, self.kinds = port, rate, kinds
        self.head = (f"POST / HTTP/1.1\r\nHost: x\r\nAuthorization: {authorization}\r\n"
                     "Content-Length: %d\r\n\r\n").encode()
        self.free, self.tasks, self.ending = [], set(), False
        self.count = {"sent": 0, "answered": 0, "late": 0.0, "connections": 0}
        self.done = {kind["name"]: [] for kind in kinds}
        self.wrong, self.broken, self.slow, self.times = [], [], [], []

    async def connection(self):
        while self.free:
            connection = self.free.pop()
            if connection.usable():
                return connection
            connection.writer.close()
        self.count["connections"] += 1
        opened = time.monotonic()
        return Connection(opened, *await asyncio.open_connection("127.0.0.1", self.port,
                                                                 limit=1 << 22))

    @staticmethod
    def right(one, data, status):
        try:
            answer = json.loads(data)
        except ValueError:
            return f"HTTP {status}: {data[:200]!r}"
        result, error = answer.get("result"), answer.get("error")
        if error is not None:
            return f"HTTP {status}: {json.dumps(error)}"
        if "result" in one and result not in (one["result"], one.get("again")):
            return f"answered {json.dumps(result)[:200]}, not {json.dumps(one['result'])[:200]}"
        if "least" in one and not (isinstance(result, int) and result >= one["least"]):
            return f"answered {json.dumps(result)[:200]}, less than {one['least']}"
        if "holds" in one and not (isinstance(result, dict) and
                                   one["holds"].items() <= result.items()):
            return f"answered {json.dumps(result)[:200]}, without {one['holds']}"
        return None

    async def one(self, kind, number, one):
        """Sends one; what became of it goes to where that is counted."""
        await self.send(kind, number, one)
        kind["out"] = False
        if kind.get("in_order") and number not in self.done[kind["name"]][-1:]:
            kind["next"] = number
            one["again"] = kind["again"]

    async def send(self, kind, number, one):
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": kind["method"],
                           "params": one["params"]}).encode()
        sent = time.monotonic()
        try:
            connection = await self.connection()
            status, data, kept = await asyncio.wait_for(connection.ask(self.head, body),
                                                        ANSWER_SECONDS)
        except (OSError, EOFError, asyncio.TimeoutError) as error:
            self.broken.append({"kind": kind["name"], "number": number, "sent": sent,
                                "at": time.monotonic(), "text": repr(error)})
            return
        took = time.monotonic() - sent
        self.times.append(took)
        if took > LONG:
            self.slow.append([kind["name"], sent, took])
        wrong = self.right(one, data, status)
        if wrong:
            self.wrong.append({"kind": kind["name"], "number": number, "sent": sent,
                               "at": sent + took, "status": int(status), "text": wrong})
        else:
            self.done[kind["name"]].append(number)
        self.count["answered"] += 1
        if kept:
            self.free.append(connection)
        else:
            connection.writer.close()

    def next_of(self, i):
        """The kind whose turn it is: the rarest first; each takes its places evenly."""
        for kind in self.kinds:
            if i % kind["every"] == kind.get("at", 0) and not (
                    kind.get("out") and kind.get("in_order")) and (
                    "each" not in kind or kind.setdefault("next", 0) < len(kind["each"])):
                number = kind.get("next", 0)
                kind["next"] = number + 1
                kind["out"] = True
                return kind, number, kind["each"][number] if "each" in kind else kind
        raise AssertionError("no kind takes every request")

    async def pace(self):
        self.began = time.monotonic()
        while not self.ending:
            due = self.began + self.count["sent"] / self.rate
            wait = due - time.monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
            else:
                self.count["late"] = max(self.count["late"], -wait)
                if not self.count["sent"] % 20:
                    await asyncio.sleep(0)
            task = asyncio.create_task(self.one(*self.next_of(self.count["sent"])))
            self.count["sent"] += 1
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
        self.ended = time.monotonic()

    def status(self):
        return {**self.count, "waiting": len(self.tasks), "wrong": self.wrong,
                "n_broken": len(self.broken)}

    def report(self):
        times = sorted(self.times)
        return {**self.status(), "seconds": self.ended - self.began, "broken": self.broken,
                "done": self.done, "slow": sorted(self.slow, key=lambda s: -s[2])[:SLOWEST_TOLD],
                "p50": times[len(times) // 2], "p99": times[len(times) * 99 // 100],
                "most": times[-1]}


async def main():
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader(limit=1 << 28)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    load = Load(**json.loads(await lines.readline()))
    pace = asyncio.create_task(load.pace())
    while True:
        line = await lines.readline()
        if not line or json.loads(line) == "end":
            break
        print(json.dumps(load.status()), flush=True)
    load.ending = True
    await pace
    while load.tasks:
        await asyncio.wait(load.tasks)
    print(json.dumps(load.report()), flush=True)

if __name__ == "__main__":
    asyncio.run(main())
