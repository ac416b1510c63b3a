from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def fabricate():
    spec = spec_from_file_location("fabricate", Path(__file__).parents[1] / "analysis" / "fabricate.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
