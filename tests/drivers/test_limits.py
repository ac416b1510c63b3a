"""Symmetry, the basis limit and another program: what rotatory strengths and moments must do."""

import numpy as np
import pytest

import cluster_qc as cqc
from cluster_qc.units import angstrom, electronvolt, rotatory_strength_cgs

_ATOMS = [
    ("C", -1.043429, 0.615328, -0.061519),
    ("C", 0.151599, -0.036092, 0.488863),
    ("H", 0.153112, -0.252656, 1.55701),
    ("O", -0.825776, -0.789273, -0.24151),
    ("H", -0.952201, 1.218625, -0.962475),
    ("H", -1.870163, 0.879326, 0.594153),
    ("C", 1.509073, 0.099791, -0.1483),
    ("H", 2.083284, 0.900039, 0.328696),
    ("H", 1.413153, 0.324898, -1.212757),
    ("H", 2.075569, -0.830205, -0.04681),
]
METHYLOXIRANE = tuple(a[0] for a in _ATOMS), np.array([a[1:] for a in _ATOMS]) * angstrom


def singlets(cluster, functional, basis, nstates, **settings):
    ground = cqc.run_scf(cluster, cqc.DFTMethod(functional, basis=basis, conv_tol=1e-10))
    return cqc.run_tddft(ground, cqc.TDDFTMethod(nstates=nstates, tolerance=1e-5, **settings))


def strengths(states, gauge, **options):
    return cqc.rotatory_strengths(states, gauge=gauge, **options) / rotatory_strength_cgs


def test_methyloxirane_against_nwchem():
    """B3LYP/STO-3G, RPA (nwchemgit/nwchem commit a79c4e257e, QA/tests/dmo_tddft_cd and dmo_tddft_cd_velocity).

    Its tolerances: 0.005 eV, 0.05 in R; the length form is about the origin of this geometry.
    """
    cluster = cqc.Cluster("dmo", *METHYLOXIRANE)
    states = singlets(cluster, "b3lyp", "sto-3g", 1)
    assert states.excitation_energies[0] / electronvolt == pytest.approx(8.4228, abs=0.005)
    assert states.oscillator_strengths[0] == pytest.approx(0.00016, abs=1e-5)
    assert cqc.oscillator_strengths(states, "velocity")[0] == pytest.approx(4.77e-5, abs=5e-6)
    assert strengths(states, "length", origin=np.zeros(3))[0] == pytest.approx(1.6190, abs=0.05)
    assert strengths(states, "velocity")[0] == pytest.approx(1.3222, abs=0.05)


def test_fast_route_keeps_to_what_is_said_of_its_rotatory_strengths():
    cluster = cqc.Cluster("dmo", *METHYLOXIRANE)
    ground = cqc.run_scf(cluster, cqc.DFTMethod("pbe0", grid_level=0, conv_tol=1e-9))
    reference = cqc.run_tddft(ground, cqc.TDDFTMethod(nstates=15, tolerance=1e-4))
    fast = cqc.run_tddft(ground, cqc.TDDFTMethod(nstates=15, route="fast"))
    one, other = strengths(reference, "velocity"), strengths(fast, "velocity")
    assert np.abs(other - one).max() < 0.10 * np.abs(one).max()
    curve = cqc.simulate_cd(reference, fwhm=0.3 * electronvolt, gauge="velocity")
    quick = cqc.simulate_cd(fast, fwhm=0.3 * electronvolt, gauge="velocity", energies=curve.energies)
    assert np.abs(quick.values - curve.values).max() < 0.05 * np.abs(curve.values).max()
    assert any("by the fast route" in remark for remark in quick.remarks)
    assert not any("fast route" in remark for remark in curve.remarks)


