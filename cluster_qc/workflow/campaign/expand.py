"""A CAMPAIGN.toml: structures and ligands times settings, each combination a job."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from cluster_qc.errors import InputError, StorageError
from cluster_qc.files import sha256, storage_errors
from cluster_qc.hashing import input_hash
from cluster_qc.provenance import threads
from cluster_qc.store import folder_name
from cluster_qc.structure.cores import template_names
from cluster_qc.workflow.campaign.plan import Campaign, Task, former_tasks
from cluster_qc.workflow.job import JobFile, JobSettings, job_of, need_file, with_own_files
from cluster_qc.workflow.slurm import Site, plan_of
from cluster_qc.workflow.toml_input import Section, line_of, nearest, read_toml, validated

IN_QUEUE = 20
"""Jobs in a Slurm queue at once, unless --workers says otherwise: the engine asks for each of them every 30 s."""
_GIB = 2**30
_PAGE_BYTES = 6e6  # figures and page of one job


class Ligands(Section):
    """[ligands]: new ligands on a core; each one's lowest candidates become structures of the campaign."""

    core: str
    """A .cif or .xyz file, or the name of a core that comes along."""
    smiles: dict[str, str | list[str]] = Field(min_length=1)
    """By the name of the new cluster; a list has one entry for each ligand of the core, "keep" leaves one."""
    handedness: Literal["same", "other", "both"] = "same"
    relax: Literal["none", "periphery", "full", "dft"] = "periphery"
    start_geometries: int = Field(default=6, ge=1)
    """For each handedness."""
    conformers: int = Field(default=1, ge=1)
    """How many candidates of each ligand are computed, the lowest first."""


class CampaignFile(JobSettings):
    """A whole CAMPAIGN.toml; what a job file may say, it says for all jobs."""

    structures: list[str] = []
    """CIF and XYZ files or globs, relative to this file."""
    ligands: Ligands | None = None
    functionals: list[str] = []
    presets: list[Literal["quick", "standard", "reference"]] = []
    vary: dict[str, list[Any]] = {}
    """Other keys of a job file, such as "method.basis", and the values that they take in turn."""
    pictures: bool = True
    """Draw orbitals."""


