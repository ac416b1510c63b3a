"""Absorption and CD curves against wavelength, with their sticks and measured bands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from matplotlib.axes import Axes

from cluster_qc.model import MeasuredSpectrum, Spectrum
from cluster_qc.model.arrays import FloatArray
from cluster_qc.units import electronvolt, rotatory_strength_cgs, wavelength_nm

_LEAST_CD_LMOLCM, _LEAST_ROTATION_CGS = 0.01, 0.01
"""Smallest heights of the axes, so that an achiral molecule's rounding errors are a line, not bands."""


def plot_cd(
    ax: Axes,
    spectra: Spectrum | Sequence[Spectrum],
    *,
    sticks: bool = True,
    labels: Sequence[str] = (),
    experiment_bands: Iterable[tuple[float, int]] | None = None,
    experiment_label: str = "measured bands",
    measured: MeasuredSpectrum | None = None,
) -> None:
    """Draw CD curves, the rotatory strengths as sticks on a second axis with the same zero.

    Neither axis is made for less than 0.01 L/(mol cm) and 1e-42 esu^2 cm^2.

    Parameters
    ----------
    ax
        Axes to draw on.
    spectra
        One or more CD spectra.
    sticks
        Draw the lines behind the curves.
    labels
        One per spectrum, for the legend.
    experiment_bands
        Measured Cotton bands: (wavelength in nm, sign +1 or -1), as arrows at the edge of the axes.
    experiment_label
        What the legend calls them.
    measured
        Measured curve, drawn over the computed ones; a relative one is scaled to their height, and the legend says so.
    """
    curves = _as_sequence(spectra)
    _plot_curves(ax, curves, labels)
    ax.axhline(0.0, color="0.6", lw=0.6, zorder=0)
    heights = [float((np.abs(s.values) + _uncertainty(s)).max()) for s in curves]
    limit = max([_LEAST_CD_LMOLCM, *heights])
    if measured is not None:
        limit = _plot_measured(ax, measured, limit)
    bands = list(experiment_bands or ())
    room = 1.5 if bands else 1.2  # over the curves, for the arrows of bands
    ax.set_ylim(-room * limit, room * limit)
    ax.set_ylabel(r"$\Delta\varepsilon$ / L mol$^{-1}$ cm$^{-1}$")
    if sticks:
        ylabel = r"$R$ / 10$^{-40}$ esu$^2$ cm$^2$"
        _plot_sticks(ax, curves, rotatory_strength_cgs, ylabel, room, signed=True)
    if bands:
        ax.plot([], [], color="0.25", marker=r"$\updownarrow$", ms=8, mew=0, ls="", label=experiment_label)
    _legend(ax)
    for wavelength, sign in bands:
        ax.annotate(
            f"{wavelength:.0f}",
            (wavelength, 1.0 if sign > 0 else 0.0),
            xycoords=("data", "axes fraction"),
            xytext=(0, -14 if sign > 0 else 14),
            textcoords="offset points",
            ha=_towards_inside(ax, wavelength),
            va="top" if sign > 0 else "bottom",
            fontsize=6,
            color="0.25",
            annotation_clip=False,
            arrowprops={"arrowstyle": "->", "color": "0.25", "lw": 0.8, "shrinkA": 0, "shrinkB": 0},
        )


def _towards_inside(ax: Axes, x: float) -> str:
    """Alignment of a label that keeps it off the edges of the axes."""
    low, high = sorted(ax.get_xlim())
    place = (x - low) / (high - low)
    return "left" if place < 0.03 else "right" if place > 0.97 else "center"


def plot_absorption(
    ax: Axes, spectra: Spectrum | Sequence[Spectrum], *, sticks: bool = True, labels: Sequence[str] = ()
) -> None:
    """Draw absorption curves, the oscillator strengths as sticks on a second axis; parameters as in `plot_cd`."""
    curves = _as_sequence(spectra)
    _plot_curves(ax, curves, labels)
    ax.set_ylim(0.0, 1.1 * (max((float(s.values.max()) for s in curves), default=0.0) or 1.0))
    ax.set_ylabel(r"$\varepsilon$ / L mol$^{-1}$ cm$^{-1}$")
    if sticks:
        _plot_sticks(ax, curves, 1.0, "oscillator strength", 1.1, signed=False)
    _legend(ax)


