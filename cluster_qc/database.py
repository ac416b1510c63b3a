"""An ASE database of many clusters, for `ase db` and its Python interface."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cluster_qc.files import replaced
from cluster_qc.model import Cluster
from cluster_qc.units import angstrom, electronvolt


def write_database(
    path: Path, rows: Iterable[tuple[Cluster, float | None, Mapping[str, str | float | bool]]]
) -> None:
    """Write an SQLite database of ASE in one step.

    Parameters
    ----------
    path
        The file, *.db.
    rows
        Cluster, total energy (hartree; None without one), and named values; ASE stores energies in eV, positions in
        angstrom.

    Raises
    ------
    StorageError
        If the file cannot be written; a former version stays as it was.
    """
    import ase.db
    from ase.calculators.singlepoint import SinglePointCalculator

    connect: Any = ase.db.connect
    stored: Any = SinglePointCalculator
    with replaced(path) as temporary, connect(temporary, append=False, use_lock_file=False) as database:
        for cluster, energy, values in rows:
            atoms = ase.Atoms(cluster.symbols, positions=cluster.coords / angstrom)
            if energy is not None:
                atoms.calc = stored(atoms, energy=energy / electronvolt)
            database.write(atoms, key_value_pairs=dict(values), data={"charge": cluster.charge})
