"""Pictures: every function draws what it is given and computes nothing of the science.

`STYLE` is the path of the style sheet: ``with matplotlib.style.context(STYLE): ...``.
"""

from pathlib import Path

STYLE: Path = Path(__file__).with_name("cluster_qc.mplstyle")
