"""Signals that ask a run to end: finished steps and checkpoints stay, the same command goes on from them."""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType
from typing import NoReturn

STOPPED = 143
"""Exit code after SIGTERM or SIGUSR1: 128 + 15, as a shell tells the first of them."""
_SIGNALS = (signal.SIGTERM, signal.SIGUSR1)


ENGINE = "engine of a campaign"
"""Name of the thread behind which a campaign's engine works."""


class Stopped(BaseException):
    """The batch system, or a user, sent SIGTERM or SIGUSR1. No `Exception`, as KeyboardInterrupt is none."""


def stop_on_signals() -> None:
    """Raise `Stopped` in the main thread at the first SIGTERM or SIGUSR1; those after it are ignored.

    Batch systems send more than one, and the first is enough.
    """
    for number in _SIGNALS:
        signal.signal(number, _stop)


def _stop(number: int, _frame: FrameType | None) -> None:
    for other in _SIGNALS:
        signal.signal(other, signal.SIG_IGN)
    raise Stopped(signal.Signals(number).name)


def end_process(code: int) -> NoReturn:
    """Exit; without the interpreter's own clearing up if the engine of a campaign was left at work.

    Its threads may hold a lock (of HDF5) that the clearing up waits for.
    """
    if any(thread.name == ENGINE for thread in threading.enumerate()):
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)
    sys.exit(code)
