import importlib
from dataclasses import replace
from itertools import combinations
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.image import imread

from cluster_qc.errors import InputError, UnavailableError
from cluster_qc.model import Cluster, Volume
from cluster_qc.plotting import orbitals
from cluster_qc.plotting.molecule import element_colour, neighbours, standard_view
from cluster_qc.plotting.orbitals import enclosing_isovalue, orbital_surface, plot_density, plot_orbital
from cluster_qc.units import angstrom

CLUSTER = Cluster(
    "model",
    ("Au", "Cu", "S", "H"),
    np.array([[0, 0, 0], [2.85, 0, 0], [0, 2.3, 0], [0, 3, 1.1]]) * angstrom,
    charge=1,
)


def p_orbital(n=41, reach=9.0):
    step = 2 * reach / (n - 1)
    axis = np.linspace(-reach, reach, n)
    x, y, z = np.meshgrid(axis, axis, axis, indexing="ij")
    values = x * np.exp(-0.5 * np.sqrt(x**2 + y**2 + z**2)) / np.sqrt(32 * np.pi)
    return Volume([-reach] * 3, step * np.eye(3), values)


@pytest.mark.parametrize("share", [0.3, 0.7, 0.95])
def test_isovalue_encloses_the_stated_share(share):
    volume = p_orbital()
    density = volume.values**2
    inside = density[np.abs(volume.values) >= enclosing_isovalue(volume, share)].sum()
    assert inside / density.sum() == pytest.approx(share, abs=0.01)


def test_isovalue_of_a_density_encloses_the_stated_share_of_both_signs():
    volume = p_orbital()  # taken as a difference of densities: as much gained as lost
    size = np.abs(volume.values)
    inside = size[size >= enclosing_isovalue(volume, 0.7, power=1)].sum()
    assert inside / size.sum() == pytest.approx(0.7, abs=0.01)


def test_nonsense_is_refused():
    with pytest.raises(InputError, match="between 0 and 1"):
        enclosing_isovalue(p_orbital(5), 70)
    with pytest.raises(InputError, match="zero everywhere"):
        enclosing_isovalue(Volume(np.zeros(3), np.eye(3), np.zeros((3, 3, 3))), 0.5)


def test_picture_shows_both_phases(tmp_path):
    pytest.importorskip("pyvista")
    image = plot_orbital(p_orbital(), CLUSTER, tmp_path / "p.png", size=(240, 200), direction=(0, 0, 1))
    assert image.shape == (200, 240, 3)
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    red, blue = image[..., 0].astype(int), image[..., 2].astype(int)
    assert (blue - red > 40).sum() > 200
    assert (red - blue > 40).sum() > 200


def phases(image):
    """Where a picture is blue, and where it is red."""
    red, blue = image[..., 0].astype(int), image[..., 2].astype(int)
    return np.stack([blue - red > 40, red - blue > 40])


def test_picture_of_the_mirror_image_is_the_mirrored_picture_whatever_the_sign():
    pytest.importorskip("pyvista")
    volume = p_orbital()
    x, y, z = np.indices(volume.values.shape) * volume.axes[0, 0] + volume.origin[0]
    values = (x + 0.5 * y + 0.3 * z + 0.4) * np.exp(-0.6 * np.sqrt(x**2 + y**2 + z**2))
    here = plot_orbital(replace(volume, values=values), CLUSTER, size=(240, 200))
    mirrored = replace(CLUSTER, coords=CLUSTER.coords * [-1, 1, 1])
    there = plot_orbital(replace(volume, values=-values[::-1]), mirrored, size=(240, 200))
    assert phases(here).sum() > 1000
    # only the edges of surfaces, whose triangles are not mirrored, and of highlights
    assert (phases(here) != phases(there)[:, :, ::-1]).mean() < 0.01
    assert (phases(here) != phases(there)).mean() > 0.05


