"""The noise of a measured curve, and straight lines through parts of it."""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls

from cluster_qc.model.arrays import FloatArray


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
