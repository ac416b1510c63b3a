"""The jobs of a campaign: what they are and will need, as a text and as DIR/campaign.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from cluster_qc.errors import StorageError
from cluster_qc.files import storage_errors, write_text
from cluster_qc.workflow.progress import counted

CAMPAIGN = "campaign.json"
SCHEMA_VERSION = 1
_GIB = 2**30


@dataclass(frozen=True)
class Task:
    """One job of a campaign."""

    name: str
    """Of its folder in the campaign's."""
    digest: str
    """SHA-256 of its settings and its structure file."""
    structure: str
    functional: str
    preset: str
    natom: int
    plan: Mapping[str, Any]
    """Fields of `drivers.plan.Plan`, for a machine with just the memory that the job needs."""
    wall_time_s: float
    """The plan's guess on the cores of the campaign."""
    disk: float
    """Bytes that its results will take, a guess."""
    job_file: str
    """Text of its JOB.toml."""


@dataclass(frozen=True)
class Campaign:
    """The jobs, and where they run."""

    source: str
    """The CAMPAIGN.toml."""
    on: Literal["local", "slurm"]
    workers: int
    """Jobs at once; on Slurm: in the queue at once."""
    cores: int
    """Of each job."""
    pictures: bool
    site: Mapping[str, Any]
    """Fields of a SITE.toml; used on Slurm."""
    tasks: tuple[Task, ...]
    warnings: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Jobs that cannot be computed, and why; only where that was asked for."""
    schema_version: int = SCHEMA_VERSION

    @property
    def core_hours(self) -> float:
        """The guess for all jobs."""
        return sum(task.wall_time_s for task in self.tasks) * self.cores / 3600


def plan_text(campaign: Campaign) -> str:
    """The jobs and what they will need, for a terminal; with what the guess rests on."""
    from cluster_qc.drivers.plan import TIME_BASIS

    width = max(len(task.name) for task in campaign.tasks)
    lines = [
        f"{'job':{width}s} {'atoms':>6} {'functions':>9} {'core-h':>8} {'memory GiB':>10} {'disk GB':>8}"
    ]
    for task in campaign.tasks:
        hours = task.wall_time_s * campaign.cores / 3600
        memory = task.plan["memory"] / _GIB
        lines.append(
            f"{task.name:{width}s} {task.natom:>6} {task.plan['nao']:>9} {hours:8.2f} {memory:10.1f} "
            f"{task.disk / 1e9:8.2f}"
        )
    at_once = min(campaign.workers, len(campaign.tasks))
    where = "in the queue" if campaign.on == "slurm" else "on this machine"
    hours = campaign.core_hours
    disk = sum(task.disk for task in campaign.tasks)
    lines += [
        f"{counted(len(campaign.tasks), 'job')}, at most {at_once} at once {where}, "
        f"{counted(campaign.cores, 'core')} each: about "
        f"{hours:.2f} core-hours, {disk / 1e9:.2f} GB of results",
        f"a rough guess, {TIME_BASIS}",
        *(f"warning: {text}" for text in campaign.warnings),
        *left_out_lines(campaign),
    ]
    return "\n".join(lines)


def left_out_lines(campaign: Campaign) -> list[str]:
    """What the campaign does not compute, and why."""
    return [f"{name}  left out: {reason}" for name, reason in campaign.left_out.items()]


def save(campaign: Campaign, directory: Path) -> None:
    """Write DIR/campaign.json and each job's JOB.toml, each in one step."""
    for task in campaign.tasks:
        path = directory / task.name / "job.toml"
        if not path.is_file() or path.read_text(encoding="utf-8") != task.job_file:
            write_text(path, task.job_file)
    write_text(directory / CAMPAIGN, json.dumps(asdict(campaign), indent=1) + "\n")


def load(directory: Path) -> Campaign:
    """Read DIR/campaign.json.

    Raises
    ------
    StorageError
        If it is missing or damaged, or of a newer version.
    """
    path = directory / CAMPAIGN
    if not path.is_file():
        raise StorageError(
            f"{directory} has no campaign: {CAMPAIGN} is missing", fix="give the folder that -o named"
        )
    with storage_errors(path, reading=True):
        text = path.read_text(encoding="utf-8")
    try:
        content = json.loads(text)
        if content["schema_version"] > SCHEMA_VERSION:
            raise StorageError(f"{path} is of a newer version of cluster_qc", fix="update cluster_qc")
        tasks = tuple(Task(**task) for task in content.pop("tasks"))
        return Campaign(tasks=tasks, **{**content, "warnings": tuple(content["warnings"])})
    except (ValueError, TypeError, KeyError) as exc:
        raise StorageError(
            f"{path} is damaged: {exc}", fix="give the campaign's command again to write it anew"
        ) from exc


def former_tasks(directory: Path) -> tuple[Task, ...]:
    """The tasks of an earlier call of the campaign in this folder, whose plans still hold."""
    try:
        return load(directory).tasks
    except StorageError:
        return ()
