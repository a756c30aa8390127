"""Tests of what samples make the hardware do: by hand, and against its simulation."""

import re
from dataclasses import fields, replace
from random import Random

import numpy as np
import pytest
from amaranth.hdl import Fragment
from amaranth.sim import Simulator

from spiker_hdl.hdl.verilog import to_verilog
from spiker_hdl.model import (
    Convolution,
    Core,
    Decay,
    If,
    Input,
    Integrator,
    Lif,
    Mapping,
    MaxPooling,
    Network,
    OneToOne,
    Population,
    Projection,
    Readout,
    Sparse,
)
from spiker_hdl.model.bounds import signed_width
from spiker_hdl.model.mapping import microarchitecture
from spiker_hdl.report import Work, switching, to_saif, work
from spiker_hdl.report.operation_counts import total
from spiker_hdl.report.switching_activity import _Clocked
from spiker_hdl.rtl import Accelerator
from spiker_hdl.rtl.population import accumulators, neuron_update
from spiker_hdl.rtl.synapses import sparse_lookup, weight_memory
from spiker_hdl.simulate import interpreted

from support.networks import random_mapping, random_network, random_spikes


def recurrent():
    """Two neurons that excite an output and, a step later, each other."""
    return Network(
        (Input("in", 3),),
        (
            Population("hidden", 2, If(threshold=2, width=6)),
            Population("out", 1, If(threshold=(9,), width=6)),
        ),
        (
            Projection("in", "hidden", np.array([[1, 0, 2], [3, 4, 0]]), bits=4),
            Projection("hidden", "hidden", np.array([[0, -1], [0, 0]]), bits=2, delay=1),
            Projection("hidden", "out", np.array([[1, 1]]), bits=3),
        ),
        (Readout("out", "count"),),
    )


SEEDS = (0, 3, 16)  # whose networks are alive
RECURRENT = np.array([[[1, 0, 1], [0, 1, 0]]])

PLAIN = Network(
    (Input("in", 12),),
    (
        Population("hidden", 8, Lif(threshold=6, decay=Decay.shift(3), width=8)),
        Population("out", 3, Integrator(width=8, decay=Decay.shift(3))),
    ),
    (
        Projection("in", "hidden", np.random.default_rng(1).integers(-7, 8, (8, 12)), bits=4),
        Projection("hidden", "out", np.random.default_rng(2).integers(-7, 8, (3, 8)), bits=4),
    ),
    (Readout("out", "last"),),
)
BUSY = (np.random.default_rng(3).random((3, 6, 12)) < 0.4).astype(int)

# -- by hand -------------------------------------------------------------------------------------


def test_counts_of_a_lane_for_each_neuron():
    done = work(recurrent(), RECURRENT)["hidden"]
    # Both fire in the first step, the second in the other, too late for its own projection.
    assert done.spikes == [3]
    assert done.events == [3 + 2]
    assert done.synaptic_operations == [2 + 1 + 1 + 1]
    assert (done.weight_reads, done.weight_bits) == ([5], [5 * 2 * 4])
    assert (done.additions, done.updates) == ([5 * 2], [4])
    assert (done.sum_reads, done.sum_writes, done.sum_bits) == ([0], [0], [0])
    assert (done.state_reads, done.state_writes, done.parameter_reads) == ([2], [2], [0])
    # Potentials are read and written, of two neurons in two steps.
    low, high = recurrent().bounds["hidden"].states["v"]
    assert done.state_bits == [2 * 2 * 2 * signed_width(low, high)]


def test_counts_of_a_single_lane():
    network = recurrent()
    done = work(network, RECURRENT, mapping=Mapping.folded(network, 1))["hidden"]
    assert (done.events, done.synaptic_operations) == ([5], [5])
    assert (done.weight_reads, done.weight_bits) == ([10], [10 * 4])
    assert (done.additions, done.sum_reads, done.sum_writes) == ([10], [10 + 2 * 2], [10])
    assert done.sum_bits == [24 * network.bounds["hidden"].sum_width]
    assert (done.state_reads, done.state_writes) == ([4], [4])


