import numpy as np
import pytest

from cluster_qc.errors import InputError
from cluster_qc.model import Cluster
from cluster_qc.units import angstrom

METHANE = np.array([[0, 0, 0], [1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) * 1.09 / np.sqrt(3)


def test_angstrom_taken_for_bohr_are_refused():
    symbols = ("C", "H", "H", "H", "H")
    with pytest.raises(InputError, match=r"0\.577 angstrom apart") as caught:
        Cluster("methane", symbols, METHANE)
    assert "positions * angstrom" in caught.value.fix
    assert Cluster("methane", symbols, METHANE * angstrom).natom == 5


def test_the_shortest_bond_there_is_passes():
    assert Cluster("h2", ("H", "H"), np.array([[0, 0, 0], [0, 0, 0.741]]) * angstrom).formula == "H2"
