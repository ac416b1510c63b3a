"""The plan before the start: estimates that hold, refusals in time."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import cluster_qc as cqc
from cluster_qc.drivers import plan as plans
from cluster_qc.drivers.memory import available_bytes
from cluster_qc.drivers.plan import plan_job
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
    plan = plan_job(cluster, METHOD, STANDARD)
    assert plan.nao == 1086
    assert 6 * 2**30 < plan.memory < 16 * 2**30
    assert "GiB" in str(plan)


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
