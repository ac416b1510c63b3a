import dataclasses
import json

import numpy as np
import pytest

from cluster_qc.errors import StorageError
from cluster_qc.model import (
    Cluster,
    DFTMethod,
    ExcitedStates,
    GroundState,
    SCFCycle,
    TDDFTCycle,
    TDDFTMethod,
)
from cluster_qc.units import fine_structure
from cluster_qc.workflow import summary, summary_file


@pytest.fixture
def ground():
    return GroundState(
        cluster=Cluster("auh", ("Au", "H"), [[0, 0, 0], [0, 0, 2.9]]),
        method=DFTMethod("pbe0"),
        energy=-1.0,
        orbital_energies=[[-0.3, -0.05]],
        coefficients=np.eye(2)[None],
        occupations=[[2.0, 0.0]],
        overlap=np.eye(2),
        ao_atoms=[0, 1],
        core_electrons=[60, 0],
        dipole=[0, 0, 1],
        s_squared=0.0,
        converged=True,
        remarks=("a fallback was needed",),
    )


def excited(ground, spin="singlet", **changes):
    moments = (
        {}
        if spin == "triplet"
        else {"gauge_origin": [0, 0, 0], "electric": [[0, 0, 1]], "magnetic": [[0, 0, 0.1]]}
    )
    values = {
        "excitation_energies": [0.2],
        "error_estimates": [1e-6],
        "converged": [True],
        "occupied": [0],
        "virtual": [1],
        "x": [[[0.7]]],
        "y": [[[0.0]]],
    }
    return ExcitedStates(ground=ground, method=TDDFTMethod(1, spin=spin), **{**values, **moments, **changes})


def test_what_does_not_exist_is_null_with_its_reason(ground):
    states = excited(ground)
    (row,) = summary.states_summary(states)
    for key in (
        "oscillator_strength_velocity",
        "oscillator_strength_mixed",
        "rotatory_strength_velocity_cgs",
        "rotatory_strength_difference_cgs",
    ):
        assert row[key] is None
    assert row["rotatory_strength_length_cgs"] == pytest.approx(0.1 * 471.4436, rel=1e-5)
    assert "rotatory_strength_velocity_cgs" in summary.reasons_of(states)
    text = " ".join(summary.warnings_of(ground, [states]))
    assert "a fallback was needed" in text
    assert "velocity-form rotatory strengths are absent" in text


def test_velocity_form_is_given_where_it_exists(ground):
    states = excited(ground, velocity=[[0, 0, 0.2]])
    (row,) = summary.states_summary(states)
    assert row["rotatory_strength_velocity_cgs"] == pytest.approx(row["rotatory_strength_length_cgs"])
    assert row["rotatory_strength_difference_cgs"] == pytest.approx(0.0, abs=1e-9)
    for form in ("velocity", "mixed"):
        assert row[f"oscillator_strength_{form}"] == pytest.approx(row["oscillator_strength"])
    assert row["dissymmetry_factor"] == pytest.approx(0.4 * fine_structure)
    assert summary.reasons_of(states) == {}


def test_gauges_of_opposite_sign_are_told(ground):
    opposite = " ".join(summary.warnings_of(ground, [excited(ground, velocity=[[0, 0, -0.2]])]))
    assert "rotatory strengths of S1 have opposite signs in the length and the velocity gauge" in opposite
    same = excited(ground, velocity=[[0, 0, 0.2]])
    tiny = excited(ground, velocity=[[0, 0, -0.2]], magnetic=[[0, 0, 1e-4]])
    for states in (same, tiny, excited(ground), excited(ground, "triplet")):
        assert "opposite signs" not in " ".join(summary.warnings_of(ground, [states]))


def test_which_electrons_are_in_an_ecp_is_told(ground):
    assert summary.levels_summary(ground, {})["ecp_electrons"] == {"Au": 60}


def test_electrons_that_nothing_binds_are_told(ground):
    assert "above the vacuum level" not in " ".join(summary.warnings_of(ground, []))
    unbound = dataclasses.replace(ground, orbital_energies=[[0.1, 0.3]])
    assert "the HOMO lies at +2.72 eV, above the vacuum level" in " ".join(summary.warnings_of(unbound, []))


