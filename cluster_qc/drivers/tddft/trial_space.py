"""What an interrupted calculation of excited states goes on from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import astuple, replace

import numpy as np

from cluster_qc.drivers.checkpoint import Checkpoint
from cluster_qc.drivers.tddft.solver import Subspace
from cluster_qc.hashing import ground_hash, input_hash, states_hash
from cluster_qc.model import GroundState, TDDFTCycle, TDDFTMethod
from cluster_qc.provenance import versions

Progress = Callable[[float | None, str], None]


class TrialSpace:
    """The trial vectors of one of the two operators, read from the checkpoint of an interrupted run and written to it.

    The file holds those of one operator at a time, and the cycles of both, which go to `history`. Its key covers what
    the vectors and their products hang on: input, orbitals, versions, and the revision of the solver.
    """

    def __init__(
        self,
        file: Checkpoint,
        ground: GroundState,
        method: TDDFTMethod,
        operator: str,
        history: list[TDDFTCycle],
        report: Progress,
    ) -> None:
        self._file = file
        self._history = history
        digest = states_hash(ground_hash(ground.cluster, ground.method), replace(method, max_cycle=1))
        orbitals = hashlib.sha256(np.ascontiguousarray(ground.coefficients).tobytes()).hexdigest()
        settings = {"operator": operator, "orbitals": orbitals, "versions": versions()}
        self._key = input_hash("trial space", settings, (digest,))
        self.subspace: Subspace | None = None
        stored = file.read(self._key, report)
        if stored is not None:
            u, pu = stored["u"], stored["pu"]
            self.subspace = Subspace(u, stored.get("v", u), pu, stored.get("mv", pu))
            history[:] = [TDDFTCycle(*cycle) for cycle in json.loads(str(stored.get("history", "[]")))]
            report(None, f"goes on from {len(u)} vectors of the {operator}, of an interrupted run")

    def write(self, space: Subspace) -> None:
        """Replace what the file holds."""
        tamm_dancoff = space.v is space.u
        rest = {} if tamm_dancoff else {"v": space.v, "mv": space.mv}
        history = np.array(json.dumps([astuple(cycle) for cycle in self._history]))
        self._file.write(self._key, u=space.u, pu=space.pu, history=history, **rest)
