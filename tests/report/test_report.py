import base64
import copy
import csv
import hashlib
import json
import re

import numpy as np
import pytest

from cluster_qc.errors import InputError, StorageError
from cluster_qc.model.volume import Mesh, OrbitalSurface
from cluster_qc.report import text_report, write_comparison, write_page
from cluster_qc.report.document import script_json
from cluster_qc.report.viewer import surface_data
from cluster_qc.units import angstrom

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@pytest.fixture
def summary():
    state = {
        "label": "S1",
        "energy_ev": 2.9,
        "wavelength_nm": 427.53,
        "error_estimate_ev": 4e-4,
        "oscillator_strength": 0.1761,
        "rotatory_strength_length_cgs": -12.345,
        "rotatory_strength_velocity_cgs": None,
        "route": "reference",
    }
    shares = {"core": 0.6, "backbone": 0.4}
    return {
        "schema_version": 1,
        "name": "cluster <one> & only",
        "structure": {
            "formula": "C4H4Au2",
            "natom": 10,
            "charge": 0,
            "multiplicity": 1,
            "cip": ["R"],
            "core_handedness": None,
            "mean_distance_angstrom": {"Au-Cu": 2.847},
        },
        "method": {"functional": "pbe0", "basis": "def2-svp", "conv_tol": 1e-8, "ecp": None},
        "levels": {
            "homo_ev": -6.2,
            "lumo_ev": -1.5,
            "gap_ev": 4.7,
            "shares": {"homo": shares, "lumo": shares},
        },
        "singlets": [state],
        "triplets": [
            {k: state[k] for k in ("energy_ev", "wavelength_nm", "error_estimate_ev", "route")}
            | {"label": "T1"}
        ],
        "ntos": {
            "S1": {
                "weights": [0.93],
                "hole": shares,
                "electron": shares,
                "homo_lumo_weight": 0.91,
                "character": "LC/MLCT",
                "character_shares": {"mlct": 0.3, "lmct": 0.1, "mc": 0.2, "lc": 0.4},
            }
        },
        "cd": {
            "fwhm_ev": 0.3,
            "shift_ev": 0.0,
            "bands": [{"wavelength_nm": 351.2, "delta_epsilon_lmolcm": 12.3}],
            "csv": "cd.csv",
        },
        "alignment": {
            "homo_ev": -6.2,
            "measured_homo_ev": -6.0,
            "deviation_ev": -0.2,
            "tolerance_ev": 0.3,
            "agrees": True,
            "lumo_ev": -1.5,
            "ionization_energy_ev": 6.2,
            "measured_uncertainty_ev": None,
            "caveat": "Mind <this>.",
        },
        "converged": True,
        "warnings": ["one <script>alert(1)</script> conformer"],
        "reasons": {"rotatory_strength_velocity_cgs": "No commutator with the ECP."},
        "timings_s": {"scf": 812.4, "singlets": 9321.0},
        "peak_memory_gib": 3.21,
        "provenance": {"cluster_qc": "0.1.0"},
    }


def page(summary, tmp_path, figures=None):
    write_page(summary, tmp_path / "page.html", figures)
    return (tmp_path / "page.html").read_text(encoding="utf-8")


CURVE = "# cd simulated\nenergy_ev,wavelength_nm,delta_epsilon_lmolcm\n2.5,495.94,-1.5\n2.6,476.86,2.25\n"


def own(html):
    """The page without its scripts and style."""
    return re.sub(r"<(script|style)[^>]*>.*?</\1>", "", html, flags=re.DOTALL)


def test_page_holds_all_it_needs(summary, tmp_path):
    (tmp_path / "cd.png").write_bytes(PNG)
    html = page(summary, tmp_path, {"cd": tmp_path / "cd.png", "S1 <hole>": tmp_path / "cd.png"})
    assert not re.search(r"src=\"(?!data:)|<link|@import|https?://", own(html))
    assert html.count('src="data:image/png;base64,') == own(html).count("<img") == 2
    assert "S1 &lt;hole&gt;" in html


def test_the_policy_names_the_scripts_of_the_page_and_no_other(summary, tmp_path):
    html = page(summary, tmp_path)
    scripts = re.findall(r"<script>(.*?)</script>", html, flags=re.DOTALL)
    digests = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts]
    policy = re.search(r"script-src ([^;]*);", html).group(1)
    assert policy.split() == [f"'sha256-{digest}'" for digest in digests]
    assert "default-src 'none'" in html


def test_no_text_can_end_the_script_that_holds_it():
    hostile = {"name": "</script><script>alert(1)</script><!--", "line": "\u2028"}
    text = script_json(hostile)
    assert not re.search("[<>&\u2028]", text)
    assert json.loads(text) == hostile


