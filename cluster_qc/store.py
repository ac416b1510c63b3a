"""Calculations on disk: ground and excited states to records and back, under the hash of their input."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cluster_qc.errors import InputError, StorageError
from cluster_qc.hashing import canonical, ground_hash, method_input, states_hash
from cluster_qc.model import (
    Cluster,
    DFTMethod,
    ExcitedStates,
    Fragment,
    GroundState,
    Record,
    SCFCycle,
    TDDFTCycle,
    TDDFTMethod,
)
from cluster_qc.provenance import host, versions
from cluster_qc.records import damaged, matching_record, read_record, record_path, write_record

_LONGEST_NAME = 60  # letters; a file system takes 255 bytes, and file names are built on it

_GROUND_ARRAYS = (
    "orbital_energies",
    "coefficients",
    "occupations",
    "overlap",
    "ao_atoms",
    "core_electrons",
    "dipole",
)
_STATES_ARRAYS = (
    "excitation_energies",
    "error_estimates",
    "converged",
    "occupied",
    "virtual",
    "x",
    "y",
    "gauge_origin",
    "electric",
    "velocity",
    "magnetic",
)


# --- the public pair ----------------------------------------------------------------------------------------


def save(obj: GroundState | ExcitedStates, directory: str | Path) -> Path:
    """Store a calculation under `directory/<cluster name>/` and return its record folder.

    Excited states bring their ground state along. If a record of the same input is there already it is kept.

    Raises
    ------
    StorageError
        If the folder cannot be written; nothing unfinished stays behind.
    """
    ground = obj if isinstance(obj, GroundState) else obj.ground
    folder = Path(directory) / folder_name(ground.cluster.name)
    path = put(folder, ground)
    return path if isinstance(obj, GroundState) else put(folder, obj)


def load(path: str | Path) -> GroundState | ExcitedStates:
    """Read a calculation from its record folder, checking every byte.

    Raises
    ------
    StorageError
        If the record is missing, damaged or written by a newer version.
    """
    path = Path(path)
    record, arrays = read_record(path)
    try:
        if record.step == "scf":
            return _ground_from(record, arrays)
        (parent,) = record.parents
        ground_path = record_path(path.parent, "scf", parent)
        if not ground_path.is_dir():
            raise StorageError(
                f"{path} has lost its ground state: the record {ground_path.name} is missing",
                fix="give its run command again; it computes what is missing",
            )
        ground = load(ground_path)
        if not isinstance(ground, GroundState):
            raise ValueError("its parent is no ground state")
        if not _on_these_orbitals(record, ground):
            raise StorageError(
                f"{path} belongs to another calculation of its ground state",
                why="the ground state was computed again since, and the signs of its orbitals may differ",
                fix="give the run command again; it computes these states anew",
            )
        return _states_from(ground, record, arrays)
    except (KeyError, TypeError, ValueError, InputError) as exc:
        raise damaged(path, f"its content does not fit its kind ({exc})") from exc


# --- records of a run ---------------------------------------------------------------------------------------


def folder_name(name: str) -> str:
    """A name as that of a folder or file: letters and digits of any script, '.', '_', '-'; not hidden, not '..'."""
    return re.sub(r"[^\w.-]+", "_", name)[:_LONGEST_NAME].strip("._") or "cluster"


def find_ground(folder: Path, cluster: Cluster, method: DFTMethod) -> tuple[GroundState, Record] | None:
    """The stored ground state of this input, carrying `cluster`'s own name and fragments, or None."""
    path = record_path(folder, "scf", ground_hash(cluster, method))
    if not path.is_dir():
        return None
    record = matching_record(path, ground_hash(cluster, method))
    ground = load(path)
    if not isinstance(ground, GroundState):
        raise damaged(path, "it holds no ground state")
    return dataclasses.replace(ground, cluster=cluster), record


def find_states(
    folder: Path, ground: GroundState, method: TDDFTMethod
) -> tuple[ExcitedStates, Record] | None:
    """The stored excited states of this input on this ground state, or None.

    Also None if they were computed on another calculation of the same ground state, since replaced: the signs of its
    orbitals, and with them those of the amplitudes, may differ.
    """
    digest = states_hash(ground_hash(ground.cluster, ground.method), method)
    path = record_path(folder, f"{method.spin}s", digest)
    if not path.is_dir():
        return None
    record, arrays = read_record(path)
    matching_record(path, digest)
    if not _on_these_orbitals(record, ground):
        return None
    try:
        return _states_from(ground, record, arrays), record
    except (KeyError, TypeError, ValueError, InputError) as exc:
        raise damaged(path, f"its content does not fit its kind ({exc})") from exc


