"""Work function, ionization energy and HOMO from an ultraviolet photoelectron spectrum.

All energies here are in eV, binding energies count from the Fermi level:

    work function = h nu - cutoff,   ionization energy = h nu - (cutoff - onset),   HOMO = -ionization energy.

The secondary-electron cutoff is the threshold of the spectrum before instrumental broadening (a line's intersection
with the background, or the middle of a broadened step); the onset is where the line along the leading edge of the first
occupied level meets the background. How they are found, and what their uncertainty holds: `edge`.

Background of the method, and its pitfalls: Helander, Greiner, Wang, Lu, Appl. Surf. Sci. 2010, 256, 2602,
10.1016/j.apsusc.2009.11.002.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np

from cluster_qc.analysis.edge import EdgeFit, Shape, local_lines, noise_variance
from cluster_qc.analysis.locate import fit_located_edge, locate_edge
from cluster_qc.analysis.measured import MeasuredTable, ascending, axis_unit, read_table
from cluster_qc.errors import InputError
from cluster_qc.model import UPSReference
from cluster_qc.model.arrays import FloatArray
from cluster_qc.model.measured import Estimate, FittedLine, UPSLevels
from cluster_qc.units import electronvolt

Axis = Literal["binding", "kinetic"]
Variance = Callable[[FloatArray], FloatArray]
"""Variance of each point from its expected value."""

HE_I_EV = 21.218
"""He I alpha (1s2p -> 1s2)."""
_LINES_EV = {HE_I_EV: "He I", 40.814: "He II"}
_SATELLITES_EV = {HE_I_EV: (23.087, 23.742)}
"""He I beta and gamma; their photoelectrons appear at binding energies lower by the difference."""
_SATELLITE_PRIOR = np.array([[0.015, 0.02], [0.005, 0.01]])
"""Intensity relative to alpha and its standard deviation: a weak prior, since it depends on the lamp's pressure."""
_BAND_EV = 0.12
"""Half width of the straight lines that look for edges."""
_WINDOWS = (0.3, 0.45, 0.6, 0.8, 1.0)
"""Where the fit windows end, as shares of the way from the foot of the edge to its end."""
_LEAST_RISE = 0.02
"""A rise smaller than this share of the valence spectrum is not taken for the first level."""
_WORK_FUNCTIONS_EV = (1.5, 8.0)
_FERMI_EDGE_EV = 0.2


def read_ups_spectrum(
    path: str | Path,
    *,
    photon_energy_ev: float | None = None,
    bias_v: float = 0.0,
    axis: Axis | None = None,
    fermi_ev: float | None = None,
) -> UPSLevels:
    """Read a photoelectron spectrum and evaluate it; see `evaluate_ups`.

    Parameters
    ----------
    path
        A text file with energies and intensities; see `read_table`.
    photon_energy_ev
        Photon energy; by default what the header says.
    bias_v
        Voltage that was on the sample and is still in the energies, negative as a rule: -5 moves all kinetic energies
        5 eV up.
    axis
        Whether the energies are binding or kinetic; by default what the header says.
    fermi_ev
        Where the Fermi level lies on the axis of the file, after the bias is taken off; by default 0 on a binding axis
        and the photon energy on a kinetic one.

    Raises
    ------
    InputError
        As in `read_table`, and for an unknown photon energy or kind of axis, energies that cannot belong to it, or a
        spectrum with neither cutoff nor onset.
    """
    if axis not in (None, "binding", "kinetic"):
        raise InputError(f"unknown axis {axis!r}", fix="use binding or kinetic")
    table = read_table(path, rows=20)
    warnings = list(table.remarks)
    photon = _photon_energy(table, photon_energy_ev, warnings)
    intensity = table.values[:, 1 if table.values.shape[1] == 2 else _intensity_column(table, warnings)]
    binding, intensity = _binding(table, intensity, photon, bias_v, axis, fermi_ev, warnings)
    return evaluate_ups(binding, intensity, photon, warnings=tuple(warnings), source=str(path))


def read_ups(path: str | Path, *, photon_energy: float | None = None, bias_v: float = 0.0) -> UPSReference:
    """The HOMO of a photoelectron spectrum, to compare a computed one with; `photon_energy` in hartree.

    Raises
    ------
    InputError
        As in `read_ups_spectrum`, and if the spectrum does not give the HOMO.
    """
    photon_ev = None if photon_energy is None else photon_energy / electronvolt
    return homo_reference(read_ups_spectrum(path, photon_energy_ev=photon_ev, bias_v=bias_v))


