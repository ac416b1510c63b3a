"""The pages in a real browser: Chromium without a screen, WebGL by software."""

from __future__ import annotations

import base64
import copy
import csv
import io
import json
import shutil

import numpy as np
import pytest

from cluster_qc.model import Cluster
from cluster_qc.model.volume import Mesh, OrbitalSurface
from cluster_qc.report import write_comparison, write_page
from cluster_qc.report.viewer import surfaces_data
from cluster_qc.units import angstrom

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium (extra test) is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None, reason="needs Debian's packages chromium and chromium-driver"
)

HOSTILE = "<script>alert(1)</script>"
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
)  # fmt: skip
CLUSTER = Cluster(
    HOSTILE,
    ("Au", "Cu", "S", "H"),
    np.array([[0, 0, 0], [2.85, 0, 0], [0, 2.3, 0], [0, 3, 1.1]]) * angstrom,
    charge=1,
)
CURVE = "energy_ev,wavelength_nm,{}\n" + "".join(
    f"{e:.3f},{1239.842 / e:.2f},{80 * np.sin(5 * e):.4f}\n" for e in np.linspace(2.5, 4.5, 60)
)
STRENGTHS = [-12.345, 30.5, None, 4.0]


def octahedron(centre):
    points = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]]) * 2.0
    faces = [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]]
    return Mesh(points + centre, faces)


def summary():
    states = [
        {
            "label": f"S{i}",
            "energy_ev": 2.9 + 0.3 * i,
            "wavelength_nm": 1239.842 / (2.9 + 0.3 * i),
            "error_estimate_ev": 1e-4,
            "oscillator_strength": 0.1 / i,
            "rotatory_strength_length_cgs": STRENGTHS[i - 1],
            "rotatory_strength_velocity_cgs": None,
            "route": HOSTILE if i > 1 else "reference",
        }
        for i in range(1, 5)
    ]
    shares = {"metal core": 0.6, HOSTILE: 0.4}
    return {
        "schema_version": 1,
        "name": HOSTILE,
        "structure": {"formula": "AuCuHS", "natom": 4, "charge": 1, "multiplicity": 1, "source": HOSTILE},
        "method": {"functional": HOSTILE, "basis": "def2-svp", "singlets": {"nstates": 4}},
        "levels": {
            "homo_ev": -6.2, "lumo_ev": -1.5, "gap_ev": 4.7, "occupied_ev": [-6.9, -6.2], "virtual_ev": [-1.5, -1.1],
            "shares": {"homo": shares, "lumo": shares},
        },
        "singlets": states,
        "ntos": {"S1": {"weights": [0.93], "hole": shares, "electron": shares, "character": HOSTILE,
                         "character_shares": {"mlct": 0.1, "lmct": 0.5, "mc": 0.15, "lc": 0.25}}},
        "cd": {
            "fwhm_ev": 0.3, "shift_ev": 0.0, "gauge": "length",
            "bands": [{"wavelength_nm": 351.2, "delta_epsilon_lmolcm": 75.0}],
            "measured_bands": [{"wavelength_nm": 360.0, "sign": -1}], "measured_source": HOSTILE,
        },
        "alignment": {"homo_ev": -6.2, "measured_homo_ev": -6.0, "deviation_ev": -0.2, "tolerance_ev": 0.3,
                      "agrees": True, "measured_uncertainty_ev": None},
        "convergence": {
            "scf": [
                {"stage": stage, "energy_hartree": -100.0 - i, "gradient_hartree": 0.1**i}
                for i, stage in enumerate(["coarse", "coarse", HOSTILE, "final"])
            ],
            "triplets": None,
            "singlets": [
                {"operator": name, "vectors": HOSTILE, "largest_residual_hartree": size, "converged": i, "wanted": 2}
                for i, (name, size) in enumerate([("model", 0.1), (HOSTILE, 0.05), ("full", 0.03)])
            ],
        },
        "converged": True,
        "warnings": [HOSTILE],
        "timings_s": {"scf": 812.4},
        "provenance": {"input_hash": 64 * "f", "versions": {"cluster_qc": "0.1.0"}},
    }  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    (folder / "cd.csv").write_text(CURVE.format("delta_epsilon_lmolcm"))
    (folder / "absorption.csv").write_text(CURVE.format("epsilon_lmolcm"))
    surfaces = surfaces_data(
        {
            name: OrbitalSurface(0.7, 0.03, octahedron([0, 0, 3.0]), octahedron([0, 0, -3.0]))
            for name in ("homo", "lumo", "s1_hole", "s1_electron")
        }
    )
    curves = {name: folder / f"{name}.csv" for name in ("cd", "absorption")}
    write_page(summary(), folder / "page.html", cluster=CLUSTER, curves=curves, surfaces=surfaces)
    write_page(summary(), folder / "bare.html")
    other = copy.deepcopy(summary()) | {"name": "a long name_of a second-job, with more words"}
    write_comparison([(HOSTILE, summary(), folder), (other["name"], other, folder)], folder / "both.html")
    return folder


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def opened(browser, folder):
    """Open a page at a size; at the end nothing has been fetched and the console is clean."""

    def open_page(name, width=1280, height=900):
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        browser.get((folder / name).as_uri())
        return browser

    browser.get_log("browser"), browser.get_log("performance")
    yield open_page
    console = [entry["message"] for entry in browser.get_log("browser")]
    # What the software renderer says of its own speed.
    assert [text for text in console if "GL Driver Message" not in text] == []
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    fetched = [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]
    assert [url for url in fetched if url.startswith(("http", "ws"))] == []
    assert any(url.endswith(".html") for url in fetched)


