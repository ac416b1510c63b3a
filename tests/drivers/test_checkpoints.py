"""Interrupted calculations go on from their checkpoints, and from nothing that is not theirs."""

from dataclasses import replace

import numpy as np
import pytest

import cluster_qc as cqc
from cluster_qc import hashing
from cluster_qc.drivers.checkpoint import Checkpoint
from cluster_qc.drivers.tddft import driver, trial_space
from cluster_qc.units import angstrom

H2O2 = cqc.Cluster(
    "h2o2",
    ("O", "O", "H", "H"),
    np.array([[0, 0.695, -0.0925], [0, -0.695, -0.0925], [-0.388, 0.895, 0.74], [0.388, -0.895, 0.74]])
    * angstrom,
)
PBE = cqc.DFTMethod("pbe", basis="6-31g", grid_level=2, conv_tol=1e-10)
FOUR = cqc.TDDFTMethod(nstates=4, tolerance=1e-5)


class Interrupted(Exception):
    """In place of a signal."""


def run(calculate, *arguments, stop=None, **options):
    """Result and lines of a calculation; None as the result if a line that begins with `stop` stopped it."""
    lines = []

    def progress(_fraction, line):
        lines.append(line)
        if stop is not None and line.startswith(stop):
            raise Interrupted

    try:
        return calculate(*arguments, progress=progress, **options), lines
    except Interrupted:
        return None, lines


@pytest.fixture(scope="module")
def ground():
    return cqc.run_scf(H2O2, PBE)


def stages(ground):
    return [cycle.stage for cycle in ground.history]


def test_history_ends_at_the_result(ground):
    last = ground.history[-1]
    assert last.energy == pytest.approx(ground.energy, abs=PBE.conv_tol)
    assert last.gradient < np.sqrt(PBE.conv_tol)
    assert len(ground.history) == ground.cycles
    assert stages(ground) == sorted(stages(ground))  # coarse, then final


@pytest.mark.parametrize("stop", ["SCF coarse cycle 3", "SCF final cycle 3"])
def test_scf_goes_on(ground, tmp_path, stop):
    checkpoint = tmp_path / "scf"
    assert run(cqc.run_scf, H2O2, PBE, checkpoint=checkpoint, stop=stop)[0] is None
    again, lines = run(cqc.run_scf, H2O2, PBE, checkpoint=checkpoint)
    assert any(line.startswith("goes on after cycle") for line in lines)
    assert not any("guess" in line for line in lines)
    assert again.energy == pytest.approx(ground.energy, abs=1e-9)
    assert any("coarse" in line for line in lines) == ("coarse" in stop)
    assert stages(again)[:2] == ["coarse", "coarse"]  # the cycles of the first part, too
    assert sum(cycle.stage != "double" for cycle in again.history) == again.cycles
    assert [p.name for p in tmp_path.iterdir()] == ["scf"]


def test_remarks_of_the_time_before_are_kept(ground, tmp_path):
    """What had to be repaired before the interruption is told after it."""
    hard = replace(PBE, max_cycle=2, conv_tol=1e-9)
    whole = cqc.run_scf(H2O2, hard)
    assert any("coarse" in remark for remark in whole.remarks)
    checkpoint = tmp_path / "scf"
    run(cqc.run_scf, H2O2, hard, checkpoint=checkpoint, stop="SCF final cycle 2")
    again = cqc.run_scf(H2O2, hard, checkpoint=checkpoint)
    assert whole.remarks[0] in again.remarks


@pytest.mark.parametrize("tda", [False, True])
def test_excited_states_go_on(ground, tmp_path, monkeypatch, tda):
    """From the model's trial vectors while the model runs, then from those of the full operator."""
    monkeypatch.setattr(driver, "_MODEL_MIN_SIZE", 0)
    method = replace(FOUR, tda=tda)
    checkpoint = tmp_path / "singlets"
    whole, lines = run(cqc.run_tddft, ground, method)
    assert any(line.startswith("model cycle 2") for line in lines)
    run(cqc.run_tddft, ground, method, checkpoint=checkpoint, stop="model cycle 2")
    _, lines = run(cqc.run_tddft, ground, method, checkpoint=checkpoint, stop="cycle 2: ")
    assert any("vectors of the model" in line for line in lines)
    states, lines = run(cqc.run_tddft, ground, method, checkpoint=checkpoint)
    assert any("vectors of the full operator" in line for line in lines)
    assert not any(line.startswith("model") for line in lines)
    for found in (whole.history, states.history):  # the cycles of all three parts, in order
        operators = [cycle.operator for cycle in found]
        assert operators == sorted(operators, reverse=True)
        assert set(operators) == {"model", "full"}
        assert (found[-1].converged, found[-1].residual < FOUR.tolerance) == (4, True)
        assert found[-1].highest == pytest.approx(states.excitation_energies[-1], abs=1e-6)
    assert len(states.history) >= len(whole.history)
    # Second order in the residuals of 1e-5, and the rounding of products in single precision.
    assert states.excitation_energies == pytest.approx(whole.excitation_energies, abs=1e-6)


@pytest.mark.parametrize("change", ["revision", "orbitals", "versions"])
def test_trial_vectors_of_something_else_are_left_alone(ground, tmp_path, monkeypatch, change):
    checkpoint = tmp_path / "singlets"
    run(cqc.run_tddft, ground, FOUR, checkpoint=checkpoint, stop="cycle 3: ")
    if change == "revision":
        monkeypatch.setattr(hashing, "REVISIONS", {**hashing.REVISIONS, "trial space": 99})
    elif change == "orbitals":
        ground = replace(ground, coefficients=-ground.coefficients)
    else:
        monkeypatch.setattr(trial_space, "versions", lambda: {"pyscf": "0.0"})
    _, lines = run(cqc.run_tddft, ground, FOUR, checkpoint=checkpoint)
    assert not any("interrupted" in line for line in lines)


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "text", "folder"])
def test_damaged_checkpoint_is_passed_over(tmp_path, damage):
    path = tmp_path / "checkpoint"
    Checkpoint(path).write("key", u=np.arange(1000.0))
    lines = []
    stored = Checkpoint(path).read("key", lambda _, line: lines.append(line))
    assert list(stored["u"]) == list(range(1000))
    assert Checkpoint(path).read("another key", lambda _, line: lines.append(line)) is None
    assert lines == []
    content = path.read_bytes()
    if damage == "folder":
        path.unlink()
        path.mkdir()
    else:
        flipped = bytearray(content)
        flipped[5000] ^= 1
        path.write_bytes(
            {"empty": b"", "cut": content[:3000], "flipped": bytes(flipped), "text": b"x"}[damage]
        )
    assert Checkpoint(path).read("key", lambda _, line: lines.append(line)) is None
    assert "is damaged: this begins anew" in lines[0]


def test_nothing_in_a_checkpoint_is_unpickled(tmp_path):
    path = tmp_path / "checkpoint"
    with path.open("wb") as file:
        np.savez(file, key=np.array("key"), u=np.array([object()], dtype=object))
    assert Checkpoint(path).read("key", lambda *_: None) is None


def test_files_and_folders_may_be_named_by_texts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    hydrogen = cqc.Cluster("h2", ("H", "H"), np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 1.4]]))
    ground = cqc.run_scf(hydrogen, cqc.DFTMethod("hf", basis="sto-3g"), checkpoint="scf", scratch="large")
    cqc.run_tddft(ground, cqc.TDDFTMethod(nstates=1), checkpoint="states", scratch="large")
    assert (tmp_path / "scf").is_file()
    assert (tmp_path / "states").is_file()
