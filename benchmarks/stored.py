"""A ground state for a benchmark: computed, or read from a record."""

from __future__ import annotations

import time
from pathlib import Path

import cluster_qc as cqc


def ground_state(path: Path, method: cqc.DFTMethod) -> tuple[cqc.GroundState, str]:
    """Of a structure file, by `method`, or of a record folder; and how long it took, in words."""
    if path.is_dir():
        stored = cqc.load(path)
        return stored if isinstance(stored, cqc.GroundState) else stored.ground, "from a record"
    begin = time.perf_counter()
    ground = cqc.run_scf(cqc.read_xyz(path), method)
    return ground, f"{time.perf_counter() - begin:.0f} s"
