"""Each neuron's gates equal a statement of its equation in plain Verilog, in all states."""

import inspect
import sys
from itertools import product
from types import SimpleNamespace

import pytest
from amaranth import *
from amaranth.hdl import Assert

from spiker_hdl.model import Decay
from spiker_hdl.model.neurons import leak, library, spiking
from spiker_hdl.rtl.common.shapes import range_shape
from spiker_hdl.rtl.neurons import combinational

from support.prover import Harness, planted, solve

pytestmark = pytest.mark.slow

INT = signed(20)  # as in the Verilog
CURRENT = signed(7)
WIDTH = 5
RESETS = ("subtract", "zero", "value", "none")
TIMINGS = ("immediate", "next_step", "next_step_keep_input", "snntorch_immediate")

# Settings of a spiking neuron, all together; and the decays: each numerator as a constant, and
# as an operand of any value.
WHEN = [
    {"reset": reset, "reset_timing": timing}
    for reset, timing in product(RESETS, ("immediate", "next_step"))
]
WHEN += [{"reset": reset, "reset_timing": "next_step_keep_input"} for reset in ("zero", "value")]
WHEN += [{"reset": "subtract", "reset_timing": "snntorch_immediate"}]
OPTIONS = [
    when | {"fire": fire, "floor": floor} | rest
    for when, fire, floor, rest in product(
        WHEN,
        (">", ">="),
        (None, -3),
        (
            {"refractory": 0},
            {"refractory": 2, "refractory_input": "lost"},
            {"refractory": 2, "refractory_input": "kept"},
        ),
    )
]
# What a model needs beyond these; every option is met, if not every pair of options.
MODELS = {
    "If": ("if_neuron", {}, OPTIONS),
    "Lif": (
        "lif_neuron",
        {"decay": Decay(1, 3)},
        [*OPTIONS, *(options | {"rest": 2} for options in OPTIONS[::7])],
    ),
    "CurrentLif": (
        "current_lif_neuron",
        {"decay": Decay(1, 3), "current_decay": Decay(1, 3), "current_width": 4},
        [
            *(OPTIONS[::3] + OPTIONS[1::5] + OPTIONS[2::7]),
            *(options | {"rest": -3} for options in OPTIONS[::11]),
        ],
    ),
    "AdaptiveLif": (
        "adaptive_lif_neuron",
        {"decay": Decay(1, 3), "rise_decay": Decay(1, 3), "rise": 0},
        [
            *(OPTIONS[::3] + OPTIONS[1::5] + OPTIONS[2::7]),
            *(options | {"rest": -3} for options in OPTIONS[::11]),
        ],
    ),
    "Integrator": (
        "integrator_neuron",
        {"decay": Decay(1, 3)},
        [{}, {"rest": 2}, {"floor": -3}, {"rest": -2, "floor": -3}],
    ),
    "Dendrite": (
        "dendrite_neuron",
        {"decay": Decay(1, 3)},
        [
            {"resolution": 4, "low": -3, "high": 2},
            {"resolution": 1, "low": 0, "high": 9, "rest": 2},
            {"resolution": 16, "low": -1, "high": 1, "floor": -3},
            {"resolution": 2, "low": -8, "high": 7},
        ],
    ),
    "Accumulator": ("accumulator_neuron", {}, [{}]),
}


