"""Five new ligands on the Cu2Au2 core: built from SMILES, relaxed, computed, compared.

`python examples/new_ligands.py [FOLDER]` builds each cluster with both hands of the core, relaxes its periphery with
GFN2-xTB, runs the lowest candidate with the quick preset, and prints HOMO, S1, T1 and the first CD band; what FOLDER
holds already is not computed again. Needs the extra "xtb". The quick preset is for a look: its energies are those of
few states on a coarse grid, at a geometry whose metal core is the shipped one's.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import cluster_qc as cqc
from cluster_qc.structure import write_xyz
from cluster_qc.workflow.job import load_job
from cluster_qc.workflow.run import run

STRUCTURES = Path(__file__).parents[1] / "structures"
LIGANDS = {
    "4-isopropyl": "S=C1N[C@H](C(C)C)CS1",
    "4-phenyl": "S=C1N[C@H](c2ccccc2)CS1",
    "4-tert-butyl": "S=C1N[C@H](C(C)(C)C)CS1",
    "1-methylbenzimidazole-2-thiolate": "S=C1Nc2ccccc2N1C",
    "4-isopropyloxazolidine-2-thione": "S=C1N[C@H](C(C)C)CO1",
}
SIGNIFICANT = 1.0  # 1e-40 esu^2 cm^2; below it a rotatory strength has no sign worth telling


def first_band(summary: dict[str, Any]) -> tuple[str, float] | None:
    """Label and rotatory strength (velocity form, 1e-40 esu^2 cm^2) of the lowest state with CD to speak of."""
    for state in summary["singlets"]:
        strength = state["rotatory_strength_velocity_cgs"]
        if strength is not None and abs(strength) > SIGNIFICANT:
            return state["label"], strength
    return None


def main() -> None:
    """Build, run, print the table, write new_ligands.json."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "results")
    core = cqc.read_xyz(STRUCTURES / "cu2au2_r_btt.xyz", charge=0)
    rows = []
    for name, smiles in LIGANDS.items():
        place = folder / name
        candidates = cqc.build_cluster(
            core, smiles, handedness="both", limit=2, name=name, directory=place / "build", quiet=False
        )
        best = candidates[0]
        write_xyz(best.cluster, place / f"{name}.xyz")
        job = load_job(place / f"{name}.xyz", output=place / "run", preset="quick")
        summary = run(job, pictures=False).summary
        band = first_band(summary)
        rows.append(
            {
                "ligand": name,
                "smiles": smiles,
                "natom": best.cluster.natom,
                "core_handedness": best.core_handedness,
                "mean_distance_angstrom": summary["structure"]["mean_distance_angstrom"],
                "homo_ev": summary["levels"]["homo_ev"],
                "s1_ev": summary["singlets"][0]["energy_ev"],
                "t1_ev": summary["triplets"][0]["energy_ev"],
                "first_cd_band": band and {"label": band[0], "rotatory_strength_velocity_cgs": band[1]},
                "converged": summary["converged"],
            }
        )
        (folder / "new_ligands.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    print(f"{'ligand':<34} {'atoms':>5} {'core':>4} {'HOMO':>7} {'S1':>6} {'T1':>6}  first CD band")
    for row in rows:
        band = row["first_cd_band"]
        sign = "none among the states computed" if band is None else (
            f"{'+' if band['rotatory_strength_velocity_cgs'] > 0 else '-'} ({band['label']})"
        )  # fmt: skip
        mark = "" if row["converged"] else "  NOT converged"
        print(
            f"{row['ligand']:<34} {row['natom']:>5} {row['core_handedness'] or '-':>4} {row['homo_ev']:7.2f} "
            f"{row['s1_ev']:6.2f} {row['t1_ev']:6.2f}  {sign}{mark}"
        )


if __name__ == "__main__":
    main()
