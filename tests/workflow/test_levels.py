"""The levels of a run's folder: stored, resumed, and taken over by the run."""

import csv
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

import cluster_qc as cqc
from cluster_qc import store
from cluster_qc.drivers import plan
from cluster_qc.errors import ResourceError, StorageError
from cluster_qc.units import angstrom
from cluster_qc.workflow.levels import run_levels, stored_levels
from cluster_qc.workflow.status import run_statuses

WATER = cqc.Cluster(
    "water", ("O", "H", "H"), np.array([[0, 0, 0], [0, 0.757, 0.587], [0, -0.757, 0.587]]) * angstrom
)
METHOD = cqc.DFTMethod("pbe0", basis="sto-3g", grid_level=0, conv_tol=1e-6)


@pytest.fixture(scope="module")
def ground():
    return cqc.run_scf(WATER, METHOD)


@pytest.fixture(scope="module")
def computed(ground, tmp_path_factory):
    """A run that is at its excited states: a ground state and no summary yet."""
    folder = tmp_path_factory.mktemp("run")
    store.put(folder, ground)
    run_levels(folder, permittivity=3.0, quiet=True)
    return folder


@pytest.fixture
def folder(computed, tmp_path):
    return shutil.copytree(computed, tmp_path / "run")


def records(folder):
    return {p.parent.name: p.stat().st_mtime_ns for p in (folder / "levels").glob("*/record.json")}


def test_table_is_written_whole(folder, ground):
    table = json.loads((folder / "levels.json").read_text())
    assert table["converged"] is True
    values = {(row["quantity"], row["calculation"]): row["value_ev"] for row in table["rows"]}
    vacuum, polarised = (c["name"] for c in table["calculations"])
    assert values["ionization_level", vacuum] < values["ionization_level", polarised] < 0
    assert values["fundamental_gap", polarised] < values["fundamental_gap", vacuum]
    reasons = {row["quantity"]: row["reason"] for row in table["rows"]}
    assert reasons["optical_gap"] == "the run has no excited states yet"
    with open(folder / "levels.csv", newline="") as stream:
        assert len(list(csv.DictReader(stream))) == len(table["rows"])
    assert all((folder / record).is_dir() for record in table["provenance"]["records"])
    # The ground state in vacuum is the run's own; nothing but records, lock and log is left behind.
    assert len(records(folder)) == 5
    left = {p.name for p in (folder / "levels").iterdir() if not p.name.startswith("scf-")}
    assert left == {".lock", "run.log"}


def test_status_of_the_folder(folder):
    (status,) = run_statuses(folder / "levels")
    assert status.state == "done"
    assert set(status.timings_s) == {"ground", "cation", "anion"}


def test_again_computes_nothing_and_more_computes_only_that(folder):
    before = records(folder)
    run_levels(folder, permittivity=3.0, quiet=True)
    assert records(folder) == before
    run_levels(folder, permittivity=5.0, quiet=True)
    after = records(folder)
    assert after.items() > before.items()
    assert len(after) == len(before) + 3


def test_a_small_machine_prints_what_a_large_one_computed(folder, monkeypatch):
    monkeypatch.setattr(plan, "available_bytes", lambda: 1000)
    run_levels(folder, permittivity=3.0, quiet=True)
    with pytest.raises(ResourceError):
        run_levels(folder, permittivity=7.0, quiet=True)


def test_a_killed_call_goes_on(folder):
    whole = records(folder)
    last = max(whole, key=whole.__getitem__)
    shutil.rmtree(folder / "levels" / last)
    run_levels(folder, permittivity=3.0, quiet=True)
    again = records(folder)
    assert {name for name in whole if again[name] != whole[name]} == {last}


def test_the_run_takes_the_table_of_its_own_ground_state_only(folder, ground):
    assert stored_levels(folder, ground)["formula"] == "H2O"
    other = replace(ground, method=replace(METHOD, functional="pbe"))
    assert stored_levels(folder, other) is None
    assert stored_levels(folder / "levels", ground) is None
    (folder / "levels.json").write_text("{")
    with pytest.raises(StorageError, match="damaged"):
        stored_levels(folder, ground)


def test_without_a_ground_state_nothing_is_written(tmp_path, ground):
    with pytest.raises(StorageError, match="no ground states"):
        run_levels(tmp_path, quiet=True)
    store.put(tmp_path, replace(ground, converged=False))
    with pytest.raises(cqc.NotConvergedError):
        run_levels(tmp_path, quiet=True)
    store.put(tmp_path, replace(ground, method=replace(METHOD, functional="pbe")))
    with pytest.raises(StorageError, match="2 ground states"):
        run_levels(tmp_path, quiet=True)
    assert not (tmp_path / "levels").exists()
    (tmp_path / "h2.xyz").touch()
    with pytest.raises(StorageError, match="is a file, not a results folder"):
        run_levels(tmp_path / "h2.xyz", quiet=True)


def test_a_copy_without_its_records_says_how_to_get_them(tmp_path):
    summary = {"schema_version": 1, "provenance": {"records": {"scf": "scf-12345678"}}}
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    with pytest.raises(StorageError, match="has no scf") as refusal:
        run_levels(tmp_path, quiet=True)
    assert "run command again" in refusal.value.fix


def test_an_unconverged_ion_is_marked(tmp_path, ground):
    store.put(tmp_path, replace(ground, method=replace(METHOD, max_cycle=1, conv_tol=1e-13)))
    table = run_levels(tmp_path, quiet=True)
    ions = table["calculations"][0]["states"]
    absent = {row["quantity"] for row in table["rows"] if row["value_ev"] is None}
    for name, quantity in (("cation", "ionization_level"), ("anion", "affinity_level")):
        assert ions[name]["converged"] == (quantity not in absent)
    assert table["converged"] == (ions["cation"]["converged"] and ions["anion"]["converged"])


def test_tuning_is_in_the_table(tmp_path, ground, monkeypatch):
    from cluster_qc.analysis import tuning

    monkeypatch.setattr(tuning, "_MAX_TRIALS", 2)
    store.put(tmp_path, ground)
    table = run_levels(tmp_path, tuned=True, permittivity=3.0, quiet=True)
    assert [c["tuned"] for c in table["calculations"]] == [False, False, True, True]
    found = table["tuning"]
    assert found["omega_per_bohr"] in [trial["omega_per_bohr"] for trial in found["trials"]]
    assert found["error_ev"] == min(trial["error_ev"] for trial in found["trials"])
    assert {c["omega_per_bohr"] for c in table["calculations"][2:]} == {found["omega_per_bohr"]}
    assert any("anion that is not bound" in text for text in table["warnings"])
