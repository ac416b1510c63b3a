"""Make the model structures of this folder: run `python structures/make_structures.py` (about half an hour, 2 cores).

Every structure is a model, not a crystal structure: the ligand comes from its SMILES, the core from the published
connectivity (Lu et al., J. Am. Chem. Soc. 2024, 146, 4144, 10.1021/jacs.3c13065), the geometry from GFN2-xTB
(Bannwarth et al., J. Chem. Theory Comput. 2019, 15, 1652, 10.1021/acs.jctc.8b01176). Both hands of the core and
three benzyl rotamers are relaxed and ranked. Where relax_core.py has been run, its DFT core then takes new ligands
(both hands, the lowest benzyl conformers), which relax around it; the lowest of these becomes cu2au2_r_btt, else the
lowest of all. Needs the extra "xtb".
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from cluster_qc.drivers.optimize import relax_xtb, xtb_energy
from cluster_qc.errors import ClusterQCError
from cluster_qc.model import Cluster
from cluster_qc.structure import (
    build_m2m2_cluster,
    cip_labels,
    core_handedness,
    mean_distances,
    metal_metal_distances,
    read_xyz,
    write_xyz,
)
from cluster_qc.units import angstrom, electronvolt
from cluster_qc.workflow.build import build_cluster

HERE = Path(__file__).parent
TEMPLATES = (
    HERE.parent / "cluster_qc" / "structure" / "templates"
)  # cores that `cluster-qc build` knows by name
DFT_CORE = HERE / "candidates" / "core_p_dft.xyz"
CONFORMERS = 3  # for each hand of the DFT core
FORCE = 0.005 * electronvolt / angstrom
MEASURED_CU_AU_ANGSTROM = 2.847
R_BTT = "S=C1N[C@H](Cc2ccccc2)CS1"
SMALL_MODELS = {
    "cu2au2_r_mtt": ("S=C1N[C@H](C)CS1", "benzyl -> methyl, 56 atoms"),
    "cu2au2_tt": ("S=C1NCCS1", "benzyl -> H, 44 atoms"),
    "cu2au2_tfa": ("S=CN", "thioformamidate, 24 atoms"),
}
# Metals, diagonals and donor distances (N, S) of other cores, angstrom, to be relaxed; ligand benzyl -> H.
OTHER_CORES = {
    "cu4": (("Cu", "Cu"), (3.8, 3.8), (2.00, 2.25)),
    "ag2au2": (("Ag", "Au"), (4.9, 3.2), (2.15, 2.35)),
    "au4": (("Au", "Au"), (4.4, 4.0), (2.10, 2.35)),
}
NOTICE = (
    "charge=0 multiplicity=1; A MODEL, not the crystal structure CCDC 2288770 (which is not distributed here). To use "
    "the deposited structure, obtain its CIF from the CCDC and give it to cluster-qc run in place of this file."
)


def relaxed_once(start: Cluster, path: Path, what: str, notice: str = NOTICE) -> tuple[Cluster, float, float]:
    """Relax and write, or take what an earlier call wrote; the numbers are those of the file in either case."""
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        write_xyz(relax_xtb(start, force=FORCE).cluster, path, comment=f"{what}; GFN2-xTB minimum. {notice}")
    cluster = read_xyz(path, charge=start.charge, name=start.name)
    energy, force = xtb_energy(cluster)
    return cluster, energy / electronvolt, force / electronvolt * angstrom


def describe(cluster: Cluster, energy_ev: float, force: float | None = None) -> dict[str, object]:
    """The numbers that identify a candidate."""
    return {
        "formula": cluster.formula,
        "core_handedness": core_handedness(cluster),
        "cip": cip_labels(cluster),
        "gfn2_energy_ev": round(energy_ev, 4),
        **({} if force is None else {"largest_force_ev_angstrom": round(force, 4)}),
        "mean_distance_angstrom": {pair: round(d, 3) for pair, d in mean_distances(cluster).items()},
        "metal_metal_angstrom": [
            {"pair": d.pair, "distance": round(d.distance / angstrom, 3)}
            for d in metal_metal_distances(cluster, cutoff=5.5 * angstrom)
        ],
    }


def pack_p21(cluster: Cluster, margin: float = 2.7) -> tuple[np.ndarray, np.ndarray, float]:
    """An invented P2_1 packing: cell lengths (angstrom), fractional coordinates, shortest contact between molecules.

    The principal axes of inertia lie along the cell axes; the molecule is shifted so that it crosses the cell's faces.
    """
    xyz = np.asarray(cluster.coords) / angstrom
    xyz = xyz - xyz.mean(axis=0)
    axes = np.linalg.svd(xyz, full_matrices=False)[2]
    if np.linalg.det(axes) < 0:
        axes[2] *= -1
    xyz = xyz @ axes.T
    extent = np.ptp(xyz, axis=0) + margin
    cell = np.array([extent[0], 2 * extent[1], extent[2]])
    fractional = xyz / cell + np.array([0.03, 0.02, 0.05])
    images = []
    for screw in (False, True):
        base = fractional * [-1, 1, -1] + [0, 0.5, 0] if screw else fractional
        for shift in np.ndindex(3, 3, 3):
            offset = np.array(shift) - 1 - np.round(base.mean(axis=0) - fractional.mean(axis=0))
            if screw or np.any(offset):
                images.append((base + offset) * cell)
    contact = min(
        float(np.linalg.norm(xyz_a[:, None] - image[None], axis=-1).min())
        for xyz_a in [fractional * cell]
        for image in images
    )
    return cell, fractional % 1.0, contact


def write_cif(path: Path, cluster: Cluster, comment: str) -> float:
    """Write the molecule in an invented P2_1 cell; returns the shortest contact between molecules (angstrom)."""
    cell, fractional, contact = pack_p21(cluster)
    lines = [
        f"# {line}"
        for line in (comment, NOTICE, "The packing in P2_1 is invented; only the molecule means something.")
    ]
    lines += [
        f"data_{path.stem}",
        f"_chemical_formula_sum '{cluster.formula}'",
        "_symmetry_cell_setting monoclinic",
        "_space_group_name_H-M_alt 'P 1 21 1'",
        "_space_group_IT_number 4",
        f"_cell_length_a {cell[0]:.4f}",
        f"_cell_length_b {cell[1]:.4f}",
        f"_cell_length_c {cell[2]:.4f}",
        "_cell_angle_alpha 90",
        "_cell_angle_beta 90",
        "_cell_angle_gamma 90",
        "_cell_formula_units_Z 2",
        "loop_",
        "_space_group_symop_operation_xyz",
        "'x, y, z'",
        "'-x, y+1/2, -z'",
        "loop_",
        "_atom_site_label",
        "_atom_site_type_symbol",
        "_atom_site_fract_x",
        "_atom_site_fract_y",
        "_atom_site_fract_z",
    ]
    counts: dict[str, int] = {}
    for symbol, position in zip(cluster.symbols, fractional, strict=True):
        counts[symbol] = counts.get(symbol, 0) + 1
        lines.append(f"{symbol}{counts[symbol]} {symbol} " + " ".join(f"{v:.7f}" for v in position))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return contact


def on_dft_core(results: dict[str, object]) -> tuple[Cluster, str]:
    """The lowest of the candidates that hold the DFT core (both hands, benzyl conformers), and what was done."""
    core = read_xyz(DFT_CORE, charge=0, name="core")
    folder = HERE / "candidates"
    level = (
        "Metals, donors and what lies between them as in the PBE-D3(BJ)/def2-SVP minimum of the cluster with "
        "benzyl -> H, held; the rest relaxed with GFN2-xTB."
    )
    if not list(folder.glob("r_btt_dft_core_*.xyz")):
        for rank, candidate in enumerate(
            build_cluster(core, R_BTT, handedness="both", limit=CONFORMERS, name="cu2au2_r_btt"), 1
        ):
            what = f"Cu2Au2(R-BTT)4, core {candidate.core_handedness}. {candidate.level}"
            write_xyz(
                candidate.cluster,
                folder / f"r_btt_dft_core_{rank}_{str(candidate.core_handedness).lower()}.xyz",
                comment=f"{what}. {NOTICE}",
            )
    found = []
    for path in sorted(folder.glob("r_btt_dft_core_*.xyz")):
        cluster = read_xyz(path, charge=0, name="cu2au2_r_btt")
        energy = xtb_energy(cluster)[0] / electronvolt
        results[path.stem] = describe(cluster, energy)
        found.append((energy, cluster))
        print(path.stem, results[path.stem], flush=True)
    return min(found, key=lambda entry: entry[0])[1], level


def main() -> int:
    """Build, relax, rank and write."""
    results: dict[str, object] = {
        "method": "GFN2-xTB, LBFGS",
        "notice": NOTICE,
        "measured_mean_au_cu_angstrom": MEASURED_CU_AU_ANGSTROM,
    }
    best: tuple[float, Cluster] | None = None
    for handedness in ("P", "M"):
        for torsion in (60.0, 180.0, -60.0):
            label = f"r_btt core {handedness} torsion {torsion:+.0f}"
            try:
                start = build_m2m2_cluster(
                    R_BTT, handedness=handedness, side_torsion=torsion, name="cu2au2_r_btt"
                )
            except ClusterQCError as error:
                results[label] = {"not built": error.what}
                continue
            path = HERE / "candidates" / f"r_btt_{handedness.lower()}_{torsion:+.0f}.xyz"
            relaxed, energy, force = relaxed_once(
                start, path, f"Cu2Au2(R-BTT)4, core {handedness}, benzyl torsion {torsion:+.0f}"
            )
            results[label] = describe(relaxed, energy, force)
            print(label, results[label], flush=True)
            if best is None or energy < best[0]:
                best = (energy, relaxed)
    assert best is not None
    chosen = best[1]
    level = "GFN2-xTB minimum."
    if DFT_CORE.exists():
        chosen, level = on_dft_core(results)
    for name, cluster, hand in (("cu2au2_r_btt", chosen, "R"), ("cu2au2_s_btt", chosen.mirrored(), "S")):
        what = f"Cu2Au2({hand}-BTT)4, core {core_handedness(cluster)}. {level}"
        write_xyz(cluster, HERE / f"{name}.xyz", comment=f"{what} {NOTICE}")
        contact = write_cif(HERE / f"{name}.cif", cluster, what)
        results[name] = {
            "core_handedness": core_handedness(cluster),
            "shortest_contact_angstrom": round(contact, 2),
        }
        print(name, results[name], flush=True)
    for name, (smiles, what) in SMALL_MODELS.items():
        start = build_m2m2_cluster(smiles, handedness=core_handedness(chosen) or "P", name=name)
        relaxed, energy, force = relaxed_once(start, HERE / f"{name}.xyz", what)
        results[name] = describe(relaxed, energy, force)
        print(name, results[name], flush=True)
        if name == "cu2au2_r_mtt":
            mirror = f"{what}, mirror image; GFN2-xTB minimum. {NOTICE}"
            write_xyz(relaxed.mirrored(), HERE / "cu2au2_s_mtt.xyz", comment=mirror)
    for name, (metals, diagonals, donors) in OTHER_CORES.items():
        start = build_m2m2_cluster(
            SMALL_MODELS["cu2au2_tt"][0], core=metals, name=name,
            diagonals=(diagonals[0] * angstrom, diagonals[1] * angstrom),
            donor_distances=(donors[0] * angstrom, donors[1] * angstrom),
        )  # fmt: skip
        what = f"{start.formula}, four thiazolidine-2-thionates on another core"
        relaxed, energy, force = relaxed_once(start, TEMPLATES / f"{name}.xyz", what, "A model.")
        results[f"core {name}"] = describe(relaxed, energy, force)
        print(name, results[f"core {name}"], flush=True)
    (HERE / "structures.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
