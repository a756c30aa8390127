"""Gradients against finite differences, in every operation, neuron and reset, at ties too.

All that neurons compute is linear in pieces, so that differences over a few integers are exact: a
rounded product moves by the whole of it over a step of the rounding. Where two pieces meet the
gradient must be that of the piece on which the value moves, as torch.clamp has it. What fires is
held: a reset passes no gradient through the test.
"""

from dataclasses import fields
from itertools import product
from types import SimpleNamespace

import pytest
import torch

from spiker_hdl.model import NEURONS, Arithmetic, Decay, SpikingNeuron
from spiker_hdl.model.neurons.spiking import RESETS
from spiker_train import FloatingPoint, Tensors

STEP = 8  # a multiple of what any decay below rounds to
VALUES = torch.arange(-40, 41, dtype=torch.float64)
OPERATIONS = [name for name in vars(Arithmetic) if not name.startswith("_")]
CASES = {
    "shift": lambda via, x: via.shift(x, 3),
    "divide": lambda via, x: via.divide(x, 8),
    "decay": lambda via, x: via.decay(x, Decay(3, 3)),
    "above": lambda via, x: via.above(x, 7),
    "reaches": lambda via, x: via.reaches(x, 7),
    "both": lambda via, x: via.both(x / 50, torch.full_like(x, 0.25)),
    "either": lambda via, x: via.either(x / 50, torch.full_like(x, 0.25)),
    "invert": lambda via, x: via.invert(x / 50),
    "select": lambda via, x: via.select(VALUES % 3 == 0, x * 2, 5),
    "maximum": lambda via, x: via.maximum(x, -8),
    "clamp": lambda via, x: via.clamp(x, -8, 16),
    "saturate": lambda via, x: via.saturate(x, -8, 16),
}
TURNED = {
    "maximum": lambda via, x: via.maximum(-8, x),
    "clamp": lambda via, x: via.clamp(24 - x, torch.tensor(-8.0), torch.tensor(16.0)),
}


def surrogate(distance):
    """Be linear, so that the gradient of a spike is known."""
    return distance * 0.5


READINGS = {
    "tensors": Tensors(surrogate, dtype=torch.float64),
    "reals": FloatingPoint(surrogate, dtype=torch.float64),
}


def slopes(at, offsets, step):
    """Return the slopes to either side, and where each side is one straight piece."""
    sides, straight = [], []
    for to, far, near in zip((step, -step), offsets[::2], offsets[1::2], strict=True):
        sides.append((far - at) / to)
        straight.append((far - at - 2 * (near - at)).abs() < 1e-9)
    return *sides, *straight


def apart(step):
    """Return how far finite differences look, in the order of :func:`slopes`."""
    return step, step / 2, -step, -step / 2


def expected_gradient(right, left):
    """Return the slope of the side on which the value moves."""
    return torch.where(right.abs() > left.abs(), right, left)


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_have_the_gradient_of_finite_differences(name, reading):
    via = READINGS[reading]
    for compute in [case[name] for case in (CASES, TURNED) if name in case]:
        if name in {"above", "reaches"}:
            x = VALUES.clone().requires_grad_()
            compute(via, x).sum().backward()
            assert (x.grad == 0.5).all()
            continue
        # Rounding over half a step of it is not straight.
        step = 2 * STEP if name in {"shift", "divide", "decay"} else 2
        x = VALUES.clone().requires_grad_()
        at = compute(via, x)
        (grad,) = torch.autograd.grad(at.sum(), x)
        offsets = [compute(via, VALUES + to) for to in apart(step)]
        right, left, forth, back = slopes(at.detach(), offsets, step)
        both = forth & back
        assert both.sum() > 60
        torch.testing.assert_close(
            grad[both], expected_gradient(right, left)[both], rtol=0, atol=1e-9
        )
        if name in {"maximum", "clamp"} or (name, reading) == ("saturate", "tensors"):
            kinks = both & (right != left)
            assert kinks.sum() == (1 if name == "maximum" else 2)
            assert grad[kinks].abs().tolist() == [1.0] * int(kinks.sum())


@pytest.mark.parametrize("reading", READINGS)
def test_at_a_tie_of_two_that_are_learned_their_gradients_sum_to_one(reading):
    x = torch.tensor([2.0, 5.0], dtype=torch.float64, requires_grad=True)
    y = torch.tensor([2.0, 7.0], dtype=torch.float64, requires_grad=True)
    READINGS[reading].maximum(x, y).sum().backward()
    assert x.grad.tolist() == [1.0, 0.0]
    assert y.grad.tolist() == [0.0, 1.0]


