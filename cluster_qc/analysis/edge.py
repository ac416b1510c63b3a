"""Where a noisy curve starts to rise: line-and-background fits averaged over models and fit windows.

Every fit is a background (a straight line, and columns that the caller knows, such as a satellite's shape) plus an
edge that rises toward larger x, broadened by a Gaussian of unknown width. For each shape of the edge, the widest
window is taken that narrower ones do not contradict; by how much their positions scatter beyond the noise enters the
uncertainty. The shapes are averaged with weights exp(-(chi^2 - 2 n + 2 k)/2), n the number of points in the window
and k that of parameters (Jay and Neil, Phys. Rev. D 2021, 103, 114502, 10.1103/PhysRevD.103.114502), and the spread
of their positions enters the uncertainty too.

Shapes and what they call the position:

- "ramp": linear from the position on; the line's intersection with the background.
- "curved": linear and quadratic from the position on.
- "step": a jump at the position, then linear.
- "peak": the leading edge of a Gaussian; the position is where its steepest tangent meets the background, two standard
  deviations before the maximum.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.optimize import least_squares, nnls
from scipy.special import ndtr

from cluster_qc.model.arrays import FloatArray

Shape = Literal["ramp", "curved", "step", "peak"]
_RANGE_OF_WIDTH = 1.0
"""Standard deviation of the weak prior on the logarithm of the edge's width, about the width seen in the curve."""
_MISFIT = 1.5
"""Reduced chi^2 of the best fit above which the noise is scaled up and the misfit is told."""


@dataclass(frozen=True, eq=False)
class EdgeFit:
    """A fitted edge."""

    position: float
    uncertainty: float
    """One standard deviation: noise, and the choice of window and shape."""
    spread: float
    """The part of it that comes from the choice of window and shape."""
    shape: Shape
    """Of the best single fit."""
    width: float
    """Standard deviation of the Gaussian in the best single fit."""
    reduced_chi2: float
    """Of the best single fit."""
    extra: FloatArray
    """Coefficients of the caller's columns in the best single fit, each with its standard deviation, (nextra, 2)."""
    x: FloatArray
    """Window of the best single fit."""
    curve: FloatArray
    background: FloatArray


def noise_variance(x: FloatArray, y: FloatArray) -> tuple[float, float]:
    """Constant and proportional part (a, b) of the variance of each point, a + b * max(y, 0), from second differences.

    Whole numbers whose noise agrees with counting statistics are taken to be counts: (0, 1).
    """
    left = (x[2:] - x[1:-1]) / (x[2:] - x[:-2])
    differences = y[1:-1] - left * y[:-2] - (1 - left) * y[2:]
    squares = differences**2 / (1 + left**2 + (1 - left) ** 2)
    mean = np.maximum((y[:-2] + y[1:-1] + y[2:]) / 3, 0.0)
    columns = np.column_stack([np.ones_like(mean), mean])
    variance = np.maximum(np.median(squares) / 0.455 * np.ones_like(mean), 1e-300)
    coefficients = np.zeros(2)
    for _ in range(8):
        keep = squares < 12 * variance  # not the bends of the curve
        weight = 1 / variance[keep]
        coefficients, _residual = nnls(columns[keep] * weight[:, None], squares[keep] * weight)
        updated = columns @ coefficients
        variance = np.maximum(updated, 1e-6 * updated.max() + 1e-300)
    a, b = float(coefficients[0]), float(coefficients[1])
    if (y == np.round(y)).all() and y.max() > 3:
        typical = float(np.median(mean))
        seen, counting = a + b * typical, max(typical, 0.5)
        if abs(seen / counting - 1) < 6 * np.sqrt(3.0 / len(squares)):
            return 0.0, 1.0
    return a, b


def local_lines(x: FloatArray, y: FloatArray, variance: FloatArray, half: float) -> tuple[FloatArray, ...]:
    """Means, slopes and their standard deviations of the lines through the points within `half` of each point."""
    first = np.minimum(np.searchsorted(x, x - half), np.maximum(np.arange(len(x)) - 2, 0))
    last = np.maximum(np.searchsorted(x, x + half, side="right"), np.minimum(np.arange(len(x)) + 3, len(x)))
    shifted = x - x.mean()

    def total(values: FloatArray) -> FloatArray:
        summed = np.concatenate([[0.0], np.cumsum(values)])
        return np.asarray(summed[last] - summed[first])

    n = (last - first).astype(float)
    mx, my = total(shifted) / n, total(y) / n
    sxx = total(shifted**2) - n * mx**2
    slope = (total(shifted * y) - n * mx * my) / sxx
    spread = total(variance * shifted**2) - 2 * mx * total(variance * shifted) + mx**2 * total(variance)
    return my + slope * (shifted - mx), slope, np.sqrt(np.maximum(spread, 0.0)) / sxx


