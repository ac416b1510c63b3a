"""Which of several candidates a measured CD belongs to, and how far the answer hangs on what is not known.

The candidates differ by more than a sign, e.g. the two hands of a core under the same ligands. Neither the width of the
bands nor the error of the excitation energies is known, so the similarity S of `comparison` is taken over a grid of
both. The shares of that grid are no probabilities: they tell what the answer survives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from cluster_qc.analysis.broadening import broaden, delta_epsilon, line_shape
from cluster_qc.analysis.comparison import AGREES_FROM, chance_similarity, common_grid, similarity
from cluster_qc.analysis.cotton import TOLERANCE
from cluster_qc.errors import InputError
from cluster_qc.model import MeasuredSpectrum, Spectrum
from cluster_qc.model.arrays import FloatArray, frozen
from cluster_qc.units import energy_from_nm, wavelength_nm

Bands = Sequence[tuple[float, int]]

_SURVIVES = 0.95
"""Share of the settings in which a candidate must be the most similar one."""
_WIDTHS = np.linspace(2 / 3, 4 / 3, 5)  # of the width that the candidates came with
_SHIFTS = 13


@dataclass(frozen=True, eq=False)
class CDAssignment:
    """Candidates against one measured CD."""

    labels: tuple[str, ...]
    similarities: FloatArray
    """S of each candidate as it was given, (ncandidate,); the mirror images have -S."""
    scan: FloatArray
    """S at each width and shift, (ncandidate, nwidth, nshift); NaN where the common range is below two widths."""
    widths: FloatArray
    """Full widths at half maximum, hartree, (nwidth,)."""
    shifts: FloatArray
    """Added to every excitation energy on top of the candidates' own shift, hartree, (nshift,)."""
    chance: float
    """Root mean square similarity of unrelated curves over this range."""
    energy_range: tuple[float, float]
    """Where the curves were compared as given, hartree."""
    remarks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        n, widths, shifts = len(self.labels), len(self.widths), len(self.shifts)
        covered = frozen(np.isfinite(self.scan), (n, widths, shifts), "scan", bool)
        scan = np.where(covered, self.scan, np.nan)
        scan.flags.writeable = False
        object.__setattr__(self, "scan", scan)
        for name, size in (("similarities", n), ("widths", widths), ("shifts", shifts)):
            object.__setattr__(self, name, frozen(getattr(self, name), (size,), name))

    @property
    def best(self) -> int:
        """Index of the candidate of the largest similarity."""
        return int(self.similarities.argmax())

    @property
    def second(self) -> int:
        """Index of the runner-up."""
        return int(np.argsort(-self.similarities, kind="stable")[1])

    @property
    def lead(self) -> float:
        """Similarity of the best candidate minus that of the runner-up."""
        return float(self.similarities[self.best] - self.similarities[self.second])

    @property
    def settings(self) -> int:
        """Settings of the scan that could be compared."""
        return int(np.isfinite(self.scan[0]).sum())

    @property
    def closest(self) -> tuple[int, ...]:
        """In how many settings each candidate alone is the most similar one; its errors are the others' errors."""
        largest = self.scan.max(axis=0)
        alone = (self.scan == largest).sum(axis=0) == 1
        return tuple(int((alone & (one == largest)).sum()) for one in self.scan)

    @property
    def independent_share(self) -> float:
        """Share of the settings in which the best beats the runner-up if each has a shift of its own."""
        ours, theirs = self.scan[self.best][:, :, None], self.scan[self.second][:, None, :]
        both = np.isfinite(ours) & np.isfinite(theirs)
        return float((ours > theirs)[both].mean())

    @property
    def doubts(self) -> tuple[str, ...]:
        """What speaks against the best candidate being the right one, the weighty ones first."""
        return (*self._faults, *self._limits)

    @property
    def outcome(self) -> Literal["assigned", "preferred", "undecided"]:
        """Whether the best candidate is the answer, the better answer, or none."""
        if self._faults:
            return "undecided"
        return "preferred" if self._limits else "assigned"

    @property
    def verdict(self) -> str:
        """One sentence that says no more than the numbers."""
        name, similar = self.labels[self.best], self.similarities[self.best]
        known = f"similarity {similar:+.2f}, {self.lead:.2f} ahead of {self.labels[self.second]}"
        if self.outcome == "assigned":
            return f"{name} fits ({known}), whatever the width and the shift"
        if self.outcome == "preferred":
            return f"{name} fits better ({known}), which is no proof: {'; '.join(self.doubts)}"
        return f"undecided; {name} comes closest ({known}), but {'; '.join(self.doubts)}"

    @property
    def _faults(self) -> tuple[str, ...]:
        found = []
        best, worst = self.similarities[self.best], self.similarities.min()
        if best < AGREES_FROM:
            found.append(f"its similarity is below {AGREES_FROM}")
        if -worst > best:
            name = self.labels[int(self.similarities.argmin())]
            found.append(f"the mirror image of {name} fits better ({-worst:+.2f})")
        count = self.closest[self.best]
        if count < _SURVIVES * self.settings:
            found.append(f"it is the closest in {count} of {self.settings} settings only")
        return tuple(found)

    @property
    def _limits(self) -> tuple[str, ...]:
        found = []
        if self.independent_share < _SURVIVES:
            found.append(
                f"with shifts of their own it beats {self.labels[self.second]} in {self.independent_share:.0%} only"
            )
        by_chance = 2 * float(np.sqrt(2)) * self.chance
        if self.lead < by_chance:
            found.append(f"unrelated curves are up to {by_chance:.2f} apart (2 sigma) over so short a range")
        return tuple(found)


