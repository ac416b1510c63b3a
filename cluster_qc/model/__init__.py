"""Frozen data types: numpy only, checked at construction."""

from cluster_qc.model.alignment import BandAlignment, UPSReference
from cluster_qc.model.candidate import Candidate
from cluster_qc.model.charge_states import ChargeStates, Tuning, ion_of
from cluster_qc.model.cluster import Cluster, Fragment
from cluster_qc.model.excited_states import (
    Excitation,
    ExcitedStates,
    NaturalTransitionOrbitals,
)
from cluster_qc.model.ground_state import GroundState
from cluster_qc.model.history import SCFCycle, TDDFTCycle
from cluster_qc.model.method import DFTMethod, TDDFTMethod
from cluster_qc.model.moments import MomentIntegrals
from cluster_qc.model.record import Record
from cluster_qc.model.spectrum import MeasuredSpectrum, Spectrum
from cluster_qc.model.volume import Volume

__all__ = [
    "BandAlignment",
    "Candidate",
    "ChargeStates",
    "Cluster",
    "DFTMethod",
    "Excitation",
    "ExcitedStates",
    "Fragment",
    "GroundState",
    "MeasuredSpectrum",
    "MomentIntegrals",
    "NaturalTransitionOrbitals",
    "Record",
    "SCFCycle",
    "Spectrum",
    "TDDFTCycle",
    "TDDFTMethod",
    "Tuning",
    "UPSReference",
    "Volume",
    "ion_of",
]
