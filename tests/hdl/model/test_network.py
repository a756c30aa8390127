"""Tests of the graph: its order, its cycles, how it scales, and bad input."""

import re
import time
from dataclasses import FrozenInstanceError, replace
from itertools import pairwise
from random import Random

import numpy as np
import pytest

from spiker_hdl.base.checks import shown
from spiker_hdl.model import (
    Accumulator,
    Decay,
    Dense,
    If,
    Input,
    Lif,
    Network,
    OneToOne,
    Population,
    Projection,
    Readout,
    Sparse,
)

from support.networks import random_network

FIRES = If(width=6, threshold=3)
ONE = np.array([[1]])


def graph(names, arrows):
    """Make a network of lone neurons from arrows: ``"a>b"``, and ``"a>b 2"`` with a delay."""
    projections = []
    for n, arrow in enumerate(arrows):
        ends, _, delay = arrow.partition(" ")
        source, target = ends.split(">")
        projections.append(Projection(source, target, ONE, int(delay or 0), name=f"n{n}"))
    populations = [Population(name, 1, FIRES) for name in names]
    return Network([Input("x", 1)], populations, projections, [Readout(names[0])])


# -- order ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "names, arrows, order",
    [
        ("abc", ["x>a", "a>b", "b>c"], "abc"),
        ("cba", ["x>a", "a>b", "b>c"], "abc"),
        ("abc", [], "abc"),  # as given
        ("cab", [], "cab"),
        ("abcd", ["a>d", "b>d", "c>b"], "acbd"),
        ("dcba", ["a>b", "a>c", "b>d", "c>d"], "abcd"),  # in the order of the projections
        ("dcba", ["a>c", "a>b", "b>d", "c>d"], "acbd"),
        ("ab", ["a>b", "b>a 1", "a>a 1", "b>b 3"], "ab"),
        ("ab", ["a>b 1", "b>a"], "ba"),
        ("ab", ["a>b", "a>b", "a>b 2"], "ab"),
    ],
)
def test_order_by_hand(names, arrows, order):
    assert "".join(graph(names, arrows).order) == order


def test_every_undelayed_projection_goes_forward():
    for seed in range(25):
        network = random_network(Random(seed), populations=(1, 8), neurons=(1, 3))
        rank = {name: n for n, name in enumerate(network.order)}
        assert sorted(rank) == sorted(network.population)
        for projection in network.projections:
            if projection.delay == 0 and projection.source in rank:
                assert rank[projection.source] < rank[projection.target]
        again = random_network(Random(seed), populations=(1, 8), neurons=(1, 3))
        assert again.order == network.order


@pytest.mark.parametrize(
    "names, arrows, cycle",
    [
        ("a", ["a>a"], "a -> a"),
        ("ab", ["a>b", "b>a"], "a -> b -> a"),
        ("ba", ["a>b", "b>a"], "a -> b -> a"),
        ("abcd", ["a>b", "b>c", "c>b", "c>d"], "b -> c -> b"),
        ("abc", ["a>b", "b>c", "c>a"], "a -> b -> c -> a"),
        ("abc", ["a>b 1", "b>a", "b>c", "c>b"], "b -> c -> b"),
        ("ab", ["a>a", "a>b"], "a -> a"),
    ],
)
def test_a_cycle_without_delay_is_named(names, arrows, cycle):
    message = f"A cycle must have a delay of at least 1 somewhere, not {cycle}"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        graph(names, arrows)


def test_a_cycle_is_named_in_the_direction_of_its_arrows():
    for seed in range(30):
        random = Random(seed)
        names = [f"p{n}" for n in range(8)]
        arrows = [f"{random.choice(names)}>{random.choice(names)}" for _ in range(16)]
        try:
            graph(names, arrows)
        except ValueError as error:
            path = str(error).split(", not ")[1].split(" -> ")
            assert path[0] == path[-1]
            steps = [f"{a}>{b}" for a, b in pairwise(path)]
            assert set(steps) <= set(arrows)
            assert len(set(steps)) == len(steps)


# -- scale ---------------------------------------------------------------------------------------


def chain(count):
    names = [f"p{n}" for n in reversed(range(count))]
    arrows = ["x>p0", *(f"p{n}>p{n + 1}" for n in range(count - 1))]
    return graph(names, arrows)


