"""Relax the 44-atom core with density-fitted, dispersion-corrected DFT: `python structures/relax_core.py`.

The core is that of cu2au2_r_btt with benzyl -> H: the rings pucker and the metals shear as they do there, which a core
relaxed by itself does not (candidates/tt_p_dft.xyz: other pucker, Cu...Cu 2.70 angstrom).

PBE-D3(BJ)/def2-SVP (Perdew, Burke and Ernzerhof, Phys. Rev. Lett. 77, 3865 (1996), 10.1103/PhysRevLett.77.3865;
Grimme, Ehrlich and Goerigk, J. Comput. Chem. 32, 1456 (2011), 10.1002/jcc.21759), geomeTRIC (Wang and Song, J. Chem.
Phys. 144, 214108 (2016), 10.1063/1.4952956) from a GFN2-xTB Hessian. About an hour on two cores; an interrupted run
goes on from the last geometry. Needs the extras "xtb", "opt" and "dispersion". make_structures.py then holds this core
in the whole clusters.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import geometric
import numpy as np
from ase import Atoms
from pyscf import dft
from tblite.ase import TBLite

import cluster_qc as cqc
from cluster_qc.drivers.mole import build_mole
from cluster_qc.model import Cluster, GroundState
from cluster_qc.structure import mean_distances, write_xyz
from cluster_qc.units import angstrom, electronvolt

HERE = Path(__file__).parent
METHOD = cqc.DFTMethod(
    "pbe", auxiliary_basis="def2-universal-jfit", dispersion="d3bj", grid_level=1, conv_tol=1e-7
)
START = HERE / "cu2au2_r_btt.xyz"
RELAXED = HERE / "candidates" / "core_p_dft.xyz"
BENZYL = slice(4, 11)  # heavy atoms of a ligand, in the order of its SMILES
STEP = 0.005  # angstrom, of the numerical Hessian


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


def gradient(ground: GroundState) -> np.ndarray:
    """Analytical gradient of the density-fitted energy, (natom, 3), hartree/bohr."""
    mole = build_mole(ground.cluster, ground.method)
    mf = dft.RKS(mole, xc=ground.method.functional).density_fit(auxbasis=ground.method.auxiliary_basis)
    mf.grids.level = ground.method.grid_level
    mf.disp = ground.method.dispersion
    mf.mo_coeff, mf.mo_energy = ground.coefficients[0], ground.orbital_energies[0]
    mf.mo_occ = np.where(np.arange(len(mf.mo_energy)) < ground.nocc, 2.0, 0.0)
    mf.e_tot, mf.converged = ground.energy, True
    slope = mf.nuc_grad_method()
    slope.verbose = 0
    return np.asarray(slope.kernel())


class Engine(geometric.engine.Engine):  # type: ignore[misc]
    """Energies and gradients for geomeTRIC; prints a line each step."""

    def __init__(self, cluster: Cluster) -> None:
        molecule = geometric.molecule.Molecule()
        molecule.elem = list(cluster.symbols)
        molecule.xyzs = [np.asarray(cluster.coords) / angstrom]
        super().__init__(molecule)
        self.cluster = cluster
        self.largest = np.inf
        self.ground: GroundState | None = None

    def calc_new(self, coords: np.ndarray, _directory: Any) -> dict[str, Any]:
        """Called by geomeTRIC with flat coordinates in bohr."""
        self.cluster = self.cluster.with_coords(coords.reshape(-1, 3))
        ground = self.ground = cqc.run_scf(
            self.cluster,
            METHOD,
            guess=self.ground,
            progress=lambda _, line: print(line, end="\r", flush=True),
        )
        slope = gradient(ground)
        self.largest = float(np.linalg.norm(slope, axis=1).max()) / electronvolt * angstrom
        note = f"PBE-D3(BJ)/def2-SVP, largest force {self.largest:.4f} eV/angstrom"
        write_xyz(self.cluster, RELAXED.with_suffix(".part.xyz"), comment=note)
        print(
            f"E = {ground.energy:.8f}, {note}, mean Au-Cu {mean_distances(self.cluster)['Au-Cu']:.4f} angstrom, "
            f"{ground.cycles} SCF cycles",
            flush=True,
        )
        return {"energy": ground.energy, "gradient": slope.ravel()}


def gfn2_hessian(cluster: Cluster) -> np.ndarray:
    """Numerical GFN2-xTB Hessian, (3 natom, 3 natom), hartree/bohr^2."""
    atoms = Atoms(list(cluster.symbols), np.asarray(cluster.coords) / angstrom)
    atoms.calc = TBLite(method="GFN2-xTB", charge=cluster.charge, verbosity=0)
    start = atoms.positions.copy()
    rows = []
    for k in range(start.size):
        forces = []
        for sign in (1, -1):
            moved = start.copy()
            moved.flat[k] += sign * STEP
            atoms.positions = moved
            forces.append(atoms.get_forces().ravel())
        rows.append(-(forces[0] - forces[1]) / (2 * STEP))
    hessian = np.array(rows) * electronvolt / angstrom**2
    return 0.5 * (hessian + hessian.T)


def main() -> int:
    """Relax and write."""
    part = RELAXED.with_suffix(".part.xyz")
    cluster = cqc.read_xyz(part if part.exists() else START, charge=0, name="core")
    if not part.exists():
        cluster = core_of(cluster)
    engine = Engine(cluster)
    with tempfile.TemporaryDirectory() as folder:
        hessian = Path(folder) / "hessian.txt"
        np.savetxt(hessian, gfn2_hessian(cluster))
        geometric.optimize.run_optimizer(
            customengine=engine, input=str(Path(folder) / "core"), check=0, coordsys="tric", maxiter=60,
            hessian=f"file:{hessian}", convergence_set="GAU",
            # The rhombus of metals shears so softly that the grid's noise (1e-6 hartree) moves atoms by 0.01 angstrom.
            convergence_energy=5e-6, convergence_drms=6e-3, convergence_dmax=1.5e-2,
        )  # fmt: skip
    note = (
        f"Core of cu2au2_r_btt, benzyl -> H; PBE-D3(BJ)/def2-SVP minimum, largest force {engine.largest:.4f} "
        "eV/angstrom. A MODEL, not a crystal structure."
    )
    write_xyz(engine.cluster, RELAXED, comment=note)
    part.unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
