"""Tests of the order of neurons in the machine, and of kernels that are stored once."""

import re
from dataclasses import replace

import numpy as np
import pytest

from spiker_hdl.model import (
    Convolution,
    Core,
    Dense,
    If,
    Input,
    Mapping,
    MaxPooling,
    Network,
    OneToOne,
    Population,
    Projection,
    Readout,
    WinnerTakeAll,
    store_bits,
)
from spiker_hdl.model.bounds import signed_width
from spiker_hdl.model.mapping.interleave import bank_count
from spiker_hdl.model.mapping.layout import (
    alternates,
    common_channels,
    in_machine_order,
    in_network_order,
    kernel_events,
    kernel_refusal,
    kernel_rows,
    neuron_order,
    parameter_period,
    pooled_rows,
    pooled_width,
    summed_apart,
)
from spiker_hdl.model.mapping.reload import stores, structure
from spiker_hdl.model.parameters import parameter_rows

NEURON = If(threshold=2, width=8)
KERNEL = np.arange(16).reshape(4, 1, 2, 2)
ORDER = [0, 6, 12, 18, 1, 7, 13, 19, 2, 8, 14, 20]  # of the first three positions


def network(
    synapses=None, shape=(4, 2, 3), pooling=None, coupling=None, readout=("head",), **options
):
    """Make a network of a map and its readers."""
    synapses = Convolution(KERNEL, (1, 3, 4)) if synapses is None else synapses
    size = synapses.target_size if pooling is None else pooling.target_size
    return Network(
        [Input("in", (1, 3, 4))],
        [Population("map", shape, NEURON, coupling=coupling), Population("head", 2, NEURON)],
        [
            Projection("in", "map", synapses, pooling=pooling, **options),
            Projection("map", "head", Dense(np.arange(2 * size).reshape(2, size) - size)),
        ],
        [Readout(*readout)],
    )


def test_neurons_of_a_map_are_ordered_by_position():
    net = network()
    mapping = Mapping.default(net)
    assert mapping.store(net, net.projections[0]) == "kernel"
    order = neuron_order(net, mapping, "map")
    assert order.tolist()[:12] == ORDER
    assert sorted(order) == [*range(24)]
    assert neuron_order(net, mapping, "in") is None
    assert neuron_order(net, mapping, "head") is None
    unrolled = replace(mapping, stores={"in->map": "rows"})
    assert neuron_order(net, unrolled, "map") is None


def test_order_is_none_where_it_changes_nothing():
    one_channel = network(Convolution(np.ones((1, 1, 2, 2), int), (1, 3, 4)), (1, 2, 3))
    assert neuron_order(one_channel, Mapping.default(one_channel), "map") is None
    one_position = network(Convolution(np.ones((4, 1, 3, 4), int), (1, 3, 4)), (4, 1, 1))
    mapping = Mapping.default(one_position)
    assert mapping.store(one_position, one_position.projections[0]) == "kernel"
    assert neuron_order(one_position, mapping, "map") is None


def test_values_go_back_into_the_order_of_the_network():
    net = network()
    order = neuron_order(net, Mapping.default(net), "map")
    values = np.arange(48).reshape(2, 24)
    assert (in_network_order(order, values[:, order]) == values).all()
    assert in_network_order(None, values) is values


def test_weights_and_parameters_are_permuted():
    net = network()
    mapping = Mapping.default(net)
    order = neuron_order(net, mapping, "map")
    head = in_machine_order(net, mapping, net.projections[1])
    assert head.width == net.projections[1].width
    assert (head.synapses.matrix() == net.projections[1].synapses.matrix()[:, order]).all()
    biased = replace(net.population["map"], bias=tuple(range(24)))
    assert parameter_rows(biased, 1, order=order)[:12] == ORDER


