"""Ions, a dielectric continuum and a custom range separation, against laws and against PySCF."""

from dataclasses import replace

import numpy as np
import pytest
from pyscf import dft, gto, tddft
from pyscf.data import radii

import cluster_qc as cqc
from cluster_qc.drivers import integrals
from cluster_qc.drivers.integrals import TensorCache
from cluster_qc.drivers.mole import build_mole
from cluster_qc.units import angstrom

WATER = cqc.Cluster(
    "water", ("O", "H", "H"), np.array([[0, 0, 0], [0, 0.757, 0.587], [0, -0.757, 0.587]]) * angstrom
)
GOLD_HYDRIDE = cqc.Cluster("auh", ("Au", "H"), np.array([[0, 0, 0], [0, 0, 1.524]]) * angstrom)
METHOD = cqc.DFTMethod("pbe0", grid_level=1, conv_tol=1e-9)
LONG_RANGE = replace(METHOD, functional="lc_wpbe", omega=0.25)


def pyscf_energy(cluster, functional="pbe0", *, omega=None, permittivity=None):
    mole = gto.M(
        atom=list(zip(cluster.symbols, cluster.coords, strict=True)),
        unit="Bohr",
        basis="def2-svp",
        ecp={"Au": "def2-svp"} if "Au" in cluster.symbols else {},
        charge=cluster.charge,
        spin=cluster.multiplicity - 1,
        verbose=0,
    )
    mf = dft.KS(mole, xc=functional).density_fit(auxbasis="def2-universal-jkfit")
    mf.grids.level = 1
    mf.conv_tol = 1e-10
    if omega is not None:
        mf.omega = omega
    if permittivity is not None:
        mf = mf.PCM()
        mf.with_solvent.method = "IEF-PCM"
        mf.with_solvent.eps = permittivity
        mf.with_solvent.lebedev_order = 17
    mf.kernel()
    return mf


@pytest.fixture(scope="module")
def water():
    return cqc.run_scf(WATER, METHOD)


def charge_states(ground, cache=None):
    cation, anion = (
        cqc.run_scf(cqc.ion_of(ground.cluster, charge), ground.method, guess=ground, integrals=cache)
        for charge in (1, -1)
    )
    return cqc.ChargeStates(ground, cation, anion)


# --- ions -----------------------------------------------------------------------------------------------------


def test_one_electron_is_bound_by_its_orbital_energy():
    """Without self-interaction E(N) - E(N - 1) is the HOMO; Hartree-Fock has none with one electron."""
    hydrogen = cqc.Cluster("h", ("H",), [[0, 0, 0]], multiplicity=2)
    atom = cqc.run_scf(hydrogen, cqc.DFTMethod("hf"))
    assert atom.energy == pytest.approx(atom.homo, abs=1e-9)
    molecule = cqc.Cluster("h2+", ("H", "H"), [[0, 0, 0], [0, 0, 2.0]], charge=1, multiplicity=2)
    ion = cqc.run_scf(molecule, cqc.DFTMethod("hf"))
    assert ion.energy - 1 / 2.0 == pytest.approx(ion.homo, abs=1e-9)
    assert ion.s_squared == pytest.approx(0.75, abs=1e-9)


@pytest.mark.parametrize("cluster", [WATER, GOLD_HYDRIDE], ids=lambda cluster: cluster.name)
def test_ions_have_the_energies_of_pyscf(cluster):
    states = charge_states(cqc.run_scf(cluster, METHOD))
    for state in (states.cation, states.anion):
        assert state.converged
        assert state.energy == pytest.approx(pyscf_energy(state.cluster).e_tot, abs=1e-7)
    ionization, affinity = states.ionization_energy, states.electron_affinity
    assert ionization == pytest.approx(states.cation.energy - states.ground.energy)
    assert states.fundamental_gap == pytest.approx(ionization - affinity)
    # Removing an electron always costs energy, and more than adding one gives back.
    assert ionization > max(affinity, 0)
    # An approximate functional's HOMO lies above minus the ionization energy.
    assert states.ground.homo > -ionization


