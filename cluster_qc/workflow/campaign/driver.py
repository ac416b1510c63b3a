"""The driver of a campaign: hands jobs to the engine (executorlib), a bounded number at a time, and tells how they end.

It may be killed at any moment: the same command goes on from the jobs' own records. Jobs in a Slurm queue are left
alone meanwhile and found again; jobs on this machine end with their driver.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np

from cluster_qc.errors import InputError, ResourceError, StorageError, UnavailableError
from cluster_qc.files import storage_errors
from cluster_qc.records import read_record, refuse_newer
from cluster_qc.workflow.campaign.local import LocalExecutor
from cluster_qc.workflow.campaign.plan import Campaign, Task, left_out_lines, save
from cluster_qc.workflow.campaign.results import Results
from cluster_qc.workflow.campaign.task import (
    TaskRecord,
    read_records,
    record_path,
    run_task,
    write_record,
)
from cluster_qc.workflow.lock import folder_lock, owner_of
from cluster_qc.workflow.progress import Monitor, counted, monitor
from cluster_qc.workflow.slurm import Site, batch_name, engine_script, queued_jobs
from cluster_qc.workflow.stop import ENGINE

RUN = (sys.executable, "-P", "-m", "cluster_qc", "run")
QUEUE = ".queue"
"""Folder of the engine's files, on Slurm."""
_STEPS = ("scf", "singlets", "triplets")
_HASH8 = "[0-9a-f]" * 8
_POLL_S = 1.0
_PROBE_S = 30.0  # between two questions whether Slurm answers
_STUCK_S = 300.0  # sbatch tries again for two minutes by itself when the queue is full
_AGAIN = "give the same command again when Slurm answers"
_WRITING_SHARE = 0.05  # of the driver's time goes into the files about the whole campaign, at most


def drive(campaign: Campaign, directory: Path, *, retry: bool = False, quiet: bool = False) -> bool:
    """Run what has no record yet to the end; True if every job of the campaign is done.

    A job that failed, did not converge or was damaged on the disk is left as it is unless `retry`; one that was lost
    (killed, cancelled, its node gone) is told and started once more.

    Parameters
    ----------
    campaign
        What to run.
    directory
        The campaign's folder; each job's is in it.
    retry
        Run failed, unconverged and damaged jobs again; unconverged and damaged steps are computed anew.
    quiet
        No progress on standard error.

    Raises
    ------
    UnavailableError
        Without executorlib.
    ResourceError
        If the engine or Slurm fails; jobs in the queue stay there, the same command finds them again.
    StorageError
        If another driver works in this folder, or it cannot be written.
    """
    directory = directory.absolute()
    _check(campaign, directory)
    with folder_lock(directory), monitor(directory, quiet=quiet) as log:
        save(campaign, directory)
        results = Results(directory, campaign)
        due = deque(_due(campaign, directory, retry, results))
        log.note(
            f"{counted(len(campaign.tasks), 'job')}, {len(due)} to run, on {campaign.on}, {campaign.workers} at once"
        )
        for line in [*left_out_lines(campaign), *results.damaged_lines()]:
            log.note(line)
        if due:
            engine = _Engine(campaign, directory)
            _run(due, engine, campaign, directory, results, log)
            engine.close()
        results = Results(directory, campaign)  # anew, for a job given up as lost that ended after all
        results.write()
        jobs = results.records
        bad = [name for name, record in jobs.items() if record is None or record.state != "done"]
        log.note(
            f"{len(jobs) - len(bad)} of {counted(len(jobs), 'job')} done"
            + (f"; not: {', '.join(bad)}" if bad else "")
        )
    return not bad


def _check(campaign: Campaign, directory: Path) -> None:
    if find_spec("executorlib") is None or (campaign.on == "slurm" and find_spec("pysqa") is None):
        raise UnavailableError(
            "campaigns need executorlib, which is not installed", fix="pip install 'cluster_qc[campaign]'"
        )
    if campaign.on == "local":
        return
    if shutil.which("sbatch") is None:
        raise ResourceError(
            "this machine has no sbatch", fix="start the campaign on a login node, or with --on local"
        )
    for path in (str(directory), sys.executable):
        if shlex.quote(path) != path:
            raise InputError(
                f"{path} has a space or a sign of the shell in its name",
                why="the engine writes it into batch scripts as it is",
                fix="use a folder with another name",
            )
    if campaign.site.get("python") != sys.executable:
        raise InputError(
            f"the site's python is {campaign.site.get('python')}",
            why="the jobs of a campaign run with the Python of their driver, its version has to be the same",
            fix="leave python out of the site's settings, and start the campaign with that one",
        )


