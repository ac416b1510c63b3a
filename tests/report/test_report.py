import base64
import re

import pytest

from cluster_qc.errors import InputError, StorageError
from cluster_qc.report import text_report, write_page

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


def test_page_is_self_contained_and_runs_no_script(summary, tmp_path):
    (tmp_path / "cd.png").write_bytes(PNG)
    html = page(summary, tmp_path, {"cd": tmp_path / "cd.png", "S1 <hole>": tmp_path / "cd.png"})
    assert not re.search(r"<script|https?://|<link|@import", html)
    assert html.count('src="data:image/png;base64,') == html.count("<img") == 2
    assert "S1 &lt;hole&gt;" in html


def test_everything_is_escaped(summary, tmp_path):
    html = page(summary, tmp_path)
    assert "cluster &lt;one&gt; &amp; only" in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "Mind &lt;this&gt;." in html


def test_tags_are_balanced(summary, tmp_path):
    html = page(summary, tmp_path)
    for tag in ("div", "table", "tr", "td", "th", "p", "h2", "h3", "span", "ul", "li"):
        assert len(re.findall(rf"<{tag}[ >]", html)) == html.count(f"</{tag}>"), tag


def test_an_absent_value_is_a_dash_with_its_reason_never_zero(summary, tmp_path):
    html = page(summary, tmp_path)
    assert "<td>\N{EN DASH}<sup>a</sup></td>" in html or "<td>\N{EN DASH}<sup>b</sup></td>" in html
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
    assert max(map(len, text.splitlines())) <= 120


def test_shares_by_element_stand_in_for_missing_fragments(summary, tmp_path):
    summary["ntos"]["S1"] |= {
        "hole": {},
        "electron": {},
        "hole_elements": {"Au": 0.7},
        "electron_elements": {"Au": 0.2},
    }
    assert "<th>Element</th>" in page(summary, tmp_path)
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
