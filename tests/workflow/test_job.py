import dataclasses

import pytest

from cluster_qc.errors import InputError
from cluster_qc.model import Cluster, DFTMethod, Fragment, TDDFTMethod
from cluster_qc.units import electronvolt
from cluster_qc.workflow.job import Method, States, load_job
from cluster_qc.workflow.presets import PRESETS

WATER = "3\n\nO 0.0 0.0 0.117\nH 0.0 0.757 -0.470\nH 0.0 -0.757 -0.470\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "water.xyz").write_text(WATER)
    return tmp_path


def job_file(folder, text, structure='structure = "water.xyz"\n'):
    path = folder / "job.toml"
    path.write_text(structure + text)
    return path


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_are_valid_jobs(folder, preset):
    job = load_job(folder / "water.xyz", preset=preset)
    asked = PRESETS[preset]["singlets"]
    assert job.singlets.nstates == asked.get("nstates")
    if job.singlets.nstates is None:
        assert job.singlets.window == pytest.approx(asked["window_ev"] * electronvolt)
    assert job.triplets.spin == "triplet"
    assert not job.singlets.tda
    assert job.dft_method(Cluster("he", ("He",), [[0, 0, 0]]), ()).functional == "pbe0"


def test_standard_is_the_default_and_results_go_to_the_name(folder):
    job = load_job(folder / "water.xyz")
    assert job.preset == "standard"
    assert job.directory.parts[-2:] == ("results", "water")


def test_a_range_separation_reaches_the_method(folder):
    job = load_job(job_file(folder, '[method]\nfunctional = "lc_wpbe"\nomega = 0.2\n'))
    method = job.dft_method(Cluster("he", ("He",), [[0, 0, 0]]), ())
    assert (method.functional, method.omega) == ("lc_wpbe", 0.2)


def test_options_go_before_file_and_file_before_preset(folder):
    text = (
        'preset = "quick"\n[method]\nbasis = "sto-3g"\ngrid_level = 2\n'
        "[singlets]\nnstates = 4\n[triplets]\nnstates = 3\n"
    )
    job = load_job(job_file(folder, text), nstates=9, functional="hf", output=folder / "out")
    method = job.dft_method(Cluster("he", ("He",), [[0, 0, 0]]), ())
    assert (method.functional, method.basis, method.grid_level) == ("hf", "sto-3g", 2)
    assert (job.singlets.nstates, job.triplets.nstates) == (9, 3)
    assert job.singlets.exchange_rank == PRESETS["quick"]["singlets"]["exchange_rank"]
    assert job.directory == folder / "out"


def test_a_window_replaces_the_number_of_states_and_the_reverse(folder):
    by_option = load_job(folder / "water.xyz", window_ev=5.5).singlets
    assert by_option.nstates is None
    assert by_option.window == pytest.approx(5.5 * electronvolt)
    windowed = job_file(folder, "[singlets]\nwindow_ev = 4.5\n")
    assert load_job(windowed).singlets.nstates is None
    numbered = load_job(windowed, nstates=3).singlets
    assert (numbered.nstates, numbered.window) == (3, None)


def test_none_switches_off_and_overrides_take_both_spellings(folder):
    for overrides in ('{O = "def2-tzvp"}', '[["O", "def2-tzvp"]]'):
        text = f'[method]\necp = "none"\nbasis_overrides = {overrides}\n[singlets]\nfrozen_below = "none"\n'
        job = load_job(job_file(folder, text))
        method = job.dft_method(Cluster("he", ("He",), [[0, 0, 0]]), ())
        assert method.ecp is None
        assert method.basis_overrides == (("O", "def2-tzvp"),)
        assert job.singlets.frozen_below is None
        assert job.singlets.virtual_above == PRESETS["standard"]["singlets"]["virtual_above"]


def test_reference_puts_the_better_basis_on_metals_and_donors(folder):
    fragments = (Fragment("metal core", (0,)), Fragment("donors", (1,)))
    cluster = Cluster("aus", ("Au", "S", "H"), [[0, 0, 0], [0, 0, 4], [0, 3, 4]], fragments=fragments)
    job = load_job(folder / "water.xyz", preset="reference")
    assert job.dft_method(cluster, ("S",)).basis_overrides == (("Au", "def2-tzvp"), ("S", "def2-tzvp"))
    own = load_job(folder / "water.xyz", preset="reference", basis="def2-svp")
    assert own.dft_method(cluster, ("S",)).basis_overrides == ()


