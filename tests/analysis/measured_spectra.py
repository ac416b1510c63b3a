"""Synthetic photoelectron and absorption spectra with known levels."""

from functools import cache

import numpy as np
from scipy.special import ndtr

HE_I = 21.218
CUTOFF, ONSET, GAP = 16.7, 1.5, 2.9


def ramp(t, width):
    """max(t, 0) broadened by a Gaussian."""
    z = t / width
    return width * (z * ndtr(z) + np.exp(-z * z / 2) / np.sqrt(2 * np.pi))


def gauss(x, centre, width):
    return np.exp(-0.5 * ((x - centre) / width) ** 2)


def broadened(shape, t, resolution):
    """A function of max(t, 0), convolved with a Gaussian."""
    grid = np.linspace(-6 * resolution, 6 * resolution, 61)
    weights = gauss(grid, 0, resolution)
    return shape(np.clip(t[:, None] - grid, 0, None)) @ (weights / weights.sum())


# How the secondaries grow with the distance t from the cutoff, in eV; about 1 at the maximum. Of the cutoffs
# "tanh" and "falling step", of the onsets "logistic", "sine" and "skewed" are held out from every choice of the method.
RISES = {
    "physical": lambda t: (
        t / (t + 4.5) ** 4 * 6**4 / 1.5
    ),  # cascade of Chung and Everhart, work function 4.5 eV
    "saturating": lambda t: 1.3 * (1 - np.exp(-t / 0.5)) * np.exp(-t / 3),
    "narrow": lambda t: t / 0.4 * np.exp(1 - t / 0.4) * 0.9 + 0.1 * (1 - np.exp(-t)),
    "tanh": lambda t: np.tanh(t / 0.35) / (1 + t / 2),
}


def secondaries(x, kind, resolution):
    t = CUTOFF - x

    def step(decay):  # exp(-t / decay) from 0 on, broadened
        return np.exp(-t / decay + (resolution / decay) ** 2 / 2) * ndtr(t / resolution - resolution / decay)

    if kind == "step":
        return step(2.5)
    if kind == "falling step":
        return 0.6 * step(0.3) + 0.4 * step(3.0)
    if kind in RISES:
        return broadened(RISES[kind], t, resolution)
    length = {"ramp": 0.45, "short ramp": 0.25}[kind]
    decay = np.exp(-np.clip(t - length, 0, None) / 2.5)
    return (ramp(t, resolution) - ramp(t - length, 0.12)) / length * decay


def first_level(x, kind, resolution):
    """About 1 at the maximum; `tangent_onset` gives where each begins."""
    if kind.endswith("peak"):
        width = {"narrow peak": 0.15, "peak": 0.25, "broad peak": 0.4}[kind]
        return gauss(x, ONSET + 2 * width, width)
    if kind == "two levels":
        return gauss(x, ONSET + 2 * 0.25, 0.25) + 1.5 * gauss(x, ONSET + 1.2, 0.3)
    if kind == "logistic":
        return 1 / (1 + np.exp(-(x - ONSET) / 0.09))
    if kind == "sine":
        return broadened(lambda t: np.sin(np.pi * np.clip(t, 0, 1.2) / 1.2) ** 2, x - ONSET, resolution)
    if kind == "skewed":
        t = x - ONSET - 0.4
        return gauss(t, 0, np.where(t < 0, 0.2, 0.5))
    if kind == "bent":
        return broadened(lambda t: 1 - np.exp(-t / 0.6), x - ONSET, resolution)
    length = {"ramp": 0.8, "short ramp": 0.35}[kind]
    return (ramp(x - ONSET, resolution) - ramp(x - ONSET - length, 0.15)) / length


def valence(energies, kind, resolution):
    bands = 2 * gauss(energies, 3.8, 0.45) + 4 * gauss(energies, 6.5, 0.9) + 3 * gauss(energies, 9.0, 0.7)
    return 0.03 * (first_level(energies, kind, resolution) + bands)


@cache
def tangent_onset(kind, resolution=0.06):
    """Where the steepest tangent of the first level's leading edge, broadened and without noise, meets zero."""
    x = np.arange(ONSET - 1.0, ONSET + 0.55, 1e-4)
    y = valence(x, kind, resolution)
    slope = np.gradient(y, x)
    steepest = slope.argmax()
    return x[steepest] - y[steepest] / slope[steepest]


@cache
def expected_ups(cutoff, onset, resolution, satellite, step, slope):
    x = np.arange(-1.0, 18.2, step)

    first, second = (valence(x + shift, onset, resolution) for shift in (1.869, 2.524))
    expected = secondaries(x, cutoff, resolution) + valence(x, onset, resolution) + 4e-4 * (1 + slope * x)
    return x, expected + satellite * (first + 0.3 * second)


def ups(
    rng, *, cutoff="ramp", onset="ramp", counts=3e4, resolution=0.06, satellite=0.015, step=0.02, slope=0.06
):
    """Binding energies (eV) and counts: sloped background, deeper bands, satellites, broadening, counting noise."""
    x, expected = expected_ups(cutoff, onset, resolution, satellite, step, slope)
    return x.copy(), rng.poisson(counts * expected).astype(float)


def absorption(rng, *, kind="direct", noise=2e-3, base=0.03, urbach=0.04):
    """Photon energies (eV) and absorbance of a direct or indirect gap with an exponential tail."""
    x = np.arange(1.6, 4.6, 0.01)

    def law(energies):
        power = 0.5 if kind == "direct" else 2.0
        return 2.0 * np.clip(energies - GAP, 0, None) ** power / energies

    joint = GAP + (urbach / 2 if kind == "direct" else 2 * urbach)
    y = np.where(x < joint, law(joint) * np.exp((x - joint) / urbach), law(x))
    return x, y + base + rng.normal(0, noise, len(x))
