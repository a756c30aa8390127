"""Integers and arrays as users have them, at every public constructor of the model.

The doors are found: each dataclass of the model, and in each of its fields what an example holds.
What a door takes is kept in its plain form, so that it comes back from files as it went in.
"""

import dataclasses
import enum
import importlib
import inspect
import pkgutil
import re
import warnings

import numpy as np
import pytest
import torch

import spiker_hdl.model
from spiker_hdl import run
from spiker_hdl.export import emit, read_emission
from spiker_hdl.model import (
    NEURONS,
    AnswerPolicy,
    Convolution,
    Core,
    Decay,
    DeltaRule,
    Dense,
    EProp,
    Feedback,
    FirstOrder,
    Homeostasis,
    Input,
    LearningState,
    Lif,
    Mapping,
    MaxPooling,
    Network,
    OneToOne,
    OutputDelta,
    PairStdp,
    Population,
    PostStdp,
    Projection,
    Readout,
    Reward,
    RewardStdp,
    SecondOrder,
    Sparse,
    TripletStdp,
    Voltage,
    WinnerTakeAll,
    WithSynapse,
    WithSynapses,
    encoders,
    load,
    load_mapping,
    save,
    signed_range,
)
from spiker_hdl.model.encoders import Encoding
from spiker_hdl.model.mapping.reload import Store
from spiker_hdl.model.pruning.channels import Channels
from spiker_hdl.model.pruning.prune import prune
from spiker_hdl.model.synapses.windows import Windows

WEIGHTS = np.array([[1, -2, 3], [0, 5, -6]])
LONGEST = 400
"""Characters of a message."""


def matrix(values):
    """Make a np.matrix, of which NumPy warns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        return np.matrix(values)


class Own:
    """An integer of somebody's own."""

    def __init__(self, value):
        self.value = value

    def __index__(self):
        return self.value


def small(**changes):
    """Make a network that has a part of every kind."""
    variants = {
        "inputs": [Input("in", (1, 3), -1, 2)],
        "populations": [
            Population("a", 2, Lif(width=8, threshold=(3, 4), decay=Decay((1, 3), 2)), (0, -1)),
            Population("b", 2, Lif(width=8, threshold=3, decay=Decay.shift(1))),
        ],
        "projections": [
            Projection("in", "a", WEIGHTS),
            Projection("a", "b", OneToOne(np.array([5, -6])), name="across"),
            Projection("b", "a", Sparse.from_matrix(np.array([[0, 2], [-3, 0]])), 1, 4),
        ],
        "readouts": [Readout("b", "count")],
        "max_steps": 20,
    }
    return Network(**variants | changes)