def _due(campaign: Campaign, directory: Path, retry: bool, results: Results) -> list[Task]:
    """The tasks to run; those to compute anew lose their unconverged and damaged steps."""
    due = []
    for task in campaign.tasks:
        record = results.records[task.name]
        if record is None or record.state == "lost":
            due.append(task)
        elif retry and record.state != "done":
            due.append(task)
            folder = directory / task.name
            if owner_of(folder)[1] is False:  # no job that a former driver handed to Slurm is at work there
                with folder_lock(folder), storage_errors(folder):
                    _drop_bad_steps(folder)
    return due


def _drop_bad_steps(folder: Path) -> None:
    """Delete the records of steps that did not converge or are damaged: a run would take these, and refuse those."""
    for path in sorted(path for step in _STEPS for path in folder.glob(f"{step}-{_HASH8}/")):
        try:
            record, arrays = read_record(path)
        except StorageError as exc:
            if isinstance(exc.__cause__, OSError):  # it may be whole, but cannot be read now
                continue
            with suppress(StorageError):  # of a newer version: the run tells
                refuse_newer(path)
                shutil.rmtree(path)
        else:
            if not np.all(arrays.get("converged", record.scalars.get("converged"))):
                shutil.rmtree(path)


def _run(
    due: deque[Task], engine: _Engine, campaign: Campaign, directory: Path, results: Results, log: Monitor
) -> None:
    active: dict[Future[None], tuple[Task, int]] = {}
    lost_once: set[str] = set()
    ended = 0
    written = 0.0  # when, and how long it took
    took = 0.0
    while due or active:
        while due and len(active) < campaign.workers:
            task = due.popleft()
            records = read_records(directory / task.name, task.digest)
            attempt = 1 + max((record.attempt for record in records), default=0)
            active[engine.submit(task, attempt)] = (task, attempt)
        finished, _ = wait(active, timeout=_POLL_S, return_when=FIRST_COMPLETED)
        engine.check()
        for future in finished:
            task, attempt = active.pop(future)
            folder = directory / task.name
            record = next((r for r in read_records(folder, task.digest) if r.attempt == attempt), None)
            if record is None:
                record = TaskRecord(attempt, "lost", _loss(future))
                write_record(folder, task.digest, record)
            again = record.state == "lost" and task.name not in lost_once
            results.take(task)
            if again:
                lost_once.add(task.name)
                due.append(task)
            ended += not again
            told = f": {record.message}" if record.message else ""
            log.note(f"{task.name}: {record.state}{told}{'; started once more' if again else ''}")
        if finished and time.monotonic() - written > took / _WRITING_SHARE:
            begin = time.monotonic()
            results.write()
            written = time.monotonic()
            took = written - begin


def _loss(future: Future[None]) -> str:
    """Why a job ended without a record of its own.

    Raises
    ------
    ResourceError
        If Slurm refused it: it would refuse the others too.
    """
    exc = None if future.cancelled() else future.exception()
    if isinstance(exc, subprocess.CalledProcessError):
        raise _failed_call(exc)
    told = f" ({' '.join(str(exc).split())})" if exc is not None else ""
    return f"it ended without a record: cancelled, killed, or its node lost{told}"


def _failed_call(exc: subprocess.CalledProcessError) -> ResourceError:
    program = exc.cmd[0] if isinstance(exc.cmd, list) else str(exc.cmd).split()[0]
    return ResourceError(
        f"{program} failed: {' '.join(str(exc.output or exc.stderr or exc).split())}",
        why="without Slurm nothing can be submitted or watched; jobs in the queue are left alone",
        fix=f"{_AGAIN}; with other settings of the site (--site) if it refused",
    )


