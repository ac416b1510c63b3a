"""Exchange of one trial pair against PySCF: `python benchmarks/exchange.py [STRUCTURE.xyz] [--functions N]`.

The products with (ij|ab) and (ib|ja) that one pair (X, Y) of full TDDFT needs: PySCF's `get_jk` on its packed tensor in
memory (double precision, one density matrix), in its best BLAS setting, against our batches of trial vectors (single
precision), on the same threads, in all orbitals of def2-SVP. Both have the same N functions of def2-universal-jkfit;
time grows in proportion to them, so that the ratio is that of the whole set. A second line gives our time in the
orbital window and with the natural auxiliary functions of the standard preset, for the whole set.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy.linalg

import cluster_qc as cqc
from cluster_qc.drivers.mole import build_mole
from cluster_qc.drivers.ri import RITensor
from cluster_qc.drivers.tddft.operator import _exchange_crossed, _exchange_direct
from cluster_qc.drivers.tddft.tensors import Exchange
from cluster_qc.provenance import host, versions

METHOD = cqc.DFTMethod("pbe0", basis="def2-svp")
BATCH = 16
WINDOW = (0.6, 0.65, 0.15)
"""Shares of the occupied and virtual orbitals and of the auxiliary functions, no smaller than those of the standard
preset at 96 atoms; random numbers stand for these tensors, so that the line is one of time alone, not of accuracy."""
REPEATS = 3


def median_s(work: Callable[[], Any], repeats: int = REPEATS) -> float:
    """Median time of several calls."""
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return float(np.median(times))


def pair(exchange: Exchange, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What the operator does with u, or v, of each pair."""
    return _exchange_direct(exchange, vectors), _exchange_crossed(exchange, vectors)


def random_exchange(rank: int, nocc: int, nvir: int) -> Exchange:
    """Tensors of a given size; their values do not matter to the time."""
    draw = np.random.default_rng(0).standard_normal
    return Exchange(
        draw((rank, nocc, nvir), dtype=np.float32),
        draw((rank, nocc, nocc), dtype=np.float32),
        draw((rank, nvir, nvir), dtype=np.float32),
    )


def main() -> None:
    """Run both, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(__file__).parents[1] / "structures" / "cu2au2_tfa.xyz"
    parser.add_argument("structure", nargs="?", type=Path, default=default)
    parser.add_argument("--functions", type=int, default=240)
    options = parser.parse_args()
    from pyscf import df

    cluster = cqc.read_xyz(options.structure)
    mole: Any = build_mole(cluster, METHOD)
    print(f"{host()}; {versions()}")
    tensor = RITensor(mole, METHOD.auxiliary_basis, path=Path("exchange.partial"))
    nao, nocc = tensor.nao, mole.nelectron // 2
    count = min(options.functions, tensor.naux)
    # Orthonormal orbitals of the right number; which ones does not matter to the time.
    orbitals = scipy.linalg.eigh(mole.intor("int1e_kin"), mole.intor("int1e_ovlp"))[1]
    co, cv = orbitals[:, :nocc], orbitals[:, nocc:]
    nvir = cv.shape[1]
    print(
        f"{cluster.formula}, {cluster.natom} atoms: {nocc} occupied and {nvir} virtual orbitals, "
        f"{count} of {tensor.naux} fitting functions",
        flush=True,
    )

    lower = np.tril_indices(nao)
    packed = np.empty((count, len(lower[0])))
    position = np.empty(nao, dtype=int)
    position[tensor.order] = np.arange(nao)
    for p0, p1, part in tensor.half_transformed(np.eye(nao)):
        rows = part.transpose(1, 0, 2)[:, position]  # back to the molecule's order
        packed[p0:p1] = rows[: count - p0][:, lower[0], lower[1]]
        if p1 >= count:
            break
    tensor.delete()
    exchange = Exchange(
        np.empty((count, nocc, nvir), np.float32),
        np.empty((count, nocc, nocc), np.float32),
        np.empty((count, nvir, nvir), np.float32),
    )
    for p, row in enumerate(packed):
        square = np.empty((nao, nao))
        square[lower] = row
        square.T[lower] = row
        half = co.T @ square
        exchange.ij[p], exchange.crossed[p] = half @ co, half @ cv
        exchange.ab[p] = cv.T @ square @ cv

    vectors = np.random.default_rng(1).standard_normal((BATCH, nocc, nvir), dtype=np.float32)
    direct, crossed = pair(exchange, vectors)
    ours = 2.0 * median_s(lambda: pair(exchange, vectors)) / BATCH  # u and v of a pair
    peer = df.DF(mole, auxbasis=METHOD.auxiliary_basis)
    peer._cderi = packed
    peer.max_memory = 16000
    density = cv @ vectors[0].T.astype(float) @ co.T
    begin = time.perf_counter()
    k = peer.get_jk(density, hermi=0, with_j=False)[1]
    theirs = time.perf_counter() - begin
    if theirs < 60:
        theirs = median_s(lambda: peer.get_jk(density, hermi=0, with_j=False))
    deviation = max(
        np.abs(cv.T @ k @ co - direct[0].T).max() / np.abs(direct[0]).max(),
        np.abs(co.T @ k @ cv - crossed[0]).max() / np.abs(crossed[0]).max(),
    )
    print(
        f"every orbital: ours {ours:.3f} s, PySCF {theirs:.2f} s a pair: {theirs / ours:.1f} times; "
        f"largest relative deviation {deviation:.0e}",
        flush=True,
    )
    occupied, virtual, share = (
        math.ceil(x * n) for x, n in zip(WINDOW, (nocc, nvir, tensor.naux), strict=True)
    )
    small = random_exchange(share, occupied, virtual)
    vectors = np.ascontiguousarray(vectors[:, :occupied, :virtual])
    window = 2.0 * median_s(lambda: pair(small, vectors)) / BATCH
    whole = theirs * tensor.naux / count
    print(
        f"window of {occupied} and {virtual} orbitals, {share} natural auxiliary functions: ours {window:.3f} s; "
        f"PySCF, every function: {whole:.0f} s a pair, {whole / window:.0f} times"
    )


if __name__ == "__main__":
    main()
