"""Block Krylov solver for the lowest roots of the response equations.

    (A + B) u = w v,   (A - B) v = w u,   u = X + Y,  v = X - Y,   <u|v> = 1/2

u and v have subspaces of their own (Olsen, Jensen, Jorgensen, J. Comput. Phys. 74, 265 (1988),
10.1016/0021-9991(88)90081-2): one trial pair costs one product with each matrix. In the Tamm-Dancoff approximation
u = v and one subspace serves. Each root's correction uses a preconditioner shifted by its own eigenvalue.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from cluster_qc.errors import NotConvergedError
from cluster_qc.model import TDDFTCycle

Double = NDArray[np.float64]

_LOOSE = 10.0  # tolerance of the roots beyond the wanted ones
_INNER = 3  # steps of the model for one of the operator
_DEPENDENT = 1e-4  # a correction that keeps less of its norm after projection adds nothing
_NOISE = 0.3  # norm of what is added to a unit vector of the start
_NEAR = 0.1  # hartree; within this distance all orbital pairs are noisy alike


class Operator(Protocol):
    """What the solver needs of the response matrices; vectors are (n, nocc, nvir)."""

    @property
    def diagonal(self) -> Double:
        """Approximate diagonal of A, (nocc, nvir)."""

    def plus(self, vectors: Double) -> Double:
        """(A + B) on vectors."""

    def minus(self, vectors: Double) -> Double:
        """(A - B) on vectors."""

    def tamm_dancoff(self, vectors: Double) -> Double:
        """A on vectors."""


@dataclass(frozen=True, eq=False)
class Projections:
    """The matrices in the subspace, (n, n)."""

    p: Double
    """<u|A + B|u>, or <u|A|u>."""
    m: Double
    """<v|A - B|v>."""
    s: Double
    """<u|v>."""


@dataclass(eq=False)
class Subspace:
    """Trial vectors and their products, flattened, (n, nocc * nvir); in TDA `v` and `mv` are `u` and `pu`."""

    u: Double
    v: Double
    pu: Double
    """(A + B) u, or A u."""
    mv: Double
    """(A - B) v."""
    reduced: Projections | None = None
    """In the space itself; None: not computed yet."""


@dataclass(frozen=True, eq=False)
class Solution:
    """Roots in ascending order; `u` and `v` are flattened vectors with <u|v> = 1 (the caller scales)."""

    energies: Double
    u: Double
    v: Double
    residuals: Double
    """Larger norm of the two residuals, of vectors of norm one, hartree."""
    errors: Double
    """Second-order estimate of the iteration error of each energy, hartree."""
    converged: NDArray[np.bool_]
    pairs: int
    """Trial pairs that the operator was applied to, those of a restart included."""


@dataclass(frozen=True)
class Goal:
    """Which roots, and when each of them is good enough."""

    nroots: int | None
    """Number of lowest roots; None for all up to `window`."""
    window: float | None = None
    """Hartree."""
    tolerance: float = 1e-3
    """Residual norm, hartree."""
    error: float | None = None
    """If given, a root other than the lowest is done where its estimated error (hartree) is below this."""

    def count(self, energies: Double) -> int:
        """How many of the ascending Ritz values are wanted."""
        if self.nroots is not None:
            return min(self.nroots, len(energies))
        assert self.window is not None
        return min(max(1, int(np.searchsorted(energies, self.window))), len(energies))


def with_margin(count: int) -> int:
    """How many roots are iterated for `count` wanted ones."""
    return count + 3 + count // 20


def solve(
    operator: Operator,
    goal: Goal,
    *,
    tda: bool,
    max_cycle: int,
    max_vectors: int,
    name: str,
    progress: Callable[[TDDFTCycle], None],
    model: Operator | None = None,
    start: tuple[Double, Double] | None = None,
    restart: Subspace | None = None,
    checkpoint: Callable[[Subspace], None] | None = None,
) -> Solution:
    """Iterate until every root of the goal is good enough.

    Parameters
    ----------
    name
        Of the operator, for `progress`, which is called in every cycle.
    model
        A cheap approximation of the operator, for corrections better than those of its diagonal.
    start
        First trial vectors (u, v), flattened; default those of `_first_guess`.
    restart
        A subspace saved by `checkpoint` of an interrupted run.
    max_vectors
        Largest subspace; beyond it the subspace collapses to the current roots.

    Raises
    ------
    NotConvergedError
        If the response matrices are not positive definite: the ground state is unstable.
    """
    diagonal = operator.diagonal.reshape(-1)
    shape = (-1, *operator.diagonal.shape)
    space: Subspace | None = restart

    def extend(new_u: Double, new_v: Double) -> bool:
        nonlocal space
        larger = _extended(space, operator, new_u, new_v, shape, tda)
        if larger is None:
            return False
        space = larger
        if checkpoint is not None:
            checkpoint(space)
        return True

    if space is None:
        if start is None:
            guess = _first_guess(diagonal, goal.count(np.sort(diagonal)))
            start = (guess, guess)
        extend(*start)
    assert space is not None
    pairs = started = len(space.u)
    for cycle in range(1, max_cycle + 1):
        energies, cu, cv = _reduced(space, tda)
        wanted = goal.count(energies)
        # Some roots beyond are iterated along, loosely, so that none of the wanted ones stays hidden.
        tracked = min(with_margin(wanted), max(wanted, started), len(energies))
        energies, cu, cv = energies[:tracked], cu[:, :tracked], cv[:, :tracked]
        u, v = cu.T @ space.u, cv.T @ space.v
        ru = cu.T @ space.pu - energies[:, None] * v
        rv = cv.T @ space.mv - energies[:, None] * u
        # Both vectors scaled to norm one, as in the usual single-matrix criterion.
        norm_u, norm_v = np.linalg.norm(u, axis=1), np.linalg.norm(v, axis=1)
        residuals = np.maximum(np.linalg.norm(ru, axis=1) / norm_v, np.linalg.norm(rv, axis=1) / norm_u)
        correction_u, correction_v = _precondition(ru, rv, energies, diagonal, tda)
        errors = 0.5 * np.abs((ru * correction_u).sum(axis=1) + (rv * correction_v).sum(axis=1))
        done = residuals < goal.tolerance
        if goal.error is not None:
            done[1:] |= errors[1:] < goal.error
        done[wanted:] = residuals[wanted:] < _LOOSE * goal.tolerance
        if goal.nroots is not None and wanted < min(goal.nroots, diagonal.size):
            done[:] = False
        progress(
            TDDFTCycle(
                operator=name,
                vectors=pairs,
                residual=float(residuals[:wanted].max()),
                converged=int(done[:wanted].sum()),
                wanted=wanted,
                highest=float(energies[wanted - 1]),
            )
        )
        if done.all() or cycle == max_cycle:
            break
        if len(space.u) + int((~done).sum()) > max(max_vectors, 4 * tracked):
            space = _collapsed(space, cu, cv, tda)
        correction = correction_u[~done], correction_v[~done]
        if model is not None:
            correction = _model_corrections(model, ru[~done], rv[~done], energies[~done], shape, tda)
        before = len(space.u)
        if not extend(*correction):
            break
        pairs += len(space.u) - before
    kept = slice(wanted)
    return Solution(energies[kept], u[kept], v[kept], residuals[kept], errors[kept], done[kept], pairs)


def _first_guess(diagonal: Double, wanted: int) -> Double:
    """Unit vectors of the smallest diagonal elements with noise on the pairs near them, (n, nocc * nvir).

    In a symmetric molecule plain unit vectors keep to their irreducible representations, and so does all that grows out
    of them: a representation that none of them belongs to would lack its roots, and nothing would tell.
    """
    order = np.argsort(diagonal, kind="stable")[: wanted + max(20, wanted // 4)]
    noise = np.random.default_rng(0).normal(size=(len(order), diagonal.size))
    noise /= (np.abs(diagonal - diagonal[order, None]) + _NEAR) ** 2
    guess = noise * (_NOISE / np.linalg.norm(noise, axis=1, keepdims=True))
    guess[np.arange(len(order)), order] += 1.0
    return np.asarray(guess)


def _extended(
    space: Subspace | None,
    operator: Operator,
    new_u: Double,
    new_v: Double,
    shape: tuple[int, ...],
    tda: bool,
) -> Subspace | None:
    """The subspace with new directions and their products, or None if nothing in them is new."""
    new_u = _orthonormalised(new_u, space.u if space else None)
    if tda:
        if not len(new_u):
            return None
        au = operator.tamm_dancoff(new_u.reshape(shape)).reshape(new_u.shape)
        added = Subspace(new_u, new_u, au, au)
    else:
        new_v = _orthonormalised(new_v, space.v if space else None)
        n = min(len(new_u), len(new_v))
        if not n:
            return None
        new_u, new_v = new_u[:n], new_v[:n]
        added = Subspace(
            new_u,
            new_v,
            operator.plus(new_u.reshape(shape)).reshape(new_u.shape),
            operator.minus(new_v.reshape(shape)).reshape(new_v.shape),
        )
    return added if space is None else _joined(space, added, tda)


def _reduced(space: Subspace, tda: bool) -> tuple[Double, Double, Double]:
    """Roots in the subspace, ascending, and their coefficients, (n, nroots), with <u|v> = 1."""
    matrices = _projected(space, tda)
    p, m, s = matrices.p, matrices.m, matrices.s
    if tda:
        energies, c = np.linalg.eigh(p)
        return energies, c, c
    try:
        factor = scipy.linalg.cholesky(p, lower=True)
        solved = scipy.linalg.solve_triangular(factor, s, lower=True)  # L^-1 S
        values, cv = scipy.linalg.eigh(solved.T @ solved, m)  # S^T P^-1 S c = w^-2 M c
    except scipy.linalg.LinAlgError as error:
        raise NotConvergedError(
            "the ground state is unstable: the response matrices are not positive definite",
            why="a lower solution of the SCF exists, so excitation energies have no meaning",
            fix="follow the instability (another guess, or a spin-unrestricted ground state), or use tda = true",
        ) from error
    values, cv = values[::-1], cv[:, ::-1]
    keep = values > 0
    values, cv = values[keep], cv[:, keep]
    energies = 1.0 / np.sqrt(values)
    cu = scipy.linalg.solve_triangular(factor.T, solved @ cv, lower=False) * energies
    overlap = np.einsum("in,ij,jn->n", cu, s, cv)
    scale = 1.0 / np.sqrt(overlap)
    return energies, cu * scale, cv * scale


def _projected(space: Subspace, tda: bool) -> Projections:
    """The projections of a subspace; those known of its first vectors are kept."""
    old = space.reduced
    n = len(space.u)
    known = 0 if old is None else len(old.p)
    if old is not None and known == n:
        return old
    p = _grown(None if old is None else old.p, space.u, space.pu)
    if tda:
        space.reduced = Projections(p, p, np.eye(n))
        return space.reduced
    m = _grown(None if old is None else old.m, space.v, space.mv)
    s = np.empty((n, n))
    s[:, known:] = space.u @ space.v[known:].T
    s[known:, :known] = space.u[known:] @ space.v[:known].T
    if old is not None:
        s[:known, :known] = old.s
    space.reduced = Projections(p, m, s)
    return space.reduced


def _grown(known: Double | None, left: Double, right: Double) -> Double:
    """The symmetric part of left right^T, (n, n), of which a first block is known."""
    n, first = len(left), 0 if known is None else len(known)
    matrix = np.empty((n, n))
    if known is not None:
        matrix[:first, :first] = known
    columns = 0.5 * (left @ right[first:].T + right @ left[first:].T)
    matrix[:, first:], matrix[first:] = columns, columns.T
    return matrix


def _precondition(
    ru: Double, rv: Double, energies: Double, diagonal: Double, tda: bool
) -> tuple[Double, Double]:
    """Corrections from the diagonal of A, each shifted by its root: [D -w; -w D]^-1 [ru; rv]."""
    w = energies[:, None]
    if tda:
        shifted = _bounded(diagonal - w, 1e-2)
        return ru / shifted, ru / shifted
    shifted = _bounded(diagonal**2 - w**2, 1e-2 * w)
    return (diagonal * ru + w * rv) / shifted, (w * ru + diagonal * rv) / shifted


def _model_corrections(
    model: Operator, ru: Double, rv: Double, energies: Double, shape: tuple[int, ...], tda: bool
) -> tuple[Double, Double]:
    """As `_precondition`, with a model operator instead of the diagonal.

    All roots share one small block Krylov space of the model, grown from the diagonal's corrections.
    """
    diagonal = model.diagonal.reshape(-1)
    w = energies[None]
    space: Subspace | None = None
    tu, tv = ru, rv  # what is left to correct
    du, dv = np.zeros_like(ru), np.zeros_like(rv)
    for _ in range(_INNER):
        larger = _extended(space, model, *_precondition(tu, tv, energies, diagonal, tda), shape, tda)
        if larger is None:
            break
        space = larger
        levels, cu, cv = _reduced(space, tda)
        alpha, beta = cu.T @ (space.u @ ru.T), cv.T @ (space.v @ rv.T)  # (level, root)
        e = levels[:, None]
        if tda:
            a = b = alpha / _bounded(e - w, 1e-2)
        else:
            shifted = _bounded(e**2 - w**2, 1e-2 * w)
            a, b = (e * alpha + w * beta) / shifted, (w * alpha + e * beta) / shifted
        a, b = (cu @ a).T, (cv @ b).T
        du, dv = a @ space.u, b @ space.v
        tu = ru - a @ space.pu + energies[:, None] * dv
        tv = rv - b @ space.mv + energies[:, None] * du
    return du, dv


def _bounded(values: Double, least: Double | float) -> Double:
    """Values moved away from zero, their sign kept."""
    return np.where(np.abs(values) < least, np.copysign(least, values), values)


def _orthonormalised(vectors: Double, basis: Double | None) -> Double:
    """Orthonormal vectors that span what `vectors` add to the orthonormal `basis`."""
    norms = np.linalg.norm(vectors, axis=1)
    vectors = vectors[norms > 0] / norms[norms > 0, None]
    for _ in range(2):
        if basis is not None:
            vectors = vectors - (vectors @ basis.T) @ basis
        q, r, _order = scipy.linalg.qr(vectors.T, mode="economic", pivoting=True)
        keep = np.abs(np.diag(r)) > _DEPENDENT
        vectors = np.ascontiguousarray(q.T[keep])
    return vectors


def _joined(old: Subspace, new: Subspace, tda: bool) -> Subspace:
    u, pu = np.vstack([old.u, new.u]), np.vstack([old.pu, new.pu])
    if tda:
        return Subspace(u, u, pu, pu, old.reduced)
    return Subspace(u, np.vstack([old.v, new.v]), pu, np.vstack([old.mv, new.mv]), old.reduced)


def _collapsed(space: Subspace, cu: Double, cv: Double, tda: bool) -> Subspace:
    """The subspace of the current roots, orthonormalised within u and within v."""
    qu = np.linalg.qr(cu)[0]
    if tda:
        u, pu = qu.T @ space.u, qu.T @ space.pu
        return Subspace(u, u, pu, pu)
    qv = np.linalg.qr(cv)[0]
    return Subspace(qu.T @ space.u, qv.T @ space.v, qu.T @ space.pu, qv.T @ space.mv)