def test_experiment(folder):
    reference = load_job(job_file(folder, '[experiment]\nhomo_ev = -5.5\nsource = "here"\n')).experiment
    assert reference.homo == pytest.approx(-5.5 * electronvolt)
    assert reference.reference_level == "vacuum"
    assert reference.source == "here"


@pytest.mark.parametrize(
    ("text", "what", "fix"),
    [
        (
            "[method]\nfunctionl = 'pbe0'\n",
            "unknown key method.functionl; did you mean 'functional'?",
            "basis",
        ),
        ("prest = 'quick'\n", "unknown key prest; did you mean 'preset'?", "structure"),
        ("[experiment]\nhomo_ev = -6.0\nshift = 1.0\n", "unknown key experiment.shift", "homo_ev"),
        ("[nonsense]\nx = 1\n", "unknown key nonsense", "method"),
        ("[singlets]\nnstates = 'many'\n", "singlets.nstates: ", ""),
        ("[singlets]\nnstates = -3\n", r"\[singlets\] nstates is -3", "1 or more"),
        ("[singlets]\nfrozen_below = 'all'\n", "singlets.frozen_below: ", ""),
        ("[triplets]\ntolerance = 7.0\n", r"\[triplets\] tolerance is 7.0", ""),
        ("preset = 'fast'\n", "preset: ", ""),
        ("[spectrum]\nfwhm_ev = 0.0\n", "spectrum.fwhm_ev: ", ""),
        ("[experiment]\nhomo_ev = 6.0\n", "experiment.homo_ev: ", ""),
        ("[experiment]\n", "the key experiment.homo_ev is missing", ""),
        ("[method\n", "not a TOML file: .*line 2", "syntax"),
    ],
)
def test_mistakes_name_file_key_and_remedy(folder, text, what, fix):
    path = job_file(folder, text)
    with pytest.raises(InputError, match=what) as caught:
        load_job(path)
    assert str(path) in caught.value.what
    assert fix in caught.value.fix


def test_missing_structure_in_a_job(folder):
    with pytest.raises(InputError, match="the key structure is missing"):
        load_job(job_file(folder, "", structure=""))
    with pytest.raises(InputError, match=r"job\.toml: structure: no such file.*water\.xyz exists"):
        load_job(job_file(folder, "", structure='structure = "watr.xyz"\n'))


def test_binary_file_is_no_toml(folder):
    (folder / "job.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not a TOML file"):
        load_job(folder / "job.toml")


def test_unknown_preset_option(folder):
    with pytest.raises(InputError, match="did you mean 'quick'"):
        load_job(folder / "water.xyz", preset="quik")


def test_a_basis_set_of_ones_own_is_relative_to_the_job_file(folder, monkeypatch):
    text = (
        '[method]\nbasis = "./own.nw"\necp = "sub/own.ecp"\nauxiliary_basis = "def2-universal-jkfit"\n'
        'basis_overrides = {H = "sto-3g", O = "./own.nw@2s1p"}\n'
    )
    file = job_file(folder, text)
    monkeypatch.chdir(folder.parent)
    (folder / "sub").mkdir()
    for path in (file, file.relative_to(folder.parent), folder / "sub" / ".." / file.name):
        method = load_job(path).dft_method(Cluster("he", ("He",), [[0, 0, 0]]), ())
        assert (method.basis, method.ecp) == (str(folder / "own.nw"), str(folder / "sub" / "own.ecp"))
        assert method.auxiliary_basis == "def2-universal-jkfit"
        assert dict(method.basis_overrides) == {"H": "sto-3g", "O": str(folder / "own.nw@2s1p")}
    # That of an option is relative to where the command runs, as all paths of a command line are.
    method = load_job(file, basis="./other.nw").dft_method(Cluster("he", ("He",), [[0, 0, 0]]), ())
    assert method.basis == str(folder.parent / "other.nw")


def test_a_job_file_can_set_all_that_the_methods_have():
    def names(kind):
        return {field.name for field in dataclasses.fields(kind)}

    assert set(Method.model_fields) == names(DFTMethod) - {"permittivity"}  # of `levels`
    assert set(States.model_fields) == names(TDDFTMethod) - {"spin", "window"} | {"window_ev"}
