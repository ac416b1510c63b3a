"""The numbers of a finished run as one JSON object, units in the keys."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cluster_qc.errors import UnavailableError
from cluster_qc.hashing import canonical
from cluster_qc.model import (
    BandAlignment,
    Cluster,
    ExcitedStates,
    GroundState,
    NaturalTransitionOrbitals,
    Spectrum,
)
from cluster_qc.units import electronvolt, rotatory_strength_cgs, wavelength_nm
from cluster_qc.workflow.references import COTTON_SOURCE

if TYPE_CHECKING:
    from cluster_qc.workflow.job import Job

CURVES = ("cd", "absorption")
"""Spectra that a run writes as CSV files of these names."""
_NTO_WEIGHTS_FROM = 1e-4
_LEVELS = 6
_GAUGE_SHARE = 0.1  # of the strongest rotatory strength; below it a sign matters little
_GAUGE_LEAST_CGS = 1.0

CONVENTIONS = {
    "energies": "vertical, of one molecule in vacuum at the geometry of structure.xyz; levels are Kohn-Sham orbital "
    "energies against the vacuum level",
    "error_estimate_ev": "error of the iterations and of the truncations named in the warnings, against the same "
    "functional and basis set; not that of the functional or the basis set",
    "oscillator_strength": "length gauge; _velocity and _mixed: the other two",
    "rotatory_strength": "_cgs: 1e-40 esu^2 cm^2, of molecules in random orientation; positive: left circularly "
    "polarised light is absorbed more; _length: about the centre of the nuclear charges; _difference: velocity minus "
    "length",
    "dissymmetry_factor": "4 R/D in the gauge of the CD curve; null where D vanishes",
    "cd": "delta_epsilon = epsilon(left) - epsilon(right); bands are extrema of the sum of Gaussians of the width fwhm "
    "(full, at half maximum)",
    "ecp_electrons": "of each atom of these elements, in an effective core potential; all others are all-electron",
    "stable": "whether the ground state is a minimum; null: not known",
    "dipole_debye": "its length; of a charged molecule about the origin of structure.xyz",
    "shares": "Loewdin populations, adding up to 1; those of ntos over all pairs with their weights",
    "ntos": "weights are squared singular values of sqrt(2) X, not renormalised; lost_weight is 1 minus their sum",
}
"""What the keys of a summary leave open."""


def structure_summary(cluster: Cluster, cip: list[str]) -> dict[str, Any]:
    """What was computed: formula, charge, handedness, distances."""
    from cluster_qc.structure.chirality import core_handedness
    from cluster_qc.structure.geometry import mean_distances

    return {
        "name": cluster.name,
        "source": cluster.source,
        "formula": cluster.formula,
        "natom": cluster.natom,
        "nelectron": cluster.nelectron,
        "charge": cluster.charge,
        "multiplicity": cluster.multiplicity,
        "cip": cip,
        "core_handedness": core_handedness(cluster),
        "mean_distance_angstrom": mean_distances(cluster),
    }


def method_summary(job: Job, ground: GroundState) -> dict[str, Any]:
    """Every setting that the numbers depend on; energies and thresholds in hartree."""
    return {
        "preset": job.preset,
        "units": "hartree",
        **canonical(ground.method),
        "basis_overrides": dict(ground.method.basis_overrides),
        "singlets": canonical(job.singlets),
        "triplets": canonical(job.triplets),
    }


def stability(ground: GroundState, states: Mapping[str, ExcitedStates]) -> bool | None:
    """Whether the ground state is a minimum: real, positive lowest roots of full TDDFT say so for either spin.

    A negative eigenvalue of A + B or A - B ends the response calculation with an error (Bauernschmitt and Ahlrichs,
    J. Chem. Phys. 104, 9047 (1996), 10.1063/1.471637). None if a spin is missing, unconverged or in TDA.
    """
    if ground.stable is not None:
        return ground.stable
    spins = {kind.spin for kind in states.values() if not kind.method.tda and kind.converged.all()}
    return True if spins == {"singlet", "triplet"} else None


def levels_summary(ground: GroundState, states: Mapping[str, ExcitedStates]) -> dict[str, Any]:
    """Frontier orbitals and where they sit."""
    from cluster_qc.analysis.fragments import frontier_shares

    shares = frontier_shares(ground)
    return {
        "homo_ev": ground.homo / electronvolt,
        "lumo_ev": ground.lumo / electronvolt,
        "gap_ev": ground.gap / electronvolt,
        **_near_gap(ground),
        "shares": {
            **{name: dict(share.fragments) for name, share in shares.items()},
            **{f"{name}_elements": dict(share.elements) for name, share in shares.items()},
        },
        "total_energy_hartree": ground.energy,
        "ecp_electrons": {
            symbol: int(count)
            for symbol, count in zip(ground.cluster.symbols, ground.core_electrons, strict=True)
            if count
        },
        "dipole_debye": _dipole_debye(ground),
        "s_squared": ground.s_squared,
        "stable": stability(ground, states),
        "scf_cycles": ground.cycles,
        "scf_converged": ground.converged,
    }


def _near_gap(ground: GroundState) -> dict[str, list[float]]:
    """The orbitals nearest to the gap on either side, ascending."""
    occupied = np.sort(ground.orbital_energies[ground.occupations > 0])[-_LEVELS:]
    virtual = np.sort(ground.orbital_energies[ground.occupations == 0])[:_LEVELS]
    return {
        "occupied_ev": (occupied / electronvolt).tolist(),
        "virtual_ev": (virtual / electronvolt).tolist(),
    }


def _dipole_debye(ground: GroundState) -> float:
    from cluster_qc.units import debye

    return math.sqrt(float((ground.dipole**2).sum())) / debye


def states_summary(states: ExcitedStates) -> list[dict[str, Any]]:
    """One entry for each state; intensities for singlets only, null where a gauge does not exist."""
    rows: list[dict[str, Any]] = [
        {
            "label": state.label,
            "energy_ev": state.energy / electronvolt,
            "wavelength_nm": wavelength_nm(state.energy),
            "error_estimate_ev": float(states.error_estimates[state.index]) / electronvolt,
            "route": state.route,
            "converged": state.converged,
        }
        for state in states
    ]
    if states.spin == "triplet":
        return rows
    length, velocity = _rotatory(states, "length"), _rotatory(states, "velocity")
    strengths = {
        "oscillator_strength": states.oscillator_strengths.tolist(),
        "oscillator_strength_velocity": _oscillator(states, "velocity"),
        "oscillator_strength_mixed": _oscillator(states, "mixed"),
        "rotatory_strength_length_cgs": length,
        "rotatory_strength_velocity_cgs": velocity,
        "rotatory_strength_difference_cgs": None
        if length is None or velocity is None
        else [b - a for a, b in zip(length, velocity, strict=True)],
        "dissymmetry_factor": _dissymmetry(states),
    }
    for index, row in enumerate(rows):
        row.update({key: None if values is None else values[index] for key, values in strengths.items()})
    return rows


def _rotatory(states: ExcitedStates, gauge: Any) -> list[float] | None:
    from cluster_qc.analysis.rotatory import rotatory_strengths

    try:
        values = rotatory_strengths(states, gauge, allow_unconverged=True)
    except UnavailableError:
        return None
    return [float(value) for value in values / rotatory_strength_cgs]


def _oscillator(states: ExcitedStates, form: Any) -> list[float] | None:
    from cluster_qc.analysis.rotatory import oscillator_strengths

    try:
        values: list[float] = oscillator_strengths(states, form, allow_unconverged=True).tolist()
    except UnavailableError:
        return None
    return values


def _dissymmetry(states: ExcitedStates) -> list[float | None]:
    """4 R/D in the gauge of the CD curve; None where a state is dark."""
    from cluster_qc.analysis.rotatory import dissymmetry_factors

    values = dissymmetry_factors(states, cd_gauge(states), allow_unconverged=True)
    return [float(value) if math.isfinite(value) else None for value in values]


def cd_gauge(states: ExcitedStates) -> Literal["length", "velocity"]:
    """The gauge of a run's CD curve: velocity, which has no origin, wherever it exists."""
    return "length" if states.velocity is None else "velocity"


