"""What a campaign has come to: the state of each job, and one table and one database of all results."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from cluster_qc.database import write_database
from cluster_qc.errors import InputError, ResourceError, StorageError
from cluster_qc.files import replaced, write_text
from cluster_qc.model import Cluster
from cluster_qc.report.comparison import write_comparison
from cluster_qc.report.document import read_table
from cluster_qc.structure.xyz import read_xyz
from cluster_qc.workflow.campaign.plan import Campaign, Task, left_out_lines, load
from cluster_qc.workflow.campaign.task import TaskRecord, read_records, verdict
from cluster_qc.workflow.lock import owner_of
from cluster_qc.workflow.progress import counted
from cluster_qc.workflow.slurm import batch_name, queued_jobs
from cluster_qc.workflow.status import run_status
from cluster_qc.workflow.summary_file import read_summary, summary_errors

TABLE, DATABASE, PAGE = "campaign.csv", "campaign.db", "campaign.html"
SUBMITTED = "run_queue.sh"
"""What the engine leaves in the folder of a job that it handed to Slurm."""
SCHEMA_VERSION = 1
_COMPARED = 12  # jobs side by side on one page, at most


@dataclass(frozen=True)
class TaskStatus:
    """How far one job of a campaign is."""

    name: str
    state: str
    """done, not converged, failed, lost, damaged, running, waiting."""
    message: str | None = None
    """Why; of a running job the step it is in."""
    wall_time_s: float | None = None
    """Of its last finished attempt."""


def campaign_statuses(directory: Path) -> tuple[Campaign, list[TaskStatus]]:
    """The campaign of a folder and the state of its jobs, from their files and the queue.

    Raises
    ------
    StorageError
        If there is no campaign.
    """
    campaign = load(directory)
    driven = owner_of(directory)[1] is not False
    queue: Mapping[str, str] | None = {}
    if campaign.on == "slurm":
        try:
            queue = queued_jobs()
        except ResourceError:
            queue = None
    return campaign, [
        _status(directory / task.name, task, campaign.on, driven, queue) for task in campaign.tasks
    ]


def _status(folder: Path, task: Task, on: str, driven: bool, queue: Mapping[str, str] | None) -> TaskStatus:
    record, *_ = outcome(folder, task.digest)
    if record is not None and record.state == "done":
        return TaskStatus(task.name, record.state, record.message, record.wall_time_s)
    run = run_status(folder)
    if run.state == "running":
        return TaskStatus(task.name, "running", f"in {run.step}" if run.step else None)
    state = None if queue is None else queue.get(batch_name(task.name, folder))
    if state is not None:
        return TaskStatus(task.name, "running" if state == "RUNNING" else "waiting", f"in the queue: {state}")
    if record is not None:
        return TaskStatus(task.name, record.state, record.message, record.wall_time_s)
    begun = run.state == "interrupted" or (on == "slurm" and (folder / SUBMITTED).exists())
    if begun and queue is None:
        return TaskStatus(task.name, "waiting", "it was handed to Slurm, which cannot be asked from here")
    if begun and not driven:
        return TaskStatus(
            task.name, "lost", "it was stopped or cancelled; the campaign's command runs it again"
        )
    return TaskStatus(task.name, "waiting")


def outcome(folder: Path, digest: str) -> tuple[TaskRecord | None, Mapping[str, Any], Cluster | None]:
    """The record of a job that counts; of one that ended also its numbers in the table, and its molecule.

    Results that cannot be read any more make it "damaged", unless a later attempt at it ended in another way.
    """
    records = read_records(folder, digest)
    record = verdict(records)
    if record is None or record.state not in ("done", "not converged"):
        return record, {}, None
    try:
        with summary_errors(folder):
            numbers = _numbers(read_summary(folder))
        if (folder / "cd.csv").is_file():  # of the page that compares the jobs
            read_table(folder / "cd.csv")
        return record, numbers, read_xyz(folder / "structure.xyz", name=folder.name)
    except (InputError, StorageError) as exc:
        if record is not records[-1]:
            return records[-1], {}, None
        return replace(record, state="damaged", message=exc.what), {}, None


def time_left_s(campaign: Campaign, statuses: Sequence[TaskStatus]) -> float:
    """A guess of the wall time to the end: the plan's, scaled by what the finished jobs took, jobs side by side."""
    planned = {task.name: task.wall_time_s for task in campaign.tasks}
    ended = [s for s in statuses if s.state in ("done", "not converged") and s.wall_time_s]
    scale = 1.0
    if ended:
        scale = sum(s.wall_time_s or 0.0 for s in ended) / sum(planned[s.name] for s in ended)
    left = [s for s in statuses if s.state in ("running", "waiting", "lost")]
    return scale * sum(planned[s.name] for s in left) / max(1, min(campaign.workers, len(left)))


