"""What this process may use."""

import os

import pytest

from cluster_qc.drivers import blas
from cluster_qc.provenance import allowed_cores, threads


def test_a_container_s_share_of_the_processor_counts(tmp_path):
    affinity = len(os.sched_getaffinity(0))
    assert allowed_cores(tmp_path) == affinity
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert allowed_cores(tmp_path) == affinity
    (tmp_path / "cpu.max").write_text("100000 100000\n")
    assert allowed_cores(tmp_path) == 1


@pytest.mark.parametrize("name", ["OMP_NUM_THREADS", "SLURM_CPUS_PER_TASK"])
def test_environment_and_batch_system_go_first(monkeypatch, name):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv(name, "3")
    assert threads() == 3
    monkeypatch.setenv(name, "nonsense")
    assert threads() == allowed_cores()


def test_every_library_is_measured():
    found = {library.name: library for library in blas.measure(size=300)}
    assert set(found) == {"numpy", "scipy", "pyscf"}
    assert all(library.gflops_double > 0 and library.threads >= 1 for library in found.values())
