"""From files and drawings to a checked molecule."""

from cluster_qc.structure.chirality import Stereocentre, cip_labels, core_handedness, stereocentres
from cluster_qc.structure.cif import CrystalReport, inspect_cif, read_cif
from cluster_qc.structure.connectivity import bonds, find_fragments, split_ligands
from cluster_qc.structure.geometry import (
    MetalAngle,
    MetalDistance,
    mean_distances,
    metal_angles,
    metal_metal_distances,
)
from cluster_qc.structure.ions import expected_charge, ionic_fragments
from cluster_qc.structure.ligands import build_m2m2_cluster
from cluster_qc.structure.xyz import read_xyz, write_xyz

__all__ = [
    "CrystalReport",
    "MetalAngle",
    "MetalDistance",
    "Stereocentre",
    "bonds",
    "build_m2m2_cluster",
    "cip_labels",
    "core_handedness",
    "expected_charge",
    "find_fragments",
    "inspect_cif",
    "ionic_fragments",
    "mean_distances",
    "metal_angles",
    "metal_metal_distances",
    "read_cif",
    "read_xyz",
    "split_ligands",
    "stereocentres",
    "write_xyz",
]
