"""Tests of the one call: every engine, its options, what is loaded when, and bad input."""

import re
import sys
from types import ModuleType

import numpy as np
import pytest

import spiker_hdl
from spiker_hdl import ENGINES, engines, run
from spiker_hdl.engines import Engine
from spiker_hdl.model import (
    Decay,
    If,
    Input,
    Integrator,
    Mapping,
    Network,
    Population,
    Projection,
    Readout,
)
from spiker_hdl.simulate import interpreted

from support.events import Bounded

NETWORK = Network(
    [Input("x", 3)],
    [
        Population("p", 2, If(width=8, threshold=2, fire=">=")),
        Population("q", 2, Integrator(width=8, decay=Decay.shift(1))),
    ],
    [
        Projection("x", "p", np.array([[1, 2, 0], [-1, 1, 1]])),
        Projection("p", "q", np.array([[3, -1], [0, 4]]), 1),
    ],
    [Readout("p"), Readout("q", "last")],
    max_steps=9,
)
SPIKES = np.array([
    [[1, 1, 0], [1, 0, 1], [0, 1, 1]],
    [[0, 0, 1], [0, 1, 0], [0, 0, 0]],
])
SIMULATED = [name for name in ENGINES if name in {"reference", "amaranth"}]


@pytest.fixture(autouse=True)
def bounded(monkeypatch):
    """Let nothing run forever."""
    monkeypatch.setattr(interpreted, "Simulator", Bounded)


# -- by hand -------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", SIMULATED)
def test_every_engine_gives_the_answer_worked_out_by_hand(engine):
    result = run(NETWORK, SPIKES, engine=engine, record=["p", "p.v", "q.v"])
    # Sums of p: 3 0, 1 0, 2 2; then 0 1, 2 1, 0 0.
    assert result.spikes["p"].tolist() == [
        [[1, 0], [1, 0], [1, 1]],
        [[0, 0], [1, 1], [0, 0]],
    ]
    assert result.spikes["p.v"].tolist() == [
        [[1, 0], [0, 0], [0, 0]],
        [[0, 1], [0, 0], [0, 0]],
    ]
    # q gets the spikes a step late: nothing, 3 0, 3 0; then nothing, nothing, 2 4.
    assert result.spikes["q.v"].tolist() == [
        [[0, 0], [3, 0], [5, 0]],  # 3 - 1 + 3
        [[0, 0], [0, 0], [2, 4]],
    ]
    assert result.classes.tolist() == [0, 0]
    assert result.scores.tolist() == [[3, 1], [1, 1]]
    assert result.answers["q"].classes.tolist() == [0, 1]
    assert result.answers["q"].scores.tolist() == [[5, 0], [2, 4]]
    assert result.counts["p"].tolist() == [4, 2]
    assert result.steps.tolist() == [3, 3]
    assert result.engine == engine
    assert (result.cycles is None) == (engine == "reference")


@pytest.mark.parametrize("engine", SIMULATED)
def test_samples_may_differ_in_steps(engine):
    samples = [SPIKES[0], SPIKES[1][:1], SPIKES[0][:2]]
    result = run(NETWORK, samples, engine=engine, record=["p", "q.v"])
    assert result.steps.tolist() == [3, 1, 2]
    assert [len(sample) for sample in result.spikes["p"]] == [3, 1, 2]
    assert result.scores.tolist() == [[3, 1], [0, 0], [2, 0]]
    assert result.answers["q"].scores.tolist() == [[5, 0], [0, 0], [3, 0]]


@pytest.mark.parametrize("engine", SIMULATED)
def test_windows_and_early_answers(engine):
    samples = np.concatenate([SPIKES, SPIKES[:, ::-1]], axis=1)
    result = run(NETWORK, samples, engine=engine, window=3)
    assert result.scores.tolist() == [[[3, 1], [2, 1]], [[1, 1], [1, 1]]]
    # Sums of p in the second sample: 0 1, 2 1, and so on; the second window goes on with 0 1.
    result = run(NETWORK, samples, engine=engine, window=1)
    assert result.classes[1].tolist() == [0, 0, 0, 0, 0, 1]
    assert result.scores[1].tolist() == [[0, 0], [1, 1], [0, 0], [0, 0], [1, 0], [0, 1]]
    early = run(NETWORK, samples, engine=engine, early=2)
    assert early.steps.tolist() == [2, 6]
    assert early.scores[0].tolist() == [2, 0]


@pytest.mark.parametrize("engine", SIMULATED)
@pytest.mark.parametrize("kind, steps", [("count", [3, 2, 4]), ("first", [1, 1, 2])])
def test_early_exit_waits_until_no_tie_can_change_the_winner(engine, kind, steps):
    echo = Network(
        [Input("x", 2)],
        [Population("p", 2, If(width=4, threshold=1, fire=">="))],
        [Projection("x", "p", np.eye(2, dtype=int))],
        [Readout("p", kind)],
    )
    samples = np.array([
        [[0, 1], [0, 1], [0, 0], [0, 0]],  # after two steps, the other could draw level, and win
        [[1, 0], [1, 0], [0, 0], [0, 0]],  # could draw level, and lose
        [[0, 0], [0, 1], [1, 0], [0, 1]],
    ])
    result = run(echo, samples, engine=engine, early="exact")
    assert result.steps.tolist() == steps
    assert result.classes.tolist() == [1, 0, 1]


@pytest.mark.parametrize("engine", SIMULATED)
def test_booleans_and_inputs_by_name_are_taken(engine):
    result = run(NETWORK, {"x": SPIKES.astype(bool)}, engine=engine)
    assert result.scores.tolist() == [[3, 1], [1, 1]]
    assert result.spikes == {}


