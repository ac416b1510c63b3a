"""A real Slurm of one node for the tests of batch jobs (its daemons need their packages and root), and small disks."""

import os
import shutil
import signal
import socket
import subprocess
import time
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

PROGRAMS = ("sbatch", "scontrol", "slurmctld", "slurmd", "munged", "mungekey")
PATIENCE_S = 300  # for a loaded machine; an idle one needs some seconds

CONFIGURATION = """
ClusterName=test
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=10
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=5,sched_interval=5,batch_sched_delay=0,sched_min_interval=200000
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
ReturnToService=2
JobRequeue=1
MessageTimeout=5
SlurmdParameters=config_overrides
NodeName=localhost NodeHostname=localhost NodeAddr=127.0.0.1 CPUs=2 RealMemory=20000
PartitionName=main Nodes=localhost Default=YES MaxTime=60 DefaultTime=5
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def sibling(name):
    """A module beside this file; the tests are no package."""
    spec = spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Slurm:
    """The daemons, which end with `keeper`; `SLURM_CONF` in the environment leads to them."""

    def __init__(self, folder, keeper):
        self.folder = folder
        self.configuration = folder / "slurm.conf"
        self._keeper = keeper

    @staticmethod
    def wait_until(condition, what, patience_s=PATIENCE_S):
        deadline = time.monotonic() + patience_s
        while not (value := condition()):
            assert time.monotonic() < deadline, f"still waiting for {what}"
            time.sleep(0.02)
        return value

    @staticmethod
    def call(*words):
        done = subprocess.run([*map(str, words)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start_munge(self):
        self.call("mungekey", "--create", f"--keyfile={self.folder}/munge.key")
        files = [f"--{name}-file={self.folder}/munge.{name}" for name in ("key", "pid", "log", "seed")]
        self._keeper.run("munged", "--force", f"--socket={self.folder}/munge.socket", *files)

    def start_controller(self):
        self._keeper.run("slurmctld", "-f", self.configuration)

    def start_node(self):
        self._keeper.run("slurmd", "-N", "localhost", "-f", self.configuration)

    def pid(self, daemon):
        return int((self.folder / f"{daemon}.pid").read_text())

    def stop(self, daemon, number=signal.SIGTERM):
        """End a daemon, and wait until it has."""
        pid = self.pid(daemon)
        os.kill(pid, number)
        self.wait_until(lambda: not os.path.exists(f"/proc/{pid}"), f"the end of {daemon}")


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", os.pathsep.join((os.environ["PATH"], "/usr/sbin", "/sbin")))
        missing = [name for name in PROGRAMS if shutil.which(name) is None]
        if missing:
            pytest.skip(f"not installed: {', '.join(missing)} (Debian packages slurm-wlm and munge)")
        if os.geteuid() != 0:
            pytest.skip("the daemons of Slurm need root")
        folder = tmp_path_factory.mktemp("slurm")
        for name in ("state", "spool"):
            (folder / name).mkdir()
        patch.setenv("SLURM_CONF", str(folder / "slurm.conf"))
        keeper = sibling("keeper").Keeper()
        cluster = Slurm(folder, keeper)
        ports = {"controller_port": free_port(), "node_port": free_port()}
        cluster.configuration.write_text(CONFIGURATION.format(folder=folder, **ports))
        try:
            cluster.start_munge()
            cluster.start_controller()
            cluster.start_node()
            cluster.wait_until(lambda: "idle" in cluster.call("sinfo", "-h", "-o", "%T"), "the node")
            yield cluster
        finally:
            keeper.close()


@pytest.fixture(scope="session")
def zygote(tmp_path_factory):
    """Runs commands in processes that need no time for imports."""
    server = sibling("zygote").Zygote(tmp_path_factory.mktemp("zygote"))
    yield server
    server.close()


@pytest.fixture
def small_disk(tmp_path):
    """Makes a file system of a given size, and changes it."""
    if os.geteuid():
        pytest.skip("mounting a small file system needs root")
    place = tmp_path / "disk"
    place.mkdir()

    def mount(options):
        remount = "remount," if place.is_mount() else ""
        command = ["mount", "-t", "tmpfs", "-o", remount + options, "tmpfs", str(place)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("no right to mount a small file system")
        return place

    yield mount
    if place.is_mount():
        subprocess.run(["umount", str(place)], check=True)
