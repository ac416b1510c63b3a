"""Records on disk: one folder for each finished calculation, whole or absent, checked when read.

A record is a folder `RESULTS/<name>/<step>-<hash8>/` with two files. `record.json` holds scalars (units in their
keys), the input hash, the parents' hashes and the provenance; `arrays.npz` holds the arrays, never pickled. Both
carry a SHA-256 that is checked on reading. A record is written to a temporary sibling folder, flushed to the
disk and renamed, so that a reader, or a run after a power cut, sees all of it or nothing.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import shutil
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cluster_qc.errors import InputError, StorageError
from cluster_qc.files import sha256, storage_errors, sync_directory, temporary_prefix, umask
from cluster_qc.hashing import canonical, canonical_json, ground_hash, method_input, states_hash
from cluster_qc.model import (
    Cluster,
    DFTMethod,
    ExcitedStates,
    Fragment,
    GroundState,
    Record,
    TDDFTMethod,
)
from cluster_qc.model.record import SCHEMA_VERSION
from cluster_qc.provenance import host, versions

_RECORD = "record.json"
_ARRAYS = "arrays.npz"
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
    if not isinstance(obj, (GroundState, ExcitedStates)):
        raise InputError(f"a {type(obj).__name__} cannot be saved", fix="save a GroundState or ExcitedStates")
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
        raise _damaged(path / _RECORD, f"its content does not fit its kind ({exc})", path) from exc


# --- records of a run ---------------------------------------------------------------------------------------


def folder_name(name: str) -> str:
    """A name as that of a folder or file: letters and digits of any script, '.', '_', '-'; not hidden, not '..'."""
    return re.sub(r"[^\w.-]+", "_", name)[:_LONGEST_NAME].strip("._") or "cluster"


def record_path(folder: Path, step: str, digest: str) -> Path:
    """Where a record of this step and input hash lies."""
    return folder / f"{step}-{digest[:8]}"


def find_ground(folder: Path, cluster: Cluster, method: DFTMethod) -> tuple[GroundState, Record] | None:
    """The stored ground state of this input, carrying `cluster`'s own name and fragments, or None."""
    path = record_path(folder, "scf", ground_hash(cluster, method))
    if not path.is_dir():
        return None
    record = _matching(path, ground_hash(cluster, method))
    ground = load(path)
    if not isinstance(ground, GroundState):
        raise _damaged(path / _RECORD, "it holds no ground state", path)
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
    _matching(path, digest)
    if not _on_these_orbitals(record, ground):
        return None
    try:
        return _states_from(ground, record, arrays), record
    except (KeyError, TypeError, ValueError, InputError) as exc:
        raise _damaged(path / _RECORD, f"its content does not fit its kind ({exc})", path) from exc


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


