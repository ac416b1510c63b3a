"""What `cluster-qc parts` prints of numbers that round to nothing."""

from pathlib import Path

from cluster_qc.workflow.rotatory_parts import parts_text


def table(strength):
    state = {
        "label": "S1",
        "energy_ev": 3.0,
        "rotatory_strength_cgs": strength,
        "parts_cgs": {"core": strength},
        "orbital_pairs": [{"from": "HOMO", "to": "LUMO", "part_cgs": strength}],
    }
    return {
        "fwhm_ev": 0.3,
        "shift_ev": 0.0,
        "gauge": "velocity",
        "bands": [],
        "states": [state],
        "remarks": [],
    }


def test_states_that_rotate_nothing_are_not_listed_as_strongest():
    assert "S1 3.00 eV, R -7.0" in parts_text(Path("run"), table(-7.0))
    achiral = parts_text(Path("run"), table(-1e-7))
    assert "none: all are below 0.05" in achiral
    assert "0.0," not in achiral
