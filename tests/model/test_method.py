import numpy as np
import pytest

from cluster_qc.errors import InputError
from cluster_qc.model import DFTMethod, TDDFTMethod


def test_basis_sets_by_element_have_one_order():
    pairs = (("S", "def2-svp"), ("Au", "def2-tzvp"))
    one, other = (DFTMethod("pbe0", basis_overrides=given) for given in (pairs, dict(pairs)))
    assert one == other
    assert one.basis_overrides == (("Au", "def2-tzvp"), ("S", "def2-svp"))


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("functional", 3),
        ("functional", " "),
        ("basis", {"Au": "def2-tzvp"}),
        ("basis_overrides", "def2-tzvp"),
        ("basis_overrides", (("Au", 2),)),
        ("dispersion", "D3"),
        ("grid_level", 2.5),
        ("grid_level", 10),
        ("max_cycle", 0),
        ("conv_tol", 1.0),
        ("omega", 20.0),
        ("permittivity", 0.5),
    ],
)
def test_a_wrong_ground_state_method_is_refused_where_it_is_made(setting, value):
    with pytest.raises(InputError, match=r"functional|basis|dispersion|grid|cycle|tol|omega|permittivity"):
        DFTMethod(**{"functional": "pbe0", setting: value})


@pytest.mark.parametrize("settings", [{"nstates": "10"}, {"nstates": 2.0}, {"nstates": 2, "grid_level": 12}])
def test_whole_numbers_are_whole(settings):
    with pytest.raises(InputError, match="it is a whole number"):
        TDDFTMethod(**settings)
    assert type(TDDFTMethod(nstates=np.int64(3)).nstates) is int