@pytest.mark.parametrize("engine", SIMULATED)
def test_progress_is_reported(engine):
    done = []
    run(NETWORK, SPIKES, engine=engine, progress=done.append)
    assert sum(done) == 2


@pytest.mark.parametrize("engine", SIMULATED)
def test_mapping_changes_no_answer(engine):
    expected = run(NETWORK, SPIKES)
    for mapping in (Mapping.folded(NETWORK, 1), Mapping.default(NETWORK, form="events", word=2)):
        result = run(NETWORK, SPIKES, engine=engine, mapping=mapping)
        assert expected.differences(result) == []


# -- names -----------------------------------------------------------------------------------------


def test_package_exports_its_names():
    assert {"run", "Network", "Mapping", "load", "emit"} <= {*dir(spiker_hdl)}
    with pytest.raises(AttributeError, match=r"^module 'spiker_hdl' has no attribute 'fly'$"):
        _ = spiker_hdl.fly


# -- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", SIMULATED)
@pytest.mark.parametrize(
    "bad, error, message",
    [
        ({"network": 3}, TypeError, "Network must be a Network or an emitted directory, not 3"),
        ({"mapping": 4}, TypeError, "Mapping must be a Mapping, not 4"),
        ({"mapping": Mapping({}, {})}, ValueError, "Mapping cores must be for ['p', 'q'], not []"),
        ({"record": "p"}, TypeError, "Record must be a sequence of names, not 'p'"),
        (
            {"record": ["q"]},
            ValueError,
            "Record must name one of 'p', 'p.v', 'p.countdown', 'p.pending', 'q.v', not 'q'",
        ),
        (
            {"spikes": SPIKES[0]},
            ValueError,
            "Spikes of input 'x' must have the shape (samples, steps, 3), not (3, 3): "
            "put an axis of samples in front",
        ),
        ({"spikes": SPIKES * 2}, ValueError, "Spikes of input 'x' must be in 0..1, not 2"),
        (
            {"spikes": SPIKES * 1.0},
            TypeError,
            "Spikes of input 'x' must be integers, not float64",
        ),
        (
            {"spikes": np.zeros((1, 10, 3), dtype=int)},
            ValueError,
            "Sample must have 1 to 9 steps (max_steps= of the network), not 10",
        ),
        (
            {"window": 2},
            ValueError,
            "Sample must have a multiple of 2 steps, not 3: the axes are (samples, steps, size), "
            "which are (2, 3, 3); where steps come first, swap the first two",
        ),
        ({"window": 0}, ValueError, "Window must be at least 1, not 0"),
        ({"early": "soon"}, ValueError, "Early must be 'exact' or a margin, not 'soon'"),
        (
            {"early": 1, "window": 3},
            ValueError,
            "A run must have a window or an early answer, not both",
        ),
    ],
)
def test_bad_arguments_of_run_are_refused(engine, bad, error, message):
    arguments = {"network": NETWORK, "spikes": SPIKES, "engine": engine} | bad
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        run(arguments.pop("network"), arguments.pop("spikes"), **arguments)


def test_engine_is_one_entry(monkeypatch):
    echo = ModuleType("echo_engine")
    echo.run = lambda network, spikes, **options: (network, sorted(options))
    monkeypatch.setitem(sys.modules, "echo_engine", echo)
    monkeypatch.setitem(ENGINES, "echo", Engine("echo", "nothing", "echo_engine"))
    monkeypatch.setattr(engines, "CHOICES", (*ENGINES, "auto"))
    assert run(NETWORK, SPIKES, engine="echo") == (NETWORK, ["progress", "record", "reports"])


def test_engine_of_hardware_takes_the_mapping(monkeypatch):
    echo = ModuleType("echo_engine")
    echo.run = lambda network, spikes, **options: sorted(options)
    monkeypatch.setitem(sys.modules, "echo_engine", echo)
    entry = Engine("echo", "nothing", "echo_engine", simulates_hardware=True)
    monkeypatch.setitem(ENGINES, "echo", entry)
    assert engines.fastest() == "echo"
    assert run(NETWORK, SPIKES, engine="auto") == ["mapping", "progress", "record", "reports"]


@pytest.mark.parametrize(
    "options, message",
    [
        ({"record": ["p"]}, "Record must be empty for the engine 'echo', which records none"),
        (
            {"window": 3},
            "Window and early must be None for the engine 'echo', which answers at the end of a "
            "sample",
        ),
    ],
)
def test_option_that_an_engine_does_not_have_is_refused(options, message, monkeypatch):
    entry = Engine("echo", "nothing", "no_module", records=False, answers_by_step=False)
    monkeypatch.setitem(ENGINES, "echo", entry)
    monkeypatch.setattr(engines, "CHOICES", (*ENGINES, "auto"))
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        run(NETWORK, SPIKES, engine="echo", **options)


def test_engine_whose_tool_is_missing_is_not_installed(monkeypatch):
    tools = ModuleType("echo_tools")

    def find():
        raise RuntimeError("must be installed")

    tools.find = find
    monkeypatch.setitem(sys.modules, "echo_tools", tools)
    assert not Engine("echo", "nothing", "no_module", needs=("echo_tools:find",)).is_installed()


def test_unknown_engine_is_refused():
    with pytest.raises(ValueError, match=r"^Engine must be one of 'reference', .*, not 'steam'$"):
        run(NETWORK, SPIKES, engine="steam")
