"""The ground state against plain PySCF: `python benchmarks/scf.py [STRUCTURE.xyz] [--peer df cosx direct]`.

PBE0/def2-SVP to 1e-7 hartree on grid level 2, the same fitting basis (def2-universal-jkfit), the same threads, PySCF in
its best BLAS setting (see cluster_qc.drivers.blas). "df" keeps PySCF's tensor in memory where it fits, "cosx" is its
semi-numerical exchange, "direct" needs no fit and so gives another energy.

`--run FOLDER` takes our side from a finished `cluster-qc run` of that structure by the standard preset on this machine;
`--peer-cycles N` ends the peer after N cycles and takes as many as ours at the median time, and the line says so.
"""

from __future__ import annotations

import argparse
import json
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


def peer(cluster: cqc.Cluster, kind: str, cycles: int) -> tuple[Any, list[float]]:
    """PySCF's mean field, and its seconds at the end of each cycle and of all."""
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
    mf.max_cycle = cycles
    mf.chkfile = None
    times: list[float] = []
    mf.callback = lambda _: times.append(time.perf_counter() - begin)
    mf.kernel()
    return mf, [*times, time.perf_counter() - begin]


def ours(cluster: cqc.Cluster, folder: Path | None) -> tuple[cqc.GroundState, float]:
    """Our ground state and its seconds, computed or from a finished run."""
    if folder is None:
        begin = time.perf_counter()
        return cqc.run_scf(cluster, METHOD), time.perf_counter() - begin
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    ground = cqc.load(folder / summary["provenance"]["records"]["scf"])
    assert isinstance(ground, cqc.GroundState)
    if ground.method != METHOD or ground.cluster.symbols != cluster.symbols:
        raise SystemExit(f"{folder} holds another calculation: {ground.method}")
    return ground, summary["timings_s"]["scf"]


def main() -> None:
    """Run both, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(__file__).parents[1] / "structures" / "cu2au2_tfa.xyz"
    parser.add_argument("structure", nargs="?", type=Path, default=default)
    parser.add_argument("--peer", nargs="+", choices=("df", "cosx", "direct"), default=["df"])
    parser.add_argument("--peer-cycles", type=int)
    parser.add_argument("--run", type=Path, help="results folder of our side")
    options = parser.parse_args()
    cluster = cqc.read_xyz(options.structure)
    print(f"{host()}; {versions()}")
    print(f"{cluster.formula}, {cluster.natom} atoms, {METHOD}")
    ground, seconds = ours(cluster, options.run)
    print(
        f"ours {seconds:.0f} s{', from ' + str(options.run) if options.run else ''}, {ground.cycles} cycles, "
        f"converged {ground.converged}, {ground.energy:.7f} hartree",
        flush=True,
    )
    for kind in options.peer:
        mf, times = peer(cluster, kind, options.peer_cycles or 100)
        if not mf.converged:
            cycle = float(np.median(np.diff(times)))
            whole = times[0] + (ground.cycles - 1) * cycle
            print(
                f"PySCF {kind}: not converged in {mf.cycles} cycles; {times[0]:.0f} s to the end of the first, then "
                f"{cycle:.0f} s each; with as many as ours {whole:.0f} s, {whole / seconds:.1f} times ours",
                flush=True,
            )
            continue
        peer_seconds = times[-1]
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
