"""New ligands on a core: start geometries, relaxed, ranked, written."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from cluster_qc.analysis.conformers import boltzmann_weights
from cluster_qc.errors import InputError
from cluster_qc.files import need_writable, replaced, write_text
from cluster_qc.hashing import input_hash
from cluster_qc.model import Candidate, Cluster, DFTMethod
from cluster_qc.model.elements import atomic_number
from cluster_qc.store import folder_name
from cluster_qc.structure.bonding import bonds, is_cluster_metal
from cluster_qc.structure.builder import Handedness, Start, start_geometries
from cluster_qc.structure.chirality import cip_labels, core_handedness
from cluster_qc.structure.cores import core_template, template_names
from cluster_qc.structure.geometry import mean_distances
from cluster_qc.structure.ions import with_parts
from cluster_qc.structure.xyz import read_xyz, write_xyz
from cluster_qc.units import angstrom, electronvolt
from cluster_qc.workflow.lock import folder_lock
from cluster_qc.workflow.look import need_structure
from cluster_qc.workflow.progress import Monitor, Report, monitor

Relax = Literal["none", "periphery", "full", "dft"]
RELAX: tuple[Relax, ...] = ("none", "periphery", "full", "dft")
DFT = DFTMethod("pbe", auxiliary_basis="def2-universal-jfit", dispersion="d3bj", grid_level=1, conv_tol=1e-7)
TEMPERATURE_K = 298.15
SUMMARY = "candidates.json"

_SOFT_WAVENUMBER = 20.0  # 1/cm; below it a numerical Hessian has no sign
_SAME_ENERGY = 0.002 * electronvolt
_SAME_DISTANCE = 0.05 * angstrom
_FORCE = electronvolt / angstrom


def build_cluster(
    core: Cluster,
    ligand: str | Sequence[str | None],
    *,
    handedness: Handedness = "same",
    relax: Relax = "periphery",
    vibrations: bool = False,
    limit: int = 6,
    name: str | None = None,
    directory: str | Path | None = None,
    quiet: bool = True,
) -> tuple[Candidate, ...]:
    """Put new ligands on a core, relax and rank the conformers and diastereomers.

    Start geometries are those of `structure.builder.start_geometries` (donors by pattern or atom map, conformers by
    ETKDG and MMFF94). Their energies rank them; without `relax` there is none.

    Parameters
    ----------
    core
        A whole cluster whose ligands are replaced, e.g. read from a CIF.
    ligand
        SMILES of the free ligand, one enantiomer; or one entry for each ligand of the core, None to keep the old one.
    handedness
        "same": the core as it is; "other": its mirror image under the same ligands; "both".
    relax
        "none"; "periphery": GFN2-xTB with metals and donors (and rings that stand as the core's do) held; "full":
        then all atoms with GFN2-xTB; "dft": then the lowest one of each handedness with PBE-D3(BJ)/def2-SVP.
    vibrations
        Count the imaginary modes of each candidate by its GFN2-xTB Hessian; for `relax="full"` only, as elsewhere the
        geometry is no stationary point of GFN2-xTB.
    limit
        Conformers for each handedness.
    name
        Of the clusters; by default their formula.
    directory
        Where candidates and candidates.json are written; also makes the work resumable.
    quiet
        No progress on standard error.

    Returns
    -------
    tuple of Candidate
        Lowest energy first; those that became equal count once. A candidate whose bonds or stereocentres changed while
        it relaxed is left out, with a line in candidates.json.

    Raises
    ------
    InputError
        As `start_geometries`; or if no candidate kept its bonds.
    UnavailableError
        Without the extra that `relax` needs.
    """
    if relax not in RELAX:
        raise InputError(f"relax is {relax!r}", fix=f"choose one of {', '.join(RELAX)}")
    if vibrations and relax != "full":
        raise InputError(
            f"vibrations were asked for with relax={relax!r}",
            why="only at a stationary point of GFN2-xTB, with no atom held, do its vibrations mean anything",
            fix="use relax='full'",
        )
    if limit < 1:
        raise InputError(
            f"{limit} conformers were asked for", why="at least one is needed", fix="give 1 or more"
        )
    if not isinstance(core, Cluster):
        raise InputError(
            f"the core is {core!r}",
            why="it is a whole cluster",
            fix='give core_template("cu2au2"), or read_cif or read_xyz of a file',
        )
    if directory is not None:
        need_writable(Path(directory), folder=True)
    starts = start_geometries(core, ligand, handedness=handedness, limit=limit, name=name)
    if directory is None:
        return _ranked(starts, relax, vibrations, None, None)[0]
    folder = Path(directory)
    with folder_lock(folder), monitor(folder, quiet=quiet) as log:
        candidates, changed = _ranked(starts, relax, vibrations, folder / ".work", log)
        _write(folder, candidates, changed, core, ligand, relax)
    return candidates


def build_from_files(
    core: Path,
    ligands: Sequence[str],
    *,
    charge: int | None,
    disorder: str,
    block: str | None = None,
    **options: Any,
) -> tuple[Candidate, ...]:
    """`build_cluster` with the core from a .cif or .xyz file or by its name, and "keep" for None."""
    drawn = [None if text == "keep" else text for text in ligands]
    alone = drawn[0] if len(drawn) == 1 else None
    return build_cluster(
        _read_core(core, charge, disorder, block), alone if alone is not None else drawn, **options
    )


def _read_core(core: Path, charge: int | None, disorder: str, block: str | None) -> Cluster:
    if str(core) in template_names():
        if charge is not None:
            raise InputError(
                f"--charge {charge} was given for the core {core}, which has a charge of its own",
                fix="leave --charge out, or give a file as the core",
            )
        return core_template(str(core))
    if not core.suffix and not core.exists():
        return core_template(str(core))  # which names the cores there are
    need_structure(core)
    if core.suffix.lower() == ".cif":
        from cluster_qc.structure.cif import read_cif

        choice: Any = disorder
        return read_cif(core, disorder=choice, charge=charge, block=block)
    return read_xyz(core, charge=charge)


def _ranked(
    starts: Sequence[Start], relax: Relax, vibrations: bool, work: Path | None, log: Monitor | None
) -> tuple[tuple[Candidate, ...], list[str]]:
    found: list[Candidate] = []
    changed: list[str] = []
    for number, start in enumerate(starts, 1):
        hand = core_handedness(start.cluster)
        label = f"candidate {number} of {len(starts)}" + (f", core {hand}" if hand else "")
        report = log.step(label) if log is not None else None
        candidate = Candidate(start.cluster, hand, "force field, not relaxed", None, None, None, None, False)
        if relax != "none":
            candidate = _stage(candidate, "periphery", start.held, work, report)
        if relax in ("full", "dft"):
            candidate = _stage(candidate, "full", (), work, report)
        _sort_in(candidate, start.cluster, label, found, changed)
    if relax == "dft":
        lowest = {c.core_handedness: c for c in sorted(found, key=_energy, reverse=True)}
        found = []
        for hand, by_xtb in lowest.items():
            label = f"DFT, core {hand or 'as given'}"
            candidate = _stage(by_xtb, "dft", (), work, log.step(label) if log is not None else None)
            _sort_in(candidate, by_xtb.cluster, label, found, changed)
    if not found:
        raise InputError(
            "no candidate kept its bonds while it relaxed",
            why="the ligand does not fit this core, or binds in another way",
            fix="try another core, a smaller ligand, or relax='periphery'",
        )
    if relax == "none":
        return tuple(found), changed
    found.sort(key=_energy)
    unique: list[Candidate] = []
    for candidate in found:
        if not any(_equal(candidate, other) for other in unique):
            unique.append(candidate)
    if vibrations:
        unique = [replace(c, imaginary_modes=_imaginary_modes(c.cluster)) for c in unique]
    energies = np.array([_energy(c) for c in unique])
    weights = boltzmann_weights(energies, TEMPERATURE_K).weights
    return tuple(
        replace(c, relative_energy=float(energy - energies.min()), weight=float(weight))
        for c, energy, weight in zip(unique, energies, weights, strict=True)
    ), changed


def _sort_in(
    candidate: Candidate, before: Cluster, label: str, found: list[Candidate], changed: list[str]
) -> None:
    """Keep a relaxed candidate if it is still the molecule that it was."""
    if _signature(candidate.cluster) == _signature(before):
        found.append(candidate)
    else:
        changed.append(f"{label}: left out, its bonds or stereocentres changed while it relaxed")


def _imaginary_modes(cluster: Cluster) -> int:
    from cluster_qc.drivers.optimize import vibrational_wavenumbers, xtb_hessian

    return int((vibrational_wavenumbers(cluster, xtb_hessian(cluster)) < -_SOFT_WAVENUMBER).sum())


def _energy(candidate: Candidate) -> float:
    assert candidate.energy is not None
    return candidate.energy


def _stage(
    candidate: Candidate, stage: str, held: Sequence[int], work: Path | None, report: Report | None
) -> Candidate:
    """Relax by one method; a finished stage is read from `work`, an interrupted one goes on from its last geometry."""
    from cluster_qc.drivers.optimize import XTB, Relaxation, relax_dft, relax_xtb

    def say(share: float | None, line: str) -> None:
        if report is not None:
            report(share, line)

    cluster = candidate.cluster
    done = part = None
    if work is not None:
        digest = _stage_hash(stage, cluster, held)[:12]
        done, part = work / f"{digest}.json", work / f"{digest}.part.json"
        if stored := _stored(done, cluster):
            return replace(candidate, **stored)
        if stored := _stored(part, cluster):
            say(None, f"goes on from an interrupted run: {stored['line']}")
            cluster = stored["cluster"]

    def keep(geometry: Cluster, line: str) -> None:
        if part is not None:
            write_text(part, json.dumps({"coords_bohr": geometry.coords.tolist(), "line": line}))

    result: Relaxation
    if stage == "dft":
        result = relax_dft(cluster, DFT, keep=keep, progress=say)
        level = result.level
    else:
        result = relax_xtb(cluster, held=held, keep=keep, progress=say)
        level = f"{XTB}, {len(held)} atoms of the core held" if held else XTB
    relaxed = replace(
        candidate, cluster=with_parts(result.cluster), level=level, energy=result.energy,
        largest_force=result.largest_force, converged=result.converged,
    )  # fmt: skip
    if done is not None and part is not None:
        content = {
            "coords_bohr": result.cluster.coords.tolist(), "level": level, "energy": result.energy,
            "largest_force": result.largest_force, "converged": result.converged,
        }  # fmt: skip
        write_text(done, json.dumps(content))
        part.unlink(missing_ok=True)
    return relaxed


def _stage_hash(stage: str, cluster: Cluster, held: Sequence[int]) -> str:
    """Input hash of a relaxation; coordinates to 1e-6 bohr, as force fields may differ in the last digits."""
    from cluster_qc.drivers.optimize import XTB

    return input_hash(
        "relaxation",
        {
            "stage": stage,
            "method": DFT if stage == "dft" else XTB,
            "symbols": cluster.symbols,
            "charge": cluster.charge,
            "multiplicity": cluster.multiplicity,
            "coords": np.round(cluster.coords, 6),
            "held": list(held),
        },
    )


def _stored(path: Path, cluster: Cluster) -> dict[str, Any] | None:
    """What an earlier run wrote about a relaxation of this cluster; None if there is nothing, or it is damaged."""
    try:
        content = json.loads(path.read_bytes())
        coords = content.pop("coords_bohr")
        return {**content, "cluster": cluster.with_coords(coords)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, InputError):
        return None


def _signature(cluster: Cluster) -> tuple[frozenset[tuple[int, int]], tuple[str, ...]]:
    """Bonds but those between metals, and CIP labels."""
    pairs = bonds(cluster.symbols, cluster.coords)
    kept = frozenset(pair for pair in pairs if not all(is_cluster_metal(cluster.symbols[i]) for i in pair))
    return kept, tuple(cip_labels(cluster))


def _equal(first: Candidate, second: Candidate) -> bool:
    """Whether two candidates are the same molecule in the same shape, or mirror images: all distances agree."""
    if abs(_energy(first) - _energy(second)) > _SAME_ENERGY:
        return False
    gaps = []
    for cluster in (first.cluster, second.cluster):
        numbers = np.array([atomic_number(s) for s in cluster.symbols])
        i, j = np.triu_indices(cluster.natom, 1)
        pair = 1000 * np.minimum(numbers[i], numbers[j]) + np.maximum(numbers[i], numbers[j])
        length = np.linalg.norm(cluster.coords[i] - cluster.coords[j], axis=1)
        gaps.append(length[np.lexsort((length, pair))])
    return bool(np.abs(gaps[0] - gaps[1]).max() < _SAME_DISTANCE)


def _write(
    folder: Path,
    candidates: Sequence[Candidate],
    changed: Sequence[str],
    core: Cluster,
    ligand: str | Sequence[str | None],
    relax: Relax,
) -> None:
    """One XYZ a candidate, in the order of their energies, and candidates.json."""
    entries = []
    for rank, c in enumerate(candidates, 1):
        file = _file_name(c, rank)
        note = (
            f"charge={c.cluster.charge} multiplicity={c.cluster.multiplicity} {c.cluster.source}; {c.level}. "
            "A model, not a crystal structure."
        )
        with replaced(folder / file) as temporary:
            write_xyz(c.cluster, temporary, comment=note)
        entries.append(
            {
                "file": file,
                "formula": c.cluster.formula,
                "charge": c.cluster.charge,
                "multiplicity": c.cluster.multiplicity,
                "core_handedness": c.core_handedness,
                "cip": cip_labels(c.cluster),
                "level": c.level,
                "energy_hartree": c.energy,
                "relative_energy_ev": None if c.relative_energy is None else c.relative_energy / electronvolt,
                "weight": c.weight,
                "largest_force_ev_angstrom": None if c.largest_force is None else c.largest_force / _FORCE,
                "converged": c.converged,
                "imaginary_modes": c.imaginary_modes,
                "source": c.cluster.source,
                "mean_distance_angstrom": mean_distances(c.cluster),
            }
        )
    content = {
        "schema_version": 1,
        "core": core.source or core.name,
        "ligand": ligand if isinstance(ligand, str) else list(ligand),
        "relax": relax,
        "temperature_k": TEMPERATURE_K,
        "candidates": entries,
        "warnings": list(changed),
    }
    write_text(folder / SUMMARY, json.dumps(content, indent=1) + "\n")


def _file_name(candidate: Candidate, rank: int) -> str:
    hand = f"_{candidate.core_handedness}" if candidate.core_handedness else ""
    return f"{folder_name(candidate.cluster.name)}_{rank:02d}{hand}.xyz"


def candidates_text(candidates: Sequence[Candidate]) -> str:
    """The candidates as a table, lowest first, each with its file."""
    files = [_file_name(c, rank) for rank, c in enumerate(candidates, 1)]
    width = max(map(len, files))
    lines = [f"{'file':{width}} {'relative (eV)':>13} {'weight':>7} {'force (eV/A)':>12}  level"]
    for file, c in zip(files, candidates, strict=True):
        numbers = (
            "            -       -            -"
            if c.relative_energy is None or c.weight is None or c.largest_force is None
            else f"{c.relative_energy / electronvolt:13.3f} {c.weight:7.3f} {c.largest_force / _FORCE:12.3f}"
        )
        modes = "" if c.imaginary_modes is None else f", {c.imaginary_modes} imaginary modes"
        mark = "" if c.converged or c.energy is None else "  NOT converged"
        lines.append(f"{file:{width}} {numbers}  {c.level}{modes}{mark}")
    charge = candidates[0].cluster.charge
    lines.append(candidates[0].cluster.source)
    return "\n".join(lines + ([f"charge of the cluster: {charge:+d}"] if charge else []))
