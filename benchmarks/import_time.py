"""How long `import cluster_qc` and `cluster-qc --help` take, beside `import numpy` on the same machine.

    python benchmarks/import_time.py [REPEATS]

Prints the shortest of several cold processes (after one that fills the disk cache) and the ratio to numpy's. The goals
are 0.3 s and 0.5 s; the ratios are what compares between machines.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "import numpy": [sys.executable, "-c", "import numpy"],
    "import cluster_qc": [sys.executable, "-c", "import cluster_qc"],
    "cluster-qc --help": [sys.executable, "-m", "cluster_qc", "--help"],
}
GOALS_S = {"import cluster_qc": 0.3, "cluster-qc --help": 0.5}


def shortest(command: list[str], repeats: int) -> float:
    """Shortest wall time of `repeats` runs, seconds."""
    times = []
    for _ in range(repeats + 1):
        begin = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - begin)
    return min(times[1:])


def main() -> int:
    """Print the table; 1 if a goal is missed."""
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    seconds = {name: shortest(command, repeats) for name, command in COMMANDS.items()}
    print(
        f"{'':20} {'seconds':>8} {'x numpy':>8} {'goal':>6}   (shortest of {repeats}, load {os.getloadavg()[0]:.1f})"
    )
    for name, value in seconds.items():
        goal = f"{GOALS_S[name]:.1f}" if name in GOALS_S else ""
        print(f"{name:20} {value:8.3f} {value / seconds['import numpy']:8.2f} {goal:>6}")
    return int(any(seconds[name] > goal for name, goal in GOALS_S.items()))


if __name__ == "__main__":
    sys.exit(main())
