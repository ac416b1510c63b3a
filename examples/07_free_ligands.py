"""CD of the free ligands R-BTT and S-BTT (figure S7 of 10.1021/jacs.3c13065).

Each hand is built and computed on its own, none is mirrored: conformers by ETKDG from its SMILES, relaxed with
GFN2-xTB, PBE0-D3(BJ)/def2-SVP with the standard preset at each, averaged over the Boltzmann populations of the total
energies at 298 K. The band about a curve is what the populations leave open: the uncertainty of the energies is the
standard deviation between them and those of GFN2-xTB. One molecule in vacuum: no solvent, no neighbours. The stored
conformers of both hands agree to 1 meV in every excitation energy and to 0.5 of 52 (1e-40 esu^2 cm^2) in every rotatory
strength, with opposite signs.

Without an argument it draws what `results/free_ligands` holds; with FOLDER it computes there what is missing and draws
that. Computing needs the extras "xtb" and "dispersion".
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from rdkit import Chem
from rdkit.Chem import rdDistGeom, rdForceFieldHelpers
from stored import figure_path, spectrum

import cluster_qc as cqc
from cluster_qc.analysis.conformers import average_spectra, boltzmann_weights
from cluster_qc.drivers.optimize import relax_xtb
from cluster_qc.model import Cluster, Spectrum
from cluster_qc.plotting.figures import save_cd
from cluster_qc.structure import write_xyz
from cluster_qc.units import angstrom, electronvolt
from cluster_qc.workflow.job import JobFile, job_of
from cluster_qc.workflow.run import run

STORED = Path(__file__).parent / "results" / "free_ligands"
RESULT = "free_ligands.json"
SMILES = {"R": "S=C1N[C@H](Cc2ccccc2)CS1", "S": "S=C1N[C@@H](Cc2ccccc2)CS1"}
TRIALS = 30
WINDOW_EV = 6.0  # the curve ends one band width below the last state
FORCE = 0.005 * electronvolt / angstrom
SAME_KCAL, SAME_EV = 0.02, 0.002  # conformers of equal energy are one: of the force field, of GFN2-xTB


def conformers(hand: str) -> list[tuple[float, Cluster]]:
    """GFN2-xTB energy (eV) and geometry of each minimum found, lowest first."""
    molecule = Chem.AddHs(Chem.MolFromSmiles(SMILES[hand]))
    rdDistGeom.EmbedMultipleConfs(molecule, TRIALS, randomSeed=7)
    energies = [
        energy for _, energy in rdForceFieldHelpers.MMFFOptimizeMoleculeConfs(molecule, maxIters=2000)
    ]
    symbols = tuple(atom.GetSymbol() for atom in molecule.GetAtoms())
    relaxed = []
    for trial in distinct(energies, SAME_KCAL):
        points = molecule.GetConformer(trial).GetPositions() * angstrom
        relaxed.append(relax_xtb(Cluster(f"{hand.lower()}_btt", symbols, points), force=FORCE))
    energies = [result.energy / electronvolt for result in relaxed]
    return [(energies[i], relaxed[i].cluster) for i in distinct(energies, SAME_EV)]


def distinct(energies: list[float], tolerance: float) -> list[int]:
    """Indices of the lowest of each group of equal energies, ascending in energy."""
    order = np.argsort(energies)
    steps = np.diff(np.asarray(energies)[order], prepend=-np.inf)
    return [int(i) for i, step in zip(order, steps, strict=True) if step > tolerance]


def compute(folder: Path) -> None:
    """Run every conformer of both hands that has no record yet; write free_ligands.json and the geometries."""
    folder.mkdir(parents=True, exist_ok=True)
    result: dict[str, list[dict[str, Any]]] = {}
    for hand in SMILES:
        result[hand] = []
        for number, (energy_ev, cluster) in enumerate(conformers(hand), 1):
            path = folder / f"{hand.lower()}_btt_{number}.xyz"
            if not path.exists():
                write_xyz(cluster, path, comment=f"charge=0 multiplicity=1; ({hand})-BTT, GFN2-xTB minimum")
            content = {
                "structure": path.name,
                "method": {"dispersion": "d3bj"},
                "singlets": {"window_ev": WINDOW_EV},
                "triplets": {"nstates": 1},
            }
            job = job_of(JobFile.model_validate(content), path, output=folder / path.stem)
            summary = run(job, pictures=False).summary
            keys = ("label", "energy_ev", "oscillator_strength", "rotatory_strength_length_cgs",
                    "rotatory_strength_velocity_cgs")  # fmt: skip
            result[hand].append(
                {
                    "structure": path.name,
                    "cip": summary["structure"]["cip"],
                    "converged": summary["converged"],
                    "gfn2_energy_ev": energy_ev,
                    "total_energy_hartree": summary["levels"]["total_energy_hartree"],
                    "cd": {key: summary["cd"][key] for key in ("fwhm_ev", "shift_ev", "gauge")},
                    "singlets": [{key: state[key] for key in keys} for state in summary["singlets"]],
                }
            )
    (folder / RESULT).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def averaged(runs: list[dict[str, Any]], energies: np.ndarray) -> Spectrum:
    """The curve of a solution of one hand on photon energies in hartree, (npoint,)."""
    total = np.array([run["total_energy_hartree"] for run in runs])
    by_xtb = np.array([run["gfn2_energy_ev"] for run in runs]) * electronvolt
    weights = boltzmann_weights(total, energy_uncertainty=float(np.std(total - by_xtb)))
    return average_spectra([spectrum(run, "cd", energies) for run in runs], weights)


def main() -> None:
    """Draw both hands; print their bands."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else STORED
    if len(sys.argv) > 1:
        compute(folder)
    result = json.loads((folder / RESULT).read_text(encoding="utf-8"))
    runs = [run for hand in SMILES for run in result[hand]]
    width = runs[0]["cd"]["fwhm_ev"]
    low = min(run["singlets"][0]["energy_ev"] for run in runs) - 2 * width
    high = min(run["singlets"][-1]["energy_ev"] for run in runs) - width
    energies = np.linspace(low, high, 800) * electronvolt
    curves = {hand: averaged(result[hand], energies) for hand in SMILES}
    save_cd(figure_path("free_ligands"), list(curves.values()), labels=[f"{hand}-BTT" for hand in SMILES])
    for hand, curve in curves.items():
        print(f"{hand}-BTT, {curve.sample}, {curve.remarks[-1]}")
        for band in cqc.cotton_bands(curve):
            print(f"  {band['wavelength_nm']:.0f} nm {band['delta_epsilon_lmolcm']:+.1f} L/(mol cm)")
    largest = np.abs(curves["R"].values).max()
    print(
        f"largest |R + S| of the curves: {np.abs(curves['R'].values + curves['S'].values).max():.2f} of {largest:.1f}"
    )


if __name__ == "__main__":
    main()
