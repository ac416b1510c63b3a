"""Work function, ionization energy and HOMO from an ultraviolet photoelectron spectrum.

All energies here are in eV, binding energies count from the Fermi level:

    work function = h nu - cutoff,   ionization energy = h nu - (cutoff - onset),   HOMO = -ionization energy.

The secondary-electron cutoff is the threshold of the spectrum before instrumental broadening (a line's intersection
with the background, or the middle of a broadened step); the onset is where the line along the leading edge of the first
occupied level, its steepest tangent as measured, meets the background. How they are found: `edge`; what their
uncertainty holds: `averaging`.

Background of the method, and its pitfalls: Helander, Greiner, Wang, Lu, Appl. Surf. Sci. 2010, 256, 2602,
10.1016/j.apsusc.2009.11.002.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cluster_qc.analysis.edge import EdgeFit, Shape
from cluster_qc.analysis.locate import ONSET_WINDOWS, fit_located_edge, locate_edge
from cluster_qc.analysis.noise import local_lines, noise_variance
from cluster_qc.errors import InputError
from cluster_qc.model.arrays import FloatArray
from cluster_qc.model.measured import Estimate, FittedLine, UPSLevels

Variance = Callable[[FloatArray], FloatArray]
"""Variance of each point from its expected value."""

HE_I_EV = 21.218
"""He I alpha (1s2p -> 1s2)."""
_SATELLITES_EV = {HE_I_EV: {"beta": 23.087, "gamma": 23.742}}
"""He I beta and gamma; their photoelectrons appear at binding energies lower by the difference."""
_SATELLITE_PRIOR = np.array([[0.015, 0.02], [0.005, 0.01]])
"""Intensity relative to alpha and its standard deviation: a weak prior, since it depends on the lamp's pressure."""
_BAND_EV = 0.12
"""Half width of the straight lines that look for edges."""
_CUTOFF_WINDOWS = (0.5, 0.7, 1.0, 1.5, 2.2)
"""Where the fit windows end, as shares of the way from the foot of the edge to its end."""
_LEAST_SIGNIFICANCE = 5.0
"""Standard deviations below which an onset is none."""
_HIDDEN = 3.0
"""Standard deviations above the background at which a weaker level may hide before the onset."""
_LEAST_RISE = 0.02
"""A rise smaller than this share of the valence spectrum is not taken for the first level."""
_WORK_FUNCTIONS_EV = (1.5, 8.0)
_FERMI_EDGE_EV = 0.2


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
    edge = locate_edge(x, y, variance, half=_BAND_EV, least_rise=0.3, stop=0.15)
    if isinstance(edge, str):
        return f"no secondary-electron edge: {edge}"
    shapes: tuple[Shape, ...] = ("ramp", "step")
    return fit_located_edge(x, y, variance, shapes, edge, before=1.0, shares=_CUTOFF_WINDOWS)


def _onset(
    binding: FloatArray, intensity: FloatArray, variance: Variance, photon: float, notes: list[str]
) -> EdgeFit | str:
    """The leading edge of the first occupied level, or why there is none."""
    inside = binding < min(0.45 * photon, 12.0)
    if inside.sum() < 15 or binding[0] > 6.0:
        return f"the spectrum begins at {binding[0]:.1f} eV, above the first occupied level"
    x, y = binding[inside], intensity[inside]
    lines, columns, prior = _satellites(binding, intensity, x, photon)
    stripped = y - columns @ prior[:, 0]
    edge = locate_edge(x, stripped, variance, half=_BAND_EV, least_rise=_LEAST_RISE, stop=0.4)
    if isinstance(edge, str):
        return f"no onset of an occupied level: {edge}"
    told: dict[str, str] = {}
    while True:
        fit = fit_located_edge(
            x,
            y,
            variance,
            ["line"],
            edge,
            before=1.5,
            shares=ONSET_WINDOWS,
            extra=columns,
            prior=prior,
        )
        if isinstance(fit, str):
            return fit
        seen = fit.extra[:, 0] >= 0
        if seen.all():
            break
        told |= {name: "not seen" for name, good in zip(lines, seen, strict=True) if not good}
        lines = [name for name, good in zip(lines, seen, strict=True) if good]
        columns, prior = columns[:, seen], prior[seen]
    if fit.significance < _LEAST_SIGNIFICANCE:
        return (
            f"the first rise, at {fit.position:.1f} eV, does not stand out of the noise (only {fit.significance:.1f} "
            "standard deviations)"
        )
    hidden = _hidden_level(x, y - columns @ fit.extra[:, 0], variance, fit)
    if hidden:
        return hidden
    if abs(fit.position) < _FERMI_EDGE_EV:
        return f"the first edge, at {fit.position:.2f} eV, is a Fermi edge (of a metallic film or of the substrate)"
    told |= {
        name: f"{100 * strength:.1f} +- {100 * error:.1f} %"
        for name, (strength, error) in zip(lines, fit.extra, strict=True)
    }
    if told:
        shares = ", ".join(f"{name} {told[name]}" for name in sorted(told))
        notes.append(
            f"the onset was fitted with the satellites of He I, as shares of the main line: {shares}"
        )
    return fit


def _hidden_level(x: FloatArray, y: FloatArray, variance: Variance, fit: EdgeFit) -> str:
    """Whether something that is no straight background comes before the fitted onset, "" if not."""
    before = x < fit.position - _BAND_EV
    if before.sum() < 10:
        return ""
    x, y = x[before], y[before]
    sigma = np.sqrt(variance(local_lines(x, y, np.ones_like(y), 2 * _BAND_EV)[0]))
    excess = y - np.polyval(np.polyfit(x, y, 1, w=1 / sigma), x)
    n = int(np.searchsorted(x, x[0] + 4 * _BAND_EV))
    height = np.convolve(excess, np.ones(n) / n, "valid")
    error = np.sqrt(np.convolve(sigma**2, np.ones(n), "valid")) / n
    height[height < 0.15 * np.ptp(fit.curve)] = 0.0  # the tail of a level is no level
    worst = int(np.argmax(height / error))
    if height[worst] < _HIDDEN * error[worst]:
        return ""
    return (
        f"before the fitted onset, at {fit.position:.1f} eV, the spectrum stands {height[worst] / error[worst]:.0f} "
        f"standard deviations above its background about {x[worst + n // 2]:.1f} eV: a weaker level may begin there"
    )


def _satellites(
    binding: FloatArray, intensity: FloatArray, x: FloatArray, photon: float
) -> tuple[list[str], FloatArray, FloatArray]:
    """Weaker lines of the lamp: names, what each adds per unit of its intensity at `x`, prior of the intensities."""
    lines = next((lines for main, lines in _SATELLITES_EV.items() if abs(main - photon) < 0.05), {})
    if not lines:
        return [], np.zeros((len(x), 0)), np.zeros((0, 2))
    smooth, _, _ = local_lines(binding, intensity, np.ones_like(intensity), 0.06)
    columns = [np.interp(x + line - photon, binding, smooth) for line in lines.values()]
    return list(lines), np.column_stack(columns), _SATELLITE_PRIOR


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
