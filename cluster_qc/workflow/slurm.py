"""A run as a Slurm batch job: a script to read, ask for what the plan says, stop before the time limit, go on later."""

from __future__ import annotations

import hashlib
import math
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field

from cluster_qc.errors import InputError, ResourceError
from cluster_qc.files import need_writable, write_text
from cluster_qc.model import Cluster
from cluster_qc.workflow.job import Job
from cluster_qc.workflow.progress import counted
from cluster_qc.workflow.run import check, donor_elements, read_structure
from cluster_qc.workflow.toml_input import Section, read_toml

if TYPE_CHECKING:
    from cluster_qc.drivers.plan import Plan

SCRIPT = "job.sbatch"
LOG = "slurm-%j.log"
_GIB = 2**30
_MIB = 2**20
_TIME_MARGIN = 3
_SHORTEST_S = 1800
_ANSWER_S = 60.0
_SUBMIT_S = 300.0  # sbatch tries again for two minutes by itself when the queue is full
_COMMAND = "<the engine's command>"


def one_line(text: str) -> str:
    """`text`, if it can stand in a script.

    Raises
    ------
    InputError
        For line breaks and other control characters: they could end a line of the script and begin a command.
    """
    if not text.isprintable():
        raise InputError(
            f"{text!r} cannot stand in a batch script",
            why="it has a line break, a control character or bytes that are no UTF-8",
            fix="rename the file or folder, or correct the value",
        )
    return text


def _plain(text: str) -> str:
    if not text.isprintable() or not text:
        raise ValueError("a text of one line, without control characters, is wanted")
    return text


def _word(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.,:@+=/-]*", text):
        raise ValueError("a name without spaces, quotes and signs of the shell is wanted")
    return text


def _directive(text: str) -> str:
    if not re.match(r"--[a-z]", _plain(text)):
        raise ValueError("an option of sbatch is wanted, such as --constraint=zen4")
    return text


def _folder(text: str) -> str:
    if not re.match(r"/|\$[A-Za-z_][A-Za-z0-9_]*(/|$)", _plain(text)):
        raise ValueError("an absolute path, or one that begins with a variable such as $TMPDIR, is wanted")
    return text


Plain = Annotated[str, AfterValidator(_plain)]
Word = Annotated[str, AfterValidator(_word)]
Directive = Annotated[str, AfterValidator(_directive)]
Folder = Annotated[str, AfterValidator(_folder)]


class Site(Section):
    """A SITE.toml: what is particular to a cluster of computers."""

    partition: Word | None = None
    account: Word | None = None
    cores: int = Field(default=8, ge=1)
    gres: Word = "gpu:1"
    """What --gpu asks for."""
    max_hours: float = Field(default=24.0, gt=0)
    """Longest time limit that may be asked for; a longer run goes on in the same job, requeued."""
    stop_before_s: int = Field(default=300, ge=60)
    """How long before the time limit the run is told to stop."""
    max_requeues: int = Field(default=20, ge=0)
    scratch: Folder = "/tmp"
    """A disk of the node; may begin with a variable of the job: $TMPDIR."""
    modules: tuple[Plain, ...] = ()
    """Names for `module load`."""
    activate: tuple[Plain, ...] = ()
    """Files that are sourced, such as the bin/activate of an environment."""
    python: Plain = sys.executable
    sbatch: tuple[Directive, ...] = ()
    """Further options, a line each."""


def read_site(path: Path | None) -> Site:
    """Read a SITE.toml; without one, nothing particular.

    Raises
    ------
    InputError
        For a missing file, an unknown key or a value that cannot stand in a script.
    """
    return Site() if path is None else read_toml(path, Site)


@dataclass(frozen=True)
class BatchJob:
    """A written batch script and what it asks for."""

    script: Path
    cores: int
    memory_gib: float
    hours: float
    """Time limit."""

    def __str__(self) -> str:
        """One line for a terminal."""
        return f"{counted(self.cores, 'core')}, {self.memory_gib:.1f} GiB of memory, {self.hours:.1f} h"


def write_batch_job(
    job: Job, arguments: Sequence[str], site: Site, *, gpu: bool = False, cwd: Path | None = None
) -> BatchJob:
    """Check a job as `run` does, plan it, and write its batch script into its results folder.

    Parameters
    ----------
    job
        What will run.
    arguments
        The words after `cluster-qc run` that make this job.
    site
        Settings of the cluster of computers.
    gpu
        Ask for a graphics card.
    cwd
        Folder that relative paths in `arguments` start from; default the current one.

    Raises
    ------
    InputError
        For an input that cannot be computed, or a name that cannot stand in a script; nothing is written.
    """
    folder = (cwd or Path.cwd()).absolute()
    results = folder / job.directory
    need_writable(results / SCRIPT)
    _, plan = plan_of(job)
    program = shlex.join([site.python, "-P", "-m", "cluster_qc", "run"])
    command = f'{program} --scratch "$scratch" {shlex.join(map(one_line, arguments))}'
    text, limit_s = _script(batch_name(job.name, results), folder, command, site, plan, gpu=gpu)
    one_line(str(results))
    write_text(results / SCRIPT, text)
    return BatchJob(job.directory / SCRIPT, site.cores, plan.free / _GIB, limit_s / 3600)


