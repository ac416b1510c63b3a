"""The commands about structures: what a file holds, and new ligands on a core; registered in `cli`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from cluster_qc.errors import ClusterQCError, StructureError

Disorder = Annotated[
    str | None, typer.Option(help="Which alternative of a disordered group: major, A, B, or error to refuse.")
]
Block = Annotated[
    str | None, typer.Option(metavar="NAME", help="Data block of a CIF with several structures.")
]


def structure(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .cif or .xyz file.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE.xyz", help="Write the cluster.")
    ] = None,
    disorder: Disorder = None,
    block: Block = None,
    long_bonds: Annotated[
        bool | None,
        typer.Option(
            "--long-bonds/--no-long-bonds",
            help="Whether bonds of metals up to 0.15 angstrom longer than usual hold a molecule together. "
            "Default: where the CIF names such a molecule, or none.",
        ),
    ] = None,
    normalise_hydrogens: Annotated[
        bool, typer.Option("--normalise-hydrogens", help="Set C-H, N-H and O-H to neutron lengths.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> None:
    """Tell what is in a structure file, what was chosen and why."""
    from cluster_qc.workflow.look import check_copy, inspect_structure, structure_text

    try:
        if output is not None:
            check_copy(file, output)
        cluster, report = inspect_structure(
            file,
            disorder or "major",
            block=block,
            long_bonds=long_bonds,
            normalise_hydrogens=normalise_hydrogens,
        )
        if output is not None:
            from cluster_qc.workflow.run import write_structure

            write_structure(cluster, output)
    except ClusterQCError as exc:
        if as_json:
            kind = exc.kind if isinstance(exc, StructureError) else "input"
            line = exc.line if isinstance(exc, StructureError) else None
            print(json.dumps({"error": {"kind": kind, "message": exc.what, "line": line}}))
        raise
    print(json.dumps(report, ensure_ascii=False, allow_nan=False) if as_json else structure_text(report))
    if output is not None:
        print(f"written: {output}", file=sys.stderr if as_json else sys.stdout)


def build(
    core: Annotated[
        Path,
        typer.Option(
            "--core",
            metavar="FILE|NAME",
            help="A .cif or .xyz file of a whole cluster, whose ligands are replaced; or the name of a core that comes "
            "along: cu2au2, ag2au2, cu4 or au4.",
        ),
    ],
    ligand: Annotated[
        list[str],
        typer.Option(
            "--ligand",
            metavar="SMILES",
            help="The free ligand, one enantiomer, without counter-ions, in quotes: 'S=C1N[C@H](C)CS1'; donors marked "
            "where there is a choice: '[S:2]=C1[NH:1]CCS1'. Repeated, one for each ligand of the core ('keep' leaves "
            "one).",
        ),
    ],
    handedness: Annotated[
        str, typer.Option(metavar="same|other|both", help="The core as it is, its mirror image, or both.")
    ] = "same",
    relax: Annotated[
        str,
        typer.Option(
            metavar="none|periphery|full|dft", help="How far the geometries are relaxed; none takes seconds."
        ),
    ] = "periphery",
    vibrations: Annotated[
        bool,
        typer.Option("--vibrations", help="Count imaginary modes of each candidate (with --relax full)."),
    ] = False,
    conformers: Annotated[int, typer.Option(metavar="N", help="Start geometries for each handedness.")] = 6,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="Where the candidates go.")
    ] = Path("candidates"),
    name: Annotated[str | None, typer.Option(help="Name of the clusters. Default: their formula.")] = None,
    charge: Annotated[int | None, typer.Option(help="Total charge of the core.")] = None,
    disorder: Disorder = None,
    block: Block = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> None:
    """Put a new ligand on a core: conformers and diastereomers, relaxed and ranked; run again to resume."""
    from cluster_qc.workflow.build import build_from_files, candidates_text

    candidates = build_from_files(
        core, ligand, handedness=handedness, relax=relax, vibrations=vibrations, limit=conformers, name=name,
        directory=output, charge=charge, disorder=disorder or "major", block=block, quiet=quiet,
    )  # fmt: skip
    print(candidates_text(candidates))
    print(f"\nwritten: {output / 'candidates.json'}, and these files beside it")
    if not all(candidate.converged for candidate in candidates if candidate.energy is not None):
        print("not converged: see the table; the geometries marked are not minima", file=sys.stderr)
        raise typer.Exit(1)
