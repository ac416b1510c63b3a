"""A CAMPAIGN.toml: structures and ligands times settings, each combination a job; and what they will need."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from cluster_qc.errors import InputError, StorageError
from cluster_qc.files import sha256, storage_errors, write_text
from cluster_qc.hashing import input_hash
from cluster_qc.provenance import threads
from cluster_qc.store import folder_name
from cluster_qc.structure.cores import template_names
from cluster_qc.workflow.job import JobFile, JobSettings, job_of, need_file
from cluster_qc.workflow.slurm import Site, plan_of
from cluster_qc.workflow.toml_input import Section, line_of, nearest, read_toml, validated

CAMPAIGN = "campaign.json"
SCHEMA_VERSION = 1
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


@dataclass(frozen=True)
class Task:
    """One job of a campaign."""

    name: str
    """Of its folder in the campaign's."""
    digest: str
    """SHA-256 of its settings and its structure file."""
    structure: str
    functional: str
    preset: str
    natom: int
    plan: Mapping[str, Any]
    """Fields of `drivers.plan.Plan`, for a machine with just the memory that the job needs."""
    wall_time_s: float
    """The plan's guess on the cores of the campaign."""
    disk: float
    """Bytes that its results will take, a guess."""
    job_file: str
    """Text of its JOB.toml."""


@dataclass(frozen=True)
class Campaign:
    """The jobs, and where they run."""

    source: str
    """The CAMPAIGN.toml."""
    on: Literal["local", "slurm"]
    workers: int
    """Jobs at once; on Slurm: in the queue at once."""
    cores: int
    """Of each job."""
    pictures: bool
    site: Mapping[str, Any]
    """Fields of a SITE.toml; used on Slurm."""
    tasks: tuple[Task, ...]
    warnings: tuple[str, ...] = ()
    schema_version: int = SCHEMA_VERSION

    @property
    def core_hours(self) -> float:
        """The guess for all jobs."""
        return sum(task.wall_time_s for task in self.tasks) * self.cores / 3600


def expand(
    path: Path,
    directory: Path,
    *,
    on: Literal["local", "slurm"],
    workers: int | None = None,
    site: Site | None = None,
    planning: bool = False,
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

    Raises
    ------
    InputError
        For a wrong key or value, a structure that is not there, two jobs of one name, or a job that cannot be computed.
    """
    file = read_toml(path, CampaignFile)
    text = path.read_text(encoding="utf-8")
    varied = _varied(file, path, text)
    structures, warnings = _structures(file, path, directory, planning)
    site = site or Site()
    workers = workers or (1 if on == "local" else IN_QUEUE)
    cores = max(1, threads() // workers) if on == "local" else site.cores
    common = file.model_dump(include=set(JobSettings.model_fields), exclude_unset=True)
    known = {task.digest: task for task in _former_tasks(directory)}
    tasks: dict[str, Task] = {}
    for structure, values in itertools.product(structures, _combinations(varied)):
        name = folder_name("_".join([structure.stem, *(_label(value) for value in values.values())]))
        if name in tasks:
            raise InputError(
                f"{path}: two jobs are called {name}: {tasks[name].structure} and {structure}",
                why="each job has a folder of its name",
                fix="rename one of the files, or give each value once",
            )
        content = {"structure": str(structure), "name": name, **json.loads(json.dumps(common))}
        for key, value in values.items():
            _set(content, key, value)
        tasks[name] = _task(content, path, text, directory / name, cores, known)
    warnings += _memory_warning(tasks.values(), workers) if on == "local" else []
    return Campaign(
        source=str(path.absolute()), on=on, workers=workers, cores=cores, pictures=file.pictures,
        site=site.model_dump(mode="json"), tasks=tuple(tasks.values()), warnings=tuple(warnings),
    )  # fmt: skip


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
    digest = input_hash("job", settings, (sha256(structure),))
    job = job_of(file, path, output=folder)
    if digest in known:
        plan, natom, disk = known[digest].plan, known[digest].natom, known[digest].disk
    else:
        try:
            cluster, planned = plan_of(job)
        except InputError as exc:
            raise InputError(f"{path}: job {name}: {exc.what}", why=exc.why, fix=exc.fix) from exc
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


def plan_text(campaign: Campaign) -> str:
    """The jobs and what they will need, for a terminal; with what the guess rests on."""
    from cluster_qc.drivers.plan import TIME_BASIS

    width = max(len(task.name) for task in campaign.tasks)
    lines = [
        f"{'job':{width}s} {'atoms':>6} {'functions':>9} {'core-h':>8} {'memory GiB':>10} {'disk GB':>8}"
    ]
    for task in campaign.tasks:
        hours = task.wall_time_s * campaign.cores / 3600
        memory = task.plan["memory"] / _GIB
        lines.append(
            f"{task.name:{width}s} {task.natom:>6} {task.plan['nao']:>9} {hours:8.2f} {memory:10.1f} "
            f"{task.disk / 1e9:8.2f}"
        )
    at_once = min(campaign.workers, len(campaign.tasks))
    where = "in the queue" if campaign.on == "slurm" else "on this machine"
    hours = campaign.core_hours
    disk = sum(task.disk for task in campaign.tasks)
    lines += [
        f"{len(campaign.tasks)} jobs, at most {at_once} at once {where}, {campaign.cores} cores each: about "
        f"{hours:.1f} core-hours, {disk / 1e9:.2f} GB of results",
        f"a rough guess, {TIME_BASIS}",
        *(f"warning: {text}" for text in campaign.warnings),
    ]
    return "\n".join(lines)


def save(campaign: Campaign, directory: Path) -> None:
    """Write DIR/campaign.json and each job's JOB.toml, each in one step."""
    for task in campaign.tasks:
        path = directory / task.name / "job.toml"
        if not path.is_file() or path.read_text(encoding="utf-8") != task.job_file:
            write_text(path, task.job_file)
    write_text(directory / CAMPAIGN, json.dumps(asdict(campaign), indent=1) + "\n")


def load(directory: Path) -> Campaign:
    """Read DIR/campaign.json.

    Raises
    ------
    StorageError
        If it is missing or damaged, or of a newer version.
    """
    path = directory / CAMPAIGN
    if not path.is_file():
        raise StorageError(
            f"{directory} has no campaign: {CAMPAIGN} is missing", fix="give the folder that -o named"
        )
    with storage_errors(path, reading=True):
        text = path.read_text(encoding="utf-8")
    try:
        content = json.loads(text)
        if content["schema_version"] > SCHEMA_VERSION:
            raise StorageError(f"{path} is of a newer version of cluster_qc", fix="update cluster_qc")
        tasks = tuple(Task(**task) for task in content.pop("tasks"))
        return Campaign(tasks=tasks, **{**content, "warnings": tuple(content["warnings"])})
    except (ValueError, TypeError, KeyError) as exc:
        raise StorageError(
            f"{path} is damaged: {exc}", fix="give the campaign's command again to write it anew"
        ) from exc


def _former_tasks(directory: Path) -> tuple[Task, ...]:
    """The tasks of an earlier call, whose plans still hold."""
    try:
        return load(directory).tasks
    except StorageError:
        return ()