def plan_of(job: Job) -> tuple[Cluster, Plan]:
    """Check a job as `run` does; its cluster, and its plan for a machine with just the memory that it needs.

    Raises
    ------
    InputError
        For an input that cannot be computed.
    """
    from cluster_qc.drivers.plan import batch_plan

    cluster, _ = read_structure(job)
    method = job.dft_method(cluster, donor_elements(cluster))
    check(cluster, method)
    return cluster, batch_plan(cluster, method, job.triplets, job.singlets)


def engine_script(name: str, folder: Path, record: Path, site: Site, plan: Plan, pythonpath: str) -> str:
    """The batch script of one job of a campaign, a template that the engine puts its command into.

    Parameters
    ----------
    name, folder
        The job and its results folder.
    record
        What the job leaves behind when it has ended; one that is queued again afterwards ends at once.
    site, plan
        As for `write_batch_job`.
    pythonpath
        PYTHONPATH of the driver. The engine adds the driver's folder to it, whose files are none of Python's.
    """
    guard = (
        f"[ -e {shlex.quote(one_line(str(record)))} ] && exit 0 # it had ended before it was queued again\n"
        f"export PYTHONPATH={shlex.quote(one_line(pythonpath))}\n"
    )
    text, _ = _script(batch_name(name, folder), folder, _COMMAND, site, plan, guard=guard)
    before, after = text.split(_COMMAND)
    return f"{{% raw %}}{before}{{% endraw %}}{{{{command}}}}{{% raw %}}{after}{{% endraw %}}"


def submit_job(batch: BatchJob) -> str:
    """Hand a script to Slurm; return the number of the job.

    Raises
    ------
    ResourceError
        If there is no Slurm here, it refuses the job, or it does not answer.
    """
    program = shutil.which("sbatch")
    if program is None:
        raise ResourceError(
            "this machine has no sbatch",
            why="jobs are submitted on a login node of the cluster",
            fix=f"there: cd {shlex.quote(str(batch.script.parent))} && sbatch {batch.script.name}",
        )
    try:
        done = subprocess.run(
            [program, "--parsable", batch.script.name],
            cwd=batch.script.parent,
            capture_output=True,
            text=True,
            check=False,
            timeout=_SUBMIT_S,
        )
    except subprocess.TimeoutExpired:
        raise ResourceError(
            f"sbatch did not answer within {_SUBMIT_S:.0f} s",
            why="the job may be in the queue or not",
            fix="look (squeue --me), then give the command again: jobs of one folder wait for each other",
        ) from None
    if done.returncode:
        reason = " ".join(done.stderr.split()).removeprefix("sbatch: error: ")
        raise ResourceError(
            f"Slurm refused the job: {reason or f'sbatch ended with {done.returncode}'}",
            fix=f"correct the site's settings (--site), or {batch.script}",
        )
    return done.stdout.strip().split(";")[0]


def queued_jobs() -> dict[str, str]:
    """State of each of the user's jobs in the queue (PENDING, RUNNING, ...), by the job's name.

    Raises
    ------
    ResourceError
        If there is no Slurm here, or it does not answer.
    """
    command = ["squeue", "--me", "--noheader", "--format=%j %T"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_ANSWER_S)
    except FileNotFoundError:
        raise ResourceError("this machine has no squeue", fix="work on a login node of the cluster") from None
    except subprocess.TimeoutExpired:
        reason = f"squeue did not answer within {_ANSWER_S:.0f} s"
    except subprocess.CalledProcessError as exc:
        reason = " ".join(exc.stderr.split())
    else:
        return dict(line.rsplit(" ", 1) for line in done.stdout.splitlines())
    raise ResourceError(f"Slurm cannot be asked: {reason}", fix="try again when it is there")


def batch_name(name: str, results: Path) -> str:
    """The cluster's name and six digits of the folder, so that only jobs of one folder share a name."""
    return f"{name}-{hashlib.sha256(str(results).encode()).hexdigest()[:6]}"