def homo_reference(levels: UPSLevels) -> UPSReference:
    """The HOMO of an evaluated spectrum.

    Raises
    ------
    InputError
        If the spectrum does not give it.
    """
    if levels.homo_ev is None:
        raise InputError(
            f"{levels.source}: the spectrum does not give the HOMO",
            why=levels.reasons["homo_ev"],
            fix="give a spectrum with both the secondary-electron cutoff and the onset, or the HOMO itself with --homo",
        )
    return UPSReference(
        homo=levels.homo_ev.value * electronvolt,
        uncertainty=levels.homo_ev.uncertainty * electronvolt,
        source=f"fitted from {levels.source}",
    )


def evaluate_ups(
    binding_ev: FloatArray,
    intensity: FloatArray,
    photon_energy_ev: float,
    *,
    warnings: tuple[str, ...] = (),
    source: str = "spectrum",
) -> UPSLevels:
    """Evaluate a photoelectron spectrum: binding energies from the Fermi level in eV, ascending, (npoint,).

    Raises
    ------
    InputError
        If the spectrum has neither cutoff nor onset.
    """
    notes = list(warnings)
    reasons: dict[str, str] = {}
    noise = noise_variance(binding_ev, intensity)
    floor = max(float(intensity.max()) * 1e-9, 0.3 if noise == (0.0, 1.0) else 1e-300)

    def variance(expected: FloatArray) -> FloatArray:
        return np.maximum(
            noise[0] + noise[1] * np.maximum(expected, 0.0), noise[0] + noise[1] * floor + floor**2
        )

    fits: list[FittedLine] = []
    cutoff = _cutoff(binding_ev, intensity, variance, photon_energy_ev)
    onset = _onset(binding_ev, intensity, variance, photon_energy_ev, notes)
    found: dict[str, Estimate] = {}
    for name, result, sign in (("cutoff_ev", cutoff, -1.0), ("onset_ev", onset, 1.0)):
        if isinstance(result, str):
            reasons[name] = result
            continue
        found[name] = Estimate(sign * result.position, result.uncertainty)
        fits.append(_drawn(name.removesuffix("_ev"), result, sign, found[name]))
        if result.reduced_chi2 > 2:
            notes.append(
                f"{name}: the best fit misses the curve by more than its noise (reduced chi^2 "
                f"{result.reduced_chi2:.1f}); the uncertainty was scaled up"
            )
    if not found:
        raise InputError(
            f"{source}: the spectrum has neither a secondary-electron cutoff nor an onset",
            why=f"cutoff: {reasons['cutoff_ev']}; onset: {reasons['onset_ev']}",
            fix="check the axis, the photon energy and the bias, or export the whole spectrum",
        )
    _derive(found, reasons, photon_energy_ev)
    _judge(found, notes)
    names = ("cutoff_ev", "onset_ev", "work_function_ev", "ionization_energy_ev", "homo_ev")
    return UPSLevels(
        photon_energy_ev=photon_energy_ev,
        binding_ev=binding_ev,
        intensity=intensity,
        **{name: found.get(name) for name in names},
        reasons=reasons,
        warnings=tuple(notes),
        fits=tuple(fits),
        source=source,
    )


# --- the two edges ------------------------------------------------------------------------------------------


def _cutoff(binding: FloatArray, intensity: FloatArray, variance: Variance, photon: float) -> EdgeFit | str:
    """The secondary-electron edge on the axis -binding, or why there is none."""
    low, high = photon - _WORK_FUNCTIONS_EV[1], photon - _WORK_FUNCTIONS_EV[0] + 1.0
    inside = (binding > low - 1.5) & (binding < high)
    if inside.sum() < 15:
        return f"the spectrum does not reach the binding energies {low:.1f} to {high - 1:.1f} eV"
    x, y = -binding[inside][::-1], intensity[inside][::-1]
    edge = locate_edge(x, y, variance(y), half=_BAND_EV, least_rise=0.3, stop=0.15)
    if isinstance(edge, str):
        return f"no secondary-electron edge: {edge}"
    shapes: tuple[Shape, ...] = ("ramp", "curved", "step")
    return fit_located_edge(x, y, variance, shapes, edge, before=1.0, shares=_WINDOWS)


