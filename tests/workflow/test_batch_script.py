"""The batch script as text, and run by bash without Slurm: nothing in a name or a setting becomes a command."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from typer.testing import CliRunner

from cluster_qc.cli import app
from cluster_qc.errors import InputError
from cluster_qc.workflow.slurm import Site, read_site

H2 = "2\n\nH 0 0 0\nH 0 0 0.74\n"
QUICK = ("--preset", "quick", "--basis", "def2-svp")
HOSTILE = "h2$(touch owned);`touch owned` 'a\" & touch owned #\\"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "h2.xyz").write_text(H2)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "3")
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    return tmp_path


def sbatch(*arguments):
    """The command in this process; the exception that the command line would tell in a few lines, or None."""
    return CliRunner().invoke(app, ["sbatch", *map(str, arguments)]).exception


def script(folder, name="out"):
    return (folder / name / "job.sbatch").read_text()


def site(folder, text):
    (folder / "site.toml").write_text(text)
    return ("--site", "site.toml")


def echo(folder, body="print(json.dumps([sys.argv[1:], dict(os.environ)]))"):
    """A program in place of python that tells what it was given, as a line of a SITE.toml."""
    path = folder / "echo"
    path.write_text(f"#!{sys.executable}\nimport json, os, signal, sys, time\n{body}\n")
    path.chmod(0o755)
    return f'python = "{path}"\n'


def bash(folder, name="out", **environment):
    return subprocess.run(
        ["bash", str(folder / name / "job.sbatch")],
        cwd="/",
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_directives_ask_for_what_the_plan_and_the_site_say(folder):
    text = (
        'partition = "long"\naccount = "chem-7"\ncores = 16\nmax_hours = 30\nsbatch = ["--constraint=zen4"]\n'
        'modules = ["gcc/13"]\nactivate = ["/opt/my env/bin/activate"]\n'
    )
    assert sbatch("h2.xyz", *QUICK, "-o", "out", "--gpu", *site(folder, text)) is None
    lines = script(folder).splitlines()
    for line in (
        "--cpus-per-task=16", "--partition=long", "--account=chem-7", "--gres=gpu:1", "--constraint=zen4",
        "--time=0-00:30:00", "--signal=B:USR1@300", "--requeue",
    ):  # fmt: skip
        assert f"#SBATCH {line}" in lines
    assert "module load gcc/13" in lines
    assert "source '/opt/my env/bin/activate'" in lines
    memory = next(line for line in lines if "--mem=" in line)
    assert (
        int(memory.removeprefix("#SBATCH --mem=").removesuffix("M")) > 2048
    )  # the buffers of the integrals alone
    assert lines.index("#SBATCH --constraint=zen4") < next(
        i for i, line in enumerate(lines) if line and line[0] != "#"
    )


def test_the_command_of_the_script_is_the_one_that_was_given(folder):
    """With the threads of the allocation, and scratch that is gone at the end."""
    given = ["--states", "2", "h2.xyz", *QUICK, "-o", "out"]
    assert sbatch(*given, *site(folder, echo(folder))) is None
    done = bash(folder, OMP_NUM_THREADS="64", scratch=str(folder))
    assert done.returncode == 0, done.stderr
    arguments, environment = json.loads(done.stdout)
    assert arguments[:5] == ["-P", "-m", "cluster_qc", "run", "--scratch"]
    assert arguments[6:] == given
    assert environment["OMP_NUM_THREADS"] == "3"
    assert environment["TMPDIR"] == arguments[5]
    assert environment["PWD"] == str(folder)
    assert not os.path.exists(arguments[5])
    assert folder.exists()


def test_a_hostile_file_name_stays_a_file_name(folder):
    os.rename("h2.xyz", f"{HOSTILE}.xyz")
    assert sbatch(f"{HOSTILE}.xyz", *QUICK, "-o", HOSTILE, *site(folder, echo(folder))) is None
    done = bash(folder, HOSTILE)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0][6:] == [f"{HOSTILE}.xyz", *QUICK, "-o", HOSTILE]
    assert not list(folder.rglob("owned"))
    directives = [line for line in script(folder, HOSTILE).splitlines() if line.startswith("#SBATCH")]
    assert not any(set("$`;'\"&\\ ") & set(line.removeprefix("#SBATCH ")) for line in directives)


def test_a_hostile_job_name_stays_a_name(folder):
    (folder / "job.toml").write_text(f"structure = 'h2.xyz'\nname = {json.dumps(HOSTILE)}\noutput = 'out'\n")
    assert sbatch("job.toml", *QUICK, *site(folder, echo(folder))) is None
    assert bash(folder).returncode == 0
    assert not list(folder.rglob("owned"))


@pytest.mark.parametrize("key", ["modules", "activate"])
def test_hostile_settings_stay_words(folder, key):
    text = echo(folder) + f"{key} = [{json.dumps(HOSTILE)}]\n"
    assert sbatch("h2.xyz", *QUICK, "-o", "out", *site(folder, text)) is None
    assert bash(folder).returncode == 0  # the word is no module and no file; it is told and passed over
    assert not list(folder.rglob("owned"))


def test_hostile_scratch_stays_a_folder(folder):
    (folder / HOSTILE).mkdir()
    for scratch, environment in (
        (f"{folder}/{HOSTILE}", {}),
        (f"$NODE_DISK/{HOSTILE}", {"NODE_DISK": str(folder)}),
        ("$NODE_DISK", {"NODE_DISK": f"{folder}/{HOSTILE}"}),
    ):
        text = echo(folder) + f"scratch = {json.dumps(scratch)}\n"
        assert sbatch("h2.xyz", *QUICK, "-o", "out", *site(folder, text)) is None
        done = bash(folder, **environment)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)[0][5].startswith(f"{folder}/{HOSTILE}/cluster-qc-")
    assert not list(folder.rglob("owned"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('partion = "long"\n', "unknown key partion; did you mean 'partition'"),
        ('partition = "long\\ntouch owned"\n', "partition"),
        ('partition = "a b"\n', "partition"),
        ('account = "-x"\n', "account"),
        ('gres = "gpu:1\\n"\n', "gres"),
        ('modules = ["a\\nb"]\n', "modules"),
        ('activate = ["a\\rb"]\n', "activate"),
        ('python = "a\\u0000b"\n', "python"),
        ('python = ""\n', "python"),
        ('scratch = "relative"\n', "scratch"),
        ('scratch = "$(touch owned)"\n', "scratch"),
        ('scratch = "/tmp\\n"\n', "scratch"),
        ('sbatch = ["--x\\n#SBATCH --y"]\n', "sbatch"),
        ('sbatch = ["touch owned"]\n', "sbatch"),
        ("cores = 0\n", "cores"),
        ("max_hours = nan\n", "max_hours"),
        ("stop_before_s = 1\n", "stop_before_s"),
        ("cores = \n", "not a TOML file"),
    ],
)
def test_a_site_that_is_refused(folder, text, message):
    site(folder, text)
    with pytest.raises(InputError, match=r"site\.toml") as refusal:
        read_site(folder / "site.toml")
    assert message in str(refusal.value)


def test_refused_before_anything_is_written(folder):
    before = sorted(folder.rglob("*"))
    for arguments, message in (
        (("h2.xyz", "--charge", "1"), "1 electrons"),
        (("h2.xyz", "--force"), "--force"),
        (("h2.xyz", "--scratch", "/tmp"), "scratch"),
        (("h2.xyz", *QUICK, "-o", "a\nb"), "cannot stand in a batch script"),
        (("h2.xyz", *QUICK, "--site", "none.toml"), "none.toml: cannot be read"),
    ):
        assert message in str(sbatch(*arguments))
    assert sorted(folder.rglob("*")) == before


def test_no_time_to_compute_is_refused(folder):
    error = sbatch("h2.xyz", *QUICK, *site(folder, "max_hours = 0.1\n"))
    assert "leaves no time to compute" in str(error)


def test_submitting_where_there_is_no_slurm(folder, monkeypatch):
    monkeypatch.setenv("PATH", str(folder))
    error = sbatch("h2.xyz", *QUICK, "-o", "out", "--submit")
    assert "no sbatch" in str(error)
    assert "sbatch job.sbatch" in error.fix
    assert (folder / "out" / "job.sbatch").is_file()


WAITS = """
def stop(number, frame):
    sys.exit({code})
