"""What README shows is there: keys of the TOML files, commands with their options, names of the library."""

import ast
import inspect
import re
from pathlib import Path

import pytest
import typer.main

import cluster_qc as cqc
from cluster_qc.cli import app
from cluster_qc.workflow.campaign.expand import CampaignFile
from cluster_qc.workflow.job import JobFile, load_job
from cluster_qc.workflow.slurm import Site
from cluster_qc.workflow.toml_input import read_toml

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```\w*\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
COMMANDS = typer.main.get_command(app).commands


@pytest.mark.parametrize(
    ("start", "model"), [("structure = ", JobFile), ("partition = ", Site), ("structures = ", CampaignFile)]
)
def test_toml_files_are_valid(tmp_path, start, model):
    (text,) = [block for block in BLOCKS if block.startswith(start)]
    (tmp_path / "file.toml").write_text(text)
    shown = read_toml(tmp_path / "file.toml", model)
    assert shown.given()
    if model is JobFile:
        (tmp_path / "structures").mkdir()
        (tmp_path / shown.structure).touch()
        assert load_job(tmp_path / "file.toml").fwhm > 0


def test_commands_have_the_options_that_are_shown():
    lines = re.findall(r"cluster-qc (\w+)([^`\n#]*)", README)
    assert {command for command, _ in lines} >= {
        "run",
        "sbatch",
        "campaign",
        "status",
        "retry",
        "build",
        "cd",
        "levels",
    }
    for command, rest in lines:
        options = {option for parameter in COMMANDS[command].params for option in parameter.opts}
        options |= (
            {option for p in COMMANDS["run"].params for option in p.opts} if command == "sbatch" else set()
        )
        assert set(re.findall(r"(?<=\s)--?[a-z-]+", rest)) <= options, command


def test_the_library_has_what_is_shown():
    (text,) = [block for block in BLOCKS if block.startswith("import cluster_qc as cqc")]
    calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    used = [call for call in calls if isinstance(call.func, ast.Attribute) and call.func.value.id == "cqc"]
    assert len(used) > 8
    for call in used:
        function = getattr(cqc, call.func.attr)
        named = {keyword.arg: None for keyword in call.keywords}
        inspect.signature(function).bind(*call.args, **named)
