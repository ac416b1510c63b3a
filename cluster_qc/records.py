"""Record folders: one for each finished calculation, whole or absent, checked when read.

A record is a folder `RESULTS/<name>/<step>-<hash8>/` with two files. `record.json` holds scalars (units in their
keys), the input hash, the parents' hashes and the provenance; `arrays.npz` holds the arrays, never pickled. Both
carry a SHA-256 that is checked on reading. A record is written to a temporary sibling folder, flushed to the
disk and renamed, so that a reader, or a run after a power cut, sees all of it or nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cluster_qc.errors import StorageError
from cluster_qc.files import sha256, storage_errors, sync_directory, temporary_prefix, umask
from cluster_qc.hashing import canonical, canonical_json
from cluster_qc.model import Record
from cluster_qc.model.record import SCHEMA_VERSION

_RECORD = "record.json"
_ARRAYS = "arrays.npz"


def record_path(folder: Path, step: str, digest: str) -> Path:
    """Where a record of this step and input hash lies."""
    return folder / f"{step}-{digest[:8]}"


def write_record(
    folder: Path, record: Record, arrays: Mapping[str, np.ndarray], *, replace: bool = False
) -> Path:
    """Write a record atomically and return its folder; an existing record of the same input wins unless `replace`."""
    target = record_path(folder, record.step, record.input_hash)
    if target.is_dir() and not replace:
        matching_record(target, record.input_hash)
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
                    matching_record(
                        target, record.input_hash
                    )  # another writer was faster with the same input
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
            raise damaged(path, "it is missing", _ARRAYS)
        if sha256(path / _ARRAYS) != digest:
            raise damaged(path, "its checksum differs from the one noted when it was written", _ARRAYS)
        try:
            with np.load(path / _ARRAYS, allow_pickle=False) as stored:
                return record, {name: stored[name] for name in stored.files}
        except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as exc:
            raise damaged(path, f"it cannot be read ({exc})", _ARRAYS) from exc


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
            raise damaged(path, "its checksum differs from the one noted when it was written")
        arrays_digest = str(content.pop("arrays_sha256"))
        content["parents"] = tuple(content["parents"])
        return Record(**content), arrays_digest
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        raise damaged(path, f"it cannot be read ({exc})") from exc


def damaged(path: Path, what: str, file: str = _RECORD) -> StorageError:
    """The error about a file of the record at `path` that is not what was written."""
    return StorageError(
        f"{path / file} is damaged: {what}",
        why="a result that changed on the disk cannot be trusted",
        fix=f"delete the folder {path} and run the same command again; it is then computed anew",
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


def matching_record(path: Path, digest: str) -> Record:
    """The record at `path`, its arrays unread.

    Raises
    ------
    StorageError
        If it is of another input than that of this hash, or as `read_record`.
    """
    record, _ = _read_json(path)
    if record.input_hash != digest:
        raise StorageError(
            f"{path} belongs to another input ({record.input_hash[:16]}..., expected {digest[:16]}...)",
            why="the folder was renamed, or two inputs share eight hexadecimal digits of their hashes",
            fix=f"delete {path}, or use another results folder",
        )
    return record
