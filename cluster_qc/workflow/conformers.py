"""The CD of a solution, from the runs of its conformers, and of a film, from the run in the crystal's geometry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from cluster_qc.analysis.conformers import average_spectra, boltzmann_weights, film_spectrum
from cluster_qc.analysis.spectra import covered_energies
from cluster_qc.errors import InputError, UnavailableError
from cluster_qc.units import electronvolt
from cluster_qc.workflow.chiroptics import RunCD, curve_settings, relative_energies, simulate_run_cd
from cluster_qc.workflow.summary_file import read_summary, summary_errors

ASSUMED_ERROR_EV = 0.04
"""About 1 kcal/mol, of one conformer's energy against another's: an assumption, and told as one."""
_LARGEST_ERROR_EV = 1.0
_SAME_EV = 3e-5


def solution_cd(
    directories: Sequence[Path],
    temperature_k: float,
    *,
    energy_error_ev: float | None = None,
    fwhm_ev: float | None = None,
    shift_ev: float | None = None,
    gauge: str | None = None,
) -> tuple[RunCD, str]:
    """The Boltzmann average of the CD of conformers, and their populations as text.

    Parameters
    ----------
    directories
        Finished runs of the conformers of one molecule, by one method.
    temperature_k
        Kelvin.
    energy_error_ev
        One standard deviation of each total energy against the others; None takes `ASSUMED_ERROR_EV`.
    fwhm_ev, shift_ev, gauge
        As in `simulate_run_cd`.

    Raises
    ------
    InputError
        For fewer than two runs, one given twice, curves made differently, or a temperature or error out of range.
    UnavailableError
        If the total energies cannot be compared.
    """
    if len(directories) < 2:
        raise InputError("an average needs the runs of two conformers or more", fix="give their folders")
    if len({directory.resolve() for directory in directories}) < len(directories):
        raise InputError("a run is given twice", why="it would count twice", fix="give each folder once")
    if not (np.isfinite(temperature_k) and temperature_k > 0):
        raise InputError(
            f"--average is {temperature_k:g} K", why="it is a temperature", fix="e.g. --average 298"
        )
    if energy_error_ev is not None and not 0 <= energy_error_ev <= _LARGEST_ERROR_EV:
        raise InputError(
            f"--energy-error is {energy_error_ev:g} eV",
            why=f"it is a standard deviation of at most {_LARGEST_ERROR_EV:g} eV",
            fix=f"e.g. --energy-error {ASSUMED_ERROR_EV}",
        )
    summaries = [read_summary(directory) for directory in directories]
    settings = [curve_settings(summary, fwhm_ev, shift_ev, gauge) for summary in summaries]
    for directory, other in zip(directories, settings, strict=True):
        for name in ("fwhm", "shift", "gauge"):
            if other[name] != settings[0][name]:
                raise InputError(
                    f"the CD of {directory} was made with another {name} than that of {directories[0]}",
                    fix=f"give one for all with --{name}",
                )
    energies, remark = relative_energies(summaries)
    if None in energies:
        raise UnavailableError(
            "the populations of the conformers are not known", why=remark, fix="run them all by one method"
        )
    above = np.array(energies, dtype=float)
    error = ASSUMED_ERROR_EV if energy_error_ev is None else energy_error_ev
    weights = boltzmann_weights(above, temperature_k, error * electronvolt)
    grid, end = _common_energies(directories, summaries, settings[0])
    runs = [
        simulate_run_cd(directory, fwhm_ev=fwhm_ev, shift_ev=shift_ev, gauge=gauge, energies=grid)
        for directory in directories
    ]
    cd, absorption = (
        average_spectra([getattr(run, kind) for run in runs], weights) for kind in ("cd", "absorption")
    )
    remarks = (*cd.remarks, end, remark, *_doubts(directories, summaries, above))
    published = {run.published for run in runs}
    assumed = " (assumed, about 1 kcal/mol; --energy-error gives another)" if energy_error_ev is None else ""
    lines = [f"populations at {temperature_k:g} K, each energy uncertain by {error:g} eV{assumed}"]
    lines += [
        f"  {energy / electronvolt:+8.3f} eV   {weight:.2f} +- {uncertainty:.2f}   {directory}"
        for directory, energy, weight, uncertainty in zip(
            directories, above, weights.weights, weights.uncertainties, strict=True
        )
    ]
    average = RunCD(
        title=cd.sample,
        label="solution",
        cd=replace(cd, remarks=remarks),
        absorption=absorption,
        published=published.pop() if len(published) == 1 else None,
        summary={},
    )
    return average, "\n".join(lines)


def film_cd(
    directory: Path, *, fwhm_ev: float | None = None, shift_ev: float | None = None, gauge: str | None = None
) -> RunCD:
    """The CD of a finished run in the crystal's geometry, named as that of the film; errors as `simulate_run_cd`."""
    run = simulate_run_cd(directory, fwhm_ev=fwhm_ev, shift_ev=shift_ev, gauge=gauge)
    cd = film_spectrum(run.cd)
    return replace(run, title=f"{directory}: {cd.sample}", label="film", cd=cd)


def _common_energies(
    directories: Sequence[Path], summaries: Sequence[dict[str, Any]], settings: dict[str, Any]
) -> tuple[np.ndarray, str]:
    """Photon energies up to where the first of the runs lacks roots, and a remark about that end."""
    ranges = []
    for directory, summary in zip(directories, summaries, strict=True):
        with summary_errors(directory):
            positions = [
                state["energy_ev"] * electronvolt + settings["shift"] for state in summary["singlets"]
            ]
            ranges.append((min(positions), max(positions)))
    ends = [highest for _, highest in ranges]
    grid = covered_energies(min(lowest for lowest, _ in ranges), min(ends), settings["fwhm"])
    return grid * (1 - 1e-12), (  # the rounding of the summary's eV
        f"the curve ends at {grid[-1] / electronvolt:.2f} eV, one width below the last root of "
        f"{directories[int(np.argmin(ends))]}, the first that runs out of roots"
    )


def _doubts(directories: Sequence[Path], summaries: Sequence[dict[str, Any]], above: np.ndarray) -> list[str]:
    """What speaks against the runs being different conformers of one molecule."""
    structures = [summary.get("structure", {}) for summary in summaries]
    found = [
        f"{what} differ between the runs: the average holds only if they turn into one another"
        for what, key in (("stereocentres", "cip"), ("hands of the core", "core_handedness"))
        if any(structure.get(key) != structures[0].get(key) for structure in structures)
    ]
    found += [
        f"{directories[i]} and {directories[k]} have the same energy within {_SAME_EV * 1000:g} meV: "
        "is one conformer counted twice?"
        for i, k in combinations(range(len(directories)), 2)
        if abs(above[i] - above[k]) < _SAME_EV * electronvolt
    ]
    return found
