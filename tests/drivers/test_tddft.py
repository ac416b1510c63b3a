"""The response operator and solver: laws, limits and PySCF's own solver."""

from dataclasses import replace

import numpy as np
import pytest
from pyscf import dft, gto, tdscf

import cluster_qc as cqc
from cluster_qc.drivers import ri
from cluster_qc.drivers.tddft import coupling, driver, kernel, response_tensors, solver
from cluster_qc.units import angstrom, electronvolt, rotatory_strength_cgs

H2O2 = cqc.Cluster(
    "h2o2",
    ("O", "O", "H", "H"),
    np.array(
        [
            [0.0, 0.695, -0.092486],
            [0.0, -0.695, -0.092486],
            [-0.388142, 0.895249, 0.739888],
            [0.388142, -0.895249, 0.739888],
        ]
    )
    * angstrom,
)
PBE0 = cqc.DFTMethod("pbe0", basis="def2-svp", grid_level=2, conv_tol=1e-10)
FOUR = cqc.TDDFTMethod(nstates=4, tolerance=1e-5)


@pytest.fixture(scope="module")
def ground():
    return cqc.run_scf(H2O2, PBE0)


@pytest.fixture(scope="module")
def singlets(ground):
    return cqc.run_tddft(ground, FOUR)


def pyscf_energies(functional: str, spin: str, tda: bool) -> np.ndarray:
    mole = gto.M(
        atom=list(zip(H2O2.symbols, H2O2.coords, strict=True)), unit="Bohr", basis="def2-svp", verbose=0
    )
    mf = dft.RKS(mole, xc=functional).density_fit(auxbasis="def2-universal-jkfit")
    mf.grids.level = 2
    mf.conv_tol = 1e-10
    mf.kernel()
    solver = (tdscf.TDA if tda else tdscf.TDDFT)(mf)
    solver.singlet = spin == "singlet"
    solver.nstates = 4
    solver.conv_tol = 1e-6
    return solver.kernel()[0]


@pytest.mark.parametrize(
    ("functional", "spin", "tda"),
    [
        ("pbe0", "singlet", False),
        ("pbe0", "triplet", False),
        ("pbe0", "singlet", True),
        ("pbe", "singlet", False),
        ("pbe", "triplet", True),
        ("svwn", "triplet", False),
        ("cam-b3lyp", "singlet", False),
        ("tpssh", "triplet", False),
        ("m06-2x", "singlet", True),
    ],
)
def test_same_energies_as_pyscf_with_the_same_fit_and_grid(functional, spin, tda):
    ground = cqc.run_scf(H2O2, replace(PBE0, functional=functional))
    states = cqc.run_tddft(ground, replace(FOUR, spin=spin, tda=tda))
    # Single-precision products: 1e-6 of about 10 hartree of exchange integrals.
    assert states.excitation_energies == pytest.approx(pyscf_energies(functional, spin, tda), abs=1e-5)


def test_amplitudes_are_normalised_to_one_half(singlets):
    norm = (singlets.x**2).sum(axis=(1, 2)) - (singlets.y**2).sum(axis=(1, 2))
    assert norm == pytest.approx(np.full(4, 0.5), abs=1e-8)


def test_mirror_image_flips_every_rotatory_strength_and_nothing_else(singlets):
    mirror = cqc.run_tddft(cqc.run_scf(H2O2.mirrored(), PBE0), FOUR)
    # Both runs are converged to 1e-5 in the residual, energies to its square.
    assert mirror.excitation_energies == pytest.approx(singlets.excitation_energies, abs=1e-7)
    assert mirror.oscillator_strengths == pytest.approx(singlets.oscillator_strengths, abs=1e-5)
    for gauge in ("length", "velocity"):
        one = cqc.rotatory_strengths(singlets, gauge=gauge) / rotatory_strength_cgs
        other = cqc.rotatory_strengths(mirror, gauge=gauge) / rotatory_strength_cgs
        assert np.abs(one).max() > 1
        assert other == pytest.approx(-one, abs=0.02)


def test_moving_the_molecule_moves_no_velocity_rotatory_strength(singlets):
    moved = H2O2.with_coords(H2O2.coords + np.array([3.0, -2.0, 5.0]))
    states = cqc.run_tddft(cqc.run_scf(moved, PBE0), FOUR)
    one = cqc.rotatory_strengths(singlets, gauge="velocity") / rotatory_strength_cgs
    other = cqc.rotatory_strengths(states, gauge="velocity") / rotatory_strength_cgs
    assert other == pytest.approx(one, abs=0.02)


