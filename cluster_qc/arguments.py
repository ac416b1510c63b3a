"""Arguments of the public functions: one of a wrong type is told by what to give instead.

`cluster_qc.__getattr__` puts the check around each public function, so that the functions stay free of it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import wraps
from inspect import signature
from pathlib import Path
from types import UnionType
from typing import Any, ParamSpec, TypeVar, Union, get_args, get_origin, get_type_hints

from cluster_qc.errors import InputError

_P = ParamSpec("_P")
_R = TypeVar("_R")
_PACKAGE = __name__.partition(".")[0]
_GIVE = {
    "Cluster": "what read_cif or read_xyz returns",
    "DFTMethod": 'a method, e.g. DFTMethod("pbe0", basis="def2-svp")',
    "TDDFTMethod": "a method, e.g. TDDFTMethod(nstates=10)",
    "GroundState": "what run_scf or load returns",
    "ExcitedStates": "what run_tddft or load returns",
    "Excitation": "one state of what run_tddft returns, e.g. states[0]",
    "NaturalTransitionOrbitals": "what natural_transition_orbitals returns",
    "MomentIntegrals": "what moment_integrals returns",
    "Volume": "what orbital_volume returns",
    "Spectrum": "what simulate_cd or simulate_absorption returns",
    "MeasuredSpectrum": "what read_cd_spectrum or read_absorption_spectrum returns",
    "BoltzmannWeights": "what boltzmann_weights returns",
    "UPSReference": "what read_ups returns, or UPSReference(homo=...)",
    "BandAlignment": "what align_with_ups returns",
    "Path": 'a path, e.g. Path("results")',
    "Mapping": "the content of a summary.json",
}
"""What to give where the annotation of an argument has this word."""


def checked(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """The same function, which refuses arguments that are not of their annotated types.

    Checked are the types of this package, texts, paths, mappings, and sequences and unions of them. Numbers, arrays,
    choices and functions are left to the function itself.

    Raises
    ------
    InputError
        When it is called with an argument of another type.
    """
    hints = get_type_hints(function)
    names = tuple(signature(function).parameters)

    @wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        given: dict[str, Any] = {**dict(zip(names, args, strict=False)), **kwargs}
        for name, value in given.items():
            if not _fits(value, hints.get(name, Any)):
                raise _refusal(f"{function.__name__}: {name}", value, function.__annotations__[name])
        return function(*args, **kwargs)

    call.__module__ = _PACKAGE  # where pickle finds it by its name
    return call


def _fits(value: Any, hint: Any) -> bool:
    kind, inner = get_origin(hint), get_args(hint)
    if kind in (Union, UnionType):
        return any(_fits(value, one) for one in inner)
    if kind is Sequence:
        listed = isinstance(value, Collection) and not isinstance(value, str | Mapping)
        return listed and all(_fits(item, inner[0]) for item in value)
    if kind is Mapping or hint is str:
        return isinstance(value, kind or hint)
    if hint is Path:
        return isinstance(value, os.PathLike)
    if isinstance(hint, type) and hint.__module__.startswith(f"{_PACKAGE}."):
        return isinstance(value, hint)
    return hint is not type(None) or value is None


def _refusal(what: str, value: Any, annotation: str) -> InputError:
    shown = f" {str(value)!r}" if isinstance(value, str | os.PathLike) else ""
    ways = " or ".join(way for word, way in _GIVE.items() if re.search(rf"\b{word}\b", annotation))
    many = "a list of " if annotation.startswith("Sequence[") else ""
    return InputError(
        f"{what} is {type(value).__name__}{shown}, not {annotation}", fix=f"give {many}{ways}" if ways else ""
    )