def _columns(
    shape: Shape, x: FloatArray, position: float, width: float
) -> tuple[list[FloatArray], list[FloatArray], list[FloatArray]]:
    """The edge's columns and their derivatives by position and by the logarithm of the width."""
    z = (x - position) / width
    if shape == "peak":
        u = z - 2
        peak = np.exp(-0.5 * u**2)
        return [peak], [peak * u / width], [peak * u * z]
    below, density = ndtr(z), np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
    powers = [
        below,
        width * (z * below + density),
    ]  # Gaussian-broadened powers of (x - position), from the step on
    powers.append(width * (z * powers[1] + width * powers[0]))
    first, last = {"ramp": (1, 1), "curved": (1, 2), "step": (0, 1)}[shape]
    columns, by_position, by_width = [], [], []
    for n in range(first, last + 1):  # d/dx lowers the power; d/d(width) = width d2/dx2
        slope = n * powers[n - 1] if n else density / width
        bend = (-z * density / width**2, density / width)[n] if n < 2 else n * (n - 1) * powers[n - 2]
        columns.append(powers[n])
        by_position.append(-slope)
        by_width.append(width**2 * bend)
    return columns, by_position, by_width


@dataclass(frozen=True, eq=False)
class _Fit:
    shape: Shape
    window: slice
    parameters: FloatArray
    covariance: FloatArray
    chi2: float
    ndata: int

    @property
    def position(self) -> float:
        return float(self.parameters[0])

    @property
    def variance(self) -> float:
        return float(self.covariance[0, 0])


def _fit(
    shape: Shape,
    window: slice,
    x: FloatArray,
    y: FloatArray,
    sigma: FloatArray,
    extra: FloatArray,
    prior: FloatArray,
    start: tuple[float, float],
) -> _Fit | None:
    """One weighted least-squares fit; parameters: position, ln(width), then background, extra and edge columns."""
    x, y, sigma, extra = x[window], y[window], sigma[window], extra[window]
    middle, nextra = x[0], extra.shape[1]
    background = np.column_stack([np.ones_like(x), x - middle, extra])
    nbackground = background.shape[1]
    guess = np.log(start[1])
    prior_rows = np.zeros((nextra, nbackground))
    prior_rows[:, 2:] = np.diag(1 / prior[:, 1]) if nextra else 0
    wanted = prior[:, 0] / prior[:, 1]

    def design(position: float, log_width: float) -> tuple[FloatArray, list[FloatArray], list[FloatArray]]:
        edge, by_position, by_width = _columns(shape, x, position, np.exp(log_width))
        return np.column_stack([background, *edge]), by_position, by_width

    def residuals(p: FloatArray) -> FloatArray:
        matrix, _, _ = design(p[0], p[1])
        held = (p[1] - guess) / _RANGE_OF_WIDTH
        return np.concatenate(
            [(matrix @ p[2:] - y) / sigma, [held], prior_rows @ p[2 : 2 + nbackground] - wanted]
        )

    def jacobian(p: FloatArray) -> FloatArray:
        matrix, by_position, by_width = design(p[0], p[1])
        heights = p[2 + nbackground :]
        full = np.zeros((len(x) + 1 + nextra, len(p)))
        full[: len(x), 0] = sum(h * c for h, c in zip(heights, by_position, strict=True)) / sigma
        full[: len(x), 1] = sum(h * c for h, c in zip(heights, by_width, strict=True)) / sigma
        full[: len(x), 2:] = matrix / sigma[:, None]
        full[len(x), 1] = 1 / _RANGE_OF_WIDTH
        full[len(x) + 1 :, 2 : 2 + nbackground] = prior_rows
        return full

    matrix, _, _ = design(start[0], guess)
    stacked = np.vstack(
        [matrix / sigma[:, None], np.pad(prior_rows, ((0, 0), (0, matrix.shape[1] - nbackground)))]
    )
    linear = np.linalg.lstsq(stacked, np.concatenate([y / sigma, wanted]), rcond=None)[0]
    first = np.concatenate([[start[0], guess], linear])
    if len(x) <= len(first):
        return None
    scale = 1 / np.maximum(np.linalg.norm(jacobian(first), axis=0), 1e-300)
    found = least_squares(
        residuals, first, jacobian, method="lm", x_scale=scale, max_nfev=40, xtol=1e-4, ftol=1e-5
    )
    final = found.jac * scale
    inverse = np.linalg.pinv(final, rcond=1e-10)
    covariance = (inverse @ inverse.T) * np.outer(scale, scale)
    usable = found.status > 0 and x[0] < found.x[0] < x[-1] and np.isfinite(covariance[0, 0])
    if not usable or found.x[1] > np.log(x[-1] - x[0]):
        return None
    return _Fit(shape, window, found.x, covariance, 2 * float(found.cost), len(x))


