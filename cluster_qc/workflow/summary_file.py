"""summary.json on disk: written in one step with a checksum, read with every damage told."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cluster_qc.errors import StorageError
from cluster_qc.files import read_at_most, storage_errors, write_text
from cluster_qc.hashing import canonical, canonical_json

SCHEMA_VERSION = 1
_NAME = "summary.json"
_CHECKSUM = "content_sha256"
_LARGEST_FILE = 64 * 2**20


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
    path = directory / _NAME
    if not directory.is_dir():
        what = "is a file, not a results folder" if directory.exists() else "does not exist"
        raise StorageError(f"{directory} {what}", fix="give the folder that -o of the run named")
    if not path.is_file():
        inside = sorted(directory.glob(f"*/{_NAME}"))
        raise StorageError(
            f"{directory} has no finished run: {_NAME} is missing",
            fix=f"give a folder with one, such as {inside[0].parent}"
            if inside
            else f"cluster-qc run STRUCTURE -o {directory}  (it resumes where it stopped)",
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
        raise _damaged(directory / _NAME, f"something else stands where a value is expected ({exc})") from exc


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
