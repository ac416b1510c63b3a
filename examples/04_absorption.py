"""Absorption and the optical gap (figure S5 of 10.1021/jacs.3c13065)."""

from __future__ import annotations

from stored import figure_path, read_summary, source, spectrum

from cluster_qc.plotting.figures import save_absorption


def main() -> None:
    """Draw the curve; print the lowest singlet and the lowest one that absorbs."""
    summary = read_summary(source())
    save_absorption(figure_path("absorption"), spectrum(summary, "absorption"))
    lowest = summary["singlets"][0]
    bright = next((s for s in summary["singlets"] if s["oscillator_strength"] > 1e-3), None)
    print(f"lowest singlet {lowest['energy_ev']:.2f} eV, f = {lowest['oscillator_strength']:.1e}")
    if bright is not None:
        print(f"first with f > 0.001: {bright['label']} {bright['energy_ev']:.2f} eV")


if __name__ == "__main__":
    main()