def test_downloads_hold_the_numbers_in_full(summary, tmp_path):
    (tmp_path / "cd.csv").write_text(CURVE)
    write_page(summary, tmp_path / "page.html", curves={"cd": tmp_path / "cd.csv"})
    html = (tmp_path / "page.html").read_text(encoding="utf-8")
    found = {
        name: base64.b64decode(data).decode()
        for name, data in re.findall(r'download="([^"]*)" href="data:[^,]*;base64,([^"]*)"', html)
    }
    assert json.loads(found["summary.json"]) == summary
    assert found["cd.csv"] == CURVE
    row = next(csv.DictReader(found["singlets.csv"].splitlines()))
    state = summary["singlets"][0]
    assert {key: float(row[key]) for key in row if isinstance(state[key], float)} == {
        key: value for key, value in state.items() if isinstance(value, float)
    }
    assert row["rotatory_strength_velocity_cgs"] == ""


def test_a_curve_that_is_no_table_is_refused(summary, tmp_path):
    (tmp_path / "cd.csv").write_text("energy_ev\nnot a number\n")
    with pytest.raises(InputError, match="no table of numbers"):
        write_page(summary, tmp_path / "page.html", curves={"cd": tmp_path / "cd.csv"})


def test_packed_surfaces_are_where_the_orbital_has_its_isovalue():
    vertices = np.array([[-3.0, 0, 0], [50.0, 1, 2], [7.7, -20, 4]])
    mesh, none = Mesh(vertices, [[0, 1, 2]]), Mesh(np.zeros((0, 3)), np.zeros((0, 3), dtype=int))
    data = surface_data(OrbitalSurface(0.7, 0.03, mesh, none))
    packed = data["phases"][0]
    steps = np.frombuffer(base64.b64decode(packed["vertices"]), "<u2").reshape(-1, 3)
    found = (np.array(packed["origin"]) + packed["step"] * steps) * angstrom
    # Half a step of the packing, and the origin in 0.0001 angstrom.
    assert np.abs(found - vertices).max() < (0.5 * packed["step"] + 1e-4) * angstrom
    assert np.frombuffer(base64.b64decode(packed["triangles"]), "<u2").tolist() == [0, 1, 2]
    assert data["phases"][1]["triangles"] == ""
    with pytest.raises(InputError, match="fewer triangles"):
        surface_data(OrbitalSurface(0.7, 0.03, Mesh(np.zeros((70_000, 3)), [[0, 1, 2]]), none))


def test_comparison_shows_differences_and_what_else_differs(summary, tmp_path):
    other = copy.deepcopy(summary)
    other["levels"]["homo_ev"] = -6.75
    other["method"]["basis"] = "def2-tzvp"
    other["warnings"] = ["only <b>here</b>"]
    (tmp_path / "cd.csv").write_text(CURVE)
    write_comparison([("one", summary, tmp_path), ("one", other, None)], tmp_path / "both.html")
    html = (tmp_path / "both.html").read_text(encoding="utf-8")
    assert "The methods differ in basis:" in html
    assert html.index("only &lt;b&gt;here") < html.index("<h2>")
    assert "\N{MINUS SIGN}6.750 <small>(\N{MINUS SIGN}0.550)</small>" in html
    assert "No curve: one (2) (no cd.csv there)." in html
    with pytest.raises(InputError, match="at least two"):
        write_comparison([("one", summary, None)], tmp_path / "both.html")


def test_everything_is_escaped(summary, tmp_path):
    html = page(summary, tmp_path)
    assert "cluster &lt;one&gt; &amp; only" in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "Mind &lt;this&gt;." in html


def test_tags_are_balanced(summary, tmp_path):
    html = own(page(summary, tmp_path))
    for tag in (
        "div",
        "table",
        "tr",
        "td",
        "th",
        "p",
        "h2",
        "h3",
        "span",
        "ul",
        "li",
        "section",
        "main",
        "nav",
    ):
        assert len(re.findall(rf"<{tag}[ >]", html)) == html.count(f"</{tag}>"), tag


def test_an_absent_value_is_a_dash_with_its_reason_never_zero(summary, tmp_path):
    html = page(summary, tmp_path)
    assert re.search(r'<td data-v="">\N{EN DASH}<sup>[ab]</sup></td>', html)
    assert "No commutator with the ECP." in html
    assert ">0.00<" not in html
    text = text_report(summary)
    assert "\N{EN DASH}[a]" in text
    assert "[a] No commutator with the ECP." in text


