"""The CD of finished runs: bands, g, measured curves beside it, files."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cluster_qc.errors import InputError
from cluster_qc.files import need_writable, replaced, write_text
from cluster_qc.model import MeasuredSpectrum, Spectrum
from cluster_qc.model.arrays import FloatArray
from cluster_qc.model.spectrum import LARGEST_SHIFT, WIDEST_BAND
from cluster_qc.units import electronvolt, energy_from_nm, wavelength_nm
from cluster_qc.workflow.figures import PICTURES
from cluster_qc.workflow.look import load_states
from cluster_qc.workflow.references import COTTON_SOURCE, measured_cotton_signs
from cluster_qc.workflow.summary_file import read_summary

_SENSITIVITY = 0.3 * electronvolt
_JCAMP = (".jdx", ".dx")
_SIGN = {1: "+", -1: "-"}


@dataclass(frozen=True, eq=False)
class RunCD:
    """What `cluster-qc cd` shows of one run, or of an average of runs."""

    title: str
    """The folder, or what the average stands for."""
    label: str
    """A short name, for legends and tables."""
    cd: Spectrum
    absorption: Spectrum
    """Made like `cd`, for their quotient."""
    published: tuple[tuple[float, int], ...] | None
    """Measured Cotton bands known for this molecule, (nm, sign)."""
    summary: Mapping[str, Any]
    """The run's summary.json; empty for an average."""


def curve_settings(
    summary: Mapping[str, Any],
    fwhm_ev: float | None = None,
    shift_ev: float | None = None,
    gauge: str | None = None,
) -> dict[str, Any]:
    """Width, shift and gauge of a run's curves as arguments of `simulate_cd`: those of the run unless given.

    Raises
    ------
    InputError
        For a width or shift that no spectrum has.
    """
    if fwhm_ev is not None and not 0 < fwhm_ev * electronvolt <= WIDEST_BAND:
        raise InputError(
            f"--fwhm is {fwhm_ev:g} eV",
            why=f"no band is wider than {WIDEST_BAND / electronvolt:g} eV",
            fix="e.g. --fwhm 0.3",
        )
    if shift_ev is not None and not abs(shift_ev) * electronvolt <= LARGEST_SHIFT:
        raise InputError(
            f"--shift is {shift_ev:g} eV",
            why=f"it is at most {LARGEST_SHIFT / electronvolt:g} eV either way",
            fix="e.g. --shift -0.2",
        )
    stored = summary.get("cd") or {}
    return {
        "fwhm": (stored.get("fwhm_ev", 0.3) if fwhm_ev is None else fwhm_ev) * electronvolt,
        "gauge": gauge or stored.get("gauge", "length"),
        "shift": (stored.get("shift_ev", 0.0) if shift_ev is None else shift_ev) * electronvolt,
    }


def simulate_run_cd(
    directory: Path,
    *,
    fwhm_ev: float | None = None,
    shift_ev: float | None = None,
    gauge: str | None = None,
    uv: MeasuredSpectrum | None = None,
    energies: FloatArray | None = None,
) -> RunCD:
    """The CD of a finished run; width, shift and gauge are the run's unless given, the shift also from a UV curve.

    Parameters
    ----------
    directory, fwhm_ev, shift_ev, gauge
        The run, and the settings that replace its own.
    uv
        Measured absorption to fit the shift on.
    energies
        Photon energies, hartree, (npoint,); default as in `simulate_cd`.

    Raises
    ------
    InputError
        If a shift and a UV curve to take it from are both given, or for a value out of range.
    """
    from cluster_qc.analysis.comparison import fit_uv_shift
    from cluster_qc.analysis.spectra import simulate_absorption, simulate_cd

    summary = read_summary(directory)
    settings = curve_settings(summary, fwhm_ev, shift_ev, gauge)
    singlets = load_states(directory, "singlet")
    if uv is not None:
        if shift_ev is not None:
            raise InputError("--shift and --absorption both give the shift", fix="leave one out")
        fitted = fit_uv_shift(singlets, uv, fwhm=settings["fwhm"], gauge=settings["gauge"])
        settings |= {"shift": fitted.shift, "shift_origin": fitted.origin}
    name = directory.resolve().name
    hand = summary.get("structure", {}).get("core_handedness")
    return RunCD(
        title=str(directory),
        label=name if hand is None else f"{name} (core {hand})",
        cd=simulate_cd(singlets, energies=energies, **settings),
        absorption=simulate_absorption(singlets, energies=energies, **settings),
        published=measured_cotton_signs(singlets.ground.cluster, summary.get("structure", {}).get("cip", [])),
        summary=summary,
    )


