"""A neuron of one's own goes all the way, with nothing of it in the library.

:data:`PACKAGE` is all that a user writes. Beside it stands ``examples/izhikevich.py``, a neuron
that nobody thought of when the library was made.
"""

import importlib
import shutil
import subprocess
import sys
from dataclasses import dataclass, field, replace
from importlib.util import module_from_spec, spec_from_file_location
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import spiker_hdl
from spiker_hdl.export import LANGUAGES, emit
from spiker_hdl.model import (
    ARRAYS,
    INTEGERS,
    Decay,
    FileError,
    Input,
    Integrator,
    Mapping,
    Network,
    Neuron,
    Population,
    Projection,
    Readout,
    load,
    parameter,
    signed_range,
    state,
)
from spiker_train import (
    Cell,
    Connection,
    FastSigmoid,
    IntegerCell,
    Layer,
    Quantization,
    SpikingNetwork,
    TrainingOptions,
    quantize,
    train,
)
from tests.support.quantized import quantize_and_report

from support.places import ROOT

EXAMPLES = ROOT / "examples"


def assert_all_engines_agree(network, x, record, *, mappings):
    """Compare the simulated accelerator with the reference; return what that answers."""
    expected = spiker_hdl.run(network, x, record=record)
    for mapping in mappings:
        result = spiker_hdl.run(network, x, engine="amaranth", mapping=mapping, record=record)
        assert expected.differences(result) == []
        assert set(result.spikes) == set(record)
    return expected


def assert_emitted_passes(network, x, directory, language, **options):
    """Emit a network with a test bench, and run that."""
    emit(network, directory, language=language, samples=x, **options, generated=0)
    tools = {"verilog": ("iverilog", "vvp"), "vhdl": ("ghdl",)}[language]
    for tool in ("make", *tools):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} must be installed")
    done = subprocess.run(
        ["make", "-s", "sim"], cwd=directory, capture_output=True, text=True, timeout=300
    )
    text = done.stdout + done.stderr
    assert done.returncode == 0, text
    assert f"PASS {len(x)} samples" in text


# -- a package of the user's own -----------------------------------------------------------------

PACKAGE = '''\
"""My neurons."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from spiker_hdl.model import INTEGERS, Decay, Neuron, parameter, signed_range, state


@dataclass(frozen=True)
class Resonator(Neuron):
    """Resonate-and-fire (Izhikevich, Neural Networks 14, 2001): z' = (b + iw) z + I.

    It fires where the imaginary part passes the threshold, and both parts go to rest.
    """

    potential: ClassVar[str] = "y"

    width: int = field(kw_only=True)
    swing: int = field(kw_only=True, default=2)
    threshold: Any = parameter("width", scales=True)
    damping: Decay = field(kw_only=True)
    x: Any = state("width")
    y: Any = state("width")

    def step(self, p, s, current, via=INTEGERS):
        ends = signed_range(self.width)
        x = via.decay(s.x, p.damping) - via.shift(s.y, self.swing) + current
        y = via.decay(s.y, p.damping) + via.shift(s.x, self.swing)
        y = via.saturate(y, *ends)
        fired = via.above(y, p.threshold)
        after = {"x": via.saturate(x, *ends), "y": y}
        return fired, {name: via.select(fired, 0, value) for name, value in after.items()}
'''


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    """Write the package to a directory of its own, and import it from there."""
    home = tmp_path_factory.mktemp("user")
    (home / "my_neurons").mkdir()
    (home / "my_neurons" / "__init__.py").write_text(PACKAGE)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(home)
        importlib.invalidate_caches()
        yield importlib.import_module("my_neurons")
        del sys.modules["my_neurons"]


def drawn(samples=300, steps=12, seed=0):
    """Draw spikes of two classes: one fires in every second step, the other in every fourth."""
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, 2, samples)
    phase = draw.integers(0, 4, (samples, 1, 10))
    on = (np.arange(steps)[None, :, None] + phase) % np.where(labels, 2, 4)[:, None, None] == 0
    return (on & (draw.random(on.shape) < 0.9)).astype(np.uint8), labels


