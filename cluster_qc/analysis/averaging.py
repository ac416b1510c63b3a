"""A quantity that several models of the same data give, averaged, with the standard deviation of the average."""

from __future__ import annotations

import numpy as np

from cluster_qc.model.arrays import FloatArray


def log_weight(chi2: FloatArray, parameters: FloatArray, left_out: FloatArray) -> FloatArray:
    """Logarithm of the weight of models: Akaike's criterion, with each point that a model leaves out counted as fitted.

    Minus half the criterion is -chi^2 / 2 - (number of parameters). A point outside a model's window adds 1/2, what a
    point inside adds on average to chi^2 / 2 of a true model: neither a narrow nor a wide window is favoured until the
    wide one misfits. Jay and Neil (Phys. Rev. D 2021, 103, 114502, 10.1103/PhysRevD.103.114502) charge 1, which
    favours wide windows, right where some model is true; there is none for the far part of an edge. That it is 1/2 was
    settled by coverage, among about twenty rules tried on the shapes of benchmarks/measured_coverage.py.
    """
    return np.asarray(-chi2 / 2 - parameters - left_out / 2)


def averaged(
    values: FloatArray, log_weights: FloatArray, responses: FloatArray, residuals: FloatArray
) -> tuple[float, float]:
    """Mean of the values of a quantity over models, and the standard deviation of this mean under the noise.

    The noise moves both the values and the weights. Its effect on the mean is taken to first order, as of Efron,
    J. R. Stat. Soc. B 2015, 77, 617, 10.1111/rssb.12080: a change d of the data in units of their standard deviation
    moves each value by `responses` @ d and the logarithm of each weight by -`residuals` @ d.

    Parameters
    ----------
    values, log_weights
        Of each model, (nmodel,); -inf excludes one.
    responses
        Derivative of each value by each point of the data, (nmodel, npoint).
    residuals
        (data - model), zero for points that a model leaves out, (nmodel, npoint).
    """
    kept = np.isfinite(log_weights)
    values, log_weights, responses, residuals = (
        of_each[kept] for of_each in (values, log_weights, responses, residuals)
    )
    weights = np.exp(log_weights - log_weights.max())
    weights /= weights.sum()
    mean = float(weights @ values)
    moved = weights @ responses - (weights * (values - mean)) @ residuals
    return mean, float(np.linalg.norm(moved))
