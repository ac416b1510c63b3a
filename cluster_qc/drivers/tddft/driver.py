"""From a ground state to excited states: active orbitals, tensors, a cheap model as guess, the full operator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cluster_qc.drivers import ecp, transition
from cluster_qc.drivers.checkpoint import Checkpoint
from cluster_qc.drivers.integrals import TensorCache
from cluster_qc.drivers.memory import available_bytes
from cluster_qc.drivers.mole import build_mole, is_meta_gga
from cluster_qc.drivers.ri import RITensor
from cluster_qc.drivers.tddft.coupling import FittedCoupling, GridCoupling, fitted_kernel
from cluster_qc.drivers.tddft.kernel import GridKernel
from cluster_qc.drivers.tddft.operator import ResponseOperator
from cluster_qc.drivers.tddft.solver import Goal, Solution, solve, with_margin
from cluster_qc.drivers.tddft.tensors import ResponseTensors, coulomb_tensor, exchange_tensors
from cluster_qc.drivers.tddft.trial_space import TrialSpace
from cluster_qc.errors import InputError, NotConvergedError, UnavailableError
from cluster_qc.model import DFTMethod, ExcitedStates, GroundState, TDDFTCycle, TDDFTMethod
from cluster_qc.units import electronvolt

Double = NDArray[np.float64]
Progress = Callable[[float | None, str], None]

_MODEL_TOLERANCE = 1e-2
_FAST_MODEL_TOLERANCE = 3e-3
_FAST_ERROR = 0.005 * electronvolt
_WINDOW_MARGIN = 0.05 * electronvolt  # by which a root of the model may lie too high
_MODEL_PAUSE = 20.0  # at most a twentieth of the model's time goes into its checkpoint
_MODEL_MIN_SIZE = 3_000  # below this many orbital pairs a model saves nothing
_SUBSPACE_SHARE = 0.4  # of the free memory
_KERNEL_SHARE = 0.3  # of what then is left, for AO values on the grid


@dataclass(frozen=True, eq=False)
class ResponseSpace:
    """What singlets and triplets of one orbital window share."""

    mole: Any
    tensor: RITensor
    """Full-range integrals."""
    occupied: NDArray[np.intp]
    virtual: NDArray[np.intp]
    exchange: tuple[tuple[float, ResponseTensors], ...]
    """(share, tensors) of full-range and long-range exact exchange; empty for a pure functional."""
    coulomb: NDArray[np.float32]
    """(naux, nocc, nvir)."""


def response_tensors(
    ground: GroundState,
    method: TDDFTMethod,
    *,
    scratch: str | Path | None = None,
    integrals: TensorCache | None = None,
    progress: Progress | None = None,
) -> ResponseSpace:
    """Active orbitals and three-index tensors, for `run_tddft` calls of the same orbital window.

    Raises
    ------
    NotConvergedError
        If the ground state is not converged.
    UnavailableError
        If it is unrestricted.
    InputError
        If the window leaves no orbitals, or more states are asked for than the window has pairs.
    ResourceError
        If the tensors do not fit in memory.
    """
    report = progress or _silent
    _check(ground)
    occupied, virtual = active_orbitals(ground, method)
    mole = build_mole(ground.cluster, ground.method)
    cache = integrals or TensorCache(mole, ground.method, scratch, report)
    c = ground.coefficients[0]
    orbitals = c[:, occupied], c[:, virtual]
    gaps = _gaps(ground, occupied, virtual)
    parts = _exchange_parts(ground.method)
    exchange = [
        (
            share,
            exchange_tensors(
                cache.get(omega),
                *orbitals,
                gaps,
                share=method.exchange_rank,
                memory_limit=available_bytes(),
                progress=report,
            ),
        )
        for share, omega in parts
    ]
    full_range = [tensors.ia for (_, tensors), (_, omega) in zip(exchange, parts, strict=True) if omega == 0]
    coulomb = full_range[0] if full_range else coulomb_tensor(cache.get(0.0), *orbitals)
    return ResponseSpace(mole, cache.get(0.0), occupied, virtual, tuple(exchange), coulomb)


def run_tddft(
    ground: GroundState,
    method: TDDFTMethod,
    *,
    tensors: ResponseSpace | None = None,
    checkpoint: str | Path | None = None,
    scratch: str | Path | None = None,
    progress: Progress | None = None,
) -> ExcitedStates:
    """Vertical excitations of a closed-shell ground state by linear response.

    Parameters
    ----------
    ground
        Converged, restricted.
    method
        Number of states, spin, TDA or full TDDFT, orbital window, thresholds.
    tensors
        From `response_tensors` with the same orbital window; made here if not given.
    checkpoint
        File for the subspace, of the model and then of the full operator, rewritten after a cycle; an interrupted run
        of the same input continues from it.
    scratch
        Folder for a three-index tensor that does not fit in memory.
    progress
        Called with the finished fraction and the last solver line.

    Returns
    -------
    ExcitedStates
        Roots that did not converge are marked in `converged`. Singlets carry electric, velocity and magnetic transition
        dipoles, the last about the centre of nuclear charges, the last two with the terms of effective core potentials.

    Raises
    ------
    NotConvergedError
        If the ground state is not converged or not a minimum.
    UnavailableError, InputError, ResourceError
        As for `response_tensors`.
    """
    report = progress or _silent
    _check(ground)
    space = tensors or response_tensors(ground, method, scratch=scratch, progress=report)
    c = ground.coefficients[0]
    occupied, virtual = c[:, space.occupied], c[:, space.virtual]
    gaps = _gaps(ground, space.occupied, space.virtual)
    if method.nstates is not None and method.nstates > gaps.size:
        raise InputError(
            f"{method.nstates} states were asked for; the active orbitals allow {gaps.size}",
            fix="ask for fewer states, or widen the orbital window",
        )
    grid_level = ground.method.grid_level
    if method.grid_level is not None and not is_meta_gga(ground.method.functional):
        grid_level = method.grid_level
    kernel_needed = ground.method.functional.lower() != "hf"

    def kernel(functional: str, level: int | None, memory: float = 0.0) -> GridKernel:
        where = "a crude grid" if level is None else f"grid level {level}"
        report(None, f"{method.spin} kernel on {where}")
        return GridKernel(
            space.mole, functional, c[:, : ground.nocc],
            omega=ground.method.omega, grid_level=level, spin=method.spin, memory_limit=memory,
        )  # fmt: skip

    def model() -> ResponseOperator:
        hartree = 2.0 if method.spin == "singlet" else 0.0
        matrix = np.eye(len(space.coulomb)) * hartree
        if kernel_needed:
            matrix += 2.0 * fitted_kernel(kernel(_model_functional(ground.method), None), space.tensor)
        coupling = FittedCoupling(space.coulomb, matrix.astype(np.float32), hartree)
        return ResponseOperator(gaps, [(share, t.model) for share, t in space.exchange], coupling)

    history: list[TDDFTCycle] = []

    def told(cycle: TDDFTCycle) -> None:
        history.append(cycle)
        full = cycle.operator == "full"
        number = sum(other.operator == cycle.operator for other in history)
        report(
            cycle.converged / cycle.wanted if full else None,
            f"{'' if full else 'model '}cycle {number}: {cycle.converged} of {cycle.wanted} roots, largest residual "
            f"{cycle.residual:.1e}, {cycle.vectors} vectors, highest root {cycle.highest / electronvolt:.3f} eV",
        )

    saved = TrialSpace(Checkpoint(checkpoint), ground, method, "full operator", history, report)
    limit = int(_SUBSPACE_SHARE * available_bytes() / (8 * gaps.size * (2 if method.tda else 4)))
    fast = method.route == "fast"
    start = None
    cheap = model() if gaps.size > _MODEL_MIN_SIZE else None
    if saved.subspace is None and cheap is not None:
        saved_model = TrialSpace(
            Checkpoint(checkpoint, _MODEL_PAUSE), ground, method, "model", history, report
        )
        extra = None if method.nstates is None else with_margin(method.nstates)
        try:
            guess = solve(
                cheap,
                Goal(
                    extra,
                    None if method.window is None else method.window + _WINDOW_MARGIN,
                    _FAST_MODEL_TOLERANCE if fast else _MODEL_TOLERANCE,
                ),
                tda=method.tda,
                max_vectors=limit,
                max_cycle=40,
                name="model",
                progress=told,
                restart=saved_model.subspace,
                checkpoint=saved_model.write,
            )
            start = (guess.u, guess.v)
            del guess
        except NotConvergedError:  # of the model; whether the molecule is unstable, the full operator tells
            report(None, "the model is not positive definite: the full operator goes on without it")
            cheap = None
        del saved_model
    stored = _KERNEL_SHARE * available_bytes()
    grid = kernel(ground.method.functional, grid_level, stored) if kernel_needed else None
    hartree = space.coulomb if method.spin == "singlet" else None
    coupling = GridCoupling(hartree, grid, occupied, virtual)
    solution = solve(
        ResponseOperator(gaps, [(share, t.exchange) for share, t in space.exchange], coupling),
        Goal(method.nstates, method.window, method.tolerance, _FAST_ERROR if fast else None),
        tda=method.tda,
        max_vectors=limit,
        max_cycle=method.max_cycle,
        name="full",
        progress=told,
        model=cheap,
        start=start,
        restart=saved.subspace,
        checkpoint=saved.write,
    )
    return _excited_states(ground, method, space, solution, grid_level, history)


def active_orbitals(ground: GroundState, method: TDDFTMethod) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Indices of the occupied and virtual orbitals inside the window of the method.

    Raises
    ------
    InputError
        If one of the two is empty.
    """
    energies = ground.orbital_energies[0]
    index = np.arange(len(energies))
    occupied = index[: ground.nocc]
    virtual = index[ground.nocc :]
    if method.frozen_below is not None:
        occupied = occupied[energies[occupied] >= method.frozen_below]
    if method.virtual_above is not None:
        virtual = virtual[energies[virtual] <= method.virtual_above]
    if not len(occupied) or not len(virtual):
        raise InputError(
            "the orbital window leaves no " + ("occupied" if not len(occupied) else "virtual") + " orbitals",
            fix="lower frozen_below, raise virtual_above, or use a larger basis",
        )
    return occupied, virtual