@pytest.fixture(scope="module")
def trained(mine):
    """Train a network of that neuron in integers."""
    net = SpikingNetwork(
        [Input("in", 10)],
        [
            Layer("own", 12, Cell(mine.Resonator, threshold=0.8, damping=0.9, learn=["threshold"])),
            Layer("out", 2, Cell(Integrator, decay=0.9)),
        ],
        [Connection("in", "own"), Connection("own", "own", delay=1), Connection("own", "out")],
        [Readout("out", "last"), Readout("own", "sum", "swings")],
    )
    x, labels = drawn()
    integers = Quantization(5, 10, "shifts").fit(net)
    history = train(
        net,
        x,
        labels,
        TrainingOptions(epochs=12, batch_size=20, learning_rate=1e-2, progress=False),
        integers=integers,
    )
    return SimpleNamespace(
        net=net, integers=integers, network=quantize(net, integers), history=history
    )


RECORD = ["own", "own.x", "own.y", "out.v"]


def test_it_trains(trained):
    losses = trained.history.losses
    assert losses[-1] < 0.6 * losses[0]
    x, labels = drawn(200, seed=1)
    result = spiker_hdl.run(trained.network, x)
    assert (result.classes == labels).mean() > 0.9
    assert 0.02 < result.counts["own"].sum() / (200 * 12 * 12) < 0.6


def test_it_trains_in_floating_point(mine):
    net = SpikingNetwork.chain("10-12-2", cell=Cell(mine.Resonator, threshold=0.8, damping=0.9))
    x, labels = drawn()
    history = train(
        net,
        x,
        labels,
        TrainingOptions(epochs=12, batch_size=20, learning_rate=1e-2, progress=False),
    )
    assert history.losses[-1] < 0.8 * history.losses[0]


def test_it_quantises_with_a_report(trained):
    _, report = quantize_and_report(trained.net, trained.integers)
    changes = {(change.where, change.what): change for change in report.changes}
    damping = changes["own", "damping"]
    assert (damping.target, damping.quantized) == (0.9, 1 - 1 / 16 - 1 / 32)
    assert ("own", "threshold") in changes


def test_training_answers_what_the_reference_does(trained):
    x, _ = drawn(40, seed=2)
    expected = spiker_hdl.run(trained.network, x, record=RECORD)
    result = trained.net.run(x, trained.integers, record=RECORD)
    assert expected.differences(result) == []


def test_it_is_saved_and_loaded(trained, mine, tmp_path):
    path = tmp_path / "mine.spiker"
    trained.network.save(path)
    again = load(path, neurons=[mine.Resonator])
    assert again == trained.network
    assert type(again.population["own"].neuron) is mine.Resonator


def test_a_file_never_imports_it(trained, mine, tmp_path, monkeypatch):
    path = tmp_path / "mine.spiker"
    trained.network.save(path)
    monkeypatch.delitem(sys.modules, "my_neurons")
    with pytest.raises(
        FileError,
        match=r"mine\.spiker: neuron model must be one of \[.*\], not 'Resonator'; hand the "
        r"classes of your own neurons to load\(path, neurons=\[\.\.\.\]\)$",
    ):
        load(path)
    assert "my_neurons" not in sys.modules


def test_it_is_simulated(trained):
    network = trained.network
    expected = assert_all_engines_agree(
        network,
        drawn(4, seed=3)[0],
        RECORD,
        mappings=[None, Mapping.folded(network, 5, form="events")],
    )
    assert expected.counts["own"].sum() > 10


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_is_emitted(trained, tmp_path, language):
    assert_emitted_passes(
        trained.network,
        drawn(6, seed=4)[0],
        tmp_path / "out",
        language,
        mapping=Mapping.folded(trained.network, 4),
    )


