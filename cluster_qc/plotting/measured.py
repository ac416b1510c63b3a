"""Measured spectra with the fits that gave the levels; nothing is computed here but the transforms of the axes."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from cluster_qc.model.measured import FittedLine, TaucGaps, UPSLevels

_CURVE, _FIT, _BACKGROUND = "0.35", "#D55E00", "#0072B2"
_MARGIN = 0.6
"""Electronvolts shown on either side of a fit."""


def plot_ups(ax: Axes, levels: UPSLevels, which: str) -> None:
    """Draw the spectrum around one edge with its fit, background and position.

    Parameters
    ----------
    ax
        Axes to draw on.
    levels
        The evaluated spectrum.
    which
        "cutoff" or "onset"; the whole spectrum if that was not found.
    """
    fit = next((fit for fit in levels.fits if fit.label == which), None)
    shown = slice(None)
    if fit is not None:
        inside = (levels.binding_ev > fit.x[0] - _MARGIN) & (levels.binding_ev < fit.x[-1] + _MARGIN)
        shown = slice(int(np.argmax(inside)), int(len(inside) - np.argmax(inside[::-1])))
    ax.plot(levels.binding_ev[shown], levels.intensity[shown], ".", color=_CURVE, ms=2)
    if fit is not None:
        _plot_fit(ax, fit)
    ax.invert_xaxis()
    ax.set_xlabel("binding energy / eV")
    ax.set_ylabel("intensity")


def plot_tauc(ax: Axes, gaps: TaucGaps, which: str) -> None:
    """Draw the Tauc plot ("direct", "indirect") or the absorption ("onset") with the line that gave the value."""
    power = {"direct": 2.0, "indirect": 0.5, "onset": None}[which]
    x, y = gaps.energies_ev, gaps.absorption
    fit = gaps.fits.get(which)
    if power is not None:
        product = (y - gaps.baseline) * x
        y = np.sign(product) * np.abs(product) ** power
    shown = slice(None) if fit is None else slice(0, int(np.searchsorted(x, fit.x[-1] + _MARGIN)))
    ax.plot(x[shown], y[shown], ".", color=_CURVE, ms=2)
    if fit is not None:
        _plot_fit(ax, fit)
    ax.set_xlabel("photon energy / eV")
    label = {"direct": r"$(\alpha h\nu)^2$", "indirect": r"$(\alpha h\nu)^{1/2}$", "onset": "absorption"}[
        which
    ]
    ax.set_ylabel(label if power is not None else f"{label} ({gaps.unit})")


def _plot_fit(ax: Axes, fit: FittedLine) -> None:
    ax.plot(fit.x, fit.y, color=_FIT)
    if fit.background is not None:
        ax.plot(fit.x, fit.background, color=_BACKGROUND, ls="--", lw=1.0)
    if fit.position is not None:
        value, error = fit.position.value, fit.position.uncertainty
        ax.axvline(value, color=_FIT, lw=0.7)
        ax.axvspan(value - error, value + error, color=_FIT, alpha=0.2, lw=0)
        ax.set_title(f"{fit.label} {value:.3f} ± {error:.3f} eV")
