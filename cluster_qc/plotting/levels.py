"""Energy levels around the gap, with the measured level beside them."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from cluster_qc.model import BandAlignment, GroundState
from cluster_qc.units import electronvolt

_COMPUTED = (0.15, 0.55)
_MEASURED = (0.85, 1.25)
_LEAST_RANGE = 3.0 * electronvolt
_FRONTIER, _OTHER, _REFERENCE = "#0072B2", "#999999", "#D55E00"


def plot_levels(
    ax: Axes, ground: GroundState, alignment: BandAlignment | None = None, *, around: int = 5
) -> None:
    """Draw the levels of the frontier orbitals in eV against vacuum, HOMO and LUMO named.

    Parameters
    ----------
    ax
        Axes to draw on.
    ground
        Gives the orbital energies.
    alignment
        If given, the measured HOMO, its uncertainty as a bar, and the tolerance as a shaded band.
    around
        How many further levels to draw below the HOMO and above the LUMO at most: those no further from them than the
        gap is wide, or 3 eV. Of a small molecule others are core orbitals, which would press the gap to a line.
    """
    occupied = np.sort(ground.orbital_energies[ground.occupations > 0])[-around - 1 :]
    empty = np.sort(ground.orbital_energies[ground.occupations == 0])[: around + 1]
    reach = max(ground.gap, _LEAST_RANGE)
    occupied, empty = occupied[occupied >= ground.homo - reach], empty[empty <= ground.lumo + reach]
    for energies, frontier in ((occupied, ground.homo), (empty, ground.lumo)):
        for energy in energies:
            colour = _FRONTIER if energy == frontier else _OTHER
            ax.hlines(energy / electronvolt, *_COMPUTED, color=colour, lw=1.6 if energy == frontier else 0.7)
    for name, energy, align in (("LUMO", ground.lumo, "top"), ("HOMO", ground.homo, "bottom")):
        value = energy / electronvolt
        ax.annotate(
            f"{name} {signed(value)}",
            (sum(_COMPUTED) / 2, value),
            xytext=(0, 2 if align == "bottom" else -2),
            textcoords="offset points",
            ha="center",
            va=align,
            color=_FRONTIER,
            fontsize=7,
        )
    positions, labels = [sum(_COMPUTED) / 2], ["computed"]
    if alignment is not None:
        _plot_reference(ax, alignment)
        positions.append(sum(_MEASURED) / 2)
        labels.append("measured")
    ax.set_xlim(0.0, 1.4 if alignment is not None else 0.7)
    ax.set_xticks(positions, labels)
    ax.tick_params(axis="x", length=0)
    ax.spines[["right", "bottom"]].set_visible(False)
    ax.set_ylabel("energy vs vacuum / eV")
    ax.margins(y=0.05)


def _plot_reference(ax: Axes, alignment: BandAlignment) -> None:
    measured = alignment.reference.homo / electronvolt
    tolerance = alignment.tolerance / electronvolt
    ax.fill_between(_MEASURED, measured - tolerance, measured + tolerance, color=_REFERENCE, alpha=0.18, lw=0)
    ax.hlines(measured, *_MEASURED, color=_REFERENCE, lw=1.6)
    uncertainty = alignment.reference.uncertainty
    if uncertainty:
        ax.errorbar(
            sum(_MEASURED) / 2, measured, yerr=uncertainty / electronvolt, color=_REFERENCE, capsize=2
        )
    ax.annotate(
        f"HOMO {signed(measured)}",
        (sum(_MEASURED) / 2, measured + tolerance),
        xytext=(0, 2),
        textcoords="offset points",
        ha="center",
        va="bottom",
        color=_REFERENCE,
        fontsize=7,
    )


def signed(value: float) -> str:
    """Write two decimals with a typographic minus."""
    return f"{value:.2f}".replace("-", "\N{MINUS SIGN}")
