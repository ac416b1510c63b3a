"""Basis sets by name and from files: which one is taken never depends on what lies in the working folder."""

import dataclasses

import numpy as np
import pytest

import cluster_qc as cqc
from cluster_qc.drivers.fitting import auxiliary_mole
from cluster_qc.drivers.mole import build_mole
from cluster_qc.hashing import ground_hash

GOLD_HYDRIDE = cqc.Cluster("auh", ("Au", "H"), np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 2.9]]))
HYDROGEN = cqc.Cluster("h2", ("H", "H"), np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 1.4]]))
ONE_FUNCTION = "H    S\n      0.3   1.0\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("def2-tzvp", cqc.DFTMethod("pbe0", "def2-tzvp")),
        ("sto-3g", cqc.DFTMethod("pbe0", basis_overrides={"H": "sto-3g"})),
        ("def2-svp", cqc.DFTMethod("pbe0", "def2-tzvp")),  # the ECP of the whole family has this name
        ("lanl2dz", cqc.DFTMethod("pbe0", ecp="lanl2dz")),
        ("ano", cqc.DFTMethod("pbe0")),
    ],
)
def test_a_file_named_as_a_basis_set_is_not_taken_silently(folder, name, method):
    nao = build_mole(GOLD_HYDRIDE, method).nao
    (folder / name).mkdir()  # a folder of that name does no harm
    assert build_mole(GOLD_HYDRIDE, method).nao == nao
    (folder / name).rmdir()
    (folder / name).write_text(ONE_FUNCTION)
    with pytest.raises(
        cqc.InputError, match=f"'{name}' may be the basis set or ECP of that name, or the file"
    ) as refusal:
        build_mole(GOLD_HYDRIDE, method)
    assert f"'./{name}'" in refusal.value.fix


def test_a_file_named_as_the_fitting_basis_is_not_taken_silently(folder):
    mole = build_mole(HYDROGEN, cqc.DFTMethod("pbe0"))
    (folder / "def2-universal-jkfit").write_text(ONE_FUNCTION)
    with pytest.raises(cqc.InputError, match="or the file in this folder"):
        auxiliary_mole(mole, "def2-universal-jkfit")


def test_a_file_named_with_its_folder_is_taken(folder):
    (folder / "def2-svp").write_text(ONE_FUNCTION)
    for name in ("./def2-svp", str(folder / "def2-svp")):
        assert build_mole(HYDROGEN, cqc.DFTMethod("pbe0", name)).nao == 2


def test_the_content_of_a_file_is_part_of_the_input_with_a_truncation_too(folder):
    method = cqc.DFTMethod("pbe0", "./own.nw@1s")
    hashes = []
    for exponent in ("0.3", "0.4"):
        (folder / "own.nw").write_text(ONE_FUNCTION.replace("0.3", exponent))
        assert build_mole(HYDROGEN, method).nao == 2
        hashes.append(ground_hash(HYDROGEN, method))
    assert len(set(hashes)) == 2
    inline = dataclasses.replace(method, basis=ONE_FUNCTION * 20)  # longer than a file's name may be
    assert ground_hash(HYDROGEN, inline)


@pytest.mark.parametrize("text", [None, "nothing of a basis set", "H    S\n      0.3   x\n"])
def test_a_file_that_is_missing_or_of_another_format_is_told(folder, text):
    if text is not None:
        (folder / "own.nw").write_text(text)
    with pytest.raises(cqc.InputError, match=r"unknown basis set '\./own\.nw'") as refusal:
        build_mole(HYDROGEN, cqc.DFTMethod("pbe0", "./own.nw"))
    assert "missing or not in NWChem's format" in refusal.value.why


def test_a_file_of_a_basis_set_is_never_run_as_a_program(folder):
    (folder / "own.nw").write_text("H    S\n      0.3   open('owned','w').close()\n")
    with pytest.raises(cqc.InputError, match="unknown basis set"):
        build_mole(HYDROGEN, cqc.DFTMethod("pbe0", "./own.nw"))
    assert not (folder / "owned").exists()
