"""The device's energy levels around the cluster (figures 2c and 3a of 10.1021/jacs.3c13065).

Levels of the other layers come from the package's table with its sources; one without a readable source has none.
"""

from __future__ import annotations

from stored import figure_path, source

from cluster_qc.workflow.device import device_report, device_stack, device_text, save_device


def main() -> None:
    """Draw the device with and without TCTA; print barriers and offsets."""
    for name, tcta in (("energy_levels", False), ("energy_levels_tcta", True)):
        stack = device_stack(source(), tcta=tcta)
        save_device(figure_path(name), stack)
        print(device_text(device_report(stack)), end="\n\n")


if __name__ == "__main__":
    main()