def fit_edge(
    x: FloatArray,
    y: FloatArray,
    noise: Callable[[FloatArray], FloatArray],
    shapes: Sequence[Shape],
    lows: Sequence[float],
    highs: Sequence[float],
    start: tuple[float, float],
    limits: tuple[float, float],
    extra: FloatArray | None = None,
    prior: FloatArray | None = None,
) -> EdgeFit | None:
    """Fit an edge that rises toward larger x; None if no fit ends inside its window.

    Parameters
    ----------
    x, y
        The curve, x ascending, (npoint,).
    noise
        Gives the variance of each point from the expected value of y.
    shapes
        Shapes of the edge to average over.
    lows, highs
        Ends of the fit windows; every pair is tried.
    start
        First guess of position and width.
    limits
        Fits that end with their position outside, or know it no better than these, are dropped.
    extra, prior
        Further columns of the background, (npoint, nextra), and the expected value and standard deviation of the
        coefficient of each, (nextra, 2).
    """
    extra = np.zeros((len(x), 0)) if extra is None else extra
    prior = np.zeros((0, 2)) if prior is None else prior
    ends = [
        (int(np.searchsorted(x, low)), int(np.searchsorted(x, high, side="right")))
        for low in lows
        for high in highs
    ]
    windows = [slice(*pair) for pair in sorted(set(ends), key=lambda pair: pair[0] - pair[1])]
    smooth, _, _ = local_lines(x, y, np.ones_like(y), 3 * float(np.median(np.diff(x))))
    sigma = np.sqrt(noise(smooth))

    def fitted(shape: Shape, some: Sequence[slice]) -> list[_Fit]:
        fits: list[_Fit] = []
        for window in some:  # from wide to narrow, each beginning where the one before ended
            guess = (fits[-1].position, float(np.exp(fits[-1].parameters[1]))) if fits else start
            fit = _fit(shape, window, x, y, sigma, extra, prior, guess)
            if (
                fit is not None
                and limits[0] < fit.position < limits[1]
                and fit.variance < (limits[1] - limits[0]) ** 2 / 12
            ):
                fits.append(fit)
        return fits

    first = [fit for shape in shapes for fit in fitted(shape, windows[:: max(len(windows) // 2, 1)])]
    if first:  # from here on with the noise that belongs to a fitted curve, not to the noisy one
        best = min(first, key=lambda fit: fit.chi2 - fit.ndata)
        sigma[best.window] = np.sqrt(noise(_curve(best, x, extra)))
    chosen = [_choose(fits) for shape in shapes if (fits := fitted(shape, windows))]
    if not chosen:
        return None
    misfit = min(fit.chi2 / (fit.ndata - len(fit.parameters)) for fit, _ in chosen)
    scale = misfit if misfit > _MISFIT else 1.0
    weights = np.array([fit.chi2 / scale - 2 * fit.ndata + 2 * len(fit.parameters) for fit, _ in chosen])
    weights = np.exp(-0.5 * (weights - weights.min()))
    weights /= weights.sum()
    positions = np.array([fit.position for fit, _ in chosen])
    variances = np.array([fit.variance * scale for fit, _ in chosen])
    mean = float(weights @ positions)
    spread = float(weights @ ((positions - mean) ** 2 + np.array([excess for _, excess in chosen])))
    best = chosen[int(np.argmax(weights))][0]
    p, c = best.parameters, best.covariance
    own = slice(4, 4 + extra.shape[1])
    return EdgeFit(
        position=mean,
        uncertainty=float(np.sqrt(weights @ variances + spread)),
        spread=float(np.sqrt(spread)),
        shape=best.shape,
        width=float(np.exp(p[1])),
        reduced_chi2=best.chi2 / (best.ndata - len(p)),
        extra=np.column_stack([p[own], np.sqrt(np.diag(c)[own] * scale)]),
        x=x[best.window],
        curve=_curve(best, x, extra),
        background=_background(best, x, extra),
    )


def _choose(fits: Sequence[_Fit]) -> tuple[_Fit, float]:
    """The widest window that narrower ones do not contradict, and by how much their positions scatter too far.

    A narrower window holds part of the same data, so the difference of two positions has the variance of the narrow
    minus that of the wide one (Hausman, Econometrica 1978, 46, 1251, 10.2307/1913827); what is seen beyond is the
    error of the shape.
    """
    order = sorted(fits, key=lambda fit: -fit.ndata)
    for i, wide in enumerate(order):
        dof = wide.ndata - len(wide.parameters)
        narrow = order[i + 1 :]
        excess = [(f.position - wide.position) ** 2 - max(f.variance - wide.variance, 0.0) for f in narrow]
        bad = any(e > 3 * max(f.variance - wide.variance, 0.0) for e, f in zip(excess, narrow, strict=True))
        if not narrow or (not bad and wide.chi2 < dof + 2.5 * np.sqrt(2 * dof)):
            return wide, max(float(np.mean(excess)) if excess else 0.0, 0.0)
    raise AssertionError("the narrowest window is always taken")


def _background(fit: _Fit, x: FloatArray, extra: FloatArray) -> FloatArray:
    x, extra = x[fit.window], extra[fit.window]
    columns = np.column_stack([np.ones_like(x), x - x[0], extra])
    return np.asarray(columns @ fit.parameters[2 : 2 + columns.shape[1]])


def _curve(fit: _Fit, x: FloatArray, extra: FloatArray) -> FloatArray:
    edge, _, _ = _columns(fit.shape, x[fit.window], fit.position, float(np.exp(fit.parameters[1])))
    heights = fit.parameters[4 + extra.shape[1] :]
    return np.asarray(_background(fit, x, extra) + sum(h * c for h, c in zip(heights, edge, strict=True)))
