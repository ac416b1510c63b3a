"""How often the true level lies in the stated 95 % interval: synthetic spectra with known levels, seeded.

    python benchmarks/measured_coverage.py [DRAWS [CASE...]]

A case is cutoff/onset/counts (ramp/peak/30000) or direct|indirect/noise (direct/0.002). An honest interval covers 93 to
97 %.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import numpy as np

from cluster_qc.analysis.tauc import evaluate_tauc
from cluster_qc.analysis.ups import evaluate_ups

CASES = [
    f"{c}/{o}/{n}" for c in ("ramp", "physical") for o in ("ramp", "peak") for n in (3000, 30000, 300000)
]
CASES += [f"{kind}/{noise}" for kind in ("direct", "indirect") for noise in (0.0005, 0.002, 0.008)]
make = runpy.run_path(str(Path(__file__).parents[1] / "tests" / "analysis" / "measured_spectra.py"))


def levels(case, rng):
    """Pairs of estimate and true value, by name."""
    kind, *rest = case.split("/")
    if len(rest) == 1:
        found = evaluate_tauc(*make["absorption"](rng, kind=kind, noise=float(rest[0])))
        return {"gap": (found.direct_gap_ev if kind == "direct" else found.indirect_gap_ev, make["GAP"])}
    found = evaluate_ups(*make["ups"](rng, cutoff=kind, onset=rest[0], counts=float(rest[1])), make["HE_I"])
    return {"cutoff": (found.cutoff_ev, make["CUTOFF"]), "onset": (found.onset_ev, make["ONSET"])}


def main():
    """Print a line a case and level."""
    draws = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    for case in sys.argv[2:] or CASES:
        rng = np.random.default_rng(0)
        found = [levels(case, rng) for _ in range(draws)]
        for name in found[0]:
            pairs = [(f[name][0].value - f[name][1], f[name][0].uncertainty) for f in found if f[name][0]]
            if not pairs:
                print(f"{case:<24}{name:<8} never found")
                continue
            error, stated = np.array(pairs).T
            inside = np.mean(np.abs(error) < 1.96 * stated)
            print(
                f"{case:24}{name:8} covered {100 * inside:5.1f} %   median error {np.median(error):+.4f}, "
                f"median uncertainty {np.median(stated):.4f} eV   not found {draws - len(pairs)}",
                flush=True,
            )


if __name__ == "__main__":
    main()