def _gaps(ground: GroundState, occupied: NDArray[np.intp], virtual: NDArray[np.intp]) -> Double:
    """Orbital energy differences e_a - e_i, (nocc, nvir)."""
    energies = ground.orbital_energies[0]
    return np.asarray(energies[virtual][None] - energies[occupied][:, None])


def _silent(fraction: float | None, line: str) -> None:
    pass


def _check(ground: GroundState) -> None:
    if not ground.restricted:
        raise UnavailableError(
            "excited states are available for closed-shell ground states only",
            why="this one is unrestricted",
            fix="use a cluster of multiplicity 1",
        )
    if ground.method.permittivity is not None:
        raise UnavailableError(
            "excited states in a dielectric continuum are not available",
            why="the response of the continuum to the excitation is missing",
            fix="compute them on the ground state in vacuum",
        )
    if not ground.converged:
        raise NotConvergedError(
            f"the ground state of {ground.cluster.name} is not converged",
            why="its orbitals are not the ones that excitations are built on",
            fix="raise max_cycle or loosen conv_tol, and run the SCF again",
        )


def _model_functional(method: DFTMethod) -> str:
    """Whose kernel the model takes: that of a meta-GGA asks for a fine grid, and for more than a fitted density."""
    if not is_meta_gga(method.functional):
        return method.functional
    exact = min(1.0, sum(share for share, _ in _exchange_parts(method)))
    return f"{1.0 - exact:g}*pbe,pbe"