class _Engine:
    """executorlib behind a daemon thread.

    Its threads inherit being daemons: a driver that ends by an error, a signal or a dead scheduler thread is not held
    back by threads that wait for jobs (`end_process`). An exception in any of them is kept, and ends the driver at its
    next `check`.
    """

    def __init__(self, campaign: Campaign, directory: Path) -> None:
        self._campaign = campaign
        self._directory = directory
        self._failure: BaseException | None = None
        self._pythonpath = os.environ.get("PYTHONPATH", "")
        self._orders: SimpleQueue[tuple[Any, ...] | None] = SimpleQueue()
        self._answers: SimpleQueue[Future[None]] = SimpleQueue()
        self._probed = self._moved = time.monotonic()
        self._handed: dict[Future[None], str] = {}  # to Slurm, with the names of the batch jobs
        self._missing: set[Future[None]] = set()
        self._hook = threading.excepthook
        threading.excepthook = self._keep
        self._thread = threading.Thread(target=self._serve, name=ENGINE, daemon=True)
        self._thread.start()

    def submit(self, task: Task, attempt: int) -> Future[None]:
        """Hand a job to the engine, or find it in the queue where an earlier driver put it."""
        folder = self._directory / task.name
        local = self._campaign.on == "local"
        command = [*RUN, "job.toml", "-o", str(folder), "--quiet"]
        if local:
            command = ["env", f"OMP_NUM_THREADS={self._campaign.cores}", *command]
        if not self._campaign.pictures:
            command.append("--no-pictures")
        resources: dict[str, Any] = {"cores": 1, "cwd": str(folder)}
        if not local:
            from cluster_qc.drivers.plan import Plan

            record = record_path(folder, task.digest, attempt)
            key = f"{task.name}-{record.stem}"
            refused = self._directory / QUEUE / f"{key}_o.h5"  # without a record it is no result
            refused.unlink(missing_ok=True)
            site = Site(**self._campaign.site)
            script = engine_script(task.name, folder, record, site, Plan(**task.plan), self._pythonpath)
            resources |= {"cache_key": key, "submission_template": script}
        self._orders.put(((run_task, str(folder), task.digest, attempt, command, not local), resources))
        while True:
            try:
                future = self._answers.get(timeout=_POLL_S)
            except Empty:
                self.check()
            else:
                if not local:
                    self._handed[future] = batch_name(task.name, folder)
                return future

    def check(self) -> None:
        """Raise what ended a thread of the engine; from time to time ask Slurm, and see whether the engine hangs.

        Raises
        ------
        ResourceError
            If the engine can no longer learn how jobs end.
        """
        if isinstance(self._failure, subprocess.CalledProcessError):
            raise _failed_call(self._failure)
        if self._failure is not None:
            raise ResourceError(
                f"the engine failed: {type(self._failure).__name__}: {self._failure}",
                why="it would no longer tell how jobs end",
                fix="give the same command again; finished jobs are not repeated",
            )
        if self._campaign.on == "slurm" and time.monotonic() - self._probed > _PROBE_S:
            self._compare(queued_jobs())
            self._probed = time.monotonic()

    def _compare(self, queue: Mapping[str, str]) -> None:
        """Raise if jobs are neither in the queue nor told as ended, and nothing of that changes."""
        self._handed = {future: name for future, name in self._handed.items() if not future.done()}
        missing = {future for future, name in self._handed.items() if name not in queue}
        if not missing or missing != self._missing:
            self._missing, self._moved = missing, time.monotonic()
        elif time.monotonic() - self._moved > _STUCK_S:
            raise ResourceError(
                f"the engine hangs: {counted(len(missing), 'job')} neither in the queue nor told as ended for "
                f"{_STUCK_S / 60:.0f} min",
                why="most often sbatch or squeue does not return",
                fix=_AGAIN,
            )

    def close(self) -> None:
        """End the engine; no job may be left in it."""
        self._orders.put(None)
        self._thread.join(timeout=10 * _POLL_S)
        threading.excepthook = self._hook

    def _keep(self, args: threading.ExceptHookArgs) -> None:
        self._failure = self._failure or args.exc_value

    def _serve(self) -> None:
        with self._executor() as executor:
            while (order := self._orders.get()) is not None:
                call, resources = order
                self._answers.put(executor.submit(*call, resource_dict=resources))

    def _executor(self) -> Any:
        if self._campaign.on == "local":
            return LocalExecutor()
        from executorlib import SlurmClusterExecutor

        return SlurmClusterExecutor(
            cache_directory=str(self._directory / QUEUE), disable_dependencies=True, refresh_rate=_POLL_S
        )