def expand(
    path: Path,
    directory: Path,
    *,
    on: Literal["local", "slurm"],
    workers: int | None = None,
    site: Site | None = None,
    planning: bool = False,
    skip_bad: bool = False,
) -> Campaign:
    """Read a CAMPAIGN.toml, build its ligands, check every job as `run` does and plan it.

    Parameters
    ----------
    path
        The file.
    directory
        The campaign's folder; candidates of ligands are written there.
    on, workers, site
        Where it will run, how many jobs at once, and the settings of the cluster of computers.
    planning
        Leave the candidates of ligands unrelaxed where they are not built yet: enough for a plan.
    skip_bad
        Leave out jobs that cannot be computed, and name them, as long as there are others.

    Raises
    ------
    InputError
        For a wrong key or value, a structure that is not there, two jobs of one name, or jobs that cannot be computed.
    """
    file = read_toml(path, CampaignFile)
    text = path.read_text(encoding="utf-8")
    varied = _varied(file, path, text)
    structures, warnings = _structures(file, path, directory, planning)
    site = site or Site()
    workers = workers or (1 if on == "local" else IN_QUEUE)
    cores = max(1, threads() // workers) if on == "local" else site.cores
    common = file.model_dump(include=set(JobSettings.model_fields), exclude_unset=True)
    known = {task.digest: task for task in former_tasks(directory)}
    names: dict[str, Path] = {}
    tasks: list[Task] = []
    bad: dict[str, InputError | StorageError] = {}
    for structure, values in itertools.product(structures, _combinations(varied)):
        name = folder_name("_".join([structure.stem, *(_label(value) for value in values.values())]))
        if name in names:
            raise InputError(
                f"{path}: two jobs are called {name}: {names[name]} and {structure}",
                why="each job has a folder of its name",
                fix="rename one of the files, or give each value once",
            )
        names[name] = structure
        content = {"structure": str(structure), "name": name, **json.loads(json.dumps(common))}
        for key, value in values.items():
            _set(content, key, value)
        try:
            content = _with_own_files(content, path.parent)
            tasks.append(_task(content, path, text, directory / name, cores, known))
        except (InputError, StorageError) as exc:
            bad[name] = exc
    if bad and not (skip_bad and tasks):
        raise _refusal(path, bad, len(names))
    warnings += _memory_warning(tasks, workers) if on == "local" else []
    return Campaign(
        source=str(path.absolute()), on=on, workers=workers, cores=cores, pictures=file.pictures,
        site=site.model_dump(mode="json"), tasks=tuple(tasks), warnings=tuple(warnings),
        left_out={name: exc.what for name, exc in bad.items()},
    )  # fmt: skip


def _refusal(path: Path, bad: Mapping[str, InputError | StorageError], number: int) -> InputError:
    """All bad jobs at once, those of one reason on one line."""
    skip = "leave such jobs out with --skip-bad" if len(bad) < number else ""
    first = next(iter(bad.values()))
    if len(bad) == 1:
        return InputError(
            f"{path}: job {next(iter(bad))}: {first.what}", why=first.why, fix=_either(first.fix, skip)
        )
    named: dict[str, list[str]] = {}
    for name, exc in bad.items():
        named.setdefault(exc.what, []).append(name)
    lines = [
        f"  {names[0]}{f' and {len(names) - 1} more' if len(names) > 1 else ''}: {what}"
        for what, names in named.items()
    ]
    return InputError(
        "\n".join([f"{path}: {len(bad)} of {number} jobs cannot be computed", *lines]),
        fix=_either("correct or remove them", skip),
    )


def _either(*ways: str) -> str:
    return "; or ".join(way for way in ways if way)


def _memory_warning(tasks: Iterable[Task], workers: int) -> list[str]:
    from cluster_qc.drivers.memory import available_bytes

    needed = sum(sorted(task.plan["memory"] for task in tasks)[-workers:])
    free = available_bytes()
    if needed <= free:
        return []
    return [
        f"{workers} of the largest jobs at once need {needed / _GIB:.1f} GiB of memory, {free / _GIB:.1f} are free: "
        "a job that finds too little fails"
    ]


def _varied(file: CampaignFile, path: Path, text: str) -> dict[str, list[Any]]:
    """The keys of a job file that vary, each with its values."""
    varied: dict[str, list[Any]] = {}
    lists: dict[str, list[Any]] = {"method.functional": [*file.functionals], "preset": [*file.presets]}
    for key, values in [*((key, values) for key, values in lists.items() if values), *file.vary.items()]:
        line = line_of(text, ["vary", key])
        where = str(path) if line is None else f"{path}:{line}"
        section, _, inner = key.partition(".")
        overlap = any(
            f"{key}.".startswith(f"{other}.") or f"{other}.".startswith(f"{key}.") for other in varied
        )
        if section not in JobSettings.model_fields or overlap:
            raise InputError(
                f"{where}: {key} cannot vary here{nearest(section, JobSettings.model_fields)}",
                fix="name a key of a job file once, such as method.basis; functionals and presets have own lists",
            )
        given = getattr(file, section) if section in file.model_fields_set else None
        single = (
            inner.partition(".")[0] in given.model_fields_set
            if isinstance(given, Section)
            else given is not None
        )
        if single:
            raise InputError(
                f"{where}: {key} varies, and has one value for all jobs too", fix="leave one of them out"
            )
        if not values:
            raise InputError(f"{where}: {key} has no values", fix="give at least one")
        varied[key] = values
    return varied


def _combinations(varied: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    for values in itertools.product(*varied.values()):
        yield dict(zip(varied, values, strict=True))


def _label(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _set(content: dict[str, Any], key: str, value: Any) -> None:
    *sections, last = key.split(".")
    for section in sections:
        content = content.setdefault(section, {})
    content[last] = value


def _with_own_files(content: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The settings of a job, in a folder of its own, with files that are relative to the campaign's `folder`."""
    method = content.get("method")
    return {**content, "method": with_own_files(method, folder)} if isinstance(method, Mapping) else content


def _structures(
    file: CampaignFile, path: Path, directory: Path, planning: bool
) -> tuple[list[Path], list[str]]:
    found: list[Path] = []
    for pattern in file.structures:
        wanted = Path(pattern).expanduser()
        base = Path(wanted.anchor) if wanted.is_absolute() else path.parent.absolute()
        matches: list[Path] = []
        if (base / wanted).is_file():
            matches = [base / wanted]
        elif wanted.name:
            matches = sorted(base.glob(str(wanted.relative_to(wanted.anchor))))
        if not matches:
            raise InputError(
                f"{path}: structures: nothing is called {pattern}",
                fix="check the path; it is relative to this file",
            )
        found += [match for match in matches if match not in found]
    warnings: list[str] = []
    if file.ligands is not None:
        for name, smiles in file.ligands.smiles.items():
            built, told = _candidates(name, smiles, file.ligands, path, directory, planning)
            found += built
            warnings += told
    if not found:
        raise InputError(
            f"{path}: no structures", fix='add structures = ["folder/*.xyz"], or a table [ligands]'
        )
    return found, warnings


def _candidates(
    name: str, smiles: str | list[str], ligands: Ligands, path: Path, directory: Path, planning: bool
) -> tuple[list[Path], list[str]]:
    """Files of a ligand's lowest candidates, built unless they are there; and what is to be said of them."""
    from cluster_qc.workflow.build import SUMMARY, build_from_files

    core = Path(ligands.core) if ligands.core in template_names() else (path.parent / ligands.core).absolute()
    if core.is_absolute():
        need_file(core, f"{path}: ligands.core")
    drawn = [smiles] if isinstance(smiles, str) else smiles
    options: dict[str, Any] = {
        "handedness": ligands.handedness,
        "relax": ligands.relax,
        "limit": ligands.start_geometries,
    }

    def folder_of(options: Mapping[str, Any]) -> Path:
        content = sha256(core) if core.is_absolute() else str(core)
        digest = input_hash("build", {"core": content, "ligands": drawn, **options})
        return directory / "ligands" / f"{folder_name(name)}-{digest[:8]}"

    warnings = []
    folder = folder_of(options)
    if planning and ligands.relax != "none" and not (folder / SUMMARY).is_file():
        options["relax"] = "none"
        folder = folder_of(options)
        warnings.append(
            f"{name}: planned with geometries that are not relaxed yet; their number may still fall"
        )
    if not (folder / SUMMARY).is_file():
        build_from_files(
            core, drawn, charge=None, disorder="major", name=name, directory=folder, quiet=False, **options
        )
    with storage_errors(folder / SUMMARY, reading=True):
        candidates = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    kept = candidates["candidates"][: ligands.conformers]
    warnings += [f"{name}: {text}" for text in candidates["warnings"]]
    warnings += [
        f"{entry['file']}: its geometry did not converge"
        for entry in kept
        if not entry["converged"] and entry["energy_hartree"] is not None
    ]
    return [(folder / entry["file"]).absolute() for entry in kept], warnings


def _task(
    content: dict[str, Any], path: Path, text: str, folder: Path, cores: int, known: Mapping[str, Task]
) -> Task:
    from cluster_qc.drivers.plan import Plan

    name, structure = content["name"], content["structure"]
    file = validated(content, JobFile, path, text)
    settings = {key: value for key, value in content.items() if key != "structure"}
    with storage_errors(structure, reading=True):
        digest = input_hash("job", settings, (sha256(structure),))
    job = job_of(file, path, output=folder)
    if digest in known:
        plan, natom, disk = known[digest].plan, known[digest].natom, known[digest].disk
    else:
        cluster, planned = plan_of(job)
        plan, natom = asdict(planned), cluster.natom
        occupied = cluster.nelectron // 2
        pairs = occupied * (planned.nao - occupied)
        states = (job.singlets.nstates or 0) + (job.triplets.nstates or 0)
        disk = _PAGE_BYTES + 16.0 * planned.nao**2 + 16.0 * states * pairs
    return Task(
        name=name, digest=digest, structure=structure, functional=str(job.method["functional"]),
        preset=job.preset, natom=natom, plan=plan, wall_time_s=Plan(**plan).wall_time_s(cores), disk=disk,
        job_file=_toml(content),
    )  # fmt: skip


def _toml(content: Mapping[str, Any], table: str = "") -> str:
    """A TOML text; JSON's strings, numbers and lists are TOML's too."""
    lines = [
        f"{key} = {json.dumps(v, ensure_ascii=False)}"
        for key, v in content.items()
        if not isinstance(v, Mapping)
    ]
    text = "".join(f"{line}\n" for line in lines)
    for key, value in content.items():
        if isinstance(value, Mapping):
            inner = f"{table}.{key}" if table else key
            text += f"\n[{inner}]\n{_toml(value, inner)}"
    return text