signal.signal(signal.SIGUSR1, stop)
open("started", "w").close()
time.sleep(60)
"""


@pytest.mark.parametrize(
    ("code", "restarts", "queued", "ends_with"),
    [(143, "0", True, 143), (143, "20", False, 143), (0, "0", False, 0), (1, "0", False, 1)],
)
def test_the_signal_before_the_time_limit(folder, code, restarts, queued, ends_with):
    """A run that stops is queued again, at most so many times; one that ended by itself is not."""
    (folder / "scontrol").write_text('#!/bin/sh\necho "$@" >> queued\n')
    (folder / "scontrol").chmod(0o755)
    assert sbatch("h2.xyz", *QUICK, "-o", "out", *site(folder, echo(folder, WAITS.format(code=code)))) is None
    process = subprocess.Popen(
        ["bash", str(folder / "out" / "job.sbatch")],
        env={
            **os.environ,
            "PATH": f"{folder}:{os.environ['PATH']}",
            "SLURM_RESTART_COUNT": restarts,
        },
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 30
    while not (folder / "started").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGUSR1)
    process.communicate(timeout=30)
    assert process.returncode == ends_with
    assert (folder / "queued").exists() == queued
    if queued:
        assert (folder / "queued").read_text() == "requeue 17\n"


def test_the_defaults_are_a_site():
    assert read_site(None) == Site()
