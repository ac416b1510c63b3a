"""The fast route against the reference route: `python benchmarks/fast_route.py [STRUCTURE.xyz | RECORD] [--states N]`.

The same ground state, orbital window and tensors for both, so that the difference is that of the route alone. RECORD is
the folder of a stored ground state.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from stored import ground_state

import cluster_qc as cqc
from cluster_qc.drivers.tddft import response_tensors
from cluster_qc.provenance import host, versions
from cluster_qc.units import electronvolt, rotatory_strength_cgs

METHOD = cqc.TDDFTMethod(
    nstates=1, frozen_below=-2.0, virtual_above=1.5, exchange_rank=0.15, grid_level=1, tolerance=1e-3
)
FWHM = 0.3 * electronvolt


def overlap(one: cqc.Spectrum, other: cqc.Spectrum) -> float:
    """Cosine of the angle between two curves on one grid."""
    a, b = one.values, np.interp(one.energies, other.energies, other.values)
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def main() -> None:
    """Run both, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(__file__).parents[1] / "structures" / "cu2au2_tfa.xyz"
    parser.add_argument("structure", nargs="?", type=Path, default=default)
    parser.add_argument("--states", type=int, default=100)
    options = parser.parse_args()
    print(f"{host()}; {versions()}")
    ground, seconds = ground_state(options.structure, cqc.DFTMethod("pbe0", grid_level=2, conv_tol=1e-7))
    cluster = ground.cluster
    print(f"{cluster.formula}, {cluster.natom} atoms, PBE0/def2-SVP, {options.states} singlets; {METHOD}")
    print(f"ground state {seconds}", flush=True)
    begin = time.perf_counter()
    tensors = response_tensors(ground, METHOD)
    print(f"tensors {time.perf_counter() - begin:.0f} s", flush=True)
    found = {}
    for route in ("fast", "reference"):
        begin = time.perf_counter()
        method = replace(METHOD, nstates=options.states, route=route)
        found[route] = cqc.run_tddft(ground, method, tensors=tensors)
        print(
            f"{route} {time.perf_counter() - begin:.0f} s, converged {found[route].converged.all()}",
            flush=True,
        )
    fast, reference = found["fast"], found["reference"]
    deviation = 1000 * np.abs(fast.excitation_energies - reference.excitation_energies) / electronvolt
    print(f"deviation of energies: mean {deviation.mean():.2f}, largest {deviation.max():.2f} meV")
    print(
        f"outside its error estimate: {int((deviation / 1000 * electronvolt > fast.error_estimates).sum())}"
    )
    curves = [cqc.simulate_cd(states, fwhm=FWHM) for states in (reference, fast)]
    print(f"overlap of the CD curves (FWHM 0.3 eV): {overlap(*curves):.4f}")
    strengths = [cqc.rotatory_strengths(states) / rotatory_strength_cgs for states in (reference, fast)]
    print(
        f"largest R {np.abs(strengths[0]).max():.1f}, largest change {np.abs(strengths[0] - strengths[1]).max():.1f}"
    )


if __name__ == "__main__":
    main()