def convergence_summary(ground: GroundState, states: Mapping[str, ExcitedStates]) -> dict[str, Any]:
    """Every cycle of each step; null for a record of an early version, which kept none."""
    found: dict[str, Any] = {
        "scf": [
            {"stage": cycle.stage, "energy_hartree": cycle.energy, "gradient_hartree": cycle.gradient}
            for cycle in ground.history
        ]
    }
    for name, kind in states.items():
        found[name] = [
            {
                "operator": cycle.operator,
                "vectors": cycle.vectors,
                "largest_residual_hartree": cycle.residual,
                "converged": cycle.converged,
                "wanted": cycle.wanted,
            }
            for cycle in kind.history
        ]
    return {name: cycles or None for name, cycles in found.items()}


def nto_summary(ground: GroundState, ntos: NaturalTransitionOrbitals) -> dict[str, Any]:
    """Weights, hole and electron shares, and the character that they support."""
    from cluster_qc.analysis.charge_transfer import transition_character

    character = transition_character(ground, ntos, allow_unconverged=True)
    return {
        "weights": [float(w) for w in ntos.weights if w >= _NTO_WEIGHTS_FROM],
        "lost_weight": ntos.lost_weight,
        "participation_ratio": ntos.participation_ratio,
        "hole": dict(character.hole.fragments),
        "electron": dict(character.electron.fragments),
        "hole_elements": dict(character.hole.elements),
        "electron_elements": dict(character.electron.elements),
        "homo_lumo_weight": ntos.homo_lumo_weight,
        "character": character.label,
        **({} if character.label else {"character_reason": "the molecule has no metals"}),
        "character_shares": {
            "mlct": character.mlct,
            "lmct": character.lmct,
            "mc": character.mc,
            "lc": character.lc,
        },
        "converged": ntos.converged,
    }