def write_record(
    folder: Path, record: Record, arrays: Mapping[str, np.ndarray], *, replace: bool = False
) -> Path:
    """Write a record atomically and return its folder; an existing record of the same input wins unless `replace`."""
    target = record_path(folder, record.step, record.input_hash)
    if target.is_dir() and not replace:
        _matching(target, record.input_hash)
        return target
    with storage_errors(target):
        folder.mkdir(parents=True, exist_ok=True)
        prefix = temporary_prefix()
        temporary = Path(tempfile.mkdtemp(prefix=prefix, dir=folder))
        try:
            _fill(temporary, record, arrays)
            if replace and target.is_dir():
                old = Path(tempfile.mkdtemp(prefix=prefix, dir=folder))
                os.rename(target, old / "old")
                os.rename(temporary, target)
                shutil.rmtree(old, ignore_errors=True)
            else:
                try:
                    os.rename(temporary, target)
                except OSError:
                    if not target.is_dir():
                        raise
                    _matching(target, record.input_hash)  # another writer was faster with the same input
            sync_directory(folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return target


def _fill(temporary: Path, record: Record, arrays: Mapping[str, np.ndarray]) -> None:
    with open(temporary / _ARRAYS, "wb") as stream:
        np.savez(stream, allow_pickle=False, **arrays)
        stream.flush()
        os.fsync(stream.fileno())
    content: dict[str, Any] = canonical(record)
    content["arrays_sha256"] = sha256(temporary / _ARRAYS)
    content["record_sha256"] = hashlib.sha256(canonical_json(content)).hexdigest()
    with open(temporary / _RECORD, "w", encoding="utf-8") as text:
        json.dump(content, text, indent=1, sort_keys=True, allow_nan=False)
        text.write("\n")
        text.flush()
        os.fsync(text.fileno())
    os.chmod(temporary, 0o777 & ~umask())  # mkdtemp makes it private
    sync_directory(temporary)


def read_record(path: str | Path) -> tuple[Record, dict[str, np.ndarray]]:
    """Read a record folder and check it.

    Raises
    ------
    StorageError
        If a file is missing, changed since it was written, or of a newer schema.
    """
    path = Path(path)
    record, digest = _read_json(path)
    with storage_errors(path / _ARRAYS, reading=True):
        if not (path / _ARRAYS).is_file():
            raise _damaged(path / _ARRAYS, "it is missing", path)
        if sha256(path / _ARRAYS) != digest:
            raise _damaged(
                path / _ARRAYS, "its checksum differs from the one noted when it was written", path
            )
        try:
            with np.load(path / _ARRAYS, allow_pickle=False) as stored:
                return record, {name: stored[name] for name in stored.files}
        except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as exc:
            raise _damaged(path / _ARRAYS, f"it cannot be read ({exc})", path) from exc


def _read_json(path: Path) -> tuple[Record, str]:
    file = path / _RECORD
    if not file.is_file():
        found = sorted(p.parent.name for p in path.glob(f"*/{_RECORD}")) if path.is_dir() else []
        raise StorageError(
            f"{path} is not a record: it has no {_RECORD}",
            fix=f"give one of its records: {', '.join(found)}" if found else "give a record's folder",
        )
    with storage_errors(file, reading=True):
        raw = file.read_bytes()
    try:
        content = json.loads(raw)
        version = content["schema_version"]
        if isinstance(version, int):
            _check_schema(file, version)
        digest = content.pop("record_sha256")
        if hashlib.sha256(canonical_json(content)).hexdigest() != digest:
            raise _damaged(file, "its checksum differs from the one noted when it was written", path)
        arrays_digest = str(content.pop("arrays_sha256"))
        content["parents"] = tuple(content["parents"])
        return Record(**content), arrays_digest
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        raise _damaged(file, f"it cannot be read ({exc})", path) from exc


def _damaged(file: Path, what: str, record: Path) -> StorageError:
    return StorageError(
        f"{file} is damaged: {what}",
        why="a result that changed on the disk cannot be trusted",
        fix=f"delete the folder {record} and run the same command again; it is then computed anew",
    )


def refuse_newer(path: Path) -> None:
    """Refuse to replace a record that a newer version wrote; a damaged one may be replaced.

    Raises
    ------
    StorageError
        If the record at `path` is of a newer schema.
    """
    try:
        version = json.loads((path / _RECORD).read_bytes())["schema_version"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return
    if isinstance(version, int):
        _check_schema(path / _RECORD, version)


def _check_schema(file: Path, version: int) -> None:
    if version > SCHEMA_VERSION:
        raise StorageError(
            f"{file} has schema version {version}; this version of cluster_qc reads up to {SCHEMA_VERSION}",
            why="it was written by a newer cluster_qc",
            fix="update cluster_qc, or use another results folder",
        )


def _matching(path: Path, digest: str) -> Record:
    record, _ = _read_json(path)
    if record.input_hash != digest:
        raise StorageError(
            f"{path} belongs to another input ({record.input_hash[:16]}..., expected {digest[:16]}...)",
            why="the folder was renamed, or two inputs share eight hexadecimal digits of their hashes",
            fix=f"delete {path}, or use another results folder",
        )
    return record


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
        **{name: arrays[name] for name in _GROUND_ARRAYS},
    )


def _states_scalars(states: ExcitedStates) -> dict[str, Any]:
    return {
        "method": canonical(states.method),
        "approximations": list(states.approximations),
        "orbitals_sha256": _orbitals_sha256(states.ground),
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
        **{name: arrays.get(name) for name in _STATES_ARRAYS},  # type: ignore[arg-type]
    )