def test_counts_of_the_output():
    done = work(recurrent(), RECURRENT)["out"]
    assert (done.events, done.synaptic_operations, done.weight_bits) == ([3], [3], [9])
    # A threshold of its own is read beside the state: 9 takes four bits.
    assert (done.parameter_reads, done.parameter_bits) == ([2], [8])


def test_samples_are_counted_separately_and_no_events_cost_steps():
    spikes = [RECURRENT[0], np.zeros((3, 3), dtype=int)]
    done = work(recurrent(), spikes)
    assert done["hidden"].events.tolist() == [5, 0]
    assert done["hidden"].updates.tolist() == [4, 6]
    assert total(done).updates.tolist() == [6, 9]
    assert total(done).memory_bits.tolist() == [
        int(sum(update.memory_bits[n] for update in done.values())) for n in range(2)
    ]


def scattered(synapses):
    return Network(
        (Input("in", 3, high=3),),
        (Population("out", 3, Integrator(width=8, decay=Decay.shift(2))),),
        (Projection("in", "out", synapses),),
        (Readout("out", "last"),),
    )


def test_counts_of_graded_events_and_sparse_synapses():
    sparse = Sparse(np.array([0, 0, 2]), np.array([0, 2, 1]), np.array([1, 2, 3]), 3, 3)
    network = scattered(sparse)
    (name,) = [projection.name for projection in network.projections]
    mapping = Mapping.default(network, stores={name: "synapses"})
    spikes = np.array([[[3, 1, 0], [0, 0, 2]]])
    done = work(network, spikes, mapping=mapping)["out"]
    assert (done.events, done.synaptic_operations, done.additions) == ([3], [3], [3])
    # Each event asks where its synapses are, source 1 in vain. Of three: two bits, and whether.
    width = network.projections[0].width
    assert done.weight_reads == [3 + 3]
    assert done.weight_bits == [3 * (0 + 2 + width + 1) + 3 * (2 + 1)]


def test_one_to_one_reads_no_places():
    network = scattered(OneToOne(np.array([1, 0, 2])))
    (name,) = [projection.name for projection in network.projections]
    mapping = Mapping.default(network, stores={name: "synapses"})
    done = work(network, np.array([[[1, 1, 0]]]), mapping=mapping)["out"]
    assert (done.weight_reads, done.synaptic_operations, done.additions) == ([2], [1], [2])


def holding():
    return Network(
        (Input("in", 3, static=True),),
        (Population("out", 3, Lif(threshold=5, decay=Decay.shift(2), width=8)),),
        (Projection("in", "out", np.array([[1, 2, 3], [4, 5, 6], [-1, 0, 2]])),),
        (Readout("out", "count"),),
    )


HELD = np.array([[[1, 0, 1]] * 4, [[1, 1, 1]] * 4])


def test_weights_of_a_static_input_are_read_once():
    done = work(holding(), HELD)["out"]
    assert done.events.tolist() == [2, 3]
    assert done.weight_reads.tolist() == [2, 3]
    assert done.updates.tolist() == [12, 12]


@pytest.mark.parametrize("writable", [(), ("hidden",), ("hidden", "out")])
def test_rows_are_as_wide_as_in_the_hardware(writable):
    closed = Mapping.folded(PLAIN, 4)
    mapping = closed.with_writable(PLAIN, writable)
    done = work(PLAIN, BUSY, mapping=mapping)
    accelerator = Accelerator(PLAIN, mapping)
    Fragment.get(accelerator, None)  # or it would be missed
    for name, core in accelerator.cores.items():
        spent, neuron_update = done[name], core.neuron_update
        groups = spent.updates // core.population.size * neuron_update.groups
        assert (
            spent.state_bits == 2 * groups * neuron_update.units * neuron_update.states.size
        ).all()
        assert (
            spent.parameter_bits == groups * neuron_update.units * neuron_update.layout().size
        ).all()
        width = core.core.lanes * core.bounds.sum_width
        assert (spent.sum_bits == (spent.sum_reads + spent.sum_writes) * width).all()
    # A threshold that can be replaced is read, and weights that can be any need wider sums.
    spent, other = done["hidden"], work(PLAIN, BUSY, mapping=closed)["hidden"]
    assert spent.parameter_reads.all() == bool(writable)
    assert (spent.sum_bits > other.sum_bits).all() == bool(writable)


