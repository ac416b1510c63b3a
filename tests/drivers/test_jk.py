"""The shortcuts on the way to a converged exchange, and that none is left at the end."""

import numpy as np
import pytest
import scipy.linalg
from pyscf import gto

from cluster_qc.drivers.integrals import TensorCache
from cluster_qc.drivers.jk import CoulombExchange
from cluster_qc.drivers.ri import RITensor
from cluster_qc.model import DFTMethod


class Orbitals:
    """Of HCl: five of the core and four of the valence filled, of one electron in the nuclear field."""

    def __init__(self):
        self.mole = gto.M(atom="H 0 0 0; Cl 0 0 1.275", basis="def2-svp", verbose=0)
        self.overlap = self.mole.intor("int1e_ovlp")
        fock = self.mole.intor("int1e_kin") + self.mole.intor("int1e_nuc")
        self.energies, self.coefficients = scipy.linalg.eigh(fock, self.overlap)
        self.energies[:9], self.energies[9:] = -0.5, 0.5
        self.energies[:5] = -10.0  # 1s, 2s, 2p of Cl

    def density(self, angle, *, of_core):
        """After filled orbitals have turned towards empty ones by `angle`."""
        turned = self.coefficients.copy()
        for i, a in [(0, 12), (3, 15)] if of_core else [(6, 10), (8, 11)]:
            turned[:, i] = np.cos(angle) * turned[:, i] + np.sin(angle) * turned[:, a]
        return 2.0 * turned[:, :9] @ turned[:, :9].T


@pytest.fixture
def orbitals():
    return Orbitals()


@pytest.fixture
def counted(orbitals, monkeypatch):
    """J and K after one cycle with an orbital gradient of 0.1, and how many orbitals each pass took."""
    passes = []
    plain = RITensor.coulomb_exchange

    def counting(self, densities, factors, *, precise=False):
        passes.append(sum(len(n) for _, n in factors))
        return plain(self, densities, factors, precise=precise)

    monkeypatch.setattr(RITensor, "coulomb_exchange", counting)
    jk = CoulombExchange(
        orbitals.overlap, TensorCache(orbitals.mole, DFTMethod("pbe0"), None, lambda *_: None)
    )
    jk.see(orbitals.energies, orbitals.coefficients, 0.1)
    jk.coulomb_exchange(orbitals.density(0.0, of_core=True))
    return jk, passes


def exact(jk, density):
    jk.precise = True
    return jk.coulomb_exchange(density)


def test_only_valence_orbitals_are_contracted_while_the_core_stays(orbitals, counted):
    jk, passes = counted
    density = orbitals.density(0.1, of_core=False)
    found = jk.coulomb_exchange(density)
    assert passes == [9, 4]
    for one, other in zip(found, exact(jk, density), strict=True):
        assert one == pytest.approx(other, abs=1e-10)


def test_a_core_that_turns_less_than_the_gradient_leaves_an_error_below_it(orbitals, counted):
    jk, passes = counted
    density = orbitals.density(0.005, of_core=True)
    coulomb, exchange = jk.coulomb_exchange(density)
    assert passes == [9, 4]
    other = exact(jk, density)
    assert coulomb == pytest.approx(other[0], abs=1e-10)
    change = 0.5 * (exchange - other[1])
    assert 1e-6 < np.abs(orbitals.coefficients.T @ change @ orbitals.coefficients).max() < 0.1


def test_a_core_that_turned_is_computed_again(orbitals, counted):
    jk, passes = counted
    density = orbitals.density(0.05, of_core=True)
    exchange = jk.coulomb_exchange(density)[1]
    assert passes == [9, 9]
    assert exchange == pytest.approx(exact(jk, density)[1], abs=1e-10)


def test_the_same_density_costs_nothing_and_is_not_shared(orbitals, counted):
    jk, passes = counted
    density = orbitals.density(0.0, of_core=True)
    jk.coulomb_exchange(density)[1][:] = 0.0
    assert np.abs(jk.coulomb_exchange(density)[1]).max() > 1.0
    assert passes == [9]
    exact(jk, density)
    assert passes == [9, 9]


def test_difference_densities_take_no_shortcut(orbitals, counted):
    jk, passes = counted
    difference = orbitals.density(0.1, of_core=False) - orbitals.density(0.0, of_core=False)
    exchange = jk.coulomb_exchange(difference)[1]
    assert passes[-1] == 4  # two turned orbitals: two of positive and two of negative occupation
    assert exchange == pytest.approx(exact(jk, difference)[1], abs=1e-10)
