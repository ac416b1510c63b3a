import json

import pytest

from cluster_qc.analysis.alignment import align_with_ups, alignment_summary
from cluster_qc.errors import InputError, NotConvergedError, UnavailableError
from cluster_qc.model import UPSReference
from cluster_qc.units import electronvolt


@pytest.mark.parametrize(("measured", "agrees"), [(-6.0, True), (-6.45, True), (-5.8, False)])
def test_agreement_is_decided_by_the_tolerance_alone(fabricate, measured, agrees):
    found = align_with_ups(fabricate.ground_state(), UPSReference(measured * electronvolt))
    assert found.agrees is agrees
    assert found.deviation == pytest.approx((-6.2 - measured) * electronvolt)
    assert found.ionization_energy == -found.homo
    assert "not an ionization energy" in found.caveat


def test_summary_is_json_with_units(fabricate):
    found = alignment_summary(
        align_with_ups(fabricate.ground_state(), UPSReference(-6.0 * electronvolt, source="film"))
    )
    assert json.loads(json.dumps(found)) == found
    assert found["homo_ev"] == pytest.approx(-6.2)
    assert found["measured_uncertainty_ev"] is None


@pytest.mark.parametrize("homo", [6.0 * electronvolt, 0.0, -6.0, float("nan")])
def test_a_reference_in_another_unit_or_of_another_sign_is_refused(homo):
    with pytest.raises(InputError, match="hartree, which is") as caught:
        UPSReference(homo)
    assert "* electronvolt" in caught.value.fix
    with pytest.raises(InputError, match="uncertainty"):
        UPSReference(-0.2, uncertainty=0.0)


def test_helium_has_the_deepest_homo_that_a_reference_may_have():
    assert UPSReference(-24.59 * electronvolt).homo < -0.9


def test_what_cannot_be_compared_is_refused(fabricate):
    ground = fabricate.ground_state()
    with pytest.raises(InputError, match="tolerance"):
        align_with_ups(ground, UPSReference(-0.2), tolerance=0.0)
    with pytest.raises(UnavailableError, match="Fermi"):
        align_with_ups(ground, UPSReference(-0.05, reference_level="Fermi"))
    with pytest.raises(NotConvergedError):
        align_with_ups(fabricate.ground_state(converged=False), UPSReference(-0.2))
