"""The numbered examples run from the stored results and write their figures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
FUNCTIONALS = EXAMPLES / "09_functionals.py"
SCRIPTS = sorted(EXAMPLES.glob("[0-9]*.py"))


def python(*arguments, cwd):
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_example(script, tmp_path):
    done = python(script, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    written = list((tmp_path / "figures").iterdir())
    assert written
    assert all(path.stat().st_size > 10_000 for path in written)


def test_functionals_without_results_and_with_those_of_a_small_molecule(tmp_path):
    """Hydrogen peroxide in a minimal basis has no band near those of the film, and the table says so."""
    done = python(FUNCTIONALS, tmp_path, cwd=tmp_path)
    assert done.returncode == 2
    assert f"there are no results in {tmp_path}" in done.stderr
    assert "cluster-qc campaign examples/functionals.toml" in done.stderr
    xyz = "4\n\nO 0 0.695 -0.0925\nO 0 -0.695 -0.0925\nH -0.388 0.895 0.740\nH 0.388 -0.895 0.740\n"
    (tmp_path / "h2o2.xyz").write_text(xyz)
    options = "--basis sto-3g --preset quick --states 5 --no-pictures --quiet".split()
    names = ("hf", "pbe0")
    for name in names:
        run = ("-m", "cluster_qc", "run", "h2o2.xyz", "--functional", name, *options, "-o", name)
        assert python(*run, cwd=tmp_path).returncode == 0
    done = python(FUNCTIONALS, tmp_path, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "figures" / "functionals.png").stat().st_size > 10_000
    runs = json.loads((tmp_path / "functionals.json").read_text())
    assert [run["functional"] for run in runs] == list(names)
    assert done.stdout.count("measured 351 nm +: not computed") == len(names)
    for run in runs:
        summary = json.loads((tmp_path / run["functional"] / "summary.json").read_text())
        for state, known in zip(run["singlets"], summary["singlets"], strict=True):
            assert state["rotatory_strength_length_cgs"] == known["rotatory_strength_length_cgs"]


def test_campaign_of_functionals_is_valid():
    from cluster_qc.drivers.mole import check_functional
    from cluster_qc.workflow.campaign.expand import CampaignFile
    from cluster_qc.workflow.toml_input import read_toml

    path = EXAMPLES / "functionals.toml"
    campaign = read_toml(path, CampaignFile)
    assert all((path.parent / structure).is_file() for structure in campaign.structures)
    for functional in campaign.functionals:
        check_functional(functional)


def test_stored_free_ligands_are_mirror_images_although_each_was_computed():
    runs = json.loads((EXAMPLES / "results" / "free_ligands" / "free_ligands.json").read_text())
    assert len(runs["R"]) == len(runs["S"])
    for r, s in zip(runs["R"], runs["S"], strict=True):
        assert (r["cip"], s["cip"]) == (["R"], ["S"])
        assert r["converged"]
        assert s["converged"]
        # Soft torsions are relaxed to 0.005 eV/A, the grid turns with the molecule's frame: 0.1 and 1.3 meV were found.
        assert s["gfn2_energy_ev"] == pytest.approx(r["gfn2_energy_ev"], abs=5e-4)
        assert s["total_energy_hartree"] == pytest.approx(r["total_energy_hartree"], abs=1e-4)
        assert len(r["singlets"]) == len(s["singlets"])
        for first, second in zip(r["singlets"], s["singlets"], strict=True):
            assert second["energy_ev"] == pytest.approx(first["energy_ev"], abs=2e-3)
            assert second["oscillator_strength"] == pytest.approx(first["oscillator_strength"], abs=2e-3)
            for gauge in ("length", "velocity"):
                key = f"rotatory_strength_{gauge}_cgs"
                assert second[key] == pytest.approx(-first[key], abs=0.5)  # of up to 52; 0.4 was found
