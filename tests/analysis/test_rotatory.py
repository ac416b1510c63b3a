from dataclasses import replace

import numpy as np
import pytest

from cluster_qc.analysis.rotatory import (
    dissymmetry_factors,
    oscillator_strengths,
    rotatory_strengths,
    transition_magnetic_dipoles,
)
from cluster_qc.errors import InputError, NotConvergedError, UnavailableError
from cluster_qc.units import fine_structure, rotatory_strength_cgs


def test_against_gaussian(fabricate):
    """H2O2, RHF/cc-pVDZ RPA, Gaussian 09 Rev. E.01, from psi4/psi4 tests/pytests/tdscf_reference_data.json.

    Repository commit 958c81a54c. Gaussian prints <n| d/dr |0> and <n| r x d/dr |0>; both change sign in <0|...|n>.
    """
    energies = [0.2693608823189777, 0.3153258823190015, 0.35750688231900085, 0.3752158823189973]
    edip = [
        [-0.0320185343, -0.0916582538, 0],
        [0, 0, -0.00213407696],
        [0, 0, -0.129546212],
        [-0.217401485, -0.100849849, 0],
    ]
    vdip = [
        [0.0526152807, 0.0275883133, 0],
        [0, 0, 0.00931970828],
        [0, 0, 0.0738825559],
        [0.154466643, 0.0347586886, 0],
    ]
    mdip = [
        [-0.146849134, 0.00627667443, 0],
        [0, 0, -0.652837742],
        [0, 0, 0.348940853],
        [0.53134357, 0.29720235, 0],
    ]
    states = replace(
        fabricate.excited_states(4, energies=energies),
        electric=np.array(edip), velocity=-np.array(vdip), magnetic=-0.5 * np.array(mdip), gauge_origin=np.zeros(3),
    )  # fmt: skip
    length = rotatory_strengths(states) / rotatory_strength_cgs
    velocity = rotatory_strengths(states, gauge="velocity") / rotatory_strength_cgs
    np.testing.assert_allclose(length, [-0.9727, -0.3284, 10.6556, 34.2946], atol=2e-4)
    np.testing.assert_allclose(velocity, [-6.61, -4.5483, 16.9984, 58.0517], atol=2e-3)
    np.testing.assert_allclose(states.oscillator_strengths, [0.001693, 1e-6, 0.004, 0.014367], atol=1.5e-6)


def test_signs_on_a_real_molecule_from_bare_integrals(fabricate):
    """The documented elements <0|O|n>, built from AO integrals, give Gaussian's R of H2O2 and velocity = E electric."""
    from pyscf import gto, scf, tdscf

    atoms = [("O", (0, 0.695, -0.092486)), ("O", (0, -0.695, -0.092486)),
             ("H", (-0.388142, 0.895249, 0.739888)), ("H", (0.388142, -0.895249, 0.739888))]  # fmt: skip
    mole = gto.M(atom=atoms, basis="cc-pvdz", verbose=0)
    mf = scf.RHF(mole).run()
    td = tdscf.TDHF(mf)
    td.nstates = 4
    td.kernel()
    occupied, empty = mf.mo_coeff[:, mf.mo_occ > 0], mf.mo_coeff[:, mf.mo_occ == 0]

    def element(operator, sign):  # <0|O|n>; sign +1 for symmetric, -1 for antisymmetric <i|O|a>
        ia = np.einsum("xpq,pi,qa->xia", operator, occupied, empty)
        return np.array([2 * np.einsum("xia,ia->x", ia, x + sign * y) for x, y in td.xy])

    with mole.with_common_orig((0, 0, 0)):
        states = replace(
            fabricate.excited_states(4, energies=td.e),
            electric=element(mole.intor("int1e_r"), 1),
            velocity=element(-mole.intor("int1e_ipovlp"), -1),  # PySCF differentiates the bra
            magnetic=element(0.5 * mole.intor("int1e_cg_irxp"), -1),
            gauge_origin=np.zeros(3),
        )
    length = rotatory_strengths(states) / rotatory_strength_cgs
    velocity = rotatory_strengths(states, gauge="velocity") / rotatory_strength_cgs
    np.testing.assert_allclose(length, [-0.9727, -0.3284, 10.6556, 34.2946], rtol=0.03, atol=0.05)
    np.testing.assert_allclose(velocity, [-6.61, -4.5483, 16.9984, 58.0517], rtol=0.04)
    assert ((states.velocity * states.electric).sum(axis=1) > 0).all()


