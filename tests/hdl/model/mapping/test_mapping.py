"""Tests of mappings: minimum queues and storage by hand, and bad input."""

import json
import re
from dataclasses import replace
from random import Random

import numpy as np
import pytest

from spiker_hdl.model import (
    Core,
    If,
    Input,
    Mapping,
    Network,
    OneToOne,
    Population,
    Projection,
    Readout,
    Sparse,
    queue_minimum,
    store_bits,
)
from spiker_hdl.model.mapping.core import row_parts

from support.networks import random_mapping, random_network

SPARSE = Sparse.from_matrix(np.array([[0, 3, 0, 0], [0, 0, 0, -2], [0, 0, 0, 0]]))
NETWORK = Network(
    [Input("x", 4)],
    [Population("a", 3, If(width=6, threshold=3)), Population("b", 12, If(width=6, threshold=3))],
    [
        Projection("x", "a", np.ones((3, 4), dtype=int), name="now"),
        Projection("x", "a", SPARSE, 2, name="late"),
        Projection("a", "a", OneToOne(np.array([1, 2, 3])), 1, 4, "self"),
        Projection("a", "b", np.ones((12, 3), dtype=int), name="on"),
    ],
    [Readout("b")],
)
PROJECTION = {projection.name: projection for projection in NETWORK.projections}
CORES = {"a": Core(3, 3), "b": Core(12, 8)}
FIELDS = (
    "lanes, units, banks, overlap, stages, weights, states, writable, block, positions, gather, "
    "sums"
)
QUEUES = {"now": 1, "late": 10, "self": 4, "on": 1}


@pytest.mark.parametrize("name, minimum", QUEUES.items())
def test_minimum_queues_by_hand(name, minimum):
    # The events of each delayed step and its token: 2 * (4 + 1), 1 * (3 + 1); one where none is.
    assert queue_minimum(NETWORK, PROJECTION[name]) == minimum
    Mapping(CORES, QUEUES).check(NETWORK)
    if minimum > 1:
        message = (
            f"Queue of {name!r} must have at least {minimum} entries, which its delay of "
            f"{PROJECTION[name].delay} steps needs, not {minimum - 1}"
        )
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            Mapping(CORES, QUEUES | {name: minimum - 1}).check(NETWORK)


@pytest.mark.parametrize(
    "name, lanes, rows, synapses",
    [
        ("now", 3, 4 * 3 * 2, 12 * (0 + 2 + 2 + 1) + 4 * (4 + 1)),
        ("now", 2, 4 * 2 * 2 * 2, 12 * (1 + 1 + 2 + 1) + 4 * (4 + 1)),
        ("late", 3, 4 * 3 * 3, 2 * (0 + 2 + 3 + 1) + 4 * (1 + 1)),
        ("self", 3, 3 * 3 * 4, 3 * (0 + 2 + 4 + 1)),
        ("self", 1, 3 * 3 * 4, 3 * (2 + 0 + 4 + 1)),
    ],
)
def test_storage_by_hand(name, lanes, rows, synapses):
    result = store_bits(NETWORK, PROJECTION[name], Core(lanes, lanes))
    assert result == {"rows": rows, "synapses": synapses}


@pytest.mark.parametrize(
    "rows, block, parts",
    [
        (784, 0, [(784, False)]),
        (784, 256, [(512, False), (256, False), (16, True)]),
        (784, 512, [(512, False), (272, False)]),
        (784, 1024, [(784, False)]),
        (800, 256, [(512, False), (256, False), (32, True)]),
        (801, 256, [(512, False), (256, False), (33, False)]),
        (1792, 256, [(1024, False), (512, False), (256, False)]),
        (256, 256, [(256, False)]),
        (257, 256, [(256, False), (1, True)]),
        (16, 256, [(16, False)]),
        (1, 16, [(1, False)]),
    ],
)
def test_rows_are_split_by_hand(rows, block, parts):
    assert row_parts(rows, block) == parts


def test_stores_that_are_not_named():
    mapping = Mapping(CORES, QUEUES)
    assert {
        name: mapping.store(NETWORK, projection) for name, projection in PROJECTION.items()
    } == {
        "now": "rows",
        "late": "synapses",  # 20 bits, not 36
        "self": "synapses",  # 21 bits, not 36
        "on": "rows",
    }
    mapping = Mapping(CORES, QUEUES, stores={"now": "synapses", "late": "rows"})
    assert mapping.store(NETWORK, PROJECTION["now"]) == "synapses"
    assert mapping.store(NETWORK, PROJECTION["late"]) == "rows"


