"""``python -m cluster_qc`` is the command line."""

from cluster_qc.cli import main

if __name__ == "__main__":
    main()