def test_ions_start_from_the_orbitals_of_the_ground_state(water):
    ion = cqc.ion_of(WATER, 1)
    guided, plain = cqc.run_scf(ion, METHOD, guess=water), cqc.run_scf(ion, METHOD)
    assert guided.energy == pytest.approx(plain.energy, abs=1e-8)
    assert guided.cycles <= plain.cycles


def test_all_charges_share_one_tensor(water, monkeypatch):
    built = []
    tensor = integrals.RITensor
    monkeypatch.setattr(integrals, "RITensor", lambda *a, **k: built.append(k["omega"]) or tensor(*a, **k))
    cache = TensorCache(build_mole(WATER, METHOD), METHOD, None, lambda share, line: None)
    for charge in (1, -1):
        cqc.run_scf(cqc.ion_of(WATER, charge), METHOD, guess=water, integrals=cache)
    assert built == [0.0]


def test_a_forgotten_tensor_leaves_no_file(tmp_path, monkeypatch):
    from cluster_qc.drivers import ri

    monkeypatch.setattr(ri, "_DOUBLE_BYTES", 0)
    monkeypatch.setattr(ri, "_MEMORY_SHARE", 0.0)
    cache = TensorCache(build_mole(WATER, LONG_RANGE), LONG_RANGE, tmp_path, lambda share, line: None)
    cqc.run_scf(WATER, LONG_RANGE, integrals=cache)
    assert len(list(tmp_path.iterdir())) == 2
    cache.forget(LONG_RANGE.omega)
    assert len(list(tmp_path.iterdir())) == 1


def test_what_is_no_pair_of_ions_is_refused(water):
    with pytest.raises(cqc.InputError, match="multiplicity"):
        cqc.ion_of(cqc.ion_of(WATER, 1), 1)
    states = charge_states(water)
    with pytest.raises(cqc.InputError, match="charge"):
        cqc.ChargeStates(water, states.anion, states.cation)
    with pytest.raises(cqc.InputError, match="another method"):
        cqc.ChargeStates(
            water, replace(states.cation, method=replace(METHOD, functional="pbe")), states.anion
        )
    moved = replace(states.cation, cluster=states.cation.cluster.with_coords(WATER.coords * 1.01))
    with pytest.raises(cqc.InputError, match="geometry"):
        cqc.ChargeStates(water, moved, states.anion)
    unconverged = cqc.ChargeStates(water, replace(states.cation, converged=False), states.anion)
    with pytest.raises(cqc.NotConvergedError, match="cation"):
        _ = unconverged.ionization_energy
    assert unconverged.electron_affinity == states.electron_affinity


# --- continuum ------------------------------------------------------------------------------------------------


def test_permittivity_of_one_is_vacuum(water):
    assert cqc.run_scf(WATER, replace(METHOD, permittivity=1.0), guess=water).energy == pytest.approx(
        water.energy, abs=1e-9
    )


@pytest.mark.parametrize("permittivity", [2.0, 80.0])
def test_born_energy_of_an_ion(permittivity):
    """-q^2 (1 - 1/eps) / 2R: exact for a spherical charge inside its sphere."""
    sodium = cqc.Cluster("na", ("Na",), [[0, 0, 0]], charge=1)
    vacuum, polarised = (
        cqc.run_scf(sodium, replace(METHOD, permittivity=value)).energy for value in (None, permittivity)
    )
    radius = 1.2 * radii.VDW[11]
    born = -(1 - 1 / permittivity) / (2 * radius)
    # The surface is one of 110 Gaussian charges: 0.1 %.
    assert polarised - vacuum == pytest.approx(born, rel=1e-3)


def test_continuum_as_in_pyscf(water):
    """The same equation; the electrons' potential is that of the fitted density, good to a few meV."""
    cation = cqc.ion_of(WATER, 1)
    for cluster in (WATER, cation):
        found = cqc.run_scf(cluster, replace(METHOD, permittivity=3.0), guess=water).energy
        expected = pyscf_energy(cluster, permittivity=3.0).e_tot
        assert found == pytest.approx(expected, abs=1.5e-4)