def _onset(
    binding: FloatArray, intensity: FloatArray, variance: Variance, photon: float, notes: list[str]
) -> EdgeFit | str:
    """The leading edge of the first occupied level, or why there is none."""
    inside = binding < min(0.45 * photon, 12.0)
    if inside.sum() < 15 or binding[0] > 6.0:
        return f"the spectrum begins at {binding[0]:.1f} eV, above the first occupied level"
    x, y = binding[inside], intensity[inside]
    columns, prior = _satellites(binding, intensity, x, photon)
    stripped = y - columns @ prior[:, 0]
    edge = locate_edge(x, stripped, variance(y), half=_BAND_EV, least_rise=_LEAST_RISE, stop=0.4)
    if isinstance(edge, str):
        return f"no onset of an occupied level: {edge}"
    fit = fit_located_edge(
        x, y, variance, ("ramp", "peak"), edge, before=1.5, shares=_WINDOWS, extra=columns, prior=prior
    )
    if isinstance(fit, str):
        return fit
    if abs(fit.position) < _FERMI_EDGE_EV:
        return f"the first edge, at {fit.position:.2f} eV, is a Fermi edge (of a metallic film or of the substrate)"
    if len(fit.extra):
        shares = ", ".join(
            f"{name} {100 * strength:.1f} +- {100 * error:.1f} %"
            for name, (strength, error) in zip(("beta", "gamma"), fit.extra, strict=True)
        )
        notes.append(
            f"the onset was fitted with the satellites of He I, as shares of the main line: {shares}"
        )
    return fit


def _satellites(
    binding: FloatArray, intensity: FloatArray, x: FloatArray, photon: float
) -> tuple[FloatArray, FloatArray]:
    """What weaker lines of the lamp add per unit of their intensity at `x`, and the prior of those intensities."""
    lines = next((lines for main, lines in _SATELLITES_EV.items() if abs(main - photon) < 0.05), ())
    smooth, _, _ = local_lines(binding, intensity, np.ones_like(intensity), 0.06)
    columns = [np.interp(x + line - photon, binding, smooth) for line in lines]
    if not columns:
        return np.zeros((len(x), 0)), np.zeros((0, 2))
    return np.column_stack(columns), _SATELLITE_PRIOR[: len(columns)]


def _drawn(label: str, fit: EdgeFit, sign: float, position: Estimate) -> FittedLine:
    order = slice(None) if sign > 0 else slice(None, None, -1)
    return FittedLine(label, sign * fit.x[order], fit.curve[order], fit.background[order], position)


# --- what follows from them ---------------------------------------------------------------------------------


def _derive(found: dict[str, Estimate], reasons: dict[str, str], photon: float) -> None:
    cutoff, onset = found.get("cutoff_ev"), found.get("onset_ev")
    if cutoff is None:
        reasons["work_function_ev"] = "it needs the secondary-electron cutoff"
    else:
        found["work_function_ev"] = Estimate(photon - cutoff.value, cutoff.uncertainty)
    if cutoff is None or onset is None:
        missing = " and ".join(n for n, e in (("the cutoff", cutoff), ("the onset", onset)) if e is None)
        reasons["ionization_energy_ev"] = reasons["homo_ev"] = f"it needs {missing}"
        return
    energy = photon - (cutoff.value - onset.value)
    uncertainty = float(np.hypot(cutoff.uncertainty, onset.uncertainty))
    found["ionization_energy_ev"] = Estimate(energy, uncertainty)
    found["homo_ev"] = Estimate(-energy, uncertainty)


def _judge(found: dict[str, Estimate], notes: list[str]) -> None:
    """Warn of what a charged sample or a wrong setting looks like."""
    onset, work = found.get("onset_ev"), found.get("work_function_ev")
    if onset is not None and onset.value < -_FERMI_EDGE_EV:
        notes.append(
            f"the onset lies {-onset.value:.2f} eV above the Fermi level: the energies are shifted (Fermi reference, "
            "bias or charging); only the ionization energy does not depend on a common shift"
        )
    if work is not None and not 3.0 <= work.value <= 6.8:
        notes.append(
            f"a work function of {work.value:.2f} eV is unusual: check photon energy, bias and Fermi reference; a "
            "sample that charges up shifts the whole spectrum to larger binding energies"
        )


# --- reading ------------------------------------------------------------------------------------------------


def _photon_energy(table: MeasuredTable, told: float | None, warnings: list[str]) -> float:
    if told is not None:
        if not 5.0 <= told <= 200.0:
            raise InputError(
                f"the photon energy is {told:g} eV; ultraviolet photoelectron spectra have 5 to 200 eV",
                fix=f"give it in eV, e.g. {HE_I_EV} for He I",
            )
        return told
    header = table.header
    number = re.search(
        r"(?:photon|excitation|source)\s*energy[^\d\n]{0,25}(\d+(?:[.,]\d+)?)"
        "|\\bh\\s*[v\N{GREEK SMALL LETTER NU}]\\b[^\\d\n]{0,10}(\\d+(?:[.,]\\d+)?)",
        header,
    )
    if number:
        photon = float((number[1] or number[2]).replace(",", "."))
        if 5.0 <= photon <= 200.0:
            warnings.append(f"the photon energy, {photon:g} eV, is from the header of the file")
            return photon
    named = re.search(r"\bhe[\s-]*(ii?)\b", header)
    if named:
        photon = next(value for value, name in _LINES_EV.items() if name.lower() == f"he {named[1]}")
        warnings.append(f"the header names He {named[1].upper()}: photon energy {photon:g} eV")
        return photon
    raise InputError(
        f"{table.path}: the photon energy is not known",
        why="every level but the binding energies follows from it",
        fix=f"give --photon-energy, e.g. {HE_I_EV} for He I",
    )