@pytest.mark.parametrize("kind", ["dense", "one_to_one", "convolution"])
def test_projections_between_maps_are_permuted_on_both_sides(kind):
    synapses = {
        "dense": Dense(np.arange(576).reshape(24, 24) % 7 - 3),
        "one_to_one": OneToOne(np.arange(24) - 9),
        "convolution": Convolution(np.arange(16).reshape(4, 4, 1, 1) - 8, (4, 2, 3)),
    }[kind]
    before = network()
    net = replace(
        before,
        projections=[*before.projections, Projection("map", "map", synapses, 1, name="self")],
    )
    mapping = Mapping.default(net, stores={"self": "rows"})
    order = neuron_order(net, mapping, "map")
    permuted = in_machine_order(net, mapping, net.projections[2])
    assert permuted.synapses.kind == ("sparse" if kind == "convolution" else kind)
    matrix = synapses.matrix()
    assert (permuted.synapses.matrix() == matrix[np.ix_(order, order)]).all()
    assert permuted.width == net.projections[2].width


def test_parameters_of_channels_repeat_at_every_position():
    net = network()
    mapping = Mapping.default(net)
    assert parameter_period(net, mapping, "map") == 4
    assert parameter_period(net, mapping, "head") is None
    for bias, period in ([*np.repeat(range(4), 6)], 4), ([1, *[0] * 23], None):
        biased = replace(net.population["map"], bias=tuple(map(int, bias)))
        own = replace(net, populations=[biased, net.population["head"]])
        assert parameter_period(own, mapping, "map") == period
    assert parameter_period(net, mapping.with_writable(net, ["map"]), "map") == 4
    writable = mapping.with_writable(net, ["map"])
    biases = [replace(net.population["map"], bias=(1, *[n] * 23)) for n in (1, 2)]
    of_channels, of_neurons = (
        replace(net, populations=[own, net.population["head"]]) for own in biases
    )
    # There is no room for biases of neurons where those of channels are stored.
    assert structure(of_channels, writable) != structure(of_neurons, writable)
    assert [store.depth for store in stores(of_neurons, writable)][-1] == 24 // 4
    assert [store.depth for store in stores(of_channels, writable)][-1] == 4 // 4
    single = network(Convolution(np.ones((4, 1, 3, 4), int), (1, 3, 4)), (4, 1, 1))
    assert parameter_period(single, Mapping.default(single), "map") is None


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({"lanes": 2, "units": 2}, True),
        ({"lanes": 1, "units": 1}, True),
        ({"lanes": 4, "units": 4}, False),
        ({"lanes": 2, "units": 2, "overlap": True}, False),
        ({"lanes": 2, "units": 2, "positions": "line"}, False),
    ],
)
def test_rows_alternate_where_an_event_adds_to_an_even_number(changes, expected):
    net = network()
    mapping = Mapping.default(net)
    core = replace(mapping.cores["map"], **changes)
    mapping = replace(mapping, cores={**mapping.cores, "map": core})
    assert alternates(net, mapping, "map") == expected
    cores = {**mapping.cores, "map": replace(core, sums="uninitialized")}
    if expected:
        replace(mapping, cores=cores).check(net)
    else:
        with pytest.raises(ValueError, match=r"^Memory of sums of 'map' must be 'auto', not "):
            replace(mapping, cores=cores).check(net)
    several = [*net.projections, Projection("map", "map", OneToOne([1] * 24), 1, name="self")]
    net = replace(net, projections=several)
    assert not alternates(net, replace(mapping, queues={**mapping.queues, "self": 40}), "map")


def test_rows_of_a_kernel():
    rows = kernel_rows(Convolution(KERNEL, (1, 3, 4)), 2)
    # Two rows for each of four offsets: output channels 0 and 1, then 2 and 3.
    assert rows.tolist() == [[0, 4], [8, 12], [1, 5], [9, 13], [2, 6], [10, 14], [3, 7], [11, 15]]


def test_rows_of_an_event():
    events = kernel_events(Convolution(KERNEL, (1, 3, 4)), 2).reshape(3, 4)
    assert events.tolist() == [[2, 4, 4, 2], [4, 8, 8, 4], [2, 4, 4, 2]]
    assert events.sum() * 2 == np.count_nonzero(Convolution(KERNEL + 1, (1, 3, 4)).matrix())


