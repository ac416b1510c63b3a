"""How a process ends: by signals that ask for it, and past threads and pipes that would hold it back.

Finished steps and checkpoints stay, the same command goes on from them.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType
from typing import NoReturn

INTERRUPTED = 130
"""Exit code after Ctrl-C."""
STOPPED = 143
"""Exit code after SIGTERM or SIGUSR1: 128 + 15, as a shell tells the first of them."""
CUT_OFF = 128 + signal.SIGPIPE
"""Exit code of a command that nobody listened to any more before it had said all."""
_SIGNALS = (signal.SIGTERM, signal.SIGUSR1)


ENGINE = "engine of a campaign"
"""Name of the thread behind which a campaign's engine works."""


class Stopped(BaseException):
    """The batch system, or a user, sent SIGTERM or SIGUSR1. No `Exception`, as KeyboardInterrupt is none."""


def stop_on_signals() -> None:
    """Raise `Stopped` in the main thread at the first SIGTERM or SIGUSR1; those after it are ignored.

    Batch systems send more than one, and the first is enough. Ctrl-C raises KeyboardInterrupt, a second one ends the
    process at once, whatever it waits for.
    """
    for number in _SIGNALS:
        signal.signal(number, _stop)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else a shell wants it ignored
        signal.signal(signal.SIGINT, _interrupt)


def _stop(number: int, _frame: FrameType | None) -> None:
    for other in _SIGNALS:
        signal.signal(other, signal.SIG_IGN)
    raise Stopped(signal.Signals(number).name)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    # What is on the disk is whole at any moment.
    signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    raise KeyboardInterrupt


def open_closed_streams() -> None:
    """Give streams that were closed from outside (`2>&-`) to nobody, before a file of ours gets their numbers."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115


def end_process(code: int) -> NoReturn:
    """Exit; without the interpreter's own clearing up if the engine of a campaign was left at work.

    Its threads may hold a lock (of HDF5) that the clearing up waits for. A stream that nobody reads any more changes
    nothing of the exit code.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())  # or the interpreter would try again
    if any(thread.name == ENGINE for thread in threading.enumerate()):
        os._exit(code)
    sys.exit(code)