def test_long_chains_are_made_in_seconds():
    start = time.process_time()
    network = chain(400)
    assert network.order == tuple(f"p{n}" for n in range(400))
    assert time.process_time() - start < 5


def test_sorting_is_linear():
    # The order alone, of 2000 populations and 40,000 projections.
    network = chain(3)
    count = 2000
    names = [f"p{n}" for n in range(count)]
    arrows = [(n, m) for n in range(count) for m in range(n + 1, min(n + 21, count))]
    Random(1).shuffle(arrows)
    synapses = Dense(ONE)
    object.__setattr__(network, "populations", tuple(Population(n, 1, FIRES) for n in names))
    object.__setattr__(
        network,
        "projections",
        tuple(Projection(names[n], names[m], synapses) for n, m in arrows),
    )
    start = time.process_time()
    assert network._sorted() == tuple(names)
    assert time.process_time() - start < 1


# -- what is derived -----------------------------------------------------------------------------


def test_parts_are_found_by_name():
    network = graph("abc", ["x>a", "a>b", "a>c 2", "c>a 1"])
    assert [*network.population] == ["a", "b", "c"]
    assert [*network.nodes] == ["x", "a", "b", "c"]
    assert [projection.name for projection in network.into("a")] == ["n0", "n3"]
    assert [projection.name for projection in network.out_of("a")] == ["n1", "n2"]
    assert network.readout is network.readouts[0]
    assert network.weight_bits == 4 * 2


@pytest.mark.parametrize(
    "weights, width",
    [
        ([[0]], 2),
        ([[1]], 2),
        ([[-1]], 2),
        ([[-2, 1]], 2),
        ([[2]], 3),
        ([[-3]], 3),
        ([[7, -8]], 4),
        ([[8, 0]], 5),
        ([[-9, 0]], 5),
        ([[2**31 - 1]], 32),
    ],
)
def test_width_of_weights_by_hand(weights, width):
    assert Projection("a", "b", np.array(weights)).width == width
    assert Projection("a", "b", np.array(weights), bits=32).width == 32


def test_width_of_no_weights():
    assert Projection("a", "b", Sparse.from_matrix(np.zeros((2, 2), dtype=int))).width == 2


@pytest.mark.parametrize(
    "options, name", [({}, "a->b"), ({"delay": 3}, "a->b late 3"), ({"name": "c"}, "c")]
)
def test_names_of_projections(options, name):
    assert Projection("a", "b", ONE, **options).name == name


def test_sizes_and_ranges():
    node = Input("x", (2, 3, 4))
    assert (node.size, node.graded) == (24, False)
    assert Input("x", 1, 0, 2).graded
    assert Input("x", 1, -1, 1).graded
    population = Population("p", (2, 2), FIRES, (1, 2, 3, 4))
    assert (population.size, population.low, population.high, population.graded) == (4, 0, 1, False)


def test_nothing_changes_once_made():
    network = graph("a", ["x>a"])
    with pytest.raises(FrozenInstanceError):
        network.name = "other"
    weights = np.array([[1]])
    projection = Projection("x", "a", weights)
    weights[0, 0] = 5
    assert projection.synapses.weights.tolist() == [[1]]
    with pytest.raises(ValueError, match="read-only"):
        projection.synapses.weights[0, 0] = 5


def test_sequences_become_tuples():
    network = graph("ab", ["x>a"])
    assert isinstance(network.populations, tuple)
    assert replace(network, name="other") != network
    assert replace(network, name="network") == network
    assert hash(replace(network, name="network")) == hash(network)


# -- bad input -----------------------------------------------------------------------------------