def test_degenerate_states_of_an_achiral_molecule_cancel():
    """Diborane(4) in D2d: the partners of an E state have opposite rotatory strengths, which an S4 axis allows."""
    h, b = (1.0, 0.6), 0.85
    atoms = [("B", (0, 0, b)), ("B", (0, 0, -b))]
    atoms += [("H", (s * h[0], 0, b + h[1])) for s in (1, -1)] + [
        ("H", (0, s * h[0], -b - h[1])) for s in (1, -1)
    ]
    cluster = cqc.Cluster("b2h4", tuple(a[0] for a in atoms), np.array([a[1] for a in atoms]) * angstrom)
    states = singlets(cluster, "hf", "6-31g", 8)
    energies = states.excitation_energies
    pairs = [i for i in range(7) if energies[i + 1] - energies[i] < 1e-6]
    assert pairs
    for gauge in ("length", "velocity"):
        found = strengths(states, gauge)
        for i in pairs:
            assert found[i] + found[i + 1] == pytest.approx(0.0, abs=0.02)
        single = np.delete(found, [*pairs, *(i + 1 for i in pairs)])
        # Without its partner the last root may be half of a pair.
        assert single[:-1] == pytest.approx(np.zeros(len(single) - 1), abs=0.02)


@pytest.mark.parametrize(("tda", "meet"), [(False, True), (True, False)])
def test_length_and_velocity_meet_with_the_basis_set_in_full_response_only(tda, meet):
    """H2O2, Hartree-Fock: the exchange makes the Tamm-Dancoff approximation lose the equation of motion of r."""
    coords = [[0, 0.695, -0.0925], [0, -0.695, -0.0925], [-0.388, 0.895, 0.74], [0.388, -0.895, 0.74]]
    cluster = cqc.Cluster("h2o2", ("O", "O", "H", "H"), np.array(coords) * angstrom)
    apart = []
    for basis in ("cc-pvdz", "aug-cc-pvtz"):
        states = singlets(cluster, "hf", basis, 4, tda=tda)
        length, velocity = strengths(states, "length"), strengths(states, "velocity")
        apart.append(np.linalg.norm(velocity - length) / np.linalg.norm(length))
    assert (apart[1] < 0.1 * apart[0]) == meet
    assert apart[0] > 0.5


@pytest.mark.parametrize(
    ("symbols", "coords"),
    [
        (("Ne",), [[0.3, 0.2, 5.0]]),
        (("H", "C", "N"), [[0, 0, -1.06], [0, 0, 0], [0, 0, 1.156]]),
    ],
    ids=["atom", "linear"],
)
def test_atoms_and_linear_molecules_have_no_rotatory_strength(symbols, coords):
    cluster = cqc.Cluster("achiral", symbols, np.array(coords) * angstrom)
    states = singlets(cluster, "pbe0", "def2-svp", 5)
    for gauge in ("length", "velocity"):
        assert strengths(states, gauge) == pytest.approx(np.zeros(5), abs=1e-3)


@pytest.mark.parametrize("tda", [False, True])
def test_no_root_of_a_symmetric_molecule_is_missing(tda):
    """N2: guesses of too few irreducible representations would leave out a state of Delta_u and say nothing."""
    cluster = cqc.Cluster("n2", ("N", "N"), np.array([[0, 0, 0], [0, 0, 1.098]]) * angstrom)
    ground = cqc.run_scf(cluster, cqc.DFTMethod("pbe0", basis="6-31+g*", grid_level=0, conv_tol=1e-9))
    pairs = ground.nocc * (ground.orbital_energies.shape[1] - ground.nocc)
    every = cqc.run_tddft(ground, cqc.TDDFTMethod(nstates=pairs, tda=tda))
    for count in (1, 5, 12):
        lowest = cqc.run_tddft(ground, cqc.TDDFTMethod(nstates=count, tda=tda))
        # Both are converged to 1e-4 in the residual, energies to its square over distances of some 1e-2 hartree.
        assert lowest.excitation_energies == pytest.approx(every.excitation_energies[:count], abs=5e-6)


