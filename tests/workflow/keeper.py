"""Runs commands for a test session, and ends every process that came of them when the session ends, however it does.

This file is the process that does so, and `Keeper` is the session's side of it. Daemons, and what daemons start, become
children of the nearest ancestor that asks for orphans: this one. Its input closes with the session, also when that is
killed. Linux only, as Slurm is here.
"""

import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
_LOOK_S = 0.02
_PATIENCE_S = 300  # for a command on a loaded machine


class Keeper:
    """Starts commands whose processes end with it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip

    @property
    def pid(self) -> int:
        return self._process.pid

    def run(self, *command) -> None:
        """Run a command to its end; what it leaves in the background is kept."""
        self._process.stdin.write(json.dumps([str(word) for word in command]) + "\n")
        self._process.stdin.flush()
        code, told = json.loads(self._process.stdout.readline())
        assert code == 0, told

    def close(self) -> None:
        """End everything, and wait until it has."""
        self._process.communicate()


def keep() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        serve()
    finally:
        end_all()


def serve() -> None:
    while True:
        while not select.select([sys.stdin], [], [], _LOOK_S)[0]:
            with contextlib.suppress(ChildProcessError):  # none at all
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
        line = sys.stdin.readline()  # one at a time: nothing is left in its buffer
        if not line:
            return
        done = subprocess.run(
            json.loads(line), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=_PATIENCE_S
        )  # fmt: skip
        sys.stdout.write(json.dumps([done.returncode, done.stderr]) + "\n")
        sys.stdout.flush()


def end_all() -> None:
    """Kill the children; theirs become children here, until there are none."""
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    with contextlib.suppress(ChildProcessError):
        while True:
            for pid in children.read_text().split():
                os.kill(int(pid), signal.SIGKILL)
            os.waitpid(-1, 0)


if __name__ == "__main__":
    keep()