def cd_summary(
    spectrum: Spectrum, csv: str, measured: Sequence[tuple[float, int]] | None = None
) -> dict[str, Any]:
    """Width, shift, gauge and bands of the CD curve, and the measured bands (nm, sign) known for this molecule."""
    from cluster_qc.analysis.spectra import cotton_bands

    published: dict[str, Any] = {}
    if measured:
        published["measured_bands"] = [{"wavelength_nm": nm, "sign": sign} for nm, sign in measured]
        published["measured_source"] = f"CD of the film, {COTTON_SOURCE}"
    return {
        "fwhm_ev": spectrum.fwhm / electronvolt,
        "shift_ev": spectrum.shift / electronvolt,
        "gauge": spectrum.gauge,
        "bands": cotton_bands(spectrum),
        "csv": csv,
        "remarks": list(spectrum.remarks),
        **published,
    }


def alignment_of(alignment: BandAlignment | None) -> dict[str, Any] | None:
    """The comparison with the measured HOMO, None without a measurement."""
    if alignment is None:
        return None
    from cluster_qc.analysis.alignment import alignment_summary

    return alignment_summary(alignment)


def warnings_of(ground: GroundState, states: list[ExcitedStates]) -> list[str]:
    """What a reader must know before using the numbers."""
    found = list(ground.remarks)
    if not ground.converged:
        found.append("the ground state did not converge: none of its numbers can be used")
    if ground.stable is False:
        found.append(
            "the ground state is a saddle point: a lower one exists, and excitations on top may be wrong"
        )
    if ground.homo > 0:
        found.append(
            f"the HOMO lies at {ground.homo / electronvolt:+.2f} eV, above the vacuum level: the basis set alone "
            "holds its electrons, as of a multiply charged anion without its surroundings"
        )
    for kind in states:
        failed = [state.label for state in kind if not state.converged]
        if failed:
            found.append(f"not converged: {', '.join(failed)}")
        found.extend(_energy_warnings(kind))
        found.extend(kind.approximations)
        found.extend(
            f"velocity-form rotatory strengths are absent: {text}" for text in reasons_of(kind).values()
        )
        found.extend(_gauge_warnings(kind))
        found.extend(_mixing_warnings(kind))
    return list(dict.fromkeys(found))


