"""Relaxed geometries: GFN2-xTB through tblite and ASE, DFT through geomeTRIC; vibrations of either."""

from __future__ import annotations

import gc
import logging
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cluster_qc.drivers.mole import build_mole, mean_field_functional
from cluster_qc.drivers.scf import run_scf
from cluster_qc.errors import InputError, NotConvergedError, UnavailableError
from cluster_qc.model import Cluster, DFTMethod, GroundState
from cluster_qc.model.arrays import FloatArray
from cluster_qc.units import angstrom, electronvolt, wavenumber

Progress = Callable[[float | None, str], None]
Keep = Callable[[Cluster, str], None]

XTB = "GFN2-xTB"
_FORCE = electronvolt / angstrom
_STEP = 0.005 * angstrom
_LONGEST_STEP = 0.15  # angstrom; along the soft shear of a rhombus of metals longer ones overshoot
_SILENT = """[loggers]
keys=root
[handlers]
keys=none
[formatters]
keys=
[logger_root]
level=CRITICAL
handlers=none
[handler_none]
class=NullHandler
args=()
"""


@dataclass(frozen=True, eq=False)
class Relaxation:
    """A geometry at the end of an optimisation."""

    cluster: Cluster
    energy: float
    """Hartree."""
    largest_force: float
    """Norm of the largest force on an atom that was free to move, hartree/bohr."""
    steps: int
    converged: bool
    level: str
    """Method, for people."""


def relax_xtb(
    cluster: Cluster,
    *,
    held: Sequence[int] = (),
    force: float = 0.02 * _FORCE,
    max_steps: int = 800,
    keep: Keep | None = None,
    progress: Progress | None = None,
) -> Relaxation:
    """Find the nearest GFN2-xTB minimum (Bannwarth et al., JCTC 15, 1652 (2019), 10.1021/acs.jctc.8b01176).

    Parameters
    ----------
    cluster
        Start geometry.
    held
        Atoms that do not move.
    force
        Converged below this largest force, hartree/bohr.
    keep
        Called every tenth step with the geometry and a line about it, to go on from after an interruption.
    progress
        Called every step.

    Raises
    ------
    UnavailableError
        Without the extra "xtb".
    NotConvergedError
        If the self-consistent charges of a step do not converge.
    """
    from ase import constraints, optimize
    from ase.calculators import calculator

    ase_calculator: Any = calculator
    ase_constraints: Any = constraints  # ASE is typed in part
    ase_optimize: Any = optimize
    atoms = _atoms(cluster)
    atoms.set_constraint(ase_constraints.FixAtoms(list(held)))
    optimiser = ase_optimize.LBFGS(atoms, logfile=None)

    def here() -> Cluster:
        return cluster.with_coords(atoms.positions * angstrom)

    def watch() -> None:
        largest = _largest(atoms.get_forces())
        line = f"{XTB}, step {optimiser.nsteps}, largest force {largest:.3f} eV/angstrom"
        if progress is not None:
            progress(None, line)
        if keep is not None and optimiser.nsteps % 10 == 0:
            keep(here(), line)

    optimiser.attach(watch)
    try:
        converged = bool(optimiser.run(fmax=force / _FORCE, steps=max_steps))
    except ase_calculator.CalculationFailed as error:
        raise NotConvergedError(
            f"{XTB} failed at step {optimiser.nsteps}: {str(error).strip().splitlines()[0]}",
            why="two atoms may have come too close, or the charge may be wrong",
            fix="start from a more reasonable geometry, and check charge and multiplicity",
        ) from None
    return Relaxation(
        cluster=here(),
        energy=float(atoms.get_potential_energy()) * electronvolt,
        largest_force=_largest(atoms.get_forces()) * _FORCE,
        steps=optimiser.nsteps,
        converged=converged,
        level=XTB,
    )


def xtb_energy(cluster: Cluster) -> tuple[float, float]:
    """GFN2-xTB energy (hartree) and largest force on an atom (hartree/bohr)."""
    atoms = _atoms(cluster)
    return float(atoms.get_potential_energy()) * electronvolt, _largest(atoms.get_forces()) * _FORCE