def put(
    folder: Path,
    obj: GroundState | ExcitedStates,
    *,
    wall_time_s: float = 0.0,
    extra: Mapping[str, Any] | None = None,
    replace: bool = False,
) -> Path:
    """Write the record of a calculation into `folder` (its parents must be there already); return its path."""
    ground = obj if isinstance(obj, GroundState) else obj.ground
    digest = ground_hash(ground.cluster, ground.method)
    parents: tuple[str, ...] = ()
    if isinstance(obj, GroundState):
        step, scalars, arrays = "scf", _ground_scalars(obj), _arrays_of(obj, _GROUND_ARRAYS)
        arrays["coords"] = np.asarray(obj.cluster.coords)
    else:
        parents = (digest,)
        digest = states_hash(digest, obj.method)
        step, scalars, arrays = f"{obj.spin}s", _states_scalars(obj), _arrays_of(obj, _STATES_ARRAYS)
    record = Record(
        name=ground.cluster.name,
        step=step,
        input_hash=digest,
        parents=parents,
        scalars={**scalars, **canonical(extra or {})},
        versions=versions(),
        host=host(),
        wall_time_s=wall_time_s,
    )
    return write_record(folder, record, arrays, replace=replace)


# --- objects to and from records ----------------------------------------------------------------------------


def _arrays_of(obj: object, names: Sequence[str]) -> dict[str, np.ndarray]:
    values = {name: getattr(obj, name) for name in names}
    return {name: np.asarray(value) for name, value in values.items() if value is not None}


def _ground_scalars(ground: GroundState) -> dict[str, Any]:
    cluster = {
        f.name: getattr(ground.cluster, f.name) for f in dataclasses.fields(Cluster) if f.name != "coords"
    }
    return {
        "cluster": canonical(cluster),
        "method": method_input(ground.method),
        "energy_hartree": float(ground.energy),
        "s_squared": float(ground.s_squared),
        "converged": bool(ground.converged),
        "stable": None if ground.stable is None else bool(ground.stable),
        "cycles": int(ground.cycles),
        "remarks": list(ground.remarks),
        "history": canonical(ground.history),
    }


def _ground_from(record: Record, arrays: Mapping[str, np.ndarray]) -> GroundState:
    scalars = record.scalars
    cluster = dict(scalars["cluster"])
    cluster["ions"] = tuple((tuple(atoms), charge) for atoms, charge in cluster.get("ions", ()))
    cluster["fragments"] = tuple(Fragment(f["name"], tuple(f["atoms"])) for f in cluster["fragments"])
    method = dict(scalars["method"])
    method["basis_overrides"] = tuple((a, b) for a, b in method["basis_overrides"])
    return GroundState(
        cluster=Cluster(coords=arrays["coords"], **cluster),
        method=DFTMethod(**method),
        energy=scalars["energy_hartree"],
        s_squared=scalars["s_squared"],
        converged=scalars["converged"],
        stable=scalars["stable"],
        cycles=scalars["cycles"],
        remarks=tuple(scalars["remarks"]),
        history=tuple(SCFCycle(**cycle) for cycle in scalars.get("history", ())),
        **{name: arrays[name] for name in _GROUND_ARRAYS},
    )


def _states_scalars(states: ExcitedStates) -> dict[str, Any]:
    return {
        "method": canonical(states.method),
        "approximations": list(states.approximations),
        "orbitals_sha256": _orbitals_sha256(states.ground),
        "history": canonical(states.history),
    }


def _orbitals_sha256(ground: GroundState) -> str:
    return hashlib.sha256(np.ascontiguousarray(ground.coefficients).tobytes()).hexdigest()


def _on_these_orbitals(record: Record, ground: GroundState) -> bool:
    """Records of early versions do not tell: they are believed."""
    return record.scalars.get("orbitals_sha256") in (None, _orbitals_sha256(ground))


def _states_from(ground: GroundState, record: Record, arrays: Mapping[str, np.ndarray]) -> ExcitedStates:
    return ExcitedStates(
        ground=ground,
        method=TDDFTMethod(**record.scalars["method"]),
        approximations=tuple(record.scalars["approximations"]),
        history=tuple(TDDFTCycle(**cycle) for cycle in record.scalars.get("history", ())),
        **{name: arrays.get(name) for name in _STATES_ARRAYS},  # type: ignore[arg-type]
    )
