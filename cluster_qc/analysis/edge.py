"""Where a noisy curve starts to rise: edges of several shapes on a background, averaged by how well they explain it.

Every model is a background (a straight line, and columns that the caller knows, such as a satellite's shape) plus an
edge that rises toward larger x, broadened by a Gaussian of unknown width, in one of several windows. All models are
fitted at once by damped Gauss-Newton steps, with a wide normal prior on each coefficient (every term might alone make
the height of the edge within its length). Position and uncertainty are those of the average over all shapes, orders and
windows: see `averaging`.

Shapes and what they call the position:

- "ramp": a polynomial that is zero up to the threshold, the position, and starts there with a finite slope, before
  broadening.
- "step": as "ramp", with a jump at the threshold.
- "line": as "ramp", but the position is where the steepest tangent of the edge, as measured, meets the background. So
  it does not hang on the shape: one and the same for a broadened line, the flank of a Gaussian and a bent foot.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy.special import ndtr

from cluster_qc.analysis.averaging import averaged, log_weight
from cluster_qc.analysis.noise import local_lines
from cluster_qc.model.arrays import FloatArray

Shape = Literal["ramp", "line", "step"]
_POWERS: dict[Shape, tuple[int, ...]] = {"ramp": (1, 2, 3, 4), "line": (1, 2, 3, 4), "step": (0, 1, 2, 3)}
"""Powers of the distance from the threshold; a model takes the first, the first two, and so on."""
_LEAST_POINTS = 10
_STEPS = 12
_RANGE_OF_WIDTH = 1.0
"""Standard deviation of the weak prior on the logarithm of the edge's width, about the width seen in the curve."""
_MISFIT = 1.5
"""Reduced chi^2 of the best fit above which the noise is scaled up and the misfit is told."""


@dataclass(frozen=True, eq=False)
class EdgeFit:
    """A fitted edge; what belongs to a single fit is that of the most probable one."""

    position: float
    """Mean over the models."""
    uncertainty: float
    """One standard deviation: the noise, also in how it chooses between window, shape and order."""
    shape: Shape
    width: float
    """Standard deviation of the Gaussian."""
    reduced_chi2: float
    significance: float
    """Root of the gain in chi^2 by the edge."""
    extra: FloatArray
    """Coefficients of the caller's columns, each with its standard deviation, (nextra, 2)."""
    x: FloatArray
    """The window."""
    curve: FloatArray
    background: FloatArray


@dataclass(frozen=True, eq=False)
class _Models:
    """Models of all shapes, orders and windows on the points of the widest window."""

    x: FloatArray
    y: FloatArray
    sigma: FloatArray
    fixed: FloatArray
    """Background columns, (npoint, nfixed)."""
    shapes: tuple[Shape, ...]
    """Of each model, (nmodel,)."""
    used: FloatArray
    """1 for the edge columns that a model has, 0 for the others, (nmodel, nedge)."""
    ends: np.ndarray
    """Where each model's window ends, (nmodel,)."""
    prior: FloatArray
    """Expected value and standard deviation of each coefficient, background first, (nmodel, nfixed + nedge, 2)."""
    width: float
    """The width about which the models' widths have their prior."""
    until: float
    """Where the steepest tangent of a "line" is sought no more."""


@dataclass(frozen=True, eq=False)
class _Fits:
    """Parameters (threshold, ln width, coefficients) of all models and how good they are."""

    parameters: FloatArray
    """(nmodel, 2 + ncoefficient)."""
    covariance: FloatArray
    chi2: FloatArray


