"""Natural transition orbitals of S1 and T1 (figure S11 of 10.1021/jacs.3c13065)."""

from __future__ import annotations

from matplotlib.figure import Figure
from stored import KEY, cropped, figure_path, orbitals, read_summary, source

from cluster_qc.plotting.orbitals import plot_orbital


def main() -> None:
    """Hole and electron of both states, all from the same side."""
    summary = read_summary(source())
    cluster, volumes = orbitals(source())
    figure = Figure(figsize=(4.6, 6.4), dpi=200, layout="constrained")
    panels = [(state, kind) for state in ("S1", "T1") for kind in ("hole", "electron")]
    images = cropped([plot_orbital(volumes[f"{state.lower()}_{kind}"], cluster) for state, kind in panels])
    for place, ((state, kind), image) in enumerate(zip(panels, images, strict=True), 1):
        ntos = summary["ntos"][state]
        energy = next(
            s["energy_ev"] for s in summary["singlets"] + summary["triplets"] if s["label"] == state
        )
        ax = figure.add_subplot(2, 2, place)
        ax.imshow(image)
        ax.set_axis_off()
        ax.set_title(
            f"{state} {energy:.2f} eV, {kind}, weight {ntos['weights'][0]:.2f},\n"
            f"{100 * ntos[kind]['metal core']:.0f} % on the metal core", fontsize=8,
        )  # fmt: skip
    figure.supxlabel(f"surfaces enclose 70 % of the density; shares over all pairs\n{KEY}", fontsize=6)
    figure.savefig(figure_path("transition_orbitals"))


if __name__ == "__main__":
    main()