def test_the_default_has_a_lane_for_each_neuron():
    mapping = Mapping.default(NETWORK)
    assert mapping.cores == {"a": Core(3, 3), "b": Core(12, 8)}
    assert all(depth >= QUEUES[name] for name, depth in mapping.queues.items())
    assert (mapping.form, mapping.word) == ("words", 32)
    assert Mapping.default(NETWORK, form="events", word=8).word == 8


@pytest.mark.parametrize(
    "lanes, a, b",
    [
        (1, Core(1, 1), Core(1, 1)),
        (2, Core(2, 2), Core(2, 2)),
        (3, Core(3, 3), Core(3, 3)),
        (11, Core(3, 3), Core(11, 11)),
        (12, Core(3, 3), Core(12, 8)),
        (99, Core(3, 3), Core(12, 8)),
    ],
)
def test_folded_by_hand(lanes, a, b):
    assert Mapping.folded(NETWORK, lanes).cores == {"a": a, "b": b}


def test_json_and_back():
    for seed in range(20):
        random = Random(seed)
        mapping = random_mapping(random_network(random, neurons=(1, 5)), random)
        back = Mapping.from_json(mapping.to_json())
        assert back == mapping
        assert hash(back) == hash(mapping)


def test_json_holds_all_of_a_core():
    first = Core(3, 2, 8, True, 2, "block", "registers", True, 256, "line", 4, "uninitialized")
    mapping = Mapping({"a": first, "b": Core(4, 2, 1)}, QUEUES)
    text = json.loads(json.dumps(mapping.to_json()))
    few = {"lanes": 3, "units": 2, "banks": 8, "overlap": True}
    plain = {"weights": "auto", "states": "auto", "writable": False, "block": 0}
    assert text["cores"] == {
        "a": few
        | {"stages": 2, "weights": "block", "states": "registers", "writable": True, "block": 256}
        | {"positions": "line", "gather": 4, "sums": "uninitialized"},
        "b": {"lanes": 4, "units": 2, "banks": 1, "overlap": False, "stages": 1} | plain,
    }
    assert Mapping.from_json(text) == mapping
    limited = replace(mapping, in_flight=2)
    assert limited.to_json() == mapping.to_json() | {"in_flight": 2}
    assert Mapping.from_json(limited.to_json()) == limited != mapping
    # What was written before there were kinds of memory.
    text["cores"]["a"] = few
    assert Mapping.from_json(text).cores["a"] == Core(3, 2, 8, True)
    others = [replace(first, **{name: getattr(Core(3, 1), name)}) for name in vars(first)]
    others.remove(first)  # as many lanes
    assert all(Mapping({**mapping.cores, "a": other}, QUEUES) != mapping for other in others)


@pytest.mark.parametrize(
    "cores, stores, form, banks",
    [
        ({"a": Core(3, 3), "b": Core(12, 8)}, {}, "words", {"x": 1, "a": 1, "b": 1}),
        ({"a": Core(3, 3, 4), "b": Core(12, 8, 2)}, {}, "words", {"x": 4, "a": 2, "b": 1}),
        ({"a": Core(3, 3, 4), "b": Core(12, 8, 2)}, {}, "events", {"x": 4, "a": 2, "b": 1}),
        # As many as the most of its readers; those of synapses one by one read none.
        ({"a": Core(3, 3, 8), "b": Core(12, 8)}, {"self": "rows"}, "words", {"x": 8, "a": 8}),
        ({"a": Core(3, 3, 8), "b": Core(12, 8)}, {"now": "synapses"}, "words", {"x": 1, "a": 1}),
        ({"a": Core(3, 3, 2), "b": Core(12, 8, 4)}, {"self": "rows"}, "words", {"x": 2, "a": 4}),
    ],
)
def test_banks_of_a_source_by_hand(cores, stores, form, banks):
    mapping = Mapping(cores, QUEUES, form, stores=stores)
    mapping.check(NETWORK)
    assert {name: mapping.banks(NETWORK, name) for name in banks} == banks


