"""Input hashes: equal input is never computed twice, changed input never reuses."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cluster_qc.errors import InputError
from cluster_qc.files import sha256
from cluster_qc.model import Cluster, DFTMethod, TDDFTMethod

REVISIONS: Mapping[str, int] = {"scf": 2, "singlets": 3, "triplets": 2, "levels": 1, "trial space": 3}
"""Part of each input hash: raise a step's number when the same input must give different numbers from now on.

The trial space is what an interrupted calculation of excited states goes on from: raise its number when the solver
starts from other vectors, adds others, or stores them in another way.
"""


_NEWER = ("omega", "permittivity")


def canonical(value: Any) -> Any:
    """Plain JSON values of an input: dataclasses and mappings as dicts, arrays as lists, -0.0 as 0.0."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: canonical(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): canonical(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return canonical(value.tolist())
    if isinstance(value, np.generic):
        return canonical(value.item())
    if isinstance(value, (list, tuple)):
        return [canonical(item) for item in value]
    if isinstance(value, float):
        return value + 0.0
    if value is None or isinstance(value, (str, int)):
        return value
    raise InputError(f"a {type(value).__name__} cannot be part of a stored input")


def input_hash(step: str, payload: Any, parents: Sequence[str] = ()) -> str:
    """SHA-256 of the step, its canonical input and its parents' hashes, hexadecimal."""
    content = {
        "step": step,
        "revision": REVISIONS.get(step, 1),
        "input": canonical(payload),
        "parents": list(parents),
    }
    return hashlib.sha256(canonical_json(content)).hexdigest()


def method_input(method: DFTMethod) -> dict[str, Any]:
    """The method as plain JSON values; a setting newer than the first records is there only if it is set."""
    values: dict[str, Any] = canonical(method)
    return {key: value for key, value in values.items() if value is not None or key not in _NEWER}


def ground_hash(cluster: Cluster, method: DFTMethod) -> str:
    """Input hash of a ground state; names, fragments and the source file do not change it."""
    nuclei = {
        "symbols": cluster.symbols,
        "coords": cluster.coords,
        "charge": cluster.charge,
        "multiplicity": cluster.multiplicity,
    }
    return input_hash("scf", {"cluster": nuclei, "method": method_input(method), **_own_basis_sets(method)})


def _own_basis_sets(method: DFTMethod) -> dict[str, Any]:
    """The content of basis sets and ECPs that are files of the user; nothing if all are names that PySCF knows."""
    names = {method.basis, method.ecp or "", method.auxiliary_basis, *dict(method.basis_overrides).values()}
    paths = {name: name.partition("@")[0] for name in names}  # what follows is PySCF's truncation
    files = {name: sha256(path) for name, path in paths.items() if os.path.isfile(path)}
    return {"files": files} if files else {}


def states_hash(ground: str, method: TDDFTMethod) -> str:
    """Input hash of excited states on the ground state of hash `ground`."""
    return input_hash(f"{method.spin}s", {"method": method}, (ground,))


def canonical_json(content: Any) -> bytes:
    """JSON bytes that depend on the content only: sorted keys, no spaces, shortest round-trip floats."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode()
