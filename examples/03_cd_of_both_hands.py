"""CD of both enantiomers with the measured bands of the R film (figure 1g of 10.1021/jacs.3c13065).

The S curve is that of the mirror image: the R curve with its sign changed. That this is what a calculation of S gives
is shown by mirror_image.py on the 56-atom model, to 0.1 in 223 (1e-40 esu^2 cm^2).
"""

from __future__ import annotations

from dataclasses import replace

from stored import figure_path, read_summary, source, spectrum

import cluster_qc as cqc
from cluster_qc.plotting.figures import save_cd
from cluster_qc.workflow.references import measured_cotton_signs


def main() -> None:
    """Draw both curves, and arrows where the film has its bands."""
    summary = read_summary(source())
    r = spectrum(summary, "cd")
    cluster = cqc.read_xyz(source() / "structure.xyz", charge=0)
    bands = measured_cotton_signs(cluster, summary["structure"]["cip"])
    save_cd(
        figure_path("cd_of_both_hands"), [r, replace(r, values=-r.values, stick_strengths=-r.stick_strengths)],
        labels=["R", "S (mirror image)"], experiment_bands=bands, experiment_label="measured, film of R",
    )  # fmt: skip


if __name__ == "__main__":
    main()