def _energy_warnings(states: ExcitedStates) -> list[str]:
    """Roots below the ground state, and those in the continuum of the functional.

    M. E. Casida, C. Jamorski, K. C. Casida, D. R. Salahub, J. Chem. Phys. 108, 4439 (1998), 10.1063/1.475855.
    """
    found = []
    below = [state.label for state in states if state.energy <= 0]
    if below:
        found.append(
            f"{', '.join(below)} below the ground state, which is not the lowest one then: the energies of all states "
            "on top of it are in doubt"
        )
    threshold = -states.ground.homo
    above = [state.label for state in states if state.energy > threshold > 0]
    if above:
        found.append(
            f"{above[0]}{' and the states above it lie' if len(above) > 1 else ' lies'} beyond "
            f"{threshold / electronvolt:.2f} eV, minus the HOMO's energy, where the continuum of this functional "
            "begins: energies and rotatory strengths there hang on the diffuse functions of the basis set"
        )
    return found


def _gauge_warnings(states: ExcitedStates) -> list[str]:
    """Roots whose rotatory strength is not small and has another sign in the other gauge."""
    length, velocity = _rotatory(states, "length"), _rotatory(states, "velocity")
    if length is None or velocity is None:
        return []
    strongest = max((abs(value) for value in velocity), default=0.0)
    least = max(_GAUGE_SHARE * strongest, _GAUGE_LEAST_CGS)
    found = [
        state.label
        for state, one, other in zip(states, length, velocity, strict=True)
        if one * other < 0 and min(abs(one), abs(other)) > least
    ]
    if not found:
        return []
    return [
        f"rotatory strengths of {', '.join(found)} have opposite signs in the length and the velocity gauge: "
        "the sign of these CD bands is not settled; usually the basis set is too small, or a neighbouring band is near"
    ]


def _mixing_warnings(states: ExcitedStates) -> list[str]:
    """Neighbouring roots nearer than their errors, which share their rotatory strengths out by chance."""
    velocity = _rotatory(states, "velocity")
    if velocity is None:
        return []
    least = max(_GAUGE_SHARE * max(map(abs, velocity), default=0.0), _GAUGE_LEAST_CGS)
    errors = states.error_estimates
    apart = np.diff(states.excitation_energies) > np.maximum(errors[1:], errors[:-1])
    groups = np.split(np.arange(len(states)), np.flatnonzero(apart) + 1)
    found = [
        f"{states[group[0]].label}-{states[group[-1]].label}"
        for group in groups
        if len(group) > 1 and max(abs(velocity[i]) for i in group) > least
    ]
    if not found:
        return []
    return [
        f"roots nearer to each other than their errors ({', '.join(found)}): of their rotatory and oscillator "
        "strengths only the sums mean anything; another program shares them out otherwise"
    ]


def reasons_of(states: ExcitedStates) -> dict[str, str]:
    """Why a value of these states is null, by its key."""
    if states.spin == "triplet" or states.velocity is not None:
        return {}
    try:
        states.require("velocity")
    except UnavailableError as exc:
        return {"rotatory_strength_velocity_cgs": f"{exc.what}: {exc.why}"}
    return {}
