"""From a `Cluster` and a `DFTMethod` to a checked PySCF molecule."""

from __future__ import annotations

import os
import re
import warnings
from typing import Any

import numpy as np
from pyscf import dft, gto, lib
from pyscf.gto.basis import parse_cp2k, parse_nwchem, parse_nwchem_ecp

from cluster_qc.errors import InputError
from cluster_qc.model import Cluster, DFTMethod
from cluster_qc.model.elements import atomic_number

for _parser in (parse_cp2k, parse_nwchem, parse_nwchem_ecp):
    _parser.DISABLE_EVAL = True  # else what is no number in a file of a basis set is run as a program

_DEF2_FIRST_ECP = 37  # Rb; lighter elements of the def2 family are all-electron


def build_mole(cluster: Cluster, method: DFTMethod) -> Any:
    """Build the PySCF molecule, independent of the working directory's and the user's PySCF settings.

    Raises
    ------
    InputError
        For an unknown functional, basis set or ECP, a name that is also that of a file here, an omega for a functional
        without range separation, a basis set without one of the elements, or an ECP that was asked for by name and
        exists for none of them.
    """
    check_functional(method.functional)
    refuse_ambiguous("ano")  # PySCF's initial guess loads it
    if method.omega is not None and not range_separation(method):
        raise InputError(
            f"the functional {method.functional!r} has no range separation, but omega = {method.omega} was given",
            fix='leave omega away, or take a range-separated hybrid such as "lc_wpbe" or "cam-b3lyp"',
        )
    elements = sorted(set(cluster.symbols), key=atomic_number)
    overrides = dict(method.basis_overrides)
    for element in overrides:
        atomic_number(element)
    names = {element: overrides.get(element, method.basis) for element in elements}
    basis = {element: _load_basis(name, element) for element, name in names.items()}
    ecp = {}
    for element in elements:
        potential = _load_ecp(method.ecp, names[element], element)
        if potential is not None:
            ecp[element] = potential
    if method.ecp not in (None, "auto") and not ecp:
        raise InputError(
            f"the ECP {method.ecp!r} exists for none of the elements {', '.join(elements)}",
            why="the calculation would silently treat all electrons",
            fix='use ecp = "auto" for the one that belongs to the basis set, or correct the name',
        )
    mole = gto.Mole()
    mole.build(
        dump_input=False,
        parse_arg=False,
        atom=[(s, tuple(x)) for s, x in zip(cluster.symbols, cluster.coords, strict=True)],
        unit="Bohr",
        basis=basis,
        ecp=ecp,
        charge=cluster.charge,
        spin=cluster.multiplicity - 1,
        cart=method.cartesian,
        symmetry=False,
        verbose=0,
        max_memory=4000,
    )
    return mole


def check_functional(name: str) -> None:
    """Check that libxc, through PySCF, knows the functional, and that it is local but for exact exchange.

    Raises
    ------
    InputError
        If it does not, if the functional depends on the density's Laplacian or has non-local correlation, or if the
        name holds a dispersion correction.
    """
    if name.lower() == "hf":
        return
    if found := re.search("-d[34]", name.lower()):
        plain = name[: found.start()]
        if plain.lower() in ("b97", "b97m", "wb97x", "wb97m"):  # other functionals than those with the ending
            fix = 'use another, such as "b97-d" or "cam-b3lyp", with dispersion = "d3bj"'
        else:
            fix = f'use functional = "{plain}" with dispersion = "{"d4" if "4" in found[0] else "d3bj"}"'
        raise InputError(
            f"the functional {name!r} holds a dispersion correction in its name",
            why="it is a setting of its own, which the report names",
            fix=fix,
        )
    try:
        dft.libxc.parse_xc(name)
        kind = dft.libxc.xc_type(name)
    except (KeyError, ValueError, NotImplementedError) as error:
        raise InputError(
            f"unknown functional {name!r}",
            why=str(error).strip("'\""),
            fix='use a PySCF name such as "pbe0", "cam-b3lyp", "b3lyp", "hyb_gga_xc_wb97x_d" or "hf"',
        ) from error
    if dft.libxc.needs_laplacian(name):
        raise InputError(
            f"the functional {name!r} depends on the Laplacian of the density",
            why="its potential is not available",
            fix='use another meta-GGA, such as "tpssh", "r2scan" or "m06-2x"',
        )
    if kind == "HF":
        raise InputError(
            f"the functional {name!r} is exact exchange and nothing else", fix='use "hf" for Hartree-Fock'
        )
    if dft.libxc.is_nlc(name):
        raise InputError(
            f"the functional {name!r} has a non-local correlation part (VV10)",
            why="its response kernel is not available",
            fix='use "hyb_gga_xc_wb97x_d" or "cam-b3lyp" for a range-separated hybrid',
        )