SETTINGS = {
    "width": 8,
    "current_width": 8,
    "threshold": (3, 4),
    "reset_value": (-1, 2),
    "floor": -9,
    "refractory": (2, 1),
    "rise": (1, 2),
    "v": (0, 1),
    "i": (0, 1),
    "a": (0, 1),
    "countdown": (0, 1),
    "pending": (0, 1),
    "reset_timing": "next_step",
    "reset": "value",
    "rest": (-1, 2),
    "resolution": 8,
    "low": -3,
    "high": 5,
    "decay": Decay((1, 3), 2),
    "current_decay": Decay.shift(1),
    "rise_decay": Decay.shift(2),
}
LEAKS = {"pre_decay": Decay.shift(1), "post_decay": Decay.shift(2)}
EXAMPLES = {
    Input: {"name": "in", "shape": (2, 3), "low": -2, "high": 5},
    Population: {
        "name": "a",
        "shape": (1, 2),
        "neuron": Lif(width=8, threshold=3, decay=Decay.shift(1)),
        "bias": (3, -4),
    },
    Projection: {
        "source": "a",
        "target": "b",
        "synapses": WEIGHTS,
        "delay": 2,
        "bits": 6,
        "shift": 1,
        "receptor": 1,
    },
    Readout: {"population": "a", "groups": 2},
    Dense: {"weights": WEIGHTS},
    OneToOne: {"weights": np.array([1, -2, 3])},
    Sparse: {
        "sources": np.array([0, 1, 2]),
        "targets": np.array([1, 0, 1]),
        "weights": np.array([4, -5, 6]),
        "source_size": 3,
        "target_size": 2,
    },
    Convolution: {
        "kernel": np.arange(-8, 8).reshape(4, 1, 2, 2),
        "shape": (2, 5, 4),
        "stride": (2, 1),
        "dilation": (1, 2),
        "groups": 2,
    },
    MaxPooling: {
        "shape": (2, 5, 4),
        "size": (3, 2),
        "stride": (2, 1),
        "dilation": (1, 2),
    },
    Windows: {
        "shape": (5, 4),
        "size": (3, 2),
        "stride": (2, 1),
        "dilation": (1, 2),
    },
    Network: {
        **{part: getattr(small(), part) for part in ("inputs", "populations", "projections")},
        "readouts": small().readouts,
        "max_steps": 9,
    },
    Core: {"lanes": 2, "units": 1, "banks": 2, "stages": 2, "block": 16},
    Mapping: {"cores": {}, "word": 8},
    AnswerPolicy: {"window": 3},
    Encoding: {"name": "graded", "steps": 3, "bits": 8, "seed": 2, "kept": 3},
    Channels: {"size": 9, "kept": np.array([1, 4])},
    WinnerTakeAll: {"steps": 3},
    FirstOrder: {"decay": Decay((1, 3), 2), "width": 8, "i": (0, 1)},
    SecondOrder: {
        "decay": Decay((1, 3), 2),
        "rise": Decay.shift(1),
        "width": 8,
        "slow": (0, 1),
        "fast": (2, 3),
    },
    WithSynapse: {
        "neuron": Lif(width=8, threshold=3, decay=Decay.shift(1)),
        "synapse": FirstOrder(decay=Decay.shift(1), width=8),
    },
    WithSynapses: {
        "neuron": Lif(width=8, threshold=3, decay=Decay.shift(1)),
        "synapses": (FirstOrder(decay=Decay.shift(1), width=8), None),
    },
    LearningState: {"seed": 3, "samples": 5},
    Homeostasis: {"rise": 3, "fall": 1, "low": -5, "high": 9},
    Reward: {"low": -2, "high": 3},
    OutputDelta: {"readout": "b", "temperature": 2, "levels": 4},
    Feedback: {"error": OutputDelta("b"), "projection": "out", "shift": 2, "limit": 9, "seed": 1},
    PairStdp: LEAKS | {"potentiation": 9, "depression": 8, "trace_bits": 5, "shift": 1, "low": 0},
    PostStdp: {"pre_decay": Decay.shift(1), "potentiation": 9, "target": 3, "distance_shift": 1},
    TripletStdp: LEAKS
    | {"slow_pre_decay": Decay.shift(2), "slow_post_decay": Decay.shift(2), "slow_bits": 5}
    | {"pair_potentiation": 9, "pair_depression": 8, "slow_pre_jump": 3, "product_shift": 1},
    RewardStdp: LEAKS
    | {"eligibility_decay": Decay.shift(2), "eligibility_bits": 9, "third": Reward()}
    | {"potentiation": 9, "depression": 8},
    DeltaRule: {"third": OutputDelta("b"), "count_bits": 3, "gate_low": -3, "gate_high": 9},
    EProp: {"third": OutputDelta("b"), "pre_decay": Decay.shift(1), "jump": 9}
    | {"gate_low": -3, "gate_high": 9, "eligibility_shift": 1},
    Voltage: {"pre_decay": Decay.shift(1), "potentiation": 2, "threshold_plus": 3}
    | {"threshold_minus": 1, "spike_potential": 9, "plus_shift": 2, "average_bits": 10},
} | {
    kind: {f.name: SETTINGS[f.name] for f in dataclasses.fields(kind) if f.name in SETTINGS}
    for kind in NEURONS.values()
}
INSIDE = {"Bounds", "Answer", "Result", "Stimulus", "Parameter", "State", "Neuron"} | {
    *(
        "Component",
        "Dynamics",
        "SpikingNeuron",
        "Wrapped",
        "Pruned",
        "Pruning",
        "Timing",
        "Spent",
        "Store",
        "Elapsed",
        "Interleave",
        "Sums",
        "Tap",
        "Rule",
        "Trace",
        "RuleBounds",
        "ThirdFactor",
        "Learned",
        "Teacher",
    )
}
"""Dataclasses that the library makes, or that are there to be derived from."""


