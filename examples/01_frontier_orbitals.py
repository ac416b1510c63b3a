"""HOMO and LUMO with their levels (figure S10 of 10.1021/jacs.3c13065)."""

from __future__ import annotations

from matplotlib.figure import Figure
from stored import KEY, cropped, figure_path, orbitals, read_summary, source

from cluster_qc.plotting.levels import signed
from cluster_qc.plotting.orbitals import plot_orbital


def main() -> None:
    """Draw both from the same side."""
    summary = read_summary(source())
    cluster, volumes = orbitals(source())
    figure = Figure(figsize=(4.6, 4.0), dpi=200, layout="constrained")
    names = ("homo", "lumo")
    images = cropped([plot_orbital(volumes[name], cluster) for name in names])
    for place, (name, image) in enumerate(zip(names, images, strict=True), 1):
        ax = figure.add_subplot(1, 2, place)
        ax.imshow(image)
        ax.set_axis_off()
        core = summary["levels"]["shares"][name]["metal core"]
        ax.set_title(
            f"{name.upper()} {signed(summary['levels'][f'{name}_ev'])} eV,\n{100 * core:.0f} % on the metal core",
            fontsize=8,
        )
    figure.supxlabel(f"surfaces enclose 70 % of the density; {KEY}", fontsize=6)
    figure.savefig(figure_path("frontier_orbitals"))


if __name__ == "__main__":
    main()
