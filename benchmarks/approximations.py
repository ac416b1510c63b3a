"""What each truncation of the response operator costs: `python benchmarks/approximations.py [STRUCTURE.xyz | RECORD]`.

Singlets of one ground state (PBE0/def2-SVP) with every orbital and the whole exchange are the reference; each line
changes one thing, the last all of them. RECORD is the folder of a stored ground state.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
from stored import ground_state

import cluster_qc as cqc
from cluster_qc.provenance import host, versions
from cluster_qc.units import electronvolt, rotatory_strength_cgs

NSTATES = 15
VARIANTS: dict[str, dict[str, object]] = {
    "all orbitals, whole exchange": {},
    "exchange_rank 0.15": {"exchange_rank": 0.15},
    "frozen_below -2": {"frozen_below": -2.0},
    "virtual_above 1.5": {"virtual_above": 1.5},
    "grid_level 1": {"grid_level": 1},
    "grid_level 0": {"grid_level": 0},
    "tolerance 1e-3": {"tolerance": 1e-3},
    "all of the standard preset": {
        "exchange_rank": 0.15,
        "frozen_below": -2.0,
        "virtual_above": 1.5,
        "grid_level": 1,
        "tolerance": 1e-3,
    },
}


def main() -> None:
    """Compute and print."""
    default = Path(__file__).parents[1] / "structures" / "cu2au2_tfa.xyz"
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else default
    ground, _ = ground_state(path, cqc.DFTMethod("pbe0", grid_level=2, conv_tol=1e-8))
    print(f"{host()}; {versions()}")
    print(f"{ground.cluster.formula}, {ground.cluster.natom} atoms, PBE0/def2-SVP, {NSTATES} singlets")
    reference: tuple[np.ndarray, np.ndarray] | None = None
    print(f"{'':32s} {'s':>6s} {'nocc':>5s} {'nvir':>5s}  mean, max |dE| (meV)   max |dR| (1e-40 cgs)")
    for name, changes in VARIANTS.items():
        settings: dict[str, object] = {"nstates": NSTATES, "tolerance": 1e-4} | changes
        begin = time.perf_counter()
        states = cqc.run_tddft(ground, cqc.TDDFTMethod(**settings))
        seconds = time.perf_counter() - begin
        energies = states.excitation_energies / electronvolt
        strengths = cqc.rotatory_strengths(states) / rotatory_strength_cgs
        if reference is None:
            reference = energies, strengths
        shift = np.abs(energies - reference[0]) * 1000
        change = np.abs(strengths - reference[1]).max()
        print(
            f"{name:32s} {seconds:6.1f} {len(states.occupied):5d} {len(states.virtual):5d}"
            f"  {shift.mean():6.2f} {shift.max():6.2f}          {change:8.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
