from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from cluster_qc.errors import StorageError, UnavailableError
from cluster_qc.model import (
    BandAlignment,
    MeasuredSpectrum,
    SCFCycle,
    Spectrum,
    TDDFTCycle,
    UPSReference,
)
from cluster_qc.model.stack import Layer, Level
from cluster_qc.plotting import STYLE, figures
from cluster_qc.plotting.convergence import plot_scf_convergence, plot_tddft_convergence
from cluster_qc.plotting.figures import (
    save_absorption,
    save_cd,
    save_convergence,
    save_levels,
    save_stack,
)
from cluster_qc.plotting.levels import plot_levels
from cluster_qc.plotting.spectra import plot_cd
from cluster_qc.units import electronvolt, rotatory_strength_cgs


def spectrum(kind="cd"):
    energies = np.linspace(2.0, 5.0, 200) * electronvolt
    sticks = np.array([3.0, 4.0]) * electronvolt
    strengths = np.array([10.0, -20.0]) * rotatory_strength_cgs if kind == "cd" else np.array([0.1, 0.3])
    return Spectrum(kind, energies, np.sin(energies * 100), sticks, strengths, "gaussian", 0.01)


def alignment(ground):
    reference = UPSReference(-6.0 * electronvolt, uncertainty=0.1 * electronvolt)
    return BandAlignment(ground.homo, ground.lumo, -ground.homo, reference, -0.007, 0.011, True, "caveat")


def test_curve_is_drawn_as_given():
    ax = Figure().add_subplot()
    curve = spectrum()
    plot_cd(ax, curve, experiment_bands=[(351, 1), (299, -1)])
    line = ax.lines[0]
    np.testing.assert_array_equal(line.get_ydata(), curve.values)
    assert line.get_xdata()[0] == pytest.approx(619.92, abs=0.01)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["measured bands"]
    low, high = ax.get_ylim()
    twin_low, twin_high = ax.figure.axes[1].get_ylim()
    assert low == -high
    assert twin_low == -twin_high == pytest.approx(-30.0)


@pytest.mark.parametrize("relative", [True, False])
def test_measured_curve_is_drawn_over_the_computed_and_says_if_it_is_scaled(relative):
    ax = Figure().add_subplot()
    curve = spectrum()
    measured = MeasuredSpectrum("cd", curve.energies[50:150], 7.0 * curve.values[50:150], relative)
    plot_cd(ax, curve, measured=measured, sticks=False)
    line = next(line for line in ax.lines if line.get_label().startswith("measured"))
    largest = np.abs(line.get_ydata()).max()
    assert line.get_label() == ("measured (scaled)" if relative else "measured")
    assert largest == pytest.approx(np.abs((1 if relative else 7) * curve.values).max(), rel=1e-2)
    assert ax.get_ylim()[1] > largest
    assert ax.lines[0].get_xdata()[0] == pytest.approx(ax.get_xlim()[1])


def test_uncertainty_is_a_band_around_the_curve():
    ax = Figure().add_subplot()
    curve = spectrum()
    plot_cd(ax, replace(curve, uncertainty=np.full(200, 0.25)), sticks=False)
    heights = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert heights.max() == pytest.approx(curve.values.max() + 0.25)
    assert ax.get_ylim()[1] > heights.max()


def test_frontier_levels_are_named_in_ev(fabricate):
    ax = Figure().add_subplot()
    ground = fabricate.ground_state()
    plot_levels(ax, ground, alignment(ground))
    texts = {text.get_text() for text in ax.texts}
    assert texts == {"HOMO \N{MINUS SIGN}6.20", "LUMO \N{MINUS SIGN}1.50", "HOMO \N{MINUS SIGN}6.00"}


def test_core_orbitals_do_not_press_the_gap_to_a_line(fabricate):
    ground = fabricate.ground_state()
    energies = ground.orbital_energies.copy()
    energies[0, 0] = -500.0 / electronvolt
    ax = Figure().add_subplot()
    plot_levels(ax, replace(ground, orbital_energies=energies))
    low, high = ax.get_ylim()
    assert (ground.lumo - ground.homo) / electronvolt > (high - low) / 4


def test_noise_of_an_achiral_molecule_is_a_line(fabricate):
    ax = Figure().add_subplot()
    curve = spectrum()
    plot_cd(ax, replace(curve, values=1e-6 * curve.values, stick_strengths=1e-6 * curve.stick_strengths))
    assert ax.get_ylim()[1] == pytest.approx(0.012)
    assert ax.figure.axes[1].get_ylim()[1] == pytest.approx(0.012)