def test_warnings_come_first_and_unconverged_is_one(summary, tmp_path):
    summary["converged"] = False
    html = page(summary, tmp_path)
    assert html.index("Not converged") < html.index("conformer") < html.index("<h2>")
    assert text_report(summary).startswith("! Not converged")


def test_numbers_of_the_summary_are_there(summary, tmp_path):
    html, text = page(summary, tmp_path), text_report(summary)
    for shown in (
        "\N{MINUS SIGN}6.20",
        "\N{MINUS SIGN}12.3",
        "427.5",
        "0.1761",
        "60 %",
        "LC/MLCT",
        "2 h 35 min",
        "351.2",
    ):
        assert shown in html, shown
        assert shown in text, shown
    assert "agrees</strong>" in html
    assert max(map(len, text.splitlines())) <= 80


def test_what_numbers_mean_and_what_they_rest_on_is_told(summary, tmp_path):
    summary["method"] |= {"basis_overrides": {"Au": "def2-tzvp"}, "dispersion": "d3bj"}
    summary["conventions"] = {"cd": "epsilon(left) - epsilon(right)"}
    summary["cd"] |= {"bands": [], "shift_ev": -0.2}
    assert "epsilon(left) - epsilon(right)" in page(summary, tmp_path)
    text = text_report(summary)
    assert "pbe0/def2-svp, def2-tzvp on Au, dispersion d3bj" in text
    assert "fwhm 0.30 eV, shift \N{MINUS SIGN}0.20 eV\n  none\n" in text


def test_shares_by_element_stand_in_for_missing_fragments(summary, tmp_path):
    summary["ntos"]["S1"] |= {
        "hole": {},
        "electron": {},
        "hole_elements": {"Au": 0.7},
        "electron_elements": {"Au": 0.2},
    }
    assert '<th scope="col">Element</th>' in page(summary, tmp_path)
    assert "hole     Au 70 %" in text_report(summary)


@pytest.mark.parametrize("keep", [(), ("levels",), ("singlets", "converged"), ("cd", "alignment")])
def test_a_partial_summary_still_gives_a_page(summary, tmp_path, keep):
    partial = {key: summary[key] for key in keep} | {"ntos": None, "triplets": None}
    assert page(partial, tmp_path).endswith("</html>\n")
    assert text_report(partial)


def test_a_missing_or_wrong_figure_is_refused(summary, tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        page(summary, tmp_path, {"cd": tmp_path / "none.png"})
    (tmp_path / "no.png").write_text("text")
    with pytest.raises(InputError, match="no PNG"):
        page(summary, tmp_path, {"cd": tmp_path / "no.png"})
    with pytest.raises(StorageError):
        write_page(summary, tmp_path / "missing" / "page.html")


def test_levels_by_calculation_in_text_and_page(summary, tmp_path):
    row = {
        "name": "-IE",
        "what": "difference of <total> energies",
        "calculation": "lc_wpbe/def2-svp, tuned omega 0.1988, permittivity 3",
        "value_ev": -6.25,
        "reason": None,
        "measured_ev": -6.0,
        "deviation_ev": -0.25,
        "caveat": "mind this " * 20,
    }
    absent = row | {"value_ev": None, "deviation_ev": None, "reason": "the SCF did not converge"}
    summary["levels_by_calculation"] = {
        "rows": [row, absent],
        "measured": {"homo_ev": -6.0, "source": "a film"},
        "tuning": {"functional": "lc_wpbe", "omega_per_bohr": 0.1988, "error_ev": 0.012},
        "warnings": ["no diffuse functions"],
    }
    text = text_report(summary)
    write_page(summary, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    table = text[text.index("Levels (eV)    ") : text.index("Singlets")]
    assert max(map(len, table.splitlines())) <= 100
    for shown in (table, page):
        for part in (
            "\N{MINUS SIGN}6.25",
            "\N{MINUS SIGN}0.25",
            "\N{EN DASH}",
            "did not converge",
            "no diffuse",
            "0.1988",
            "a film",
        ):
            assert part in shown
    assert "<total>" not in page


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, "LC 40 %, MLCT 30 %, MC 20 %, LMCT 10 %; named from 25 % on, of MLCT and LMCT the larger one"),
        ({"character": "delocalised"}, "MLCT and LMCT are less than 10 % apart"),
        ({"character": None, "character_reason": "the molecule has no metals"}, "the molecule has no metals"),
    ],
)
def test_character_comes_with_its_reason(summary, tmp_path, changes, reason):
    summary["ntos"]["S1"] |= changes
    assert reason in own(page(summary, tmp_path))
    assert reason in " ".join(text_report(summary).split())
