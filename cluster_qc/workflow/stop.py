"""Signals that ask a run to end: finished steps and checkpoints stay, the same command goes on from them."""

from __future__ import annotations

import signal
from types import FrameType

STOPPED = 143
"""Exit code after SIGTERM or SIGUSR1: 128 + 15, as a shell tells the first of them."""
_SIGNALS = (signal.SIGTERM, signal.SIGUSR1)


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
