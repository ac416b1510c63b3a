"""The local grid against PySCF's integration."""

import numpy as np
import pytest
from pyscf import dft, gto

from cluster_qc.drivers.grid import LocalGrid, LocalXC


@pytest.fixture(scope="module")
def gold_hydride():
    mole = gto.M(atom="Au 0 0 0; H 0 0 1.524", basis="def2-svp", ecp={"Au": "def2-svp"}, verbose=0)
    mf = dft.RKS(mole, xc="pbe0")
    mf.grids.level = 1
    density = mf.get_init_guess(key="minao")
    mf.initialize_grids(mole, density)
    return mf, density


@pytest.mark.parametrize("xc", ["svwn", "pbe0", "b3lyp", "tpssh", "m06-2x"])
def test_potential_is_that_of_pyscf(gold_hydride, xc):
    mf, density = gold_hydride
    electrons, energy, matrix = mf._numint.nr_rks(mf.mol, mf.grids, xc, density)
    found = LocalXC(mf.mol, memory_limit=0.0)(mf.mol, mf.grids, xc, density)
    # AOs below 1e-9 in a block are left out.
    assert found[0] == pytest.approx(electrons, abs=1e-8)
    assert found[1] == pytest.approx(energy, abs=1e-8)
    assert found[2] == pytest.approx(matrix, abs=1e-8)


def test_blocks_hold_every_point_once_and_keep_what_memory_allows(gold_hydride):
    mf, _ = gold_hydride
    settings = {"kind": "GGA", "dtype": np.float32, "cutoff": 1e-6}
    grid = LocalGrid(mf.mol, mf.grids, memory_limit=2e6, **settings)
    points = np.concatenate([block.points for block in grid.blocks])
    assert (
        len(points) == (np.abs(mf.grids.weights) > 1e-14).sum()
    )  # PySCF pads its grid with points of no weight
    assert sum(block.weights.sum() for block in grid.blocks) == pytest.approx(mf.grids.weights.sum())
    kept = [block.values is not None for block in grid.blocks]
    assert 0 < sum(kept) < len(kept)
    assert sum(block.values.nbytes for block in grid.blocks if block.values is not None) < 2e6
