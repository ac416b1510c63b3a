"""What a campaign costs beside its jobs: time for each, and memory of the driver.

    python benchmarks/campaign_overhead.py [TASKS [WORKERS]]

Every job is a shell that copies a finished result: what is left is the engine, the records, the table and the database.
The processor time, of driver and workers, hardly depends on what else runs on the machine; the wall time does.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

from cluster_qc.provenance import cpu_model, peak_memory_gib, versions
from cluster_qc.workflow.campaign import driver
from cluster_qc.workflow.campaign.plan import Campaign, Task

RESULT = Path(__file__).parents[1] / "examples" / "results" / "cu2au2_tfa_quick" / "summary.json"
WATER = "3\n\nO 0.0 0.0 0.117\nH 0.0 0.757 -0.470\nH 0.0 -0.757 -0.470\n"
COPY = 'cp "$0/summary.json" "$0/structure.xyz" .'


def main() -> int:
    """Run the tasks and print the numbers; 1 if one is not done."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    workers = int(sys.argv[2]) if len(sys.argv) > 2 else 2
    names = [f"task{index:05d}" for index in range(number)]
    tasks = tuple(
        Task(
            name=name, digest=hashlib.sha256(name.encode()).hexdigest(), structure="water.xyz", functional="pbe0",
            preset="quick", natom=3, plan={}, wall_time_s=0.0, disk=0.0, job_file="",
        )
        for name in names
    )  # fmt: skip
    campaign = Campaign(source="", on="local", workers=workers, cores=1, pictures=False, site={}, tasks=tasks)
    with tempfile.TemporaryDirectory() as folder:
        template = Path(folder) / "template"
        template.mkdir()
        (template / "summary.json").write_bytes(RESULT.read_bytes())
        (template / "structure.xyz").write_text(WATER, encoding="utf-8")
        driver.RUN = ("sh", "-c", COPY, str(template))
        before = peak_memory_gib()
        begin, used = time.perf_counter(), _processor_s()
        done = driver.drive(campaign, Path(folder) / "out", quiet=True)
        wall, used = time.perf_counter() - begin, _processor_s() - used
        rows = len((Path(folder) / "out" / "campaign.csv").read_text(encoding="utf-8").splitlines()) - 1
    print(f"{cpu_model()}, load {os.getloadavg()[0]:.1f}; {json.dumps(versions())}")
    print(
        f"{number} tasks, {workers} workers: {wall:.1f} s, {wall * workers / number:.3f} s of a worker for each, "
        f"{used / number:.3f} s of a processor"
    )
    print(
        f"peak memory of the driver {peak_memory_gib():.2f} GiB ({before:.2f} before); {rows} rows in the table"
    )
    return int(not done or rows != number)


def _processor_s() -> float:
    """Processor time of this process and of those that it has waited for."""
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in both)


if __name__ == "__main__":
    sys.exit(main())
