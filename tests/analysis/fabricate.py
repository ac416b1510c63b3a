"""Random but valid ground and excited states, for laws that need no self-consistent field."""

from __future__ import annotations

import numpy as np

from cluster_qc.model import Cluster, DFTMethod, ExcitedStates, Fragment, GroundState, TDDFTMethod
from cluster_qc.model import NaturalTransitionOrbitals as NTOs
from cluster_qc.units import electronvolt

SYMBOLS = ("Au", "Cu", "S", "N", "C", "H")
FRAGMENTS = (Fragment("core", (0, 1)), Fragment("donors", (2, 3)), Fragment("backbone", (4,)))
NAO_PER_ATOM = 3


def ground_state(
    seed: int = 7, *, fragments: tuple[Fragment, ...] = FRAGMENTS, converged: bool = True
) -> GroundState:
    rng = np.random.default_rng(seed)
    coords = np.arange(18.0).reshape(6, 3) + rng.normal(size=(6, 3))
    cluster = Cluster("model", SYMBOLS, coords, fragments=fragments)
    nao = NAO_PER_ATOM * len(SYMBOLS)
    raw = rng.normal(size=(nao, nao)) * 0.15
    overlap = np.eye(nao) + raw @ raw.T
    values, vectors = np.linalg.eigh(overlap)
    lowdin = vectors / np.sqrt(values) @ vectors.T
    coefficients = lowdin @ np.linalg.qr(rng.normal(size=(nao, nao)))[0]
    energies = np.concatenate([np.linspace(-20, -6.2, 8), np.linspace(-1.5, 15, nao - 8)]) * electronvolt
    return GroundState(
        cluster=cluster,
        method=DFTMethod("pbe0"),
        energy=-100.0,
        orbital_energies=energies[None],
        coefficients=coefficients[None],
        occupations=np.where(np.arange(nao) < 8, 2.0, 0.0)[None],
        overlap=overlap,
        ao_atoms=np.repeat(np.arange(len(SYMBOLS)), NAO_PER_ATOM),
        core_electrons=np.array([60, 0, 0, 0, 0, 0]),
        dipole=np.zeros(3),
        s_squared=0.0,
        converged=converged,
    )


def excited_states(
    nstates: int = 6,
    seed: int = 3,
    *,
    spin: str = "singlet",
    velocity: bool = True,
    converged: bool = True,
    energies: np.ndarray | None = None,
) -> ExcitedStates:
    rng = np.random.default_rng(seed)
    ground = ground_state()
    nocc, nvir = 8, len(ground.ao_atoms) - 8
    e = np.linspace(3.0, 6.0, nstates) * electronvolt if energies is None else np.asarray(energies)
    x = rng.normal(size=(nstates, nocc, nvir))
    x *= np.sqrt(0.5) / np.linalg.norm(x, axis=(1, 2))[:, None, None]
    singlet = spin == "singlet"
    moments = rng.normal(size=(3, nstates, 3))
    return ExcitedStates(
        ground=ground,
        method=TDDFTMethod(nstates=nstates, spin=spin, tda=True),
        excitation_energies=e,
        error_estimates=np.full(nstates, 1e-5),
        converged=np.full(nstates, converged),
        occupied=np.arange(8),
        virtual=np.arange(8, 8 + nvir),
        x=x,
        y=np.zeros_like(x),
        gauge_origin=np.array([0.1, -0.2, 0.3]) if singlet else None,
        electric=moments[0] if singlet else None,
        velocity=moments[1] * 0.1 if singlet and velocity else None,
        magnetic=moments[2] * 0.1 if singlet else None,
    )


def natural_orbitals(
    ground: GroundState, weights=(0.9, 0.08, 0.03), seed: int = 5, converged: bool = True
) -> NTOs:
    rng = np.random.default_rng(seed)
    c = ground.coefficients[0]
    npair = len(weights)
    turn = np.linalg.qr(rng.normal(size=(8, 8)))[0][:, :npair]
    turn_virtual = np.linalg.qr(rng.normal(size=(c.shape[1] - 8,) * 2))[0][:, :npair]
    return NTOs(
        "S1", 3.0 * electronvolt, np.array(weights), c[:, :8] @ turn, c[:, 8:] @ turn_virtual, 0.5, converged
    )
