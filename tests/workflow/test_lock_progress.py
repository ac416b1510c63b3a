import re
import subprocess
import sys

import pytest

from cluster_qc.errors import StorageError
from cluster_qc.workflow.lock import folder_lock
from cluster_qc.workflow.progress import monitor

HOLD = (
    "import sys\nfrom pathlib import Path\nfrom cluster_qc.workflow.lock import folder_lock\n"
    "with folder_lock(Path(sys.argv[1])):\n    print('held', flush=True)\n    sys.stdin.read()\n"
)


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_second_run_is_told_who_holds_the_folder(holder, tmp_path):
    with pytest.raises(StorageError, match=rf"another run is working in .*process {holder.pid}") as caught:
        folder_lock(tmp_path).__enter__()
    assert "-o" in caught.value.fix


def test_lock_dies_with_its_process(holder, tmp_path):
    holder.kill()
    holder.wait()
    with folder_lock(tmp_path) as held:
        assert held
    with folder_lock(tmp_path):
        pass


def test_plain_lines_when_stderr_is_no_terminal(tmp_path, capsys):
    with monitor(tmp_path) as log:
        report = log.step("scf")
        for cycle in range(50):
            report(cycle / 50, f"cycle {cycle}")
        log.note("done")
    err = capsys.readouterr().err
    assert "\x1b" not in err
    assert re.search(r"^\[0:00:00\] scf: started$", err, re.MULTILINE)
    assert "cycle 49" not in err  # throttled on the screen ...
    assert "scf: cycle 49" in (tmp_path / "run.log").read_text()  # ... complete in the log


def test_quiet_still_logs(tmp_path, capsys):
    with monitor(tmp_path, quiet=True) as log:
        log.note("a line")
    assert capsys.readouterr().err == ""
    assert "a line" in (tmp_path / "run.log").read_text()


def test_bar_on_a_terminal(tmp_path):
    """A pseudo-terminal gets a bar with the step and the last line, brackets included."""
    import os
    import pty

    script = (
        "from pathlib import Path\nimport sys, time\nfrom cluster_qc.workflow.progress import monitor\n"
        "with monitor(Path(sys.argv[1])) as log:\n"
        "    report = log.step('scf')\n    report(0.5, 'dE = [1e-3]')\n    time.sleep(0.7)\n"
        "    report = log.step('singlets')\n    report(None, 'integrals')\n    time.sleep(0.7)\n"
    )
    main, side = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        stderr=side,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
    )
    os.close(side)
    seen = b""
    while True:
        try:
            chunk = os.read(main, 4096)
        except OSError:
            break
        if not chunk:
            break
        seen += chunk
    os.close(main)
    assert process.wait() == 0
    text = seen.decode()
    assert "scf" in text
    assert "dE = [1e-3]" in text
    assert "integrals" in text