def dataclasses_of_the_model():
    results = {}
    for module in pkgutil.walk_packages(spiker_hdl.model.__path__, "spiker_hdl.model."):
        for name, kind in vars(importlib.import_module(module.name)).items():
            local = getattr(kind, "__module__", "") == module.name
            if dataclasses.is_dataclass(kind) and local and not name.startswith("_"):
                results[name] = kind
    return results


def test_every_dataclass_of_the_model_has_an_example():
    public = {name for name in dataclasses_of_the_model() if name in public_names()}
    assert public - INSIDE == {kind.__name__ for kind in EXAMPLES}
    assert Store.__name__ in INSIDE


def public_names():
    names = set(spiker_hdl.model.__all__)
    for module in pkgutil.walk_packages(spiker_hdl.model.__path__, "spiker_hdl.model."):
        exported = getattr(importlib.import_module(module.name), "__all__", [])
        names |= {name for name in exported if name[:1].isupper()}
    return names - {"Machines", "Part", "Train"}


# -- what is taken -------------------------------------------------------------------------------


def enumerated(value):
    return enum.IntEnum("Number", {"ITSELF": value}).ITSELF


SCALARS = {
    "numpy int8": np.int8,
    "numpy int16": np.int16,
    "numpy int64": np.int64,
    "big-endian scalar": lambda value: np.array(value, ">i4")[()],
    "array without axes": np.array,
    "tensor": torch.tensor,
    "enumeration": enumerated,
    "own class": Own,
}
SEVERAL = {
    "list": list,
    "list of NumPy scalars": lambda values: [np.int16(value) for value in values],
    "array": np.array,
    "int8 array": lambda values: np.array(values, np.int8),
    "big-endian array": lambda values: np.array(values, ">i4"),
    "negative strides": lambda values: np.array(values)[..., ::-1].copy()[..., ::-1],
    "wide strides": lambda values: np.repeat(np.array(values), 2, -1)[..., ::2],
    "object array": lambda values: np.array(values, object),
    "unmasked array": lambda values: np.ma.array(values),
    "tensor": lambda values: torch.tensor(np.array(values).tolist()),
}
ARRAYS = SEVERAL | {
    "fortran order": np.asfortranarray,
    "matrix": lambda values: matrix(values) if values.ndim == 2 else values,
    "transposed": lambda values: np.array(values.T, order="C").T,
    "lists": lambda values: values.tolist(),
    "tuples": lambda values: tuple(map(tuple, values)) if values.ndim > 1 else tuple(values),
    "tensor with strides": lambda values: torch.tensor(values.T.tolist()).permute(
        *range(values.ndim)[::-1]
    ),
    "uint64": lambda values: (
        (values.astype(np.int64)).astype(np.uint64) if (values >= 0).all() else values
    ),
    "list of tensors": lambda values: [torch.tensor(row.tolist()) for row in values],
}


def read_only(values):
    array = np.array(values)
    array.flags.writeable = False
    return array


ARRAYS["read-only"] = SEVERAL["read-only"] = read_only


def doors(of):
    """List classes and the fields whose example is of a kind."""
    return [
        pytest.param(kind, name, id=f"{kind.__name__}.{name}")
        for kind, example in EXAMPLES.items()
        for name, value in example.items()
        if of(value)
    ]


def is_integer(value):
    return type(value) is int


def is_several(value):
    return isinstance(value, tuple) and all(type(item) is int for item in value)


def is_array(value):
    return isinstance(value, np.ndarray)