def test_resonator_by_hand(mine):
    # Damping takes an eighth, a swing a quarter, each rounded toward minus infinity.
    neuron = mine.Resonator(width=6, threshold=9, damping=Decay.shift(3))
    p = neuron.bind({name: tensor.value for name, tensor in neuron.parameters.items()})
    for x, y, current, fired, x_after, y_after in [
        (0, 0, 5, False, 5, 0),
        (8, 0, 0, False, 7, 2),
        (0, 8, 0, False, -2, 7),
        (-8, 0, 0, False, -7, -2),
        (-1, -1, 0, False, 1, -1),
        (31, 0, 31, False, 31, 7),  # 28 + 31 saturates
        (16, 6, 3, True, 0, 0),  # 6 + 4 passes 9
        (12, 6, 3, False, 13, 9),  # 6 + 3 does not
        (-32, -24, -31, False, -32, -29),
    ]:
        got, after = neuron.step(p, SimpleNamespace(x=x, y=y), current)
        assert (got, after) == (fired, {"x": x_after, "y": y_after})


# -- Izhikevich's neuron, an example -------------------------------------------------------------


@pytest.fixture(scope="module")
def izhikevich():
    """Import ``examples/izhikevich.py``."""
    spec = spec_from_file_location("izhikevich", EXAMPLES / "izhikevich.py")
    module = module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "izhikevich", module)
        spec.loader.exec_module(module)
        yield module


@pytest.mark.parametrize(
    "settings, v, u, current, fired, v_after, u_after",
    [
        # In mV and ms: 0.04 * 65**2 = 169, 169 - 325 + 140 + 13 + 10 = 7; 0.2 * -65 = -13.
        ((0, 0, 0, 0), -65, -13, 10, False, -58, -13),
        ((0, 0, 0, 0), -58, -13, 10, False, -51, -13),
        ((0, 0, 0, 0), 0, 0, -110, True, -65, 8),  # 30 mV is a spike
        ((0, 0, 0, 0), 0, 0, -111, False, 29, 0),  # 29 is none
        ((0, 0, 0, 0), 20, -13, 10, True, -65, -5),  # 299 saturates and fires
        ((0, 0, 0, 0), -65, -13, -200, False, -128, -13),  # saturates below
        ((0, 0, 0, 0), 20, 125, 0, True, -65, 127),  # 125 - 3 + 8 saturates
        ((0, 0, 1, 0), -65, -13, 10, False, -62, -13),  # half of 7, rounded down
        ((0, 0, 1, 0), -65, -13, 2, False, -66, -13),  # half of -1, rounded down
        ((0, 0, 0, 2), -65, -13, 5, False, -48, -13),  # 4 * 5 - 3
        ((1, 1, 0, 0), -130, -52, 20, False, -116, -52),  # in halves and quarters of a mV
    ],
)
def test_izhikevich_by_hand(izhikevich, settings, v, u, current, fired, v_after, u_after):
    names = ("fraction", "finer", "halvings", "gain")
    unit, fine = 2 ** settings[0], 2 ** (settings[0] + settings[1])
    neuron = izhikevich.Izhikevich(
        a=82, b=819, c=-65 * unit, d=8 * fine, **dict(zip(names, settings, strict=True))
    )
    p = neuron.bind({name: tensor.value for name, tensor in neuron.parameters.items()})
    for via, kind in ((INTEGERS, int), (ARRAYS, np.int64)):
        result, after = neuron.step(p, SimpleNamespace(v=kind(v), u=kind(u)), kind(current), via)
        assert (result, after) == (fired, {"v": v_after, "u": u_after})


@pytest.mark.parametrize(
    "kind, spikes, intervals",
    [
        ("regular spiking", 12, "slows"),
        ("intrinsically bursting", 17, "bursts"),
        ("chattering", 42, "bursts"),
        ("fast spiking", 57, "steady"),
        ("low-threshold spiking", 38, "slows"),
    ],
)
def test_izhikevich_answers_as_the_paper_shows(izhikevich, kind, spikes, intervals):
    current = np.where(np.arange(1000) < 20, 0.0, 10.0)
    _, expected = izhikevich.euler(*izhikevich.CLASSIC[kind], current)
    _, result = izhikevich.respond(izhikevich.classic(kind), current)
    assert result.sum() == spikes
    assert abs(int(expected.sum()) - spikes) <= 1
    between = np.diff(np.flatnonzero(result)) / 2
    if intervals == "bursts":
        assert between.max() > 3 * between.min()
    elif intervals == "slows":
        assert between[-1] > 1.5 * between[0]
    else:
        assert between[2:].max() < 1.5 * between[2:].min()