def test_addresses_scanned_in_one_word():
    mapping = Mapping({"a": Core(3, 1), "b": Core(12, 8)}, QUEUES, word=3)
    nodes = NETWORK.nodes
    assert [mapping.scanned(nodes[name]) for name in "xab"] == [3, 1, 8]
    assert replace(mapping, word=99).scanned(nodes["x"]) == 4
    assert replace(mapping, form="events").scanned(nodes["x"]) == 1
    # Where all is scanned at once, or nothing, the banks need not divide it.
    banks = {"a": Core(3, 3, 4), "b": Core(12, 8, 8)}
    Mapping(banks, QUEUES, word=4).check(NETWORK)
    Mapping(banks, QUEUES, "events", 3).check(NETWORK)


def test_order_does_not_matter():
    a = Mapping({"a": Core(1, 1), "b": Core(2, 2)}, {"c": 1, "d": 2})
    b = Mapping({"b": Core(2, 2), "a": Core(1, 1)}, {"d": 2, "c": 1})
    assert a == b
    assert hash(a) == hash(b)
    assert a != Mapping(a.cores, a.queues, word=31)


def test_nothing_changes_once_made():
    cores = dict(CORES)
    mapping = Mapping(cores, QUEUES)
    cores["a"] = Core(1, 1)
    assert mapping.cores["a"] == Core(3, 3)
    with pytest.raises(TypeError):
        mapping.queues["now"] = 9


