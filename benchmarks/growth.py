"""How time grows with the cluster: `python benchmarks/growth.py [STRUCTURE.xyz ...] [--states N]`.

Ground state (PBE0/def2-SVP, 1e-7 hartree), response tensors, and N singlets by the fast route in the window of the
standard preset, for clusters of the same core with larger and larger ligands; the exponents are those of a power of the
number of basis functions, by least squares.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

import cluster_qc as cqc
from cluster_qc.drivers.tddft import response_tensors
from cluster_qc.provenance import host, versions

STRUCTURES = Path(__file__).parents[1] / "structures"
SIZES = ("cu2au2_tfa", "cu2au2_tt", "cu2au2_r_mtt")
METHOD = cqc.DFTMethod("pbe0", basis="def2-svp", grid_level=2, conv_tol=1e-7)

Result = TypeVar("Result")


def timed(work: Callable[[], Result]) -> tuple[Result, float]:
    """What a call returns, and its seconds."""
    begin = time.perf_counter()
    result = work()
    return result, time.perf_counter() - begin


def main() -> None:
    """Run, fit, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    default = [STRUCTURES / f"{name}.xyz" for name in SIZES]
    parser.add_argument("structures", nargs="*", type=Path, default=default)
    parser.add_argument("--states", type=int, default=20)
    options = parser.parse_args()
    states = cqc.TDDFTMethod(
        nstates=options.states, frozen_below=-2.0, virtual_above=1.5, exchange_rank=0.15, grid_level=1,
        route="fast", tolerance=1e-3,
    )  # fmt: skip
    print(f"{host()}; {versions()}")
    print(f"{METHOD}; {options.states} singlets")
    sizes, times = [], []
    for path in options.structures:
        cluster = cqc.read_xyz(path)
        ground, scf = timed(lambda cluster=cluster: cqc.run_scf(cluster, METHOD))
        tensors, transformation = timed(lambda ground=ground: response_tensors(ground, states))
        _, singlets = timed(
            lambda ground=ground, tensors=tensors: cqc.run_tddft(ground, states, tensors=tensors)
        )
        sizes.append(ground.orbital_energies.shape[1])
        times.append((scf, transformation, singlets))
        print(
            f"{cluster.natom} atoms, {sizes[-1]} basis functions: ground state {scf:.0f} s in {ground.cycles} cycles, "
            f"tensors with the integrals anew {transformation:.0f} s, {options.states} singlets {singlets:.0f} s",
            flush=True,
        )
    if len(sizes) > 1:
        exponents = np.polyfit(np.log(sizes), np.log(times), 1)[0]
        print("exponents: ground state {:.1f}, tensors {:.1f}, singlets {:.1f}".format(*exponents))


if __name__ == "__main__":
    main()