def test_figures_are_saved_without_a_display(fabricate, tmp_path, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    ground = fabricate.ground_state()
    save_levels(tmp_path / "levels.png", ground)
    save_cd(tmp_path / "cd.png", [spectrum(), spectrum()], labels=["R", "S"])
    save_absorption(tmp_path / "absorption.png", spectrum("absorption"))
    for name in ("levels", "cd", "absorption"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(StorageError):
        save_levels(tmp_path / "missing" / "levels.png", ground)


def test_style_sheet_is_package_data():
    assert STYLE.is_file()


def converging(states):
    """The states with a history, and so their ground state."""
    energy = states.ground.energy
    scf = (SCFCycle("coarse", energy + 0.5, 0.3), SCFCycle("final", energy + 1e-3, 2e-3))
    ground = replace(states.ground, history=(*scf, SCFCycle("final", energy, 1e-5)))
    tddft = (TDDFTCycle("model", 4, 0.02, 0, 2, 0.2), TDDFTCycle("full", 3, 1e-4, 2, 2, 0.19))
    return replace(states, ground=ground, history=tddft)


def test_convergence_is_drawn_as_kept(fabricate):
    states = converging(fabricate.excited_states())
    ax = Figure().add_subplot()
    plot_scf_convergence(ax, states.ground)
    gradients, distances = (line.get_ydata() for line in ax.lines[:2])
    assert list(gradients) == [0.3, 2e-3, 1e-5]
    assert list(distances) == pytest.approx([0.5, 1e-3])  # the result itself is at no distance
    assert [text.get_text() for text in ax.texts] == ["coarse", "final"]
    assert ax.lines[2].get_xdata()[0] == 1.5  # between the stages
    ax = Figure().add_subplot()
    plot_scf_convergence(ax, replace(states.ground, history=states.ground.history[1:]))
    assert not ax.texts  # one stage needs no name
    ax = Figure().add_subplot()
    plot_tddft_convergence(ax, states)
    assert list(ax.lines[0].get_ydata()) == [0.02, 1e-4]
    assert [line.get_markerfacecolor() for line in ax.lines[1:3]] == ["C0", "white"]
    assert [list(line.get_xdata()) for line in ax.lines[1:3]] == [[2], [1]]
    assert [text.get_text() for text in ax.texts] == ["2/2"]


def test_convergence_in_one_cycle_is_drawn(fabricate, tmp_path):
    states = converging(fabricate.excited_states())
    ground = replace(states.ground, history=states.ground.history[-1:])
    ax = Figure().add_subplot()
    plot_scf_convergence(ax, ground)
    assert ax.get_xlim()[0] < 0.6  # where the stage is named
    assert [tick for tick in ax.get_xticks() if 0.5 < tick < 1.62] == [1.0]
    save_convergence(tmp_path / "one.png", ground, [states])  # no warning: all fits into the figure


def test_convergence_that_was_not_kept_is_left_out_or_refused(fabricate, tmp_path):
    states = fabricate.excited_states()
    with pytest.raises(UnavailableError, match="has no history"):
        save_convergence(tmp_path / "none.png", states.ground, [states])
    both, one = tmp_path / "both.svg", tmp_path / "one.svg"
    save_convergence(both, converging(states).ground, [converging(states)])
    save_convergence(one, converging(states).ground, [states])
    assert "TDDFT cycle" in both.read_text()
    assert "TDDFT cycle" not in one.read_text()


def words(figure):
    """Texts of a figure with their boxes in pixels, but for the numbers at ticks, some of which are not shown."""
    FigureCanvasAgg(figure).draw()
    found = []
    for ax in figure.axes:
        found += [*ax.texts, ax.xaxis.label, ax.yaxis.label]
        found += [tick for tick in ax.get_xticklabels() if not tick.get_text()[-1:].isdigit()]
        found += ax.get_legend().get_texts() if ax.get_legend() else []
    return [(text.get_text(), text.get_window_extent()) for text in found if text.get_text()]


LAYERS = (
    Layer("ITO", work_function=Level(-4.9, -4.4)),
    Layer("m-PEDOT:PSS"),
    Layer("cluster", homo=Level(-6.15, -6.15), lumo=Level(-1.64, -1.64)),
    Layer("TPBi", homo=Level(-6.7, -6.2), lumo=Level(-2.7, -2.7)),
    Layer("LiF"),
    Layer("Al", work_function=Level(-4.2, -4.2)),
)


@pytest.mark.parametrize("which", ["levels", "cd", "absorption", "convergence", "stack"])
def test_no_text_leaves_the_figure_or_meets_another(fabricate, monkeypatch, which):
    """At the size that the figure has in print."""
    ground, states = fabricate.ground_state(), converging(fabricate.excited_states())
    measured = MeasuredSpectrum("cd", spectrum().energies, spectrum().values, True)
    bands = [(265, 1), (299, -1), (351, 1), (600, 1)]
    draw = {
        "levels": lambda path: save_levels(path, ground, alignment(ground)),
        "cd": lambda path: save_cd(
            path, [spectrum(), spectrum()], labels=["R", "S (mirror image)"], experiment_bands=bands,
            experiment_label="measured, film of R", measured=measured,
        ),
        "absorption": lambda path: save_absorption(path, [spectrum("absorption")] * 2, labels=["core P", "core M"]),
        "convergence": lambda path: save_convergence(path, states.ground, [states]),
        "stack": lambda path: save_stack(path, LAYERS),
    }  # fmt: skip
    seen = []

    def look(figure, path):
        seen.append((figure.bbox, words(figure)))

    monkeypatch.setattr(figures, "save_figure", look)
    draw[which]("figure.png")
    ((canvas, boxes),) = seen
    assert len(boxes) > 3
    for text, box in boxes:
        assert canvas.x0 <= box.x0 < box.x1 <= canvas.x1, text
        assert canvas.y0 <= box.y0 < box.y1 <= canvas.y1, text
    for (text, box), (other, another) in combinations(boxes, 2):
        assert not box.padded(-1).overlaps(another.padded(-1)), f"{text!r} meets {other!r}"