def test_mapping_of_another_type_is_refused():
    with pytest.raises(TypeError, match="Mapping"):
        work(recurrent(), RECURRENT, mapping="fast")
    with pytest.raises(TypeError, match="Network"):
        work("net", RECURRENT)


# -- against the simulated hardware ---------------------------------------------------------------


class Strobes:
    """Counts, in Amaranth's simulator, of the cycles in which memories are asked."""

    def __init__(self, monkeypatch):
        self.made = []
        self.counts = {}
        for kind in (
            weight_memory.WeightMemory,
            sparse_lookup.SparseLookup,
            accumulators.FoldedLanes,
            neuron_update.NeuronUpdate,
        ):
            monkeypatch.setattr(kind, "elaborate", self.noting(kind.elaborate))
        strobes = self

        class Watched(Simulator):
            def run(self):
                for component in strobes.made:
                    for name, signal in strobes.signals(component):
                        strobes.counts.setdefault(name, 0)
                        self.add_testbench(strobes.counter(name, signal), background=True)
                super().run()

        monkeypatch.setattr(interpreted, "Simulator", Watched)

    def noting(self, elaborate):
        def noted(component, platform):
            self.made.append(component)
            return elaborate(component, platform)

        return noted

    def signals(self, component):
        if isinstance(component, weight_memory.WeightMemory):
            for bank in range(component.banks):
                (first, *_) = (*component.projections, *component.kernels)
                yield (first.target, "weights"), component.read[bank]
        elif isinstance(component, sparse_lookup.SparseLookup):
            target = component.projection.target
            yield (target, "weights"), component.o.valid & component.o.ready & ~component.o.p.end
            if not component.one_to_one:
                yield (
                    (target, "weights"),
                    component.i.valid & component.i.ready & ~component.i.p.end,
                )
        elif isinstance(component, accumulators.FoldedLanes):
            yield ("", "sums read"), component.add
            yield ("", "sums read"), component.turn.take
            yield ("", "sums written"), component.add
            if component.clears:  # a cycle after the last group of a row is asked for
                turn = component.turn
                over = turn.final | (turn.part == component.parts - 1)
                yield ("", "sums written"), turn.take & ~turn.keep & over
        else:
            yield (component.population.name, "states read"), component.go
            yield (component.population.name, "states written"), component.o.valid

    def counter(self, name, signal):
        async def count(ctx):
            while True:
                *_, set_ = await ctx.tick().sample(signal)
                self.counts[name] += set_

        return count


def drawn(seed):
    random = Random(seed)
    network = random_network(random, populations=(1, 3), neurons=(1, 8), channels=(1, 8))
    spikes = random_spikes(network, random, samples=2, steps=3)
    return network, spikes, random_mapping(network, random)


def compare(network, spikes, mapping, strobes):
    interpreted.run(network, spikes, mapping=mapping)
    done = work(network, spikes, mapping=mapping)
    for name, update in done.items():
        assert strobes.counts.get((name, "weights"), 0) == update.weight_reads.sum()
        if update.state_bits.any():
            assert strobes.counts[name, "states read"] == update.state_reads.sum()
            assert strobes.counts[name, "states written"] == update.state_writes.sum()
    whole = total(done)
    assert strobes.counts.get(("", "sums read"), 0) == whole.sum_reads.sum()
    assert strobes.counts.get(("", "sums written"), 0) == whole.sum_writes.sum()
    assert whole.events.sum() > 0


