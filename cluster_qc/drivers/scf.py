"""The Kohn-Sham ground state: a guess that does not swing, fallbacks, checkpoints."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyscf import dft, scf

from cluster_qc.drivers.checkpoint import Checkpoint
from cluster_qc.drivers.continuum import in_continuum
from cluster_qc.drivers.grid import LocalXC
from cluster_qc.drivers.guess import ion_density, transferred_density
from cluster_qc.drivers.integrals import TensorCache
from cluster_qc.drivers.jk import CoulombExchange
from cluster_qc.drivers.memory import available_bytes
from cluster_qc.drivers.mole import ao_atoms, build_mole, lacks_its_dispersion, mean_field_functional
from cluster_qc.hashing import ground_hash
from cluster_qc.model import Cluster, DFTMethod, GroundState, SCFCycle

Progress = Callable[[float | None, str], None]
Matrix = NDArray[np.float64]

_COARSE_GRID = 1
_COARSE_GRADIENT = 1e-2  # orbital gradient to reach before the method's own grid
_TIGHTER = 1 / 3  # of PySCF's threshold for the orbital gradient, whose extra cycle at the end is spared
_SINGLE_NOISE = 1.5e-7
"""Orbital gradient left by exchange in single precision, for a root of the number of orbital pairs."""
GRID_SHARE = 0.3
"""Of the free memory, for AO values that are kept on the grid."""
_SETTLED = 0.15  # orbital gradient below which the first level shift is taken away


def run_scf(
    cluster: Cluster,
    method: DFTMethod,
    *,
    checkpoint: str | Path | None = None,
    scratch: str | Path | None = None,
    integrals: TensorCache | None = None,
    guess: GroundState | None = None,
    progress: Progress | None = None,
) -> GroundState:
    """Converge the ground state with density-fitted Coulomb and exchange (RI-JK).

    A coarse grid and threshold first, then the method's own. If plain DIIS does not converge, level shift with
    damping follows, then second-order SCF; each fallback is named in the result's remarks.

    Parameters
    ----------
    cluster, method
        What to compute. Without `guess` it starts from the sum of the densities of `cluster.ions`, or from PySCF's
        "minao" where they are not known.
    checkpoint
        File that is rewritten after a cycle; an interrupted run of the same input continues from it, and ends within
        `method.conv_tol` of an undisturbed one.
    scratch
        Folder for a three-index tensor that does not fit in memory; default the temporary folder.
    integrals
        Three-index tensors to share with `response_tensors`; made here if not given.
    guess
        Orbitals to start from: the same atoms and basis at another geometry, with another functional or another charge.
    progress
        Called with None and the last SCF line.

    Returns
    -------
    GroundState
        With `converged` False, and a remark, if every attempt failed.

    Raises
    ------
    InputError
        For an unknown functional, basis or ECP, or a combination that is not supported.
    StorageError
        If scratch or checkpoint cannot be written.
    """
    mole = build_mole(cluster, method)
    report = progress or (lambda fraction, line: None)
    tensors = integrals or TensorCache(mole, method, scratch, report)
    mf, jk = _mean_field(mole, method, tensors)
    state = _State(checkpoint, cluster, method, report)
    remarks = state.remarks
    density = state.density
    if density is not None:
        report(None, f"goes on after cycle {state.cycles} of an interrupted run")
    if density is None and guess is not None:
        density = transferred_density(guess, mf.get_ovlp(), mole)
    if density is None:
        density = (
            ion_density(mole, method, cluster.ions, report)
            if cluster.ions
            else mf.get_init_guess(key="minao")
        )

    mf.diis = scf.diis.CDIIS(mf)
    fock: list[Matrix] = []  # of the last density, without extrapolation
    converged_gradient = _TIGHTER * np.sqrt(method.conv_tol)

    def attempt(
        label: str, max_cycle: int, start: Any, gradient: float | None = None, **settings: Any
    ) -> bool:
        mf.conv_tol = method.conv_tol if gradient is None else 1.0
        mf.conv_tol_grad = gradient or converged_gradient
        mf.conv_check = label == "level shift"  # an evaluation that the orbitals without a shift need
        mf.max_cycle = max_cycle
        for key, value in settings.items():
            setattr(mf, key, value)

        def callback(environment: dict[str, Any]) -> None:
            state.cycles += 1
            if label in ("coarse", "single", "final") and environment["norm_gorb"] < _SETTLED:
                mf.level_shift = 0.0
            report(
                None,
                f"SCF {label} cycle {environment.get('cycle', -1) + 1}  E = {environment['e_tot']:.8f}  "
                f"|g| = {environment['norm_gorb']:.1e}",
            )
            fock[:] = [environment["fock"]]
            jk.see(environment["mo_energy"], environment["mo_coeff"], environment["norm_gorb"])
            state.note(label, environment["e_tot"], environment["norm_gorb"])
            state.write(environment["mo_coeff"], environment["mo_occ"])

        mf.callback = callback
        mf.kernel(dm0=start)
        return bool(mf.converged)

    plain = {"level_shift": 0.0, "damp": 0.0, "diis_start_cycle": 1}
    # On another grid or in another precision the Fock matrices seen so far still say where the minimum is.
    onward = {**plain, "diis_start_cycle": 0}
    shifted = {"level_shift": 0.3, "damp": 0.3, "diis_start_cycle": 4}
    is_dft = method.functional.lower() != "hf"
    with_exchange = not is_dft or bool(mf._numint.libxc.is_hybrid_xc(method.functional))
    # Charge flows back from the ions; without a level shift the first steps would overshoot and swing.
    careful = cluster.ions and guess is None and state.cycles == 0
    first = shifted if careful else plain
    if is_dft and not state.final and method.grid_level > _COARSE_GRID:
        _set_grid(mf, _COARSE_GRID)
        if not attempt("coarse", min(30, method.max_cycle), density, _COARSE_GRADIENT, **first):
            remarks.append(
                "plain DIIS did not converge on the coarse grid; level shift 0.3 and damping 0.3 followed"
            )
            mf.diis = scf.diis.CDIIS(mf)
            attempt("level shift", method.max_cycle, density, _COARSE_GRADIENT, **shifted)
        density = mf.make_rdm1()
        first = onward
    state.final = True
    if is_dft:
        _set_grid(mf, method.grid_level)
    done = False
    if not state.double and with_exchange and tensors.get().dtype == np.float32:
        nocc = mole.nelectron // 2
        noise = _SINGLE_NOISE * np.sqrt(nocc * (mole.nao - nocc))
        attempt("single", min(25, method.max_cycle), density, max(converged_gradient, noise), **first)
        density = mf.make_rdm1()
        first = onward
        jk.precise = state.double = True
        done = _confirm(mf, density, fock, np.sqrt(method.conv_tol), state)
        report(None, f"SCF double precision  E = {mf.e_tot:.8f}")
    jk.precise = state.double = True
    if not done and not attempt("final", method.max_cycle, density, **first):
        remarks.append("plain DIIS did not converge; level shift 0.3 with damping 0.3 followed")
        mf.diis = scf.diis.CDIIS(mf)
        attempt("level shift", method.max_cycle, mf.make_rdm1(), **shifted)
        if not mf.converged:
            remarks.append("second-order SCF followed")
            mf = _second_order(mf, method, report, state)
            fock.clear()
    if fock:  # orbitals of the last density that diagonalise its own Fock matrix
        mf.mo_energy, mf.mo_coeff = mf.canonicalize(mf.mo_coeff, mf.mo_occ, fock[0])
    if not mf.converged:
        remarks.append(f"SCF NOT CONVERGED to {method.conv_tol:g} hartree in {state.cycles} cycles")
    if dropped := mole.nao - np.shape(mf.mo_coeff)[-1]:
        remarks.append(
            f"the basis set is linearly dependent: {dropped} of {mole.nao} combinations of its functions, of overlap "
            "below 1e-6, were dropped"
        )
    if method.dispersion is None and lacks_its_dispersion(method.functional):
        remarks.append(
            f"the energy lacks the dispersion correction that belongs to {method.functional}; orbitals and excitations "
            "do not hang on it, differences between conformers do"
        )
    if is_dft:  # gigabytes of values on the grid; the mean field refers to itself and would keep them
        for name in ("nr_rks", "nr_uks"):
            vars(mf._numint).pop(name, None)
    return _ground_state(cluster, method, mole, mf, state)


def _confirm(mf: Any, density: Any, fock: list[Matrix], gradient: float, state: _State) -> bool:
    """Energy and Fock matrix of a density that converged in single precision; whether double agrees that it did."""
    potential = mf.get_veff(mf.mol, density)
    mf.e_tot = mf.energy_tot(density, mf.get_hcore(), potential)
    fock[:] = [mf.get_fock(vhf=potential, dm=density)]
    norm = np.linalg.norm(mf.get_grad(mf.mo_coeff, mf.mo_occ, fock[0]))
    state.note("double", mf.e_tot, norm)
    mf.converged = bool(mf.converged and norm < gradient)
    return bool(mf.converged)


def _mean_field(mole: Any, method: DFTMethod, tensors: TensorCache) -> tuple[Any, CoulombExchange]:
    restricted = mole.spin == 0
    if method.functional.lower() == "hf":
        mf = scf.RHF(mole) if restricted else scf.UHF(mole)
    else:
        mf = dft.RKS(mole) if restricted else dft.UKS(mole)
        mf.xc = mean_field_functional(method.functional)
        mf._numint.omega = method.omega
    if method.permittivity is not None:
        mf = in_continuum(mf, method.permittivity, tensors)
    if method.dispersion is not None:
        mf.disp = method.dispersion
    mf.direct_scf = False
    mf.chkfile = None  # our own checkpoint instead
    jk = CoulombExchange(mf.get_ovlp(), tensors)

    def get_jk(  # PySCF's signature
        mol: Any = None,  # noqa: ARG001
        dm: Any = None,
        hermi: int = 1,  # noqa: ARG001
        with_j: bool = True,
        with_k: bool = True,
        omega: float | None = None,
    ) -> tuple[Any, Any]:
        densities = np.asarray(mf.make_rdm1() if dm is None else dm)
        if with_k:  # J comes along at no price
            return jk.coulomb_exchange(densities, omega or 0.0)
        return (jk.coulomb(densities, omega or 0.0) if with_j else None), None

    mf.get_jk = get_jk
    mf.get_j = lambda mol=None, dm=None, hermi=1, omega=None: get_jk(mol, dm, hermi, True, False, omega)[0]
    mf.get_k = lambda mol=None, dm=None, hermi=1, omega=None: get_jk(mol, dm, hermi, False, True, omega)[1]
    return mf, jk


def _set_grid(mf: Any, level: int) -> None:
    """A new grid, and the potential on it."""
    mf.grids = dft.gen_grid.Grids(mf.mol)
    mf.grids.level = level
    mf.grids.verbose = 0
    local = LocalXC(mf.mol, omega=mf._numint.omega, memory_limit=GRID_SHARE * available_bytes())
    mf._numint.nr_rks = mf._numint.nr_uks = local


def _second_order(mf: Any, method: DFTMethod, report: Progress, state: _State) -> Any:
    solver = mf.newton()
    solver.conv_tol = method.conv_tol
    solver.max_cycle = 30
    solver.verbose = 0
    report(None, "SCF second order")
    first = len(state.history)

    def callback(environment: dict[str, Any]) -> None:
        if environment["imacro"] == len(state.history) - first:  # PySCF tells the last cycle twice
            state.note("second order", environment["e_tot"], environment["norm_gorb"])

    solver.callback = callback
    solver.kernel(mf.mo_coeff, mf.mo_occ)
    mf.mo_coeff, mf.mo_energy, mf.mo_occ = solver.mo_coeff, solver.mo_energy, solver.mo_occ
    mf.e_tot, mf.converged = solver.e_tot, solver.converged
    return mf


def _ground_state(cluster: Cluster, method: DFTMethod, mole: Any, mf: Any, state: _State) -> GroundState:
    nspin = 1 if mole.spin == 0 else 2

    def by_spin(array: Any) -> Matrix:
        return np.asarray(array).reshape(nspin, *np.shape(array)[-(np.ndim(array) - (nspin == 2)) :])

    density = mf.make_rdm1()
    with mole.with_common_orig((0.0, 0.0, 0.0)):
        dipole = mf.dip_moment(mole, density, unit="AU", verbose=0)
    return GroundState(
        cluster=cluster,
        method=method,
        energy=float(mf.e_tot),
        orbital_energies=by_spin(mf.mo_energy),
        coefficients=by_spin(mf.mo_coeff),
        occupations=by_spin(mf.mo_occ),
        overlap=mf.get_ovlp(),
        ao_atoms=ao_atoms(mole),
        core_electrons=np.array([mole.atom_nelec_core(a) for a in range(mole.natm)]),
        dipole=dipole,
        s_squared=0.0 if nspin == 1 else float(mf.spin_square()[0]),
        converged=bool(mf.converged),
        cycles=state.cycles,
        remarks=tuple(state.remarks),
        history=tuple(state.history),
    )


class _State:
    """How far the iteration is: read from the checkpoint of an interrupted run, written after each cycle."""

    def __init__(
        self, path: str | Path | None, cluster: Cluster, method: DFTMethod, report: Progress
    ) -> None:
        self._file = Checkpoint(path)
        self._key = ground_hash(cluster, method)
        self.cycles = 0
        self.final = False  # past the coarse grid
        self.double = False  # past single precision
        self.remarks: list[str] = []
        self.history: list[SCFCycle] = []
        self.density: Matrix | None = None
        """Of an interrupted run."""
        stored = self._file.read(self._key, report)
        if stored is not None:
            self.cycles, self.final, self.double, self.remarks, *rest = json.loads(str(stored["state"]))
            self.history = [
                SCFCycle(*cycle) for cycle in (rest[0] if rest else ())
            ]  # early versions kept none
            orbitals, occupations = stored["coefficients"], stored["occupations"]
            self.density = (orbitals * occupations[..., None, :]) @ orbitals.swapaxes(-1, -2)

    def note(self, stage: str, energy: Any, gradient: Any) -> None:
        self.history.append(SCFCycle(stage, float(energy), float(gradient)))

    def write(self, coefficients: Any, occupations: Any) -> None:
        history = [astuple(cycle) for cycle in self.history]
        state = json.dumps([self.cycles, self.final, self.double, self.remarks, history])
        self._file.write(self._key, coefficients=coefficients, occupations=occupations, state=np.array(state))