def test_achiral_molecule_has_no_rotatory_strength():
    water = cqc.Cluster(
        "water", ("O", "H", "H"), np.array([[0, 0, 0], [0, 0.757, 0.587], [0, -0.757, 0.587]]) * angstrom
    )
    states = cqc.run_tddft(cqc.run_scf(water, PBE0), FOUR)
    for gauge in ("length", "velocity"):
        strengths = cqc.rotatory_strengths(states, gauge=gauge) / rotatory_strength_cgs
        assert np.abs(strengths).max() < 1e-3


def test_velocity_and_length_dipoles_point_the_same_way(singlets):
    # velocity = +E electric only in a complete basis; def2-SVP leaves an angle of some 30 degrees.
    brightest = int(singlets.oscillator_strengths.argmax())
    velocity = singlets.velocity[brightest]
    length = singlets.excitation_energies[brightest] * singlets.electric[brightest]
    cosine = velocity @ length / (np.linalg.norm(velocity) * np.linalg.norm(length))
    assert cosine > 0.8


def test_veloxchem_methanol_far_from_the_origin():
    """VeloxChem (commit 09707d2b91, tests/test_ecd.py): RPA-HF/def2-SVP, molecule 3 angstrom off the origin."""
    coords = [
        [-3.42904, 1.55532, 0.01546],
        [-1.99249, 1.74379, 0.02665],
        [-1.74709, 2.7416, 0.44749],
        [-1.59636, 1.67836, -1.00861],
        [-1.51398, 0.95881, 0.64937],
        [-3.84726, 2.3362, -0.34927],
    ]
    methanol = cqc.Cluster("methanol", ("O", "C", "H", "H", "H", "H"), np.array(coords) * angstrom)
    ground = cqc.run_scf(methanol, cqc.DFTMethod("hf", basis="def2-svp", conv_tol=1e-10))
    states = cqc.run_tddft(ground, cqc.TDDFTMethod(nstates=5, tolerance=1e-5))
    # The fit moves the energies by up to 0.3 meV.
    assert states.excitation_energies == pytest.approx(
        [0.32938946, 0.39989948, 0.40921479, 0.43429957, 0.45311866], abs=2e-5
    )
    velocity = cqc.rotatory_strengths(states, gauge="velocity") / rotatory_strength_cgs
    length = cqc.rotatory_strengths(states, gauge="length", origin=np.zeros(3)) / rotatory_strength_cgs
    assert velocity == pytest.approx([-9.4755, 32.8233, -19.0445, 13.3045, -4.1229], abs=0.1)
    assert length == pytest.approx([-9.5338, 33.519, -20.3296, 15.315, -3.0831], abs=0.1)


def test_truncations_change_little_and_are_named(ground, singlets):
    method = replace(FOUR, frozen_below=-2.0, virtual_above=3.0, exchange_rank=0.5, grid_level=1)
    states = cqc.run_tddft(ground, method)
    assert len(states.occupied) == 7
    difference = np.abs(states.excitation_energies - singlets.excitation_energies) / electronvolt
    assert difference.max() < 0.02  # a small basis has few functions to spare
    text = " ".join(states.approximations)
    for word in ("frozen", "left out", "50% of the auxiliary functions", "grid level 1"):
        assert word in text


@pytest.mark.parametrize("kept", [0.15, 0.3])
def test_error_of_compressed_exchange_is_on_average_within_its_estimate(ground, singlets, kept):
    states = cqc.run_tddft(ground, replace(FOUR, exchange_rank=kept))
    deviation = np.abs(states.excitation_energies - singlets.excitation_energies)
    estimate = states.error_estimates - singlets.error_estimates
    assert 0 < deviation.mean() < estimate.min()
    assert "auxiliary functions" not in " ".join(singlets.approximations)


def test_tensor_on_disk_gives_the_same_states(ground, singlets, tmp_path, monkeypatch):
    monkeypatch.setattr(ri, "_DOUBLE_BYTES", 0)
    monkeypatch.setattr(ri, "_MEMORY_SHARE", 0.0)
    space = response_tensors(ground, FOUR, scratch=tmp_path)
    assert list(tmp_path.glob("ri-*.f32"))
    states = cqc.run_tddft(ground, FOUR, tensors=space)
    assert states.excitation_energies == pytest.approx(singlets.excitation_energies, abs=1e-6)


