#!/usr/bin/python3
"""File systems in files whose power can be cut, as a tool and for tests.

    powercut.py --after 2 --check './check $DISK $SAID' -- ./writer      (--help says more)

Two ways, each for ext4 and XFS (README.md says what they can and can't show):

stop    The processes are stopped, the file system is shut down without writing its log out, the
        processes are killed; mounted again, it has what was on the disk at that moment.
copy    The file system's image lies in an XFS file system and is copied by reflink while everybody
        goes on: the copy is the disk of a machine that lost power then.

Mounts are in a mount namespace of this process's own and loop devices free themselves, so nothing
is left over, whatever ends this process.
"""
import argparse
import ctypes
import fcntl
import os
import random
import signal
import struct
import subprocess
import sys
import tempfile
import time

CLONE_NEWNS = 0x20000
PR_SET_PDEATHSIG = 1
SHUTDOWN = 0x8004587D                           # of ext4 and XFS alike
NO_LOG_FLUSH = 2
MKFS = {"ext4": ["mkfs.ext4", "-q", "-F"], "xfs": ["mkfs.xfs", "-q", "-f"]}
MOUNT = {"ext4": "loop", "xfs": "loop,nouuid"}  # a copy has the UUID of the first
MEGABYTES = 384
STOP_SECONDS = 20
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BADCALL = os.path.join(TOP, os.environ.get("BUILD", "build"), "disk", "badcall.so")

_libc = ctypes.CDLL(None, use_errno=True)


def own_mounts():
    """From here on this process and its children mount for themselves; OSError if it may not."""
    if _libc.unshare(CLONE_NEWNS):
        error = ctypes.get_errno()
        raise OSError(error, f"a mount namespace (root is needed): {os.strerror(error)}")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)


def die_with_parent():
    """For preexec_fn: a process that holds a mount must not outlive the test."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def nosync_environment(folder):
    """What a process is started with so that none of its syncs below the folder is done."""
    return {"LD_PRELOAD": BADCALL, "BADCALL": "nosync", "BADCALL_DIRS": folder}


def halted(pid, task):
    """Whether a thread runs no more: stopped, or gone."""
    try:
        with open(f"/proc/{pid}/task/{task}/stat", encoding="ascii", errors="replace") as f:
            return f.read().rsplit(")", 1)[1].split()[0] in "TtZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def freeze(pids):
    """Stops processes; when this returns none of their threads is in a call any more."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    end = time.monotonic() + STOP_SECONDS
    for pid in pids:
        for task in os.listdir(f"/proc/{pid}/task"):
            while not halted(pid, task):
                if time.monotonic() > end:
                    raise OSError(f"process {pid} doesn't stop")
                time.sleep(0.0005)


class Disk:
    """A file system of its own, mounted at .path. The image is made in the folder, or given."""

    def __init__(self, folder, fs="ext4", image=None, megabytes=MEGABYTES):
        self.fs, self.folder = fs, folder
        self.image = image or os.path.join(folder, "disk")
        self.path = self.image + ".mounted"
        os.makedirs(self.path, exist_ok=True)
        if not image:
            with open(self.image, "wb") as f:
                f.truncate(megabytes << 20)
            subprocess.run([*MKFS[fs], self.image], check=True, stdout=subprocess.DEVNULL)
        self.mount()

    def mount(self):
        subprocess.run(["mount", "-t", self.fs, "-o", MOUNT[self.fs], self.image, self.path],
                       check=True)

    def unmount(self):
        subprocess.run(["umount", self.path], check=True)

    def cut(self, pids):
        """Power is lost: the processes are gone, and what wasn't on the disk. Not mounted then."""
        freeze(pids)
        fd = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(fd)

    def remove(self):
        subprocess.run(["umount", "-l", self.path], check=False, stderr=subprocess.DEVNULL)
        os.unlink(self.image)
        os.rmdir(self.path)


class CopiedDisk(Disk):
    """A file system whose image can be copied in an instant while it is used."""

    def __init__(self, folder, fs="ext4", megabytes=MEGABYTES):
        self.outer = Disk(folder, "xfs", megabytes=4 * megabytes)
        super().__init__(self.outer.path, fs, megabytes=megabytes)

    def copy(self):
        """The disk as it is now, mounted beside this one. Its owner removes it."""
        image = os.path.join(self.outer.path, "copy")
        subprocess.run(["cp", "--reflink=always", self.image, image], check=True)
        return Disk(self.outer.path, self.fs, image)

    def remove(self):
        super().remove()
        self.outer.remove()


def parse(args):
    p = argparse.ArgumentParser(
        description="Runs a command on a file system of its own ($DISK), cuts the power, and runs a "
        "check with $DISK as it is after the cut and $SAID, a file with all the command wrote to "
        "its standard output before the cut: what it acknowledged.",
        epilog="Exit status: that of the check; 1 if the command ended before the cut; 64 usage; 71 "
        "no right to mount. Do it once with --nosync: the check must fail then, or it shows nothing.")
    p.add_argument("--fs", choices=sorted(MKFS), default="ext4")
    p.add_argument("--way", choices=("stop", "copy"), default="stop")
    p.add_argument("--megabytes", type=int, default=MEGABYTES)
    p.add_argument("--after", type=float, default=1, metavar="SECONDS",
                   help="when the power goes (1); with --seed somewhere before that")
    p.add_argument("--seed", type=int)
    p.add_argument("--nosync", action="store_true", help="the control: syncs are ignored")
    p.add_argument("--check", required=True, metavar="SHELL COMMAND")
    p.add_argument("command", nargs=argparse.REMAINDER)
    options = p.parse_args(args)
    if options.command[:1] == ["--"]:
        del options.command[0]
    if not options.command:
        p.error("no command")
    return options


def run(options, folder):
    after = options.after
    if options.seed is not None:
        after *= random.Random(options.seed).random()
    kind = CopiedDisk if options.way == "copy" else Disk
    disk = kind(folder, options.fs, megabytes=options.megabytes)
    said = os.path.join(folder, "said")
    environment = dict(os.environ, DISK=disk.path, SAID=said)
    if options.nosync:
        environment |= nosync_environment(disk.path)
    with open(said, "wb") as f:
        process = subprocess.Popen(options.command, env=environment, stdout=f,
                                   preexec_fn=die_with_parent)
    try:
        process.wait(after)
        print("powercut: the command ended before the cut", file=sys.stderr)
        return 1
    except subprocess.TimeoutExpired:
        pass
    if options.way == "copy":
        with open(said, "rb") as f:
            before = f.read()       # what is said from here on needn't be in the copy
        after_cut = disk.copy()
        process.kill()
        process.wait()
        with open(said, "wb") as f:
            f.write(before)
    else:
        disk.cut([process.pid])
        process.kill()
        process.wait()
        disk.unmount()
        disk.mount()
        after_cut = disk
    return subprocess.run(options.check, shell=True, check=False,
                          env=dict(os.environ, DISK=after_cut.path, SAID=said)).returncode


def main():
    options = parse(sys.argv[1:])
    try:
        own_mounts()
    except OSError as error:
        print(f"powercut: {error}", file=sys.stderr)
        return 71
    with tempfile.TemporaryDirectory(prefix="powercut-", ignore_cleanup_errors=True) as folder:
        try:
            return run(options, folder)
        finally:
            subprocess.run(f"umount -l {folder}/disk.mounted/*.mounted {folder}/*.mounted",
                           shell=True, check=False, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    sys.exit(main())