def _script(
    name: str, folder: Path, command: str, site: Site, plan: Plan, *, gpu: bool = False, guard: str = ""
) -> tuple[str, int]:
    """The text of a batch script, and its time limit in seconds."""
    from cluster_qc.drivers.plan import TIME_BASIS

    guess_s = plan.wall_time_s(site.cores)
    limit_s = min(max(_TIME_MARGIN * guess_s, _SHORTEST_S), 3600 * site.max_hours)
    limit_s = 60 * math.ceil(limit_s / 60)
    if limit_s < 2 * site.stop_before_s:
        raise InputError(
            f"the time limit of {limit_s / 60:.0f} min leaves no time to compute",
            why=f"the run is told to stop {site.stop_before_s / 60:.0f} min before it (stop_before_s)",
            fix="raise max_hours, or lower stop_before_s",
        )
    memory_mib = math.ceil(plan.free / _MIB)
    options = [
        f"--job-name={name}",
        "--nodes=1",
        "--ntasks=1",
        f"--cpus-per-task={site.cores}",
        f"--mem={memory_mib}M",
        f"--time={_clock(limit_s)}",
        *([f"--partition={site.partition}"] if site.partition else []),
        *([f"--account={site.account}"] if site.account else []),
        *([f"--gres={site.gres}"] if gpu else []),
        f"--output={LOG}",
        "--open-mode=append",
        "--requeue",
        f"--signal=B:USR1@{site.stop_before_s}",
        "--dependency=singleton",
        *site.sbatch,
    ]
    where = "on the scratch disk" if plan.on_disk else "in memory"
    setup = [f"module load {shlex.quote(module)}" for module in site.modules]
    setup += [f"source {shlex.quote(file)}" for file in site.activate]
    text = _TEMPLATE.format(
        directives="\n".join(f"#SBATCH {option}" for option in options),
        memory=f"{plan.memory / _GIB:.1f} GiB planned, {100 * (plan.free / plan.memory - 1):.0f} % to spare; "
        f"{plan.nao} basis functions, three-index integrals of {plan.tensor / _GIB:.1f} GiB {where}",
        time=f"{math.ceil(guess_s / 60)} min guessed ({TIME_BASIS}), {_TIME_MARGIN} times that, at least "
        f"{_SHORTEST_S // 60} min and at most {site.max_hours:g} h; a run that needs longer goes on",
        max_requeues=site.max_requeues,
        grace_s=site.stop_before_s - 30,
        setup=guard + "".join(f"{line}\n" for line in setup),
        scratch=_quoted_folder(site.scratch),
        folder=shlex.quote(one_line(str(folder))),
        command=command,
    )
    return text, limit_s


def _quoted_folder(text: str) -> str:
    """A path for the shell, with the one variable that it may begin with."""
    variable, slash, rest = text.partition("/")
    if not variable:
        return shlex.quote(text)
    return f'"{variable}"' + (shlex.quote(slash + rest) if rest else "")


def _clock(seconds: int) -> str:
    """Slurm's days-hours:minutes:seconds."""
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours // 24}-{hours % 24:02d}:{minute:02d}:{second:02d}"


_TEMPLATE = """\
#!/bin/bash
{directives}

# Memory: {memory}.
# Time:   {time}.
# Jobs of one results folder have one name and wait for each other (singleton).

run= scratch=
stop() {{ # the time limit comes near: end the run at its last checkpoint, and queue this job again
    trap '' USR1
    if [ -n "$run" ]; then
        kill -USR1 "$run" 2>/dev/null
        for _ in {{1..{grace_s}}}; do
            kill -0 "$run" 2>/dev/null || break
            sleep 1
        done
        kill -KILL "$run" 2>/dev/null # harmless: what is on the disk is whole at any moment
        wait "$run"
        code=$?
        case $code in 137 | 138 | 143) ;; *) exit "$code" ;; esac # it had ended by itself
    fi
    rm -rf -- "$scratch"
    if [ "${{SLURM_RESTART_COUNT:-0}}" -ge {max_requeues} ]; then
        echo "stopped, and not queued again: it was so {max_requeues} times already" >&2
    else
        scontrol requeue "$SLURM_JOB_ID" || echo "stopped, and could not be queued again: submit it anew" >&2
    fi
    exit 143
}}
cancelled() {{ # let the run end before its scratch folder goes
    trap '' TERM
    [ -n "$run" ] && kill -TERM "$run" 2>/dev/null && wait "$run"
    exit 143
}}
trap stop USR1
trap cancelled TERM

{setup}export OMP_NUM_THREADS="$SLURM_CPUS_PER_TASK"
scratch=$(mktemp -d -- {scratch}/cluster-qc-XXXXXXXX) || exit 2
trap 'rm -rf -- "$scratch"' EXIT
export TMPDIR="$scratch"

cd -- {folder} || exit 2
{command} &
run=$!
wait "$run"
"""