def _exchange_parts(method: DFTMethod) -> tuple[tuple[float, float], ...]:
    """(share, omega) of each kind of exact exchange in a functional."""
    if method.functional.lower() == "hf":
        return ((1.0, 0.0),)
    from pyscf import dft

    numint = dft.numint.NumInt()
    numint.omega = method.omega
    omega, alpha, hybrid = numint.rsh_and_hybrid_coeff(method.functional)
    parts = []
    if hybrid:
        parts.append((float(hybrid), 0.0))
    if omega and alpha - hybrid:
        parts.append((float(alpha - hybrid), float(omega)))
    return tuple(parts)


def _excited_states(
    ground: GroundState,
    method: TDDFTMethod,
    space: ResponseSpace,
    solution: Solution,
    grid_level: int,
    history: list[TDDFTCycle],
) -> ExcitedStates:
    shape = (-1, len(space.occupied), len(space.virtual))
    u, v = solution.u.reshape(shape) / np.sqrt(2.0), solution.v.reshape(shape) / np.sqrt(2.0)
    x, y = 0.5 * (u + v), 0.5 * (u - v)
    moments: dict[str, Any] = {}
    if method.spin == "singlet":
        c = ground.coefficients[0]
        orbitals = (c[:, space.occupied], c[:, space.virtual])
        origin = transition.charge_centre(space.mole)
        moments["gauge_origin"] = origin
        moments["electric"] = transition.electric_dipoles(space.mole, *orbitals, x, y)
        potentials = ecp.commutators(space.mole)
        moments["magnetic"] = transition.magnetic_dipoles(space.mole, *orbitals, x, y, origin, potentials)
        moments["velocity"] = transition.velocity_dipoles(space.mole, *orbitals, x, y, potentials)
    named, sizes = _approximations(ground, method, space, grid_level)
    return ExcitedStates(
        ground=ground,
        method=method,
        excitation_energies=solution.energies,
        error_estimates=solution.errors + sum(sizes),
        converged=solution.converged,
        occupied=space.occupied,
        virtual=space.virtual,
        x=x,
        y=y,
        approximations=named,
        history=tuple(history),
        **moments,
    )