@pytest.mark.parametrize(
    "settings, format",
    [({}, "float64"), ({"fraction": 2, "finer": 4}, "float32")],
)
def test_izhikevich_is_proven_to_fit_a_float(izhikevich, settings, format):
    network = cortical(izhikevich, **settings)
    assert network.bounds["cells"].float_format == format
    unit = 2 ** settings.get("fraction", 8)
    assert network.bounds["cells"].states["v"] == (-128 * unit, 30 * unit - 1)


def cortical(izhikevich, size=6, **settings):
    """Make a small network of cells of all kinds, which excite and inhibit each other."""
    settings = {"gain": settings.get("fraction", 8)} | settings
    kinds = [izhikevich.classic(kind, **settings) for kind in izhikevich.CLASSIC]
    fields = {
        name: tuple(getattr(kinds[n % len(kinds)], name) for n in range(size))
        for name in ("a", "b", "c", "d", "v", "u")
    }
    draw = np.random.default_rng(5)
    return Network(
        [Input("in", 8)],
        [
            Population("cells", size, replace(kinds[0], **fields), bias=2),
            Population("out", 2, Integrator(width=12, decay=Decay.shift(3))),
        ],
        [
            Projection("in", "cells", draw.integers(0, 8, (size, 8))),
            Projection("cells", "cells", draw.integers(-10, 11, (size, size)), delay=3),
            Projection("cells", "out", draw.integers(-7, 8, (2, size))),
        ],
        [Readout("out", "last"), Readout("cells", "count", "spikes"), Readout("cells", "largest")],
        name="cortex",
    )


def stimulus(samples, steps=60, size=8, seed=0):
    return (np.random.default_rng(seed).random((samples, steps, size)) < 0.35).astype(np.uint8)


CELLS = ["cells", "cells.v", "cells.u", "out.v"]


@pytest.mark.parametrize("settings", [{}, {"fraction": 2, "finer": 4}])
def test_izhikevich_is_simulated(izhikevich, settings):
    network = cortical(izhikevich, **settings)
    expected = assert_all_engines_agree(
        network,
        stimulus(2, steps=40),
        CELLS,
        mappings=[None, Mapping.folded(network, 2, word=3)],
    )
    assert (expected.spikes["cells"].sum((0, 1)) > 0).mean() > 0.6
    assert 0.01 < expected.spikes["cells"].mean() < 0.3


@pytest.mark.parametrize("language", LANGUAGES)
def test_izhikevich_is_emitted(izhikevich, tmp_path, language):
    assert_emitted_passes(
        cortical(izhikevich, fraction=4), stimulus(3, seed=1), tmp_path / "out", language
    )


def test_izhikevich_is_saved_and_loaded(izhikevich, tmp_path):
    network = cortical(izhikevich)
    network.save(tmp_path / "cortex.spiker")
    again = load(tmp_path / "cortex.spiker", neurons=[izhikevich.Izhikevich])
    assert again == network
    x = stimulus(4)
    record = CELLS
    expected = spiker_hdl.run(network, x, record=record)
    assert expected.differences(spiker_hdl.run(again, x, record=record)) == []


