"""Excited states against plain PySCF: `python benchmarks/tddft.py [STRUCTURE.xyz | RECORD] [--states N]`.

One ground state (PBE0/def2-SVP, density fitting with def2-universal-jkfit) serves both sides; the same residual
threshold (1e-3), full TDDFT, singlets and triplets. PySCF runs in its best BLAS setting (see cluster_qc.drivers.blas),
on the same threads. With fewer states for the peer (`--peer-states K`) its time a state is multiplied up, and the line
says so; `--peer-spins` leaves out one of the peer's two spins, and the ratio is then of the other. RECORD is the folder
of a stored ground state.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from stored import ground_state

import cluster_qc as cqc
from cluster_qc.drivers import ecp, transition
from cluster_qc.drivers.mole import build_mole
from cluster_qc.drivers.tddft import response_tensors
from cluster_qc.provenance import host, versions
from cluster_qc.units import electronvolt, rotatory_strength_cgs

WINDOW = {"frozen_below": -2.0, "virtual_above": 1.5, "exchange_rank": 0.15, "grid_level": 1}
TOLERANCE = 1e-3


def peer_states(ground: Any, spin: str, count: int) -> tuple[np.ndarray, np.ndarray | None, float]:
    """Energies (eV), rotatory strengths (1e-40 cgs, singlets) and seconds of PySCF."""
    from pyscf import dft, tdscf

    mole = build_mole(ground.cluster, ground.method)
    mf = dft.RKS(mole, xc=ground.method.functional).density_fit(auxbasis=ground.method.auxiliary_basis)
    mf.grids.level = ground.method.grid_level
    mf.mo_coeff, mf.mo_energy = ground.coefficients[0], ground.orbital_energies[0]
    mf.mo_occ = np.where(np.arange(len(mf.mo_energy)) < ground.nocc, 2.0, 0.0)
    mf.e_tot, mf.converged = ground.energy, True
    mf.max_memory = 14000
    begin = time.perf_counter()
    solver = tdscf.TDDFT(mf)
    solver.singlet = spin == "singlet"
    solver.nstates = count
    solver.conv_tol = TOLERANCE
    energies = solver.kernel()[0]
    seconds = time.perf_counter() - begin
    if spin == "triplet":
        return energies / electronvolt, None, seconds
    x = np.array([xy[0] for xy in solver.xy])
    y = np.array([xy[1] for xy in solver.xy])
    orbitals = mf.mo_coeff[:, : ground.nocc], mf.mo_coeff[:, ground.nocc :]
    origin = transition.charge_centre(mole)
    electric = transition.electric_dipoles(mole, *orbitals, x, y)
    magnetic = transition.magnetic_dipoles(mole, *orbitals, x, y, origin, ecp.commutators(mole))
    strengths = np.einsum("nk,nk->n", electric, magnetic) / rotatory_strength_cgs
    return energies / electronvolt, strengths, seconds


def main() -> None:
    """Run both, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(__file__).parents[1] / "structures" / "cu2au2_tfa.xyz"
    parser.add_argument("structure", nargs="?", type=Path, default=default)
    parser.add_argument("--states", type=int, default=40, help="singlets, and as many triplets")
    parser.add_argument("--peer-states", type=int, default=4)
    parser.add_argument(
        "--peer-spins", nargs="+", choices=("singlet", "triplet"), default=["singlet", "triplet"]
    )
    options = parser.parse_args()
    print(f"{host()}; {versions()}")
    ground, seconds = ground_state(options.structure, cqc.DFTMethod("pbe0", grid_level=2, conv_tol=1e-8))
    print(
        f"{ground.cluster.formula}, {ground.cluster.natom} atoms, PBE0/def2-SVP, residual {TOLERANCE:g}, "
        f"{options.states} singlets and {options.states} triplets; ours with {WINDOW}"
    )
    print(f"ground state {seconds}, shared", flush=True)
    method = cqc.TDDFTMethod(nstates=options.states, tolerance=TOLERANCE, **WINDOW)
    begin = time.perf_counter()
    tensors = response_tensors(ground, method)
    tensor_seconds = time.perf_counter() - begin
    print(f"ours: tensors with the integrals {tensor_seconds:.0f} s, for both spins", flush=True)
    total, peer_total = 0.0, 0.0
    for spin in ("singlet", "triplet"):
        begin = time.perf_counter()
        states = cqc.run_tddft(
            ground,
            cqc.TDDFTMethod(nstates=options.states, spin=spin, tolerance=TOLERANCE, **WINDOW),
            tensors=tensors,
        )
        seconds = time.perf_counter() - begin
        print(
            f"ours: {options.states} {spin}s {seconds:.0f} s, all converged: {states.converged.all()}",
            flush=True,
        )
        if spin not in options.peer_spins:
            continue
        total += seconds
        energies, strengths, seconds = peer_states(ground, spin, options.peer_states)
        scaled = seconds * options.states / options.peer_states
        peer_total += scaled
        print(
            f"PySCF: {options.peer_states} {spin}s {seconds:.0f} s"
            + (
                f", times {options.states / options.peer_states:g}: {scaled:.0f} s"
                if scaled != seconds
                else ""
            )
        )
        n = min(options.peer_states, options.states)
        deviation = 1000 * np.abs(states.excitation_energies[:n] / electronvolt - energies[:n])
        print(f"  deviation of energies: mean {deviation.mean():.2f}, largest {deviation.max():.2f} meV")
        if strengths is not None:
            ours = cqc.rotatory_strengths(states)[:n] / rotatory_strength_cgs
            change = np.abs(ours - strengths[:n])
            print(
                f"  deviation of R: largest {change.max():.2f} of {np.abs(strengths).max():.1f} 1e-40 cgs",
                flush=True,
            )
    total += tensor_seconds  # for one spin, if the peer ran one, as for both
    print(
        f"{' and '.join(options.peer_spins)}s: ours {total:.0f} s, PySCF {peer_total:.0f} s: "
        f"{peer_total / total:.1f} times faster"
    )


if __name__ == "__main__":
    main()
