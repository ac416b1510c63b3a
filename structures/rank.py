"""Rank the candidates by DFT: `python structures/rank.py` (some five minutes each on two cores; done ones are kept).

PBE-D3(BJ)/def2-SVP energies at the GFN2-xTB geometries, and at those with the core of relax_core.py, into
dft_ranking.json.
Needs the extra "dispersion".
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import cluster_qc as cqc
from cluster_qc.files import write_text
from cluster_qc.structure import core_handedness, mean_distances, metal_metal_distances
from cluster_qc.units import angstrom, electronvolt

HERE = Path(__file__).parent
RESULT = HERE / "dft_ranking.json"
METHOD = cqc.DFTMethod(
    "pbe", auxiliary_basis="def2-universal-jfit", dispersion="d3bj", grid_level=1, conv_tol=1e-6
)


def main() -> int:
    """Compute what is missing, rank, write."""
    found = json.loads(RESULT.read_text(encoding="utf-8"))["candidates"] if RESULT.exists() else {}
    for path in sorted((HERE / "candidates").glob("r_btt_*.xyz")):
        if path.stem in found:
            continue
        cluster = cqc.read_xyz(path, charge=0)
        begin = time.perf_counter()
        ground = cqc.run_scf(cluster, METHOD, progress=lambda _, line: print(line, end="\r", flush=True))
        distances = {
            d.pair: round(d.distance / angstrom, 3)
            for d in metal_metal_distances(cluster, cutoff=5.5 * angstrom)
        }
        found[path.stem] = {
            "energy_hartree": ground.energy,
            "converged": ground.converged,
            "core_handedness": core_handedness(cluster),
            "mean_au_cu_angstrom": round(mean_distances(cluster)["Au-Cu"], 3),
            "cu_cu_angstrom": distances["Cu-Cu"],
            "au_au_angstrom": distances["Au-Au"],
        }
        lowest = min(entry["energy_hartree"] for entry in found.values())
        for entry in found.values():
            entry["relative_ev"] = round((entry["energy_hartree"] - lowest) / electronvolt, 3)
        content = {"method": "PBE-D3(BJ)/def2-SVP, single points", "candidates": found}
        write_text(RESULT, json.dumps(content, indent=1) + "\n")
        print(f"{path.stem}: {found[path.stem]}, {time.perf_counter() - begin:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
