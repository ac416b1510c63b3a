"""The commands that put runs on other machines and watch them; registered in `cli`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from cluster_qc.errors import InputError

_LOAD_JOB = {
    "output": "output",
    "preset": "preset",
    "states": "nstates",
    "window": "window_ev",
    "charge": "charge",
    "multiplicity": "multiplicity",
    "functional": "functional",
    "basis": "basis",
    "disorder": "disorder",
    "block": "block",
}
"""Options of `run` and the arguments of `load_job` that they are."""


def sbatch(
    context: typer.Context,
    submit: Annotated[bool, typer.Option("--submit", help="Hand the script to Slurm.")] = False,
    site: Annotated[
        Path | None,
        typer.Option(metavar="SITE.toml", help="Partition, account, scratch disk, modules of the cluster."),
    ] = None,
    cores: Annotated[int | None, typer.Option(min=1, metavar="N", help="Default: as the site says.")] = None,
    gpu: Annotated[bool, typer.Option("--gpu", help="Ask for a graphics card.")] = False,
) -> None:
    """Write a Slurm script for a run: cluster-qc sbatch STRUCTURE|JOB.toml, with any option of `run`.

    It asks for the memory and the time that the plan of the job says, stops cleanly before the time limit and is queued
    again, until it is done.
    """
    from cluster_qc.workflow.job import load_job
    from cluster_qc.workflow.slurm import read_site, submit_job, write_batch_job

    options = _options_of_run(context)
    if options["force"]:
        raise InputError(
            "--force cannot be given to a batch job",
            why="it would begin anew each time that it is queued again",
            fix="give another results folder with -o, or delete the records that shall be computed again",
        )
    if options["scratch"] is not None:
        raise InputError("a batch job has its scratch folder from the site", fix="give it in SITE.toml")
    settings = read_site(site)
    if cores is not None:
        settings = settings.model_copy(update={"cores": cores})
    job = load_job(options["source"], **{name: options[option] for option, name in _LOAD_JOB.items()})
    batch = write_batch_job(job, context.args, settings, gpu=gpu)
    print(f"written: {batch.script} ({batch})")
    if gpu:
        print(
            "warning: this version computes on processors only; the graphics card will idle", file=sys.stderr
        )
    if submit:
        print(f"submitted: job {submit_job(batch)}")


def _options_of_run(context: typer.Context) -> dict[str, Any]:
    """The rest of the command line, as `run` would read it."""
    assert context.parent is not None
    commands: Any = context.parent.command
    options: dict[str, Any] = commands.commands["run"].make_context("sbatch", list(context.args)).params
    return options


def status(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A results folder, or a folder of them.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> None:
    """Tell of each run whether it is done, running, interrupted or failed, in which step, and the time of each step."""
    from cluster_qc.workflow.status import run_statuses, status_json, status_text

    runs = run_statuses(directory)
    print(json.dumps(status_json(runs), allow_nan=False) if as_json else status_text(runs))
