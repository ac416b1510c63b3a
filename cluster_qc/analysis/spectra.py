"""Simulated absorption and circular dichroism, their bands, and their table on disk."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.signal import find_peaks

from cluster_qc.analysis.broadening import Shape, broaden, delta_epsilon, epsilon, line_shape
from cluster_qc.analysis.rotatory import Gauge, oscillator_strengths, rotatory_strengths
from cluster_qc.errors import InputError
from cluster_qc.files import storage_errors
from cluster_qc.model import ExcitedStates, Spectrum
from cluster_qc.model.arrays import FloatArray
from cluster_qc.model.spectrum import LARGEST_SHIFT, WIDEST_BAND
from cluster_qc.units import electronvolt, wavelength_nm

_POINTS_PER_FWHM = 40
VANISHING_LMOLCM = 1e-3
"""A curve that stays below this has no bands: it is noise of an achiral molecule, below any instrument."""
_LOWEST = 0.05 * electronvolt

_FAST_ROUTE = (
    "roots above the first by the fast route: single rotatory strengths within 10 %, the curve within 5 % of the "
    "largest value of the reference route, as seen on molecules of 4 to 10 atoms; of roots within 5 meV of each other "
    "only the sum of the strengths"
)


def simulate_cd(
    states: ExcitedStates,
    *,
    fwhm: float,
    gauge: Gauge = "length",
    shape: Shape = "gaussian",
    energies: ArrayLike | None = None,
    shift: float = 0.0,
    shift_origin: str = "given",
    origin: ArrayLike | None = None,
    allow_unconverged: bool = False,
) -> Spectrum:
    """Simulate circular dichroism, delta_epsilon = epsilon_L - epsilon_R in L/(mol cm).

    The curve obeys R = 22.965e-40 esu^2 cm^2 * integral of (delta_epsilon / E) dE for every band; see `broadening`.

    Parameters
    ----------
    states
        Singlet excitations.
    fwhm
        Full width at half maximum, hartree.
    gauge, origin
        As in `rotatory_strengths`.
    shape
        "gaussian" or "lorentzian".
    energies
        Photon energies in hartree, ascending, (npoint,). By default from three widths below the lowest root to one
        width below the last root: above that, roots that were not computed would add to the curve.
    shift
        Added to every excitation energy, hartree; part of the result, shown wherever the spectrum is.
    shift_origin
        Where the shift comes from, e.g. `UVShift.origin`; shown with it.
    allow_unconverged
        Take unconverged states along.

    Raises
    ------
    UnavailableError, NotConvergedError, InputError
        As in `rotatory_strengths`, and for a width, shape or grid that makes no sense.
    """
    strengths = rotatory_strengths(states, gauge, origin, allow_unconverged=allow_unconverged)
    remarks = []
    if gauge == "length":
        about = states.gauge_origin if origin is None else np.asarray(origin, dtype=float)
        where = "" if about is None else " ({:.3f}, {:.3f}, {:.3f}) bohr".format(*about)
        remarks.append(f"length gauge: the values depend on the gauge origin{where}")
    if states.method.route == "fast" and len(states) > 1:
        remarks.append(_FAST_ROUTE)
    return _simulate("cd", states, strengths, fwhm, shape, energies, shift, shift_origin, gauge, remarks)


def simulate_absorption(
    states: ExcitedStates,
    *,
    fwhm: float,
    gauge: Gauge = "length",
    shape: Shape = "gaussian",
    energies: ArrayLike | None = None,
    shift: float = 0.0,
    shift_origin: str = "given",
    allow_unconverged: bool = False,
) -> Spectrum:
    """Simulate absorption, epsilon in L/(mol cm), from oscillator strengths 2/3 E |<0|r|n>|^2 of the given gauge.

    The curve obeys f = 4.319e-9 * integral of epsilon d(wavenumber) for every band. Parameters and errors as in
    `simulate_cd`.
    """
    strengths = oscillator_strengths(states, gauge, allow_unconverged=allow_unconverged)
    return _simulate("absorption", states, strengths, fwhm, shape, energies, shift, shift_origin, gauge, [])


def _simulate(
    kind: Literal["cd", "absorption"],
    states: ExcitedStates,
    strengths: FloatArray,
    fwhm: float,
    shape: Shape,
    energies: ArrayLike | None,
    shift: float,
    shift_origin: str,
    gauge: Gauge,
    remarks: list[str],
) -> Spectrum:
    positions = states.excitation_energies + shift
    if not len(positions):
        raise InputError("there are no states, so there is no spectrum")
    if not abs(shift) <= LARGEST_SHIFT:
        raise InputError(
            f"shift is {shift:g} hartree, which is {shift / electronvolt:.1f} eV",
            why=f"it is at most {LARGEST_SHIFT / electronvolt:g} eV either way",
            fix="give hartree, e.g. -0.2 * electronvolt",
        )
    if not states.excitation_energies.min() > 0:
        raise InputError(
            f"the lowest excitation energy is {states.excitation_energies.min() / electronvolt:.3f} eV",
            why="a state below the ground state absorbs nothing; the ground state is not the lowest one",
            fix="follow the instability to the ground state, and compute the excited states on that",
        )
    if not positions.min() > 0:
        raise InputError(f"the shift of {shift / electronvolt:.3f} eV moves a root to a negative energy")
    if not (np.isfinite(fwhm) and fwhm > 0):
        raise InputError(f"fwhm is {fwhm}; a width is positive", fix="give hartree, e.g. 0.3 * electronvolt")
    if fwhm > WIDEST_BAND:
        raise InputError(
            f"fwhm is {fwhm:g} hartree, which is {fwhm / electronvolt:.1f} eV",
            why=f"no band is wider than {WIDEST_BAND / electronvolt:g} eV",
            fix="give hartree, e.g. 0.3 * electronvolt",
        )
    last = float(positions.max()) - fwhm
    if energies is None:
        grid = covered_energies(float(positions.min()), float(positions.max()), fwhm)
        last = float(grid[-1])
        remarks.append(
            f"the curve ends at {last / electronvolt:.2f} eV ({wavelength_nm(last):.0f} nm), one width below the last "
            f"of {len(positions)} roots: beyond it, roots that were not computed are missing"
        )
    else:
        grid = np.asarray(energies, dtype=float)
        if grid.ndim != 1 or not grid.size or not grid.min() > 0:
            raise InputError("energies must be a list of positive photon energies in hartree")
        if grid.max() > last:
            remarks.append(
                f"beyond {last / electronvolt:.2f} eV ({wavelength_nm(last):.0f} nm), one width below the last of "
                f"{len(positions)} roots, the curve lacks roots that were not computed"
            )
    if not states.converged.all():
        remarks.append(f"{int((~states.converged).sum())} of {len(states)} roots did not converge")
    if shift:
        remarks.append(
            f"every excitation energy is shifted by {shift / electronvolt:+.3f} eV ({shift_origin})"
        )
    density = broaden(grid, positions, strengths, fwhm, shape)
    return Spectrum(
        kind=kind,
        energies=grid,
        values=delta_epsilon(grid, density) if kind == "cd" else epsilon(density),
        stick_energies=states.excitation_energies,
        stick_strengths=strengths,
        shape=shape,
        fwhm=fwhm,
        shift=shift,
        shift_origin=shift_origin if shift else "none",
        gauge=gauge,
        remarks=tuple(remarks),
    )


def covered_energies(lowest: float, highest: float, fwhm: float) -> FloatArray:
    """Photon energies of a curve, (npoint,), whose roots lie between `lowest` and `highest`; hartree.

    From three widths below the lowest root to one width below the highest, but at least one width long.
    """
    first = max(lowest - 3 * fwhm, _LOWEST)
    last = max(highest - fwhm, first + fwhm)
    return np.linspace(first, last, round((last - first) / fwhm * _POINTS_PER_FWHM) + 1)


def cotton_bands(spectrum: Spectrum, prominence: float = 0.05) -> list[dict[str, float]]:
    """Find the extrema of a CD curve: [{"wavelength_nm", "delta_epsilon_lmolcm"}], by ascending wavelength.

    Positive maxima and negative minima inside the curve count if they stand out from their surroundings by at least
    `prominence` times the largest |delta_epsilon| (`scipy.signal.find_peaks`). An extremum at the edge of the curve
    is none: the band may go on. Positions are refined by a parabola through three points.

    Raises
    ------
    InputError
        If the spectrum is no CD, or the prominence is not between 0 and 1.
    """
    if spectrum.kind != "cd":
        raise InputError(f"Cotton bands belong to a CD spectrum; this one is {spectrum.kind}")
    if not 0 < prominence <= 1:
        raise InputError(f"prominence is {prominence}; it is a share of the largest band, between 0 and 1")
    return [
        {"wavelength_nm": wavelength_nm(energy), "delta_epsilon_lmolcm": value}
        for energy, value in reversed(extrema(spectrum.energies, spectrum.values, prominence))
    ]


def stick_weights(spectrum: Spectrum, energy: float) -> FloatArray:
    """Return what a unit of each stick's rotatory strength adds to a CD curve at one photon energy, (nstates,).

    In L/(mol cm) per atomic unit; times `stick_strengths` they sum to the curve's value there.
    """
    offsets = energy - (spectrum.stick_energies + spectrum.shift)
    return delta_epsilon(energy, line_shape(offsets, spectrum.fwhm, spectrum.shape))


def extrema(energies: FloatArray, values: FloatArray, prominence: float) -> list[tuple[float, float]]:
    """Find positive maxima and negative minima of a curve as `cotton_bands` does: (energy, value), ascending."""
    largest = float(np.abs(values).max(initial=0.0))
    if not largest > VANISHING_LMOLCM:
        return []
    found = []
    for sign in (1.0, -1.0):
        peaks, _ = find_peaks(sign * values, height=0.0, prominence=prominence * largest)
        found += [_vertex(energies[i - 1 : i + 2], values[i - 1 : i + 2]) for i in peaks]
    return sorted(found)


def _vertex(x: FloatArray, y: FloatArray) -> tuple[float, float]:
    """Find the extremum of the parabola through three points, or the middle one if they lie on a line."""
    offset = x - x[1]
    a, b, c = np.linalg.solve(np.vander(offset, 3), y)
    at = -b / (2 * a) if a else 0.0
    if not offset[0] <= at <= offset[2]:
        return float(x[1]), float(y[1])
    return float(x[1] + at), float(c + 0.5 * b * at)


def write_spectrum_csv(spectrum: Spectrum, path: str | Path) -> None:
    """Write energy, wavelength, value and uncertainty columns, units in the header, the conditions in "#" lines above.

    Raises
    ------
    StorageError
        If the file cannot be written.
    """
    columns = {"delta_epsilon_lmolcm" if spectrum.kind == "cd" else "epsilon_lmolcm": spectrum.values}
    if spectrum.uncertainty is not None:
        columns["uncertainty_lmolcm"] = spectrum.uncertainty
    table = np.column_stack([spectrum.energies, *columns.values()]).tolist()
    notes = [
        f"{spectrum.kind} simulated from {len(spectrum.stick_energies)} vertical excitations, {spectrum.sample}",
        f"{spectrum.shape} lines, fwhm {spectrum.fwhm / electronvolt:.4f} eV, "
        f"shift {spectrum.shift / electronvolt:+.4f} eV, {spectrum.gauge} gauge",
        *spectrum.remarks,
    ]
    with storage_errors(path), open(path, "w", encoding="utf-8", newline="") as stream:
        stream.writelines(f"# {' '.join(note.split())}\n" for note in notes)
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["energy_ev", "wavelength_nm", *columns])
        writer.writerows(
            [f"{energy / electronvolt:.6f}", f"{wavelength_nm(energy):.4f}", *(f"{v:.8g}" for v in values)]
            for energy, *values in table
        )
