"""The expensive steps of a run, each computed once and kept as a record."""

from __future__ import annotations

import gc
import hashlib
import os
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cluster_qc import store
from cluster_qc.files import storage_errors
from cluster_qc.hashing import ground_hash, states_hash
from cluster_qc.model import Cluster, DFTMethod, ExcitedStates, GroundState, Record, TDDFTMethod
from cluster_qc.provenance import peak_memory_gib
from cluster_qc.records import record_path, refuse_newer
from cluster_qc.workflow.progress import Monitor

SCRATCH = ".scratch"


@dataclass
class Steps:
    """Runs a step, or reads its record; remembers what each took."""

    folder: Path
    monitor: Monitor
    force: bool = False
    timings_s: dict[str, float] = field(default_factory=dict)
    """Wall time of each step, of the run that computed it."""
    records: dict[str, str] = field(default_factory=dict)
    """Record folder of each step."""
    scratch: Path | None = None
    """Where a large temporary file goes instead of the results folder: the disk of the node, in a batch job."""
    resumed_inside: list[str] = field(default_factory=list)
    """Steps that went on from a checkpoint of a killed run; their wall time lacks the part before."""
    peak_memory_gib: float = 0.0
    _tensors: dict[Any, Any] = field(default_factory=dict)
    _integrals: Any = None

    def ground(
        self, cluster: Cluster, method: DFTMethod, *, step: str = "scf", guess: GroundState | None = None
    ) -> GroundState:
        """The ground state; `step` is its name in the log and the timings, `guess` where it starts from."""
        path = record_path(self.folder, "scf", ground_hash(cluster, method))
        if not self.force and (found := store.find_ground(self.folder, cluster, method)):
            self._reused(step, *found, path)
            return found[0]
        from cluster_qc.drivers.scf import run_scf

        checkpoint, begin = self._begin(step, path)
        report = self.monitor.step(step)
        with storage_errors(checkpoint):
            integrals = self._shared_integrals(cluster, method, report)
            ground = run_scf(
                cluster, method, checkpoint=checkpoint, integrals=integrals, guess=guess, progress=report
            )
        gc.collect()  # PySCF's mean field refers to itself, and holds AO values that the next SCF has no memory beside
        self._finish(step, ground, checkpoint, begin)
        return ground

    def states(self, ground: GroundState, method: TDDFTMethod) -> ExcitedStates:
        """The singlets or the triplets."""
        step = f"{method.spin}s"
        digest = states_hash(ground_hash(ground.cluster, ground.method), method)
        path = record_path(self.folder, step, digest)
        if not self.force and (found := store.find_states(self.folder, ground, method)):
            self._reused(step, *found, path)
            return found[0]
        if not self.force and path.exists():
            self.monitor.note(f"{step}: computed again, because the ground state that they stand on was")
        from cluster_qc.drivers.tddft import response_tensors, run_tddft

        checkpoint, begin = self._begin(step, path)
        report = self.monitor.step(step)
        # Singlets and triplets of one orbital window share their three-index tensors.
        window = (method.frozen_below, method.virtual_above, method.exchange_rank)
        with storage_errors(checkpoint):
            if window not in self._tensors:
                report(None, "three-index integrals")
                self._tensors.clear()
                integrals = self._shared_integrals(ground.cluster, ground.method, report)
                self._tensors[window] = response_tensors(ground, method, integrals=integrals, progress=report)
            tensors = self._tensors[window]
            states = run_tddft(ground, method, checkpoint=checkpoint, progress=report, tensors=tensors)
        self._finish(step, states, checkpoint, begin)
        return states

    def _shared_integrals(self, cluster: Cluster, method: DFTMethod, report: Any) -> Any:
        """The AO tensors, built once for the ground state and the excited states of this process."""
        if self._integrals is None:
            from cluster_qc.drivers.integrals import TensorCache
            from cluster_qc.drivers.mole import build_mole

            mole = build_mole(cluster, method)
            self._integrals = TensorCache(mole, method, self._tensor_folder(), report)
        return self._integrals

    def forget(self, omega: float) -> None:
        """Free the tensor of a range separation that is not needed any more."""
        if self._integrals is not None:
            self._integrals.forget(omega)

    def release(self) -> None:
        """Free the tensors, in memory and on disk."""
        self._tensors.clear()
        self._integrals = None
        shutil.rmtree(self._tensor_folder(), ignore_errors=True)

    def _tensor_folder(self) -> Path:
        """A folder of this run alone; the name is the same at the next attempt, which finds a finished tensor there."""
        if self.scratch is None:
            return self.folder / SCRATCH
        owner = hashlib.sha256(os.fsencode(self.folder.absolute())).hexdigest()[:16]
        return self.scratch / f"cluster-qc-{owner}"

    def _begin(self, step: str, path: Path) -> tuple[Path, float]:
        refuse_newer(path)
        checkpoint = self._checkpoint(path)
        if self.force:
            checkpoint.unlink(missing_ok=True)
        if checkpoint.exists():
            self.resumed_inside.append(step)
        return checkpoint, time.perf_counter()

    def _finish(self, step: str, result: GroundState | ExcitedStates, checkpoint: Path, begin: float) -> None:
        seconds = time.perf_counter() - begin
        self.timings_s[step] = seconds
        self.peak_memory_gib = max(self.peak_memory_gib, peak_memory_gib())
        extra = {"peak_memory_gib": peak_memory_gib(), "resumed_inside": step in self.resumed_inside}
        path = store.put(self.folder, result, wall_time_s=seconds, extra=extra, replace=True)
        self.records[step] = path.name
        checkpoint.unlink(missing_ok=True)
        self.monitor.note(f"{step}: {_outcome(result)} in {seconds:.1f} s")

    def _checkpoint(self, path: Path) -> Path:
        return self.folder / f".checkpoint-{path.name}"

    def _reused(self, step: str, result: GroundState | ExcitedStates, record: Record, path: Path) -> None:
        # A run may have been killed between its record and this, or have been a forced one.
        self._checkpoint(path).unlink(missing_ok=True)
        self.timings_s[step] = record.wall_time_s
        self.records[step] = path.name
        self.peak_memory_gib = max(self.peak_memory_gib, record.scalars.get("peak_memory_gib", 0.0))
        if record.scalars.get("resumed_inside"):
            self.resumed_inside.append(step)
        self.monitor.note(f"{step}: {_outcome(result)}, taken from {path.name}")


def something_to_compute(folder: Path, cluster: Cluster, method: DFTMethod, *states: TDDFTMethod) -> bool:
    """Whether a record of the ground state or of the excited states is missing in the folder."""
    ground = ground_hash(cluster, method)
    paths = [record_path(folder, "scf", ground)]
    paths += [record_path(folder, f"{m.spin}s", states_hash(ground, m)) for m in states]
    return not all(path.exists() for path in paths)


def _outcome(result: GroundState | ExcitedStates) -> str:
    if isinstance(result, GroundState):
        return "converged" if result.converged else "NOT converged"
    failed = [state.label for state in result if not state.converged]
    return f"{len(result)} states" + (f", NOT converged: {', '.join(failed)}" if failed else ", converged")