def _as_sequence(spectra: Spectrum | Sequence[Spectrum]) -> Sequence[Spectrum]:
    return [spectra] if isinstance(spectra, Spectrum) else list(spectra)


def _plot_curves(ax: Axes, curves: Sequence[Spectrum], labels: Sequence[str]) -> None:
    for index, spectrum in enumerate(curves):
        label = labels[index] if index < len(labels) else None
        nm = [wavelength_nm(energy) for energy in spectrum.energies.tolist()]
        ax.plot(nm, spectrum.values, color=f"C{index}", label=label, zorder=3)
        if spectrum.uncertainty is not None:
            low, high = spectrum.values - spectrum.uncertainty, spectrum.values + spectrum.uncertainty
            ax.fill_between(nm, low, high, color=f"C{index}", alpha=0.2, lw=0, zorder=2)
    if curves:
        ax.set_xlim(
            min(wavelength_nm(float(s.energies[-1])) for s in curves),
            max(wavelength_nm(float(s.energies[0])) for s in curves),
        )
    ax.set_xlabel("wavelength / nm")


def _legend(ax: Axes) -> None:
    """Name what has a label, above the axes: in them it would hide curves or the marks of bands."""
    handles, labels = ax.get_legend_handles_labels()
    if handles:
        ax.legend(
            handles, labels, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2, handlelength=1.5, columnspacing=1.2,
            borderaxespad=0.3,
        )  # fmt: skip


def _uncertainty(spectrum: Spectrum) -> FloatArray | float:
    return 0.0 if spectrum.uncertainty is None else spectrum.uncertainty


def _plot_measured(ax: Axes, measured: MeasuredSpectrum, limit: float) -> float:
    """Draw a measured curve; the largest absolute value on the axes."""
    nm = np.array([wavelength_nm(energy) for energy in measured.energies.tolist()])
    left, right = ax.get_xlim()
    seen = np.abs(measured.values[(left <= nm) & (nm <= right)])
    largest = float(seen.max(initial=0.0)) or 1.0
    scale = limit / largest if measured.relative else 1.0
    label = "measured (scaled)" if measured.relative else "measured"
    ax.plot(nm, scale * measured.values, color="0.15", ls="--", lw=1.0, label=label, zorder=4)
    ax.set_xlim(left, right)
    return max(limit, scale * largest)


def _plot_sticks(
    ax: Axes, curves: Sequence[Spectrum], unit: float, ylabel: str, room: float, *, signed: bool
) -> None:
    left, right = ax.get_xlim()
    twin = ax.twinx()
    twin.set_zorder(ax.get_zorder() - 1)
    ax.patch.set_visible(False)
    largest = 0.0
    for index, spectrum in enumerate(curves):
        pairs = zip(spectrum.stick_energies.tolist(), spectrum.stick_strengths.tolist(), strict=True)
        for energy, strength in pairs:
            nm = wavelength_nm(energy + spectrum.shift)
            if left <= nm <= right:
                twin.vlines(nm, 0.0, strength / unit, color=f"C{index}", lw=0.8, alpha=0.55)
                largest = max(largest, abs(strength / unit))
    limit = room * (max(largest, _LEAST_ROTATION_CGS) if signed else largest or 1.0)
    twin.set_ylim(-limit if signed else 0.0, limit)
    twin.set_ylabel(ylabel)


def describe(spectrum: Spectrum) -> str:
    """Write one line for a caption: width, shape, shift and gauge."""
    return (
        f"{spectrum.shape} lines of {spectrum.fwhm / electronvolt:.2f} eV (fwhm), "
        f"shift {spectrum.shift / electronvolt:+.2f} eV, {spectrum.gauge} gauge"
    )