def cd_text(run: RunCD) -> str:
    """The bands of a CD curve with their dissymmetry factors, and the published bands beside them, as text."""
    from cluster_qc.analysis.dissymmetry import dissymmetry_curve
    from cluster_qc.analysis.spectra import cotton_bands

    curve = run.cd
    width, shift = curve.fwhm / electronvolt, curve.shift / electronvolt
    lines = [f"{run.title}: fwhm {width:.2f} eV, shift {shift:+.2f} eV, {curve.gauge} form"]
    bands = cotton_bands(curve)
    factors = dissymmetry_curve(curve, run.absorption) if bands else None
    for band in bands:
        energy = energy_from_nm(band["wavelength_nm"])
        g = factors.at(energy) if factors else None
        error = ""
        if curve.uncertainty is not None:
            error = f" +- {np.interp(energy, curve.energies, curve.uncertainty):.2f}"
        lines.append(
            f"  {band['wavelength_nm']:8.1f} nm {band['delta_epsilon_lmolcm']:+10.2f}{error} L/(mol cm)   g_abs "
            + ("none: too little absorption" if g is None else f"{g:+.1e}")
        )
    lines += [] if bands else ["  no band"]
    lines += [f"  {remark}" for remark in curve.remarks]
    if run.published is not None:
        lines += [f"  measured bands of the film ({COTTON_SOURCE})", *_cotton_lines(curve, run.published)]
    return "\n".join(lines)


def compare_text(run: RunCD, measured: MeasuredSpectrum) -> tuple[str, bool]:
    """A CD curve against a measured one as text, and whether they agree (similarity of at least 0.5)."""
    from cluster_qc.analysis.comparison import compare_cd, shift_sensitivity
    from cluster_qc.analysis.cotton import measured_cotton_bands

    found = compare_cd(run.cd, measured)
    first, last = (wavelength_nm(energy) for energy in found.energy_range[::-1])
    lines = [
        f"{run.title} and {measured.source}",
        *textwrap.wrap(found.verdict, 100, initial_indent="  ", subsequent_indent="    "),
        f"  compared from {first:.0f} to {last:.0f} nm, shift {found.shift / electronvolt:+.3f} eV "
        f"({found.shift_origin})",
    ]
    try:
        scan = shift_sensitivity(run.cd, measured, np.linspace(-_SENSITIVITY, _SENSITIVITY, 13))
        lines.append(
            f"  sensitivity: similarity {scan.min():+.2f} to {scan.max():+.2f} for further shifts within "
            f"{_SENSITIVITY / electronvolt:.1f} eV (none is applied)"
        )
    except InputError as exc:
        lines.append(f"  sensitivity to a further shift not told: {exc.what}")
    lines.append(
        "  amplitudes not compared: the measured curve is relative"
        if found.amplitude_ratio is None
        else f"  measured amplitude {found.amplitude_ratio:.2g} times the computed one"
    )
    lines += [f"  {remark}" for remark in found.remarks]
    bands = measured_cotton_bands(measured)
    lines += ["  measured bands", *_cotton_lines(run.cd, bands)] if bands else ["  no measured band"]
    return "\n".join(lines), found.agrees


def assignment_text(runs: Sequence[RunCD], measured: MeasuredSpectrum | None) -> tuple[str, bool]:
    """Which run's molecule a measured CD belongs to, side by side as text, and whether that is decided.

    Without a measured curve the published bands of the molecule serve.

    Raises
    ------
    InputError
        As in `assign_by_cd`, and if there is neither a measured curve nor one set of published bands.
    """
    from cluster_qc.analysis.assignment import assign_by_cd
    from cluster_qc.analysis.cotton import match_cotton_bands, measured_cotton_bands

    known = {run.published for run in runs}
    published = known.pop() if len(known) == 1 else None
    if measured is None and published is None:
        raise InputError(
            "there is no measured CD to assign by",
            why="none is published for these molecules, or not the same for all of them",
            fix="give a measured curve with --experiment",
        )
    labels = [run.label for run in runs]
    target = measured or published or ()
    found = assign_by_cd([run.cd for run in runs], target, labels)
    bands = published or () if measured is None else measured_cotton_bands(measured)
    source = f"the film ({COTTON_SOURCE})" if measured is None else measured.source
    columns = [[f"{s:+.2f}", f"{-s:+.2f}"] for s in found.similarities]
    names = ["similarity", "of the mirror image", "over the settings", "closest in", "total energy"]
    energies, remark = relative_energies([run.summary for run in runs])
    for cells, scan, count, energy in zip(columns, found.scan, found.closest, energies, strict=True):
        cells += [f"{np.nanmin(scan):+.2f} to {np.nanmax(scan):+.2f}", f"{count} of {found.settings}"]
        cells.append("not comparable" if energy is None else f"{energy / electronvolt:+.3f} eV")
    names += [
        "bands that agree",
        *(f"band {nm:.0f} nm {_SIGN[sign]}" for nm, sign in sorted(bands, reverse=True)),
    ]
    for cells, run in zip(columns, runs, strict=True):
        rows = match_cotton_bands(run.cd, bands)
        cells.append(f"{sum(row.outcome == 'agrees' for row in rows)} of {len(rows)}")
        for row in rows:
            partner = ""
            if row.computed_nm is not None and row.computed_sign is not None and row.deviation is not None:
                partner = f"{row.computed_nm:.0f} nm {_SIGN[row.computed_sign]} {row.deviation / electronvolt:+.2f} eV "
            cells.append(f"{partner}{row.outcome}")
    wide = [2 + max(map(len, [label, *cells])) for label, cells in zip(labels, columns, strict=True)]
    table = zip(
        ["", *names], *([label, *cells] for label, cells in zip(labels, columns, strict=True)), strict=True
    )
    lines = [f"which of {len(runs)} runs has the CD of {source}"]
    lines += [
        f"  {name:20s}" + "".join(f"{cell:>{size}s}" for cell, size in zip(cells, wide, strict=True))
        for name, *cells in table
    ]
    first, last = (wavelength_nm(energy) for energy in found.energy_range[::-1])
    widths, shifts = found.widths / electronvolt, found.shifts / electronvolt
    lines += [
        *textwrap.wrap(found.verdict, 100, initial_indent="  ", subsequent_indent="    "),
        f"  compared from {first:.0f} to {last:.0f} nm, {runs[0].cd.gauge} form; unrelated curves reach "
        f"a similarity of {found.chance:.2f} (1 sigma)",
        f"  settings: widths {widths.min():.2f} to {widths.max():.2f} eV with further shifts {shifts.min():+.2f} to "
        f"{shifts.max():+.2f} eV, the same for all; shares of them are no probabilities",
        f"  {remark}",
    ]
    lines += [f"  {text}" for text in found.remarks]
    return "\n".join(lines), found.outcome != "undecided"


