"""How far the runs in results folders are, from their own files alone."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cluster_qc.errors import InputError, StorageError
from cluster_qc.files import storage_errors
from cluster_qc.workflow.lock import Owner, owner_of
from cluster_qc.workflow.progress import DONE, FAILED, NOT_CONVERGED, SESSION
from cluster_qc.workflow.summary_file import read_summary

SCHEMA_VERSION = 1
_SIGNS_OF_A_RUN = ("run.log", "summary.json", ".lock", "job.sbatch")
_STARTED = re.compile(r"(\w+): started")
_FINISHED = re.compile(r"(\w+): (?:(?:NOT )?converged|\d+ states, .*) in ([\d.]+) s")
_REUSED = re.compile(r"(\w+): .*, taken from (\S+)")


@dataclass(frozen=True)
class RunStatus:
    """What is known of the run of one results folder."""

    directory: str
    state: str
    """done, not converged, running, interrupted, failed, not started; unclear if it is on another machine and the file
    system does not show locks."""
    since: str | None = None
    """UTC; of running the start, of the others the last line of run.log."""
    step: str | None = None
    """The step it is in, or was in."""
    step_s: float | None = None
    """Wall time in that step so far."""
    last_line: str | None = None
    """Of run.log."""
    message: str | None = None
    """Of a failure, or of a summary that was damaged or deleted after the run."""
    batch_line: str | None = None
    """Last line of the newest slurm-*.log, of a run that is neither done nor running."""
    owner: Owner | None = None
    """The process of a running or unclear run."""
    timings_s: Mapping[str, float] = field(default_factory=dict)
    """Wall time of each finished step."""


def run_statuses(directory: Path) -> list[RunStatus]:
    """The status of a results folder, or of each one in a folder of them.

    Raises
    ------
    InputError
        If there is no run.
    """
    if not directory.is_dir():
        raise InputError(f"{directory} is no folder", fix="give a results folder, or a folder of them")
    if _has_run(directory):
        return [run_status(directory)]
    found = [run_status(path) for path in sorted(directory.iterdir()) if path.is_dir() and _has_run(path)]
    if not found:
        raise InputError(
            f"{directory} has no run, and no folder in it has one",
            why=f"a run leaves {_SIGNS_OF_A_RUN[0]} behind",
            fix="give the folder that -o named",
        )
    return found


def _has_run(folder: Path) -> bool:
    """A folder of `build` has a log too."""
    built = (folder / "candidates.json").is_file()
    return not built and any((folder / name).is_file() for name in _SIGNS_OF_A_RUN)


def run_status(folder: Path) -> RunStatus:
    """The status of one results folder."""
    owner, alive = owner_of(folder)
    log = _last_session(folder)
    end = log[-1][1] if log else ""
    known: dict[str, Any] = {"directory": str(folder)}
    if log:
        known |= {"since": log[-1][0].isoformat(), "last_line": end, **_steps(folder, log)}
    if alive is not False:
        now = datetime.now(UTC)
        known |= {"owner": owner, "since": owner.since if owner else None}
        if alive and "step" in known:
            known["step_s"] += _seconds(log[-1][0], now)
        return RunStatus(**known, state="running" if alive else "unclear")
    if not log:
        return _without_log(folder, known)
    if end.startswith((DONE, NOT_CONVERGED)):
        known |= {"step": None, "step_s": None}
        if (folder / "summary.json").is_file():  # the folder of `levels` has none
            try:
                known["timings_s"] = read_summary(folder).get("timings_s", {})
            except StorageError as exc:
                return RunStatus(**known, state="failed", message=exc.what)
        return RunStatus(**known, state="done" if end.startswith(DONE) else "not converged")
    known["batch_line"] = _batch_line(folder)
    if end.startswith(FAILED):
        return RunStatus(**known, state="failed", message=end.removeprefix(FAILED))
    return RunStatus(**known, state="interrupted")


def _without_log(folder: Path, known: dict[str, Any]) -> RunStatus:
    """A copied result, or a batch job that has not begun, or that failed before it wrote anything of its own."""
    if (folder / "summary.json").is_file():
        try:
            summary = read_summary(folder)
        except StorageError as exc:
            return RunStatus(**known, state="failed", message=exc.what)
        state = "done" if summary.get("converged") else "not converged"
        return RunStatus(**known, state=state, timings_s=summary.get("timings_s", {}))
    lines = _batch_log(folder)
    told = error_in(lines)
    state = "not started" if told is None else "failed"
    return RunStatus(**known, state=state, message=told, batch_line=_batch_line(folder))


def error_in(lines: Sequence[str]) -> str | None:
    """The last error that the command line told in these lines, on one line; None if it told none."""
    errors = [index for index, line in enumerate(lines) if line.startswith("error: ")]
    if not errors:
        return None
    told = [lines[errors[-1]].removeprefix("error: ")]
    for line in lines[errors[-1] + 1 :]:
        if not line.startswith("  "):
            break
        told.append(line.strip())
    return "; ".join(told)


def _last_session(folder: Path) -> list[tuple[datetime, str]]:
    """Time and text of the lines of run.log that the last process wrote."""
    path = folder / "run.log"
    if not path.is_file():
        return []
    with storage_errors(path, reading=True):
        text = path.read_text(encoding="utf-8", errors="replace")
    lines: list[tuple[datetime, str]] = []
    for line in text.splitlines():
        stamp, _, told = line.partition(" ")
        try:
            moment = datetime.fromisoformat(stamp)
        except ValueError:  # the second line of a text, or a line cut by a full disk
            continue
        if told.startswith(SESSION):
            lines.clear()
        lines.append((moment, told))
    return lines


def _steps(folder: Path, log: list[tuple[datetime, str]]) -> dict[str, Any]:
    """The finished steps of a session with their times, and the one it was in at the end."""
    timings: dict[str, float] = {}
    step, began = None, log[0][0]
    for moment, line in log:
        if match := _STARTED.fullmatch(line):
            step, began = match[1], moment
        elif match := _FINISHED.fullmatch(line):
            timings[match[1]] = float(match[2])
            step = None
        elif match := _REUSED.fullmatch(line):
            if (seconds := _wall_time(folder / match[2])) is not None:
                timings[match[1]] = seconds
            step = None
    if step is None:
        return {"timings_s": timings}
    return {"timings_s": timings, "step": step, "step_s": _seconds(began, log[-1][0])}


def _seconds(begin: datetime, end: datetime) -> float:
    """Never negative, even if the clock was set back in between."""
    return max(0.0, (end - begin).total_seconds())


def _wall_time(record: Path) -> float | None:
    """None if the record is gone or damaged, which is for the next run to tell."""
    try:
        return float(json.loads((record / "record.json").read_bytes())["wall_time_s"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _batch_log(folder: Path) -> list[str]:
    """Of the newest job: the one with the highest number, whatever the clock was."""
    logs = sorted(
        folder.glob("slurm-*.log"), key=lambda path: [int(n) for n in re.findall(r"\d+", path.name)]
    )
    if not logs:
        return []
    with storage_errors(logs[-1], reading=True):
        return logs[-1].read_text(encoding="utf-8", errors="replace").splitlines()


def _batch_line(folder: Path) -> str | None:
    return next((line.strip() for line in reversed(_batch_log(folder)) if line.strip()), None)


def warn_of_newer_run(folder: Path) -> None:
    """Say on standard error if a later run in the folder of a finished one did not end."""
    state = run_status(folder).state
    if state not in ("done", "not converged"):
        sys.stderr.write(
            f"warning: the last run in {folder} is {state}; these are the numbers of an earlier one\n"
        )


def status_json(runs: list[RunStatus]) -> dict[str, Any]:
    """The same for machines."""
    return {"schema_version": SCHEMA_VERSION, "runs": [asdict(run) for run in runs]}


def status_text(runs: list[RunStatus]) -> str:
    """A line for each run, with indented ones for what there is to know more."""
    width = max(len(run.directory) for run in runs)
    return "\n".join(_text(run, width) for run in runs)


def _text(run: RunStatus, width: int) -> str:
    head = f"{run.directory:{width}s}  {run.state}"
    if run.step is not None and run.step_s is not None:
        head += f" in {run.step} after {_clock(run.step_s)}"
    if run.since:
        head += f", since {run.since}"
    if run.owner:
        head += f" (process {run.owner.process} on {run.owner.host})"
    lines = [head]
    if run.state == "unclear":
        lines.append("it runs on that machine, or was killed there: from here its lock cannot be seen")
    if run.message:
        lines.append(run.message)
    elif run.last_line and run.state not in ("done", "not converged"):
        lines.append(f"last line: {run.last_line}")
    if run.batch_line:
        lines.append(f"batch log: {run.batch_line}")
    if run.timings_s:
        lines.append(", ".join(f"{step} {_clock(seconds)}" for step, seconds in run.timings_s.items()))
    return "\n    ".join(lines)


def _clock(seconds: float) -> str:
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours:d}:{minute:02d}:{second:02d}"
