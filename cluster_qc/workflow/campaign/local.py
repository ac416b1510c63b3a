"""Jobs on this machine: each in a worker of executorlib, a process that dies with its driver."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Executor, Future
from threading import Thread
from typing import Any

from cluster_qc.workflow.campaign import tether

_HOST = "127.0.0.1"
_LOOK_MS = 200


class LocalExecutor(Executor):
    """The workers of `executorlib.SingleNodeExecutor`, held otherwise.

    Its port is open to the network, and what arrives there is unpickled; here it is open to this machine, and nothing
    is read from it: how a job ended stands in its record. It would also wait forever for a worker that dies before it
    has called.
    """

    def submit(  # type: ignore[override]
        self, function: Callable[..., None], /, *arguments: Any, resource_dict: dict[str, Any]
    ) -> Future[None]:
        """Start a worker for one call, in the folder `resource_dict["cwd"]`; its future ends with the worker."""
        future: Future[None] = Future()
        order = {"fn": function, "args": arguments, "kwargs": {}}
        Thread(target=_work, args=(future, order, resource_dict["cwd"]), daemon=True).start()
        return future


def _work(future: Future[None], order: dict[str, Any], folder: str) -> None:
    import zmq
    from executorlib.api import get_command_path, interface_send

    # The worker inherits this from its first moment; a Ctrl-C while Python starts would show as a traceback.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    with zmq.Context() as context, context.socket(zmq.PAIR) as socket:
        socket.linger = 0
        port = socket.bind_to_random_port(f"tcp://{_HOST}")
        tied = [sys.executable, "-I", "-S", tether.__file__, str(os.getpid())]
        command = [sys.executable, get_command_path("interactive_serial.py"), "--host", _HOST]
        worker = subprocess.Popen(
            [*tied, *command, "--zmqport", str(port)], cwd=folder, stdin=subprocess.DEVNULL
        )
        while worker.poll() is None:
            if socket.poll(_LOOK_MS, zmq.POLLOUT):  # it has called
                interface_send(socket, order)
                interface_send(socket, {"shutdown": True})
                break
        code = worker.wait()
    if code == 0:
        future.set_result(None)
    else:
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        future.set_exception(ChildProcessError(f"its worker {how}"))
