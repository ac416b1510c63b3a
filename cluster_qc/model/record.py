"""One stored calculation and its provenance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Record:
    """What a record folder's record.json says; the arrays lie beside it."""

    name: str
    """The job, e.g. "cu2au2_r_btt"."""
    step: str
    """The step, e.g. "scf", "singlets"."""
    input_hash: str
    """SHA-256 of the canonical input and the parents' hashes, hexadecimal."""
    parents: tuple[str, ...]
    scalars: Mapping[str, Any]
    """JSON values, units in their keys."""
    versions: Mapping[str, str] = field(default_factory=dict)
    host: str = ""
    wall_time_s: float = 0.0
    schema_version: int = SCHEMA_VERSION