def column(browser, index):
    script = "return [...document.querySelectorAll('#singlets tbody tr')].map(r => r.cells[arguments[0]].innerText)"
    return browser.execute_script(script, index)


def click(browser, selector):
    browser.find_element("css selector", selector).click()


def pixels(browser):
    """How many pixels of the viewer are red (copper and gold are not), and how many blue."""
    return browser.execute_script(
        """
        const gl = document.querySelector('#viewer canvas');
        const flat = document.createElement('canvas');
        [flat.width, flat.height] = [gl.width, gl.height];
        const context = flat.getContext('2d');
        context.drawImage(gl, 0, 0);
        const data = context.getImageData(0, 0, flat.width, flat.height).data;
        let [red, blue] = [0, 0];
        for (let i = 0; i < data.length; i += 4) {
          if (data[i] - data[i + 1] > 30 && data[i + 2] > data[i + 1] - 8) red += 1;
          if (data[i + 2] - data[i] > 30) blue += 1;
        }
        return [red, blue];
        """
    )


def test_text_from_the_input_is_text(opened):
    browser = opened("page.html")
    assert browser.title == HOSTILE
    assert browser.find_element("css selector", "h1").text == HOSTILE
    assert browser.find_element("css selector", ".warnings li").text == HOSTILE
    # A dialog would make every further command fail; the page's own scripts are the only ones.
    assert (
        browser.execute_script("return [...document.scripts].filter(s => s.text === 'alert(1)').length") == 0
    )


def test_the_policy_stops_a_script_that_is_not_the_page_s(browser, folder):
    browser.get((folder / "page.html").as_uri())
    found = browser.execute_script(
        """
        const script = document.createElement('script');
        script.text = 'window.broken = 1';
        document.body.append(script);
        return window.broken === undefined;
        """
    )
    assert found is True
    browser.get_log("browser")


def test_table_sorts_by_any_column_with_absent_values_last(opened):
    browser = opened("page.html")
    head = "#singlets th:nth-child({}) button"
    assert column(browser, 0) == ["S1", "S2", "S3", "S4"]
    click(browser, head.format(6))
    assert column(browser, 0) == ["S1", "S4", "S2", "S3"]
    click(browser, head.format(6))
    assert column(browser, 0) == ["S2", "S4", "S1", "S3"]
    click(browser, head.format(4))
    assert column(browser, 0) == ["S4", "S3", "S2", "S1"]
    states = browser.find_elements("css selector", "#singlets th[aria-sort]")
    assert [state.get_attribute("aria-sort") for state in states] == ["ascending"]


