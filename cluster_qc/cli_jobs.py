"""The commands that put runs on other machines and watch them; registered in `cli`."""

from __future__ import annotations

import json
import sys
from inspect import signature
from pathlib import Path
from typing import Annotated, Any

import typer

from cluster_qc.errors import InputError


def sbatch(
    context: typer.Context,
    submit: Annotated[bool, typer.Option("--submit", help="Hand the script to Slurm.")] = False,
    site: Annotated[
        Path | None,
        typer.Option(metavar="SITE.toml", help="Partition, account, scratch disk, modules of the cluster."),
    ] = None,
    cores: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Default: the site's, else 8.")
    ] = None,
    gpu: Annotated[bool, typer.Option("--gpu", help="Ask for a graphics card.")] = False,
) -> None:
    """Write a Slurm script for a run: cluster-qc sbatch STRUCTURE|JOB.toml, with any option of `run`.

    It asks for the memory and the time that the plan of the job says, stops cleanly before the time limit and is queued
    again, until it is done.
    """
    from cluster_qc.workflow.figures import vector_formats
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
    vector_formats(options["formats"].split(","))
    settings = read_site(site)
    if cores is not None:
        settings = settings.model_copy(update={"cores": cores})
    job = load_job(
        options["source"], **{key: options[key] for key in signature(load_job).parameters if key != "path"}
    )
    batch = write_batch_job(job, context.args, settings, gpu=gpu)
    print(f"written: {batch.script} ({batch})")
    if gpu:
        print(
            "warning: this version computes on processors only; the graphics card will idle", file=sys.stderr
        )
    if submit:
        print(f"submitted: job {submit_job(batch)}")
    else:
        print("not handed to Slurm: give the same command with --submit")


def _options_of_run(context: typer.Context) -> dict[str, Any]:
    """The rest of the command line, as `run` would read it."""
    assert context.parent is not None
    commands: Any = context.parent.command
    options: dict[str, Any] = (
        commands.commands["run"].make_context(context.command_path, list(context.args)).params
    )
    return options


Quiet = Annotated[bool, typer.Option("--quiet", help="No progress.")]


def campaign(
    source: Annotated[
        Path, typer.Argument(metavar="CAMPAIGN.toml", help="Structures, ligands and settings.")
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="DIR", help="The campaign's folder. Default: the file's name."
        ),
    ] = None,
    on: Annotated[str, typer.Option(metavar="local|slurm", help="Where the jobs run.")] = "local",
    plan: Annotated[
        bool, typer.Option("--plan", help="Tell the jobs and what they will need, and stop.")
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Jobs at once; in a Slurm queue at once. Default: 1, on Slurm 20."
        ),
    ] = None,
    site: Annotated[Path | None, typer.Option(metavar="SITE.toml", help="As for sbatch.")] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out jobs that cannot be computed; they are told.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Run many jobs, on this machine or by Slurm; the same command again goes on where it stopped.

    Each job is an ordinary run in its own folder DIR/<name>/; DIR/campaign.csv and DIR/campaign.db gather the results.
    """
    from cluster_qc.workflow.campaign.driver import drive
    from cluster_qc.workflow.campaign.expand import expand
    from cluster_qc.workflow.campaign.plan import plan_text
    from cluster_qc.workflow.campaign.results import Results
    from cluster_qc.workflow.slurm import read_site

    if on not in ("local", "slurm"):
        raise InputError(f"--on is {on!r}", fix="give local or slurm")
    if site is not None and on == "local":
        raise InputError("--site belongs to --on slurm", fix="leave it out, or give --on slurm")
    directory = output or Path(source.stem)
    where: Any = on
    jobs = expand(
        source, directory, on=where, workers=workers, site=read_site(site), planning=plan, skip_bad=skip_bad
    )
    if plan or not quiet:
        print(plan_text(jobs))
    if plan:
        print("".join(f"{line}\n" for line in Results(directory, jobs).damaged_lines()), end="")
    else:
        _tell_end(drive(jobs, directory, quiet=quiet), directory, quiet)


def retry(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A campaign's folder.")],
    failed: Annotated[
        bool,
        typer.Option("--failed", help="Run the jobs again that failed, did not converge or are damaged."),
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Run failed jobs of a campaign again, where and as the campaign ran; then what is not done yet."""
    from cluster_qc.workflow.campaign.driver import drive
    from cluster_qc.workflow.campaign.plan import load

    if not failed:
        raise InputError(
            "nothing was named that shall run again", fix=f"cluster-qc retry {directory} --failed"
        )
    _tell_end(drive(load(directory), directory, retry=True, quiet=quiet), directory, quiet)


def _tell_end(done: bool, directory: Path, quiet: bool) -> None:
    from cluster_qc.workflow.campaign.results import TABLE, campaign_statuses, statuses_text

    if not quiet:
        print(statuses_text(*campaign_statuses(directory)))
        print(f"\nAll results are in {directory / TABLE}; each job's in its folder in {directory}")
    if not done:
        print(
            f"some jobs are not done: see above\n  fix: cluster-qc retry {directory} --failed",
            file=sys.stderr,
        )
        raise typer.Exit(1)


def status(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="A results folder, a folder of them, or a campaign's.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> None:
    """Tell of each run whether it is done, running, interrupted or failed, in which step, and the time of each step."""
    from cluster_qc.workflow.campaign.plan import CAMPAIGN
    from cluster_qc.workflow.status import run_statuses, status_json, status_text

    if (directory / CAMPAIGN).is_file():
        from cluster_qc.workflow.campaign.results import campaign_statuses, statuses_json, statuses_text

        found = campaign_statuses(directory)
        print(json.dumps(statuses_json(*found), allow_nan=False) if as_json else statuses_text(*found))
        return
    runs = run_statuses(directory)
    print(json.dumps(status_json(runs), allow_nan=False) if as_json else status_text(runs))
