"""Progress of a run: a bar on a terminal, plain lines elsewhere, and always a run.log."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from cluster_qc.errors import ClusterQCError
from cluster_qc.files import storage_errors
from cluster_qc.workflow.stop import Stopped

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

SESSION, DONE, NOT_CONVERGED, FAILED = "started: ", "done, converged", "done, NOT converged", "failed: "
"""How the first and the last line of a run begin in run.log."""

Report = Callable[[float | None, str], None]
"""What drivers call: the finished share of the step (None if unknown) and its latest line."""


class Monitor(Protocol):
    """What a run tells about itself."""

    def step(self, name: str) -> Report:
        """Begin a step; returns what the driver calls."""

    def note(self, line: str) -> None:
        """A line outside of any step."""


class RunLog:
    """Appends timed lines to run.log; a full disk stops the run at its next record, not at a line of the log."""

    def __init__(self, path: Path) -> None:
        with storage_errors(path):
            self._stream = open(path, "a", encoding="utf-8", errors="backslashreplace", buffering=1)  # noqa: SIM115

    def write(self, line: str) -> None:
        """Append one line."""
        with suppress(OSError):
            self._stream.write(f"{datetime.now(UTC).isoformat(timespec='seconds')} {line}\n")

    def close(self) -> None:
        """Close the file."""
        with suppress(OSError):
            self._stream.close()


class PlainMonitor:
    """Lines on a stream that is no terminal: each new step, then at most one line in `interval` seconds."""

    def __init__(self, log: RunLog, *, interval: float = 10.0, quiet: bool = False) -> None:
        self._log = log
        self._interval = interval
        self._quiet = quiet
        self._start = time.monotonic()

    def note(self, line: str) -> None:
        """Log and print a line."""
        self._log.write(line)
        self._print(line)

    def step(self, name: str) -> Report:
        """Begin a step."""
        self.note(f"{name}: started")
        began = last = time.monotonic()

        def report(share: float | None, line: str) -> None:
            nonlocal last
            self._log.write(f"{name}: {line}")
            now = time.monotonic()
            if now - last >= self._interval:
                last = now
                self._print(f"{name}{_left(share, now - began)}: {line}")

        return report

    def _print(self, line: str) -> None:
        if not self._quiet:
            with suppress(OSError):  # nobody listens any more; the work goes on
                print(f"[{_clock(time.monotonic() - self._start)}] {line}", file=sys.stderr, flush=True)


class BarMonitor:
    """A bar on a terminal with the step, the elapsed time, the time left where known, and the last line."""

    def __init__(self, log: RunLog, progress: Progress) -> None:
        self._log = log
        self._progress = progress
        self._task: TaskID | None = None

    def note(self, line: str) -> None:
        """Log a line and print it above the bar."""
        self._log.write(line)
        self._progress.console.print(line, markup=False, highlight=False)

    def step(self, name: str) -> Report:
        """Begin a step with a fresh bar."""
        self._log.write(f"{name}: started")
        if self._task is not None:
            self._progress.remove_task(self._task)
        task = self._progress.add_task(name, total=None, line="")
        self._task = task

        def report(share: float | None, line: str) -> None:
            self._log.write(f"{name}: {line}")
            if share is None:
                self._progress.update(task, line=line)
            else:
                self._progress.update(task, total=1.0, completed=min(max(share, 0.0), 1.0), line=line)

        return report


@contextmanager
def monitor(folder: Path, *, quiet: bool = False) -> Iterator[Monitor]:
    """The monitor that fits standard error: a bar on a terminal, lines elsewhere.

    The log begins with the process and its machine, and ends with what ended the run, if it was not its own end.
    """
    log = RunLog(folder / "run.log")
    log.write(f"{SESSION}process {os.getpid()} on {socket.gethostname()}")
    try:
        if quiet or not sys.stderr.isatty():
            yield PlainMonitor(log, quiet=quiet)
            return
        from rich.console import Console
        from rich.markup import escape
        from rich.progress import (
            BarColumn,
            Progress,
            Task,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )
        from rich.table import Column

        class Line(TextColumn):
            """The last line as it is, brackets included, cut at the window's edge."""

            def render(self, task: Task) -> object:  # type: ignore[override]
                return escape(str(task.fields.get("line", "")))

        progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            Line("", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")),
            console=Console(stderr=True),
            refresh_per_second=2,
            transient=True,
        )
        with progress:
            yield BarMonitor(log, progress)
    except BaseException as exc:
        log.write(_ending(exc))
        raise
    finally:
        log.close()


def _ending(exc: BaseException) -> str:
    if isinstance(exc, Stopped):
        return f"stopped by {exc}"
    if isinstance(exc, KeyboardInterrupt):
        return "interrupted"
    kind = "" if isinstance(exc, ClusterQCError) else f"{type(exc).__name__}: "
    return f"{FAILED}{kind}{'; '.join(line.strip() for line in str(exc).splitlines())}"


def counted(number: int, noun: str) -> str:
    """A number with its noun: 1 job, 2 jobs."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _clock(seconds: float) -> str:
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours:d}:{minute:02d}:{second:02d}"


def _left(share: float | None, elapsed: float) -> str:
    if not share or share >= 1.0:
        return ""
    return f" ({100 * share:.0f} %, about {_clock(elapsed * (1 - share) / share)} left)"
