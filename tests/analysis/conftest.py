from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def fabricate():
    spec = spec_from_file_location("fabricate", Path(__file__).parents[1] / "analysis" / "fabricate.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def synthetic():
    spec = spec_from_file_location("measured_spectra", Path(__file__).with_name("measured_spectra.py"))
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