def test_model_guess_leads_to_the_same_states(ground, monkeypatch):
    method = replace(FOUR, exchange_rank=0.5)
    plain = cqc.run_tddft(ground, method)
    monkeypatch.setattr(driver, "_MODEL_MIN_SIZE", 0)
    lines = []
    states = cqc.run_tddft(ground, method, progress=lambda fraction, line: lines.append(line))
    assert any(line.startswith("model") for line in lines)
    assert states.excitation_energies == pytest.approx(plain.excitation_energies, abs=1e-6)


def test_interrupted_run_goes_on_from_its_checkpoint(ground, singlets, tmp_path):
    checkpoint = tmp_path / "singlets"
    short = cqc.run_tddft(ground, replace(FOUR, max_cycle=2), checkpoint=checkpoint)
    assert not short.converged.all()
    lines = []
    states = cqc.run_tddft(
        ground, FOUR, checkpoint=checkpoint, progress=lambda fraction, line: lines.append(line)
    )
    assert states.converged.all()
    assert states.excitation_energies == pytest.approx(singlets.excitation_energies, abs=1e-9)
    first = next(line for line in lines if line.startswith("cycle"))
    assert first.startswith("cycle 2: 0 of 4")
    assert "largest residual" in first


def test_triplets_have_no_moments(ground):
    triplets = cqc.run_tddft(ground, replace(FOUR, spin="triplet"))
    assert triplets.electric is None
    with pytest.raises(cqc.UnavailableError, match="no electric"):
        _ = triplets.oscillator_strengths


def test_natural_transition_orbitals_leave_the_amplitudes_alone(singlets):
    before = singlets.x.copy()
    ntos = cqc.natural_transition_orbitals(singlets[0])
    assert np.array_equal(before, singlets.x)
    assert ntos.weights.sum() == pytest.approx(2 * (singlets.x[0] ** 2).sum(), abs=1e-6)
    overlap = ntos.hole.T @ singlets.ground.overlap @ ntos.hole
    assert overlap == pytest.approx(np.eye(len(overlap)), abs=1e-8)


def test_unstable_ground_state_is_told():
    stretched = cqc.Cluster("h2", ("H", "H"), np.array([[0.0, 0, 0], [0, 0, 6.0]]))
    ground = cqc.run_scf(stretched, cqc.DFTMethod("hf", basis="sto-3g"))
    with pytest.raises(cqc.NotConvergedError, match="unstable"):
        cqc.run_tddft(ground, cqc.TDDFTMethod(nstates=1, spin="triplet"))


@pytest.fixture
def with_model(monkeypatch):
    """The model is for large molecules; let it serve a small one."""
    monkeypatch.setattr(driver, "_MODEL_MIN_SIZE", 0)


@pytest.mark.parametrize("spin", ["singlet", "triplet"])
def test_fitted_kernel_is_close_to_the_one_on_the_grid(ground, spin):
    space = response_tensors(ground, FOUR)
    c = ground.coefficients[0]
    occupied, virtual = c[:, space.occupied], c[:, space.virtual]
    grid = kernel.GridKernel(space.mole, "pbe0", occupied, grid_level=2, spin=spin)
    matrix = 2.0 * coupling.fitted_kernel(grid, space.tensor)
    fitted = coupling.FittedCoupling(space.coulomb, matrix.astype(np.float32), 0.0)
    u = np.zeros((3, *space.coulomb.shape[1:]), dtype=np.float32)
    u[:, -5:, :5] = np.random.default_rng(1).normal(size=(3, 5, 5))  # what valence excitations are made of
    exact = np.einsum("nia,nia->n", u, grid.apply(u, occupied, virtual))
    close = np.einsum("nia,nia->n", u, fitted.apply(u))
    # jkfit leaves up to 0.7 % of f_xc's expectation value unfitted for valence pairs (3 % for those of the cores).
    assert close == pytest.approx(exact, rel=1e-2)


def test_kernel_is_the_same_whether_ao_values_are_kept_or_made_again(ground):
    c = ground.coefficients[0]
    occupied, virtual = c[:, : ground.nocc], c[:, ground.nocc :]
    mole = response_tensors(ground, FOUR).mole
    u = np.random.default_rng(2).normal(size=(2, occupied.shape[1], virtual.shape[1])).astype(np.float32)
    settings = {"grid_level": 0, "spin": "singlet"}
    kept = kernel.GridKernel(mole, "pbe0", occupied, memory_limit=1e9, **settings)
    made = kernel.GridKernel(mole, "pbe0", occupied, **settings)
    assert all(block.values is not None for block in kept.grid.blocks)
    assert all(block.values is None for block in made.grid.blocks)
    assert made.apply(u, occupied, virtual) == pytest.approx(kept.apply(u, occupied, virtual), abs=1e-6)