class Equal(Harness):
    """Gates and Verilog of one model, side by side, for many options at once.

    All share their operands, which may be anything; an option claims nothing of those that it
    excludes.
    """

    def __init__(
        self,
        model,
        *,
        every=1,
        numerator=None,
        models=library,
        via=combinational.CombinationalArithmetic,
    ):
        super().__init__()
        self.verilog, fields, options = MODELS[model]
        self.options = options[::every] if len(options) > every else options
        spiking = getattr(models, model).spiking
        self.neurons = [
            getattr(models, model)(
                **({"threshold": 1} if spiking else {}), **fields, **option, width=WIDTH
            )
            for option in self.options
        ]
        self.numerator = numerator
        self.via = via

    def properties(self, m):
        operands = {"x": self.free(CURRENT, "x")}
        for neuron in self.neurons:
            for name, parameter in neuron.parameters.items():
                known = name.endswith("decay") and self.numerator is not None
                shape = range_shape(parameter.low, parameter.high)
                operands.setdefault(name, self.numerator if known else self.free(shape, name))
            for name in neuron.states:
                operands.setdefault(name, self.free(signed(WIDTH), name))
        for n, (neuron, options) in enumerate(zip(self.neurons, self.options, strict=True)):
            self.compare(m, n, neuron, options, operands)

    def compare(self, m, n, neuron, options, operands):
        parameters = neuron.bind({name: operands[name] for name in neuron.parameters})
        states, allowed = {}, C(1)
        for name, state in neuron.states.items():
            low = state.low
            if name == "v" and getattr(neuron, "floor", None) is not None:
                low = neuron.floor
            states[name] = Signal(range_shape(state.low, state.high), name=f"{name}_{n}")
            m.d.comb += states[name].eq(operands[name])
            allowed &= (operands[name] >= low) & (operands[name] <= state.high)
        for name, parameter in neuron.parameters.items():
            low, high = parameter.low, parameter.high
            if name == "threshold":
                low = 0 if neuron.reset == "subtract" else low
                high -= neuron.fire == ">"
            if name == "reset_value":
                low = neuron.lowest
            if name == "refractory":
                high = neuron.refractory  # any number of steps up to it, as if one per neuron
            if name == "rest" and not neuron.rest:
                low = high = 0
            operand = Value.cast(operands[name])
            allowed &= (operand >= low) & (operand <= high)
        fired, after = neuron.step(
            parameters, SimpleNamespace(**states), operands["x"], self.via(m)
        )

        ports = {"i_x": operands["x"]}
        ports |= {f"i_{name}": operands[name] for name in (*neuron.parameters, *neuron.states)}
        ports = {name: self.integer(m, value) for name, value in ports.items()}
        expected = {name: Signal(INT, name=f"{name}_wanted_{n}") for name in neuron.states}
        ports |= {f"o_{name}_after": signal for name, signal in expected.items()}
        fires = Signal(1 if neuron.spiking else INT, name=f"fires_{n}")
        if neuron.spiking:
            ports["o_fired"] = fires
        elif neuron.emits:
            ports["o_value"] = fires
        m.submodules[f"by_hand_{n}"] = Instance(self.verilog, **self.settings(neuron), **ports)
        equal = Cat(after[name] == expected[name] for name in expected).all()
        if neuron.emits:
            equal &= Value.cast(fired) == fires
        m.d.comb += Assert(equal | ~allowed)

    @staticmethod
    def integer(m, value):
        signal = Signal(INT)
        m.d.comb += signal.eq(value)
        return signal

    @staticmethod
    def settings(neuron):
        results = {"p_WIDTH": WIDTH}
        if neuron.spiking:
            results |= {
                "p_RESET": RESETS.index(neuron.reset),
                "p_TIMING": TIMINGS.index(neuron.reset_timing),
                "p_AT_LEAST": int(neuron.fire == ">="),
                "p_KEPT": int(neuron.refractory_input == "kept"),
                "p_FLOOR": Const(neuron.lowest, INT),
            }
        elif getattr(neuron, "floor", None) is not None:
            results["p_FLOOR"] = Const(neuron.floor, INT)
        if any(name.endswith("decay") for name in neuron.parameters):
            results["p_BITS"] = 3
        if not neuron.spiking and neuron.emits:
            results |= {
                f"p_{name.upper()}": Const(getattr(neuron, name), INT)
                for name in ("resolution", "low", "high")
            }
        if "i" in neuron.states:
            results["p_CURRENT_WIDTH"] = neuron.current_width
        return results


def equal(folder, model, **options):
    return solve(Equal(model, **options), folder, verilog=["neurons.v"]).holds


@pytest.mark.parametrize("model", MODELS)
def test_gates_equal_the_equation(model, tmp_path):
    assert equal(tmp_path, model)


