"""Cores that come with the package: whole clusters with small ligands, to put other ligands on."""

from __future__ import annotations

from pathlib import Path

from cluster_qc.errors import InputError
from cluster_qc.model import Cluster
from cluster_qc.structure.xyz import read_xyz

_FOLDER = Path(__file__).parent / "templates"


def template_names() -> tuple[str, ...]:
    """Names that `core_template` knows."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.xyz")))


def core_template(name: str) -> Cluster:
    """Read a core by its name, e.g. "cu2au2": neutral, N-C-S bridges of thiazolidine-2-thionate, core handedness P.

    The second line of its file says how its geometry was made.

    Raises
    ------
    InputError
        For an unknown name.
    """
    if name not in template_names():
        raise InputError(
            f"there is no core {name!r}", fix=f"choose one of {', '.join(template_names())}, or give a file"
        )
    return read_xyz(_FOLDER / f"{name}.xyz", charge=0, name=name)
