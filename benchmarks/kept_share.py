"""Error of compressed exchange by the share kept: `python benchmarks/kept_share.py [STRUCTURE | RECORD]...`.

Singlets in every orbital with the whole exchange are the reference. Each line keeps another share of the auxiliary
functions (`exchange_rank`); its error of the energies is taken to first order, as the expectation value, in the states
of the reference, of what is left out. A structure is an XYZ file or a SMILES string (RDKit's geometry, which does for
this purpose), RECORD the folder of a stored ground state.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from stored import ground_state

import cluster_qc as cqc
from cluster_qc.drivers.integrals import TensorCache
from cluster_qc.drivers.mole import build_mole
from cluster_qc.drivers.tddft import response_tensors
from cluster_qc.drivers.tddft.driver import ResponseSpace
from cluster_qc.drivers.tddft.operator import _exchange_crossed, _exchange_direct
from cluster_qc.provenance import host, versions
from cluster_qc.units import angstrom, electronvolt

SHARES = (0.1, 0.15, 0.2, 0.25, 0.4, 0.6)


def exchange_energies(space: ResponseSpace, states: cqc.ExcitedStates) -> np.ndarray:
    """What exact exchange contributes to each excitation energy, hartree."""
    u, v = ((states.x + sign * states.y).astype(np.float32) for sign in (1, -1))
    total = np.zeros(len(states))
    for share, tensors in space.exchange:
        for sign, z in ((1, u), (-1, v)):
            product = _exchange_direct(tensors.exchange, z) + sign * _exchange_crossed(tensors.exchange, z)
            total -= share * np.einsum("nia,nia->n", z, product, dtype=float)
    return total


def from_smiles(smiles: str) -> cqc.Cluster:
    """A molecule with RDKit's geometry."""
    from rdkit import Chem
    from rdkit.Chem import AllChem

    molecule = Chem.AddHs(Chem.MolFromSmiles(smiles))
    AllChem.EmbedMolecule(molecule, randomSeed=7)
    AllChem.UFFOptimizeMolecule(molecule, maxIters=2000)
    coords = molecule.GetConformer().GetPositions() * angstrom
    return cqc.Cluster(name=smiles, symbols=tuple(a.GetSymbol() for a in molecule.GetAtoms()), coords=coords)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    default = str(Path(__file__).parents[1] / "structures" / "cu2au2_tfa.xyz")
    parser.add_argument("structures", nargs="*", default=[default])
    parser.add_argument("--functional", default="pbe0")
    parser.add_argument("--states", type=int, default=15)
    options = parser.parse_args()
    print(f"{host()}; {versions()}")
    method = cqc.DFTMethod(options.functional, grid_level=2, conv_tol=1e-8)
    for given in options.structures:
        begin = time.perf_counter()
        if Path(given).exists():
            ground, _ = ground_state(Path(given), method)
        else:
            ground = cqc.run_scf(from_smiles(given), method)
        mole = build_mole(ground.cluster, ground.method)
        cache = TensorCache(mole, ground.method, None, lambda fraction, line: None)
        whole = cqc.TDDFTMethod(nstates=options.states, tolerance=1e-3, grid_level=1)
        space = response_tensors(ground, whole, integrals=cache)
        states = cqc.run_tddft(ground, whole, tensors=space)
        exact = exchange_energies(space, states)
        print(
            f"{ground.cluster.formula}, {ground.cluster.natom} atoms, {ground.method.functional}/{ground.method.basis},"
            f" {options.states} singlets up to {states.excitation_energies[-1] / electronvolt:.1f} eV "
            f"({time.perf_counter() - begin:.0f} s): share kept, mean and largest error in meV",
            flush=True,
        )
        for share in SHARES:
            part = response_tensors(ground, replace(whole, exchange_rank=share), integrals=cache)
            error = 1000 * np.abs(exchange_energies(part, states) - exact) / electronvolt
            print(f"  {share:4.2f} {error.mean():7.3f} {error.max():7.3f}", flush=True)


if __name__ == "__main__":
    main()