def test_rows_of_an_event_are_those_of_its_group():
    synapses = Convolution(np.ones((4, 1, 2), int), (2, 3), groups=2)
    assert kernel_events(synapses, 1).tolist() == [2, 4, 2] * 2
    assert kernel_events(synapses, 2).tolist() == [1, 2, 1] * 2


def test_lanes_divide_the_channels_of_a_group():
    synapses = Convolution(np.ones((4, 1, 2, 2), int), (2, 3, 4), groups=2)
    net = network()
    projections = [replace(net.projections[0], synapses=synapses), net.projections[1]]
    net = replace(net, inputs=[Input("in", (2, 3, 4))], projections=projections)
    reason = "have a target whose lanes divide the 2 output channels of a group, not 4 lanes"
    assert kernel_refusal(net, net.projections[0], Core(4, 4)) == reason
    assert kernel_refusal(net, net.projections[0], Core(2, 2)) is None


def test_bits_of_a_kernel():
    net = network()
    bits = store_bits(net, net.projections[0], Core(2, 2))
    assert bits["kernel"] == 16 * 5
    for positions in ("line", "window"):  # each bank of sums has a copy
        own = store_bits(net, net.projections[0], Core(2, 2, positions=positions))
        copies = bank_count(net.projections[0].synapses, positions)
        assert copies > 1
        assert own["kernel"] == copies * bits["kernel"]
    assert "kernel" not in store_bits(net, net.projections[0], Core(3, 3))
    assert "kernel" not in store_bits(net, net.projections[1], Core(2, 2))


# -- what cannot store a kernel once -------------------------------------------------------------


@pytest.mark.parametrize(
    "net, core, reason",
    [
        (network(Dense(np.ones((24, 12), int))), Core(4, 4), "be a convolution, not dense"),
        (
            network(pooling=MaxPooling((4, 2, 3), (2, 1)), shape=(4, 1, 3)),
            Core(4, 4, 2),
            "have a target with one bank, not 2: use banks=1",
        ),
        (network(), Core(4, 4, 2), "have a target with one bank, not 2: use banks=1"),
        (
            network(),
            Core(3, 3),
            "have a target whose lanes divide the 4 output channels of a group, not 3 lanes",
        ),
        (
            network(shape=24),
            Core(4, 4),
            "have a target of the shape (4, 2, 3), not of a size alone",
        ),
        (
            network(coupling=WinnerTakeAll(1)),
            Core(4, 4),
            "have a target without coupling: store it in rows or as synapses",
        ),
        (
            network(readout=("map", "last")),
            Core(4, 4),
            "have a target whose potentials no readout reads: store it in rows or as synapses",
        ),
    ],
    ids=["dense", "pooled", "banks", "lanes", "size", "coupled", "potentials"],
)
def test_kernel_that_cannot_be_stored_once_is_refused(net, core, reason):
    assert kernel_refusal(net, net.projections[0], core) == reason
    cores = {"map": core, "head": Core(2, 2)}
    queues = {projection.name: 16 for projection in net.projections}
    mapping = Mapping(cores, queues, stores={"in->map": "kernel"})
    by_default = replace(mapping, stores={})
    if net.projections[0].pooling is None:
        message = f"Projection 'in->map' must {reason}, to store its kernel once"
        assert by_default.store(net, net.projections[0]) != "kernel"
        by_default.check(net)
    else:
        message = (
            f"Projection 'in->map' must {reason}, for hardware that pools its sums; the engine "
            "'reference' pools them of any network"
        )
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            by_default.check(net)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        mapping.check(net)


def test_sums_by_position_have_room_for_any_kernel_that_is_loaded():
    net = network(pooling=MaxPooling((4, 2, 3), (2, 1)), shape=(4, 1, 3))
    link = replace(net.projections[0], bits=6)
    net = replace(net, projections=[link, net.projections[1]])
    mapping = Mapping.default(net)
    synapses = link.synapses
    highest = int(synapses.reach(0, 1)[1].max())
    lowest = int(synapses.reach(0, 1)[0].min())
    assert pooled_width(net, mapping, link) == signed_width(lowest, highest)
    # Four positions of a window, each with the lowest weight of 6 bits.
    writable = mapping.with_writable(net, ["map"])
    assert pooled_width(net, writable, link) == signed_width(4 * -32, 4 * 31)


