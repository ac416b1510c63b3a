"""The command line: reads arguments, calls the library, prints. No science here.

Exit codes: 0 done; 1 not converged, or `align` or `cd --experiment` disagrees; 2 bad input or a storage problem; 3 an
error of the program itself; 130 interrupted (Ctrl-C); 141 nobody reads its output any more; 143 stopped by SIGTERM or
SIGUSR1.
"""

from __future__ import annotations

import io
import resource
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from cluster_qc import cli_jobs, cli_levels, cli_spectra, cli_structures
from cluster_qc.errors import ClusterQCError, InputError
from cluster_qc.workflow.stop import (
    CUT_OFF,
    INTERRUPTED,
    STOPPED,
    Stopped,
    end_process,
    open_closed_streams,
    stop_on_signals,
)

INTERNAL_ERROR = 3
_LEAST_MEMORY = 512 * 2**20
_RESUMES = "\n  fix: give the same command again; it resumes where it stopped"
_FORCED = "\n  fix: give the same command without --force; it resumes, with what was computed anew so far"

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Electronic structure and chiroptics of ligand-protected metal clusters.",
    epilog="Exit codes: 0 done; 1 not converged, or align or cd disagrees; 2 bad input; 3 internal; "
    "130 interrupted; 143 stopped by a signal.",
)
_state = {"debug": False}

Output = Annotated[Path | None, typer.Option("-o", "--output", metavar="DIR", help="Results folder.")]


def _version(wanted: bool) -> None:
    if wanted:
        from cluster_qc.provenance import version

        print(f"cluster-qc {version('cluster_qc')}")
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and stop.")
    ] = False,
) -> None:
    """Options of every command; --debug is taken out in `main`, this is its help."""


@app.command()
def run(
    source: Annotated[Path, typer.Argument(metavar="STRUCTURE|JOB.toml", help="A .cif, .xyz or .toml file.")],
    output: Output = None,
    preset: Annotated[
        str | None, typer.Option(metavar="quick|standard|reference", help="Default: standard.")
    ] = None,
    nstates: Annotated[int | None, typer.Option("--states", metavar="N", help="Number of singlets.")] = None,
    window_ev: Annotated[
        float | None,
        typer.Option("--window", metavar="EV", help="All singlets up to this energy, instead of a number."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Compute finished steps again.")] = False,
    charge: Annotated[int | None, typer.Option(help="Total charge.")] = None,
    multiplicity: Annotated[int | None, typer.Option(help="2S + 1.")] = None,
    functional: Annotated[str | None, typer.Option(help="A PySCF name, such as pbe0.")] = None,
    basis: Annotated[str | None, typer.Option(help="A basis set, such as def2-svp.")] = None,
    disorder: cli_structures.Disorder = None,
    block: cli_structures.Block = None,
    pictures: Annotated[bool, typer.Option(help="Draw the orbitals.")] = True,
    formats: Annotated[
        str, typer.Option("--format", metavar="svg,pdf", help="Figures in these formats too. PNG: always.")
    ] = "png",
    scratch: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="For a large temporary file. Default: the results folder."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress, no text at the end.")] = False,
) -> None:
    """Run the main job; the same command again resumes where it stopped."""
    from cluster_qc.report.text import text_report
    from cluster_qc.workflow.job import load_job
    from cluster_qc.workflow.run import run as run_job

    job = load_job(
        source, output=output, preset=preset, nstates=nstates, window_ev=window_ev, charge=charge,
        multiplicity=multiplicity, functional=functional, basis=basis, disorder=disorder, block=block,
    )  # fmt: skip
    outcome = run_job(
        job, force=force, quiet=quiet, pictures=pictures, formats=formats.split(","), scratch=scratch
    )
    if not quiet:
        print(text_report(outcome.summary), end="")
        print(f"\nEverything is in {outcome.directory}; open {outcome.directory / 'report.html'}")
    if not outcome.converged:
        print(
            f"not converged: see the warnings in {outcome.directory / 'summary.json'}\n"
            "  fix: give more cycles (max_cycle in a JOB.toml), and run again",
            file=sys.stderr,
        )
        raise typer.Exit(1)


app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    options_metavar="STRUCTURE|JOB.toml [OPTIONS]",
)(cli_jobs.sbatch)
app.command()(cli_jobs.campaign)
app.command()(cli_jobs.status)
app.command()(cli_jobs.retry)


app.command()(cli_structures.structure)
app.command()(cli_structures.build)


app.command()(cli_spectra.cd)
app.command()(cli_spectra.parts)
for command in (cli_levels.align, cli_levels.levels, cli_levels.ups, cli_levels.tauc, cli_levels.stack):
    app.command()(command)


@app.command()
def orbitals(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a finished run.")],
    state: Annotated[
        str | None,
        typer.Option(
            metavar="S1|T1|...", help="Natural transition orbitals of a state. Default: HOMO and LUMO."
        ),
    ] = None,
    pairs: Annotated[int, typer.Option(metavar="N", help="Hole and electron pairs of the state.")] = 1,
    densities: Annotated[
        bool,
        typer.Option("--densities", help="Also the state's hole and electron density and their difference."),
    ] = False,
    formats: Annotated[
        str, typer.Option("--format", metavar="png,svg,pdf,cube,molden", help="What to write.")
    ] = "png,cube,molden",
    share: Annotated[float, typer.Option(help="Part of the density inside the drawn surfaces.")] = 0.7,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FOLDER", help="Default: DIR/orbitals.")
    ] = None,
) -> None:
    """Orbitals and transition densities as pictures, cube and Molden files."""
    from cluster_qc.workflow.orbitals import export_orbitals
    from cluster_qc.workflow.status import warn_of_newer_run

    captions, written = export_orbitals(
        directory, state=state, pairs=pairs, densities=densities, formats=formats.split(","), share=share,
        output=output,
    )  # fmt: skip
    warn_of_newer_run(directory)
    for name, caption in captions.items():
        print(f"{name}: {caption}")
    for path in written:
        print(f"written: {path}")