def test_orbitals_are_switched_and_turned(opened):
    browser = opened("page.html")
    viewer = browser.find_element("css selector", "#viewer")
    red, blue = pixels(browser)
    click(browser, "button[data-orbital=homo]")
    with_orbital = pixels(browser)
    assert with_orbital[0] > red + 500
    assert with_orbital[1] > blue + 500
    assert (
        "HOMO, \N{MINUS SIGN}6.20 eV. The surfaces enclose 70 %"
        in browser.find_element("id", "viewer-caption").text
    )
    click(browser, "button[data-orbital=s1_electron]")
    assert viewer.get_attribute("data-orbital") == "s1_electron"
    assert "weight 0.93" in browser.find_element("id", "viewer-caption").text
    pressed = browser.find_elements("css selector", "button[data-orbital][aria-pressed=true]")
    assert [button.text for button in pressed] == ["S1 electron"]
    picture = "return document.querySelector('#viewer canvas').toDataURL()"
    before = browser.execute_script(picture)
    viewer.send_keys(webdriver.Keys.ARROW_LEFT)
    turned = browser.execute_script(picture)
    assert turned != before
    drag = webdriver.ActionChains(browser).move_to_element(viewer).click_and_hold().move_by_offset(80, 20)
    drag.release().perform()
    assert browser.execute_script(picture) != turned
    click(browser, "button[data-orbital='']")
    assert viewer.get_attribute("data-orbital") == ""


def test_a_finger_turns_the_molecule(opened):
    browser = opened("page.html", 390, 844)
    browser.execute_script("document.getElementById('viewer').scrollIntoView({block: 'center'})")
    box = browser.find_element("id", "viewer").rect
    x, y = box["x"] + 60, box["y"] - browser.execute_script("return scrollY") + 60
    picture = "return document.querySelector('#viewer canvas').toDataURL()"
    before = browser.execute_script(picture)
    for kind, dx in (("touchStart", 0), ("touchMove", 40), ("touchMove", 90)):
        browser.execute_cdp_cmd(
            "Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x + dx, "y": y}]}
        )
    browser.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert browser.execute_script(picture) != before


def test_without_webgl_the_page_says_so(opened, browser):
    broken = "HTMLCanvasElement.prototype.getContext = () => null"
    added = browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": broken})
    try:
        opened("page.html")
        assert "no three-dimensional graphics" in browser.find_element("id", "viewer-caption").text
        assert browser.find_elements("css selector", "#viewer, button[data-orbital]") == []
        assert browser.find_elements("css selector", "#chart-cd svg")
    finally:
        browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)


def test_charts_show_the_numbers_of_the_files(opened, folder):
    browser = opened("page.html")
    rows = list(csv.DictReader(io.StringIO((folder / "cd.csv").read_text())))
    traces = browser.execute_script(
        "return document.getElementById('chart-cd').data.map(t => [t.name || '', Array.from(t.x), Array.from(t.y)])"
    )
    assert traces[0][2] == [float(row["delta_epsilon_lmolcm"]) for row in rows]
    assert traces[0][1] == pytest.approx([1239.841984 / float(row["energy_ev"]) for row in rows])
    assert traces[2][2] == [strength for strength in STRENGTHS if strength is not None]
    click(browser, "button[data-axis=ev]")
    energies = browser.execute_script("return Array.from(document.getElementById('chart-cd').data[0].x)")
    assert energies == pytest.approx([float(row["energy_ev"]) for row in rows])
    browser.execute_script("document.getElementById('chart-cd').scrollIntoView({block: 'center'})")
    chart = browser.find_element("css selector", "#chart-cd .nsewdrag")
    webdriver.ActionChains(browser).move_to_element(chart).perform()
    hover = browser.find_elements("css selector", "#chart-cd .hoverlayer text")
    assert any("nm" in text.text and "eV" in text.text for text in hover)
    assert "HOMO" in browser.find_element("id", "chart-levels").text


