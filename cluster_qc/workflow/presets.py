"""The presets of `cluster-qc run`, all their numbers in one place.

Thresholds and energies are in hartree, the width of the CD bands in eV.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_MODEL = {
    "tolerance": 1e-3,
    "frozen_below": -2.0,
    "virtual_above": 1.5,
    "exchange_rank": 0.15,
    "grid_level": 1,
}
_QUICK = {**_MODEL, "tolerance": 3e-3, "grid_level": 0}
_CD = {"fwhm_ev": 0.3, "shift_ev": 0.0}

PRESETS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    # A look in a minute or two at a model with small ligands.
    "quick": {
        "method": {"functional": "pbe0", "basis": "def2-svp", "grid_level": 0, "conv_tol": 1e-6},
        "singlets": {"nstates": 6, **_QUICK},
        "triplets": {"nstates": 2, **_QUICK},
        "spectrum": _CD,
    },
    # The main job. Of the 96-atom cluster 5.5 eV (225 nm) are about 100 singlets.
    "standard": {
        "method": {"functional": "pbe0", "basis": "def2-svp", "grid_level": 2, "conv_tol": 1e-7},
        "singlets": {"window_ev": 5.5, "route": "fast", **_MODEL},
        "triplets": {"nstates": 5, **_MODEL},
        "spectrum": _CD,
    },
    # def2-TZVP on the metals and their donor atoms (DONOR_BASIS), every orbital, the whole exchange.
    "reference": {
        "method": {"functional": "pbe0", "basis": "def2-svp", "grid_level": 4, "conv_tol": 1e-9},
        "singlets": {"nstates": 70, "tolerance": 1e-4},
        "triplets": {"nstates": 5, "tolerance": 1e-4},
        "spectrum": _CD,
    },
}

DONOR_BASIS: Mapping[str, str] = {"reference": "def2-tzvp"}
"""Basis of the metals' and their donor atoms' elements, by preset; a basis named by the user goes first."""
