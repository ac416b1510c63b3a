"""The commands about CD spectra of finished runs; registered in `cli`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from cluster_qc.errors import InputError

Width = Annotated[
    float | None, typer.Option("--fwhm", metavar="EV", help="Width of the bands. Default: as the run.")
]
Shift = Annotated[
    float | None, typer.Option("--shift", metavar="EV", help="Added to every energy. Default: as the run.")
]
WhichGauge = Annotated[
    str | None, typer.Option("--gauge", metavar="length|velocity", help="Default: as the run.")
]


def cd(
    directories: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Folders of finished runs.")],
    fwhm: Width = None,
    shift: Shift = None,
    gauge: WhichGauge = None,
    experiment: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Measured CD, a text table; units in its header.")
    ] = None,
    concentration: Annotated[
        float | None, typer.Option(metavar="MOL/L", help="Of a measured CD in mdeg.")
    ] = None,
    path_length: Annotated[float | None, typer.Option(metavar="CM", help="Of a measured CD in mdeg.")] = None,
    absorption: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Measured UV absorption that gives the shift.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Write the curves as FILE.png, .csv or .jdx."),
    ] = None,
    assign: Annotated[
        bool,
        typer.Option("--assign", help="Tell which of the runs has the measured CD, and how sure that is."),
    ] = False,
    average: Annotated[
        float | None,
        typer.Option(metavar="KELVIN", help="Boltzmann average of the runs, conformers of one molecule."),
    ] = None,
    energy_error: Annotated[
        float | None,
        typer.Option(metavar="EV", help="Standard deviation of the conformers' energies. Default: 0.04."),
    ] = None,
    film: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Run in the crystal's geometry, to lay beside the average."),
    ] = None,
) -> None:
    """Circular dichroism of one or more runs: bands, curves over one another, and a measured one beside them.

    With --experiment the exit code is 1 unless every curve agrees: similarity of at least 0.5 on the common range. With
    --assign it is 1 if the measured curve, or the published bands, do not decide between the runs. With --average the
    runs are conformers, weighed by their total energies, and one curve, of the solution, is shown in their place.
    """
    from cluster_qc.workflow.chiroptics import (
        assignment_text,
        cd_text,
        check_curve_file,
        compare_text,
        simulate_run_cd,
        write_cd,
    )
    from cluster_qc.workflow.status import warn_of_newer_run

    _check_average(average, energy_error, film, absorption, assign)
    if output is not None:
        check_curve_file(output, len(directories) if average is None else 1 if film is None else 2)
    measured = uv = None
    if experiment is None and (concentration is not None or path_length is not None):
        raise InputError(
            "--concentration and --path-length belong to --experiment", fix="give the measured file"
        )
    if experiment is not None:
        from cluster_qc.analysis.experiment import read_cd_spectrum

        measured = read_cd_spectrum(experiment, concentration_mol_l=concentration, path_length_cm=path_length)
    if absorption is not None:
        from cluster_qc.analysis.experiment import read_absorption_spectrum

        uv = read_absorption_spectrum(absorption)
    if average is not None:
        from cluster_qc.workflow.conformers import film_cd, solution_cd

        solution, populations = solution_cd(
            directories, average, energy_error_ev=energy_error, fwhm_ev=fwhm, shift_ev=shift, gauge=gauge
        )
        runs = [solution]
        if film is not None:
            runs.append(film_cd(film, fwhm_ev=fwhm, shift_ev=shift, gauge=gauge))
        print(populations)
    else:
        runs = [
            simulate_run_cd(folder, fwhm_ev=fwhm, shift_ev=shift, gauge=gauge, uv=uv)
            for folder in directories
        ]
    for folder in [*directories, *([] if film is None else [film])]:
        warn_of_newer_run(folder)
    agree = True
    if assign:
        text, agree = assignment_text(runs, measured)
        print(text)
    for run in [] if assign else runs:
        print(cd_text(run))
        if measured is not None:
            text, agrees = compare_text(run, measured)
            print(text)
            agree = agree and agrees
    if output is not None:
        write_cd(output, runs, measured)
        print(f"written: {output}")
    if not agree:
        raise typer.Exit(1)


def _check_average(
    average: float | None,
    energy_error: float | None,
    film: Path | None,
    absorption: Path | None,
    assign: bool,
) -> None:
    if average is None and (energy_error is not None or film is not None):
        raise InputError(
            "--energy-error and --film belong to --average", fix="give the temperature, e.g. --average 298"
        )
    if average is not None and assign:
        raise InputError(
            "--average makes one curve of the runs, --assign chooses between them", fix="leave one out"
        )
    if average is not None and absorption is not None:
        raise InputError(
            "--absorption fits a shift for each run, --average needs one for all", fix="give it with --shift"
        )


def parts(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a finished run.")],
    fwhm: Width = None,
    shift: Shift = None,
    gauge: WhichGauge = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE.csv", help="Write the parts of all states."),
    ] = None,
) -> None:
    """Where the CD comes from: bands and rotatory strengths by fragments and orbital pairs."""
    from cluster_qc.workflow.rotatory_parts import check_table_file, parts_text, run_parts, write_parts
    from cluster_qc.workflow.status import warn_of_newer_run

    if output is not None:
        check_table_file(output)
    table = run_parts(directory, fwhm_ev=fwhm, shift_ev=shift, gauge=gauge)
    warn_of_newer_run(directory)
    print(json.dumps(table, allow_nan=False) if as_json else parts_text(directory, table))
    if output is not None:
        write_parts(output, table)
        print(f"written: {output}", file=sys.stderr if as_json else sys.stdout)
