"""Processes that are killed when their parent dies; what they leave on the disk is whole at any moment.

As a script, `python tether.py PARENT COMMAND...` becomes the command, tied to its parent from before it starts, and
ignores Ctrl-C. Linux only; elsewhere the process ends its job first.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from functools import partial

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def tied_to(parent: int) -> partial[None]:
    """What a child of the process `parent` calls to be killed with it."""
    prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None
    return partial(_tie, prctl, parent)


def _tie(prctl: ctypes._NamedFuncPointer | None, parent: int) -> None:
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:  # it died before the call
        os._exit(128 + signal.SIGTERM)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent too, and ends both
    tied_to(int(sys.argv[1]))()
    os.execvp(sys.argv[2], sys.argv[2:])
