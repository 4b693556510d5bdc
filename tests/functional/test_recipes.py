#!/usr/bin/python3
"""CONTRIBUTING's recipes: what they name exists, and following them works.

In a copy of the tree a message, an option, an RPC method, a transaction type and a metric are added
as the recipes say; the copy is built; each is called on a running node and seen in help and manual.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness  # noqa: E402

LIMIT = 1200
TOP = harness.TOP

CALLER = r"""/* Calls the message that the recipe added, and judges a transaction of the type it added. */
#include <stdio.h>
#include <string.h>

#include "bus/client.h"
#include "consensus/body_check.h"
#include "consensus/network.h"
#include "proto/utxod.pb-c.h"

static int ask_age(const char *rundir)
{
	struct rc_client_config config = {.from = RC_TOOL, .to = RC_UTXOD, .role = RC_ROLE_READ,
					  .rundir = rundir, .boot = 1};
	struct rc_loop *loop = rc_loop_new();
	struct rc_network network;
	struct rc_client *client;
	struct rc_error error = {0};
	const struct rc_reply *reply;
	const Rc__AgeReply *body;

	rc_network_builtin("reg", &network);
	memcpy(config.network_id, network.id.b, 32);
	if (rc_client_open(loop, &config, &client, &error) < 0)
		return 1;
	reply = rc_client_wait(client, RC_MSG_AGE, NULL, NULL, 0, 10000);
	body = reply->body;
	if (reply->err < 0)
		fprintf(stderr, "%s\n", reply->text);
	else
		printf("%u\n", body->blocks);
	rc_client_close(client);
	rc_loop_free(loop);
	return reply->err < 0;
}