def test_continuum_lowers_ionization_energy_and_is_bounded_by_the_conductor(water):
    vacuum = charge_states(water)
    gaps = [vacuum.ionization_energy]
    for permittivity in (2.0, 4.0, 1e6):
        ground = cqc.run_scf(WATER, replace(METHOD, permittivity=permittivity), guess=water)
        cation = cqc.run_scf(cqc.ion_of(WATER, 1), ground.method, guess=vacuum.cation)
        gaps.append(cation.energy - ground.energy)
    assert gaps == sorted(gaps, reverse=True)


def test_what_the_continuum_cannot_do_is_refused(water):
    iron = cqc.Cluster("fe", ("Fe",), [[0, 0, 0]])
    with pytest.raises(cqc.InputError, match="radius is known for Fe"):
        cqc.run_scf(iron, replace(METHOD, permittivity=3.0))
    for value in (0.5, float("inf"), float("nan")):
        with pytest.raises(cqc.InputError, match="permittivity"):
            cqc.DFTMethod("pbe0", permittivity=value)
    polarised = replace(water, method=replace(METHOD, permittivity=3.0))
    with pytest.raises(cqc.UnavailableError, match="continuum"):
        cqc.run_tddft(polarised, cqc.TDDFTMethod(nstates=1))


# --- range separation -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("charge", [0, 1])
def test_omega_as_in_pyscf(charge):
    cluster = cqc.ion_of(WATER, charge) if charge else WATER
    ground = cqc.run_scf(cluster, LONG_RANGE)
    other = pyscf_energy(cluster, "lc_wpbe", omega=0.25)
    assert ground.energy == pytest.approx(other.e_tot, abs=1e-7)
    assert ground.homo == pytest.approx(other.mo_energy[other.mo_occ > 0].max(), abs=1e-6)


def test_the_functionals_own_omega_is_the_default():
    own = cqc.run_scf(WATER, replace(LONG_RANGE, omega=None)).energy
    assert cqc.run_scf(WATER, replace(LONG_RANGE, omega=0.4)).energy == pytest.approx(own, abs=1e-9)
    assert cqc.run_scf(WATER, LONG_RANGE).energy != pytest.approx(own, abs=1e-3)


def test_excitations_see_omega():
    states = cqc.run_tddft(cqc.run_scf(WATER, LONG_RANGE), cqc.TDDFTMethod(nstates=1, tolerance=1e-5))
    solver = tddft.TDDFT(pyscf_energy(WATER, "lc_wpbe", omega=0.25))
    solver.nstates = 1
    solver.kernel()
    assert states.excitation_energies[0] == pytest.approx(solver.e[0], abs=2e-5)


def test_omega_without_range_separation_is_refused():
    with pytest.raises(cqc.InputError, match="no range separation"):
        cqc.run_scf(WATER, replace(METHOD, omega=0.3))
    with pytest.raises(cqc.InputError, match="omega"):
        cqc.DFTMethod("lc_wpbe", omega=-0.3)


def test_tuned_omega_minimises_the_error_that_pyscf_finds(water):
    """J at the tuned omega is that of PySCF's own energies, and larger on both sides."""
    cache = TensorCache(build_mole(WATER, LONG_RANGE), LONG_RANGE, None, lambda share, line: None)

    def states_at(omega):
        ground = cqc.run_scf(WATER, replace(LONG_RANGE, omega=omega), guess=water, integrals=cache)
        return charge_states(ground, cache)

    tuning = cqc.tune_range_separation(states_at, tolerance=0.02)
    assert not tuning.at_bound
    errors = dict(tuning.trials)
    assert min(errors) < tuning.omega < max(errors)
    ground, cation, anion = (
        pyscf_energy(cluster, "lc_wpbe", omega=tuning.omega)
        for cluster in (WATER, cqc.ion_of(WATER, 1), cqc.ion_of(WATER, -1))
    )
    of_ground = ground.mo_energy[ground.mo_occ > 0].max() + cation.e_tot - ground.e_tot
    of_anion = anion.mo_energy[anion.mo_occ > 0].max() + ground.e_tot - anion.e_tot
    assert tuning.states.koopmans_error == pytest.approx(np.hypot(of_ground, of_anion), abs=1e-6)
