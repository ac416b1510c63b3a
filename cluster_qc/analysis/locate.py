"""The first rise of a noisy curve, and the fits of `edge` that begin there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cluster_qc.analysis.edge import EdgeFit, Shape, fit_edge
from cluster_qc.analysis.noise import local_lines
from cluster_qc.model.arrays import FloatArray

ONSET_WINDOWS = (0.7, 0.85, 1.0, 1.25, 1.5, 1.85, 2.2)
"""Where the windows about an onset end, as shares of the way from the foot of the edge to its end: behind its steepest
part."""
_LEAST_LENGTH = 0.4
"""Of an edge, in eV: the windows do not get narrower with it."""
_WIDER = (1, 2, 4)
"""Multiples of the half width that are tried."""
_SIGNIFICANT = 5.0
"""Standard deviations above which a slope is a rise."""


@dataclass(frozen=True)
class Edge:
    """Positions on the curve's axis."""

    foot: float
    """Where the steepest tangent meets the level before the rise."""
    steepest: float
    end: float
    """Where the slope has fallen to a given share of the steepest."""

    @property
    def width(self) -> float:
        """About the standard deviation of the edge's broadening."""
        return max(self.steepest - self.foot, 0.02) / 2


def locate_edge(
    x: FloatArray,
    y: FloatArray,
    noise: Callable[[FloatArray], FloatArray],
    *,
    half: float,
    least_rise: float,
    stop: float,
) -> Edge | str:
    """First significant rise of a curve toward larger x, or why there is none.

    Parameters
    ----------
    x, y
        The curve, x ascending, (npoint,).
    noise
        Gives the variance of each point from the expected value of y.
    half
        Half width of the straight lines that look for the rise; wider ones are tried too.
    least_rise
        Share of the whole curve's height that the rise must have.
    stop
        The edge ends where the slope falls below this share of the steepest.
    """
    found = [_first_rise(x, y, noise, wider * half, least_rise, stop) for wider in _WIDER]
    edges = [edge for edge in found if isinstance(edge, Edge)]
    if not edges:
        return found[0]
    # A weak first level may show in wide lines only, when narrow ones already find the next one.
    earliest = min(edge.foot for edge in edges)
    return next(edge for edge in edges if edge.foot < earliest + _WIDER[-1] * half)


def _first_rise(
    x: FloatArray,
    y: FloatArray,
    noise: Callable[[FloatArray], FloatArray],
    half: float,
    least_rise: float,
    stop: float,
) -> Edge | str:
    half = max(half, 2.5 * float(np.median(np.diff(x))))
    smooth, _, _ = local_lines(x, y, np.ones_like(y), half)  # single points of few counts tell too little
    variance = noise(smooth)
    mean, slope, error = local_lines(x, y, variance, half)
    height = float(np.ptp(mean))
    before, spread = _slopes_up_to(x, y, variance)
    behind = np.searchsorted(x, x - 2 * half) - 1  # the last point of the background of each
    rises = np.zeros(len(x), dtype=bool)
    usable = behind >= 4
    rises[usable] = (slope - before[behind] > _SIGNIFICANT * np.hypot(error, spread[behind]))[usable]
    for i in np.flatnonzero(rises[1:] & rises[:-1]) + 1:
        background = before[behind[i]]
        steep = end = int(i)
        while end + 1 < len(x) and slope[end] - background > stop * (slope[steep] - background):
            end += 1
            steep = end if slope[end] > slope[steep] else steep
        level = float(np.median(y[: behind[i] + 1][-20:]))
        if mean[end] - level > least_rise * height:
            foot = float(x[steep] - (mean[steep] - level) / (slope[steep] - background))
            if end + 1 >= len(x) and x[end] - foot < 2 * half:
                return "the curve ends within the edge"
            return Edge(max(foot, float(x[0])), float(x[steep]), float(x[end]))
    return "there is no background followed by a rise that stands out of the noise"


def fit_located_edge(
    x: FloatArray,
    y: FloatArray,
    noise: Callable[[FloatArray], FloatArray],
    shapes: Sequence[Shape],
    edge: Edge,
    *,
    before: float,
    shares: Sequence[float],
    extra: FloatArray | None = None,
    prior: FloatArray | None = None,
) -> EdgeFit | str:
    """`fit_edge` about a located edge, or why there is no fit.

    Parameters
    ----------
    x, y, noise, shapes, extra, prior
        As in `fit_edge`.
    before
        How far before the foot the windows begin.
    shares
        Where they end, as shares of the way from the foot to the end of the edge.
    """
    length = max(edge.end - edge.foot, _LEAST_LENGTH)
    highs = [edge.foot + share * length for share in shares]
    limits = (edge.foot - 3 * edge.width, edge.steepest + edge.width)
    start = (edge.foot, edge.width)
    until = edge.foot + length
    fit = fit_edge(x, y, noise, shapes, edge.foot - before, highs, start, limits, until, extra, prior)
    return fit or "no fit of a line and a background to the edge came to an end"


def _slopes_up_to(x: FloatArray, y: FloatArray, variance: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Slopes of the unweighted lines through the first points up to each, and their standard deviations."""
    x = x - x[0]
    n = np.arange(1, len(x) + 1)
    mean_x = np.cumsum(x) / n
    total = np.maximum(np.cumsum(x**2) - n * mean_x**2, 1e-300)
    slope = (np.cumsum(x * y) - mean_x * np.cumsum(y)) / total
    spread = (
        np.cumsum(variance * x**2) - 2 * mean_x * np.cumsum(variance * x) + mean_x**2 * np.cumsum(variance)
    )
    return slope, np.sqrt(np.maximum(spread, 0.0)) / total