def kept(instance, name):
    return getattr(instance, name)


@pytest.mark.parametrize("form", SCALARS)
@pytest.mark.parametrize("kind, name", doors(is_integer))
def test_integers_of_any_library_become_plain(kind, name, form):
    example = EXAMPLES[kind]
    instance = kind(**example | {name: SCALARS[form](example[name])})
    assert type(kept(instance, name)) is int
    assert repr(instance) == repr(kind(**example))
    assert instance == kind(**example) or kind is Channels


@pytest.mark.parametrize("form", SEVERAL)
@pytest.mark.parametrize("kind, name", doors(is_several))
def test_sequences_of_integers_of_any_library_become_plain(kind, name, form):
    example = EXAMPLES[kind]
    instance = kind(**example | {name: SEVERAL[form](example[name])})
    assert type(kept(instance, name)) is tuple
    assert {type(item) for item in kept(instance, name)} == {int}
    assert instance == kind(**example)


@pytest.mark.parametrize("form", ARRAYS)
@pytest.mark.parametrize("kind, name", doors(is_array))
def test_arrays_of_any_library_become_canonical(kind, name, form):
    example = EXAMPLES[kind]
    passed = ARRAYS[form](example[name])
    instance = kind(**example | {name: passed})
    array = kept(instance, name)
    array = array.values if name == "synapses" else array
    assert type(array) is np.ndarray
    assert array.dtype == np.dtype("=i8")
    assert array.flags.c_contiguous
    assert not array.flags.writeable
    expected = kept(kind(**example), name)
    np.testing.assert_array_equal(array, expected.values if name == "synapses" else expected)
    if isinstance(passed, np.ndarray):
        assert not np.shares_memory(array, passed)


# -- what is refused -----------------------------------------------------------------------------

NO_INTEGERS = {
    "bool": True,
    "numpy bool": np.bool_(True),
    "float": 2.0,
    "numpy float": np.float64(2),
    "bool array": np.array(True),
    "float array": np.array(2.0),
    "bool tensor": torch.tensor(True),
    "float tensor": torch.tensor(2.0),
    "masked": np.ma.masked,
    "masked array": np.ma.array([2, 3], mask=[True, False]),
    "string": "2",
    "bytes": b"2",
    "complex": 2j,
    "class": int,
    "floats": [2.0, 3.0],
    "bools": [True, False],
    "bools among others": [1, True],
    "array of floats": np.array([2.0, 3.0]),
    "array of bools": np.array([True, False]),
    "matrix": matrix([[2.0]]),
    "mapping": {0: 2},
    "set": {2},
    "dates": np.array(["2020-01-01"], "M8[D]"),
    "records": np.zeros(2, "i4,i4"),
}
LONG = {
    "long array": np.arange(10_000) + 0.5,
    "long integers": np.full(10_000, 2**40),
    "long tuple": (0.5,) * 10_000,
    "long list": ["x" * 1000] * 1000,
    "long string": "x" * 10**5,
    "long tensor": torch.zeros(10_000),
    "long integer": 10**5000,
    "escape": "\x1b[31m\n" * 5,
}


def refused(make):
    with pytest.raises((TypeError, ValueError)) as caught:
        make()
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < LONGEST
    assert re.search(r" must |must not", message), message


@pytest.mark.parametrize("kind, name", [*doors(is_integer), *doors(is_several), *doors(is_array)])
def test_value_that_is_no_integer_is_refused_in_one_short_line(kind, name):
    for wrong in [*NO_INTEGERS.values(), *LONG.values()]:
        refused(lambda wrong=wrong: kind(**EXAMPLES[kind] | {name: wrong}))


@pytest.mark.parametrize("wrong", LONG)
@pytest.mark.parametrize("kind", EXAMPLES, ids=lambda kind: kind.__name__)
def test_value_of_the_wrong_type_is_refused_in_one_short_line(kind, wrong):
    for name, value in EXAMPLES[kind].items():
        if isinstance(value, str) and wrong == "long string":
            refused(lambda name=name: kind(**EXAMPLES[kind] | {name: LONG[wrong]}))
        elif not isinstance(value, str):
            refused(lambda name=name: kind(**EXAMPLES[kind] | {name: LONG[wrong]}))


