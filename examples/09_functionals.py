"""How the CD of the 56-atom model depends on the functional, beside the bands of the film.

PBE0, CAM-B3LYP and wB97X-D (its dispersion touches no excitation), def2-SVP, standard preset, all singlets to 6.0 eV:

    cluster-qc campaign examples/functionals.toml -o functionals
    python examples/09_functionals.py functionals

The first resumes when it is given again (`pip install '.[campaign]'`), the second gathers the finished runs of that
folder into its functionals.json and draws them. Without an argument it draws what `results/functionals` holds. The
measured bands are those of 10.1021/jacs.3c13065: the film of the benzyl cluster, where the model has methyl.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib.style
from matplotlib.figure import Figure
from stored import figure_path, read_summary, spectrum

import cluster_qc as cqc
from cluster_qc.analysis.cotton import CottonMatch
from cluster_qc.model import Spectrum
from cluster_qc.plotting import STYLE
from cluster_qc.plotting.spectra import plot_cd
from cluster_qc.units import electronvolt
from cluster_qc.workflow.references import FILM_COTTON_SIGNS_R

STORED = Path(__file__).parent / "results" / "functionals"
RESULT = "functionals.json"
_SIGN = {1: "+", -1: "-"}


def gather(folder: Path) -> None:
    """Write functionals.json of the finished runs in a campaign's folder."""
    runs = []
    for path in sorted(folder.glob("*/summary.json")):
        summary = read_summary(path.parent)
        keys = ("label", "energy_ev", "error_estimate_ev", "oscillator_strength", "rotatory_strength_length_cgs",
                "rotatory_strength_velocity_cgs")  # fmt: skip
        runs.append(
            {
                "formula": summary["structure"]["formula"],
                "cip": summary["structure"]["cip"],
                "core_handedness": summary["structure"]["core_handedness"],
                **{key: summary["method"][key] for key in ("functional", "basis", "preset")},
                "converged": summary["converged"],
                **{key: summary["levels"][key] for key in ("homo_ev", "lumo_ev")},
                "cd": {key: summary["cd"][key] for key in ("fwhm_ev", "shift_ev", "gauge")},
                "singlets": [{key: state[key] for key in keys} for state in summary["singlets"]],
            }
        )
    if runs:
        (folder / RESULT).write_text(json.dumps(runs, indent=1) + "\n", encoding="utf-8")


def cell(match: CottonMatch) -> str:
    """A measured band's computed partner in a few words."""
    if match.computed_nm is None or match.computed_sign is None or match.deviation is None:
        return "none" if match.outcome == "disagrees" else match.outcome
    shift = match.deviation / electronvolt
    return f"{match.computed_nm:.0f} nm {_SIGN[match.computed_sign]} ({shift:+.2f} eV) {match.outcome}"


def draw(labels: list[str], curves: list[Spectrum], head: list[str], rows: list[list[str]]) -> None:
    """The curves on one axis, the table of bands below."""
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(6.4, 4.2))
        above, below = figure.subplots(2, 1, height_ratios=(4, 1))
        plot_cd(above, curves, labels=labels, experiment_bands=FILM_COTTON_SIGNS_R)
        below.set_axis_off()
        cells = [[label, *row] for label, row in zip(labels, rows, strict=True)]
        table = below.table(
            cells, colLabels=["", *head], colWidths=(0.19, 0.27, 0.27, 0.27), bbox=(0, 0, 1, 1),
            cellLoc="left", colLoc="left", edges="horizontal",
        )  # fmt: skip
        table.auto_set_font_size(False)
        table.set_fontsize(5.5)
        figure.savefig(figure_path("functionals"))


def main() -> None:
    """Gather if a folder is given; draw; print the table."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else STORED
    if len(sys.argv) > 1:
        gather(folder)
    if not (folder / RESULT).is_file():
        print(
            f"error: there are no results in {folder}\n"
            "  fix: cluster-qc campaign examples/functionals.toml -o FOLDER, then this script with FOLDER",
            file=sys.stderr,
        )
        sys.exit(2)
    runs: list[dict[str, Any]] = json.loads((folder / RESULT).read_text(encoding="utf-8"))
    labels = [run["functional"] + ("" if run["converged"] else ", not converged") for run in runs]
    curves = [spectrum(run, "cd") for run in runs]
    head = [f"measured {nm:.0f} nm {_SIGN[sign]}" for nm, sign in sorted(FILM_COTTON_SIGNS_R, reverse=True)]
    rows = [[cell(match) for match in cqc.match_cotton_bands(curve, FILM_COTTON_SIGNS_R)] for curve in curves]
    draw(labels, curves, head, rows)
    for run, label, row in zip(runs, labels, rows, strict=True):
        lowest, count = run["singlets"][0]["energy_ev"], len(run["singlets"])
        print(f"{run['formula']}, {label}: S1 {lowest:.2f} eV, {count} singlets, {run['cd']['gauge']} gauge")
        for title, text in zip(head, row, strict=True):
            print(f"  {title}: {text}")


if __name__ == "__main__":
    main()