@pytest.mark.parametrize("seed", SEEDS)
def test_reads_equal_the_simulation(seed, monkeypatch):
    compare(*drawn(seed), Strobes(monkeypatch))


@pytest.mark.parametrize("lanes", [1, 2, 3])
def test_reads_for_a_static_input_equal_the_simulation(lanes, monkeypatch):
    network = holding()
    compare(network, HELD, Mapping.folded(network, lanes), Strobes(monkeypatch))


@pytest.mark.parametrize("core", [Core(4, 2, 4, True), Core(3, 1, 2), Core(8, 4, 8)])
def test_reads_of_banks_equal_the_simulation(core, monkeypatch):
    mapping = Mapping.default(PLAIN, cores={"hidden": core, "out": Core(3, 3)})
    compare(PLAIN, BUSY, mapping, Strobes(monkeypatch))
    other = Mapping.default(PLAIN, cores={"hidden": replace(core, banks=1), "out": Core(3, 3)})
    (few, many) = (work(PLAIN, BUSY, mapping=choice)["hidden"] for choice in (mapping, other))
    assert (few.weight_bits == many.weight_bits).all()
    # What comes together is added to the sums together.
    assert (few.sum_writes < many.sum_writes).all() or core.lanes == 8


@pytest.mark.parametrize("static", [False, True])
def test_rows_that_are_cleared_equal_the_simulation(static, monkeypatch):
    monkeypatch.setattr(microarchitecture, "FLAGS", 1)
    network, spikes, mapping = of_maps()
    network = replace(network, inputs=[replace(network.inputs[0], static=static)])
    spikes = spikes[:, :1].repeat(3, axis=1) if static else spikes
    assert microarchitecture.clears(network, mapping, "map")
    compare(network, spikes, mapping, Strobes(monkeypatch))


def of_maps(pooling=None, shape=(4, 2, 3), delay=0):
    """Make a map, and a mapping with two rows for the channels of a position."""
    draw = np.random.default_rng(1)
    convolution = Convolution(draw.integers(1, 5, (4, 1, 2, 2)), (1, 3, 4))
    size = 4 * shape[1] * shape[2]
    network = Network(
        [Input("in", (1, 3, 4))],
        [
            Population("map", shape, If(threshold=9, width=8)),
            Population("out", 2, If(threshold=9, width=12)),
        ],
        [
            Projection("in", "map", convolution, delay, bits=4, pooling=pooling),
            Projection("map", "out", draw.integers(-3, 4, (2, size))),
        ],
        [Readout("out")],
    )
    mapping = Mapping.default(network, cores={"map": Core(2, 1), "out": Core(2, 2)})
    return network, (draw.random((2, 3, 12)) < 0.3).astype(int), mapping


def test_reads_of_a_kernel_equal_the_simulation(monkeypatch):
    compare(*of_maps(), Strobes(monkeypatch))


@pytest.mark.parametrize("delay", [0, 1])
def test_counts_of_pooled_sums(delay):
    network, _, mapping = of_maps(MaxPooling((4, 2, 3), (2, 1)), (4, 1, 3), delay)
    spikes = np.zeros((1, 3, 12), dtype=int)
    spikes[0, 0, [0, 5]] = 1  # a corner, which one window has, and a position of four windows
    spikes[0, 1, 0] = 1
    done = work(network, spikes, mapping=mapping)["map"]
    # With a delay, each of the two steps adds the maxima of three positions in two rows of sums,
    # of which one is read for each of 12 neurons in each of three steps. Without, neurons are
    # updated window by window, and there are no such sums.
    rows, added, read = 2 * (1 + 4 + 1), delay * 2 * 6, delay * 3 * 12
    # Two steps have events: each reads two rows of six positions.
    assert done.weight_reads == rows
    assert done.weight_bits == rows * 2 * 4
    assert done.additions == (rows + added) * 2
    # Each row of the six positions is set to zero as it is read for the last time.
    assert done.sum_writes == (rows + 2 * 12) + added
    # A row is read where one is added, too.
    assert done.sum_reads == (rows + 2 * 12) + (added + read)
    # No weight is negative. Sums by position, and those of neurons, are as wide.
    highest = int(network.into("map")[0].synapses.kernel.sum(axis=(1, 2, 3)).max())
    assert done.sum_bits == (2 * rows + 4 * 12 + 2 * added + read) * 2 * signed_width(0, highest)