def relative_energies(summaries: Sequence[Mapping[str, Any]]) -> tuple[list[float | None], str]:
    """Total energies above the lowest one, hartree, and what they are worth; None where methods or formulas differ."""

    def conditions(summary: Mapping[str, Any]) -> Any:
        structure, method = summary.get("structure", {}), summary.get("method", {})
        others = ("preset", "singlets", "triplets")
        kept = {key: value for key, value in method.items() if key not in others and value is not None}
        return structure.get("formula"), structure.get("charge"), kept

    energies = [summary.get("levels", {}).get("total_energy_hartree") for summary in summaries]
    if None in energies or any(conditions(summary) != conditions(summaries[0]) for summary in summaries):
        missing: list[float | None] = [None] * len(summaries)
        return missing, "total energies not compared: formulas or methods of the ground states differ"
    lowest = min(energies)
    return [energy - lowest for energy in energies], (
        "total energies: of the electrons at each geometry, without vibrations and neighbours"
    )


def _cotton_lines(curve: Spectrum, bands: Sequence[tuple[float, int]]) -> list[str]:
    from cluster_qc.analysis.cotton import match_cotton_bands

    lines = []
    for row in match_cotton_bands(curve, bands):
        computed = " " * 28
        if row.computed_nm is not None and row.computed_sign is not None and row.deviation is not None:
            computed = f"{row.computed_nm:7.0f} nm {_SIGN[row.computed_sign]}  {row.deviation / electronvolt:+6.2f} eV "
        lines.append(
            f"  {row.measured_nm:7.0f} nm {_SIGN[row.measured_sign]} |{computed:28s}| {row.outcome}: {row.reason}"
        )
    return lines


def write_cd(path: Path, runs: Sequence[RunCD], measured: MeasuredSpectrum | None = None) -> None:
    """Write CD curves: a picture or a JCAMP-DX file of all, or the CSV table of a single one.

    Raises
    ------
    InputError
        For another kind of file, or several curves in a CSV.
    """
    check_curve_file(path, len(runs))
    suffix = path.suffix.lower()
    curves, labels = [run.cd for run in runs], [run.label for run in runs]
    if suffix == ".csv":
        from cluster_qc.analysis.spectra import write_spectrum_csv

        with replaced(path) as temporary:
            write_spectrum_csv(curves[0], temporary)
    elif suffix in _JCAMP:
        from cluster_qc.analysis.jcamp import jcamp_text

        write_text(path, jcamp_text(curves, labels))
    else:
        from cluster_qc.plotting.figures import save_cd

        with replaced(path) as temporary:
            save_cd(temporary, curves, labels=labels, measured=measured)


def check_curve_file(path: Path, count: int) -> None:
    """Refuse, before any work, a file that `write_cd` could not write.

    Raises
    ------
    InputError
        For another kind of file, or several curves in a CSV.
    StorageError
        If its place cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in (".csv", *_JCAMP, *PICTURES):
        raise InputError(
            f"{path}: unknown kind of file {path.suffix!r}", fix="use .png, .svg, .pdf, .csv or .jdx"
        )
    if suffix == ".csv" and count != 1:
        raise InputError(
            f"{path}: a CSV holds one curve, not {count}", fix="give one folder, or FILE.png or .jdx"
        )
    need_writable(path)
