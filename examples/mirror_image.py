"""R and S are mirror images: the same energies, opposite rotatory strengths. Each is computed, none is assumed.

`python examples/mirror_image.py [FOLDER]` runs both hands of the 56-atom model (benzyl -> methyl) and compares them
state by state, into FOLDER/mirror_image.json; some ten minutes each on two cores, and at once when FOLDER holds the
records already.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

import cluster_qc as cqc
from cluster_qc.workflow.job import load_job
from cluster_qc.workflow.run import run

STRUCTURES = Path(__file__).parents[1] / "structures"
STATES = 20


def main() -> None:
    """Run, compare, print, write mirror_image.json."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "results")
    found = {}
    for hand in "rs":
        name = f"cu2au2_{hand}_mtt"
        job = load_job(STRUCTURES / f"{name}.xyz", output=folder / name, nstates=STATES)
        found[hand] = run(job, pictures=False).summary
    energies, strengths = (
        {hand: np.array([state[key] for state in summary["singlets"]]) for hand, summary in found.items()}
        for key in ("energy_ev", "rotatory_strength_length_cgs")
    )
    result = {
        "what": f"{found['r']['structure']['formula']}, R and S, PBE0/def2-SVP, {STATES} singlets (standard preset)",
        "total_energy_difference_hartree": found["s"]["levels"]["total_energy_hartree"]
        - found["r"]["levels"]["total_energy_hartree"],
        "homo_difference_ev": found["s"]["levels"]["homo_ev"] - found["r"]["levels"]["homo_ev"],
        "largest_energy_difference_ev": float(np.abs(energies["s"] - energies["r"]).max()),
        "largest_rotatory_strength_cgs": float(np.abs(strengths["r"]).max()),
        "largest_sum_of_rotatory_strengths_cgs": float(np.abs(strengths["s"] + strengths["r"]).max()),
        "states": [
            {"label": a["label"], "energy_ev_r": a["energy_ev"], "energy_ev_s": b["energy_ev"],
             "rotatory_strength_cgs_r": a["rotatory_strength_length_cgs"],
             "rotatory_strength_cgs_s": b["rotatory_strength_length_cgs"]}
            for a, b in zip(found["r"]["singlets"], found["s"]["singlets"], strict=True)
        ],
        "core_handedness": {hand: s["structure"]["core_handedness"] for hand, s in found.items()},
        "cip": {hand: s["structure"]["cip"] for hand, s in found.items()},
        "version": cqc.__version__,
    }  # fmt: skip
    (folder / "mirror_image.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({key: value for key, value in result.items() if key != "states"}, indent=1))


if __name__ == "__main__":
    main()