def test_updates_by_window_read_no_other_sums_in_the_simulation(monkeypatch):
    network, spikes, mapping = of_maps(MaxPooling((4, 2, 3), (2, 1)), (4, 1, 3))
    strobes = Strobes(monkeypatch)
    interpreted.run(network, spikes, mapping=mapping)
    done = work(network, spikes, mapping=mapping)["map"]
    assert strobes.counts["map", "weights"] == done.weight_reads.sum() > 0
    assert strobes.counts["map", "states read"] == done.state_reads.sum()
    assert ("", "sums read") not in strobes.counts  # those of the output are in registers


def test_seeds_reach_every_kind_of_read():
    reached = set()
    for seed in SEEDS:
        network, spikes, mapping = drawn(seed)
        for done in work(network, spikes, mapping=mapping).values():
            reached |= {field.name for field in fields(Work) if getattr(done, field.name).any()}
        for projection in network.projections:
            reached |= {mapping.store(network, projection), projection.synapses.kind}
            reached |= {"delay"} if projection.delay else set()
    assert {field.name for field in fields(Work)} <= reached
    assert {"rows", "synapses", "dense", "sparse", "one_to_one", "delay"} <= reached


# -- bits that change ------------------------------------------------------------------------------


def test_registers_memories_and_wires_are_distinguished():
    source = to_verilog(Accelerator(PLAIN, Mapping.folded(PLAIN, 4)), "accelerator").text
    clocked = _Clocked(source)
    assert clocked.kind(("control",), "now") == "register"
    assert clocked.kind(("readout_out_n",), "winner") == "register"
    kinds = clocked.kinds["accelerator_population_hidden_accumulators"]
    assert [name for name, kind in kinds.items() if kind == "memory"] == ["_0_"]
    assert clocked.kind((), "i_payload") == "wire"
    processes = re.findall(r"^  always @\(posedge clk\)", source, re.MULTILINE)
    memories = re.findall(r"^  reg (?:\[\d+:0\] )?\w+ \[\d+:\d+\];", source, re.MULTILINE)
    actual = sum(len(kind) for kind in clocked.kinds.values())
    assert len(processes) - len(memories) <= actual <= len(processes)


@pytest.fixture(scope="module")
def busy():
    """Return what a simulation of busy samples sees, by the compiled Verilog."""
    return switching(PLAIN, BUSY, back_to_back=True)


@pytest.mark.slow
def test_toggles_follow_the_activity(busy):
    silent = switching(PLAIN, BUSY * 0, back_to_back=True)
    assert 0 < silent.toggles() < busy.toggles() / 2
    # What tells whose turn it is moves, the sums do not.
    registers = [net for net in silent.nets if net.kind == "register"]
    sums = [net for net in registers if net.name.startswith("running_sums")]
    assert sum(len(net.toggles) for net in sums) >= 8
    assert sum(int(net.toggles.sum()) for net in sums) == 0
    moved = [net.toggles.sum() for net in busy.nets if net.name in {total.name for total in sums}]
    assert sum(moved) > 100
    folded = switching(PLAIN, BUSY, mapping=Mapping.folded(PLAIN, 1), back_to_back=True)
    assert folded.to_json()["register_bits"] < busy.to_json()["register_bits"]
    assert folded.toggles("memory") > busy.toggles("memory")
    assert folded.cycles > busy.cycles
    assert sum(busy.parts().values()) == pytest.approx(busy.toggles())
    assert busy.result.differences(folded.result) == []


