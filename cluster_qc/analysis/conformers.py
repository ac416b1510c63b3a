"""Spectra of a solution, averaged over conformers, and of a film, which holds the crystal's geometry.

The two are different samples: in the film the molecules hold one another, in solution the side chains turn. Which one
was measured decides which one to compare.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from cluster_qc.errors import InputError
from cluster_qc.model import Spectrum
from cluster_qc.model.arrays import FloatArray, frozen
from cluster_qc.units import kelvin

FILM = "film (crystal geometry)"
_SAMPLES = 20_000
_SEED = 20240


@dataclass(frozen=True, eq=False)
class BoltzmannWeights:
    """Populations of conformers and how far the error of their energies lets them move."""

    weights: FloatArray
    """Populations, sum 1, (nconformer,)."""
    covariance: FloatArray
    """Mean products of the deviations from `weights`, (nconformer, nconformer); its rows sum to 0."""
    temperature_k: float

    def __post_init__(self) -> None:
        n = len(self.weights)
        object.__setattr__(self, "weights", frozen(self.weights, (n,), "weights"))
        object.__setattr__(self, "covariance", frozen(self.covariance, (n, n), "covariance"))

    @property
    def uncertainties(self) -> FloatArray:
        """One standard deviation of each weight, (nconformer,)."""
        return np.asarray(np.sqrt(np.diag(self.covariance)))


def boltzmann_weights(
    energies: ArrayLike, temperature_k: float = 298.15, energy_uncertainty: ArrayLike = 0.0
) -> BoltzmannWeights:
    """Populations exp(-E/kT)/Z, with the uncertainty that they inherit from the energies.

    An error of an electronic energy is often several kT, where no linear propagation holds; the covariance comes from
    20,000 draws of normally distributed, independent errors, with a fixed seed.

    Parameters
    ----------
    energies
        Of the conformers, hartree, (nconformer,); free energies if there are any. Mirror-image or symmetry-related
        copies count as conformers of their own.
    temperature_k
        Kelvin.
    energy_uncertainty
        One standard deviation of each energy against the others, hartree, one number or (nconformer,).

    Raises
    ------
    InputError
        For no energies, or a temperature or uncertainty that makes no sense.
    """
    values = np.asarray(energies, dtype=float)
    if values.ndim != 1 or not values.size or not np.isfinite(values).all():
        raise InputError("energies must be a list of finite numbers in hartree, one for each conformer")
    if not (np.isfinite(temperature_k) and temperature_k > 0):
        raise InputError(f"the temperature is {temperature_k} K; it is positive")
    errors = np.asarray(energy_uncertainty, dtype=float)
    if errors.shape not in ((), values.shape) or not (np.isfinite(errors).all() and (errors >= 0).all()):
        raise InputError("energy_uncertainty must be one number, or one for each energy, none negative")
    weights = _populations(values, temperature_k)
    draws = np.random.default_rng(_SEED).normal(size=(_SAMPLES, values.size))
    deviations = _populations(values + draws * errors, temperature_k) - weights
    return BoltzmannWeights(weights, deviations.T @ deviations / _SAMPLES, temperature_k)


def _populations(energies: FloatArray, temperature_k: float) -> FloatArray:
    lowest = energies.min(axis=-1, keepdims=True)
    factors = np.exp(-(energies - lowest) / (temperature_k * kelvin))
    return np.asarray(factors / factors.sum(axis=-1, keepdims=True))


def average_spectra(spectra: Sequence[Spectrum], weights: BoltzmannWeights) -> Spectrum:
    """Average the spectra of conformers in solution, with the band that the uncertain weights give it.

    Simulate them on the same `energies`, in the same way. The sticks are those of all conformers, each times its
    weight. The band holds the uncertainty of the weights only, not that of the excitation energies or strengths.

    Raises
    ------
    InputError
        If the numbers of spectra and weights differ, or the spectra are not made alike.
    """
    if len(spectra) != len(weights.weights):
        raise InputError(
            f"{len(spectra)} spectra came with {len(weights.weights)} weights; one each is needed"
        )
    first = spectra[0]
    for number, spectrum in enumerate(spectra[1:], 2):
        for name in ("kind", "energies", "shape", "fwhm", "shift", "gauge"):
            if not np.array_equal(getattr(first, name), getattr(spectrum, name)):
                raise InputError(
                    f"spectrum {number} differs from the first in its {name}",
                    fix="simulate all of them with the same settings, energies=... among them",
                )
    values = np.array([spectrum.values for spectrum in spectra])
    variance = np.einsum("ip,ij,jp->p", values, weights.covariance, values)
    remarks = dict.fromkeys(remark for spectrum in spectra for remark in spectrum.remarks)
    populations = ", ".join(
        f"{w:.2f}+-{u:.2f}" for w, u in zip(weights.weights, weights.uncertainties, strict=True)
    )
    return replace(
        first,
        values=weights.weights @ values,
        uncertainty=np.sqrt(variance.clip(min=0.0)),
        stick_energies=np.concatenate([spectrum.stick_energies for spectrum in spectra]),
        stick_strengths=np.concatenate(
            [w * spectrum.stick_strengths for w, spectrum in zip(weights.weights, spectra, strict=True)]
        ),
        sample=f"solution (Boltzmann average of {len(spectra)} conformers at {weights.temperature_k:.0f} K)",
        remarks=(*remarks, f"populations {populations}"),
    )


def film_spectrum(spectrum: Spectrum) -> Spectrum:
    """Name a spectrum as that of a film: one molecule in the crystal's geometry.

    The couplings between molecules, and an orientation of the film, are not in it, and the remarks say so.
    """
    return replace(
        spectrum,
        sample=FILM,
        remarks=(
            *spectrum.remarks,
            "film: one molecule as in the crystal, without its neighbours, no orientation",
        ),
    )
