"""What a job will need, told and checked before it starts."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cluster_qc.drivers import ri
from cluster_qc.drivers.continuum import check_radii, surface_bytes
from cluster_qc.drivers.memory import available_bytes
from cluster_qc.drivers.mole import build_mole, range_separation
from cluster_qc.drivers.scf import GRID_SHARE
from cluster_qc.drivers.tddft.tensors import required_bytes
from cluster_qc.errors import InputError, ResourceError
from cluster_qc.model import Cluster, DFTMethod, TDDFTMethod

_GIB = 2**30
_BASE = 0.5 * _GIB  # Python and its packages
_SPARE = 1.25  # asked of a batch system, over the estimate
_SCRATCH_MATRICES = 30  # of (nao, nao)
_PAIRS_PER_ROOT = 6
_STATES_OF_A_WINDOW = 100
_VIRTUAL_SHARE = 0.65  # of the virtual orbitals lie below 1.5 hartree, at most, in def2 basis sets

# Seconds on 2 cores, fitted to two runs: 96 atoms, standard preset, and 24 atoms, quick preset, 100 s. The README's run
# of the former took 32 min (16 of them the ground state); the guess is 39: only the exchange was fitted anew.
TIME_BASIS = "fitted to two runs, of 24 and of 96 atoms, on 2 cores; more cores are not measured"
_MEASURED_CORES = 2
_SERIAL_SHARE = 0.1  # of the time on those cores that more of them do not shorten; assumed
_START_S = 30.0  # imports, figures, page
_EXCHANGE_S = 2.0e-10  # of the ground state, for each naux nao^2 nocc
_GRID_S = 5.8e-3  # of the ground state, for each atom and basis function
_KERNEL_S = 1.1e-3  # of one spin's excited states, for each atom and basis function
_ROOT_S = 1.6e-10  # of one pass over one root, for each fitting function kept and nocc nvir (nocc + nvir)
_PASSES = {"fast": 1.0, "reference": 3.0}
_TRIALS_OF_OMEGA = 10
_ION_TIMES = 2.0  # of a closed shell's SCF: two spins


@dataclass(frozen=True)
class Plan:
    """An estimate from the numbers of functions alone; bytes."""

    nao: int
    naux: int
    tensor: int
    """Three-index integrals."""
    on_disk: bool
    memory: float
    """Peak of the whole job, without the AO values that are kept on the grid where memory is left."""
    free: int
    """Memory that is free now."""
    seconds: float
    """Wall time on two cores, a rough guess: see `TIME_BASIS`."""
    grid: bool
    """Whether there is a functional to evaluate on a grid."""

    def __str__(self) -> str:
        """One line for a log."""
        where = "on disk" if self.on_disk else "in memory"
        return (
            f"{self.nao} basis functions, {self.naux} fitting functions: three-index integrals of "
            f"{self.tensor / _GIB:.1f} GiB {where}; needs about {self.memory / _GIB:.1f} GiB of memory, "
            f"{self.free / _GIB:.1f} GiB are free"
        ) + (f", of which values on the grid may take {GRID_SHARE:.0%}" if self.grid else "")

    def wall_time_s(self, cores: int) -> float:
        """The guess of the wall time on a number of cores."""
        return self.seconds * (_SERIAL_SHARE + (1 - _SERIAL_SHARE) * _MEASURED_CORES / cores)

    def check(self, scratch: Path) -> None:
        """Refuse a job that cannot end on this machine.

        Raises
        ------
        ResourceError
            If memory, or the disk of `scratch`, is too small.
        """
        if self.memory > self.free:
            raise ResourceError(
                f"the job needs about {self.memory / _GIB:.1f} GiB of memory; {self.free / _GIB:.1f} GiB are free",
                why=str(self),
                fix="lower virtual_above, raise frozen_below, ask for fewer states, take a smaller basis, or a machine "
                "with more memory",
            )
        existing = next(p for p in (scratch, *scratch.absolute().parents) if p.exists())
        space = shutil.disk_usage(existing).free
        if self.on_disk and self.tensor > space:
            raise ResourceError(
                f"the three-index integrals need {self.tensor / _GIB:.1f} GiB of disk; {space / _GIB:.1f} GiB are free "
                f"at {existing}",
                why="they do not fit in memory",
                fix="free space there, or give another folder with --scratch",
            )


def plan_job(cluster: Cluster, ground: DFTMethod, *states: TDDFTMethod, free: int | None = None) -> Plan:
    """Estimate disk, memory and time of a ground state and of excited states on it.

    `free` is the memory (bytes) of the machine it will run on; None is this machine's.
    """
    from pyscf.data.elements import chemcore

    mole: Any = build_mole(cluster, ground)
    nao = int(mole.nao)
    naux, pairs = ri.tensor_size(mole, ground.auxiliary_basis)
    free = available_bytes() if free is None else free
    kinds = 1 + bool(range_separation(ground))
    in_memory, on_disk = _tensor_bytes(pairs * naux, kinds, free)
    base = _BASE + 8.0 * _SCRATCH_MATRICES * nao**2 + in_memory
    nocc = mole.nelectron // 2
    peak = base + ri.working_bytes(nao, naux, pairs, nocc)
    seconds = _START_S + _scf_seconds(mole, naux)
    for method in states:
        if method.nstates is not None and method.nstates > nocc * (nao - nocc):
            raise InputError(
                f"{method.nstates} states were asked for; the orbitals allow {nocc * (nao - nocc)}",
                fix="ask for fewer states, or take a larger basis",
            )
        active = nocc if method.frozen_below is None else nocc - chemcore(mole)
        virtual = nao - nocc if method.virtual_above is None else int(_VIRTUAL_SHARE * (nao - nocc))
        count = method.nstates or _STATES_OF_A_WINDOW
        arrays = 2 if method.tda else 4
        subspace = 8.0 * arrays * _PAIRS_PER_ROOT * count * active * virtual
        share = method.exchange_rank
        tensors = required_bytes(naux, active, virtual, share, kinds)
        transformation = ri.contraction_bytes(nao, pairs, active + virtual)
        peak = max(peak, base + tensors + max(subspace, transformation))
        one_pass = _ROOT_S * kinds * share * naux * active * virtual * (active + virtual)
        seconds += _KERNEL_S * cluster.natom * nao + _PASSES[method.route] * count * one_pass
    grid = ground.functional.lower() != "hf"
    return Plan(nao, naux, on_disk or in_memory, bool(on_disk), float(np.ceil(peak)), free, seconds, grid)


def _tensor_bytes(count: int, kinds: int, free: int) -> tuple[int, int]:
    """What so many tensors of `count` numbers take in memory, and on disk."""
    in_memory = on_disk = 0
    for _ in range(kinds):
        double, keep = ri.storage(count, free - in_memory)
        size = count * (8 if double else 4)
        in_memory, on_disk = in_memory + size * keep, on_disk + size * (not keep)
    return in_memory, on_disk


def _scf_seconds(mole: Any, naux: int) -> float:
    """Time of a closed shell's ground state with its integrals."""
    nao, nocc = int(mole.nao), int(mole.nelectron) // 2
    return _EXCHANGE_S * naux * nao**2 * nocc + _GRID_S * int(mole.natm) * nao