def test_noise_of_an_achiral_molecule_is_a_line(opened, folder):
    noise = "".join(f"{2 + 0.1 * i:.1f},{1e-6 * (-1) ** i}\n" for i in range(30))
    (folder / "noise.csv").write_text("energy_ev,delta_epsilon_lmolcm\n" + noise)
    write_page({}, folder / "achiral.html", curves={"cd": folder / "noise.csv"})
    browser = opened("achiral.html")
    shown = browser.execute_script("return document.getElementById('chart-cd').layout.yaxis.range")
    assert shown == [-0.01, 0.01]


def test_every_cycle_is_drawn_and_listed(opened):
    browser = opened("page.html")
    drawn = "return document.getElementById(arguments[0]).data.map(t => t.y)"
    gradients, distances = browser.execute_script(drawn, "chart-scf")
    assert gradients == pytest.approx([1.0, 0.1, 0.01, 0.001])
    assert distances == [3.0, 2.0, 1.0, None]  # the last one is the result
    assert browser.execute_script(drawn, "chart-tddft") == [pytest.approx([0.1, 0.05, 0.03])]
    click(browser, "#convergence summary")
    text = browser.find_element("id", "convergence").text
    for shown in (
        "triplets: cycles not kept",
        "\N{MINUS SIGN}103.00000000",
        "1.0e\N{MINUS SIGN}3",
        "2/2",
        HOSTILE,
    ):
        assert shown in text, shown


def test_a_dark_page_prints_dark_on_white(opened, browser):
    dark = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", dark)
    ink = "return document.getElementById('chart-cd').layout.font.color"
    try:
        opened("page.html")
        on_screen = browser.execute_script(ink)
        browser.execute_script("dispatchEvent(new Event('beforeprint'))")
        on_paper = browser.execute_script(ink)
        browser.execute_script("dispatchEvent(new Event('afterprint'))")
        assert browser.execute_script(ink) == on_screen
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert brightness(on_screen) > 200
    assert brightness(on_paper) < 60


def brightness(colour):
    return max(bytes.fromhex(colour.removeprefix("#")))


def test_downloads_hold_what_the_page_was_made_of(opened, folder):
    browser = opened("page.html")
    links = {
        link.get_attribute("download"): base64.b64decode(
            link.get_attribute("href").partition("base64,")[2]
        ).decode()
        for link in browser.find_elements("css selector", "a[download]")
    }
    assert json.loads(links["summary.json"]) == summary()
    assert links["cd.csv"] == (folder / "cd.csv").read_text()
    states = list(csv.DictReader(io.StringIO(links["singlets.csv"])))
    assert [float(state["energy_ev"]) for state in states] == [s["energy_ev"] for s in summary()["singlets"]]
    assert links["structure.xyz"].startswith("4\n")


@pytest.mark.parametrize("name", ["page.html", "bare.html", "both.html"])
def test_nothing_is_wider_than_a_phone(opened, name):
    browser = opened(name, 390, 844)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 390
    # Only what scrolls by itself may hold something wider.
    wide = browser.execute_script(
        """
        return [...document.querySelectorAll('main *, header *, .warnings *')]
          .filter(e => e.getBoundingClientRect().right > 391 && !e.closest('.scroll, pre, .chart, #viewer'))
          .map(e => e.outerHTML.slice(0, 80));
        """
    )
    assert wide == []


def test_a_page_without_molecule_and_curves_has_its_tables(opened):
    browser = opened("bare.html")
    assert column(browser, 0) == ["S1", "S2", "S3", "S4"]
    assert browser.find_elements("id", "viewer") == []


def test_without_scripts_the_numbers_are_there(opened):
    opened("bare.html").execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser = opened("page.html")
        text = browser.find_element("css selector", "body").text
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    for shown in ("\N{MINUS SIGN}6.20", "+30.50", "351.2", "60 %", "14 min"):
        assert shown in text, shown
    assert "Reset view" not in text


def test_comparison_overlays_and_lines_up(opened):
    browser = opened("both.html")
    assert browser.execute_script("return document.getElementById('chart-cd').data.length") == 2
    ticks = browser.execute_script(
        "return document.getElementById('chart-levels').layout.xaxis.ticktext.length"
    )
    assert ticks == 3  # two jobs and one measurement that both have
    heads = browser.find_elements("css selector", "#numbers thead th")
    assert heads[1].text == HOSTILE
