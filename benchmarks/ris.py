"""The fast route against TDDFT-ris of pyscf-forge: `python benchmarks/ris.py [STRUCTURE.xyz | RECORD] [--states N]`.

Both find the same number of singlets on one ground state (PBE0/def2-SVP), full TDDFT, on the same threads, each with
its integrals; both are compared, in order of energy, with the reference route in every orbital and with the whole
exchange, converged to 1e-4. TDDFT-ris (Zhou, Della Sala, Parker, J. Phys. Chem. Lett. 14, 1968 (2023),
10.1021/acs.jpclett.2c03698) runs with its authors' settings, its defaults: one s and one p function an atom for J, one
s for K, exchange among orbitals within 40 eV, single precision, residual 1e-3. It has no triplets. RECORD is the folder
of a stored ground state.
"""

from __future__ import annotations

import argparse
import os
import pkgutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from fast_route import FWHM, METHOD, overlap
from stored import ground_state

import cluster_qc as cqc
from cluster_qc.drivers import ecp, transition
from cluster_qc.drivers.mole import build_mole
from cluster_qc.provenance import host, version, versions
from cluster_qc.units import electronvolt, rotatory_strength_cgs

PEER = """there is no pyscf.tdscf.ris; it comes with `pip install pyscf-forge`. It is pure Python: where the rest of
that package does not compile, its source will do:

    pip install "setuptools<81" wheel
    pip download --no-deps --no-build-isolation --no-binary :all: pyscf-forge
    tar xzf pyscf_forge-*.tar.gz
    export PYSCF_EXT_PATH=$(echo $PWD/pyscf_forge-*/)"""


def load_peer() -> Any:
    """The module pyscf.tdscf.ris, installed or on PYSCF_EXT_PATH."""
    from pyscf import tdscf

    tdscf.__path__ = pkgutil.extend_path(tdscf.__path__, tdscf.__name__)  # PySCF extends its top level only
    try:
        from pyscf.tdscf import ris
    except ImportError:
        raise SystemExit(PEER) from None
    return ris


def peer_name(ris: Any) -> str:
    """Its version, or the folder it was found in."""
    installed = version("pyscf-forge")
    return f"pyscf-forge {Path(ris.__file__).parents[2].name if installed == 'not installed' else installed}"


def peer_states(ris: Any, reference: cqc.ExcitedStates) -> cqc.ExcitedStates:
    """As many states by TDDFT-ris; their moments by our operators, so that R differs by the amplitudes alone."""
    from pyscf import dft

    ground = reference.ground
    mole = build_mole(ground.cluster, ground.method)
    mf: Any = dft.RKS(mole, xc=ground.method.functional)
    mf.mo_coeff, mf.mo_energy = ground.coefficients[0], ground.orbital_energies[0]
    mf.mo_occ = np.where(np.arange(len(mf.mo_energy)) < ground.nocc, 2.0, 0.0)
    mf.e_tot, mf.converged = ground.energy, True
    solver = ris.TDDFT(mf, nstates=len(reference), citation=False)
    energies_ev, *amplitudes = solver.kernel()[:3]
    x, y = (part.reshape(reference.x.shape).astype(float) / np.sqrt(2.0) for part in amplitudes)
    orbitals = mf.mo_coeff[:, : ground.nocc], mf.mo_coeff[:, ground.nocc :]
    origin, potentials = reference.gauge_origin, ecp.commutators(mole)
    return replace(
        reference,
        excitation_energies=np.asarray(energies_ev, dtype=float) * electronvolt,
        converged=np.asarray(solver.converged, dtype=bool),
        x=x,
        y=y,
        electric=transition.electric_dipoles(mole, *orbitals, x, y),
        velocity=transition.velocity_dipoles(mole, *orbitals, x, y, potentials),
        magnetic=transition.magnetic_dipoles(mole, *orbitals, x, y, origin, potentials),
    )


def timed(name: str, work: Callable[[], cqc.ExcitedStates]) -> tuple[cqc.ExcitedStates, np.ndarray]:
    """States, and the seconds they took by the clock and of the processor; told when they are there."""
    begin = np.array([time.perf_counter(), time.process_time()])
    states = work()
    seconds = np.array([time.perf_counter(), time.process_time()]) - begin
    print(
        f"{name}: {seconds[0]:.1f} s, of the processor {seconds[1]:.1f} s; load {os.getloadavg()[0]:.1f}; "
        f"converged {states.converged.sum()} of {len(states)}",
        flush=True,
    )
    return states, seconds


def compare(name: str, states: cqc.ExcitedStates, reference: cqc.ExcitedStates) -> float:
    """Print the errors; mean error of the energies, meV."""
    error = 1000 * np.abs(states.excitation_energies - reference.excitation_energies) / electronvolt
    curves = [cqc.simulate_cd(each, fwhm=FWHM) for each in (reference, states)]
    strengths = [cqc.rotatory_strengths(each) / rotatory_strength_cgs for each in (reference, states)]
    print(
        f"{name}: energies off by {error.mean():.2f} meV on average, {error.max():.2f} at most; overlap of the CD "
        f"curves (FWHM 0.3 eV) {overlap(*curves):.4f}; R off by {np.abs(strengths[1] - strengths[0]).max():.1f} at "
        f"most of {np.abs(strengths[0]).max():.1f} (1e-40 cgs)"
    )
    return float(error.mean())


def main() -> None:
    """Run the three, compare, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    default = Path(__file__).parents[1] / "structures" / "cu2au2_tfa.xyz"
    parser.add_argument("structure", nargs="?", type=Path, default=default)
    parser.add_argument("--states", type=int, default=20)
    options = parser.parse_args()
    ris = load_peer()
    print(f"{host()}; {versions()}; {peer_name(ris)}")
    ground, seconds = ground_state(options.structure, cqc.DFTMethod("pbe0", grid_level=2, conv_tol=1e-8))
    fast = replace(METHOD, nstates=options.states, route="fast")
    truth = cqc.TDDFTMethod(nstates=options.states, tolerance=1e-4)
    print(f"{ground.cluster.formula}, {ground.cluster.natom} atoms, PBE0/def2-SVP, {options.states} singlets")
    print(f"ours {fast}\nreference {truth}\nground state {seconds}", flush=True)
    reference, _ = timed("reference", lambda: cqc.run_tddft(ground, truth))
    theirs, their_seconds = timed("TDDFT-ris", lambda: peer_states(ris, reference))
    ours, our_seconds = timed("ours", lambda: cqc.run_tddft(ground, fast))
    their_error = compare("TDDFT-ris", theirs, reference)
    our_error = compare("ours", ours, reference)
    clock, processor = our_seconds / their_seconds
    print(
        f"ours takes {clock:.2f} times the time, of the processor {processor:.2f} times (moved less "
        f"by other work); its mean error is {their_error / our_error:.1f} times smaller"
    )


if __name__ == "__main__":
    main()