def is_meta_gga(name: str) -> bool:
    """Whether a functional that `check_functional` let pass depends on the orbitals' kinetic energy density."""
    return name.lower() != "hf" and dft.libxc.xc_type(name) == "MGGA"


_LACKS_ITS_DISPERSION = ("wb97xd", "hybggaxcwb97xd", "b97d", "ggaxcb97d")


def lacks_its_dispersion(name: str) -> bool:
    """Whether a dispersion correction belongs to the functional that libxc, and so the energy, is without."""
    return re.sub("[-_]", "", name.lower()) in _LACKS_ITS_DISPERSION


def mean_field_functional(name: str) -> str:
    """The functional's name for PySCF's mean fields, which refuse "wb97x-d" for its dispersion though libxc has it."""
    return "hyb_gga_xc_wb97x_d" if name.lower() in ("wb97x-d", "wb97x_d") else name


def range_separation(method: DFTMethod) -> float:
    """The range-separation parameter in 1/bohr, 0 for a functional without."""
    if method.functional.lower() == "hf":
        return 0.0
    omega = float(dft.libxc.rsh_coeff(method.functional)[0])
    return omega if method.omega is None or not omega else method.omega


def refuse_ambiguous(name: str) -> None:
    """Refuse the name of a basis set or ECP that is also that of a file in the working folder.

    PySCF would take the file. Which one is meant must not depend on the folder where the program is started, so a file
    is named with its folder.

    Raises
    ------
    InputError
        If there is a file of that name.
    """
    name = name.partition("@")[0]  # what follows is PySCF's truncation of contractions
    if os.sep not in name and os.path.isfile(name):
        raise InputError(
            f"{name!r} may be the basis set or ECP of that name, or the file in this folder",
            why="the file would be taken here, and the basis set of that name in another folder",
            fix=f"give {os.path.join('.', name)!r} for the file; rename it, or start in another folder, for the name",
        )


def _load_basis(name: str, element: str) -> Any:
    refuse_ambiguous(name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return gto.basis.load(name, element)
    except (KeyError, RuntimeError, OSError, AttributeError, ValueError) as error:
        if _basis_exists(name):
            raise InputError(
                f"the basis set {name!r} has no functions for {element}",
                why="every element of the cluster needs basis functions",
                fix=f'choose another basis, or override it: basis_overrides = [["{element}", "def2-svp"]]',
            ) from error
        raise InputError(
            f"unknown basis set {name!r}",
            why="the file is missing or not in NWChem's format"
            if os.sep in name
            else "PySCF has no basis set of this name",
            fix='use a name such as "def2-svp", "def2-tzvp", "cc-pvdz", "6-31g*" or "sto-3g"',
        ) from error


def _basis_exists(name: str) -> bool:
    for element in ("H", "C", "Fe", "Au"):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                gto.basis.load(name, element)
        except (KeyError, RuntimeError, OSError, AttributeError, ValueError):
            continue
        return True
    return False


def _load_ecp(request: str | None, basis_name: str, element: str) -> Any | None:
    if request is None:
        if _load_ecp("auto", basis_name, element) is not None:
            raise InputError(
                f"the basis set {basis_name!r} describes only the valence electrons of {element}",
                why="without its ECP it cannot hold all electrons",
                fix='use ecp = "auto", or an all-electron basis set',
            )
        return None
    name = request
    if request == "auto":
        compact = basis_name.lower().replace("-", "").replace("_", "")
        if compact.startswith(("def2", "madef2")):
            if atomic_number(element) < _DEF2_FIRST_ECP:
                return None
            name = "def2-svp"
        else:
            name = basis_name
    return load_potential(name, element)


def load_potential(name: str, element: str) -> Any | None:
    """The ECP of that name for an element, in PySCF's form, whose first item is the number of electrons it replaces."""
    refuse_ambiguous(name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            potential = gto.basis.load_ecp(name, element)
    except (KeyError, RuntimeError, OSError, AttributeError, ValueError):
        return None
    return potential or None


def ao_atoms(mole: Any) -> np.ndarray:
    """The atom of each AO, (nao,)."""
    return np.repeat(np.arange(mole.natm), np.diff(mole.aoslice_by_atom()[:, 2:], axis=1)[:, 0])


def num_threads() -> int:
    """Threads that PySCF and its BLAS use."""
    return int(lib.num_threads())
