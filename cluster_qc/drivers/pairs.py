"""Which pairs of AOs overlap, in groups of shells that are near together and of like extent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyscf import gto
from pyscf.scf import _vhf

Index = NDArray[np.intp]
Mask = NDArray[np.bool_]
Runs = list[tuple[int, int]]

GROUP = 32
"""AOs in a group, at most, but for a single shell."""
_EXTENTS = (0.25, 1.0)  # smallest exponents of a shell that part diffuse, middle and compact ones
_NEGLIGIBLE = 1e-8  # Schwarz bound sqrt((mn|mn)) below which a pair of shells is left out
_SMALL_PRIMITIVES = 30.0
"""Exponent of the Gaussian prefactor beyond which libcint leaves a pair of primitives out."""


@dataclass(frozen=True, eq=False)
class Task:
    """Pairs of AOs that are computed together."""

    shells: tuple[int, int, int, int]
    """First and last + 1 of the columns, then of the rows."""
    kept: Index
    """Which of the (columns, rows), column fastest."""
    start: int
    """Place of the first in B."""


@dataclass(frozen=True, eq=False)
class Group:
    """AOs that are contracted together, and those that overlap with one of them."""

    aos: slice
    partners: Index
    places: Index
    """Of their pairs in B, (len(partners) * len(aos),)."""


def overlapping(mole: Any) -> Mask:
    """Pairs of shells above the Schwarz threshold, (nbas, nbas)."""
    bound = np.asarray(_vhf._VHFOpt(mole, "int2e", "CVHFnrs8_prescreen", "CVHFnr_int2e_q_cond").q_cond)
    return np.asarray((bound > _NEGLIGIBLE) | np.eye(len(bound), dtype=bool))


def count_pairs(mole: Any) -> int:
    """Pairs of AOs in overlapping shells, each once."""
    sizes = np.diff(mole.ao_loc_nr())
    return int(sizes @ overlapping(mole) @ sizes + sizes.sum()) // 2


def sort_shells(mole: Any) -> tuple[Any, Index, Runs]:
    """The molecule with its shells in groups, the AOs of `mole` in that order, and the groups.

    A group is near together and of like extent, so that it overlaps with few others.
    """
    offsets = mole.ao_loc_nr()
    sizes = np.diff(offsets)
    extent = np.digitize([mole.bas_exp(b).min() for b in range(mole.nbas)], _EXTENTS)
    coords = mole.atom_coords()[[mole.bas_atom(b) for b in range(mole.nbas)]]

    def halved(shells: Index) -> Iterator[Index]:
        if sizes[shells].sum() <= GROUP or len(shells) == 1:
            yield shells
            return
        axis = int(np.argmax(np.ptp(coords[shells], axis=0)))
        order = shells[np.argsort(coords[shells, axis], kind="stable")]
        filled = np.cumsum(sizes[order])
        middle = int(np.clip(np.searchsorted(filled, filled[-1] / 2), 1, len(order) - 1))
        yield from halved(order[:middle])
        yield from halved(order[middle:])

    groups = [g for kind in np.unique(extent) for g in halved(np.flatnonzero(extent == kind))]
    order = np.concatenate(groups)
    stops = np.cumsum([0, *map(len, groups)]).tolist()
    result = mole.copy()
    result._bas = mole._bas[order]
    result._env = mole._env.copy()
    result._env[gto.PTR_EXPCUTOFF] = _SMALL_PRIMITIVES
    aos = np.concatenate([np.arange(offsets[b], offsets[b + 1]) for b in order])
    return result, aos, list(pairwise(stops))


def list_tasks(mole: Any, kept: Mask, runs: Runs, limit: int) -> tuple[list[Task], Index, int]:
    """The tensor in tasks of at most about `limit` pairs, the place of every pair of AOs in it, and their number.

    The places are (nao, nao); that of a pair that is left out is their number.
    """
    offsets = mole.ao_loc_nr()
    shell_of = np.repeat(np.arange(mole.nbas), np.diff(offsets))
    wanted = kept[np.ix_(shell_of, shell_of)] & np.tri(mole.nao, dtype=bool)
    places = np.full((mole.nao, mole.nao), -1, dtype=np.intp)
    tasks, count = [], 0
    for number, (first_row, last_row) in enumerate(runs):
        rows = slice(offsets[first_row], offsets[last_row])
        start = 0
        for stop in range(1, number + 2):
            full = (offsets[runs[stop - 1][1]] - offsets[runs[start][0]]) * (rows.stop - rows.start) > limit
            if not full and stop <= number:
                continue
            first, last = runs[start][0], runs[stop - 1][1]
            columns = slice(offsets[first], offsets[last])
            found = np.flatnonzero(wanted[rows, columns])  # column fastest
            if len(found):
                tasks.append(Task((first, last, first_row, last_row), found, count))
                row, column = np.divmod(found, columns.stop - columns.start)
                places[row + rows.start, column + columns.start] = count + np.arange(len(found))
                count += len(found)
            start = stop
    places = np.maximum(places, places.T)
    places[places < 0] = count
    return tasks, places, count


def list_groups(mole: Any, kept: Mask, runs: Runs, places: Index) -> list[Group]:
    """The groups of `sort_shells` with their partners and places."""
    offsets = mole.ao_loc_nr()
    shell_of = np.repeat(np.arange(mole.nbas), np.diff(offsets))
    groups = []
    for first, last in runs:
        aos = slice(int(offsets[first]), int(offsets[last]))
        partners = np.flatnonzero(np.asarray(kept[first:last].any(axis=0))[shell_of])
        groups.append(Group(aos, partners, places[partners, aos].ravel()))
    return groups
