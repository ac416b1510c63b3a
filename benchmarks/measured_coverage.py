"""How often the true level lies in the stated 95 % interval: synthetic spectra with known levels, seeded.

    python benchmarks/measured_coverage.py [DRAWS [CASE...]]

A case is cutoff/SHAPE/COUNTS, onset/SHAPE/COUNTS, or direct|indirect/NOISE, with the shapes of
tests/analysis/measured_spectra.py. An honest interval covers 93 to 97 %. Cutoffs and onsets are evaluated apart: each
does not see the other. The true onset is where the steepest tangent of the noiseless edge meets zero.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import numpy as np

from cluster_qc.analysis.tauc import evaluate_tauc
from cluster_qc.analysis.ups import evaluate_ups
from cluster_qc.errors import InputError

CUTOFFS = ("ramp", "physical", "saturating", "step", "short ramp", "narrow", "tanh", "falling step")
ONSETS = (
    *("ramp", "peak", "two levels", "broad peak", "short ramp", "bent"),
    *("logistic", "sine", "skewed"),
)
CASES = [f"cutoff/{shape}/{counts}" for shape in CUTOFFS for counts in (3000, 300000)]
CASES += [f"onset/{shape}/{counts}" for shape in ONSETS for counts in (3000, 300000)]
CASES += [f"{kind}/{noise}" for kind in ("direct", "indirect") for noise in (0.0005, 0.002, 0.008)]
make = runpy.run_path(str(Path(__file__).parents[1] / "tests" / "analysis" / "measured_spectra.py"))


def level(case, rng):
    """An estimate and the true value."""
    kind, *rest = case.split("/")
    if kind in ("direct", "indirect"):
        found = evaluate_tauc(*make["absorption"](rng, kind=kind, noise=float(rest[0])))
        return (found.direct_gap_ev if kind == "direct" else found.indirect_gap_ev), make["GAP"]
    x, y = make["ups"](rng, **{kind: rest[0]}, counts=float(rest[1]))
    part = x > 12 if kind == "cutoff" else x < 10
    try:
        found = evaluate_ups(x[part], y[part], make["HE_I"])
    except InputError:
        return None, 0.0
    if kind == "cutoff":
        return found.cutoff_ev, make["CUTOFF"]
    return found.onset_ev, make["tangent_onset"](rest[0])


def main():
    """Print a line a case."""
    draws = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    for case in sys.argv[2:] or CASES:
        rng = np.random.default_rng(0)
        found = [level(case, rng) for _ in range(draws)]
        pairs = [(estimate.value - true, estimate.uncertainty) for estimate, true in found if estimate]
        if not pairs:
            print(f"| {case} | never found | | | {draws} |", flush=True)
            continue
        error, stated = np.array(pairs).T
        inside = np.mean(np.abs(error) < 1.96 * stated)
        print(
            f"| {case} | {100 * inside:.1f} % | {1000 * np.median(error):+.1f} | {1000 * np.median(stated):.1f} | "
            f"{draws - len(pairs)} of {draws} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