# -- functions -----------------------------------------------------------------------------------

VALUES = np.array([[0, 3, 127], [7, 100, 90]])
CALLS = {
    "Decay": (Decay, {"numerator": 3, "bits": 4}),
    "Decay.shift": (Decay.shift, {"bits": 3}),
    "Decay.fit": (Decay.fit, {"factor": 0.8, "form": "shifts", "terms": 2, "bits": 5}),
    "signed_range": (signed_range, {"width": 8}),
    "lfsr": (encoders.lfsr, {"count": 5, "seed": 3}),
    "rate": (encoders.rate, {"values": VALUES, "steps": 4, "bits": 7}),
    "bernoulli": (encoders.bernoulli, {"values": VALUES, "steps": 4, "bits": 7, "seed": 3}),
    "first_spike": (encoders.first_spike, {"values": VALUES, "steps": 4, "bits": 7}),
    "graded": (encoders.graded, {"values": VALUES, "steps": 4, "bits": 7, "kept": 3}),
    "binary": (encoders.binary, {"values": VALUES, "steps": 4, "bits": 7}),
    "delta": (encoders.delta, {"values": VALUES, "thresholds": (3, 90), "bits": 7}),
}


def test_every_encoder_is_among_the_calls():
    for name in encoders.__all__:
        function = getattr(encoders, name)
        if inspect.isfunction(function) and name != "encoder_of":
            assert set(inspect.signature(function).parameters) == set(CALLS[name][1]), name


@pytest.mark.parametrize("name", CALLS)
def test_functions_accept_integers_and_arrays_of_any_library(name):
    function, options = CALLS[name]
    expected = function(**options)
    forms = {int: SCALARS, tuple: SEVERAL, np.ndarray: ARRAYS}
    for option, value in options.items():
        for form in forms.get(type(value), {}).values():
            result = function(**options | {option: form(value)})
            np.testing.assert_equal(result, expected)
            assert repr(result) == repr(expected)
        if type(value) in forms:
            for wrong in ("bool", "float", "numpy bool", "bool tensor", "masked array"):
                arguments = options | {option: NO_INTEGERS[wrong]}
                refused(lambda given=arguments: function(**given))


# -- whole networks ------------------------------------------------------------------------------


def odd_network(order):
    """Make :func:`small` of NumPy's integers and arrays as they come."""
    weights = ARRAYS[order](WEIGHTS)
    neuron = Lif(
        width=np.int8(8), threshold=np.array([3, 4]), decay=Decay([np.int64(1), 3], np.int16(2))
    )
    own = small()
    return Network(
        [Input(np.str_("in"), np.array([1, 3]), np.int8(-1), np.uint8(2))],
        [Population("a", np.int64(2), neuron, [0, np.int8(-1)]), own.populations[1]],
        [
            Projection("in", "a", weights),
            Projection("a", "b", OneToOne(torch.tensor([5, -6])), name=np.str_("across")),
            Projection("b", "a", Sparse.from_matrix([[0, 2], [-3, 0]]), np.uint8(1), np.array(4)),
        ],
        [Readout("b", np.str_("count"))],
        np.uint16(20),
    )


@pytest.mark.parametrize("order", ARRAYS)
def test_a_network_of_odd_arrays_comes_back_from_files_and_pruning(order, tmp_path):
    network = odd_network(order)
    assert network == small()
    assert network.digest == small().digest
    mapping = Mapping.folded(network, np.int64(1), word=np.uint8(4))
    save(network, tmp_path / "odd.spiker", mapping)
    save(small(), tmp_path / "plain.spiker", Mapping.folded(small(), 1, word=4))
    assert (tmp_path / "odd.spiker").read_bytes() == (tmp_path / "plain.spiker").read_bytes()
    assert load(tmp_path / "odd.spiker") == small()
    assert load_mapping(tmp_path / "odd.spiker") == mapping
    pruned = prune(network).network
    assert pruned == prune(small()).network
    assert pruned.digest == prune(small()).network.digest


