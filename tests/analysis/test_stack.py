import pytest

from cluster_qc.analysis.stack import STACKS, build_stack, offsets, read_layers, stack_warnings
from cluster_qc.errors import InputError
from cluster_qc.model.stack import Layer, Level


def level(low, high=None):
    return Level(low, low if high is None else high)


EMITTER = Layer("cluster", level(-6.0), level(-2.6))


def test_every_published_level_has_a_source_and_a_missing_one_a_reason():
    for layer in read_layers()[0].values():
        assert bool(layer.sources) == layer.known
        assert layer.known or layer.note


@pytest.mark.parametrize("name", STACKS)
def test_what_is_missing_is_told(name):
    stack = build_stack(STACKS[name], EMITTER)
    told = stack_warnings(stack)
    assert [layer.name for layer in stack] == list(STACKS[name])
    assert all(any(text.startswith(layer.name) for text in told) for layer in stack if not layer.known)


def test_barriers_go_uphill_for_their_carrier():
    stack = (
        Layer("anode", work_function=level(-5.0)),
        Layer("hole layer", homo=level(-5.4), lumo=level(-2.0)),
        EMITTER,
        Layer("cathode", work_function=level(-3.0)),
    )
    found = {(o.carrier, o.start, o.end): (o.low_ev, o.high_ev) for o in offsets(stack)}
    assert set(found) == {
        ("hole", "anode", "hole layer"),
        ("hole", "hole layer", "cluster"),
        ("electron", "cathode", "cluster"),
        ("electron", "cluster", "hole layer"),
    }
    assert found["hole", "anode", "hole layer"] == pytest.approx((0.4, 0.4))
    assert found["hole", "hole layer", "cluster"] == pytest.approx((0.6, 0.6))
    assert found["electron", "cathode", "cluster"] == pytest.approx((0.4, 0.4))
    assert found["electron", "cluster", "hole layer"] == pytest.approx((0.6, 0.6))


def test_ranges_widen_the_step_and_unknown_layers_are_passed_over():
    stack = (Layer("anode", work_function=level(-5.0, -4.8)), Layer("?"), Layer("x", homo=level(-6.2, -6.0)))
    (step,) = offsets(stack)
    assert (step.start, step.end) == ("anode", "x")
    assert (step.low_ev, step.high_ev) == pytest.approx((1.0, 1.4))


def test_the_users_file_goes_first(tmp_path):
    (tmp_path / "mine.toml").write_text('[TCTA]\nhomo = -5.8\nsources = ["own measurement"]\n')
    layers, device = read_layers(tmp_path / "mine.toml")
    assert layers["TCTA"].homo == level(-5.8)
    assert layers["TPBi"] == read_layers()[0]["TPBi"]
    assert device is None


def test_a_device_of_the_user(tmp_path):
    (tmp_path / "mine.toml").write_text(
        'device = ["ITO", "NPB", "cluster", "Ag"]\n[NPB]\nhomo = -5.4\nlumo = -2.4\n[Ag]\n'
    )
    layers, device = read_layers(tmp_path / "mine.toml")
    stack = build_stack(device, EMITTER, layers)
    assert [layer.name for layer in stack] == ["ITO", "NPB", "cluster", "Ag"]
    assert ("ITO", "NPB") in {(step.start, step.end) for step in offsets(stack)}
    assert any(text.startswith("Ag: no level") for text in stack_warnings(stack))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[TCTA]\nhomo = 5.8\n", "negative"),
        ("[TCTA]\nhomos = -5.8\n", "unknown key 'homos'"),
        ("[TCTA\n", "not a TOML file"),
        ("TCTA = 1\n", "not a table"),
        ("[Tcta]\nhomo = -5.8\n", "the device has no layer 'Tcta'"),
        ('device = ["ITO", "Al"]\n', '"cluster", the emitter, once'),
        ('device = "ITO"\n', "device is ITO"),
        ('device = ["ITO", "cluster"]\n[TPBi]\nhomo = -6.2\n', "the device has no layer 'TPBi'"),
        ("[TPBi]\nhomo = -2.7\nlumo = -6.2\n", "HOMO of TPBi lies above its LUMO"),
    ],
)
def test_bad_files(tmp_path, text, message):
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(InputError) as caught:
        read_layers(tmp_path / "mine.toml")
    assert message in str(caught.value)
    with pytest.raises(InputError, match="No such file"):
        read_layers(tmp_path / "other.toml")


def test_unknown_layer():
    with pytest.raises(InputError, match="nothing is known of the layer 'NPB'"):
        build_stack(["NPB"], EMITTER)