@pytest.mark.parametrize("fraction, finer", [(8, 8), (2, 4)])
def test_izhikevich_trains_in_its_own_integers(izhikevich, fraction, finer):
    neuron = izhikevich.classic(
        "regular spiking", fraction=fraction, finer=finer, gain=max(0, fraction - 3)
    )
    cell = IntegerCell(
        neuron, scale=neuron.scale, surrogate=FastSigmoid(20 * 2.0**neuron.gain), unit=20.0
    )
    net = SpikingNetwork(
        [Input("in", 10)],
        [Layer("cells", 10, cell, bias=4.0), Layer("out", 2, Cell(Integrator, decay=0.95))],
        [Connection("in", "cells"), Connection("cells", "out")],
        [Readout("out", "sum")],
    )
    draw = np.random.default_rng(0)
    labels = draw.integers(0, 2, 120)
    chance = np.where(np.arange(10) < 5, labels[:, None], 1 - labels[:, None]) * 0.3 + 0.1
    x = (draw.random((120, 40, 10)) < chance[:, None]).astype(np.uint8)
    integers = Quantization(8, 12, "shifts").fit(net)
    history = train(
        net,
        x,
        labels,
        TrainingOptions(epochs=6, batch_size=20, learning_rate=1e-2, progress=False),
        integers=integers,
    )
    assert history.losses[-1] < 0.6 * history.losses[0]
    network = quantize(net, integers)
    assert network.population["cells"].neuron == neuron
    record = ["cells", "cells.v", "cells.u", "out.v"]
    expected = spiker_hdl.run(network, x, record=record)
    assert expected.differences(net.run(x, integers, record=record)) == []
    assert (expected.classes == labels).mean() > 0.9


# -- what a user may get wrong -------------------------------------------------------------------


@dataclass(frozen=True)
class Own(Neuron):
    """A neuron in which each test puts a mistake."""

    width: int = field(default=8, kw_only=True)
    threshold: Any = parameter("width", default=20, scales=True)
    v: Any = state("width")

    def step(self, p, s, current, via=INTEGERS):
        v = via.saturate(s.v + current, *signed_range(self.width))
        fired = via.above(v, p.threshold)
        return fired, {"v": via.select(fired, 0, v)}


class Branching(Own):
    """Decides with ``if``."""

    def step(self, p, s, current, via=INTEGERS):
        v = via.saturate(s.v + current, *signed_range(self.width))
        if v > p.threshold:
            v = 0
        return via.above(v, p.threshold), {"v": v}


class Deciding(Own):
    """Joins tests with ``and``."""

    def step(self, p, s, current, via=INTEGERS):
        fired, after = super().step(p, s, current, via)
        return fired and s.v > 0, after


class Clipping(Own):
    """Saturates with ``max`` and ``min``."""

    def step(self, p, s, current, via=INTEGERS):
        v = max(-128, min(127, s.v + current))
        return via.above(v, p.threshold), {"v": v}


class Misnamed(Own):
    """Answers with another state."""

    def step(self, p, s, current, via=INTEGERS):
        fired, after = super().step(p, s, current, via)
        return fired, {"potential": after["v"]}


class Leaving(Own):
    """Does not saturate."""

    def step(self, p, s, current, via=INTEGERS):
        v = s.v + current
        return via.above(v, p.threshold), {"v": v}


class Shifting(Own):
    """Shifts with ``>>``."""

    def step(self, p, s, current, via=INTEGERS):
        v = (s.v >> 1) + current
        return via.above(v, p.threshold), {"v": via.saturate(v, -128, 127)}


class Joining(Own):
    """Joins tests with ``&``."""

    def step(self, p, s, current, via=INTEGERS):
        return (s.v > 0) & (current > 0), super().step(p, s, current, via)[1]


class Silent(Own):
    """Does not say who fires."""

    def step(self, p, s, current, via=INTEGERS):
        return None, super().step(p, s, current, via)[1]


class Comparing(Own):
    """Fires by a plain comparison."""

    def step(self, p, s, current, via=INTEGERS):
        return s.v > p.threshold, super().step(p, s, current, via)[1]


class Undecorated(Neuron):
    """Is no dataclass."""

    width: int = field(default=8, kw_only=True)
    v: Any = state("width")


@dataclass(frozen=True)
class Misspelled(Own):
    """Names a setting that does not exist."""

    w: Any = state("widht")


@dataclass(frozen=True)
class MisspelledParameter(Own):
    """Does so in a parameter."""

    gain: Any = parameter("bits", default=1)


MISSPELLED = (
    r"^Misspelled w: the setting that holds its bits must be one of .*, not 'widht', which does "
    r"not exist$"
)