def test_a_network_of_odd_arrays_is_emitted_and_read_as_itself(tmp_path):
    emit(odd_network("fortran order"), tmp_path / "odd", samples=np.asfortranarray(SPIKES))
    read = read_emission(tmp_path / "odd").network
    assert read == small()
    assert read.digest == small().digest


SPIKES = np.random.default_rng(5).integers(-1, 3, (4, 3, 3))


@pytest.mark.parametrize("form", ARRAYS)
def test_runs_take_spikes_in_every_form(form):
    result = run(small(), ARRAYS[form](SPIKES))
    assert run(small(), SPIKES).differences(result) == []
    assert result.scores.dtype == np.int64
    by_sample = run(small(), [ARRAYS[form](sample) for sample in SPIKES])
    assert result.differences(by_sample) == []


def test_simulated_hardware_takes_weights_and_spikes_in_any_order():
    spikes = np.asfortranarray(SPIKES.astype(">i4"))[::-1]
    network = odd_network("fortran order")
    mapping = Mapping.folded(network, np.int64(1), word=np.uint8(2))
    result = run(network, spikes, engine="amaranth", mapping=mapping)
    assert run(small(), SPIKES[::-1]).differences(result) == []


@pytest.mark.parametrize("wrong", [*NO_INTEGERS, *LONG])
def test_run_refuses_values_that_are_no_spikes_in_one_short_line(wrong):
    refused(lambda: run(small(), (NO_INTEGERS | LONG)[wrong]))
    refused(lambda: run(small(), [(NO_INTEGERS | LONG)[wrong]]))


def test_masked_spikes_are_refused_and_not_filled():
    mask = np.zeros(SPIKES.shape, bool)
    mask[2, 1, 0] = True
    message = "^Spikes of input 'in' must have no masked values, not 1 of 36$"
    with pytest.raises(ValueError, match=message):
        run(small(), np.ma.array(SPIKES, mask=mask))
    with pytest.raises(ValueError, match=r"must have no masked values, not 1 of 9$"):
        run(small(), [*SPIKES[:2], np.ma.array(SPIKES[2], mask=mask[2]), SPIKES[3]])
    with pytest.raises(ValueError, match=r"^Weights must have no masked values, not 1 of 6$"):
        Dense(np.ma.array(WEIGHTS, mask=WEIGHTS == 5))


@pytest.mark.parametrize(
    "shape, hint",
    [
        ((3, 3), ": put an axis of samples in front"),
        ((4, 3, 1, 3), ": flatten all axes after steps"),
        ((3, 4, 5), ": move axis 0, of 3, to the end"),
        ((4, 3, 5), ": move axis 1, of 3, to the end"),
        ((4, 5, 6), ""),
    ],
    ids=str,
)
def test_the_axes_of_spikes_are_named_with_the_way_out(shape, hint):
    message = f"Spikes of input 'in' must have the shape (samples, steps, 3), not {shape}{hint}"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        run(small(), np.zeros(shape, int))


def test_error_suggests_steps_as_first_axis_where_nothing_else_fits():
    turned = "the axes are (samples, steps, size), which are (5, 21, 3); where steps come first, "
    message = f"Sample must have 1 to 20 steps (max_steps= of the network), not 21: {turned}"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}swap the first two$"):
        run(small(), np.zeros((5, 21, 3), int))
    still = small(
        inputs=[Input("in", 3, -1, 2, static=True)],
        populations=small().populations[:1],
        projections=small().projections[:1],
        readouts=[Readout("a")],
    )
    static = np.repeat(SPIKES[:, :1], 3, axis=1)
    assert len(run(still, static).classes) == 4
    with pytest.raises(ValueError, match=r"of sample 0: the axes are .* swap the first two$"):
        run(still, static.swapaxes(0, 1))