def _atoms(cluster: Cluster) -> Any:
    try:
        from tblite.ase import TBLite
    except ImportError:
        raise UnavailableError(
            "GFN2-xTB needs the package tblite", fix="pip install 'cluster_qc[xtb]'"
        ) from None
    from ase import Atoms

    atoms = Atoms(list(cluster.symbols), np.asarray(cluster.coords) / angstrom)
    atoms.calc = TBLite(method=XTB, charge=cluster.charge, multiplicity=cluster.multiplicity, verbosity=0)
    return atoms


def _largest(forces: FloatArray) -> float:
    return float(np.linalg.norm(forces, axis=1).max())


def relax_dft(
    cluster: Cluster,
    method: DFTMethod,
    *,
    held: Sequence[int] = (),
    max_steps: int = 100,
    keep: Keep | None = None,
    progress: Progress | None = None,
) -> Relaxation:
    """Find the nearest minimum of density-fitted DFT with geomeTRIC, from a GFN2-xTB Hessian.

    geomeTRIC: Wang and Song, J. Chem. Phys. 144, 214108 (2016), 10.1063/1.4952956. The gradient is that of the
    density-fitted energy on `method.grid_level`; a rhombus of metals shears so softly that the grid's noise (1e-6
    hartree) moves atoms by 0.01 angstrom, so energy and displacement converge to 5e-6 hartree and 0.015 angstrom, the
    gradient to geomeTRIC's default (4.5e-4 hartree/bohr).

    Parameters
    ----------
    cluster, method
        Closed shell. Dispersion as in `method.dispersion`.
    held
        Atoms that do not move.
    keep
        Called after every step with the geometry and a line about it, to go on from after an interruption.
    progress
        Called within a step.

    Raises
    ------
    UnavailableError
        Without the extras "opt" and "xtb".
    InputError
        For an open shell.
    NotConvergedError
        If an SCF does not converge.
    """
    try:
        import geometric
    except ImportError:
        raise UnavailableError(
            "relaxing needs the package geometric", fix="pip install 'cluster_qc[opt]'"
        ) from None
    if cluster.multiplicity != 1:
        raise InputError("geometries are relaxed for closed shells only", fix="relax with GFN2-xTB instead")
    engine = _engine(geometric, cluster, method, held, keep, progress)
    with tempfile.TemporaryDirectory() as folder:
        hessian = Path(folder) / "hessian.txt"
        np.savetxt(hessian, xtb_hessian(cluster))
        constraints: dict[str, str] = {}
        if held:
            file = Path(folder) / "held.txt"
            file.write_text("$freeze\n" + "".join(f"xyz {i + 1}\n" for i in held), encoding="utf-8")
            constraints["constraints"] = str(file)
        log = Path(folder) / "log.ini"
        log.write_text(_SILENT, encoding="utf-8")
        handlers, level = list(logging.root.handlers), logging.root.level
        converged = True
        try:
            geometric.optimize.run_optimizer(
                customengine=engine, input=str(Path(folder) / "cluster"), check=0, coordsys="tric", logIni=str(log),
                maxiter=max_steps, hessian=f"file:{hessian}", tmax=_LONGEST_STEP, convergence_set="GAU",
                convergence_energy=5e-6, convergence_drms=6e-3, convergence_dmax=1.5e-2, **constraints,
            )  # fmt: skip
        except geometric.errors.GeomOptNotConvergedError:
            converged = False
        finally:  # geomeTRIC sets up the logging of the whole process
            logging.root.handlers[:] = handlers
            logging.root.setLevel(level)
    dispersion = f"-{method.dispersion.upper()}" if method.dispersion else ""
    return Relaxation(
        engine.cluster, engine.ground.energy, engine.largest_force, engine.steps, converged,
        f"{method.functional.upper()}{dispersion}/{method.basis}",
    )  # fmt: skip


