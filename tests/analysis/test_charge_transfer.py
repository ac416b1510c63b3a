from dataclasses import replace

import numpy as np
import pytest

from cluster_qc.analysis.charge_transfer import (
    character_label,
    charge_transfer_numbers,
    transition_character,
)
from cluster_qc.analysis.fragments import orbital_shares
from cluster_qc.errors import InputError, NotConvergedError
from cluster_qc.model import NaturalTransitionOrbitals


def test_margins_are_the_weighted_shares_of_the_ntos(fabricate):
    ground = fabricate.ground_state()
    ntos = fabricate.natural_orbitals(ground)
    found = transition_character(ground, ntos)
    for part, orbitals in ((found.hole, ntos.hole), (found.electron, ntos.electron)):
        expected = orbital_shares(ground, orbitals, ntos.weights)
        assert part.fragments == pytest.approx(expected.fragments, abs=1e-12)
        assert part.elements == pytest.approx(expected.elements, abs=1e-12)


def test_components_sum_to_one_and_balance(fabricate):
    ground = fabricate.ground_state()
    found = transition_character(ground, fabricate.natural_orbitals(ground))
    assert found.mlct + found.lmct + found.mc + found.lc == pytest.approx(1.0, abs=1e-12)
    assert found.net_metal_to_ligand == pytest.approx(found.hole.metal - found.electron.metal, abs=1e-12)
    assert found.numbers.sum() == pytest.approx(1.0, abs=1e-12)
    assert found.fragments == ("core", "donors", "backbone", "rest")


def test_swapping_hole_and_electron_transposes(fabricate):
    ground = fabricate.ground_state()
    ntos = fabricate.natural_orbitals(ground)
    swapped = NaturalTransitionOrbitals("S1", ntos.energy, ntos.weights, ntos.electron, ntos.hole, 0.5)
    np.testing.assert_allclose(
        charge_transfer_numbers(ground, swapped), charge_transfer_numbers(ground, ntos).T, atol=1e-12
    )


def test_the_scale_of_the_weights_does_not_matter(fabricate):
    ground = fabricate.ground_state()
    one, other = (fabricate.natural_orbitals(ground, weights=w) for w in ((0.5, 0.3), (0.75, 0.45)))
    assert transition_character(ground, one).mlct == pytest.approx(transition_character(ground, other).mlct)


@pytest.mark.parametrize(
    ("shares", "label"),
    [
        ((0.8, 0.0, 0.1, 0.1), "MLCT"),
        ((0.0, 0.7, 0.2, 0.1), "LMCT"),
        ((0.1, 0.1, 0.7, 0.1), "MC"),
        ((0.0, 0.0, 0.0, 1.0), "LC"),
        ((0.35, 0.05, 0.1, 0.5), "LC/MLCT"),
        ((0.45, 0.05, 0.1, 0.4), "MLCT/LC"),
        ((0.25, 0.25, 0.25, 0.25), "delocalised"),
        ((0.26, 0.24, 0.20, 0.30), "delocalised"),
        ((0.50, 0.25, 0.10, 0.15), "MLCT"),
        ((0.15, 0.15, 0.35, 0.35), "MC/LC"),
        ((0.40, 0.35, 0.15, 0.10), "delocalised"),
        ((0.24, 0.05, 0.11, 0.60), "LC"),
    ],
)
def test_label_says_no_more_than_the_shares(shares, label):
    assert character_label(*shares) == label


def test_unconverged_state_is_refused_unless_asked_for(fabricate):
    ground = fabricate.ground_state()
    ntos = fabricate.natural_orbitals(ground, converged=False)
    with pytest.raises(NotConvergedError, match="S1 did not converge"):
        transition_character(ground, ntos)
    assert transition_character(ground, ntos, allow_unconverged=True).label


def test_a_molecule_without_metals_has_no_label(fabricate):
    ground = fabricate.ground_state()
    cluster = replace(ground.cluster, symbols=("O", "O", "S", "N", "C", "H"))
    found = transition_character(replace(ground, cluster=cluster), fabricate.natural_orbitals(ground))
    assert found.label is None
    assert found.lc == pytest.approx(1.0)


def test_empty_excitation_and_foreign_basis_are_refused(fabricate):
    ground = fabricate.ground_state()
    with pytest.raises(InputError, match="sum to zero"):
        charge_transfer_numbers(ground, fabricate.natural_orbitals(ground, weights=(0.0,)))
    foreign = NaturalTransitionOrbitals("S1", 0.1, np.ones(1), np.ones((4, 1)), np.ones((4, 1)), 0.5)
    with pytest.raises(InputError, match="4 AOs"):
        charge_transfer_numbers(ground, foreign)


def test_formaldehyde_dimer_against_theodore():
    """Charge-transfer share of the lowest states, full TDDFT PBE/6-31G* Cartesian, from TheoDORE on Gaussian 09.

    Numbers: felixplasser/theodore-qc, EXAMPLES/fa2.cclib, commit d1a8b90717ceebb46ad6e414534b6830da53ac08; its
    Mulliken-like and the Loewdin definition agree to 0.001 here.
    """
    from pyscf import dft, gto, tdscf

    from cluster_qc.model import Cluster, DFTMethod, Fragment, GroundState
    from cluster_qc.units import angstrom

    rows = [
        (element, (side * 1.75, y, z))
        for element, y, z in (
            ("C", 0, 0.59225),
            ("O", 0, -0.59537),
            ("H", 0.9249, 1.17073),
            ("H", -0.9249, 1.17073),
        )
        for side in (1, -1)
    ]
    mole = gto.M(atom=rows, basis="6-31g*", cart=True, verbose=0)
    mf = dft.RKS(mole, xc="pbe").density_fit()
    mf.grids.level = 1
    mf.run(conv_tol=1e-9)
    td = tdscf.TDDFT(mf)
    td.nstates = 2
    td.conv_tol = 1e-4
    td.kernel()
    fragments = (Fragment("left", (0, 2, 4, 6)), Fragment("right", (1, 3, 5, 7)))
    cluster = Cluster(
        "fa2", [r[0] for r in rows], np.array([r[1] for r in rows]) * angstrom, fragments=fragments
    )
    slices = mole.aoslice_by_atom()[:, 2:]
    ground = GroundState(
        cluster, DFTMethod("pbe", "6-31g*", cartesian=True), mf.e_tot, mf.mo_energy[None], mf.mo_coeff[None],
        mf.mo_occ[None], mf.get_ovlp(), np.repeat(np.arange(8), slices[:, 1] - slices[:, 0]), np.zeros(8),
        mf.dip_moment(verbose=0), 0.0, True,
    )  # fmt: skip
    occupied, empty = mf.mo_coeff[:, mf.mo_occ > 0], mf.mo_coeff[:, mf.mo_occ == 0]
    found = []
    for x, _ in td.xy:
        u, s, vt = np.linalg.svd(np.sqrt(2) * x, full_matrices=False)
        ntos = NaturalTransitionOrbitals("S1", 0.1, s**2, occupied @ u, empty @ vt.T, 0.5)
        numbers = transition_character(ground, ntos).numbers
        found.append(numbers[0, 1] + numbers[1, 0])
    assert found == pytest.approx([0.69807, 0.73703], abs=0.005)
