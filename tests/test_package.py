"""The package as a whole: public names, lazy imports, and files that must agree with one another."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import cluster_qc as cqc

ROOT = Path(__file__).parents[1]
HEAVY = {"numpy", "scipy", "pyscf", "rdkit", "gemmi", "ase", "matplotlib", "pyvista", "pydantic"}
TEST_COMMAND = "python3 -m venv .venv && .venv/bin/pip install -q -e '.[test]' && ./check"


def loaded_by(code):
    script = f"import sys\n{code}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in done.stdout.split("\n")[-2].split()}


@pytest.mark.parametrize("name", cqc.__all__)
def test_every_public_name_is_there_and_documented(name):
    value = getattr(cqc, name)
    assert name in dir(cqc)
    assert name == "__version__" or value.__doc__


def test_public_names_are_those_of_their_homes():
    assert set(cqc.__all__) == {*cqc._HOME_OF, "__version__"}


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        cqc.nonsense  # noqa: B018


def test_import_is_lazy():
    assert not loaded_by("import cluster_qc") & HEAVY


def test_command_line_is_lazy():
    assert not loaded_by("import cluster_qc.cli") & (HEAVY - {"pydantic"})


def test_only_drivers_bring_pyscf():
    assert "pyscf" not in loaded_by(
        "import cluster_qc.workflow.run, cluster_qc.workflow.look, cluster_qc.report.page"
    )


def test_pictures_of_the_readme_are_there():
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert pictures
    assert [picture for picture in pictures if not (ROOT / picture).is_file()] == []


def test_package_data_is_there():
    from cluster_qc.plotting import STYLE

    assert STYLE.is_file()
    assert (Path(cqc.__file__).parent / "py.typed").is_file()


def test_versions_agree():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"version: {version}" in (ROOT / "CITATION.cff").read_text()
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest is not None
    assert newest[1] == version


@pytest.mark.parametrize("file", [".ci/run", "README.md", "CONTRIBUTING.md"])
def test_the_test_command_is_the_same_everywhere(file):
    assert TEST_COMMAND in (ROOT / file).read_text()


def test_no_module_is_too_long():
    lengths = {p.name: len(p.read_text().splitlines()) for p in (ROOT / "cluster_qc").rglob("*.py")}
    assert {name: n for name, n in lengths.items() if n > 420} == {}