def _engine(
    geometric: Any,
    cluster: Cluster,
    method: DFTMethod,
    held: Sequence[int],
    keep: Keep | None,
    progress: Progress | None,
) -> Any:
    free = np.setdiff1d(np.arange(cluster.natom), held)

    class Engine(geometric.engine.Engine):  # type: ignore[misc]
        """Energies and gradients; each SCF starts from the last one's density."""

        def __init__(self) -> None:
            molecule = geometric.molecule.Molecule()
            molecule.elem = list(cluster.symbols)
            molecule.xyzs = [np.asarray(cluster.coords) / angstrom]
            super().__init__(molecule)
            self.cluster = cluster
            self.ground: GroundState | None = None
            self.largest_force = np.inf
            self.steps = 0

        def calc_new(self, coords: FloatArray, _directory: Any) -> dict[str, Any]:
            self.cluster = self.cluster.with_coords(coords.reshape(-1, 3))
            ground = self.ground = run_scf(self.cluster, method, guess=self.ground, progress=progress)
            if not ground.converged:
                raise NotConvergedError(
                    f"the SCF of step {self.steps + 1} did not converge in {ground.cycles} cycles",
                    why="its gradient would not be that of a state of the molecule",
                    fix="raise max_cycle, or start from a more reasonable geometry",
                )
            slope = gradient(ground)
            gc.collect()  # PySCF's objects refer to one another, with gigabytes of integrals
            self.largest_force = _largest(slope[free])
            self.steps += 1
            if keep is not None:
                force = self.largest_force / _FORCE
                keep(
                    self.cluster,
                    f"step {self.steps}, E = {ground.energy:.8f} hartree, largest force {force:.4f} eV/angstrom",
                )
            return {"energy": ground.energy, "gradient": slope.ravel()}

    return Engine()


def gradient(ground: GroundState) -> FloatArray:
    """Analytical gradient of the density-fitted energy of a converged closed shell, (natom, 3), hartree/bohr."""
    from pyscf import dft

    method = ground.method
    mole = build_mole(ground.cluster, method)
    mf = dft.RKS(mole, xc=mean_field_functional(method.functional)).density_fit(
        auxbasis=method.auxiliary_basis
    )
    mf.grids.level = method.grid_level
    mf.disp = method.dispersion
    mf.mo_coeff, mf.mo_energy = ground.coefficients[0], ground.orbital_energies[0]
    mf.mo_occ = np.where(np.arange(len(mf.mo_energy)) < ground.nocc, 2.0, 0.0)
    mf.e_tot, mf.converged = ground.energy, True
    slope = mf.nuc_grad_method()
    slope.verbose = 0
    return np.asarray(slope.kernel())


def xtb_hessian(cluster: Cluster) -> FloatArray:
    """GFN2-xTB Hessian by central differences of forces, (3 natom, 3 natom), hartree/bohr^2."""
    atoms = _atoms(cluster)
    start = atoms.positions.copy()
    step = _STEP / angstrom
    rows = []
    for k in range(start.size):
        forces = []
        for sign in (1, -1):
            moved = start.copy()
            moved.flat[k] += sign * step
            atoms.positions = moved
            forces.append(atoms.get_forces().ravel())
        rows.append((forces[1] - forces[0]) / (2 * step))
    hessian = np.array(rows) * electronvolt / angstrom**2
    return np.asarray(0.5 * (hessian + hessian.T))


def vibrational_wavenumbers(cluster: Cluster, hessian: FloatArray) -> FloatArray:
    """Harmonic wavenumbers in 1/cm, ascending, (3 natom - 6,) (5 if linear); imaginary ones are negative.

    Translations and rotations are projected out of the mass-weighted Hessian (hartree/bohr^2).
    """
    from ase.data import atomic_masses, atomic_numbers
    from scipy.constants import atomic_mass, electron_mass

    masses = (
        np.array([atomic_masses[atomic_numbers[s]] for s in cluster.symbols]) * atomic_mass / electron_mass
    )
    weights = np.repeat(np.sqrt(masses), 3)
    centred = cluster.coords - np.average(cluster.coords, axis=0, weights=masses)
    motions = [np.tile(axis, (cluster.natom, 1)) for axis in np.eye(3)]
    motions += [np.cross(axis, centred) for axis in np.eye(3)]
    rigid = (np.array(motions).reshape(6, -1) * weights).T
    u, s, _ = np.linalg.svd(rigid, full_matrices=True)
    rank = int((s > 1e-6 * s[0]).sum())
    inner = u[:, rank:]
    values = np.linalg.eigvalsh(inner.T @ (hessian / np.outer(weights, weights)) @ inner)
    return np.asarray(np.sign(values) * np.sqrt(np.abs(values)) / wavenumber)