@pytest.mark.parametrize("numerator", [0, 1, 5, 8])
@pytest.mark.parametrize("model", ["Lif", "Integrator"])
def test_gates_equal_the_equation_for_known_decays(model, numerator, tmp_path):
    assert equal(tmp_path, model, every=7, numerator=numerator)


@pytest.mark.parametrize(
    "model, old, new",
    [
        ("If", "total = v + current", "total = v - current"),
        ("If", "s.countdown - p.time_step, 0", "s.countdown - p.time_step - 1, 0"),
        ("If", "total = via.select(s.pending > 0", "total = via.select(s.pending < 1"),
        ("If", "if not self.resets_in_next_step and", "if self.resets_in_next_step and"),
        ("If", "above, threshold + threshold, threshold", "above, threshold + 1, threshold"),
        ("Lif", "above = s.v > threshold", "above = v > threshold"),
        ("Lif", "else s.v >= threshold", "else s.v > threshold"),
        ("Lif", "v = via.select(s.pending > 0, self", "current = via.select(s.pending > 0, self"),
        ("Lif", 'timing == "next_step" and', 'timing == "next_step_keep_input" and'),
        (
            "If",
            "via.maximum(total, self.floor)\n        return via",
            "via.maximum(total, 0)\n        return via",
        ),
        (
            "Lif",
            "self.spike(p, s, self.gain(p, s, self.leaked(p, s.v, via), current, via), via)",
            "self.spike(p, s, self.gain(p, s, -self.leaked(p, -s.v, via), current, via), via)",
        ),
        (
            "CurrentLif",
            "via.decay(s.i, p.current_decay) + current",
            "via.decay(s.i + current, p.current_decay)",
        ),
        (
            "Lif",
            "via.decay(v - p.rest, p.decay) + p.rest",
            "via.decay(v, p.decay) - via.decay(p.rest, p.decay) + p.rest",
        ),
        (
            "Integrator",
            "via.maximum(total, self.floor)\n        return None",
            "via.maximum(total, 0)\n        return None",
        ),
        ("AdaptiveLif", "fired, a + p.rise, a", "fired, s.a + p.rise, a"),
        ("AdaptiveLif", "threshold = p.threshold + s.a", "threshold = p.threshold"),
        (
            "Integrator",
            "self.leaked(p, s.v, via) + current",
            "self.leaked(p, s.v + current, via)",
        ),
        (
            "Accumulator",
            "s.v + current, *signed_range(self.width)",
            "s.v + current, 1 - 2 ** (self.width - 1), 2 ** (self.width - 1) - 1",
        ),
    ],
)
def test_a_fault_in_a_step_is_found(model, old, new, tmp_path, monkeypatch):
    (module,) = (m for m in (leak, library, spiking) if old in inspect.getsource(m))
    faulty = planted(module, old, new)
    if module is not library:  # the models derive from the faulty class
        monkeypatch.setitem(sys.modules, module.__name__, faulty)
        faulty = planted(library, "class If(", "class If(")
    assert not equal(tmp_path, model, every=5, models=faulty)


@pytest.mark.parametrize(
    "old, new",
    [
        ("beyond.all() | ~beyond.any()", "~beyond.any()"),
        ("x[width - 1 :], x[-1]", "x[width:], x[-1]"),
        ("Value.cast(test) == 0", "Value.cast(test)"),
        ("return x - self.shift(leaked, decay.bits)", "return x + self.shift(-leaked, decay.bits)"),
    ],
)
def test_a_fault_in_the_gates_is_found(old, new, tmp_path):
    assert not equal(
        tmp_path, "Lif", every=5, via=planted(combinational, old, new).CombinationalArithmetic
    )


def test_a_fault_in_the_sum_of_shifts_is_found(tmp_path):
    faulty = planted(
        combinational, "range(decay.bits + 1)", "range(decay.bits)"
    ).CombinationalArithmetic
    assert not equal(tmp_path, "Integrator", numerator=8, via=faulty)