def plan_levels(cluster: Cluster, methods: Sequence[DFTMethod], tuned: DFTMethod | None) -> Plan:
    """Estimate disk, memory and time of the ions by each method, and of tuning the range separation of `tuned`.

    One tensor serves all of it; a range-separated functional needs a second one, one at a time while it is tuned.
    The time is that of several ground states, no run of this kind having been measured.
    """
    used = [*methods, *([tuned] if tuned else [])]
    moles: list[Any] = [build_mole(cluster, method) for method in used]  # refuses what cannot be computed
    mole = moles[0]
    nao = int(mole.nao)
    naux, pairs = ri.tensor_size(mole, used[0].auxiliary_basis)
    free = available_bytes()
    kinds = 1 + bool(range_separation(used[0])) + bool(tuned)
    in_memory, on_disk = _tensor_bytes(pairs * naux, kinds, free)
    peak = (
        _BASE
        + 2 * 8.0 * _SCRATCH_MATRICES * nao**2
        + in_memory
        + ri.working_bytes(nao, naux, pairs, int(mole.nelectron) // 2)
    )
    permittivities = {method.permittivity for method in methods} - {None}
    if permittivities:
        check_radii(mole)
        peak += surface_bytes(mole, naux)
    continuum = len(permittivities) * (1 + bool(tuned))
    ions = 2 * (1 + continuum + _TRIALS_OF_OMEGA * bool(tuned))
    shells = continuum + _TRIALS_OF_OMEGA * bool(tuned)
    seconds = _START_S + (_ION_TIMES * ions + shells) * _scf_seconds(mole, naux)
    grid = bool(tuned) or any(method.functional.lower() != "hf" for method in methods)
    return Plan(nao, naux, on_disk or in_memory, bool(on_disk), float(np.ceil(peak)), free, seconds, grid)


def batch_plan(cluster: Cluster, ground: DFTMethod, *states: TDDFTMethod) -> Plan:
    """The plan on a machine that has just the memory the job needs, a quarter to spare: `free` is what to ask for."""
    plan = plan_job(cluster, ground, *states, free=0)
    # With more memory the tensor may move from the disk into it, which needs more: at most twice, single and double.
    while plan.free < _SPARE * plan.memory:
        plan = plan_job(cluster, ground, *states, free=int(_SPARE * plan.memory))
    return plan
