"""The ground state against PySCF, its fallbacks and its checkpoint."""

from dataclasses import replace

import numpy as np
import pytest
from pyscf import dft, gto

import cluster_qc as cqc
from cluster_qc.drivers import ri
from cluster_qc.units import angstrom, electronvolt

WATER = cqc.Cluster(
    "water", ("O", "H", "H"), np.array([[0, 0, 0], [0, 0.757, 0.587], [0, -0.757, 0.587]]) * angstrom
)
GOLD_HYDRIDE = cqc.Cluster("auh", ("Au", "H"), np.array([[0, 0, 0], [0, 0, 1.524]]) * angstrom)
METHOD = cqc.DFTMethod("pbe0", grid_level=2, conv_tol=1e-10)


def pyscf_ground(cluster: cqc.Cluster, functional: str):
    ecp = {"Au": "def2-svp"} if "Au" in cluster.symbols else {}
    mole = gto.M(
        atom=list(zip(cluster.symbols, cluster.coords, strict=True)),
        unit="Bohr",
        basis="def2-svp",
        ecp=ecp,
        spin=cluster.multiplicity - 1,
        charge=cluster.charge,
        verbose=0,
    )
    mf = dft.KS(mole, xc=functional).density_fit(auxbasis="def2-universal-jkfit")
    mf.grids.level = 2
    mf.conv_tol = 1e-11
    mf.kernel()
    return mf


@pytest.mark.parametrize("functional", ["pbe0", "pbe", "cam-b3lyp"])
@pytest.mark.parametrize("cluster", [WATER, GOLD_HYDRIDE], ids=lambda cluster: cluster.name)
def test_same_energy_and_levels_as_pyscf(cluster, functional):
    ground = cqc.run_scf(cluster, replace(METHOD, functional=functional))
    other = pyscf_ground(cluster, functional)
    assert ground.converged
    assert ground.energy == pytest.approx(other.e_tot, abs=1e-7)
    assert ground.orbital_energies[0] == pytest.approx(other.mo_energy, abs=1e-5)
    assert ground.has_ecp == ("Au" in cluster.symbols)


def test_unrestricted_radical():
    radical = cqc.Cluster("oh", ("O", "H"), np.array([[0, 0, 0], [0, 0, 0.97]]) * angstrom, multiplicity=2)
    ground = cqc.run_scf(radical, METHOD)
    assert ground.orbital_energies.shape[0] == 2
    # The hole may lie along either of two axes, which the grid tells apart by less than 1e-6.
    assert ground.energy == pytest.approx(pyscf_ground(radical, "pbe0").e_tot, abs=1e-6)
    assert ground.s_squared == pytest.approx(0.75, abs=0.01)


def test_single_precision_on_disk_moves_little(tmp_path, monkeypatch):
    reference = cqc.run_scf(GOLD_HYDRIDE, METHOD)
    monkeypatch.setattr(ri, "_DOUBLE_BYTES", 0)
    monkeypatch.setattr(ri, "_MEMORY_SHARE", 0.0)
    ground = cqc.run_scf(GOLD_HYDRIDE, METHOD, scratch=tmp_path)
    assert ground.converged
    assert ground.energy == pytest.approx(reference.energy, abs=2e-6)
    shift = np.abs(ground.orbital_energies - reference.orbital_energies).max() / electronvolt
    assert shift < 1e-3


def test_ions_as_guess_give_the_same_energy():
    ions = (((0,), 1), ((1,), -1))
    ground = cqc.run_scf(GOLD_HYDRIDE.with_ions(ions), METHOD)
    assert ground.energy == pytest.approx(cqc.run_scf(GOLD_HYDRIDE, METHOD).energy, abs=1e-8)


def test_unconverged_is_marked():
    ground = cqc.run_scf(WATER, replace(METHOD, max_cycle=1, conv_tol=1e-12))
    assert not ground.converged or any("second-order" in remark for remark in ground.remarks)
    assert ground.history[-1].stage == "second order"
    assert ground.history[-1].energy == pytest.approx(ground.energy, abs=1e-9)
    assert len(set(ground.history)) == len(ground.history)  # none is told twice


def test_checkpoint_of_the_same_input_only(tmp_path):
    checkpoint = tmp_path / "scf"
    first = cqc.run_scf(WATER, METHOD, checkpoint=checkpoint)
    again = cqc.run_scf(WATER, METHOD, checkpoint=checkpoint)
    assert again.cycles - first.cycles <= 2
    assert again.energy == pytest.approx(first.energy, abs=1e-9)
    other = cqc.run_scf(WATER, replace(METHOD, functional="pbe"), checkpoint=checkpoint)
    assert other.cycles > 3


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (cqc.DFTMethod("pbe00"), "unknown functional"),
        (cqc.DFTMethod("pbe0", basis="def2-nonsense"), "unknown basis set"),
        (cqc.DFTMethod("pbe0", basis="6-31g"), "no functions for Au"),
        (cqc.DFTMethod("pbe0", ecp="nonsense"), "exists for none"),
        (cqc.DFTMethod("pbe0", ecp=None), "valence electrons"),
        (cqc.DFTMethod("pbe0", auxiliary_basis="nonsense"), "auxiliary basis"),
        (cqc.DFTMethod("wb97x_v"), "VV10"),
    ],
)
def test_bad_methods_are_refused(method, message):
    with pytest.raises(cqc.InputError, match=message):
        cqc.run_scf(GOLD_HYDRIDE, method)


def test_guess_from_another_geometry_and_functional_saves_cycles():
    start = cqc.run_scf(WATER, replace(METHOD, functional="pbe"))
    moved = WATER.with_coords(WATER.coords * 1.02)
    plain, guided = cqc.run_scf(moved, METHOD), cqc.run_scf(moved, METHOD, guess=start)
    assert guided.energy == pytest.approx(plain.energy, abs=1e-8)
    assert guided.cycles < plain.cycles


def test_guess_of_another_molecule_is_refused():
    other = cqc.run_scf(GOLD_HYDRIDE, METHOD)
    with pytest.raises(cqc.errors.InputError, match="guess"):
        cqc.run_scf(WATER, METHOD, guess=other)


def test_dependent_functions_are_dropped_and_told(tmp_path):
    """A function given twice, but for 1e-7 of its exponent, is as good as given once."""
    states = {}
    for name, exponents in (("once", (0.2, 0.9)), ("twice", (0.2, 0.9, 0.9000001))):
        basis = tmp_path / f"{name}.nw"
        basis.write_text("".join(f"H S\n{exponent} 1.0\n" for exponent in exponents))
        pair = cqc.Cluster("h2", ("H", "H"), np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 1.4]]))
        ground = cqc.run_scf(pair, cqc.DFTMethod("hf", basis=str(basis), conv_tol=1e-10))
        assert ground.converged
        states[name] = cqc.run_tddft(ground, cqc.TDDFTMethod(nstates=1, tolerance=1e-6))
    once, twice = states["once"], states["twice"]
    assert once.ground.remarks == ()
    assert "2 of 6 combinations of its functions" in twice.ground.remarks[0]
    assert twice.ground.energy == pytest.approx(once.ground.energy, abs=1e-6)  # of the exponent's change
    assert twice.excitation_energies == pytest.approx(once.excitation_energies, abs=1e-6)
    assert np.abs(twice.electric) == pytest.approx(np.abs(once.electric), abs=1e-4)