def test_states_below_the_ground_state_and_in_the_continuum_are_told(ground):
    ground = dataclasses.replace(ground, orbital_energies=[[-0.3, 0.3]])
    for energy, expected in (
        (-0.01, "S1 below the ground state"),
        (0.2, None),
        (0.4, "S1 lies beyond 8.16 eV"),
    ):
        text = " ".join(summary.warnings_of(ground, [excited(ground, excitation_energies=[energy])]))
        for words in ("below the ground state", "lies beyond"):
            assert (words in text) == (expected is not None and words in expected)
        assert expected is None or expected in text


def test_roots_nearer_than_their_errors_are_told(ground):
    def text(distance):
        two = {
            "excitation_energies": [0.15, 0.15 + distance],
            "error_estimates": [1e-6, 1e-4],
            "converged": [True, True],
            "x": [[[0.7]], [[0.7]]],
            "y": [[[0.0]], [[0.0]]],
        }
        moments = {"electric": [[0, 0, 1]] * 2, "velocity": [[0, 0, 0.2]] * 2, "magnetic": [[0, 0, 0.1]] * 2}
        return " ".join(summary.warnings_of(ground, [excited(ground, **two, **moments)]))

    assert "nearer to each other than their errors (S1-S2)" in text(0.5e-4)
    assert "nearer to each other" not in text(2e-4)
    assert "nearer to each other" not in " ".join(summary.warnings_of(ground, [excited(ground, "triplet")]))


def test_triplets_have_no_intensities(ground):
    (row,) = summary.states_summary(excited(ground, "triplet"))
    assert set(row) == {"label", "energy_ev", "wavelength_nm", "error_estimate_ev", "route", "converged"}


def test_unconverged_is_marked_at_its_state(ground):
    states = excited(ground, converged=[False])
    assert summary.states_summary(states)[0]["converged"] is False
    assert "not converged: S1" in summary.warnings_of(ground, [states])
    failed = dataclasses.replace(ground, converged=False, stable=False)
    text = " ".join(summary.warnings_of(failed, []))
    assert "did not converge" in text
    assert "saddle point" in text


def test_history_is_told_and_null_where_none_was_kept(ground):
    told = dataclasses.replace(ground, history=(SCFCycle("final", -1.0, 1e-5),))
    states = {
        "triplets": excited(told, "triplet"),
        "singlets": excited(told, history=(TDDFTCycle("full", 3, 1e-4, 1, 1, 0.2),)),
    }
    found = summary.convergence_summary(told, states)
    assert found["scf"] == [{"stage": "final", "energy_hartree": -1.0, "gradient_hartree": 1e-5}]
    assert found["triplets"] is None
    (cycle,) = found["singlets"]
    assert (cycle["operator"], cycle["vectors"], cycle["converged"], cycle["wanted"]) == ("full", 3, 1, 1)
    assert cycle["largest_residual_hartree"] == 1e-4


def test_summary_file_is_plain_json_and_checked(tmp_path):
    summary_file.write_summary(tmp_path / "summary.json", {"schema_version": 1, "x": [float("nan"), 1.5]})
    assert json.loads((tmp_path / "summary.json").read_text())["x"] == [None, 1.5]
    for text, what in (
        ('{"schema_version": 9}', "schema version 9"),
        ("{", "is damaged"),
        ("[]", "is damaged"),
    ):
        (tmp_path / "summary.json").write_text(text)
        with pytest.raises(StorageError, match=what):
            summary_file.read_summary(tmp_path)


def test_a_folder_of_runs_is_told_from_one_of_a_run(tmp_path):
    with pytest.raises(StorageError, match="no finished run") as refusal:
        summary_file.read_summary(tmp_path)
    assert "cluster-qc run" in refusal.value.fix
    (tmp_path / "water").mkdir()
    summary_file.write_summary(tmp_path / "water" / "summary.json", {"schema_version": 1})
    with pytest.raises(StorageError, match="no finished run") as refusal:
        summary_file.read_summary(tmp_path)
    assert refusal.value.fix.endswith(str(tmp_path / "water"))


def test_every_intensity_of_a_state_has_its_convention(ground):
    (row,) = summary.states_summary(excited(ground, velocity=[[0, 0, 0.2]]))
    told = {"label", "energy_ev", "wavelength_nm", "route", "converged", "error_estimate_ev"}
    for key in set(row) - told:
        assert any(key.startswith(name) for name in summary.CONVENTIONS), key
    assert "error_estimate_ev" in summary.CONVENTIONS
