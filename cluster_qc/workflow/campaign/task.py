"""One job of a campaign in a worker of the engine: an ordinary `cluster-qc run`, and a record of how it ended.

The record is the truth of the campaign. The engine's results and the queue's states are hints only: the one caches
exceptions, the other forgets.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Literal, get_args

from cluster_qc.errors import StorageError
from cluster_qc.files import storage_errors, write_text
from cluster_qc.workflow.campaign.tether import tied_to
from cluster_qc.workflow.lock import owner_of
from cluster_qc.workflow.status import error_in
from cluster_qc.workflow.stop import STOPPED

SCHEMA_VERSION = 1
LOG = "task.log"
State = Literal["done", "not converged", "failed", "lost", "damaged"]
_ENDINGS: dict[int, State] = {0: "done", 1: "not converged"}
_STOPS = (130, STOPPED, -signal.SIGINT, -signal.SIGTERM, -signal.SIGUSR1)
_LOCK_PATIENCE_S = 60.0  # the job of a lost node may still be ending when it is started again


@dataclass(frozen=True)
class TaskRecord:
    """How one attempt at a job ended."""

    attempt: int
    """From 1."""
    state: State
    message: str | None = None
    """Why, unless it is done."""
    exit_code: int | None = None
    wall_time_s: float | None = None
    ended: str | None = None
    """UTC."""
    host: str | None = None
    schema_version: int = SCHEMA_VERSION


def record_path(folder: Path, digest: str, attempt: int) -> Path:
    """Where the record of an attempt lies; `digest` is that of the job's input."""
    return folder / f"task-{digest[:8]}-{attempt:03d}.json"


def read_records(folder: Path, digest: str) -> list[TaskRecord]:
    """The records of a job's finished attempts, oldest first; one that cannot be read has the state "damaged"."""
    return [_read(path) for path in sorted(folder.glob(f"task-{digest[:8]}-[0-9][0-9][0-9].json"))]


def _read(path: Path) -> TaskRecord:
    attempt = int(path.stem[-3:])
    try:
        with storage_errors(path, reading=True):
            record = TaskRecord(**json.loads(path.read_text(encoding="utf-8")))
        if record.state not in get_args(State):
            raise ValueError(f"its state is {record.state!r}")
        return replace(record, attempt=attempt)
    except StorageError as exc:
        return TaskRecord(attempt, "damaged", exc.what)
    except (ValueError, TypeError, RecursionError) as exc:
        return TaskRecord(attempt, "damaged", f"{path} is damaged: {exc}")


def verdict(records: Sequence[TaskRecord]) -> TaskRecord | None:
    """The record that counts: one that is done, else the newest; None without one."""
    done = [record for record in records if record.state == "done"]
    return next(reversed(done or list(records)), None)


def write_record(folder: Path, digest: str, record: TaskRecord) -> None:
    """Write the record of an attempt in one step."""
    write_text(record_path(folder, digest, record.attempt), json.dumps(asdict(record), indent=1) + "\n")


def run_task(folder: str, digest: str, attempt: int, command: Sequence[str], node_scratch: bool) -> None:
    """Run a job and record how it ended; called by the engine in a process of its own.

    A job that was stopped leaves no record: it is to go on, in the same batch job or in the next attempt.

    Parameters
    ----------
    folder
        The job's results folder.
    digest, attempt
        Of the record.
    command
        What to run.
    node_scratch
        Whether the scratch files go to TMPDIR, which the batch script makes on a disk of the node.

    Raises
    ------
    SystemExit
        With code 143, if the job was stopped.
    """
    if node_scratch and "TMPDIR" in os.environ:
        command = [*command, "--scratch", os.environ["TMPDIR"]]
    begin = time.monotonic()
    code: int | None = None
    try:
        code, stopped = _run(Path(folder), command)
        state: State = _ENDINGS.get(code, "failed")
        if state == "failed" and (stopped or code in _STOPS):
            raise SystemExit(STOPPED)
        message = None if state == "done" else _reason(Path(folder), code)
    except Exception as exc:  # noqa: BLE001  (the engine would keep it and raise it again at every retry)
        state, message = "failed", f"{type(exc).__name__}: {exc}"
    record = TaskRecord(
        attempt=attempt,
        state=state,
        message=message,
        exit_code=code,
        wall_time_s=time.monotonic() - begin,
        ended=datetime.now(UTC).isoformat(timespec="seconds"),
        host=socket.gethostname(),
    )
    write_record(Path(folder), digest, record)


def _run(folder: Path, command: Sequence[str]) -> tuple[int, bool]:
    """Exit code of the command, and whether this process was asked to stop meanwhile."""
    child: subprocess.Popen[bytes] | None = None
    stopped = False

    def stop(number: int, _frame: FrameType | None) -> None:
        nonlocal stopped
        stopped = True
        if child is not None:
            child.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, stop)
    deadline = time.monotonic() + _LOCK_PATIENCE_S
    while owner_of(folder)[1] and not stopped and time.monotonic() < deadline:
        time.sleep(0.5)
    with open(folder / LOG, "wb") as log:
        child = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            preexec_fn=tied_to(os.getpid()),  # noqa: PLW1509  (one system call, looked up before the fork)
        )
        if stopped:
            child.terminate()
        return child.wait(), stopped


def _reason(folder: Path, code: int) -> str:
    """Why a run ended so, in its own words where it had some."""
    if code < 0:
        often = ", most often for lack of memory" if code == -signal.SIGKILL else ""
        return f"killed by {signal.Signals(-code).name}{often}"
    lines = (folder / LOG).read_text(encoding="utf-8", errors="replace").splitlines()
    last = [line.strip() for line in lines if line.startswith("not converged")] or [
        f"ended with exit code {code}"
    ]
    return error_in(lines) or last[-1]
