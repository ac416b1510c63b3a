"""The ground state against plain PySCF: `python benchmarks/scf.py [STRUCTURE.xyz] [--peer df cosx direct]`.

PBE0/def2-SVP to 1e-7 hartree on grid level 2, the same fitting basis (def2-universal-jkfit), the same threads, PySCF in
its best BLAS setting (see cluster_qc.drivers.blas). "df" keeps PySCF's tensor in memory where it fits, "cosx" is its
semi-numerical exchange, "direct" needs no fit and so gives another energy.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np

import cluster_qc as cqc
from cluster_qc.drivers.memory import available_bytes
from cluster_qc.drivers.mole import build_mole
from cluster_qc.provenance import host, versions
from cluster_qc.units import electronvolt

METHOD = cqc.DFTMethod("pbe0", basis="def2-svp", grid_level=2, conv_tol=1e-7)


def peer(cluster: cqc.Cluster, kind: str) -> tuple[Any, float]:
    """PySCF's mean field, converged, and its seconds."""
    from pyscf import dft, sgx

    begin = time.perf_counter()
    mole = build_mole(cluster, METHOD)
    mole.max_memory = int(0.8 * available_bytes() / 1e6)
    mf = dft.RKS(mole, xc=METHOD.functional)
    if kind == "df":
        mf = mf.density_fit(auxbasis=METHOD.auxiliary_basis)
    elif kind == "cosx":
        mf = sgx.sgx_fit(mf, auxbasis=METHOD.auxiliary_basis)
    mf.grids.level = METHOD.grid_level
    mf.conv_tol = METHOD.conv_tol
    mf.max_cycle = 100
    mf.chkfile = None
    mf.kernel()
    return mf, time.perf_counter() - begin


def main() -> None:
    """Run both, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(__file__).parents[1] / "structures" / "cu2au2_tfa.xyz"
    parser.add_argument("structure", nargs="?", type=Path, default=default)
    parser.add_argument("--peer", nargs="+", choices=("df", "cosx", "direct"), default=["df"])
    options = parser.parse_args()
    cluster = cqc.read_xyz(options.structure)
    print(f"{host()}; {versions()}")
    print(f"{cluster.formula}, {cluster.natom} atoms, {METHOD}")
    begin = time.perf_counter()
    ground = cqc.run_scf(cluster, METHOD)
    seconds = time.perf_counter() - begin
    print(
        f"ours {seconds:.0f} s, {ground.cycles} cycles, converged {ground.converged}, {ground.energy:.7f} hartree",
        flush=True,
    )
    for kind in options.peer:
        mf, peer_seconds = peer(cluster, kind)
        difference = (ground.energy - mf.e_tot) / cluster.natom
        levels = 1000 * np.abs(ground.orbital_energies[0] - mf.mo_energy)[: ground.nocc + 20] / electronvolt
        print(
            f"PySCF {kind} {peer_seconds:.0f} s, {mf.cycles} cycles, converged {mf.converged}: "
            f"{peer_seconds / seconds:.1f} times ours; energy differs by {difference:.1e} hartree an atom, "
            f"occupied and 20 virtual levels by at most {levels.max():.2f} meV",
            flush=True,
        )


if __name__ == "__main__":
    main()