# -- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: Core(0, 1), ValueError, "Lanes must be at least 1, not 0"),
        (lambda: Core(2.0, 1), TypeError, "Lanes must be an int, not 2.0"),
        (lambda: Core(2, 0), ValueError, "Step units must be at least 1, not 0"),
        (lambda: Core(2, 3), ValueError, "Step units must be at most the 2 lanes, not 3"),
        (lambda: Core(2, 2, 3), ValueError, "Banks must be 1, 2, 4 or 8, not 3"),
        (lambda: Core(2, 2, 0), ValueError, "Banks must be 1, 2, 4 or 8, not 0"),
        (lambda: Core(2, 2, 16), ValueError, "Banks must be 1, 2, 4 or 8, not 16"),
        (lambda: Core(2, 2, 2.0), TypeError, "Banks must be an int, not 2.0"),
        (lambda: Core(2, 2, True), TypeError, "Banks must be an int, not True"),
        (lambda: Core(2, 2, 1, 1), TypeError, "Overlap must be a bool, not 1"),
        (lambda: Core(2, 2, stages=0), ValueError, "Stages must be at least 1, not 0"),
        (lambda: Core(2, 2, stages=5), ValueError, "Stages must be at most 4, not 5"),
        (
            lambda: Core(2, 2, block=8),
            ValueError,
            "Block must be 0 or a power of two of at least 16 rows, not 8",
        ),
        (
            lambda: Core(2, 2, block=48),
            ValueError,
            "Block must be 0 or a power of two of at least 16 rows, not 48",
        ),
        (lambda: Core(2, 2, block=-16), ValueError, "Block must be at least 0, not -16"),
        (lambda: Core(2, 2, stages=True), TypeError, "Stages must be an int, not True"),
        (
            lambda: Mapping(CORES | {"a": Core(3, 3, 4)}, QUEUES, word=3).check(NETWORK),
            ValueError,
            "Word must be a multiple of the 4 banks that read 'x', not 3",
        ),
        (
            lambda: Mapping(CORES | {"b": Core(12, 8, 4), "a": Core(3, 2)}, QUEUES).check(NETWORK),
            ValueError,
            "Step units of 'a' must be a multiple of the 4 banks that read 'a', not 2",
        ),
        (
            lambda: Mapping(CORES | {"b": Core(4, 3)}, QUEUES).check(NETWORK),
            ValueError,
            "Step units of 'b' must divide its 4 lanes, which are fewer than its 12 neurons, "
            "not be 3",
        ),
        (
            lambda: Mapping({"a": (3, 3)}),
            TypeError,
            "Core of 'a' must be a Core, not (3, 3)",
        ),
        (
            lambda: Mapping([1]),
            TypeError,
            "Mapping cores must be a mapping, not [1]",
        ),
        (lambda: Mapping({}, [1]), TypeError, "Mapping queues must be a mapping, not [1]"),
        (
            lambda: Mapping({}, stores="rows"),
            TypeError,
            "Mapping stores must be a mapping, not 'rows'",
        ),
        (lambda: Mapping({}, {"q": 0}), ValueError, "Queue depth of 'q' must be at least 1, not 0"),
        (
            lambda: Mapping({}, {"q": 2**24 + 1}),
            ValueError,
            "Queue depth of 'q' must be at most 16777216, not 16777217",
        ),
        (lambda: Mapping({}, {"q": 1.0}), TypeError, "Queue depth of 'q' must be an int, not 1.0"),
        (
            lambda: Mapping({}, form="bits"),
            ValueError,
            "Input form must be one of 'words', 'events', not 'bits'",
        ),
        (lambda: Mapping({}, word=0), ValueError, "Word must be at least 1, not 0"),
        (lambda: Mapping({}, word=257), ValueError, "Word must be at most 256, not 257"),
        (
            lambda: Mapping({}, stores={"q": "columns"}),
            ValueError,
            "Store of 'q' must be one of 'rows', 'synapses', 'kernel', not 'columns'",
        ),
        (lambda: Mapping.folded(NETWORK, 0), ValueError, "Lanes must be at least 1, not 0"),
        (
            lambda: Mapping.folded(NETWORK, 2**20 + 1),
            ValueError,
            "Lanes must be at most 1048576, not 1048577",
        ),
        (
            lambda: Mapping.default(NETWORK, lanes=3),
            TypeError,
            "Mapping.__init__() got an unexpected keyword argument 'lanes'",
        ),
        (
            lambda: Mapping({"a": Core(1, 1)}, QUEUES).check(NETWORK),
            ValueError,
            "Mapping cores must be for ['a', 'b'], not ['a']",
        ),
        (
            lambda: Mapping(CORES | {"x": Core(1, 1)}, QUEUES).check(NETWORK),
            ValueError,
            "Mapping cores must be for ['a', 'b'], not ['a', 'b', 'x']",
        ),
        (
            lambda: Mapping(CORES).check(NETWORK),
            ValueError,
            "Mapping queues must be for ['late', 'now', 'on', 'self'], not []",
        ),
        (
            lambda: Mapping(CORES | {"a": Core(4, 4)}, QUEUES).check(NETWORK),
            ValueError,
            "Lanes of 'a' must be at most 3, not 4",
        ),
        (
            lambda: Mapping(CORES | {"b": Core(5, 4)}, QUEUES).check(NETWORK),
            ValueError,
            "Step units of 'b' must divide its 5 lanes, which are fewer than its 12 neurons, "
            "not be 4",
        ),
        (
            lambda: Mapping(CORES, QUEUES, stores={"off": "rows"}).check(NETWORK),
            ValueError,
            "Mapping stores must be for projections, not ['off']",
        ),
        (lambda: Mapping.from_json(3), TypeError, "Mapping must be an object, not 3"),
        (
            lambda: Mapping.from_json({"cores": {}, "banks": 2}),
            ValueError,
            "Mapping keys must be ['cores', 'form', 'queues', 'stores', 'word'], "
            "not ['banks', 'cores']",
        ),
        (
            lambda: Mapping.from_json(Mapping({}).to_json() | {"cores": []}),
            TypeError,
            "Mapping cores must be an object, not []",
        ),
        (
            lambda: Mapping.from_json(Mapping({}).to_json() | {"cores": {"a": {"lanes": 1}}}),
            ValueError,
            f"Core of 'a' must have {FIELDS}, not {{'lanes': 1}}",
        ),
        (
            lambda: Mapping.from_json(Mapping({}).to_json() | {"cores": {"a": [1, 2]}}),
            ValueError,
            f"Core of 'a' must have {FIELDS}, not [1, 2]",
        ),
        (
            lambda: Mapping.from_json(Mapping({}).to_json() | {"queues": {"q": None}}),
            TypeError,
            "Queue depth of 'q' must be an int, not None",
        ),
        (
            lambda: Mapping({}, in_flight=0),
            ValueError,
            "Samples in flight must be at least 1, not 0",
        ),
        (
            lambda: Core(2, 2, gather=3),
            ValueError,
            "Gather must be 1, 2, 4, 8, 16 or 32, not 3",
        ),
        (
            lambda: Core(2, 2, sums="block"),
            ValueError,
            "Memory of sums must be one of 'auto', 'uninitialized', not 'block'",
        ),
    ],
)
def test_mapping_rejects(make, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        make()
