"""Assignment of a measured CD to one of several candidates: symmetry laws, and what must not be called decided."""

from dataclasses import replace

import numpy as np
import pytest

from cluster_qc.analysis.assignment import CDAssignment, assign_by_cd
from cluster_qc.analysis.comparison import compare_cd
from cluster_qc.analysis.cotton import measured_cotton_bands
from cluster_qc.analysis.spectra import simulate_absorption, simulate_cd
from cluster_qc.errors import InputError
from cluster_qc.model import MeasuredSpectrum
from cluster_qc.units import electronvolt
from cluster_qc.workflow.chiroptics import RunCD, assignment_text

FWHM = 0.2 * electronvolt


def measured(curve, sign=1.0):
    return MeasuredSpectrum(
        "cd", curve.energies[::3], sign * curve.values[::3], relative=True, source="m.csv"
    )


@pytest.fixture
def hands(fabricate):
    """Two curves that are not mirror images of one another, from 3 to 9 eV."""
    energies = np.linspace(3.0, 9.0, 24) * electronvolt
    return [simulate_cd(fabricate.excited_states(24, seed, energies=energies), fwhm=FWHM) for seed in (3, 4)]


@pytest.mark.parametrize("right", [0, 1])
def test_the_candidate_whose_curve_was_measured_is_found(hands, right):
    found = assign_by_cd(hands, measured(hands[right]), ["P", "M"])
    assert found.best == right
    assert found.similarities[right] == pytest.approx(
        1.0, abs=2e-3
    )  # linear interpolation over 3/40 of a width
    assert found.closest[right] > found.closest[1 - right]
    assert sum(found.closest) == found.settings
    assert found.verdict.startswith("PM"[right]) is (found.outcome != "undecided")


def test_order_and_scale_of_the_candidates_do_not_matter(hands):
    curve = measured(hands[0])
    one = assign_by_cd(hands, curve, ["P", "M"])
    louder = [
        replace(hand, values=3 * hand.values, stick_strengths=3 * hand.stick_strengths) for hand in hands
    ]
    other = assign_by_cd(louder[::-1], curve, ["M", "P"])
    np.testing.assert_allclose(other.similarities, one.similarities[::-1], atol=1e-12)
    assert (other.closest, other.outcome) == (one.closest[::-1], one.outcome)
    assert other.independent_share == one.independent_share


def test_similarities_are_those_of_a_single_comparison(hands):
    curve = measured(hands[0])
    found = assign_by_cd(hands, curve)
    for similar, hand in zip(found.similarities, hands, strict=True):
        assert similar == pytest.approx(compare_cd(hand, curve).similarity, abs=2e-3)  # two interpolations
    nominal = found.scan[:, 2, 6]
    np.testing.assert_allclose(nominal, found.similarities, atol=1e-12)
    assert (found.widths[2], found.shifts[6]) == (pytest.approx(FWHM), 0.0)


def test_a_shift_of_the_measured_curve_is_a_shift_of_the_scan(hands):
    moved = [replace(hand, shift=0.1 * electronvolt) for hand in hands]
    shifts = np.array([-0.1, 0.0]) * electronvolt
    found = assign_by_cd(moved, measured(hands[0]), shifts=shifts)
    plain = assign_by_cd(hands, measured(hands[0]), shifts=[0.0])
    np.testing.assert_allclose(found.scan[:, :, 0], plain.scan[:, :, 0], atol=1e-12)


def test_the_mirror_image_of_the_right_one_is_not_assigned(hands):
    found = assign_by_cd(hands, measured(hands[0], -1.0), ["P", "M"])
    assert found.outcome == "undecided"
    assert any(text.startswith("the mirror image of P fits better (+1.00)") for text in found.doubts)
    assert "undecided" in found.verdict


def test_equal_candidates_are_not_told_apart(hands):
    found = assign_by_cd([hands[0], hands[0]], measured(hands[0]))
    assert found.lead == 0.0
    assert found.closest == (0, 0)
    assert found.outcome == "undecided"
    assert f"closest in 0 of {found.settings} settings" in found.verdict


def test_bands_stand_for_a_curve_of_equal_heights(hands):
    bands = measured_cotton_bands(measured(hands[1]))
    found = assign_by_cd(hands, bands)
    assert found.best == 1
    assert found.similarities[1] > 0.5
    assert any("equal height are assumed" in remark for remark in found.remarks)
    flipped = assign_by_cd(hands, [(nm, -sign) for nm, sign in bands])
    np.testing.assert_allclose(flipped.scan, -found.scan, atol=1e-12)
    short = assign_by_cd(hands, [*bands, (100.0, 1)])
    assert "beyond the common range and not compared: 100 nm" in short.remarks


