"""Gaps and absorption onset from an absorption spectrum (Tauc plots).

For band-to-band transitions (alpha h nu)^n is a straight line above the gap, n = 2 for direct and n = 1/2 for indirect
allowed ones; the gap is where that line meets the energy axis. Energies are in eV. The absorption below the edge, taken
for scattering and reflection, is taken off before (Makula, Pacia, Macyk, J. Phys. Chem. Lett. 2018, 9, 6814,
10.1021/acs.jpclett.8b02892). The line is fitted to the absorption itself, where the noise is even, in every window that
could hold the segment, and the windows are averaged: see `averaging`. The uncertainty holds the noise of the points, of
the choice between the windows, and of the absorption that was taken off.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import least_squares

from cluster_qc.analysis.averaging import averaged, log_weight
from cluster_qc.analysis.locate import ONSET_WINDOWS, Edge, fit_located_edge, locate_edge
from cluster_qc.analysis.noise import local_lines, noise_variance
from cluster_qc.errors import InputError
from cluster_qc.model.arrays import FloatArray
from cluster_qc.model.measured import Estimate, FittedLine, TaucGaps

_CAVEAT = (
    "a Tauc plot assumes band-to-band transitions of a crystal; for a film of molecules the onset is the number that "
    "assumes least, and which of the gaps has a meaning is not decided by the fit"
)


def evaluate_tauc(
    energies_ev: FloatArray,
    absorption: FloatArray,
    *,
    unit: str = "proportional to alpha",
    warnings: tuple[str, ...] = (),
    source: str = "spectrum",
) -> TaucGaps:
    """Evaluate an absorption spectrum.

    Parameters
    ----------
    energies_ev
        Photon energies, ascending, (npoint,).
    absorption
        Absorption coefficient or anything proportional to it, (npoint,).

    Raises
    ------
    InputError
        If there is no absorption edge with transparency below it.
    """
    notes = [*warnings, _CAVEAT]
    reasons: dict[str, str] = {}
    found: dict[str, Estimate] = {}
    fits: dict[str, FittedLine] = {}
    constant, proportional = noise_variance(energies_ev, absorption)
    floor = (1e-6 * float(np.ptp(absorption))) ** 2

    def variance(expected: FloatArray) -> FloatArray:
        return constant + proportional * np.maximum(expected, 0.0) + floor

    noise = variance(local_lines(energies_ev, absorption, np.ones_like(absorption), 0.03)[0])
    edge = locate_edge(energies_ev, absorption, variance, half=0.05, least_rise=0.05, stop=0.3)
    if isinstance(edge, str):
        raise InputError(
            f"{source}: no absorption edge: {edge}",
            why="a gap needs the transparent range, the edge and some of the absorption above it",
            fix="check the axis and its unit, or measure to longer wavelengths",
        )
    fit = fit_located_edge(
        energies_ev, absorption, variance, ["line"], edge, before=0.5, shares=ONSET_WINDOWS
    )
    if isinstance(fit, str):
        reasons["onset_ev"] = fit
    else:
        found["onset_ev"] = Estimate(fit.position, fit.uncertainty)
        fits["onset"] = FittedLine("onset", fit.x, fit.curve, fit.background, found["onset_ev"])
    below = energies_ev < edge.foot - 3 * edge.width
    if below.sum() < 5:
        below = energies_ev < edge.foot
        notes.append("there is little transparent range below the edge; its absorption was hardly taken off")
    baseline = float(np.mean(absorption[below]))
    error = float(np.sqrt(np.sum(noise[below]))) / int(below.sum())
    if baseline > 0.02 * float(np.ptp(absorption)):
        notes.append(f"a constant absorption of {baseline:.3g} below the edge was taken off")
    for name, power in (("direct", 2.0), ("indirect", 0.5)):
        line = _gap(energies_ev, absorption - baseline, np.sqrt(noise), error, power, edge)
        if isinstance(line, str):
            reasons[f"{name}_gap_ev"] = line
            continue
        estimate, drawn, misfit = line
        found[f"{name}_gap_ev"] = estimate
        fits[name] = FittedLine(name, *drawn, position=estimate)
        if misfit > 2:
            notes.append(
                f"{name}_gap_ev: no segment of the Tauc plot is straight within the noise (reduced chi^2 "
                f"{misfit:.1f}); the uncertainty was scaled up"
            )
    return TaucGaps(
        energies_ev=energies_ev,
        absorption=absorption,
        unit=unit,
        baseline=baseline,
        direct_gap_ev=found.get("direct_gap_ev"),
        indirect_gap_ev=found.get("indirect_gap_ev"),
        onset_ev=found.get("onset_ev"),
        reasons=reasons,
        warnings=tuple(notes),
        fits=fits,
    )


def tauc_values(energies_ev: FloatArray, absorption: FloatArray, power: float) -> FloatArray:
    """(alpha h nu)^power; negative absorption, which noise makes, keeps its sign."""
    product = absorption * energies_ev
    return np.asarray(np.sign(product) * np.abs(product) ** power)


def _gap(
    energies: FloatArray, absorption: FloatArray, sigma: FloatArray, shift: float, power: float, edge: Edge
) -> tuple[Estimate, tuple[FloatArray, FloatArray], float] | str:
    """Gap, the line in the Tauc plot, and reduced chi^2, averaged over windows between the foot and the edge's end.

    `sigma` is the noise of each point, `shift` the standard deviation of the absorption that was taken off all.
    """
    first, last = edge.foot, max(edge.end, edge.foot + 4 * edge.width)
    inside = np.flatnonzero((energies >= first) & (energies <= last))
    least = max(6, len(inside) // 4)
    if len(inside) < 8:
        return f"the edge has only {len(inside)} points"
    starts = np.unique(np.linspace(inside[0], inside[-1] - least, 7).astype(int))
    stops = np.unique(np.linspace(inside[0] + least, inside[-1] + 1, 7).astype(int))
    results = [
        (a, b, *fit)
        for a in starts
        for b in stops
        if b - a >= least
        and (fit := _line_fit(energies[a:b], absorption[a:b], sigma[a:b], power)) is not None
    ]
    if not results:
        return "no window holds a line that meets the energy axis below it"
    misfit = min(residual @ residual / (b - a - 2) for a, b, _, _, _, residual in results)
    scale = np.sqrt(misfit) if misfit > 1.5 else 1.0
    # one more point, for what was taken off: it moves all others
    responses, residuals = np.zeros((2, len(results), len(energies) + 1))
    for i, (a, b, _, _, response, residual) in enumerate(results):
        responses[i, a:b], residuals[i, a:b] = response * scale, residual / scale
    for derivatives in (responses, residuals):
        derivatives[:, -1] = -derivatives[:, :-1] @ (shift / (scale * sigma))
    sizes = np.array([b - a for a, b, *_ in results])
    weights = log_weight((residuals[:, :-1] ** 2).sum(-1), np.full(len(sizes), 2.0), len(inside) - sizes)
    mean, uncertainty = averaged(np.array([gap for _, _, gap, *_ in results]), weights, responses, residuals)
    a, b, gap, slope, *_ = results[int(np.argmax(weights))]
    x = np.concatenate([[gap], energies[a:b]])
    return Estimate(mean, uncertainty), (x, slope * (x - gap)), misfit


def _line_fit(
    x: FloatArray, y: FloatArray, sigma: FloatArray, power: float
) -> tuple[float, float, FloatArray, FloatArray] | None:
    """Gap and slope of alpha h nu = (slope (h nu - gap))^(1/power), the gap's response to each point, residuals.

    Response and residuals are in units of sigma.
    """
    transformed = tauc_values(x, y, power)
    slope, intercept = np.polyfit(x, transformed, 1)
    if slope <= 0:
        return None
    gap = -intercept / slope
    if gap >= x[0]:
        gap = x[0] - 0.1 * (x[-1] - x[0])

    def curve(p: FloatArray) -> FloatArray:
        height = np.maximum(np.exp(p[1]) * (x - p[0]), 1e-12)
        return np.asarray(height ** (1 / power) / x)

    def jacobian(p: FloatArray) -> FloatArray:
        values = curve(p) / power
        return np.column_stack([-values / np.maximum(x - p[0], 1e-6), values]) / sigma[:, None]

    found = least_squares(
        lambda p: (curve(p) - y) / sigma, [gap, np.log(slope)], jacobian, method="lm", max_nfev=40, xtol=1e-5
    )
    normal = found.jac.T @ found.jac
    gap = float(found.x[0])
    if found.status <= 0 or gap > x[0] or gap < 0 or np.linalg.cond(normal) > 1e14:
        return None
    response = np.linalg.solve(normal, found.jac.T)[0]
    return gap, float(np.exp(found.x[1])), response, -found.fun