def read_saif(text):
    """Return duration, and the changes and times of each net, by its path."""
    words = re.findall(r'[()]|"[^"]*"|[^\s()]+', text)

    def group(at):
        results = []
        while words[at] != ")":
            if words[at] == "(":
                group_read, at = group(at + 1)
                results.append(group_read)
            else:
                results.append(words[at])
                at += 1
        return results, at + 1

    whole, end = group(1)
    assert (words[0], end) == ("(", len(words))
    nets = {}

    def instance(node, scope):
        for part in node[2:]:
            if part[0] == "INSTANCE":
                instance(part, (*scope, part[1]))
            else:
                assert part[0] == "NET"
                for net in part[1:]:
                    name = re.sub(r"\\(.)", r"\1", net[0])
                    nets[*scope, name] = {entry[0]: int(entry[1]) for entry in net[1:]}

    (top,) = [entry for entry in whole if entry[0] == "INSTANCE"]
    (duration,) = [int(entry[1]) for entry in whole if entry[0] == "DURATION"]
    instance(top, ())
    return duration, nets


def read_waves(path):
    """Return how often each bit changes in a file of waveforms, by the path of its signal."""
    scopes, changes, now, results = [], {}, {}, {}
    for line in path.read_text().splitlines():
        words = line.split()
        if line.startswith("$scope"):
            scopes.append(words[2])
        elif line.startswith("$upscope"):
            scopes.pop()
        elif line.startswith("$var"):
            # A signal has a line in each scope that knows it.
            results[*scopes, words[4]] = changes.setdefault(words[3], [0] * int(words[2]))
        elif words and line[0] in "01b":
            bits, code = (words[0][1:], words[1]) if line[0] == "b" else (line[0], line[1:])
            value = int(bits, 2)
            flips = value ^ now.get(code, value)
            now[code] = value
            for bit in range(len(changes[code])):
                changes[code][bit] += flips >> bit & 1
    return results


@pytest.mark.slow
def test_toggles_of_registers_equal_the_interpreted_simulation(busy, tmp_path, monkeypatch):
    duration, nets = read_saif(to_saif(busy, period=8.0))
    assert duration == busy.cycles * 8000
    assert all(net["T0"] + net["T1"] == duration for net in nets.values())
    assert nets["clk",] == {
        "T0": duration // 2,
        "T1": duration // 2,
        "TX": 0,
        "TC": 2 * busy.cycles,
        "IG": 0,
    }

    class Watched(Simulator):
        def run(self):
            with self.write_vcd(str(tmp_path / "waves.vcd")):
                super().run()

    monkeypatch.setattr(interpreted, "Simulator", Watched)
    interpreted.run(PLAIN, BUSY, back_to_back=True)
    waves = read_waves(tmp_path / "waves.vcd")
    compared, changed = 0, 0
    for net in busy.nets:
        wave = waves.get(("bench", "top", *net.scope, net.name))
        # What counts cycles goes on between the last result and the end of the simulation.
        if net.kind != "register" or wave is None or net.scope[:1] in {(), ("control",)}:
            continue
        for bit, changes in enumerate(wave):
            name = net.name if len(wave) == 1 else f"{net.name}[{bit}]"
            assert nets[*net.scope, name]["TC"] == changes, (net.scope, name)
        compared += len(wave)
        changed += sum(changes > 0 for changes in wave)
    assert compared > 200, compared
    assert changed > 100, changed


@pytest.mark.parametrize("period", [0, -1.0, 0.0005, 1e9])
def test_invalid_period_is_refused(period):
    with pytest.raises(ValueError, match="Period must be more than 0 ns"):
        to_saif(None, period=period)
