"""The plan before the start: estimates that hold, refusals in time."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import cluster_qc as cqc
from cluster_qc.drivers import memory
from cluster_qc.drivers import plan as plans
from cluster_qc.drivers.memory import available_bytes
from cluster_qc.drivers.plan import batch_plan, plan_job, plan_levels
from cluster_qc.errors import ResourceError
from cluster_qc.units import angstrom

WATER = cqc.Cluster(
    "water", ("O", "H", "H"), np.array([[0, 0, 0], [0, 0.757, 0.587], [0, -0.757, 0.587]]) * angstrom
)
METHOD = cqc.DFTMethod("pbe0")
STANDARD = cqc.TDDFTMethod(nstates=70, frozen_below=-2.0, virtual_above=1.5, exchange_rank=0.15)
MODELS = Path(__file__).parents[2] / "structures"


def test_the_standard_job_of_96_atoms_fits_16_gib():
    cluster = cqc.read_xyz(MODELS / "cu2au2_r_btt.xyz")
    plan = plan_job(cluster, METHOD, STANDARD, free=22 * 2**30)
    assert plan.nao == 1086
    assert 6 * 2**30 < plan.memory < 16 * 2**30
    assert "GiB" in str(plan)


def test_def2_tzvp_of_96_atoms_fits_20_gib():
    cluster = cqc.read_xyz(MODELS / "cu2au2_r_btt.xyz")
    plan = plan_job(cluster, replace(METHOD, basis="def2-tzvp"), STANDARD, free=22 * 2**30)
    assert plan.on_disk
    assert plan.memory < 20 * 2**30


def test_larger_windows_and_more_states_need_more():
    cluster = cqc.read_xyz(MODELS / "cu2au2_r_btt.xyz")
    small, whole, many = (
        plan_job(cluster, METHOD, method).memory
        for method in (
            STANDARD,
            replace(STANDARD, frozen_below=None, virtual_above=None, exchange_rank=1.0),
            replace(STANDARD, nstates=700),
        )
    )
    assert small < whole
    assert small < many


def test_a_range_separated_functional_needs_a_second_tensor():
    cluster = cqc.read_xyz(MODELS / "cu2au2_tfa.xyz")
    states = cqc.TDDFTMethod(nstates=5)
    one, two = (plan_job(cluster, cqc.DFTMethod(xc), states, free=2**40) for xc in ("pbe0", "cam-b3lyp"))
    assert two.tensor == 2 * one.tensor
    assert two.memory - one.memory > one.tensor  # the response tensors are two as well
    assert two.seconds > one.seconds


def test_values_on_the_grid_are_told_only_where_there_is_a_functional():
    told = [str(plan_job(WATER, cqc.DFTMethod(xc))) for xc in ("hf", "pbe0")]
    assert ["on the grid" in line for line in told] == [False, True]


def test_levels_of_96_atoms_fit_16_gib_and_need_more_with_more():
    """Two spins, then a continuum, then a second tensor; the time is that of several ground states."""
    cluster = cqc.read_xyz(MODELS / "cu2au2_r_btt.xyz")
    polarised = replace(METHOD, permittivity=3.0)
    tuned = replace(METHOD, functional="lc_wpbe")
    plans_ = [
        plan_levels(cluster, [METHOD], None),
        plan_levels(cluster, [METHOD, polarised], None),
        plan_levels(cluster, [METHOD, polarised], tuned),
    ]
    assert plan_job(cluster, METHOD).memory < plans_[0].memory < plans_[1].memory < 16 * 2**30
    seconds = [plan_job(cluster, METHOD).seconds, *(plan.seconds for plan in plans_)]
    assert seconds == sorted(seconds)
    with pytest.raises(cqc.InputError, match="no range separation"):
        plan_levels(cluster, [METHOD], replace(METHOD, omega=0.2))


def test_a_functional_without_response_is_refused_before_its_ground_state():
    with pytest.raises(cqc.InputError, match="Laplacian"):
        plan_job(WATER, replace(METHOD, functional="mgga_x_br89"), STANDARD)
    with pytest.raises(cqc.InputError, match="VV10"):
        plan_job(WATER, replace(METHOD, functional="wb97x_v"), STANDARD)


def test_refused_before_the_start(monkeypatch, tmp_path):
    plan = plan_job(WATER, METHOD)
    with pytest.raises(ResourceError, match="memory"):
        replace(plan, free=10).check(tmp_path)
    with pytest.raises(ResourceError, match="of disk"):
        replace(plan, on_disk=True, tensor=2**62).check(tmp_path / "not" / "there")
    monkeypatch.setattr(plans, "available_bytes", lambda: 1000)
    with pytest.raises(ResourceError) as refusal:
        plan_job(WATER, METHOD).check(tmp_path)
    assert refusal.value.fix


def test_file_cache_of_a_container_counts_as_free(tmp_path):
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.current").write_text("900000\n")
    assert available_bytes(tmp_path) == 100_000
    (tmp_path / "memory.stat").write_text("anon 300000\ninactive_file 600000\nactive_file 1\n")
    assert available_bytes(tmp_path) == 700_000
    (tmp_path / "memory.max").write_text("max\n")
    assert available_bytes(tmp_path) > 1_000_000


def test_the_guess_of_the_time_reproduces_the_measured_runs():
    """36 min for 96 atoms, 100 s for 24 (README), on 2 cores; a form this coarse fits both to a fifth."""
    large = cqc.read_xyz(MODELS / "cu2au2_r_btt.xyz")
    triplets = replace(STANDARD, nstates=5, spin="triplet")
    plan = plan_job(large, METHOD, triplets, replace(STANDARD, route="fast"))
    assert plan.wall_time_s(2) == pytest.approx(36 * 60, rel=0.2)
    assert plan.wall_time_s(1) > plan.wall_time_s(2) > plan.wall_time_s(16)
    small = cqc.read_xyz(MODELS / "cu2au2_tfa.xyz")
    plan = plan_job(small, METHOD, replace(triplets, nstates=2), replace(STANDARD, nstates=6))
    assert plan.wall_time_s(2) == pytest.approx(100, rel=0.2)


def test_what_a_batch_job_asks_for_is_enough_for_it():
    """On a machine with just that memory the same plan is made again, and fits."""
    for name in ("cu2au2_r_btt.xyz", "cu2au2_tfa.xyz"):
        cluster = cqc.read_xyz(MODELS / name)
        asked = batch_plan(cluster, METHOD, STANDARD)
        assert plan_job(cluster, METHOD, STANDARD, free=asked.free) == asked
        assert asked.memory * 1.25 <= asked.free < asked.memory * 2


def test_memory_of_a_batch_job(monkeypatch):
    """What Slurm granted counts, not what the node has."""
    for name in ("SLURM_MEM_PER_NODE", "SLURM_MEM_PER_CPU", "SLURM_CPUS_PER_TASK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(memory, "_meminfo_available", lambda: 2**50)
    monkeypatch.setattr(memory, "_resident", lambda: 2**20)
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "500")
    assert available_bytes() == 499 * 2**20
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "0")  # all of the node
    assert available_bytes() > 499 * 2**20
    monkeypatch.setenv("SLURM_MEM_PER_CPU", "100")
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "4")
    assert available_bytes() == 399 * 2**20