def _columns(
    shape: Shape, x: FloatArray, position: FloatArray, width: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The edge's columns and their derivatives by position and ln(width), each (..., npoint, ncolumn)."""
    width = np.asarray(width)[..., None]
    distance = x - np.asarray(position)[..., None]
    z = distance / width
    density = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
    powers = [ndtr(z)]
    powers.append(distance * powers[0] + width * density)
    # Each is the Gaussian-broadened power of the distance, zero before the position.
    while len(powers) <= _POWERS[shape][-1]:
        powers.append(distance * powers[-1] + (len(powers) - 1) * width**2 * powers[-2])
    wanted = _POWERS[shape]
    slopes = [-n * powers[n - 1] if n else -density / width for n in wanted]
    # d/d(ln width) = width^2 d2/dx2
    bends = [
        n * (n - 1) * width**2 * powers[n - 2] if n > 1 else (width if n else -z) * density for n in wanted
    ]
    return tuple(np.stack(parts, axis=-1) for parts in ([powers[n] for n in wanted], slopes, bends))  # type: ignore[return-value]


def _design(models: _Models, shape_parameters: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """All columns of every model and the derivatives of the edge's, divided by sigma; zero outside the window."""
    nmodel, nedge = models.used.shape
    nfixed = models.fixed.shape[1]
    matrix = np.empty((nmodel, len(models.x), nfixed + nedge))
    by = np.zeros((2, nmodel, len(models.x), nedge))
    matrix[:, :, :nfixed] = models.fixed
    matrix[:, :, nfixed:] = 0
    for shape in dict.fromkeys(models.shapes):
        which = np.array([one == shape for one in models.shapes])
        position, width = shape_parameters[which].T
        parts = _columns(shape, models.x, position, np.exp(width))
        n = parts[0].shape[-1]
        matrix[which, :, nfixed : nfixed + n] = parts[0] * models.used[which, None, :n]
        by[0, which, :, :n], by[1, which, :, :n] = parts[1], parts[2]
    weight = (np.arange(len(models.x)) < models.ends[:, None]) / models.sigma
    return matrix * weight[..., None], *(by * weight[..., None] * models.used[:, None])


def _solved(models: _Models, here: FloatArray) -> list[FloatArray]:
    """At positions and ln(widths): these, the coefficients, chi^2, chi^2 with the priors, normal matrix, gradient."""
    nmodel, ncoefficient = models.prior.shape[:2]
    precision = models.prior[..., 1] ** -2.0
    data = (np.arange(len(models.x)) < models.ends[:, None]) * models.y / models.sigma
    matrix, by_position, by_width = _design(models, here)
    transposed = np.swapaxes(matrix, -1, -2)
    full = np.zeros((nmodel, ncoefficient + 2, ncoefficient + 2))
    full[:, 2:, 2:] = transposed @ matrix + precision[:, None] * np.eye(ncoefficient)
    side = (transposed @ data[..., None])[..., 0] + precision * models.prior[..., 0]
    found = np.linalg.solve(full[:, 2:, 2:], side[..., None])[..., 0]
    residual = data - (matrix @ found[..., None])[..., 0]
    held = (here[:, 1] - np.log(models.width)) / _RANGE_OF_WIDTH
    chi2 = (residual**2).sum(-1)
    total = chi2 + (precision * (found - models.prior[..., 0]) ** 2).sum(-1) + held**2
    edge = found[:, None, models.fixed.shape[1] :]
    slopes = np.stack([(by_position * edge).sum(-1), (by_width * edge).sum(-1)], axis=-2)
    full[:, :2, :2] = slopes @ np.swapaxes(slopes, -1, -2)
    full[:, 1, 1] += _RANGE_OF_WIDTH**-2.0
    full[:, :2, 2:] = slopes @ matrix
    full[:, 2:, :2] = np.swapaxes(full[:, :2, 2:], -1, -2)
    gradient = np.zeros((nmodel, ncoefficient + 2))
    gradient[:, :2] = (slopes @ residual[..., None])[..., 0]
    gradient[:, 1] -= held / _RANGE_OF_WIDTH
    return [here, found, chi2, total, full, gradient]


def _fit(models: _Models, start: FloatArray, steps: int) -> _Fits:
    """Damped Gauss-Newton steps of all models from positions and ln(widths), (nmodel, 2)."""
    kept = _solved(models, start.copy())
    damping = np.full(len(start), 1e-4)
    for _ in range(steps):
        position, _, _, lowest, matrix, gradient = kept
        damped = matrix.copy()
        damped[:, [0, 1], [0, 1]] *= 1 + damping[:, None]
        move = np.linalg.solve(damped, gradient[..., None])[:, :2, 0]
        limit = np.column_stack([np.exp(position[:, 1]), np.full(len(start), 0.5)])
        tried = _solved(models, position + np.clip(move, -limit, limit))
        better = tried[3] <= lowest
        for old, new in zip(kept, tried, strict=True):
            old[better] = new[better]
        damping = np.clip(np.where(better, damping / 10, damping * 10), 1e-8, 1e3)
    position, found, chi2, _, full, _ = kept
    scale = 1 / np.sqrt(np.diagonal(full, axis1=-2, axis2=-1))
    outer = scale[:, :, None] * scale[:, None, :]
    covariance = np.linalg.inv(full * outer) * outer
    return _Fits(np.column_stack([position, found]), covariance, chi2)


def fit_edge(
    x: FloatArray,
    y: FloatArray,
    noise: Callable[[FloatArray], FloatArray],
    shapes: Sequence[Shape],
    low: float,
    highs: Sequence[float],
    start: tuple[float, float],
    limits: tuple[float, float],
    until: float,
    extra: FloatArray | None = None,
    prior: FloatArray | None = None,
) -> EdgeFit | None:
    """Fit an edge that rises toward larger x; None if no fit ends between the limits.

    Parameters
    ----------
    x, y
        The curve, x ascending, (npoint,).
    noise
        Gives the variance of each point from the expected value of y.
    shapes
        Shapes of the edge to average over.
    low, highs
        Where the fit windows begin, and where they end.
    start
        First guess of the threshold and of the width.
    limits
        Fits that end with their position outside, or know it no better than these, are dropped.
    until
        Where the first edge is over: the steepest tangent of a "line" is sought before.
    extra, prior
        Further columns of the background, (npoint, nextra), and the expected value and standard deviation of the
        coefficient of each, (nextra, 2).
    """
    inside = (x >= low) & (x <= max(highs))
    x, y = x[inside], y[inside]
    extra = np.zeros((len(x), 0)) if extra is None else extra[inside]
    prior = np.zeros((0, 2)) if prior is None else prior
    ends = np.unique(np.searchsorted(x, highs, side="right"))
    ends = ends[ends >= _LEAST_POINTS + extra.shape[1]]
    if not len(ends):
        return None
    models = _all_models(
        x, y, noise, shapes, ends, float(min(highs) - start[0]), start[1], until, extra, prior
    )
    foot, width = start
    later = np.array([1.25 * width if shape == "step" else 0.0 for shape in models.shapes])
    begin = np.column_stack([foot + later, np.full(len(later), np.log(width))])
    fits = _fit(models, begin, _STEPS)
    weights = _log_weights(models, fits, *_positions(models, fits), limits)
    if not np.isfinite(weights).any():
        return None
    model, misfit = _best(models, fits, weights)
    scale = misfit if misfit > _MISFIT else 1.0
    # once more with the noise that belongs to a fitted curve, not to the noisy one
    curve, _ = _drawn(models, fits, model)
    sigma = np.sqrt(np.concatenate([noise(curve), models.sigma[len(curve) :] ** 2]) * scale)
    models = replace(models, sigma=sigma)
    fits = _fit(models, fits.parameters[:, :2], 3)
    positions, gradients = _positions(models, fits)
    weights = _log_weights(models, fits, positions, gradients, limits)
    if not np.isfinite(weights).any():
        return None
    model, misfit = _best(models, fits, weights)
    mean, uncertainty = averaged(positions, weights, *_linear(models, fits, gradients))
    curve, background = _drawn(models, fits, model)
    own = slice(4, 4 + extra.shape[1])
    return EdgeFit(
        position=mean,
        uncertainty=uncertainty,
        shape=models.shapes[model],
        width=float(np.exp(fits.parameters[model, 1])),
        reduced_chi2=misfit * scale,
        significance=_significance(models, model, fits.chi2[model]),
        extra=np.column_stack([fits.parameters[model, own], np.sqrt(np.diag(fits.covariance[model])[own])]),
        x=x[: len(curve)],
        curve=curve,
        background=background,
    )


def _all_models(
    x: FloatArray,
    y: FloatArray,
    noise: Callable[[FloatArray], FloatArray],
    shapes: Sequence[Shape],
    ends: FloatArray,
    length: float,
    width: float,
    until: float,
    extra: FloatArray,
    prior: FloatArray,
) -> _Models:
    """Every shape with each of its orders in each window; `length` and `width` are the edge's, about."""
    smooth, _, _ = local_lines(x, y, np.ones_like(y), 3 * float(np.median(np.diff(x))))
    height = float(np.ptp(smooth))
    wide = np.array([[0.0, 10 * height + abs(float(smooth.mean()))], [0.0, 10 * height / length]])
    kinds = [(shape, order, end) for shape in shapes for order in range(len(_POWERS[shape])) for end in ends]
    nedge = max(len(_POWERS[shape]) for shape in shapes)
    used = np.array([[1.0 if n <= order else 0.0 for n in range(nedge)] for _, order, _ in kinds])
    priors = np.zeros((len(kinds), 2 + len(prior) + nedge, 2))
    priors[:, : 2 + len(prior)] = np.concatenate([wide, prior])
    priors[..., 2 + len(prior) :, 1] = 1.0  # of the columns that a model has not; they stay zero
    for model, (shape, order, _) in enumerate(kinds):
        powers = np.array(_POWERS[shape][: order + 1], dtype=float)
        priors[model, 2 + len(prior) : 2 + len(prior) + order + 1, 1] = height / length**powers
    return _Models(
        x=x,
        y=y,
        sigma=np.sqrt(noise(smooth)),
        fixed=np.column_stack([np.ones_like(x), x - x[0], extra]),
        shapes=tuple(shape for shape, _, _ in kinds),
        used=used,
        ends=np.array([end for _, _, end in kinds]),
        prior=priors,
        width=width,
        until=until,
    )


def _positions(models: _Models, fits: _Fits) -> tuple[FloatArray, FloatArray]:
    """What each shape calls its position, and its derivatives by the parameters, (nmodel, 2 + ncoefficient)."""
    positions = fits.parameters[:, 0].copy()
    gradients = np.zeros_like(fits.parameters)
    gradients[:, 0] = 1.0
    nfixed = models.fixed.shape[1]
    for model in np.flatnonzero([shape == "line" for shape in models.shapes]):
        threshold, log_width, *_ = fits.parameters[model]
        used = models.used[model]
        x = models.x[: models.ends[model]]
        parts = _columns("line", x, threshold, np.exp(log_width))
        columns, by_threshold, by_width = (part * used for part in parts)
        coefficients = fits.parameters[model, 2 + nfixed :]
        slope = -by_threshold @ coefficients
        inside = min(int(np.searchsorted(x, models.until)), len(x) - 1)
        at = int(np.argmax(slope[: max(inside, 1)]))
        if slope[at] <= 0:
            positions[model] = np.nan
            continue
        rise = (columns[at] @ coefficients) / slope[at]
        positions[model] = x[at] - rise
        change = np.column_stack([by_threshold @ coefficients, by_width @ coefficients, columns])
        steeper = np.column_stack([-np.gradient(slope, x), np.gradient(change[:, 1], x), -by_threshold])
        gradients[model, [0, 1, *range(2 + nfixed, gradients.shape[1])]] = (
            rise * steeper[at] - change[at]
        ) / slope[at]
    return positions, gradients


def _linear(models: _Models, fits: _Fits, gradients: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Derivative of each model's position by each point in units of its sigma, and the residuals in these units."""
    matrix, by_threshold, by_width = _design(models, fits.parameters[:, :2])
    found = fits.parameters[:, 2:, None]
    edge = found[:, models.fixed.shape[1] :]
    jacobian = np.concatenate([by_threshold @ edge, by_width @ edge, matrix], axis=-1)
    responses = jacobian @ (fits.covariance @ gradients[..., None])
    data = (np.arange(len(models.x)) < models.ends[:, None]) * models.y / models.sigma
    return responses[..., 0], data - (matrix @ found)[..., 0]


def _log_weights(
    models: _Models, fits: _Fits, positions: FloatArray, gradients: FloatArray, limits: tuple[float, float]
) -> FloatArray:
    """Log weights, -inf for a position outside the limits or not known better than by them."""
    variance = np.einsum("mi,mij,mj->m", gradients, fits.covariance, gradients)
    within = (positions > limits[0]) & (positions < limits[1])
    known = variance < (limits[1] - limits[0]) ** 2 / 12
    return np.where(within & known, log_weight(fits.chi2, *_sizes(models)), -np.inf)


def _sizes(models: _Models) -> tuple[FloatArray, FloatArray]:
    """Of each model: how many parameters it has, how many points it leaves out."""
    return 2 + models.fixed.shape[1] + models.used.sum(-1), len(models.x) - models.ends


def _best(models: _Models, fits: _Fits, weights: FloatArray) -> tuple[int, float]:
    """The model of the largest weight and its reduced chi^2."""
    model = int(np.argmax(weights))
    free = models.ends[model] - _sizes(models)[0][model]
    return model, float(fits.chi2[model] / max(free, 1))


def _significance(models: _Models, model: int, chi2: float) -> float:
    """Root of the gain in chi^2 by the edge, over the background alone in the same window."""
    nfixed, end = models.fixed.shape[1], models.ends[model]
    mean, error = models.prior[model, :nfixed].T
    rows = np.vstack([models.fixed[:end] / models.sigma[:end, None], np.diag(1 / error)])
    wanted = np.concatenate([models.y[:end] / models.sigma[:end], mean / error])
    coefficients = np.linalg.lstsq(rows, wanted, rcond=None)[0]
    misfit = (models.y[:end] - models.fixed[:end] @ coefficients) / models.sigma[:end]
    return float(np.sqrt(max(misfit @ misfit - chi2, 0.0)))


def _drawn(models: _Models, fits: _Fits, model: int) -> tuple[FloatArray, FloatArray]:
    """A model's curve and its background in its window."""
    nfixed, end = models.fixed.shape[1], models.ends[model]
    position, log_width, *coefficients = fits.parameters[model]
    edge, _, _ = _columns(models.shapes[model], models.x[:end], position, np.exp(log_width))
    background = models.fixed[:end] @ coefficients[:nfixed]
    return background + edge @ coefficients[nfixed : nfixed + edge.shape[1]], background
