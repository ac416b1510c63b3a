import numpy as np
import pytest

from cluster_qc.model import (
    Cluster,
    DFTMethod,
    ExcitedStates,
    Fragment,
    GroundState,
    SCFCycle,
    TDDFTCycle,
    TDDFTMethod,
)


@pytest.fixture
def cluster():
    fragments = (Fragment("left", (0,)), Fragment("right", (1,)))
    return Cluster("h2 molecule/1", ("H", "H"), [[0.0, 0.0, -0.0], [0.0, 0.1, 1.4]], fragments=fragments)


@pytest.fixture
def ground(cluster):
    return GroundState(
        cluster=cluster,
        method=DFTMethod("pbe0", "sto-3g", basis_overrides=(("H", "def2-svp"),), ecp=None),
        energy=-1.1,
        orbital_energies=[[-0.5, 0.6]],
        coefficients=np.array([[[0.5, 1.2], [0.5, -1.2]]]),
        occupations=[[2.0, 0.0]],
        overlap=[[1.0, 0.66], [0.66, 1.0]],
        ao_atoms=[0, 1],
        core_electrons=[0, 0],
        dipole=[0.0, 0.0, 1e-17],
        s_squared=0.0,
        converged=True,
        stable=None,
        cycles=7,
        remarks=("a remark",),
        history=(SCFCycle("coarse", -1.0, 0.1), SCFCycle("final", -1.1, 1e-5)),
    )


@pytest.fixture
def singlets(ground):
    return ExcitedStates(
        ground=ground,
        method=TDDFTMethod(nstates=1, frozen_below=-2.0),
        excitation_energies=[0.91],
        error_estimates=[1e-7],
        converged=[True],
        occupied=[0],
        virtual=[1],
        x=[[[0.71]]],
        y=[[[0.05]]],
        gauge_origin=[0.0, 0.0, 0.7],
        electric=[[0.0, 0.0, 1.3]],
        velocity=None,
        magnetic=[[0.0, 0.0, 0.0]],
        approximations=("none worth mentioning",),
        history=(TDDFTCycle("model", 3, 0.02, 0, 1, 0.93), TDDFTCycle("full", 2, 1e-4, 1, 1, 0.91)),
    )


@pytest.fixture
def triplets(ground):
    return ExcitedStates(
        ground=ground,
        method=TDDFTMethod(nstates=1, spin="triplet", tda=True),
        excitation_energies=[0.6],
        error_estimates=[1e-7],
        converged=[False],
        occupied=[0],
        virtual=[1],
        x=[[[0.7071]]],
        y=[[[0.0]]],
    )