def verdict(similarities, scan, chance=0.1):
    scan = np.asarray(scan, dtype=float)[:, None, :]
    shifts = np.arange(scan.shape[2])
    return CDAssignment(("P", "M"), similarities, scan, [1.0], shifts, chance, (0.1, 0.2))


def test_outcome_says_what_the_scan_supports():
    assert verdict([0.8, -0.2], [[0.8, 0.7], [-0.2, 0.1]]).outcome == "assigned"
    near = verdict([0.8, 0.6], [[0.8, 0.7], [0.6, 0.5]])
    assert near.outcome == "preferred"
    assert "up to 0.28 apart" in near.verdict
    own_shifts = verdict([0.8, 0.4], [[0.8, 0.6], [0.4, 0.7]], chance=0.01)
    assert "closest in 1 of 2 settings" in own_shifts.verdict
    independent = verdict([0.8, 0.65], [[0.8, 0.6], [0.65, 0.5]], chance=0.01)
    assert independent.outcome == "preferred"
    assert "beats M in 75% only" in independent.verdict
    assert verdict([0.4, 0.1], [[0.4, 0.4], [0.1, 0.1]], chance=0.01).outcome == "undecided"


def test_settings_without_a_common_range_are_left_out_and_told(hands):
    curve = measured(hands[0])
    short = MeasuredSpectrum("cd", curve.energies[:60], curve.values[:60])
    widths = [FWHM, 1.2 * electronvolt]
    found = assign_by_cd(hands, short, widths=widths)
    assert np.isnan(found.scan[:, 1]).all()
    assert found.settings == 13
    assert any("13 of 26 settings left too short a range" in remark for remark in found.remarks)
    with pytest.raises(InputError, match="no width and shift leaves a common range"):
        assign_by_cd(hands, short, widths=widths[1])


def test_what_cannot_be_compared_is_refused(hands, fabricate):
    curve = measured(hands[0])
    with pytest.raises(InputError, match="at least two candidates"):
        assign_by_cd(hands[:1], curve)
    with pytest.raises(InputError, match="differ in line shape, width or gauge"):
        assign_by_cd([hands[0], replace(hands[1], gauge="velocity")], curve)
    with pytest.raises(InputError, match="one is absorption"):
        assign_by_cd([hands[0], simulate_absorption(fabricate.excited_states(6), fwhm=FWHM)], curve)
    with pytest.raises(InputError, match="is absorption, not CD"):
        assign_by_cd(hands, replace(curve, kind="absorption"))
    with pytest.raises(InputError, match="measured bands are"):
        assign_by_cd(hands, [(300.0, 0)])
    with pytest.raises(InputError, match="3 labels came with 2"):
        assign_by_cd(hands, curve, ["a", "b", "c"])


def runs(hands, published=None, **second):
    summaries = [
        {
            "structure": {"formula": "C40H40Au2Cu2N4S8", "charge": 0, "core_handedness": hand},
            "levels": {"total_energy_hartree": -100.0 + 0.01 * k},
            "method": {"functional": "pbe0", "preset": "standard"},
        }
        for k, hand in enumerate("PM")
    ]
    summaries[1] |= second
    return [
        RunCD(name, f"{name} (core {core})", hand, hand, published, summary)
        for name, core, hand, summary in zip("ab", "PM", hands, summaries, strict=True)
    ]


def test_text_lays_the_candidates_side_by_side(hands):
    text, decided = assignment_text(runs(hands), measured(hands[0]))
    lines = text.splitlines()
    assert decided is ("undecided" not in text)
    assert lines[0] == "which of 2 runs has the CD of m.csv"
    assert "a (core P)" in lines[1]
    assert "b (core M)" in lines[1]
    assert "+1.00" in lines[2]
    energy = next(line for line in lines if "total energy" in line)
    assert "+0.000 eV" in energy
    assert "+0.272 eV" in energy
    count = len(measured_cotton_bands(measured(hands[0])))
    assert f"{count} of {count}" in next(line for line in lines if "bands that agree" in line)
    assert sum(line.startswith("  band ") for line in lines) == count
    other, _ = assignment_text(runs(hands, method={"functional": "b3lyp"}), measured(hands[0]))
    assert other.count("not comparable") == 2


def test_published_bands_serve_where_no_curve_is_given(hands):
    bands = measured_cotton_bands(measured(hands[1]))
    text, _ = assignment_text(runs(hands, bands), None)
    assert "the film (10.1021/jacs.3c13065)" in text
    with pytest.raises(InputError, match="no measured CD to assign by"):
        assignment_text(runs(hands), None)
    opposite = runs(hands, bands)
    opposite[1] = replace(opposite[1], published=tuple((nm, -sign) for nm, sign in bands))
    with pytest.raises(InputError, match="not the same for all of them"):
        assignment_text(opposite, None)
