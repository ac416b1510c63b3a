"""The public API against Gaussian 09 (psi4/psi4, commit 958c81a54c, tests/pytests/tdscf_reference_data.json).

Tolerances: 0.01 eV and max(0.3, 3 %) of R allow for the fitted integrals, the different grids and the printed digits.
"""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import cluster_qc as cqc
from cluster_qc.units import angstrom, electronvolt, rotatory_strength_cgs

REFERENCE = json.loads((Path(__file__).parent / "gaussian09.json").read_text(encoding="utf-8"))


@cache
def ground(molecule: str, functional: str) -> cqc.GroundState:
    atoms = REFERENCE["geometries_angstrom"][molecule]
    coords = np.array([atom[1:] for atom in atoms]) * angstrom
    cluster = cqc.Cluster(molecule, tuple(atom[0] for atom in atoms), coords)
    return cqc.run_scf(cluster, cqc.DFTMethod(functional, basis="cc-pvdz", conv_tol=1e-10))


@pytest.mark.parametrize("case", REFERENCE["cases"], ids=lambda case: case["key"])
def test_energies_and_rotatory_strengths(case):
    spin = "triplet" if case["triplet"] else "singlet"
    method = cqc.TDDFTMethod(nstates=len(case["energies_ev"]), spin=spin, tda=case["tda"], tolerance=1e-5)
    states = cqc.run_tddft(ground(case["molecule"], case["functional"]), method)
    assert states.converged.all()
    assert states.excitation_energies / electronvolt == pytest.approx(case["energies_ev"], abs=0.01)
    if case["triplet"]:
        return
    for gauge, options in (("length", {"origin": np.zeros(3)}), ("velocity", {})):
        computed = cqc.rotatory_strengths(states, gauge=gauge, **options) / rotatory_strength_cgs
        expected = np.array(case[f"rotatory_{gauge}_cgs"])
        assert np.all(np.abs(computed - expected) <= np.maximum(0.3, 0.03 * np.abs(expected)))
