"""CD of the R cluster with either hand of its core, and which of the two the film's bands belong to.

The two are diastereomers, each with its own geometry and calculation: `cluster-qc run structures/cu2au2_r_btt.cif` and
`cluster-qc run structures/candidates/r_btt_dft_core_4_m.xyz`, the most stable candidates of core P and of core M.
Two folders of such runs as arguments replace the stored ones.
"""

from __future__ import annotations

import sys
from pathlib import Path

from stored import HERE, STORED, figure_path, read_summary, spectrum

import cluster_qc as cqc
from cluster_qc.plotting.figures import save_cd
from cluster_qc.units import electronvolt
from cluster_qc.workflow.references import measured_cotton_signs

FOLDERS = (STORED, HERE / "results" / "cu2au2_r_btt_core_m")
LABELS = ("core P", "core M")


def main() -> None:
    """Draw both curves, print the assignment."""
    folders = [Path(path) for path in sys.argv[1:3]] or FOLDERS
    summaries = [read_summary(folder) for folder in folders]
    curves = [spectrum(summary, "cd") for summary in summaries]
    cluster = cqc.read_xyz(folders[0] / "structure.xyz", charge=0)
    bands = measured_cotton_signs(cluster, summaries[0]["structure"]["cip"])
    found = cqc.assign_by_cd(curves, bands, LABELS)
    energies = [summary["levels"]["total_energy_hartree"] for summary in summaries]
    for label, similarity, energy in zip(LABELS, found.similarities, energies, strict=True):
        relative = (energy - energies[0]) / electronvolt
        print(f"{label}: similarity {similarity:+.2f}, total energy {relative:+.2f} eV")
    print(found.verdict)
    save_cd(
        figure_path("hands_of_the_core"), curves, labels=LABELS, experiment_bands=bands,
        experiment_label="measured, film",
    )  # fmt: skip


if __name__ == "__main__":
    main()
