"""The public functions refuse arguments of a wrong type, and say what to give instead."""

import inspect
import pickle
from pathlib import Path
from typing import get_type_hints

import numpy as np
import pytest

import cluster_qc as cqc
from cluster_qc.arguments import _GIVE, _fits

CLUSTER = cqc.Cluster("h2", ("H", "H"), np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 1.4]]))
METHOD = cqc.DFTMethod("pbe0")
ENERGIES = np.linspace(0.1, 0.2, 50)
CD = cqc.Spectrum("cd", ENERGIES, np.sin(100 * ENERGIES), [], [], "gaussian", 0.01)
MEASURED = cqc.MeasuredSpectrum("cd", ENERGIES, np.sin(100 * ENERGIES), source="measured.csv")
FUNCTIONS = [name for name in cqc.__all__ if inspect.isfunction(getattr(cqc, name))]


class Stranger:
    """Of no type that any function takes."""


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_stranger_in_the_first_place_is_refused_where_its_type_can_be_known(name):
    function = getattr(cqc, name)
    first = next(iter(inspect.signature(function).parameters))
    if _fits(Stranger(), get_type_hints(function)[first]):
        pytest.skip("an array, or a function")
    rest = {
        parameter.name: None
        for parameter in list(inspect.signature(function).parameters.values())[1:]
        if parameter.default is inspect.Parameter.empty
    }
    with pytest.raises(cqc.InputError, match=f"^{name}: {first} is Stranger, not "):
        function(Stranger(), **rest)


def test_a_path_may_be_a_text_everywhere():
    for name in FUNCTIONS:
        for argument, hint in get_type_hints(getattr(cqc, name)).items():
            if argument != "return" and "Path" in str(hint):
                assert _fits("a/name", hint) or "Mapping" in str(hint) or "Sequence" in str(hint), (
                    name,
                    argument,
                )
                assert "str | pathlib.Path" in str(hint).replace("pathlib._local", "pathlib"), (
                    name,
                    argument,
                )


def test_of_each_type_that_is_taken_it_is_said_where_it_comes_from():
    public = {kind for kind in cqc.__all__ if isinstance(getattr(cqc, kind), type)}
    taken = {
        kind.__name__
        for name in FUNCTIONS
        for argument, kind in get_type_hints(getattr(cqc, name)).items()
        if argument != "return" and isinstance(kind, type)
    }
    assert taken & public <= set(_GIVE)
    told = {word for way in _GIVE.values() for word in way.replace("(", " ").replace(",", " ").split()}
    assert {word for word in told if "_" in word} <= set(FUNCTIONS) | {"summary.json"}


@pytest.mark.parametrize(
    ("name", "arguments", "what", "fix"),
    [
        ("run_scf", ("h2.xyz", METHOD), "cluster is str 'h2.xyz', not Cluster", "read_cif or read_xyz"),
        ("run_scf", (CLUSTER, "pbe0"), "method is str 'pbe0', not DFTMethod", 'DFTMethod("pbe0"'),
        ("run_tddft", (CLUSTER, METHOD), "ground is Cluster, not GroundState", "run_scf or load"),
        ("compare_cd", (MEASURED, CD), "computed is MeasuredSpectrum, not Spectrum", "simulate_cd"),
        ("average_spectra", (CD, None), "spectra is Spectrum, not Sequence[Spectrum]", "a list of what"),
        ("average_spectra", ([CD, "b.csv"], None), "spectra is list, not Sequence[Spectrum]", "simulate_cd"),
        ("average_spectra", ("a.csv", None), "spectra is str 'a.csv', not Sequence", "simulate_cd"),
        ("natural_transition_orbitals", ([CD],), "excitation is list, not Excitation", "states[0]"),
        ("save", ("results", CLUSTER), "obj is str 'results', not GroundState", "run_scf or load"),
        ("write_xyz", ("out.xyz", CLUSTER), "cluster is str 'out.xyz', not Cluster", "read_xyz"),
        ("read_xyz", (CLUSTER,), "path is Cluster, not str | Path", "a path"),
        ("cip_labels", (Path("a.cif"),), "cluster is PosixPath 'a.cif', not Cluster", "read_cif"),
        ("text_report", ("results",), "summary is str 'results', not Mapping", "summary.json"),
        ("core_template", (4,), "name is int, not str", ""),
    ],
)  # fmt: skip
def test_a_likely_mistake_is_told_with_what_to_give(name, arguments, what, fix):
    with pytest.raises(cqc.InputError) as refusal:
        getattr(cqc, name)(*arguments)
    assert refusal.value.what.startswith(f"{name}: {what}")
    assert fix in refusal.value.fix


def test_arguments_by_name_are_checked_too():
    with pytest.raises(cqc.InputError, match=r"^compare_cd: measured is Spectrum, not MeasuredSpectrum"):
        cqc.compare_cd(CD, measured=CD)


def test_right_arguments_pass_as_they_are():
    assert cqc.compare_cd(CD, MEASURED).similarity == pytest.approx(1.0)
    assert cqc.jcamp_text((CD,), ["CD"]).startswith("##TITLE")
    assert cqc.ion_of(CLUSTER, 1).charge == 1
    assert cqc.core_template("cu4").natom == 44


def test_a_checked_function_is_still_itself():
    for name in FUNCTIONS:
        function = getattr(cqc, name)
        assert pickle.loads(pickle.dumps(function)) is function
        assert function.__name__ == name
    assert list(inspect.signature(cqc.run_scf).parameters)[:2] == ["cluster", "method"]
    with pytest.raises(TypeError, match=r"run_scf\(\) missing 1 required positional argument"):
        cqc.run_scf(CLUSTER)
    with pytest.raises(TypeError, match=r"ion_of\(\) takes 2 positional arguments"):
        cqc.ion_of(CLUSTER, 1, 2)
