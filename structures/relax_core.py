"""Relax the 44-atom core with density-fitted, dispersion-corrected DFT: `python structures/relax_core.py`.

The core is that of the lowest GFN2-xTB candidate with benzyl -> H: the rings pucker as they do there, unlike in
the package's template cu2au2, which was relaxed by itself.
PBE-D3(BJ)/def2-SVP (Perdew, Burke and Ernzerhof, Phys. Rev. Lett. 77, 3865 (1996), 10.1103/PhysRevLett.77.3865;
Grimme, Ehrlich and Goerigk, J. Comput. Chem. 32, 1456 (2011), 10.1002/jcc.21759), about an hour on two cores; an
interrupted run goes on from the last geometry. Needs the extras "xtb", "opt" and "dispersion". make_structures.py then
holds this core in the whole clusters.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import cluster_qc as cqc
from cluster_qc.drivers.optimize import relax_dft
from cluster_qc.model import Cluster
from cluster_qc.structure import mean_distances, write_xyz
from cluster_qc.units import angstrom, electronvolt
from cluster_qc.workflow.build import DFT

HERE = Path(__file__).parent
START = HERE / "candidates" / "r_btt_p_+60.xyz"
RELAXED = HERE / "candidates" / "core_p_dft.xyz"
BENZYL = slice(4, 11)  # heavy atoms of a ligand, in the order of its SMILES


def core_of(cluster: Cluster) -> Cluster:
    """The cluster with a hydrogen in the place of each benzyl group."""
    coords = np.asarray(cluster.coords).copy()
    size = (cluster.natom - 4) // 4
    kept, symbols = list(range(4)), list(cluster.symbols)
    for first in range(4, cluster.natom, size):
        heavy = [first + i for i in range(size) if symbols[first + i] != "H"]
        ring = heavy[: BENZYL.start] + heavy[BENZYL.stop :]
        carbon, stump = heavy[3], heavy[BENZYL.start]
        bond = coords[stump] - coords[carbon]
        coords[stump] = coords[carbon] + bond * (1.10 * angstrom / np.linalg.norm(bond))
        hydrogens = [
            a
            for a in range(first, first + size)
            if symbols[a] == "H" and np.linalg.norm(coords[ring] - coords[a], axis=1).min() < 1.25 * angstrom
        ]
        symbols[stump] = "H"
        kept += [*ring, stump, *hydrogens]
    return Cluster("core", tuple(symbols[a] for a in kept), coords[kept])


def main() -> int:
    """Relax and write."""
    part = RELAXED.with_suffix(".part.xyz")
    cluster = cqc.read_xyz(part if part.exists() else START, charge=0, name="core")
    if not part.exists():
        cluster = core_of(cluster)

    def keep(geometry: Cluster, line: str) -> None:
        write_xyz(geometry, part, comment=line)
        print(f"{line}, mean Au-Cu {mean_distances(geometry)['Au-Cu']:.4f} angstrom", flush=True)

    relaxed = relax_dft(cluster, DFT, keep=keep, progress=lambda _, line: print(line, end="\r", flush=True))
    force = relaxed.largest_force / electronvolt * angstrom
    note = (
        f"Core of cu2au2_r_btt, benzyl -> H; {relaxed.level} minimum, largest force {force:.4f} eV/angstrom. "
        "A MODEL, not a crystal structure."
    )
    write_xyz(relaxed.cluster, RELAXED, comment=note)
    part.unlink(missing_ok=True)
    return 0 if relaxed.converged else 1


if __name__ == "__main__":
    sys.exit(main())