LONG = "n" * 201
SHORTENED = shown(LONG)
NAME = "must be 1 to 200 printable characters without a dot, not"
INTEGERS = "Projection 'a->b': Weights must be integers, not"


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: Input("", 1), ValueError, f"Input name {NAME} ''"),
        (lambda: Input("a.b", 1), ValueError, f"Input name {NAME} 'a.b'"),
        (lambda: Input("a\0", 1), ValueError, f"Input name {NAME} 'a\\x00'"),
        (lambda: Input(LONG, 1), ValueError, f"Input name {NAME} {SHORTENED}"),
        (lambda: Input(3, 1), TypeError, "Input name must be a string, not 3"),
        (lambda: Input("x", 0), ValueError, "Input 'x' size must be at least 1, not 0"),
        (lambda: Input("x", 2.0), TypeError, "Input 'x' size must be an int, not 2.0"),
        (
            lambda: Input("x", np.float64(2)),
            TypeError,
            f"Input 'x' size must be an int, not {np.float64(2)!r}",
        ),
        (lambda: Input("x", ()), ValueError, "Input 'x' shape must have at least one axis, not ()"),
        (lambda: Input("x", (2, 0)), ValueError, "Input 'x' shape must be at least 1, not 0"),
        (lambda: Input("x", [2, 2.0]), TypeError, "Input 'x' shape must be an int, not 2.0"),
        (
            lambda: Input("x", (2**10, 2**11)),
            ValueError,
            "Input 'x' size must be at most 1048576, not 2097152",
        ),
        (
            lambda: Input("x", 2**21),
            ValueError,
            "Input 'x' size must be at most 1048576, not 2097152",
        ),
        (lambda: Input("x", 1, 1), ValueError, "Input 'x' low must be at most 0, not 1"),
        (lambda: Input("x", 1, 0, 0), ValueError, "Input 'x' high must be at least 1, not 0"),
        (
            lambda: Input("x", 1, 0, 2**16),
            ValueError,
            "Input 'x' high must be at most 65535, not 65536",
        ),
        (
            lambda: Input("x", 1, -(2**15) - 1),
            ValueError,
            "Input 'x' low must be at least -32768, not -32769",
        ),
        (lambda: Input("x", 1, 0, 1.0), TypeError, "Input 'x' high must be an int, not 1.0"),
        (
            lambda: Population("p", 0, FIRES),
            ValueError,
            "Population 'p' size must be at least 1, not 0",
        ),
        (
            lambda: Population("p", 1, "lif"),
            TypeError,
            "Neuron of population 'p' must be a Neuron, not 'lif'",
        ),
        (
            lambda: Population("p", 1, If),
            TypeError,
            f"Neuron of population 'p' must be a Neuron, not {If!r}",
        ),
        (
            lambda: Population("p", 1, FIRES, 0.5),
            TypeError,
            "Bias of population 'p' must be an int or a tuple of ints, not 0.5",
        ),
        (
            lambda: Population("p", 1, FIRES, float("nan")),
            TypeError,
            "Bias of population 'p' must be an int or a tuple of ints, not nan",
        ),
        (
            lambda: Population("p", 1, FIRES, 2**31),
            ValueError,
            "Bias of population 'p' must be at most 2147483647, not 2147483648",
        ),
        (
            lambda: Population("p", 2, FIRES, (1, 2, 3)),
            ValueError,
            "Parameters per neuron of population 'p' must be 2, not 3",
        ),
        (
            lambda: Population("p", 2, If(width=6, threshold=(1, 2, 3))),
            ValueError,
            "Parameters per neuron of population 'p' must be 2, not 3",
        ),
        (
            lambda: Population("p", 2, Lif(width=6, threshold=1, decay=Decay((1,), 2))),
            ValueError,
            "Parameters per neuron of population 'p' must be 2, not 1",
        ),
        (
            lambda: Population("p", 2, If(width=6, threshold=1, v=(0,) * 4)),
            ValueError,
            "Parameters per neuron of population 'p' must be 2, not 4",
        ),
        (
            lambda: Projection("a", "b", [[1], [1, 2]]),
            ValueError,
            "Projection 'a->b': Weights must have rows of one shape, not of (1,) and (2,)",
        ),
        (
            lambda: Projection("a", "b", np.array([1])),
            ValueError,
            "Projection 'a->b': Weights must have the shape (target, source), not (1,)",
        ),
        (
            lambda: Projection("a", "b", np.zeros((0, 1), int)),
            ValueError,
            "Projection 'a->b': Weights must have the shape (target, source), not (0, 1)",
        ),
        (lambda: Projection("a", "b", np.array([[0.5]])), TypeError, f"{INTEGERS} float64"),
        (lambda: Projection("a", "b", np.array([[np.nan]])), TypeError, f"{INTEGERS} float64"),
        (lambda: Projection("a", "b", np.array([[True]])), TypeError, f"{INTEGERS} bool"),
        (lambda: Projection("a", "b", np.array([[None]])), TypeError, f"{INTEGERS} None"),
        (
            lambda: Projection("a", "b", np.array([[2**31]])),
            ValueError,
            "Projection 'a->b': Weight must be within 32 bits, not 2147483648",
        ),
        (
            lambda: Projection("a", "b", np.array([[-(2**31)]])),
            ValueError,
            "Projection 'a->b': Weight must be within 32 bits, not -2147483648",
        ),
        (
            lambda: Projection("a", "b", np.array([[-(2**63)]])),
            ValueError,
            "Projection 'a->b': Weight must be within 32 bits, not -9223372036854775808",
        ),
        (
            lambda: Projection("a", "b", np.array([[2**63 - 1]], dtype=np.uint64)),
            ValueError,
            "Projection 'a->b': Weight must be within 32 bits, not 9223372036854775807",
        ),
        (
            lambda: Projection("a", "b", np.array([[2**63]], dtype=np.uint64)),
            ValueError,
            "Projection 'a->b': Weights must fit in 64 bits with sign, not 9223372036854775808",
        ),
        (
            lambda: Projection("a", "b", ONE, -1),
            ValueError,
            "Projection 'a->b' delay must be at least 0, not -1",
        ),
        (
            lambda: Projection("a", "b", ONE, 1024),
            ValueError,
            "Projection 'a->b' delay must be at most 1023, not 1024",
        ),
        (
            lambda: Projection("a", "b", ONE, True),
            TypeError,
            "Projection 'a->b' delay must be an int, not True",
        ),
        (
            lambda: Projection("a", "b", ONE, shift=-1),
            ValueError,
            "Projection 'a->b' shift must be at least 0, not -1",
        ),
        (
            lambda: Projection("a", "b", ONE, shift=25),
            ValueError,
            "Projection 'a->b' shift must be at most 24, not 25",
        ),
        (
            lambda: Projection("a", "b", ONE, shift=1.0),
            TypeError,
            "Projection 'a->b' shift must be an int, not 1.0",
        ),
        (
            lambda: Readout("p", groups=0),
            ValueError,
            "Readout 'p' groups must be at least 1, not 0",
        ),
        (
            lambda: Readout("p", groups="2"),
            TypeError,
            "Readout 'p' groups must be an int, not '2'",
        ),
        (
            lambda: Projection("a", "b", ONE, bits=1),
            ValueError,
            "Projection 'a->b' bits must be at least 2, not 1",
        ),
        (
            lambda: Projection("a", "b", ONE, bits=33),
            ValueError,
            "Projection 'a->b' bits must be at most 32, not 33",
        ),
        (
            lambda: Projection("a", "b", ONE * 8, bits=4),
            ValueError,
            "Projection 'a->b': a weight of 4 bits must be in -8..7, not 8",
        ),
        (
            lambda: Projection("a", "b", ONE * -9, bits=4),
            ValueError,
            "Projection 'a->b': a weight of 4 bits must be in -8..7, not -9",
        ),
        (
            lambda: Projection(None, "b", ONE),
            TypeError,
            "Projection source must be a string, not None",
        ),
        (lambda: Projection("a", "", ONE), ValueError, f"Projection target {NAME} ''"),
        (
            lambda: Readout("p", "mean"),
            ValueError,
            "Readout kind must be one of 'count', 'last', 'largest', 'sum', 'first', not 'mean'",
        ),
        (
            lambda: Readout("p", ["count"]),
            ValueError,
            "Readout kind must be one of 'count', 'last', 'largest', 'sum', 'first', not ['count']",
        ),
        (lambda: Readout(1), TypeError, "Readout population must be a string, not 1"),
    ],
)
def test_parts_reject(make, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        make()


@pytest.mark.parametrize("key", ["leak", "weights", "Delay"])
def test_parts_reject_unknown_keys(key):
    for make in (
        lambda **more: Input("x", 1, **more),
        lambda **more: Population("p", 1, FIRES, **more),
        lambda **more: Projection("a", "b", ONE, **more),
        lambda **more: Readout("p", **more),
        lambda **more: replace(graph("a", []), **more),
    ):
        with pytest.raises(TypeError, match=f"unexpected keyword argument '{key}'"):
            make(**{key: 1})


PARTS = {
    "inputs": (Input("x", 2),),
    "populations": (
        Population("p", 3, FIRES),
        Population("v", 1, Accumulator(width=6)),
    ),
    "projections": (Projection("x", "p", np.ones((3, 2), dtype=int)),),
    "readouts": (Readout("p"),),
}


def test_the_parts_are_sound():
    Network(**PARTS)
    Network(**PARTS | {"projections": ()})


@pytest.mark.parametrize(
    "bad, error, message",
    [
        ({"inputs": ()}, ValueError, "Network must have inputs, not none"),
        ({"populations": ()}, ValueError, "Network must have populations, not none"),
        ({"readouts": ()}, ValueError, "Network must have readouts, not none"),
        ({"inputs": 3}, TypeError, "Network inputs must be a sequence, not 3"),
        (
            {"inputs": (Readout("p"),)},
            TypeError,
            f"Each of the network's inputs must be an Input, not {Readout('p')!r}",
        ),
        (
            {"populations": ("p",)},
            TypeError,
            "Each of the network's populations must be a Population, not 'p'",
        ),
        (
            {"projections": (None,)},
            TypeError,
            "Each of the network's projections must be a Projection, not None",
        ),
        ({"max_steps": 0}, ValueError, "Max steps must be at least 1, not 0"),
        ({"max_steps": 65536}, ValueError, "Max steps must be at most 65535, not 65536"),
        ({"max_steps": 4.0}, TypeError, "Max steps must be an int, not 4.0"),
        (
            {"name": ""},
            ValueError,
            "Network name must be 1 to 200 printable characters without a dot, not ''",
        ),
        (
            {"inputs": (Input("x", 2), Input("x", 2))},
            ValueError,
            "Names must be distinct, not 'x' twice",
        ),
        (
            {"inputs": (Input("x", 2), Input("p", 2))},
            ValueError,
            "Names must be distinct, not 'p' twice",
        ),
        (
            {"projections": PARTS["projections"] * 2},
            ValueError,
            "Names must be distinct, not 'x->p' twice",
        ),
        (
            {"readouts": (Readout("p"), Readout("p", "first"))},
            ValueError,
            "Names must be distinct, not 'p' twice",
        ),
        (
            {"projections": (Projection("y", "p", ONE),)},
            ValueError,
            "Projection 'y->p': the source must be an input or population, not 'y'",
        ),
        (
            {"projections": (Projection("p", "x", ONE),)},
            ValueError,
            "Projection 'p->x': the target must be a population, not 'x'",
        ),
        (
            {"projections": (Projection("x", "p", np.ones((2, 3), dtype=int)),)},
            ValueError,
            "Projection 'x->p': weights must have the shape (3, 2), not (2, 3)",
        ),
        (
            {"projections": (Projection("x", "p", OneToOne(np.ones(3, dtype=int))),)},
            ValueError,
            "Projection 'x->p': weights must have the shape (3, 2), not (3, 3)",
        ),
        (
            {"projections": (Projection("v", "p", np.ones((3, 1), dtype=int)),)},
            ValueError,
            "Projection 'v->p': the source must fire or have a value as output, not be of type "
            "Accumulator",
        ),
        (
            {"readouts": (Readout("x"),)},
            ValueError,
            "Readout 'x': must read a population, not 'x'",
        ),
        (
            {"readouts": (Readout("v"),)},
            ValueError,
            "Readout 'v': 'count' must read neurons that fire, not Accumulator",
        ),
        (
            {"readouts": (Readout("v", "first", "when"),)},
            ValueError,
            "Readout 'when': 'first' must read neurons that fire, not Accumulator",
        ),
        (
            {"readouts": (Readout("p", groups=2),)},
            ValueError,
            "Readout 'p': groups must be a divisor of the 3 neurons of 'p', not 2",
        ),
        *(
            (
                {"readouts": (Readout("p", kind, groups=3),)},
                ValueError,
                f"Readout 'p': groups must be of one of 'count', 'last', 'sum', not {kind!r}",
            )
            for kind in ("first", "largest")
        ),
        (
            {
                "populations": (Population("p", 2**10, Accumulator(width=46)),),
                "projections": (Projection("x", "p", np.full((2**10, 2), 2**30)),),
                "readouts": (Readout("p", "sum", groups=1),),
                "max_steps": 65535,
            },
            ValueError,
            f"Readout 'p': scores must be in -{2**63 - 2**32}..{2**63 - 2**32}, "
            f"not reach {2**45 * 2**10 * 65535}",
        ),
    ],
)
def test_network_rejects(bad, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        Network(**PARTS | bad)