def test_the_nearer_phase_covers_the_farther_one():
    pytest.importorskip("pyvista")
    volume = p_orbital()
    volume = replace(volume, values=volume.values.transpose(2, 1, 0))  # along z
    proton = Cluster("h", ("H",), np.zeros((1, 3)), charge=1)
    above, below = (
        plot_orbital(volume, proton, size=(120, 120), direction=(0, 0, side)).astype(int) for side in (1, -1)
    )
    blueness = [(view[..., 2] - view[..., 0]).mean() for view in (above, below)]
    assert max(blueness) > 20
    assert min(blueness) < -20


def test_standard_view_looks_onto_the_metals():
    rhombus = np.array([[2, 0, 0.5], [-2, 0, 0.5], [0, 1.5, 0.5], [0, -1.5, 0.5]]) * angstrom
    others = np.array([[9, 9, 9], [-9, -9, -8], [0, 0, 3]]) * angstrom
    cluster = Cluster("m", ("Au", "Au", "Cu", "Cu", "C", "C", "C"), np.vstack([rhombus, others]), charge=0)
    view = standard_view(cluster)
    np.testing.assert_allclose(view @ view.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(view) == pytest.approx(1.0)
    np.testing.assert_allclose(np.abs(view[0]), [1, 0, 0], atol=1e-12)
    assert abs(view[2, 2]) == pytest.approx(np.cos(np.radians(20.0)))  # from a little above
    flipped = np.diag([1.0, 1.0, -1.0])
    np.testing.assert_allclose(
        standard_view(replace(cluster, coords=cluster.coords @ flipped))[1:], view[1:] @ flipped, atol=1e-12
    )


def test_gain_and_loss_are_green_and_purple():
    pytest.importorskip("pyvista")
    image = plot_density(p_orbital(), CLUSTER, size=(240, 200), direction=(0, 0, 1)).astype(int)
    red, green, blue = (image[..., k] for k in range(3))
    assert (green - np.maximum(red, blue) > 30).sum() > 200
    assert (np.minimum(red, blue) - green > 30).sum() > 200


@pytest.mark.parametrize("sign", [1, -1])
def test_density_of_one_sign_is_drawn_in_one_colour(tmp_path, sign):
    """As those of hole and electron are."""
    pytest.importorskip("pyvista")
    proton = Cluster("h", ("H",), np.zeros((1, 3)), charge=1)
    density = replace(p_orbital(21), values=sign * p_orbital(21).values ** 2)
    image = plot_density(density, proton, tmp_path / "d.png", size=(240, 200), direction=(0, 0, 1)).astype(
        int
    )
    greenness = image[..., 1] - 0.5 * (image[..., 0] + image[..., 2])
    assert (sign * greenness > 15).sum() > 200
    assert not (sign * greenness < -15).any()


@pytest.mark.parametrize("kind", ["svg", "pdf"])
def test_vector_file_holds_the_caption_as_text_and_the_scene_as_an_image(tmp_path, kind):
    pytest.importorskip("pyvista")
    path = tmp_path / f"p.{kind}"
    plot_orbital(p_orbital(21), CLUSTER, path, size=(240, 200), caption="HOMO of <no> one")
    content = path.read_bytes()
    if kind == "svg":
        text = "".join(ET.fromstring(content).itertext())
        assert "HOMO of <no> one" in text
        assert content.count(b"<image") == 1
    else:
        assert content.startswith(b"%PDF")
        assert b"/TrueType" in content or b"/Type0" in content  # a font, not outlines
        assert content.count(b"/Subtype /Image") == 1


def test_caption_lies_below_the_picture_and_is_wrapped(tmp_path):
    pytest.importorskip("pyvista")
    volume = p_orbital(21)
    image = plot_orbital(volume, CLUSTER, tmp_path / "p.png", size=(300, 200), caption=40 * "word ")
    saved = 255 * imread(tmp_path / "p.png")[..., :3]
    np.testing.assert_allclose(saved[:200], image, atol=0.5)
    ink = (saved < 128).any(axis=2)
    assert ink[200:].any()
    assert not ink[200:, [0, -1]].any()


def test_without_pyvista_the_error_names_the_extra(monkeypatch):
    def refuse(name, *args, **kwargs):
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(importlib, "import_module", refuse)
    with pytest.raises(UnavailableError, match=r"cluster_qc\[pictures\]"):
        plot_orbital(p_orbital(9), CLUSTER)


def test_without_opengl_the_error_names_the_libraries(monkeypatch):
    pytest.importorskip("pyvista")
    orbitals._check_rendering.cache_clear()
    monkeypatch.setattr(orbitals.sys, "executable", "/bin/false")
    with pytest.raises(UnavailableError, match="libegl1"):
        plot_orbital(p_orbital(9), CLUSTER)


@pytest.mark.parametrize("triangles", [100_000, 1500])
def test_surfaces_of_both_phases_are_mirror_images_at_the_isovalue(triangles):
    pytest.importorskip("pyvista")
    volume = p_orbital()
    surface = orbital_surface(volume, share=0.7, triangles=triangles)
    assert surface.isovalue == enclosing_isovalue(volume, 0.7)
    for mesh, sign in ((surface.positive, 1), (surface.negative, -1)):
        x, r = mesh.vertices[:, 0], np.linalg.norm(mesh.vertices, axis=1)
        shell = np.exp(-0.5 * r) / np.sqrt(32 * np.pi)
        slope = shell * np.linalg.norm(np.eye(3)[0] - mesh.vertices * (x / (2 * r))[:, None], axis=1)
        # Linear interpolation over a step h is off by about h^2 f'' / (8 f'): 0.03 bohr here.
        assert (np.abs(x * shell - sign * surface.isovalue) / slope).max() < 0.05
        assert mesh.triangles.max() < len(mesh.vertices)
    sizes = [len(surface.positive.triangles), len(surface.negative.triangles)]
    assert sum(sizes) <= 1.05 * triangles
    reach = [mesh.vertices[:, 0] * sign for mesh, sign in ((surface.positive, 1), (surface.negative, -1))]
    assert reach[0].max() == pytest.approx(reach[1].max(), rel=0.02)


@pytest.mark.parametrize("centre", [[0.0, 0.0, 0.0], [9.0, -4.0, 3.0]])
@pytest.mark.parametrize("size", [None, (240, 200)])
def test_nothing_is_cut_off_at_the_edge(centre, size):
    """Neither atoms nor surfaces that reach far beyond them."""
    pytest.importorskip("pyvista")
    volume = p_orbital()
    image = plot_orbital(replace(volume, origin=volume.origin + centre), CLUSTER, share=0.97, size=size)
    ink = (image < 250).any(axis=2)
    assert ink.any()
    assert not np.concatenate([ink[0], ink[-1], ink[:, 0], ink[:, -1]]).any()


def test_picture_has_the_shape_of_the_molecule():
    pytest.importorskip("pyvista")
    row = Cluster("row", ("Au", "Au", "Au"), np.array([[0, 0, 0], [5, 0, 0], [10, 0, 0]]), charge=1)
    assert plot_orbital(p_orbital(21), row, share=0.2).shape == (450, 900, 3)


def test_elements_of_the_cluster_differ_for_everybody():
    """Also for one who takes red for green (Viénot, Brettel and Mollon, Color Res. Appl. 24, 243 (1999))."""
    deuteranope = np.array([[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]])
    linear = {symbol: (np.array(to_rgb(element_colour(symbol)))) ** 2.2 for symbol in "Au Cu S N C H".split()}
    for first, second in combinations(linear.values(), 2):
        seen = [np.clip(deuteranope @ colour, 0, 1) ** (1 / 2.2) for colour in (first, second)]
        assert np.linalg.norm(seen[0] - seen[1]) > 0.2


def test_metal_contacts_are_told_from_bonds():
    bonds, contacts = neighbours(CLUSTER)
    assert contacts == [(0, 1)]
    assert bonds == [(0, 2), (2, 3)]