int main(int argc, char **argv)
{
	(void)argc;
	return ask_age(argv[1]);
}
"""


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


class Recipes(harness.TestCase):
    def recipes(self):
        text = read(os.path.join(TOP, "CONTRIBUTING.md"))
        return text[text.index("## Recipes"):]

    def test_what_they_name_exists(self):
        text = self.recipes()
        paths = set(re.findall(r"`((?:proto|libcommon|daemons|tools|man|tests|etc|mk)/[\w./-]+)`", text))
        self.assertGreater(len(paths), 12)
        for path in sorted(paths):
            self.assertTrue(os.path.exists(os.path.join(TOP, path)), path)
        tables = {"handlers": "daemons/utxod/handlers.c", "options": "daemons/chaind/main.c",
                  "types": "libcommon/consensus/tx_type.c", "METHOD": "daemons/rpcd/methods.def",
                  "CHAIND_METRICS": "daemons/chaind/metrics.h",
                  "rc_state_key_len": "libcommon/types/delta.h"}
        for name, path in tables.items():
            self.assertIn(f"`{name}`", text)
            self.assertIn(name, read(os.path.join(TOP, path)), f"{name} in {path}")

    # ---- one of each, in a copy ----

    def edit(self, path, anchor, text, before=False):
        """Puts text after (or before) the first line that matches anchor."""
        full = os.path.join(self.copy, path)
        lines = read(full).splitlines(keepends=True)
        at = next((i for i, line in enumerate(lines) if re.search(anchor, line)), None)
        self.assertIsNotNone(at, f"{path} has no line like {anchor}")
        lines.insert(at if before else at + 1, text)
        with open(full, "w", encoding="utf-8") as f:
            f.write("".join(lines))

    def add_message(self):
        with open(os.path.join(self.copy, "proto/utxod.proto"), "a", encoding="utf-8") as f:
            f.write("\n// How many blocks the state has seen.\nmessage AgeRequest {}\n"
                    "message AgeReply {\n  uint32 blocks = 1;\n}\n")
        self.edit("libcommon/bus/messages.def", r"^RC_MESSAGE\(VERIFY_STATE,",
                  "RC_MESSAGE(AGE, 109, RC_UTXOD, RC_ROLE_READ, age, RC_SMALL, RC_SMALL)\n")
        self.edit("daemons/utxod/handlers.c", r"handlers\[\] = \{",
                  "static void on_age(void *ctx, struct rc_request *request)\n{\n"
                  "\tRc__AgeReply reply = RC__AGE_REPLY__INIT;\n\n\t(void)ctx;\n"
                  "\treply.blocks = 42;\n\trc_request_reply(request, &reply);\n}\n\n", before=True)
        self.edit("daemons/utxod/handlers.c", r"handlers\[\] = \{", "\t{RC_MSG_AGE, on_age},\n")
        os.makedirs(os.path.join(self.copy, "tools/recipe-caller"))
        with open(os.path.join(self.copy, "tools/recipe-caller/main.c"), "w",
                  encoding="utf-8") as f:
            f.write(CALLER)

    def add_option(self):
        self.edit("daemons/chaind/main.c", r"struct rc_option options\[\] = \{",
                  '\t{"greeting", RC_OPT_TEXT, 0, 40, NULL, NULL, "hello", false,\n'
                  '\t "What the recipe\'s option says."},\n')
        self.edit("man/chaind.8", r"^\.It (Cm|Ic|Va) cache_mb",
                  ".It Cm greeting\nWhat the recipe's option says.\n", before=True)

    def add_method(self):
        self.edit("daemons/rpcd/methods.def", r'^METHOD\(uptime',
                  'METHOD(getanswer, "getanswer", READ, "control", 10, "The recipe\'s answer.",\n'
                  '       "integer",\n       MAY("plus", INT, 0, 100, "0", "added to it"))\n',
                  before=True)
        with open(os.path.join(self.copy, "daemons/rpcd/control.c"), "a", encoding="utf-8") as f:
            f.write("\nvoid on_getanswer(struct rpc_call *call)\n{\n"
                    "\tout_uint(&call->out, NULL, 42);\n\trpc_call_done(call);\n}\n")

    def add_type(self):
        with open(os.path.join(self.copy, "libcommon/consensus/tx_answer.h"), "w",
                  encoding="utf-8") as f:
            f.write("/* The recipe's transaction type. */\n#include <stdbool.h>\n"
                    '#include "base/mem.h"\nbool rc_answer_payload_ok(struct rc_bytes payload);\n')
        with open(os.path.join(self.copy, "libcommon/consensus/tx_answer.c"), "w",
                  encoding="utf-8") as f:
            f.write('/* The recipe\'s transaction type. */\n#include "consensus/tx_answer.h"\n'
                    "bool rc_answer_payload_ok(struct rc_bytes payload)\n{\n"
                    "\treturn payload.len == 1 && payload.data[0] == 42;\n}\n")
        self.edit("libcommon/consensus/tx_type.c", r'#include "consensus/coinbase.h"',
                  '#include "consensus/tx_answer.h"\n')
        self.edit("libcommon/consensus/tx_type.c", r"types\[\] = \{",
                  '\t{99, "answer", 1, ANY, 1, ANY, KEY_OR_DATA, RC_LOCK_BIT(RC_LOCK_KEY),\n'
                  "\t rc_answer_payload_ok},\n")

    def add_metric(self):
        self.edit("daemons/chaind/metrics.h", r"#define CHAIND_METRICS\(M\)",
                  '\tM(ANSWERS, "answers_total", RC_COUNTER, NULL, "The recipe\'s metric.") \\\n')
        self.edit("daemons/chaind/read_handlers.c", r"^void on_chain_info\(",
                  "static void count_answer(struct chaind *chaind)\n{\n"
                  "\trc_metric_add(rc_service_metrics(chaind->service), METRIC_ANSWERS, 1);\n}\n\n",
                  before=True)
        self.edit("daemons/chaind/read_handlers.c", r"struct block_node \*tip = chain_tip\(&chaind"
                  r"->chain\);\n?$", "")
        self.metric_call()

    def metric_call(self):
        """The first statement of on_chain_info counts."""
        path = os.path.join(self.copy, "daemons/chaind/read_handlers.c")
        text = read(path)
        at = text.index("void on_chain_info(")
        at = text.index("\n\n", at)
        text = text[:at] + "\n\n\tcount_answer(chaind);" + text[at + 1:]
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)

    def make_copy(self):
        self.copy = tempfile.mkdtemp(prefix="rc-recipes-", dir="/tmp")
        self.addCleanup(shutil.rmtree, self.copy)
        names = subprocess.run(["git", "ls-files"], cwd=TOP, check=True, stdout=subprocess.PIPE,
                               text=True).stdout.split("\n")
        subprocess.run(["cp", "-p", "--parents", "-t", self.copy,
                        *[n for n in names if n and not n.startswith("tests/vectors")]],
                       cwd=TOP, check=True)
        # What is built already needn't be built again: only what the recipes touch is.
        os.makedirs(os.path.join(self.copy, "build"))
        subprocess.run(["cp", "-a", *[f"build/{d}" for d in ("obj", "gen", "lib")],
                        os.path.join(self.copy, "build")], cwd=TOP, check=True)

    def test_carried_out(self):
        self.make_copy()
        for add in (self.add_message, self.add_option, self.add_method, self.add_type,
                    self.add_metric):
            add()
        env = {k: v for k, v in os.environ.items() if k not in ("SAN", "BUILD")}
        p = subprocess.run(["make", "-s", f"-j{os.cpu_count()}", "all"], cwd=self.copy, env=env,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.assertEqual(p.returncode, 0, p.stdout[-6000:])
        self.addCleanup(setattr, harness, "BIN", harness.BIN)
        harness.BIN = os.path.join(self.copy, "build", "bin")

        def run(*command):
            return subprocess.run([os.path.join(harness.BIN, command[0]), *command[1:]], check=True,
                                  stdout=subprocess.PIPE, text=True).stdout
        self.assertIn("--greeting", run("chaind", "--help"))
        subprocess.run([sys.executable, "mk/options.py"], cwd=self.copy, env=env, check=True,
                       stdout=subprocess.DEVNULL)
        self.assertIn("#greeting = hello", read(os.path.join(self.copy, "etc/chaind.conf")))
        page = subprocess.run(["mandoc", "-T", "utf8", "man/chaind.8"], cwd=self.copy, check=True,
                              stdout=subprocess.PIPE, text=True).stdout
        self.assertTrue("greeting" in re.sub(".\b", "", page), "greeting in chaind(8)")

        node = self.node()
        self.assertEqual(node.rpc("getanswer"), 42)
        self.refused(-32602, node.rpc, "getanswer", "text")
        self.assertIn("The recipe's answer.", node.rpc("help", "getanswer"))
        self.assertEqual(run("recipe-caller", node.rundir).strip(), "42")
        node.rpc("getblockchaininfo")
        harness.wait_for("the metric", lambda: node.metrics().get(
            "rustycoin_chaind_answers_total", 0) >= 1)
        # Type 99: refused where it isn't in force, by its payload where it is.
        good, bad = ("0100" "6300" "01" + "11" * 32 + "00000000" "ffffffff" "01"
                     "0000000000000000" "01" + "22" * 32 + "00000000" "01" + byte + "00"
                     for byte in ("2a", "2b"))
        verdict = node.rpc("testmempoolaccept", [bad])[0]["verdict"]
        self.assertEqual(verdict, "tx-payload")
        self.assertNotIn(node.rpc("testmempoolaccept", [good])[0]["verdict"],
                         ("tx-type", "tx-payload"))


if __name__ == "__main__":
    harness.main()
