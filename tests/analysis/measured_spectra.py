"""Synthetic photoelectron and absorption spectra with known levels."""

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


def secondaries(x, kind, resolution):
    t = CUTOFF - x
    decay = np.exp(-np.clip(t - 0.45, 0, None) / 2.5)
    if kind == "ramp":
        return (ramp(t, resolution) - ramp(t - 0.45, 0.12)) / 0.45 * decay
    grid = np.linspace(-6 * resolution, 6 * resolution, 61)
    weights = gauss(grid, 0, resolution)
    shifted = np.clip(t[:, None] - grid, 0, None)  # cascade of Chung and Everhart, work function 4.5 eV
    return shifted / (shifted + 4.5) ** 4 @ (weights / weights.sum()) * 6**4 / 1.5


def first_level(x, kind, resolution):
    if kind == "peak":  # steepest tangent meets zero two standard deviations before the maximum
        return gauss(x, ONSET + 2 * 0.25, 0.25)
    return (ramp(x - ONSET, resolution) - ramp(x - ONSET - 0.8, 0.15)) / 0.8


def ups(rng, *, cutoff="ramp", onset="ramp", counts=3e4, resolution=0.06, satellite=0.015, step=0.02):
    """Binding energies (eV) and counts: sloped background, deeper bands, satellites, broadening, counting noise."""
    x = np.arange(-1.0, 18.2, step)

    def valence(energies):
        bands = 2 * gauss(energies, 3.8, 0.45) + 4 * gauss(energies, 6.5, 0.9) + 3 * gauss(energies, 9.0, 0.7)
        return 0.03 * (first_level(energies, onset, resolution) + bands)

    expected = secondaries(x, cutoff, resolution) + valence(x) + 4e-4 * (1 + 0.06 * x)
    expected += satellite * (valence(x + 1.869) + 0.3 * valence(x + 2.524))
    return x, rng.poisson(counts * expected).astype(float)


def absorption(rng, *, kind="direct", noise=2e-3, base=0.03, urbach=0.04):
    """Photon energies (eV) and absorbance of a direct or indirect gap with an exponential tail."""
    x = np.arange(1.6, 4.6, 0.01)

    def law(energies):
        power = 0.5 if kind == "direct" else 2.0
        return 2.0 * np.clip(energies - GAP, 0, None) ** power / energies

    joint = GAP + (urbach / 2 if kind == "direct" else 2 * urbach)
    y = np.where(x < joint, law(joint) * np.exp((x - joint) / urbach), law(x))
    return x, y + base + rng.normal(0, noise, len(x))
