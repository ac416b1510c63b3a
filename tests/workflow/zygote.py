"""The command line in processes forked from one that has imported everything: real ones, without seconds of imports.

This file is that process, a JSON object on a line for each request, and `Zygote` is the test's side of it.
"""

import contextlib
import importlib
import json
import os
import resource
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

MODULES = (
    "cluster_qc.cli", "cluster_qc.drivers.optimize", "cluster_qc.drivers.plan", "cluster_qc.drivers.tddft",
    "cluster_qc.drivers.molden", "cluster_qc.drivers.nto", "cluster_qc.drivers.volume", "cluster_qc.plotting.figures",
    "cluster_qc.structure.builder", "cluster_qc.structure.cif", "cluster_qc.workflow.build", "cluster_qc.workflow.run",
    "cluster_qc.workflow.chiroptics", "cluster_qc.workflow.conformers", "cluster_qc.workflow.orbitals",
    "cluster_qc.workflow.rotatory_parts", "cluster_qc.workflow.slurm",
    "cluster_qc.workflow.status",
)  # fmt: skip


@dataclass
class Ended:
    """How a process ended: its exit code, or minus the signal."""

    code: int
    out: str
    err: str


class Zygote:
    """Starts commands; each ends before the next one begins."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip

    def close(self) -> None:
        self._process.communicate()

    def start(self, *arguments, cwd, **how) -> int:
        """Start a command; `how` as in `_child`. Returns the process number."""
        streams = [str(self._folder / name) for name in ("out", "err")]
        request = {"arguments": [str(a) for a in arguments], "cwd": str(cwd), "streams": streams, **how}
        return self._ask(request)

    def wait(self) -> Ended:
        code = self._ask({"wait": True})
        texts = [(self._folder / name).read_text(errors="replace") for name in ("out", "err")]
        assert "Traceback" not in texts[1], texts[1]
        return Ended(code, *texts)

    def run(self, *arguments, cwd, **how) -> Ended:
        self.start(*arguments, cwd=cwd, **how)
        return self.wait()

    def _ask(self, request) -> int:
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


def serve() -> None:
    for module in MODULES:
        importlib.import_module(module)
    child = 0
    for line in sys.stdin:
        request = json.loads(line)
        if "wait" in request:
            answer = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        else:
            answer = child = os.fork()
            if not child:
                code = 70
                try:
                    code = _child(**request)
                finally:
                    for stream in (sys.stdout, sys.stderr):
                        with contextlib.suppress(OSError):
                            stream.flush()
                    os._exit(code)
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


def _child(
    arguments, cwd, streams, at_line="", at_call=0, in_reading=False, number=signal.SIGKILL, spare_mib=0
):
    """Run one command.

    The process sends itself signal `number` when its log shows `at_line`, at the `at_call`-th call that flushes or
    renames, or when it reads a structure; `spare_mib` limits its memory to that much more than it has.
    """
    from cluster_qc import cli
    from cluster_qc.structure import xyz
    from cluster_qc.workflow.progress import RunLog

    for descriptor, path in enumerate(streams, 1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), descriptor)
    os.chdir(cwd)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    if spare_mib:
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + spare_mib * 2**20,) * 2)

    def after(function, when):
        def wrapped(*args, **kwargs):
            result = function(*args, **kwargs)
            if when(*args):
                os.kill(os.getpid(), number)
            return result

        return wrapped

    if at_line:
        RunLog.write = after(RunLog.write, lambda _log, line: at_line in line)
    if at_call:
        left = [at_call]

        def counted(*_args) -> bool:
            left[0] -= 1
            return left[0] == 0

        for name in ("fsync", "rename", "replace"):
            setattr(os, name, after(getattr(os, name), counted))
    if in_reading:
        xyz.read_text = after(xyz.read_text, lambda *_args: True)
    sys.argv = ["cluster-qc", *arguments]
    try:
        cli.main()
    except SystemExit as exc:
        return exc.code or 0


if __name__ == "__main__":
    serve()