def test_meta_gga_with_a_model_and_on_its_own_grid(with_model, monkeypatch):
    ground = cqc.run_scf(H2O2, replace(PBE0, functional="scan"))
    states = cqc.run_tddft(ground, replace(FOUR, spin="triplet", grid_level=0))
    assert not any("grid level 0" in named for named in states.approximations)
    assert any("on grid level 2 (about 33" in named for named in states.approximations)
    assert any("current" in named for named in states.approximations)
    monkeypatch.setattr(driver, "_MODEL_MIN_SIZE", 10**9)
    alone = cqc.run_tddft(ground, replace(FOUR, spin="triplet"))
    assert states.excitation_energies == pytest.approx(alone.excitation_energies, abs=1e-5)


def test_a_model_that_is_not_positive_definite_is_done_without(ground, singlets, with_model, monkeypatch):
    lines = []
    monkeypatch.setattr(driver, "fitted_kernel", lambda kernel, tensor: -10.0 * np.eye(tensor.auxiliary.nao))
    states = cqc.run_tddft(ground, FOUR, progress=lambda fraction, line: lines.append(line))
    assert any("without it" in line for line in lines)
    assert states.excitation_energies == pytest.approx(singlets.excitation_energies, abs=1e-7)


@pytest.mark.parametrize(("spin", "tda"), [("singlet", False), ("triplet", False), ("singlet", True)])
def test_model_saves_pairs_and_changes_no_root(ground, spin, tda, monkeypatch):
    counted = []

    def counting(*args, **kwargs):
        solution = solver.solve(*args, **kwargs)
        counted.append(solution.pairs)
        return solution

    monkeypatch.setattr(driver, "solve", counting)
    method = cqc.TDDFTMethod(nstates=8, spin=spin, tda=tda, tolerance=1e-5)
    plain = cqc.run_tddft(ground, method)
    monkeypatch.setattr(driver, "_MODEL_MIN_SIZE", 0)
    guided = cqc.run_tddft(ground, method)
    without, _, with_model = counted
    # A tenth of the fitting functions of four atoms is little; larger molecules gain a factor of two.
    assert with_model < 0.85 * without
    # Products are in single precision (6e-8 of about a hartree) and the two ways add other vectors.
    assert guided.excitation_energies == pytest.approx(plain.excitation_energies, abs=5e-7)


@pytest.mark.usefixtures("with_model")
def test_fast_route_is_within_its_error_estimate(ground):
    method = cqc.TDDFTMethod(nstates=12, tolerance=1e-4)
    reference = cqc.run_tddft(ground, method)
    fast = cqc.run_tddft(ground, replace(method, route="fast"))
    deviation = np.abs(fast.excitation_energies - reference.excitation_energies)
    assert fast.converged.all()
    assert (deviation <= fast.error_estimates).all()
    assert deviation.max() < 0.005 * electronvolt
    assert [state.route for state in fast][:2] == ["reference", "fast"]
    r, r_fast = (cqc.rotatory_strengths(states) / rotatory_strength_cgs for states in (reference, fast))
    assert r_fast == pytest.approx(r, abs=0.5)  # states whose error is 1 meV mix by about a per cent


def test_window_gives_every_state_below_its_end_and_no_other(ground):
    ten = cqc.run_tddft(ground, cqc.TDDFTMethod(nstates=10, tolerance=1e-4))
    energies = ten.excitation_energies
    end = 0.5 * (energies[5] + energies[6])
    inside = cqc.run_tddft(ground, cqc.TDDFTMethod(window=end, tolerance=1e-4))
    assert inside.excitation_energies == pytest.approx(energies[:6], abs=1e-6)
    below_all = cqc.run_tddft(ground, cqc.TDDFTMethod(window=0.5 * energies[0], tolerance=1e-4))
    assert below_all.excitation_energies == pytest.approx(energies[:1], abs=1e-6)


@pytest.mark.parametrize("settings", [{}, {"nstates": 3, "window": 0.2}, {"window": -1.0}, {"window": 3.5}])
def test_states_are_asked_for_by_number_or_by_window(settings):
    with pytest.raises(cqc.errors.InputError, match="window"):
        cqc.TDDFTMethod(**settings)