def assign_by_cd(
    candidates: Sequence[Spectrum],
    measured: MeasuredSpectrum | Bands,
    labels: Sequence[str] | None = None,
    *,
    widths: ArrayLike | None = None,
    shifts: ArrayLike | None = None,
) -> CDAssignment:
    """Find the candidate whose CD is most like the measured one, and how robust that is.

    All candidates are compared over the same energies: from the start of the measured curve, or three widths below the
    lowest root of all, to one width below where the first of them runs out of roots. Nothing is fitted.

    Parameters
    ----------
    candidates
        CD curves of at least two candidates, made alike; their sticks are broadened anew.
    measured
        A CD curve, or (wavelength in nm, sign +1 or -1) of its bands. Bands become lines of equal height and of the
        computed width; their true heights are not known then.
    labels
        Names of the candidates.
    widths
        Full widths at half maximum to try, hartree; by default 2/3 to 4/3 of the candidates' own.
    shifts
        Further shifts of all energies to try, hartree; by default within 0.3 eV either way (`cotton.TOLERANCE`).

    Raises
    ------
    InputError
        For fewer than two candidates, candidates or measured values that are no CD or not made alike, or a common range
        shorter than two widths.
    """
    _check(candidates, measured)
    names = tuple(labels or (f"candidate {number}" for number in range(1, len(candidates) + 1)))
    if len(names) != len(candidates):
        raise InputError(f"{len(names)} labels came with {len(candidates)} candidates; one each is needed")
    own = candidates[0].fwhm
    tried = np.atleast_1d(np.asarray(own * _WIDTHS if widths is None else widths, dtype=float))
    moves = np.linspace(-TOLERANCE, TOLERANCE, _SHIFTS) if shifts is None else shifts
    moves = np.atleast_1d(np.asarray(moves, dtype=float))
    grid, found = _similarities(candidates, measured, own, 0.0)
    scan = np.full((len(candidates), len(tried), len(moves)), np.nan)
    for i, width in enumerate(tried):
        for k, move in enumerate(moves):
            try:
                scan[:, i, k] = _similarities(candidates, measured, float(width), float(move))[1]
            except InputError:
                continue  # too little in common
    missing = int(np.isnan(scan[0]).sum())
    if missing == scan[0].size:
        raise InputError("no width and shift leaves a common range of two widths", fix="compute more states")
    remarks = _remarks(measured, float(grid[-1]))
    if missing:
        remarks.append(f"{missing} of {scan[0].size} settings left too short a range and are not counted")
    return CDAssignment(
        names,
        found,
        scan,
        tried,
        moves,
        chance_similarity(grid, own),
        (float(grid[0]), float(grid[-1])),
        tuple(remarks),
    )


def _remarks(measured: MeasuredSpectrum | Bands, last: float) -> list[str]:
    if isinstance(measured, MeasuredSpectrum):
        beyond = measured.energies[-1] > last
        told = [f"the measured curve beyond {wavelength_nm(last):.0f} nm was not compared"] if beyond else []
        return [*measured.remarks, *told]
    remarks = ["of the measured CD only positions and signs are known: bands of equal height are assumed"]
    outside = [f"{nm:.0f} nm" for nm, _ in measured if energy_from_nm(nm) > last]
    if outside:
        remarks.append(f"beyond the common range and not compared: {', '.join(outside)}")
    return remarks


def _check(candidates: Sequence[Spectrum], measured: MeasuredSpectrum | Bands) -> None:
    if len(candidates) < 2:
        raise InputError("an assignment needs at least two candidates", fix="give the CD of each of them")
    for curve in candidates:
        if curve.kind != "cd":
            raise InputError(f"an assignment needs CD curves; one is {curve.kind}")
        if (curve.shape, curve.fwhm, curve.gauge) != (
            candidates[0].shape,
            candidates[0].fwhm,
            candidates[0].gauge,
        ):
            raise InputError(
                "the candidates differ in line shape, width or gauge",
                why="their difference would then be that of the settings",
                fix="simulate all of them with the same settings",
            )
    if isinstance(measured, MeasuredSpectrum):
        if measured.kind != "cd":
            raise InputError(f"the measured curve is {measured.kind}, not CD")
    elif not measured or any(sign not in (1, -1) or not nm > 0 for nm, sign in measured):
        raise InputError(f"measured bands are (wavelength in nm, +1 or -1), not {list(measured)}")


def _similarities(
    candidates: Sequence[Spectrum], measured: MeasuredSpectrum | Bands, fwhm: float, move: float
) -> tuple[FloatArray, FloatArray]:
    """The common energies at one width and shift, (npoint,), and S of each candidate, (ncandidate,)."""
    positions = [curve.stick_energies + curve.shift + move for curve in candidates]
    first = min(float(p.min()) for p in positions) - 3 * fwhm
    last = min(float(p.max()) for p in positions) - fwhm
    if isinstance(measured, MeasuredSpectrum):
        grid = common_grid(
            max(first, float(measured.energies[0])), min(last, float(measured.energies[-1])), fwhm
        )
        theirs = np.interp(grid, measured.energies, measured.values)
    else:
        bands = np.array([energy_from_nm(nm) for nm, _ in measured])
        signs = np.array([float(sign) for _, sign in measured])
        grid = common_grid(max(first, float(bands.min()) - fwhm), min(last, float(bands.max()) + fwhm), fwhm)
        theirs = line_shape(grid[:, None] - bands, fwhm) @ signs
    return grid, np.array(
        [
            similarity(grid, delta_epsilon(grid, broaden(grid, p, c.stick_strengths, fwhm, c.shape)), theirs)
            for p, c in zip(positions, candidates, strict=True)
        ]
    )