def alone(kind):
    """Make a network of integers of one neuron kind."""
    return Network(
        [Input("in", 4)],
        [Population("own", 3, kind())],
        [Projection("in", "own", np.full((3, 4), 7))],
        [Readout("own")],
    )


BRANCH = r"^A neuron's step must not branch on an operand .*: write via\.select\(test, yes, no\)"
OTHER = r"^A neuron's step must be of \+, -, \*, comparisons and what `via` offers, .* not of "


@pytest.mark.parametrize(
    "kind, error, message",
    [
        (Branching, TypeError, BRANCH),
        (Deciding, TypeError, BRANCH),
        (Clipping, TypeError, BRANCH),
        (
            Misnamed,
            ValueError,
            r"^Population 'own': the step of Misnamed must return the states \['v'\], "
            r"not \['potential'\]$",
        ),
        (
            Leaving,
            ValueError,
            r"^Population 'own': the step of Leaving must keep 'v' in -128\.\.127, not "
            r"-128\.\.155: use via\.saturate$",
        ),
        (Shifting, TypeError, OTHER + ">>$"),
        (Joining, TypeError, OTHER + "&$"),
        (
            Silent,
            ValueError,
            r"^Population 'own': the step of Silent must return whether it fires, not None",
        ),
        (
            Undecorated,
            TypeError,
            r"^Undecorated must be a dataclass for 'width' to be a field of it: write "
            r"@dataclass\(frozen=True\) above the class$",
        ),
        (Misspelled, ValueError, MISSPELLED),
        (
            MisspelledParameter,
            ValueError,
            r"^MisspelledParameter gain: the setting that holds its bits must be one of .*, not "
            r"'bits', which does not exist$",
        ),
    ],
)
def test_mistake_is_refused_with_its_remedy(kind, error, message):
    with pytest.raises(error, match=message):
        alone(kind)


def test_neuron_without_mistakes_is_accepted():
    assert spiker_hdl.run(alone(Own), np.ones((1, 3, 4), dtype=np.uint8)).counts["own"] == [9]
    # A plain comparison is as good as any in hardware: only training needs another.
    assert alone(Comparing).bounds["own"].largest >= 127


@pytest.mark.parametrize("integers", [None, Quantization(4, 8)])
@pytest.mark.parametrize(
    "kind, error, message",
    [
        (Branching, TypeError, BRANCH),
        (Misnamed, ValueError, r"^[Tt]he step of Misnamed must return the states \['v'\]"),
        (
            Comparing,
            TypeError,
            r"^The step of Comparing must decide who fires by via\.above or via\.reaches, which "
            r"have a gradient, not by a plain comparison$",
        ),
        (Undecorated, TypeError, r"^Undecorated must be a dataclass for 'width'"),
        (Misspelled, ValueError, MISSPELLED),
    ],
)
def test_mistake_is_refused_in_training(kind, error, message, integers):
    x, labels = drawn(8)

    def attempt():
        net = SpikingNetwork.chain("10-6-2", cell=Cell(kind), readout="count")
        train(
            net,
            x,
            labels,
            TrainingOptions(epochs=1, validation_share=0.5, progress=False),
            integers=integers,
        )

    with pytest.raises(error, match=message):
        attempt()


def test_a_dataclass_that_can_change_is_refused():
    with pytest.raises(TypeError, match="cannot inherit non-frozen dataclass from a frozen one"):

        @dataclass
        class Changing(Neuron):
            v: Any = state(8)


@dataclass(frozen=True)
class Long(Own):
    """A step of many choices, each of which uses the one before several times."""

    def step(self, p, s, current, via=INTEGERS):
        v = s.v + current
        for k in range(16):
            v = via.select(v > 4 * k, v - 1, v)
        v = via.saturate(v, *signed_range(self.width))
        return via.above(v, p.threshold), {"v": v}


def test_a_long_step_grows_with_its_lines_alone():
    network = alone(Long)
    assert_all_engines_agree(
        network, stimulus(2, 6, 4), ["own", "own.v"], mappings=[Mapping.folded(network, 1)]
    )
