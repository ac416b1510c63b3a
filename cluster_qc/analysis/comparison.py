"""How alike a computed and a measured curve are, and the one shift that may be applied before asking.

The similarity is the normalised overlap on the energy scale,

    S = integral f g dE / sqrt(integral f^2 dE * integral g^2 dE),    -1 <= S <= 1,

over the range both curves cover; the mirror image has -S. It does not see the scale of either curve. (The same ratio is
`sim` of github.com/estereo-lab/vissat, commit bde239a, for vibrational CD.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar

from cluster_qc.analysis.broadening import Shape, broaden
from cluster_qc.analysis.rotatory import Gauge
from cluster_qc.analysis.spectra import VANISHING_LMOLCM, simulate_absorption
from cluster_qc.errors import InputError, UnavailableError
from cluster_qc.model import ExcitedStates, MeasuredSpectrum, Spectrum
from cluster_qc.model.arrays import FloatArray
from cluster_qc.units import electronvolt, wavelength_nm

AGREES_FROM = 0.5
"""A computed CD curve agrees with the measured one from this similarity on; below -0.5 its mirror image does."""

_FEWEST_WIDTHS = 2.0
_POINTS_PER_FWHM = 40
# Two curves of independent random Gaussian lines of width sigma have overlaps of variance
# (1/L) * integral exp(-t^2 / (2 sigma^2)) dt = sqrt(2 pi) sigma / L over a range L; the integrand is the product of
# their autocorrelations.
_CHANCE = float(np.sqrt(2 * np.pi) / np.sqrt(8 * np.log(2)))


@dataclass(frozen=True)
class CDComparison:
    """A computed CD curve against a measured one."""

    similarity: float
    """S of the computed enantiomer, -1 to 1."""
    chance: float
    """Root mean square similarity of unrelated curves with lines of the computed width over this range."""
    energy_range: tuple[float, float]
    """What both curves cover, hartree."""
    amplitude_ratio: float | None
    """Measured over computed root mean square; None if the measured curve is relative."""
    shift: float
    """In the computed energies, hartree."""
    shift_origin: str
    remarks: tuple[str, ...] = ()

    @property
    def mirror_similarity(self) -> float:
        """S of the mirror image."""
        return -self.similarity

    @property
    def agrees(self) -> bool:
        """Whether the similarity is at least `AGREES_FROM` (0.5)."""
        return self.similarity >= AGREES_FROM

    @property
    def verdict(self) -> str:
        """One sentence that says no more than the numbers."""
        pair = f"similarity {self.similarity:+.2f}, of the mirror image {self.mirror_similarity:+.2f}"
        if abs(self.similarity) < AGREES_FROM:
            return f"undecided: {pair}; neither reaches {AGREES_FROM}, the sign alone decides nothing"
        who = "agrees" if self.agrees else "disagrees, its mirror image fits"
        if abs(self.similarity) < 2 * self.chance:
            return (
                f"{who}, but not beyond chance: {pair}; unrelated curves of this width reach "
                f"{self.chance:.2f} (1 sigma) over so short a range"
            )
        return f"{who}: {pair}; unrelated curves reach {self.chance:.2f} (1 sigma)"


def compare_cd(computed: Spectrum, measured: MeasuredSpectrum) -> CDComparison:
    """Hold a computed CD curve against a measured one, as it is: nothing is shifted or fitted here.

    Raises
    ------
    InputError
        If either is no CD, the common range is shorter than two widths of a line, or a curve vanishes there.
    """
    for curve, name in ((computed, "computed"), (measured, "measured")):
        if curve.kind != "cd":
            raise InputError(f"the {name} curve is {curve.kind}, not CD")
    if not np.abs(computed.values).max() > VANISHING_LMOLCM:
        raise InputError(
            "the computed CD vanishes, so there is nothing to compare",
            why="the molecule is achiral, or so symmetric that only numerical noise is left",
        )
    grid, ours, theirs = _side_by_side(computed.energies, computed.values, measured, computed.fwhm)
    remarks = list(measured.remarks)
    if measured.energies[-1] > computed.energies[-1]:
        remarks.append(
            f"the measured curve beyond {wavelength_nm(computed.energies[-1]):.0f} nm was not computed and not compared"
        )
    ratio = None if measured.relative else float(np.sqrt((theirs**2).mean() / (ours**2).mean()))
    return CDComparison(
        similarity=similarity(grid, ours, theirs),
        chance=chance_similarity(grid, computed.fwhm),
        energy_range=(float(grid[0]), float(grid[-1])),
        amplitude_ratio=ratio,
        shift=computed.shift,
        shift_origin=computed.shift_origin,
        remarks=tuple(remarks),
    )


def similarity(energies: FloatArray, one: FloatArray, other: FloatArray) -> float:
    """Compute the normalised overlap S of two curves on the same energies, (npoint,).

    Raises
    ------
    InputError
        If a curve is zero everywhere.
    """
    norm = np.sqrt(np.trapezoid(one**2, energies) * np.trapezoid(other**2, energies))
    if not norm > 0:
        raise InputError(
            "a curve is zero in the common range, so there is nothing to compare",
            fix="give a curve with a band there",
        )
    return float(np.trapezoid(one * other, energies) / norm)


def shift_sensitivity(computed: Spectrum, measured: MeasuredSpectrum, shifts: ArrayLike) -> FloatArray:
    """Compute the similarity after further shifts of the computed curve, hartree, (nshift,).

    It tells how much the comparison hangs on the energies. The best of them is no agreement: a shift that is fitted on
    the CD finds some overlap for either enantiomer.
    """
    found = []
    for shift in np.atleast_1d(np.asarray(shifts, dtype=float)):
        moved = computed.energies + shift
        keep = moved > 0
        # delta_epsilon is the photon energy times the lines' rotatory strength per energy.
        values = computed.values[keep] * moved[keep] / computed.energies[keep]
        found.append(similarity(*_side_by_side(moved[keep], values, measured, computed.fwhm)))
    return np.array(found)


@dataclass(frozen=True)
class UVShift:
    """A shift of all excitation energies that brings the computed absorption onto the measured one."""

    shift: float
    """Hartree; to be added to every excitation energy."""
    uncertainty: float
    """One standard deviation, hartree, from the misfit that is left and the widths that fit into the range."""
    similarity: float
    """Of the two absorption curves after the shift."""
    energy_range: tuple[float, float]
    """Where they were compared, hartree."""
    source: str

    @property
    def origin(self) -> str:
        """The words for `shift_origin` of a simulated spectrum."""
        return (
            f"fitted on the UV absorption {self.source}, +-{self.uncertainty / electronvolt:.3f} eV, "
            f"similarity {self.similarity:.3f} from {wavelength_nm(self.energy_range[1]):.0f} to "
            f"{wavelength_nm(self.energy_range[0]):.0f} nm"
        )


def fit_uv_shift(
    states: ExcitedStates,
    measured: MeasuredSpectrum,
    *,
    fwhm: float,
    gauge: Gauge = "length",
    shape: Shape = "gaussian",
    largest: float = 0.5 * electronvolt,
    allow_unconverged: bool = False,
) -> UVShift:
    """Fit one shift of all energies on the measured UV absorption; the CD takes no part in it.

    The similarity of the absorption curves is maximised, which leaves the scale free. The range is the same for every
    shift: from the start of the measured curve to where the roots are complete even at the lowest shift. The
    uncertainty is the shift that raises the squared misfit 1 - S^2 by 1/(N - 2) of itself, N being the number of
    independent points (`CDComparison.chance` is 1/sqrt(N)): safe for smooth misfits.

    Parameters
    ----------
    states
        Singlet excitations.
    measured
        From `read_absorption_spectrum`.
    fwhm, gauge, shape, allow_unconverged
        As in `simulate_absorption`.
    largest
        Largest shift to look at, either way, hartree.

    Raises
    ------
    InputError
        If the curve is no absorption, or the common range is shorter than two widths.
    UnavailableError
        If no shift within `largest` is the best one.
    """
    if measured.kind != "absorption":
        raise InputError(
            "the shift is fitted on an absorption curve; a fit on the CD would decide its own question"
        )
    if not (np.isfinite(largest) and largest > 0):
        raise InputError(f"largest is {largest}; it is a positive energy")
    plain = simulate_absorption(
        states, fwhm=fwhm, gauge=gauge, shape=shape, allow_unconverged=allow_unconverged
    )
    grid = common_grid(measured.energies[0], min(plain.energies[-1] - largest, measured.energies[-1]), fwhm)
    theirs = np.interp(grid, measured.energies, measured.values)

    def misfit(shift: float) -> float:
        ours = broaden(grid, plain.stick_energies + shift, plain.stick_strengths, fwhm, shape)
        overlap = similarity(grid, ours, theirs)
        return 1.0 - overlap * abs(overlap)

    scan = np.linspace(-largest, largest, 2 * max(10, round(20 * largest / fwhm)) + 1)
    misfits = np.array([misfit(shift) for shift in scan])
    best = int(misfits.argmin())
    if best in (0, len(scan) - 1):
        raise UnavailableError(
            f"no shift within {largest / electronvolt:.2f} eV brings the absorption curves together",
            why="the best one is at the edge, so bands would be matched with other bands",
            fix="compare the curves by eye first; a larger range may be given",
        )
    step = float(scan[1] - scan[0])
    shift = float(
        minimize_scalar(
            misfit, bounds=(scan[best - 1], scan[best + 1]), method="bounded", options={"xatol": 1e-4 * step}
        ).x
    )
    left = misfit(shift)
    curvature = (misfit(shift + step) - 2 * left + misfit(shift - step)) / step**2
    freedom = max(1 / chance_similarity(grid, fwhm) ** 2 - 2, 1.0)
    return UVShift(
        shift=shift,
        uncertainty=float(np.sqrt(2 * max(left, 0.0) / (freedom * curvature))),
        similarity=float(np.sqrt(1.0 - left)) if left <= 1 else -float(np.sqrt(left - 1.0)),
        energy_range=(float(grid[0]), float(grid[-1])),
        source=measured.source,
    )


def _side_by_side(
    energies: FloatArray, values: FloatArray, measured: MeasuredSpectrum, fwhm: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Energies of the range that a computed and a measured curve share, and the values of both there."""
    first = max(energies[0], measured.energies[0])
    grid = common_grid(first, min(energies[-1], measured.energies[-1]), fwhm)
    return grid, np.interp(grid, energies, values), np.interp(grid, measured.energies, measured.values)


def common_grid(first: float, last: float, fwhm: float) -> FloatArray:
    """Energies from `first` to `last`, 40 to a width, (npoint,).

    Raises
    ------
    InputError
        If the range is shorter than two widths.
    """
    if not last - first >= _FEWEST_WIDTHS * fwhm:
        raise InputError(
            f"the curves share {max(last - first, 0.0) / electronvolt:.2f} eV, less than two widths of a line",
            why="any two curves are alike over so short a range",
            fix="compute more states, or give a measured curve of the same region",
        )
    return np.linspace(first, last, round((last - first) / fwhm * _POINTS_PER_FWHM) + 1)


def chance_similarity(grid: FloatArray, fwhm: float) -> float:
    """Root mean square similarity of unrelated curves with lines of this width over the energies of `grid`."""
    return min(1.0, float(np.sqrt(_CHANCE * fwhm / (grid[-1] - grid[0]))))
