"""What the numbered examples draw: the stored results of the 96-atom cluster, or those of a run of your own.

Every example takes the folder of a finished run as its argument; without one it uses `results/cu2au2_r_btt` here.
`cluster-qc run structures/cu2au2_r_btt.cif` makes such a folder from scratch. Each script writes one PNG into `figures`
where it is called.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from scipy.ndimage import zoom

import cluster_qc as cqc
from cluster_qc.analysis.broadening import broaden, delta_epsilon, epsilon
from cluster_qc.model import Cluster, Spectrum, Volume
from cluster_qc.units import electronvolt, rotatory_strength_cgs
from cluster_qc.workflow.orbitals import select_orbitals

HERE = Path(__file__).parent
STORED = HERE / "results" / "cu2au2_r_btt"
ORBITALS = "orbitals.npz"
KEY = "Au orange, Cu brown, S yellow, N blue, C grey"
_SPACING, _MARGIN = 0.6, 5.0  # bohr, of the stored grids


def source() -> Path:
    """The folder to draw from."""
    return Path(sys.argv[1]) if len(sys.argv) > 1 else STORED


def figure_path(name: str) -> Path:
    """Where a figure goes."""
    folder = Path("figures")
    folder.mkdir(exist_ok=True)
    return folder / f"{name}.png"


def read_summary(folder: Path) -> dict[str, Any]:
    """The summary.json of a run."""
    content: dict[str, Any] = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    return content


def spectrum(
    summary: dict[str, Any], kind: Literal["cd", "absorption"], grid: np.ndarray | None = None
) -> Spectrum:
    """The curve of a summary's singlets, as the run broadened it, on photon energies in hartree, (npoint,)."""
    states, cd = summary["singlets"], summary["cd"]
    positions = np.array([state["energy_ev"] for state in states]) * electronvolt
    width, shift = cd["fwhm_ev"] * electronvolt, cd["shift_ev"] * electronvolt
    if grid is None:
        grid = np.linspace(positions[0] - 2 * width, positions[-1] + shift - width, 800)
    if kind == "cd":
        key = f"rotatory_strength_{cd['gauge']}_cgs"
        strengths = np.array([state[key] for state in states]) * rotatory_strength_cgs
        values = delta_epsilon(grid, broaden(grid, positions + shift, strengths, width))
    else:
        strengths = np.array([state["oscillator_strength"] for state in states])
        values = epsilon(broaden(grid, positions + shift, strengths, width))
    return Spectrum(kind, grid, values, positions, strengths, "gaussian", width, shift, gauge=cd["gauge"])


def orbitals(folder: Path) -> tuple[Cluster, dict[str, Volume]]:
    """The molecule, and HOMO, LUMO and the leading transition orbitals of S1 and T1 on grids.

    From a run they are evaluated anew; `results/cu2au2_r_btt` keeps coarse ones in half precision, which cubic splines
    refine here.
    """
    cluster = cqc.read_xyz(folder / "structure.xyz", charge=0)
    if not (folder / ORBITALS).exists():
        return cluster, _evaluated(folder)
    with np.load(folder / ORBITALS) as stored:
        names = [name.removesuffix("_values") for name in stored if name.endswith("_values")]
        volumes = {
            name: refined(
                Volume(stored["origin"], stored["axes"], stored[f"{name}_values"].astype(float), label=name)
            )
            for name in names
        }
    return cluster, volumes


def refined(volume: Volume) -> Volume:
    """The same field on twice as many points along each axis."""
    shape = np.array(volume.values.shape)
    values = zoom(volume.values, (2 * shape - 1) / shape, order=3)  # the old points stay
    return replace(volume, axes=volume.axes / 2, values=values)


def _evaluated(folder: Path) -> dict[str, Volume]:
    found = {}
    for state in (None, "S1", "T1"):
        ground, chosen = select_orbitals(folder, state)
        for orbital in chosen:
            found[orbital.name] = cqc.orbital_volume(
                ground, orbital.coefficients, _SPACING, _MARGIN, label=orbital.name
            )
    return found


def cropped(images: list[np.ndarray]) -> list[np.ndarray]:
    """Pictures of one size, (height, width, 3), without the white margins that all of them have."""
    ink = np.any([(image < 250).any(axis=2) for image in images], axis=0)
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    return [image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] for image in images]


def store_orbitals(folder: Path, target: Path) -> None:
    """Keep the orbitals of a run as one small file."""
    volumes = _evaluated(folder)
    first = next(iter(volumes.values()))
    np.savez_compressed(
        target / ORBITALS,
        origin=first.origin,
        axes=first.axes,
        **{f"{name}_values": volume.values.astype(np.float16) for name, volume in volumes.items()},
    )


if __name__ == "__main__":
    store_orbitals(source(), STORED)
