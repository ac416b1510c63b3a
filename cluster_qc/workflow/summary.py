"""The numbers of a finished run as one JSON object, units in the keys."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cluster_qc.errors import StorageError, UnavailableError
from cluster_qc.files import read_at_most, storage_errors, write_text
from cluster_qc.hashing import canonical, canonical_json
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

SCHEMA_VERSION = 1
CURVES = ("cd", "absorption")
"""Spectra that a run writes as CSV files of these names."""
_CHECKSUM = "content_sha256"
_LARGEST_FILE = 64 * 2**20
_NTO_WEIGHTS_FROM = 1e-4
_LEVELS = 6
_GAUGE_SHARE = 0.1  # of the strongest rotatory strength; below it a sign matters little
_GAUGE_LEAST_CGS = 1.0


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
        found.extend(kind.approximations)
        found.extend(
            f"velocity-form rotatory strengths are absent: {text}" for text in reasons_of(kind).values()
        )
        found.extend(_gauge_warnings(kind))
    return list(dict.fromkeys(found))


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


def reasons_of(states: ExcitedStates) -> dict[str, str]:
    """Why a value of these states is null, by its key."""
    if states.spin == "triplet" or states.velocity is not None:
        return {}
    try:
        states.require("velocity")
    except UnavailableError as exc:
        return {"rotatory_strength_velocity_cgs": f"{exc.what}: {exc.why}"}
    return {}


def write_summary(path: Path, summary: Mapping[str, Any]) -> None:
    """Write summary.json in one step, with its checksum; what is not a finite number becomes null."""
    from cluster_qc.report.document import json_text

    content = finite(summary)
    content[_CHECKSUM] = _sha256(content)
    write_text(path, json_text(content))


def _sha256(content: Any) -> str:
    return hashlib.sha256(canonical_json(canonical(content))).hexdigest()


def read_summary(directory: Path) -> dict[str, Any]:
    """Read DIR/summary.json.

    Raises
    ------
    StorageError
        If it is missing, damaged or newer than this version.
    """
    path = directory / "summary.json"
    if not directory.is_dir():
        what = "is a file, not a results folder" if directory.exists() else "does not exist"
        raise StorageError(f"{directory} {what}", fix="give the folder that -o of the run named")
    if not path.is_file():
        raise StorageError(
            f"{directory} has no finished run: summary.json is missing",
            fix=f"cluster-qc run STRUCTURE -o {directory}  (it resumes where it stopped)",
        )
    with storage_errors(path, reading=True):
        raw = read_at_most(path, _LARGEST_FILE)
    try:
        summary = json.loads(raw)
        version = summary["schema_version"]
        digest = summary.pop(_CHECKSUM, None)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        raise _damaged(path, "it is no summary of a run" if isinstance(exc, KeyError) else str(exc)) from exc
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise StorageError(
            f"{path} has schema version {version}; this version of cluster_qc reads up to {SCHEMA_VERSION}",
            fix="update cluster_qc",
        )
    if digest is not None and digest != _sha256(summary):  # those of early versions have none
        raise _damaged(path, "its checksum differs from the one noted when it was written")
    return dict(summary)


@contextmanager
def summary_errors(directory: Path) -> Iterator[None]:
    """Tell of a summary, one without a checksum, that holds other things than a run writes."""
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError) as exc:
        raise _damaged(
            directory / "summary.json", f"something else stands where a value is expected ({exc})"
        ) from exc


def _damaged(path: Path, what: str) -> StorageError:
    return StorageError(
        f"{path} is damaged: {what}",
        fix="give the run command again: it writes it anew from the records, which are kept",
    )


def finite(value: Any) -> Any:
    """The same with null in place of what is not a finite number."""
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if dataclasses.is_dataclass(value):
        return finite(canonical(value))
    return value
