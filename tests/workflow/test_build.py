"""Building clusters as users do: files in, candidates out, resumed, refused."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import cluster_qc as cqc
from cluster_qc.errors import InputError

CORE = Path(__file__).parents[2] / "structures" / "cu2au2_tfa.xyz"


def test_candidates_are_relaxed_ranked_written_and_resumed(tmp_path):
    core = cqc.read_xyz(CORE, charge=0)
    first = cqc.build_cluster(core, "S=C(C)N", handedness="both", limit=1, directory=tmp_path)
    summary = json.loads((tmp_path / "candidates.json").read_text())
    assert [entry["formula"] for entry in summary["candidates"]] == ["C8H16Au2Cu2N4S4"] * len(first)
    assert sum(candidate.weight for candidate in first) == pytest.approx(1)
    assert first[0].relative_energy == 0
    assert all(candidate.converged for candidate in first)
    # An achiral ligand on both hands of the core: mirror images, which count once.
    assert len(first) == 1
    again = cqc.build_cluster(core, "S=C(C)N", handedness="both", limit=1, directory=tmp_path)
    assert again[0].energy == first[0].energy
    written = cqc.read_xyz(tmp_path / summary["candidates"][0]["file"], charge=0)
    np.testing.assert_allclose(written.coords, first[0].cluster.coords, atol=1e-7)


def test_an_interrupted_relaxation_goes_on_from_its_last_geometry(tmp_path, monkeypatch):
    core = cqc.read_xyz(CORE, charge=0)
    from cluster_qc.drivers import optimize

    whole = optimize.relax_xtb

    def killed(cluster, *, keep, **options):
        keep(cluster, "one step")
        raise KeyboardInterrupt

    monkeypatch.setattr(optimize, "relax_xtb", killed)
    with pytest.raises(KeyboardInterrupt):
        cqc.build_cluster(core, "S=CN", limit=1, directory=tmp_path)
    assert len(list((tmp_path / ".work").glob("*.part.json"))) == 1
    monkeypatch.setattr(optimize, "relax_xtb", whole)
    assert cqc.build_cluster(core, "S=CN", limit=1, directory=tmp_path)[0].converged
    assert not list((tmp_path / ".work").glob("*.part.json"))


def test_a_candidate_that_became_another_molecule_is_left_out(tmp_path, monkeypatch):
    from cluster_qc.drivers import optimize

    whole = optimize.relax_xtb

    def broken(cluster, **options):
        moved = np.array(cluster.coords)
        moved[-1] += 20.0  # a hydrogen leaves
        return replace(whole(cluster, **options), cluster=cluster.with_coords(moved))

    monkeypatch.setattr(optimize, "relax_xtb", broken)
    with pytest.raises(InputError, match="no candidate kept its bonds"):
        cqc.build_cluster(cqc.read_xyz(CORE, charge=0), "S=CN", limit=1, directory=tmp_path)


def test_without_relaxing_there_is_no_energy():
    (candidate,) = cqc.build_cluster(cqc.read_xyz(CORE, charge=0), "S=CN", relax="none", limit=1)
    assert (candidate.energy, candidate.weight, candidate.relative_energy) == (None, None, None)
    with pytest.raises(InputError, match="relax is"):
        cqc.build_cluster(cqc.read_xyz(CORE, charge=0), "S=CN", relax="xtb")
    with pytest.raises(InputError, match="vibrations"):
        cqc.build_cluster(cqc.read_xyz(CORE, charge=0), "S=CN", vibrations=True)


def command(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cluster_qc", *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )


def test_the_command(tmp_path):
    done = command(
        "build", "--core", str(CORE), "--ligand", "S=CN", "--relax", "none", "-o", "new", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "_01_P.xyz" in done.stdout
    assert (tmp_path / "new" / "candidates.json").exists()
    charged = command(
        "build", "--core", "cu2au2", "--ligand", "S=CN", "--charge", "2", "-o", "bad", cwd=tmp_path
    )
    assert (charged.returncode, "leave --charge out" in charged.stderr) == (2, True)
    for ligand, message in (("S=C(N", "not a valid SMILES"), ("CCO", "no N-C-S group")):
        bad = command("build", "--core", str(CORE), "--ligand", ligand, "-o", "bad", cwd=tmp_path)
        assert (bad.returncode, message in bad.stderr) == (2, True)
        assert "Traceback" not in bad.stderr
        assert not (tmp_path / "bad").exists()


def test_an_unknown_core_is_told_the_names():
    from cluster_qc.workflow.build import build_from_files

    with pytest.raises(InputError, match="no core 'au3'") as refusal:
        build_from_files(Path("au3"), ["S=C1NCCS1"], charge=None, disorder="major")
    assert "cu2au2" in str(refusal.value.fix)
