"""A fuzz target: where it and its corpora lie, and a run of it with its figures."""
import glob
import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# A single input may take this long (seconds) and this much memory (MiB).
INPUT_SECONDS, INPUT_MIB = 10, 1024


class Crashed(Exception):
    """What libFuzzer printed of an input that broke the target."""


def names():
    """Every target, without "fuzz_"."""
    return sorted(os.path.basename(p)[len("fuzz_"):-len(".c")]
                  for p in glob.glob(f"{TOP}/tests/fuzz/fuzz_*.c"))


def build(make=("make", "-s", "-j2", "fuzz")):
    built = subprocess.run(make, cwd=TOP, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           check=False)
    if built.returncode:
        raise RuntimeError("make fuzz:\n" + built.stdout.decode(errors="replace"))


def binary(name):
    return f"{TOP}/build/fuzz/fuzz_{name}"


def given(name):
    """Inputs kept in the repository."""
    return f"{TOP}/tests/fuzz/corpus/{name}"


def found(name):
    """Inputs that runs here have found."""
    path = f"{TOP}/build/fuzz/corpus/{name}"
    os.makedirs(path, exist_ok=True)
    return path


def run(name, seconds):
    """Runs a target; returns {executions, edges, cpu}: cpu in seconds of the process's own time."""
    command = [binary(name), f"-max_total_time={seconds}", f"-timeout={INPUT_SECONDS}",
               f"-rss_limit_mb={INPUT_MIB}", f"-artifact_prefix={TOP}/build/fuzz/{name}-",
               "-print_final_stats=1", found(name)]
    if os.path.isdir(given(name)):
        command.append(given(name))
    with subprocess.Popen(command, cwd=TOP, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as process:
        out = process.stdout.read().decode(errors="replace")
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise Crashed(f"{name} ended with {process.returncode}\n{out[-6000:]}")
    executions = re.search(r"number_of_executed_units:\s*(\d+)", out)
    edges = re.findall(r"\bcov: (\d+)", out)
    if not executions or not int(executions.group(1)) or not edges:
        raise Crashed(f"{name} ran nothing\n{out[-6000:]}")
    return {"executions": int(executions.group(1)), "edges": int(edges[-1]),
            "cpu": usage.ru_utime + usage.ru_stime}


def die(text):
    print(text, file=sys.stderr)
    sys.exit(1)
