"""The command about spectra of finished runs; registered in `cli`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cluster_qc.errors import InputError


def cd(
    directories: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Folders of finished runs.")],
    fwhm: Annotated[
        float | None, typer.Option(metavar="EV", help="Width of the bands. Default: as the run.")
    ] = None,
    shift: Annotated[
        float | None, typer.Option(metavar="EV", help="Added to every energy. Default: as the run.")
    ] = None,
    gauge: Annotated[str | None, typer.Option(metavar="length|velocity", help="Default: as the run.")] = None,
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
) -> None:
    """Circular dichroism of one or more runs: bands, curves over one another, and a measured one beside them.

    With --experiment the exit code is 1 unless every run agrees: similarity of at least 0.5 on the common range. With
    --assign it is 1 if the measured curve, or the published bands, do not decide between the runs.
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

    if output is not None:
        check_curve_file(output, len(directories))
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
    runs = [
        simulate_run_cd(folder, fwhm_ev=fwhm, shift_ev=shift, gauge=gauge, uv=uv) for folder in directories
    ]
    for folder in directories:
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