def test_no_root_is_missing_at_a_loose_residual():
    """Ethylene: with too few first vectors the second or third singlet was skipped, 0.2 eV too high a one taken."""
    atoms = [[0, 0, z] for z in (0.667, -0.667)] + [
        [0, y, z] for y in (0.923, -0.923) for z in (1.238, -1.238)
    ]
    cluster = cqc.Cluster("ethylene", ("C", "C", "H", "H", "H", "H"), np.array(atoms) * angstrom)
    ground = cqc.run_scf(cluster, cqc.DFTMethod("pbe0", basis="6-31+g*", grid_level=0, conv_tol=1e-9))
    known = cqc.run_tddft(ground, cqc.TDDFTMethod(nstates=20)).excitation_energies
    for count in (1, 2, 3, 4, 6):
        lowest = cqc.run_tddft(ground, cqc.TDDFTMethod(nstates=count, tolerance=1e-3))
        # 1e-3 squared over distances of some 1e-2 hartree.
        assert lowest.excitation_energies == pytest.approx(known[:count], abs=1e-4)


def test_open_shells_are_refused():
    cluster = cqc.Cluster(
        "ch2",
        ("C", "H", "H"),
        np.array([[0, 0, 0], [0, 0.99, 0.4], [0, -0.99, 0.4]]) * angstrom,
        multiplicity=3,
    )
    ground = cqc.run_scf(cluster, cqc.DFTMethod("hf", basis="6-31g"))
    with pytest.raises(cqc.UnavailableError, match="closed-shell ground states only"):
        cqc.run_tddft(ground, cqc.TDDFTMethod(nstates=1))


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("b3lyp-d3bj", 'functional = "b3lyp" with dispersion = "d3bj"'),
        ("PBE0-D4", 'functional = "PBE0" with dispersion = "d4"'),
        ("b97-d3", "b97-d"),
        ("hf,", 'use "hf"'),
        ("wb97x-v", "cam-b3lyp"),
    ],
)
def test_names_that_mean_more_than_a_functional_are_refused_with_what_to_write(name, fix):
    h2 = cqc.Cluster("h2", ("H", "H"), np.array([[0, 0, 0], [0, 0, 1.4]]))
    with pytest.raises(cqc.InputError) as refusal:
        cqc.run_scf(h2, cqc.DFTMethod(name, basis="sto-3g"))
    assert fix in str(refusal.value)


def test_wb97x_d_is_one_functional_under_all_its_names_and_its_missing_dispersion_is_told():
    h2 = cqc.Cluster("h2", ("H", "H"), np.array([[0, 0, 0], [0, 0, 1.4]]))
    found = []
    for name in ("wB97X-D", "wb97x_d", " wb97xd ", "hyb_gga_xc_wb97x_d"):
        ground = cqc.run_scf(h2, cqc.DFTMethod(name, basis="6-31g", grid_level=0))
        assert any("lacks the dispersion" in remark for remark in ground.remarks)
        states = cqc.run_tddft(ground, cqc.TDDFTMethod(nstates=1))
        found.append((ground.energy, states.excitation_energies[0]))
    assert np.ptp(found, axis=0) == pytest.approx([0, 0], abs=1e-9)
    assert not cqc.run_scf(h2, cqc.DFTMethod(" hf", basis="6-31g")).remarks


def test_all_electrons_of_a_heavy_atom_are_not_fitted_in_valence_functions():
    """AgH in 3-21G came out 95 hartree too low, its excitations wrong by up to 0.8 eV, without a word."""
    coords = np.array([[0, 0, 0], [0, 0, 1.62]]) * angstrom
    with pytest.raises(cqc.InputError, match="cannot fit all electrons of Ag"):
        cqc.run_scf(cqc.Cluster("agh", ("Ag", "H"), coords), cqc.DFTMethod("hf", basis="3-21g"))
    light = cqc.Cluster("cuh", ("Cu", "H"), coords)
    assert cqc.run_scf(light, cqc.DFTMethod("hf", basis="3-21g", conv_tol=1e-5, max_cycle=1)).energy < -1600