def test_positions_need_a_kernel_that_is_stored_once():
    net = network()
    cores = {"map": Core(4, 4, positions="window"), "head": Core(2, 2)}
    mapping = Mapping.default(net, cores=cores)
    message = "Positions of 'map' must be 'one', not 'window', where no convolution stores its "
    with pytest.raises(ValueError, match=f"^{message}kernel once$"):
        replace(mapping, stores={"in->map": "rows"}).check(net)
    assert summed_apart(net, mapping, net.projections[0])
    assert not summed_apart(net, Mapping.default(net), net.projections[0])


def test_pooled_sums_are_not_unrolled():
    net = network(pooling=MaxPooling((4, 2, 3), (2, 1)), shape=(4, 1, 3))
    mapping = Mapping.default(net)
    assert mapping.store(net, net.projections[0]) == "kernel"
    assert [*store_bits(net, net.projections[0], mapping.cores["map"])] == ["kernel"]
    message = "Projection 'in->map' must have the store 'kernel', not 'rows', for hardware that "
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        replace(mapping, stores={"in->map": "rows"}).check(net)


def test_rows_of_pooled_sums():
    net = network(pooling=MaxPooling((4, 2, 3), (2, 2), 1, ((0, 0), (1, 0))), shape=(4, 1, 3))
    rows = pooled_rows(net.projections[0], 2)
    # Two rows for each of six positions; the first window has a column of padding.
    assert rows == [[0, 6], [1, 7], [0, 2, 6, 8], [1, 3, 7, 9], [2, 4, 8, 10], [3, 5, 9, 11]]


# -- presets -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "preset, core",
    [
        ("default", Core(12, 6)),
        ("fast", Core(12, 12, overlap=True, positions="window")),
        ("balanced", Core(12, 6, stages=2, positions="line")),
        ("small", Core(4, 1)),
    ],
)
def test_presets_have_lanes_for_channels(preset, core):
    synapses = Convolution(np.ones((12, 1, 2, 2), int), (1, 3, 4))
    net = network(synapses, (12, 2, 3))
    assert common_channels(net, "map") == 12
    mapping = Mapping.preset(preset, net)
    assert mapping.cores["map"] == core
    assert mapping.store(net, net.projections[0]) == "kernel"
    assert mapping.cores["head"].banks == (4 if preset == "fast" else 1)


def test_presets_have_one_position_where_no_window_has_another():
    net = network()
    assert Mapping.fast(net).cores["map"].positions == "window"
    unrolled = Mapping.fast(net, stores={"in->map": "rows"})
    assert unrolled.cores["map"].positions == "one"
    apart = network(Convolution(np.ones((4, 1, 1, 1), int), (1, 3, 4)), (4, 3, 4))
    assert Mapping.fast(apart).cores["map"].positions == "one"


def test_presets_suit_every_convolution_of_a_map():
    net = network()
    same = Convolution(np.ones((4, 2, 1, 1), int), (4, 2, 3), groups=2)
    net = replace(net, projections=[*net.projections, Projection("map", "map", same, 1)])
    assert common_channels(net, "map") == 2
    assert Mapping.default(net).cores["map"] == Core(2, 2)
    assert Mapping.folded(net, 3).cores["map"] == Core(2, 2)
    assert common_channels(net, "head") == 0


def test_banks_of_a_reader_of_a_map_fit_its_words():
    net = network(Convolution(np.ones((3, 1, 2, 2), int), (1, 3, 4)), (3, 2, 3))
    mapping = Mapping.fast(net)
    assert mapping.cores["map"] == Core(3, 3, overlap=True, positions="window")
    assert mapping.cores["head"].banks == 1