def models():
    """Make each neuron of the library, with each reset that it can have."""
    for kind in NEURONS.values():
        names = {field.name for field in fields(kind) if field.init}
        settings = {
            "width": 7,
            "threshold": 16,
            "decay": Decay.shift(2),
            "current_decay": Decay(3, 2),
            "current_width": 7,
            "rise": 8,
            "rise_decay": Decay.shift(2),
            "resolution": 2,  # of which a step that decays is a multiple
            "low": -20,
            "high": 20,
        }
        settings = {name: value for name, value in settings.items() if name in names}
        if not issubclass(kind, SpikingNeuron):
            yield kind(**settings)
            continue
        for reset, (fire, floor) in product(RESETS, ((">", -24), (">=", None))):
            settings |= {"reset": reset, "fire": fire, "floor": floor}
            settings |= {"reset_value": -8 if reset == "value" else 0}
            yield kind(**settings, refractory=2)
            yield kind(**settings, refractory=2, refractory_input="kept", reset_timing="next_step")
            if reset in {"zero", "value"}:
                yield kind(**settings, reset_timing="next_step_keep_input")
            if reset == "subtract":
                yield kind(**settings, reset_timing="snntorch_immediate")


def label(neuron):
    words = [type(neuron).__name__]
    for name in ("reset", "fire", "floor", "reset_timing"):
        value = getattr(neuron, name, None)
        if value not in {None, "immediate"}:
            words.append(f"{name}-{value}" if not isinstance(value, str) else value)
    return "-".join(words)


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("neuron", [*models()], ids=label)
def test_neurons_have_the_gradient_of_finite_differences(neuron, reading):
    via = READINGS[reading]
    scaled = [field.name for field in fields(neuron) if field.metadata.get("scales")]
    grid = [torch.arange(-64, 64, 8), torch.arange(-80, 81, 8), torch.arange(2), torch.arange(2)]
    v, current, countdown, pending = (
        x.double().ravel() for x in torch.meshgrid(*grid, indexing="ij")
    )
    operands = {
        **{name: torch.full_like(v, float(p.value)) for name, p in neuron.parameters.items()},
        **{name: v.clone() if name == "v" else v.abs() / 4 // 8 * 8 for name in neuron.states},
        "current": current,
    }
    constants = {
        "countdown": countdown,
        "pending": pending * getattr(neuron, "resets_in_next_step", False),
    }
    operands |= {name: value for name, value in constants.items() if name in neuron.states}
    ties = 0
    for name in operands:
        if name != "current" and name not in scaled:
            continue

        def run(x, name=name):
            arguments = operands | {name: x}
            p = neuron.bind({parameter: arguments[parameter] for parameter in neuron.parameters})
            s = SimpleNamespace(**{state: arguments[state] for state in neuron.states})
            return neuron.step(p, s, arguments["current"], via)

        x, step = operands[name].clone().requires_grad_(), 2 * STEP
        fired, after = run(x)
        with torch.no_grad():
            offsets = [run(x + to) for to in apart(step)]
        same = [torch.ones_like(x, dtype=torch.bool)] * 2
        if neuron.spiking:
            hard = [(key > 0.5) == (fired > 0.5) for key, _ in offsets]
            same = hard[0] & hard[1], hard[2] & hard[3]
        elif neuron.emits:  # the output is a value like a state
            after = after | {"output": fired}
            offsets = [(None, others | {"output": value}) for value, others in offsets]
        for state in [key for key in after if key in {*scaled, "output"}]:
            at = after[state] + 0 * x
            (grad,) = torch.autograd.grad(at.sum(), x, retain_graph=True)
            reached = [each[state] for _, each in offsets]
            right, left, forth, back = slopes(at.detach(), reached, step)
            both = forth & back & same[0] & same[1]
            assert both.sum() > 100
            torch.testing.assert_close(
                grad[both], expected_gradient(right, left)[both], rtol=0, atol=1e-9
            )
            ties += int((both & (right != left)).sum())
            # Where one more would fire, or one less would not, the other side alone tells.
            for side, ok in (
                (right, forth & same[0] & ~same[1]),
                (left, back & same[1] & ~same[0]),
            ):
                moving = ok & (side != 0)
                torch.testing.assert_close(grad[moving], side[moving], rtol=0, atol=1e-9)
    if getattr(neuron, "floor", None) is not None or reading == "tensors":
        assert ties > 10
