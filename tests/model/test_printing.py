"""What Python prints of an object is a line: its name, size and one number, never its arrays."""

import dataclasses

import numpy as np
import pytest

from cluster_qc.model import (
    Cluster,
    DFTMethod,
    ExcitedStates,
    GroundState,
    MeasuredSpectrum,
    NaturalTransitionOrbitals,
    Spectrum,
    TDDFTMethod,
    Volume,
)
from cluster_qc.units import electronvolt

ENERGIES = np.linspace(0.1, 0.2, 500)
GROUND = GroundState(
    cluster=Cluster("auh", ("Au", "H"), [[0, 0, 0], [0, 0, 2.9]]),
    method=DFTMethod("pbe0"),
    energy=-1.0,
    orbital_energies=[[-0.3, -0.05]],
    coefficients=np.eye(2)[None],
    occupations=[[2.0, 0.0]],
    overlap=np.eye(2),
    ao_atoms=[0, 1],
    core_electrons=[60, 0],
    dipole=[0, 0, 1],
    s_squared=0.0,
    converged=True,
)
STATES = ExcitedStates(
    ground=GROUND,
    method=TDDFTMethod(1, spin="triplet"),
    excitation_energies=[3.0 * electronvolt],
    error_estimates=[1e-6],
    converged=[True],
    occupied=[0],
    virtual=[1],
    x=[[[0.7]]],
    y=[[[0.0]]],
)
NTOS = NaturalTransitionOrbitals("S1", 0.1, [0.9, 0.1], np.eye(2), np.eye(2), 0.8)
CD = Spectrum("cd", ENERGIES, 0 * ENERGIES, [0.1], [0.2], "gaussian", 0.3 * electronvolt)


@pytest.mark.parametrize(
    ("thing", "told"),
    [
        (GROUND.cluster, "<auh: AuH, 2 atoms, charge 0, multiplicity 1>"),
        (GROUND, "<ground state of auh, pbe0/def2-svp, -1.000000 hartree>"),
        (dataclasses.replace(GROUND, converged=False), ", not converged>"),
        (dataclasses.replace(GROUND, method=DFTMethod("hf", "/a/long/way/to/own.nw")), "hf/own.nw, -1.0"),
        (STATES, "<1 triplets of <ground state of auh"),
        (STATES[0], "<T1 of auh, 3.000 eV>"),
        (NTOS, "<natural transition orbitals of S1, leading weights 0.900, 0.100>"),
        (CD, "<cd of 1 lines, fwhm 0.30 eV, one geometry>"),
        (MeasuredSpectrum("cd", ENERGIES, ENERGIES, source="film.csv"), "<measured cd, 500 points, film.csv>"),
        (Volume(np.zeros(3), np.eye(3), np.zeros((20, 30, 40)), "HOMO"), "<volume 'HOMO', 20 x 30 x 40 points>"),
    ],
)  # fmt: skip
def test_an_object_is_printed_in_a_line(thing, told):
    assert told in repr(thing)
    assert "\n" not in repr(thing)
    assert len(repr(thing)) < 120