def _intensity_column(table: MeasuredTable, warnings: list[str]) -> int:
    column = table.column(r"count|intens|signal|cps|yield")
    if column in (None, 0):
        raise InputError(
            f"{table.path}: {table.values.shape[1]} columns, and none is named as the intensity",
            fix="keep two columns, energy and intensity, or name the column 'intensity'",
        )
    warnings.append(f"column {column + 1} ({table.names[column]!r}) was taken as the intensity")
    return int(column)


def _kind_of_axis(table: MeasuredTable, photon: float, warnings: list[str]) -> Axis:
    name = table.names[0]
    if axis_unit(name)[0] in ("nm", "cm-1"):
        raise InputError(
            f"{table.path}: the first column is {name!r}, not an electron energy",
            why="a photoelectron spectrum is counted against the energy of the electrons",
            fix="give the photoelectron spectrum; optical spectra go to cluster-qc tauc",
        )
    for where in (name, table.header):
        kinds: list[Axis] = []
        if re.search(r"binding|bindung|\bb\.?\s?e\b|\be ?b\b|e\s*-\s*e ?f", where):
            kinds.append("binding")
        if re.search(r"kinetic|kinetisch|\bk\.?\s?e\b|\be ?k(in)?\b", where):
            kinds.append("kinetic")
        if len(kinds) == 1:
            return kinds[0]
    energies = table.values[:, 0]
    if np.ptp(energies) > 0.65 * photon:
        brightest = float(energies[np.argmax(table.values[:, 1])])
        kind: Axis = "binding" if abs(brightest) > 0.5 * photon else "kinetic"
        warnings.append(
            f"the axis has no name; the secondary electrons at {brightest:.1f} eV tell that it is a {kind} energy"
        )
        return kind
    raise InputError(
        f"{table.path}: the first column does not say whether it is binding or kinetic energy",
        why="from a part of a spectrum this cannot be told",
        fix="name the column in the header, e.g. 'binding energy (eV)', or give --axis binding or kinetic",
    )


def _binding(
    table: MeasuredTable,
    intensity: FloatArray,
    photon: float,
    bias_v: float,
    axis: Axis | None,
    fermi: float | None,
    warnings: list[str],
) -> tuple[FloatArray, FloatArray]:
    """Binding energies from the Fermi level, ascending, with the intensities."""
    kind = axis or _kind_of_axis(table, photon, warnings)
    energies = table.values[:, 0].astype(float)
    if kind == "binding":
        binding = energies - bias_v - (fermi or 0.0)
        if binding.min() < -3.0 and -binding.min() > binding.max():
            # E - EF: a negative sample potential lowers it as it raises a binding energy.
            binding = -(energies + bias_v - (fermi or 0.0))
            warnings.append("the energies are negative below the Fermi level: their sign was turned")
    else:
        if fermi is None:
            warnings.append(
                "kinetic energies are taken to be calibrated to the Fermi level (binding = photon energy - kinetic); "
                "give --fermi if the Fermi edge lies elsewhere"
            )
        binding = (photon if fermi is None else fermi) - (energies + bias_v)
    if bias_v:
        warnings.append(f"a bias of {bias_v:g} V was taken off the energies")
    elif re.search(r"\bbias\b[^\n]*[1-9]", table.header):
        warnings.append(
            "the header speaks of a bias, which was not taken off; give --bias if it is in the energies"
        )
    binding, intensity = ascending(table, binding, intensity)
    if binding[0] > photon or binding[-1] < -1.0 or np.ptp(binding) > 1.6 * photon + 10:
        raise InputError(
            f"{table.path}: read as {kind} energy, the binding energies are {binding[0]:.1f} to {binding[-1]:.1f} eV",
            why=f"with photons of {photon:g} eV there are electrons only from 0 to {photon:g} eV",
            fix="check the photon energy, the bias (--bias) and whether the axis is binding or kinetic (--axis)",
        )
    if intensity.max() <= 0 or np.ptp(intensity) == 0:
        raise InputError(
            f"{table.path}: the intensity is {intensity.max():g} throughout",
            fix="check which column holds the counts",
        )
    return binding, intensity
