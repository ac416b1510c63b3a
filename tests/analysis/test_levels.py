"""Rows of the levels: identities between them, and what is absent says why."""

from dataclasses import replace

import numpy as np
import pytest

from cluster_qc.analysis.levels import Calculation, calculation_summary, level_rows, level_warnings
from cluster_qc.model import ChargeStates, Cluster, DFTMethod, GroundState, UPSReference, ion_of
from cluster_qc.units import electronvolt

CLUSTER = Cluster("hf", ("H", "F"), [[0, 0, 0], [0, 0, 1.7]])
REFERENCE = UPSReference(homo=-6.0 * electronvolt, source="a film")


def state(cluster, energy_ev, **changes):
    values = {
        "method": DFTMethod("pbe0"),
        "orbital_energies": np.array([[-5.0, 1.0]]) * electronvolt,
        "coefficients": np.eye(2)[None],
        "occupations": [[2.0, 0.0]],
        "overlap": np.eye(2),
        "ao_atoms": [0, 1],
        "core_electrons": [0, 0],
        "dipole": [0, 0, 1],
        "s_squared": 0.0 if cluster.multiplicity == 1 else 0.75,
        "converged": True,
    }
    return GroundState(cluster=cluster, energy=energy_ev * electronvolt, **{**values, **changes})


def calculation(name="first", *, affinity_ev=1.0, cation=None, **method):
    used = DFTMethod("pbe0", **method)
    states = ChargeStates(
        state(CLUSTER, 0.0, method=used),
        state(ion_of(CLUSTER, 1), 7.0, **{"method": used, **(cation or {})}),
        state(ion_of(CLUSTER, -1), -affinity_ev, method=used),
    )
    return Calculation(name, used, states)


def table(*calculations, **settings):
    settings = {"optical_gap": 4.0 * electronvolt, "reference": REFERENCE, **settings}
    rows = level_rows(calculations, **settings)
    return {(row["quantity"], row["calculation"]): row for row in rows}


def test_levels_are_consistent():
    rows = {quantity: row["value_ev"] for (quantity, _), row in table(calculation()).items()}
    assert rows["ionization_level"] == pytest.approx(-7.0)
    assert rows["affinity_level"] == pytest.approx(-1.0)
    assert rows["fundamental_gap"] == pytest.approx(rows["affinity_level"] - rows["ionization_level"])
    assert rows["exciton_binding"] == pytest.approx(rows["fundamental_gap"] - rows["optical_gap"])
    assert rows["kohn_sham_gap"] == pytest.approx(rows["kohn_sham_lumo"] - rows["kohn_sham_homo"])


def test_only_levels_that_a_photoelectron_shows_are_compared():
    compared = {q: row["deviation_ev"] for (q, _), row in table(calculation()).items() if row["measured_ev"]}
    assert compared == {
        "kohn_sham_homo": pytest.approx(1.0),
        "ionization_level": pytest.approx(-1.0),
    }
    assert all(row["measured_ev"] is None for row in table(calculation(), reference=None).values())


def test_an_orbital_level_says_that_it_is_no_ionization_energy():
    rows = table(calculation())
    assert "not an ionization energy" in rows["kohn_sham_homo", "first"]["caveat"]
    assert "no electron affinity" in rows["kohn_sham_lumo", "first"]["caveat"]
    assert "polarisation of the neighbours" in rows["ionization_level", "first"]["caveat"]
    polarised = table(calculation(), calculation("second", permittivity=3.0))
    assert "equilibrium" in polarised["ionization_level", "second"]["caveat"]
    assert "ground state alone" in polarised["kohn_sham_homo", "second"]["caveat"]
    # The excitations are those of the run, in vacuum.
    assert ("optical_gap", "second") not in polarised


def test_an_unconverged_ion_is_absent_with_its_reason():
    rows = table(calculation(cation={"converged": False}))
    for quantity in ("ionization_level", "fundamental_gap", "exciton_binding"):
        row = rows[quantity, "first"]
        assert (row["value_ev"], row["deviation_ev"]) == (None, None)
        assert "cation did not converge" in row["reason"]
    assert rows["affinity_level", "first"]["value_ev"] == pytest.approx(-1.0)
    (text,) = [w for w in level_warnings([calculation(cation={"converged": False})]) if "converge" in w]
    assert "not used" in text


def test_without_excited_states_there_is_no_exciton():
    rows = table(calculation(), optical_gap=None, optical_reason="none yet")
    assert rows["optical_gap", "first"]["reason"] == rows["exciton_binding", "first"]["reason"] == "none yet"


def test_warnings():
    def warned(of, word):
        return any(word in text for text in level_warnings([of]))

    assert warned(calculation(), "no diffuse functions")
    assert not warned(calculation(basis="def2-svpd"), "no diffuse functions")
    assert not warned(calculation(basis="aug-cc-pvdz"), "no diffuse functions")
    assert warned(calculation(basis="def2-svpd", basis_overrides=(("H", "def2-svp"),)), "no diffuse")
    assert warned(calculation(affinity_ev=-0.5), "one of the basis set")
    assert not warned(calculation(), "one of the basis set")
    assert warned(calculation(cation={"s_squared": 0.9}), "<S^2> of the cation is 0.90")
    assert not warned(calculation(cation={"s_squared": 0.76}), "<S^2>")
    assert warned(calculation(cation={"remarks": ("a fallback",)}), "cation: a fallback")


def test_a_calculation_without_states_says_why():
    missing = replace(calculation("tuned"), states=None, reason="no omega")
    row = table(calculation(), missing)["kohn_sham_homo", "tuned"]
    assert (row["value_ev"], row["reason"]) == (None, "no omega")
    assert calculation_summary(missing)["reason"] == "no omega"
    summary = calculation_summary(calculation())
    assert summary["states"]["cation"]["charge"] == 1
    assert summary["states"]["anion"]["s_squared"] == 0.75