# Mean errors of the lowest singlets, eV, with PBE0/def2-SVP: of 15 singlets of a Cu2Au2 cluster of 24 atoms
# (benchmarks/approximations.py, where all truncations together were 3.1 on average and 5.3 meV at most), or as said.
# Against PySCF without a fit, the largest of 10 singlets: 0.5 meV with PBE0, 0.3 to 1.1 with Hartree-Fock.
_ERROR_RI_EV = 0.0003
_ERROR_RI_EXCHANGE_EV = 0.0008  # for the whole of exact exchange
_ERROR_SINGLE_EV = 0.0003  # bound: PySCF's double-precision solver with the same fit and grid, tests/drivers
# Of compressed exchange (benchmarks/kept_share.py): for the whole of exact exchange it is this, times e to minus the
# share kept over the decay, above every mean measured (with PBE0 0.8, 0.3 and 0.1 meV for 10, 15 and 25 %).
_ERROR_RANK_EV = 0.02
_RANK_DECAY = 0.055
_LEAST_ERROR_RANK_EV = 0.0001
_ERROR_FROZEN_EV = 0.0006
_ERROR_WINDOW_EV = 0.0027
_ERROR_GRID_EV = 0.0001
_ERROR_COARSEST_GRID_EV = 0.005  # H2O2, methyloxirane; the cluster 0.1 meV
# By grid level, against level 3: the largest mean of 10 singlets or triplets of methyloxirane, def2-SVP.
_ERROR_META_GGA_EV = (0.07, 0.0042, 0.0007)  # TPSSh, M06-2X, r2SCAN
_ERROR_SCAN_EV = (0.15, 0.046, 0.033)


def _approximations(
    ground: GroundState, method: TDDFTMethod, space: ResponseSpace, grid_level: int
) -> tuple[tuple[str, ...], list[float]]:
    exchange = sum(share for share, _ in space.exchange)
    entries = [
        (f"RI with {ground.method.auxiliary_basis}", _ERROR_RI_EV + _ERROR_RI_EXCHANGE_EV * exchange),
        ("products of the operator in single precision", _ERROR_SINGLE_EV),
    ]
    frozen = ground.nocc - len(space.occupied)
    if frozen:
        entries.append((f"{frozen} of {ground.nocc} occupied orbitals frozen", _ERROR_FROZEN_EV))
    total = ground.orbital_energies.shape[1] - ground.nocc
    dropped = total - len(space.virtual)
    if dropped:
        entries.append((f"{dropped} of {total} virtual orbitals left out", _ERROR_WINDOW_EV))
    if space.exchange and method.exchange_rank < 1:
        kept = method.exchange_rank
        size = max(exchange * _ERROR_RANK_EV * np.exp(-kept / _RANK_DECAY), _LEAST_ERROR_RANK_EV)
        entries.append((f"exchange with {kept:.0%} of the auxiliary functions", size))
    if grid_level < ground.method.grid_level:
        size = _ERROR_GRID_EV if grid_level else _ERROR_COARSEST_GRID_EV
        entries.append((f"response kernel on grid level {grid_level}", size))
    functional = ground.method.functional.lower()
    if is_meta_gga(functional):
        scan = "scan" in functional.replace("r2scan", "")  # under any of its names, and its hybrids
        by_level = _ERROR_SCAN_EV if scan else _ERROR_META_GGA_EV
        if grid_level < len(by_level):
            entries.append((f"kernel of a meta-GGA on grid level {grid_level}", by_level[grid_level]))
    named = [f"{text} (about {1000 * size:.1f} meV on models)" for text, size in entries]
    if is_meta_gga(functional):  # Bates and Furche, J. Chem. Phys. 137, 164105 (2012), 10.1063/1.4759080
        named.append("kernel of a meta-GGA without the paramagnetic current in tau (not estimated)")
    return tuple(named), [size * electronvolt for _, size in entries]