def statuses_text(campaign: Campaign, statuses: Sequence[TaskStatus]) -> str:
    """A line for each job that is not done, then how many are in which state and the time left."""
    width = max(len(status.name) for status in statuses)
    lines = [
        f"{s.name:{width}s}  {s.state}" + (f": {s.message}" if s.message else "")
        for s in statuses
        if s.state != "done"
    ]
    counts = Counter(status.state for status in statuses)
    total = ", ".join(f"{number} {state}" for state, number in counts.items())
    left = time_left_s(campaign, statuses)
    guess = f"; about {left / 3600:.1f} h left, scaled by the jobs that ended" if left else ""
    lines += left_out_lines(campaign)
    return "\n".join([*lines, f"{counted(len(statuses), 'job')}: {total}{guess}"])


def statuses_json(campaign: Campaign, statuses: Sequence[TaskStatus]) -> dict[str, Any]:
    """The same for machines."""
    return {
        "schema_version": SCHEMA_VERSION,
        "on": campaign.on,
        "time_left_s": time_left_s(campaign, statuses),
        "left_out": dict(campaign.left_out),
        "jobs": [asdict(status) for status in statuses],
    }


class Results:
    """The table and the database of a campaign, kept in memory and written whole."""

    def __init__(self, directory: Path, campaign: Campaign) -> None:
        self._directory = directory
        self.records: dict[str, TaskRecord | None] = {}
        """The one of each job that counts."""
        self._rows: dict[str, dict[str, Any]] = {}
        self._clusters: dict[str, Cluster] = {}
        for task in campaign.tasks:
            self.take(task)
        for name, reason in campaign.left_out.items():
            self._rows[name] = {"name": name, "state": "left out", "reason": reason}

    def take(self, task: Task) -> None:
        """Take over what a job has come to."""
        record, numbers, cluster = outcome(self._directory / task.name, task.digest)
        self.records[task.name] = record
        row: dict[str, Any] = {
            "name": task.name,
            "state": record.state if record else "waiting",
            "structure": task.structure,
            "functional": task.functional,
            "preset": task.preset,
        }
        if record is not None and cluster is not None:
            row |= numbers
            row["wall_time_s"] = record.wall_time_s
            self._clusters[task.name] = cluster
        row["reason"] = record.message if record else None
        self._rows[task.name] = row

    def damaged_lines(self) -> list[str]:
        """Which jobs ended, but with results that cannot be read any more, and why."""
        return [
            f"{name}  damaged: {record.message}; cluster-qc retry {self._directory} --failed runs it again"
            for name, record in self.records.items()
            if record is not None and record.state == "damaged"
        ]

    def write(self) -> None:
        """Write campaign.csv, campaign.db and, of two to twelve jobs, campaign.html, which compares them."""
        columns = dict.fromkeys(_COLUMNS)
        stream = io.StringIO()
        writer = csv.DictWriter(stream, [*columns], lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: row.get(key) for key in columns} for row in self._rows.values())
        write_text(self._directory / TABLE, stream.getvalue())
        write_database(
            self._directory / DATABASE,
            [
                (cluster, self._rows[name]["total_energy_hartree"], _named(self._rows[name]))
                for name, cluster in self._clusters.items()
            ],
        )
        jobs = []
        for name in self._clusters if len(self._clusters) <= _COMPARED else ():
            with suppress(StorageError):  # damaged since it was taken: told when it is taken again
                jobs.append((name, read_summary(self._directory / name), self._directory / name))
        if len(jobs) > 1:
            with replaced(self._directory / PAGE) as temporary:
                write_comparison(jobs, temporary)


_COLUMNS = (
    "name", "state", "structure", "functional", "basis", "preset", "homo_ev", "lumo_ev", "gap_ev", "s1_ev", "t1_ev",
    "strongest_cd_nm", "strongest_cd_lmolcm", "total_energy_hartree", "converged", "wall_time_s", "reason",
)  # fmt: skip


def _numbers(summary: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that come from a run's summary; None for what it does not have."""
    levels = summary["levels"]
    bands: list[dict[str, float]] = (summary["cd"] or {}).get("bands", [])
    strongest = max(bands, key=lambda band: abs(band["delta_epsilon_lmolcm"])) if bands else {}
    lowest: dict[str, dict[str, Any]] = {
        key: next(iter(summary[key]), {}) for key in ("singlets", "triplets")
    }
    return {
        "basis": summary["method"]["basis"],
        **{key: levels[key] for key in ("homo_ev", "lumo_ev", "gap_ev", "total_energy_hartree")},
        "s1_ev": lowest["singlets"].get("energy_ev"),
        "t1_ev": lowest["triplets"].get("energy_ev"),
        "strongest_cd_nm": strongest.get("wavelength_nm"),
        "strongest_cd_lmolcm": strongest.get("delta_epsilon_lmolcm"),
        "converged": summary["converged"],
    }


def _named(row: Mapping[str, Any]) -> dict[str, Any]:
    """What ASE can search for: no empty values, no texts that look like numbers."""
    texts = ("structure", "reason")  # long texts stay in the table
    return {
        key: f"job_{value}" if isinstance(value, str) and _is_number(value) else value
        for key, value in row.items()
        if value is not None and key not in texts
    }


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text in ("True", "False")
    return True
