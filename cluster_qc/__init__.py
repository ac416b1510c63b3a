"""Electronic structure and chiroptics of ligand-protected metal clusters.

The public names are loaded when they are first used, so that ``import cluster_qc`` is quick; the functions then check
the types of their arguments (`cluster_qc.arguments`).
"""

from __future__ import annotations

from importlib import import_module as _import_module
from typing import TYPE_CHECKING
from typing import Any as _Any

if TYPE_CHECKING:
    from cluster_qc.analysis.alignment import align_with_ups
    from cluster_qc.analysis.assignment import CDAssignment, assign_by_cd
    from cluster_qc.analysis.charge_transfer import transition_character
    from cluster_qc.analysis.comparison import (
        CDComparison,
        UVShift,
        compare_cd,
        fit_uv_shift,
        shift_sensitivity,
    )
    from cluster_qc.analysis.conformers import (
        BoltzmannWeights,
        average_spectra,
        boltzmann_weights,
        film_spectrum,
    )
    from cluster_qc.analysis.cotton import CottonMatch, match_cotton_bands, measured_cotton_bands
    from cluster_qc.analysis.dissymmetry import DissymmetryCurve, dissymmetry_curve
    from cluster_qc.analysis.experiment import read_absorption_spectrum, read_cd_spectrum
    from cluster_qc.analysis.fragments import frontier_shares, orbital_shares
    from cluster_qc.analysis.jcamp import jcamp_text
    from cluster_qc.analysis.rotatory import (
        dissymmetry_factors,
        oscillator_strengths,
        rotatory_strengths,
    )
    from cluster_qc.analysis.rotatory_parts import RotatoryParts, rotatory_parts
    from cluster_qc.analysis.spectra import (
        cotton_bands,
        simulate_absorption,
        simulate_cd,
        write_spectrum_csv,
    )
    from cluster_qc.analysis.tauc_reading import read_tauc
    from cluster_qc.analysis.tuning import tune_range_separation
    from cluster_qc.analysis.ups_reading import read_ups, read_ups_spectrum
    from cluster_qc.drivers.nto import natural_transition_orbitals
    from cluster_qc.drivers.scf import run_scf
    from cluster_qc.drivers.tddft import run_tddft
    from cluster_qc.drivers.transition import moment_integrals
    from cluster_qc.drivers.volume import orbital_volume, transition_densities, write_cube
    from cluster_qc.errors import (
        ClusterQCError,
        InputError,
        NotConvergedError,
        ResourceError,
        StorageError,
        StructureError,
        UnavailableError,
    )
    from cluster_qc.model import (
        BandAlignment,
        Candidate,
        ChargeStates,
        Cluster,
        DFTMethod,
        Excitation,
        ExcitedStates,
        Fragment,
        GroundState,
        MeasuredSpectrum,
        MomentIntegrals,
        NaturalTransitionOrbitals,
        Record,
        SCFCycle,
        Spectrum,
        TDDFTCycle,
        TDDFTMethod,
        Tuning,
        UPSReference,
        Volume,
        ion_of,
    )
    from cluster_qc.plotting.convergence import plot_scf_convergence, plot_tddft_convergence
    from cluster_qc.plotting.levels import plot_levels
    from cluster_qc.plotting.orbitals import plot_density, plot_orbital
    from cluster_qc.plotting.spectra import plot_absorption, plot_cd
    from cluster_qc.report.comparison import write_comparison
    from cluster_qc.report.page import write_page
    from cluster_qc.report.text import text_report
    from cluster_qc.store import load, save
    from cluster_qc.structure.chirality import cip_labels, core_handedness
    from cluster_qc.structure.cif import CrystalReport, inspect_cif, read_cif
    from cluster_qc.structure.connectivity import find_fragments
    from cluster_qc.structure.cores import core_template
    from cluster_qc.structure.geometry import mean_distances
    from cluster_qc.structure.xyz import read_xyz, write_xyz
    from cluster_qc.workflow.build import build_cluster