def test_forms_of_the_oscillator_strength_agree_where_the_moments_do(fabricate):
    states = fabricate.excited_states()
    exact = replace(states, velocity=states.electric * states.excitation_energies[:, None])
    for form in ("velocity", "mixed"):
        np.testing.assert_allclose(oscillator_strengths(exact, form), exact.oscillator_strengths, rtol=1e-12)
    np.testing.assert_array_equal(oscillator_strengths(states), states.oscillator_strengths)
    length, velocity, mixed = (oscillator_strengths(states, form) for form in ("length", "velocity", "mixed"))
    assert (np.abs(mixed) <= np.sqrt(length * velocity) + 1e-14).all()
    with pytest.raises(InputError, match="form is 'both'"):
        oscillator_strengths(states, "both")
    with pytest.raises(NotConvergedError):
        oscillator_strengths(fabricate.excited_states(converged=False))


def test_mirror_image_flips_every_sign(fabricate):
    states = fabricate.excited_states()
    flip = np.array([1.0, 1.0, -1.0])
    mirrored = replace(
        states,
        electric=states.electric * flip,
        velocity=states.velocity * flip,
        magnetic=-states.magnetic * flip,
    )
    for gauge in ("length", "velocity"):
        np.testing.assert_allclose(
            rotatory_strengths(mirrored, gauge), -rotatory_strengths(states, gauge), atol=1e-14
        )


def test_velocity_form_does_not_move_with_the_origin_and_length_form_moves_by_the_law(fabricate):
    states = fabricate.excited_states()
    target = np.array([1.5, -2.0, 0.7])
    np.testing.assert_allclose(
        rotatory_strengths(states, "velocity", origin=target),
        rotatory_strengths(states, "velocity"),
        atol=1e-14,
    )
    moved = rotatory_strengths(states, "length", origin=target) - rotatory_strengths(states)
    triple = np.einsum("nx,nx->n", states.electric, np.cross(target - states.gauge_origin, states.velocity))
    np.testing.assert_allclose(moved, -0.5 * triple, atol=1e-14)


def test_origin_there_and_back(fabricate):
    states = fabricate.excited_states()
    target = np.array([3.0, 1.0, -1.0])
    there = replace(states, magnetic=transition_magnetic_dipoles(states, target), gauge_origin=target)
    back = transition_magnetic_dipoles(there, states.gauge_origin)
    np.testing.assert_allclose(back, states.magnetic, atol=1e-14)


def test_what_does_not_exist_is_refused(fabricate):
    no_velocity = fabricate.excited_states(velocity=False)
    with pytest.raises(UnavailableError):
        rotatory_strengths(no_velocity, "velocity")
    with pytest.raises(UnavailableError, match="cannot be moved"):
        rotatory_strengths(no_velocity, origin=(0, 0, 0))
    stored = rotatory_strengths(no_velocity, origin=no_velocity.gauge_origin)
    np.testing.assert_array_equal(stored, rotatory_strengths(no_velocity))
    with pytest.raises(UnavailableError, match="triplet"):
        rotatory_strengths(fabricate.excited_states(spin="triplet"))
    with pytest.raises(InputError, match="gauge is 'acceleration'"):
        rotatory_strengths(no_velocity, "acceleration")


def test_unconverged_states_are_refused_unless_asked_for(fabricate):
    states = fabricate.excited_states(converged=False)
    with pytest.raises(NotConvergedError, match="S1, S2"):
        rotatory_strengths(states)
    assert rotatory_strengths(states, allow_unconverged=True).shape == (6,)
    good = fabricate.excited_states()
    with pytest.raises(NotConvergedError, match="ground state"):
        rotatory_strengths(replace(good, ground=fabricate.ground_state(converged=False)))


def test_dissymmetry_factor_is_bounded_and_undefined_for_dark_states(fabricate):
    states = fabricate.excited_states()
    electric = np.array(states.electric)
    electric[0] = 0.0
    electric[1] = states.magnetic[1] * fine_structure  # equal moments in Gaussian units: g = 4
    factors = dissymmetry_factors(replace(states, electric=electric))
    assert np.isnan(factors[0])
    assert factors[1] == pytest.approx(4.0) or electric[1] @ electric[1] < 1e-10
    assert np.isfinite(factors[2:]).all()
