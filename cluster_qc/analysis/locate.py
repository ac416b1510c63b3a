"""The first rise of a noisy curve, and the fits of `edge` that begin there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cluster_qc.analysis.edge import EdgeFit, Shape, fit_edge, local_lines
from cluster_qc.model.arrays import FloatArray

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
    x: FloatArray, y: FloatArray, variance: FloatArray, *, half: float, least_rise: float, stop: float
) -> Edge | str:
    """First significant rise of a curve toward larger x, or why there is none.

    Parameters
    ----------
    x, y, variance
        The curve, x ascending, and the variance of each point, (npoint,).
    half
        Half width of the straight lines that look for the rise.
    least_rise
        Share of the whole curve's height that the rise must have.
    stop
        The edge ends where the slope falls below this share of the steepest.
    """
    half = max(half, 2.5 * float(np.median(np.diff(x))))
    mean, slope, error = local_lines(x, y, variance, half)
    height = float(np.ptp(mean))
    risen = False
    for i in range(4, len(x)):
        below = x < x[i] - 2 * half
        if below.sum() < 4:
            continue
        background, spread = _slope(x[below], y[below], variance[below])
        before, risen = risen, slope[i] - background > _SIGNIFICANT * np.hypot(error[i], spread)
        if not (risen and before):
            continue
        steep = end = i
        while end + 1 < len(x) and slope[end] - background > stop * (slope[steep] - background):
            end += 1
            steep = end if slope[end] > slope[steep] else steep
        level = float(np.median(y[below][-20:]))
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
    highs = [edge.foot + share * (edge.end - edge.foot) for share in shares]
    limits = (edge.foot - 3 * edge.width, edge.steepest + edge.width)
    start = (edge.foot, edge.width)
    fit = fit_edge(x, y, noise, shapes, [edge.foot - before], highs, start, limits, extra, prior)
    return fit or "no fit of a line and a background to the edge came to an end"


def _slope(x: FloatArray, y: FloatArray, variance: FloatArray) -> tuple[float, float]:
    """Slope of an unweighted line and its standard deviation."""
    centred = x - x.mean()
    total = float(centred @ centred)
    return float(centred @ y) / total, float(np.sqrt(centred**2 @ variance)) / total
