"""The computed HOMO beside one measured by photoelectron spectroscopy, without any fitted shift."""

from __future__ import annotations

from typing import Any

from cluster_qc.errors import InputError, NotConvergedError, UnavailableError
from cluster_qc.model import BandAlignment, GroundState, UPSReference
from cluster_qc.units import electronvolt

CAVEAT = (
    "A Kohn-Sham HOMO is not an ionization energy: with the approximate functionals in use it lies too high, by an "
    "amount that depends on the share of exact exchange, and it is that of one molecule in vacuum, while the "
    "spectrum is of a film, where polarisation of the neighbours lowers the ionization energy. Agreement within the "
    "tolerance may be error cancellation. No shift was fitted."
)


_TOLERANCE = 0.3 * electronvolt


def align_with_ups(
    ground: GroundState,
    reference: UPSReference,
    tolerance: float = _TOLERANCE,
    *,
    allow_unconverged: bool = False,
) -> BandAlignment:
    """Compare the computed with the measured HOMO; `tolerance` (hartree) is fixed before the numbers are seen.

    Raises
    ------
    NotConvergedError
        If the ground state did not converge, unless `allow_unconverged`.
    UnavailableError, InputError
        As in `align_levels`.
    """
    converged = ground.converged or allow_unconverged
    return align_levels(ground.homo, ground.lumo, reference, tolerance, converged=converged)


def align_levels(
    homo: float, lumo: float, reference: UPSReference, tolerance: float = _TOLERANCE, *, converged: bool
) -> BandAlignment:
    """`align_with_ups` of a HOMO and a LUMO (hartree).

    Raises
    ------
    NotConvergedError
        If they did not come from a converged ground state.
    UnavailableError
        If the reference is not against the vacuum level, to which a molecule's orbital energies refer.
    InputError
        For a tolerance that is not positive.
    """
    if not converged:
        raise NotConvergedError(
            "the ground state did not converge, so it has no HOMO to compare",
            why="orbital energies of an unconverged density can be off by electronvolts",
            fix="run it with more cycles, or pass allow_unconverged=True to look all the same",
        )
    if reference.reference_level != "vacuum":
        raise UnavailableError(
            f"the measured HOMO refers to the level {reference.reference_level!r}",
            why="the orbital energies of a molecule refer to the vacuum level",
            fix="subtract the work function first, and give the HOMO against vacuum",
        )
    if not tolerance > 0:
        raise InputError(f"the tolerance is {tolerance}; it is a positive energy in hartree")
    deviation = homo - reference.homo
    return BandAlignment(
        homo=homo,
        lumo=lumo,
        ionization_energy=-homo,
        reference=reference,
        deviation=deviation,
        tolerance=tolerance,
        agrees=abs(deviation) <= tolerance,
        caveat=CAVEAT,
    )


def alignment_summary(alignment: BandAlignment) -> dict[str, Any]:
    """Give the alignment as JSON values, units in the keys; what the measurement does not give is None."""
    reference = alignment.reference
    uncertainty = reference.uncertainty
    return {
        "homo_ev": alignment.homo / electronvolt,
        "lumo_ev": alignment.lumo / electronvolt,
        "ionization_energy_ev": alignment.ionization_energy / electronvolt,
        "measured_homo_ev": reference.homo / electronvolt,
        "measured_uncertainty_ev": None if uncertainty is None else uncertainty / electronvolt,
        "reference_level": reference.reference_level,
        "source": reference.source,
        "deviation_ev": alignment.deviation / electronvolt,
        "tolerance_ev": alignment.tolerance / electronvolt,
        "agrees": alignment.agrees,
        "caveat": alignment.caveat,
    }