@app.command()
def report(
    directories: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Folders of finished runs.")],
    text: Annotated[
        bool, typer.Option("--text", help="Print the report instead of writing the page.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Of several runs. Default: comparison.html."),
    ] = None,
) -> None:
    """Write the page of a finished run again, or print it; of several runs one page that compares them."""
    from cluster_qc.workflow.look import compare_runs, rewrite_page, run_text
    from cluster_qc.workflow.status import warn_of_newer_run

    if output is not None and (text or len(directories) == 1):
        raise InputError(
            "-o is for the page of several runs", fix="leave it out; a run's page is DIR/report.html"
        )
    if text:
        print("\n".join(run_text(directory) for directory in directories), end="")
    elif len(directories) == 1:
        print(f"written: {rewrite_page(directories[0])}")
    else:
        print(f"written: {compare_runs(directories, output or Path('comparison.html'))}")
    for directory in directories:
        warn_of_newer_run(directory)


@app.command()
def doctor() -> None:
    """Tell what this machine has, and how fast its linear algebra runs."""
    from cluster_qc.workflow.doctor import doctor_text

    print(doctor_text())


def main() -> NoReturn:
    """Run the command line and exit with its code; errors are told in a few lines, without a traceback."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]  # wherever it stands
    _state["debug"] = len(arguments) < len(sys.argv) - 1
    resumes = _FORCED if "--force" in arguments else _RESUMES
    open_closed_streams()
    if isinstance(sys.stdout, io.TextIOWrapper):  # a file name may hold bytes that are no text
        sys.stdout.reconfigure(errors="backslashreplace")
    stop_on_signals()
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit != resource.RLIM_INFINITY and limit < _LEAST_MEMORY:  # OpenBLAS would ask for it again and again
        _fail(
            f"the memory limit of {limit / 2**20:.0f} MiB (ulimit -v) is too small to load the libraries\n"
            "  fix: raise it to 4 GiB or more",
            2,
        )
    try:
        code = app(arguments, standalone_mode=False)
    except ClusterQCError as exc:
        _fail(str(exc), exc.exit_code)
    except KeyboardInterrupt:
        _fail(f"interrupted{resumes}", INTERRUPTED)
    except Stopped as exc:
        _fail(f"stopped by {exc}{resumes}", STOPPED)
    except SystemExit:  # how typer ends when nobody reads the output any more
        end_process(CUT_OFF)
    except OSError as exc:
        _fail(f"{exc.strerror or exc}" + (f": {exc.filename}" if exc.filename else ""), 2)
    except MemoryError:
        _fail("out of memory\n  fix: use --preset quick, fewer --states, or a smaller basis", 2)
    except Exception as exc:  # noqa: BLE001  (the last line of defence, told as such)
        show, exit_code = getattr(exc, "show", None), getattr(exc, "exit_code", None)
        if callable(show) and isinstance(exit_code, int):  # typer's own: a wrong option or command
            show()
            sys.exit(exit_code)
        _fail(
            f"internal error: {type(exc).__name__}: {' '.join(str(exc).split())}\n"
            "  why: this is a fault of the program, not of your input; finished steps are kept\n"
            "  fix: give the same command with --debug, and report what it shows",
            INTERNAL_ERROR,
        )
    if code == INTERRUPTED:  # typer turns KeyboardInterrupt into this
        _fail(f"interrupted{resumes}", INTERRUPTED)
    end_process(code if isinstance(code, int) else 0)


def _fail(message: str, code: int) -> NoReturn:
    if _state["debug"]:
        import traceback

        traceback.print_exc()
    with suppress(BrokenPipeError):
        print(f"error: {message}", file=sys.stderr)
    end_process(code)
