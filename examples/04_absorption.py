"""Absorption and the optical gap (figure S5 of 10.1021/jacs.3c13065)."""

from __future__ import annotations

import matplotlib.style
from matplotlib.figure import Figure
from stored import figure_path, read_summary, source, spectrum

from cluster_qc.plotting import STYLE
from cluster_qc.plotting.figures import save_figure
from cluster_qc.plotting.spectra import plot_absorption


def main() -> None:
    """Draw the curve with the optical gap; print the lowest singlet and the lowest one that absorbs."""
    summary = read_summary(source())
    lowest = summary["singlets"][0]
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(3.3, 2.4))
        ax = figure.add_subplot()
        plot_absorption(ax, spectrum(summary, "absorption"))
        ax.axvline(lowest["wavelength_nm"], color="0.3", lw=0.8, ls="--")
        ax.annotate(
            f"optical gap\nS1 {lowest['energy_ev']:.2f} eV\n{lowest['wavelength_nm']:.0f} nm",
            (lowest["wavelength_nm"], 0.97), xycoords=("data", "axes fraction"), xytext=(4, 0),
            textcoords="offset points", va="top", fontsize=7, color="0.3",
        )  # fmt: skip
        save_figure(figure, figure_path("absorption"))
    bright = next((s for s in summary["singlets"] if s["oscillator_strength"] > 1e-3), None)
    print(f"lowest singlet {lowest['energy_ev']:.2f} eV, f = {lowest['oscillator_strength']:.1e}")
    if bright is not None:
        print(f"first with f > 0.001: {bright['label']} {bright['energy_ev']:.2f} eV")


if __name__ == "__main__":
    main()
