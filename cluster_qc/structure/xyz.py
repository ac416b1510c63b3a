"""XYZ files: angstrom in the file, bohr in the program."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np

from cluster_qc.errors import InputError, StructureError
from cluster_qc.files import read_at_most, storage_errors
from cluster_qc.model import Cluster
from cluster_qc.model.elements import atomic_number, is_element
from cluster_qc.structure.ions import with_parts
from cluster_qc.units import angstrom

_LARGEST_FILE = 64 * 2**20
_MOST_ATOMS = 3000  # far more than can be computed, few enough for matrices between all of them
_FORMAT = (
    "an XYZ file has the number of atoms, a comment line, then one line 'Element x y z' (angstrom) per atom"
)


def read_text(path: str | Path) -> str:
    """Text of a structure file.

    Raises
    ------
    StructureError
        If the file is missing, a directory, unreadable, too large, not text, or empty.
    """
    path = Path(path)
    if path.is_dir():
        raise StructureError(
            f"{path} is a directory",
            kind="missing",
            why="one structure file is read",
            fix="name the file in it",
        )
    try:
        data = read_at_most(path, _LARGEST_FILE)
    except InputError as error:
        raise StructureError(error.what, kind="malformed", why=error.why, fix=error.fix) from None
    except FileNotFoundError:
        raise StructureError(
            f"{path} does not exist",
            kind="missing",
            fix="check the path; it is relative to the working directory",
        ) from None
    except OSError as error:
        raise StructureError(
            f"{path} cannot be read: {error.strerror}", kind="missing", fix="check the file's permissions"
        ) from None
    if b"\0" in data:
        raise StructureError(
            f"{path} is a binary file",
            kind="malformed",
            why="structure files are plain text",
            fix="give a .cif or .xyz",
        )
    text = data.decode("utf-8-sig", errors="replace")
    if not text.strip():
        raise StructureError(f"{path} is empty", kind="malformed", fix="copy or export the structure again")
    return text


def readable_name(path: Path) -> str:
    """The name of a file; bytes that are no text become question marks."""
    return path.name.encode(errors="replace").decode()


def _fail(path: Path, line: int, what: str, fix: str = "") -> StructureError:
    return StructureError(f"{path}:{line}: {what}", kind="malformed", why=_FORMAT, fix=fix, line=line)


def _atom(path: Path, number: int, line: str) -> tuple[str, list[float]]:
    """Symbol and position (angstrom) in one line; extra columns (charges, forces) are ignored."""
    words = line.split()
    if len(words) < 4:
        raise _fail(path, number, f"an atom line needs an element and three numbers, found {line.strip()!r}")
    try:
        position = [float(word.replace("D", "E").replace("d", "e")) for word in words[1:4]]
    except ValueError:
        raise _fail(path, number, f"a coordinate is not a number in {line.strip()!r}") from None
    if not all(map(math.isfinite, position)):
        raise _fail(
            path, number, f"a coordinate is not finite in {line.strip()!r}", "repair or export it again"
        )
    symbol = words[0].capitalize()
    try:
        atomic_number(symbol)
    except InputError as error:
        raise _fail(path, number, error.what, error.fix) from None
    return symbol, position


def stated_charge(path: str | Path) -> tuple[int | None, int | None]:
    """Charge and multiplicity that the second line of an XYZ file states as charge=N multiplicity=N; None if not."""
    return _stated(read_text(Path(path)).splitlines())


def label_warnings(path: str | Path) -> list[str]:
    """Labels in capitals that could name two elements, and which one `read_xyz` takes: HO is Ho, not a hydrogen."""
    first: dict[str, int] = {}
    for number, line in enumerate(read_text(Path(path)).splitlines()[2:], start=3):
        words = line.split()
        if words and len(words[0]) == 2 and words[0].isupper():
            first.setdefault(words[0], number)
    return [
        f"line {number}: the label {label} was read as {label.capitalize()}, not as {label[0]}; write elements as "
        "H, Ho, ..."
        for label, number in first.items()
        if is_element(label[0]) and is_element(label.capitalize())
    ]


def _stated(lines: list[str]) -> tuple[int | None, int | None]:
    comment = lines[1] if len(lines) > 1 else ""
    charge = re.search(r"(?i)\bcharge\s*=\s*\"?([+-]?\d{1,4})(?![\w.])", comment)
    multiplicity = re.search(r"(?i)\bmultiplicity\s*=\s*\"?(\d{1,3})(?![\w.])", comment)
    return (
        int(charge.group(1)) if charge else None,
        int(multiplicity.group(1)) if multiplicity else None,
    )


def read_xyz(
    path: str | Path, charge: int | None = None, multiplicity: int | None = None, name: str | None = None
) -> Cluster:
    """Read a molecule from an XYZ file.

    Parameters
    ----------
    path
        The file; positions in angstrom.
    charge, multiplicity
        Total charge and 2S + 1. By default what the second line states as charge=N multiplicity=N, as `write_xyz`
        writes it, else 0 and 1: the format itself does not hold them.
    name
        Name of the cluster; by default the file's name without its suffix.

    Returns
    -------
    Cluster
        Positions in bohr, fragments found from the connectivity.

    Raises
    ------
    StructureError
        With the file and line, if the file is missing or malformed or holds several frames.
    InputError
        If charge and multiplicity do not fit the molecule.
    """
    path = Path(path)
    lines = read_text(path).splitlines()
    try:
        natom = int(lines[0].split()[0])
    except (ValueError, IndexError):
        raise _fail(
            path, 1, f"the first line must be the number of atoms, found {lines[0].strip()!r}"
        ) from None
    if natom < 1:
        raise _fail(path, 1, f"the number of atoms is {natom}")
    if natom > _MOST_ATOMS:
        raise _fail(
            path,
            1,
            f"{natom} atoms are announced; a molecule may have {_MOST_ATOMS}",
            "cut a cluster out of it",
        )
    body = lines[2 : 2 + natom]
    for offset, line in enumerate(body):
        if not line.strip():
            raise _fail(path, offset + 3, f"line 1 announces {natom} atoms, but this line is blank")
    if len(body) < natom:
        raise _fail(
            path,
            len(lines),
            f"line 1 announces {natom} atoms, but the file ends after {len(body)}",
            "correct the number or export the file again",
        )
    atoms = [_atom(path, offset + 3, line) for offset, line in enumerate(body)]
    stated = _stated(lines)
    charge = (stated[0] or 0) if charge is None else charge
    multiplicity = (stated[1] or 1) if multiplicity is None else multiplicity
    for offset, line in enumerate(lines[2 + natom :]):
        if line.strip():
            raise _fail(
                path,
                natom + 3 + offset,
                f"there is more text after the {natom} atoms of line 1",
                "keep one frame per file, and correct the number of atoms if it is too small",
            )
    try:
        cluster = Cluster(
            name=Path(readable_name(path)).stem if name is None else name,
            symbols=tuple(symbol for symbol, _ in atoms),
            coords=np.array([position for _, position in atoms]) * angstrom,
            charge=charge,
            multiplicity=multiplicity,
            source=readable_name(path),
        )
    except InputError as error:
        raise InputError(f"{path}: {error.what}", why=error.why, fix=error.fix) from None
    return with_parts(cluster)


def xyz_text(cluster: Cluster, comment: str | None = None) -> str:
    """A molecule in the XYZ format, positions in angstrom; the comment as in `write_xyz`."""
    if comment is None:
        comment = f"{cluster.name} charge={cluster.charge} multiplicity={cluster.multiplicity} source={cluster.source}"
    rows = [str(cluster.natom), " ".join(comment.split())]
    for symbol, (x, y, z) in zip(cluster.symbols, cluster.coords / angstrom, strict=True):
        rows.append(f"{symbol:<2} {x:16.8f} {y:16.8f} {z:16.8f}")
    return "\n".join(rows) + "\n"


def write_xyz(cluster: Cluster, path: str | Path, comment: str | None = None) -> None:
    """Write a molecule as an XYZ file, positions in angstrom with eight decimals.

    Parameters
    ----------
    cluster
        The molecule.
    path
        The file; it is replaced if it exists.
    comment
        Second line; line breaks in it become spaces. By default name, charge, multiplicity and source.

    Raises
    ------
    StorageError
        If the file cannot be written.
    """
    with storage_errors(path):
        Path(path).write_text(xyz_text(cluster, comment), encoding="utf-8")
