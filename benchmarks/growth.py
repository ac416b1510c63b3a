"""How time grows with the cluster: `python benchmarks/growth.py [STRUCTURE.xyz ...] [--states N] [--figure FILE]`.

Ground state (PBE0/def2-SVP, 1e-7 hartree), response tensors, and N singlets by the fast route in the window of the
standard preset, for clusters of the same core with larger and larger ligands; the exponents are those of a power of the
number of basis functions, by least squares; the figure shows both.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import matplotlib.style
import numpy as np
from matplotlib.figure import Figure

import cluster_qc as cqc
from cluster_qc.drivers.tddft import response_tensors
from cluster_qc.plotting import STYLE
from cluster_qc.plotting.figures import save_figure
from cluster_qc.provenance import host, versions
from cluster_qc.workflow.figures import need_picture

STRUCTURES = Path(__file__).parents[1] / "structures"
SIZES = ("cu2au2_tfa", "cu2au2_tt", "cu2au2_r_mtt")
METHOD = cqc.DFTMethod("pbe0", basis="def2-svp", grid_level=2, conv_tol=1e-7)

STEPS = ("ground state", "tensors", "singlets")

Result = TypeVar("Result")


def timed(work: Callable[[], Result]) -> tuple[Result, float]:
    """What a call returns, and its seconds."""
    begin = time.perf_counter()
    result = work()
    return result, time.perf_counter() - begin


def draw(path: Path, sizes: Sequence[int], times: Sequence[Sequence[float]]) -> None:
    """Seconds of each step against the number of basis functions, with the power of it that fits, on two log axes."""
    with matplotlib.style.context(STYLE):
        figure = Figure()
        ax = figure.add_subplot()
        for index, (step, seconds) in enumerate(zip(STEPS, np.transpose(times), strict=True)):
            exponent, offset = np.polyfit(np.log(sizes), np.log(seconds), 1)
            ax.plot(
                sizes,
                seconds,
                color=f"C{index}",
                marker="os^"[index],
                ls="",
                label=f"{step}, N$^{{{exponent:.1f}}}$",
            )
            ax.plot(sizes, np.exp(offset) * np.power(sizes, exponent), color=f"C{index}", lw=0.8)
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_xticks(sizes, [str(size) for size in sizes])
        ax.set_xticks([], minor=True)
        ax.spines["right"].set_visible(False)
        ax.set_xlabel("basis functions N")
        ax.set_ylabel("wall time / s")
        ax.legend()
        save_figure(figure, path)


def main() -> None:
    """Run, fit, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    default = [STRUCTURES / f"{name}.xyz" for name in SIZES]
    parser.add_argument("structures", nargs="*", type=Path, default=default)
    parser.add_argument("--states", type=int, default=20)
    parser.add_argument("--figure", type=Path, help="PNG, SVG or PDF; needs two sizes")
    options = parser.parse_args()
    if options.figure is not None:
        need_picture(options.figure)
        if len(options.structures) < 2:
            parser.error("--figure needs two structures")
    states = cqc.TDDFTMethod(
        nstates=options.states, frozen_below=-2.0, virtual_above=1.5, exchange_rank=0.15, grid_level=1,
        route="fast", tolerance=1e-3,
    )  # fmt: skip
    print(f"{host()}; {versions()}")
    print(f"{METHOD}; {options.states} singlets")
    sizes, times = [], []
    for path in options.structures:
        cluster = cqc.read_xyz(path)
        ground, scf = timed(lambda cluster=cluster: cqc.run_scf(cluster, METHOD))
        tensors, transformation = timed(lambda ground=ground: response_tensors(ground, states))
        _, singlets = timed(
            lambda ground=ground, tensors=tensors: cqc.run_tddft(ground, states, tensors=tensors)
        )
        sizes.append(ground.orbital_energies.shape[1])
        times.append((scf, transformation, singlets))
        print(
            f"{cluster.natom} atoms, {sizes[-1]} basis functions: ground state {scf:.0f} s in {ground.cycles} cycles, "
            f"tensors with the integrals anew {transformation:.0f} s, {options.states} singlets {singlets:.0f} s",
            flush=True,
        )
    if len(sizes) > 1:
        exponents = np.polyfit(np.log(sizes), np.log(times), 1)[0]
        told = ", ".join(f"{step} {exponent:.1f}" for step, exponent in zip(STEPS, exponents, strict=True))
        print(f"exponents: {told}")
        if options.figure is not None:
            draw(options.figure, sizes, times)


if __name__ == "__main__":
    main()
