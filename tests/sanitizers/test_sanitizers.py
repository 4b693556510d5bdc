#!/usr/bin/python3
"""The tests again with the sanitizers built in: memory and undefined behaviour (asan), races (tsan).

asan: all units and the quick functional runs. tsan: the units with threads and one functional run;
tests/tsan.supp names only frames of libzmq and RocksDB, which aren't instrumented.
"""
import os
import subprocess
import sys
import unittest

LIMIT = 2400
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# What starts threads: worker pools and their queues (base, service), libzmq's own (bus), stores and
# flushes (store, ledger_threads, utxod), readers of pages that are moved (slab), verification with
# its cache, journal and block store (chaind, journal), and one functional run, where rpcd's
# operations thread is, too.
THREADED = ["test_base", "test_bus", "test_service", "test_store", "test_ledger_threads",
            "test_slab", "test_utxod", "test_chaind", "test_admit", "test_journal",
            "test_jsonrpc_client", "functional/test_badinput.py"]


class Sanitizers(unittest.TestCase):
    def run_with(self, san, options, only):
        build = f"build/{san}"
        env = dict(os.environ, SAN=san, BUILD=build, RC_SANITIZER=san, **options)
        subprocess.run(["make", "-s", "--no-print-directory", f"-j{os.cpu_count()}", f"SAN={san}",
                        "all", "tests"], cwd=TOP, check=True, env=env)
        p = subprocess.run([sys.executable, "tests/run.py", "san", *only], cwd=TOP, env=env,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        print(p.stdout)
        self.assertEqual(p.returncode, 0, p.stdout)

    def test_address_and_undefined(self):
        self.run_with("asan", {
            "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:exitcode=99:detect_stack_use_after_return=1",
            "LSAN_OPTIONS": f"suppressions={TOP}/tests/lsan.supp:print_suppressions=0",
            "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1:exitcode=99",
        }, [])

    def test_threads(self):
        self.run_with("tsan", {
            "TSAN_OPTIONS": f"suppressions={TOP}/tests/tsan.supp:halt_on_error=0:exitcode=99:"
                            "ignore_noninstrumented_modules=1:history_size=4:die_after_fork=0",
        }, THREADED)


if __name__ == "__main__":
    unittest.main(verbosity=2)