_HOMES = {
    "analysis.alignment": ("align_with_ups",),
    "analysis.assignment": ("CDAssignment", "assign_by_cd"),
    "analysis.charge_transfer": ("transition_character",),
    "analysis.comparison": ("CDComparison", "UVShift", "compare_cd", "fit_uv_shift", "shift_sensitivity"),
    "analysis.conformers": ("BoltzmannWeights", "average_spectra", "boltzmann_weights", "film_spectrum"),
    "analysis.cotton": ("CottonMatch", "match_cotton_bands", "measured_cotton_bands"),
    "analysis.dissymmetry": ("DissymmetryCurve", "dissymmetry_curve"),
    "analysis.experiment": ("read_absorption_spectrum", "read_cd_spectrum"),
    "analysis.fragments": ("frontier_shares", "orbital_shares"),
    "analysis.jcamp": ("jcamp_text",),
    "analysis.rotatory": ("dissymmetry_factors", "oscillator_strengths", "rotatory_strengths"),
    "analysis.rotatory_parts": ("RotatoryParts", "rotatory_parts"),
    "analysis.spectra": ("cotton_bands", "simulate_absorption", "simulate_cd", "write_spectrum_csv"),
    "analysis.tauc_reading": ("read_tauc",),
    "analysis.tuning": ("tune_range_separation",),
    "analysis.ups_reading": ("read_ups", "read_ups_spectrum"),
    "drivers.nto": ("natural_transition_orbitals",),
    "drivers.scf": ("run_scf",),
    "drivers.tddft": ("run_tddft",),
    "drivers.transition": ("moment_integrals",),
    "drivers.volume": ("orbital_volume", "transition_densities", "write_cube"),
    "errors": (
        "ClusterQCError",
        "InputError",
        "NotConvergedError",
        "ResourceError",
        "StorageError",
        "StructureError",
        "UnavailableError",
    ),
    "model": (
        "BandAlignment",
        "Candidate",
        "ChargeStates",
        "Cluster",
        "DFTMethod",
        "ExcitedStates",
        "Excitation",
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
    ),
    "plotting.convergence": ("plot_scf_convergence", "plot_tddft_convergence"),
    "plotting.levels": ("plot_levels",),
    "plotting.orbitals": ("plot_density", "plot_orbital"),
    "plotting.spectra": ("plot_absorption", "plot_cd"),
    "report.comparison": ("write_comparison",),
    "report.page": ("write_page",),
    "report.text": ("text_report",),
    "store": ("load", "save"),
    "structure.chirality": ("cip_labels", "core_handedness"),
    "structure.cif": ("CrystalReport", "inspect_cif", "read_cif"),
    "structure.connectivity": ("find_fragments",),
    "structure.cores": ("core_template",),
    "structure.geometry": ("mean_distances",),
    "structure.xyz": ("read_xyz", "write_xyz"),
    "workflow.build": ("build_cluster",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "BandAlignment",
    "BoltzmannWeights",
    "CDAssignment",
    "CDComparison",
    "Candidate",
    "ChargeStates",
    "Cluster",
    "ClusterQCError",
    "CottonMatch",
    "CrystalReport",
    "DFTMethod",
    "DissymmetryCurve",
    "Excitation",
    "ExcitedStates",
    "Fragment",
    "GroundState",
    "InputError",
    "MeasuredSpectrum",
    "MomentIntegrals",
    "NaturalTransitionOrbitals",
    "NotConvergedError",
    "Record",
    "ResourceError",
    "RotatoryParts",
    "SCFCycle",
    "Spectrum",
    "StorageError",
    "StructureError",
    "TDDFTCycle",
    "TDDFTMethod",
    "Tuning",
    "UPSReference",
    "UVShift",
    "UnavailableError",
    "Volume",
    "__version__",
    "align_with_ups",
    "assign_by_cd",
    "average_spectra",
    "boltzmann_weights",
    "build_cluster",
    "cip_labels",
    "compare_cd",
    "core_handedness",
    "core_template",
    "cotton_bands",
    "dissymmetry_curve",
    "dissymmetry_factors",
    "film_spectrum",
    "find_fragments",
    "fit_uv_shift",
    "frontier_shares",
    "inspect_cif",
    "ion_of",
    "jcamp_text",
    "load",
    "match_cotton_bands",
    "mean_distances",
    "measured_cotton_bands",
    "moment_integrals",
    "natural_transition_orbitals",
    "orbital_shares",
    "orbital_volume",
    "oscillator_strengths",
    "plot_absorption",
    "plot_cd",
    "plot_density",
    "plot_levels",
    "plot_orbital",
    "plot_scf_convergence",
    "plot_tddft_convergence",
    "read_absorption_spectrum",
    "read_cd_spectrum",
    "read_cif",
    "read_tauc",
    "read_ups",
    "read_ups_spectrum",
    "read_xyz",
    "rotatory_parts",
    "rotatory_strengths",
    "run_scf",
    "run_tddft",
    "save",
    "shift_sensitivity",
    "simulate_absorption",
    "simulate_cd",
    "text_report",
    "transition_character",
    "transition_densities",
    "tune_range_separation",
    "write_comparison",
    "write_cube",
    "write_page",
    "write_spectrum_csv",
    "write_xyz",
]


def __getattr__(name: str) -> _Any:
    if name == "__version__":
        value: _Any = _import_module("cluster_qc.provenance").version("cluster_qc")
    elif name in _HOME_OF:
        value = getattr(_import_module(f"cluster_qc.{_HOME_OF[name]}"), name)
        if not isinstance(value, type):
            value = _import_module("cluster_qc.arguments").checked(value)
    else:
        raise AttributeError(f"module 'cluster_qc' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
