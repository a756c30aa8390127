"""Random networks that are alive, spikes and mappings for them, and what says that they are.

A network is drawn from a seed, then run with spikes such as :func:`random_spikes` draws, and
thresholds, biases and widths are moved until its populations fire neither never nor always.
"""

from collections import Counter
from dataclasses import dataclass, fields, replace
from math import gcd
from random import Random
from types import SimpleNamespace

import numpy as np
from hypothesis import strategies

from spiker_hdl.model import (
    ARRAYS,
    READOUTS,
    Accumulator,
    AdaptiveLif,
    Core,
    CurrentLif,
    Decay,
    Dendrite,
    Dense,
    FirstOrder,
    If,
    Input,
    Integrator,
    Lif,
    Mapping,
    Network,
    OneToOne,
    Population,
    Projection,
    Readout,
    SecondOrder,
    Sparse,
    SpikingNeuron,
    WinnerTakeAll,
    WithSynapse,
    WithSynapses,
    queue_minimum,
    signed_range,
)
from spiker_hdl.model.graph import GROUPED, SPIKE_READOUTS
from spiker_hdl.model.mapping.core import KINDS
from spiker_hdl.model.neurons.spiking import RESET_TIMINGS

__all__ = [
    "ODD_NAMES",
    "OPTIONS",
    "Case",
    "Liveness",
    "assert_alive",
    "cases",
    "describe",
    "everything",
    "liveness",
    "networks",
    "options",
    "random_mapping",
    "random_network",
    "random_spikes",
]

SHORT = 4
"""Steps in which populations should fire already."""

FIRING = (Lif, Lif, If, CurrentLif, AdaptiveLif)
SILENT = (Integrator, Accumulator)
VALUED = (Dendrite,)
OUTPUTS = [(0, 15), (-8, 7), (-1, 1), (0, 1), (0, 3), (-3, 20), (-64, 63)]
FILLED = [kind for kind in KINDS if kind != "uninitialized"]
ODD_NAMES = ("reg", "Out", "out", "signal 2", "état", "a-b", "1st", "x" * 60, "always", "entity")

# -- drawing -------------------------------------------------------------------------------------


def random_network(
    random: Random,
    *,
    populations=(1, 4),
    neurons=(1, 40),
    inputs=(1, 2),
    channels=(1, 24),
    delay=4,
    models=FIRING + SILENT + VALUED,
    names=None,
    static=0,
) -> Network:
    """Draw a network.

    Parameters
    ----------
    random : Random
        The same state gives the same network.
    populations, neurons, inputs, channels : (int, int)
        Least and most of populations, neurons in each, inputs, and channels in each.
    delay : int
        Longest delay; 0 leaves no recurrence.
    models : sequence of type
        Neuron models to choose from; at least one fires.
    names : sequence of str, optional
        Names for the nodes, instead of ``in0``, ``p0`` and so on.
    static : float
        Chance that inputs are static, where what they lead to takes no others.
    """
    plan = _Plan(random, populations, neurons, inputs, channels, delay, models, names, static)
    plan.enliven()
    return plan.network()


class _Plan:
    """A network in the making: what is drawn once, and what is moved until it is alive."""

    def __init__(
        self, random, populations, neurons, inputs, channels, delay, models, names, static
    ):
        self.random = random
        self.delay = delay
        subset = random.sample(names, len(names)) if names else None
        self.inputs = [
            _input(random, subset.pop() if subset else f"in{n}", random.randint(*channels))
            for n in range(random.randint(*inputs))
        ]
        count = random.randint(*populations)
        # In order of evaluation; the network gets them in another.
        self.names = [subset.pop() if subset else f"p{n}" for n in range(count)]
        sizes = {name: random.randint(*neurons) for name in self.names}
        if random.random() < 0.06:
            sizes[random.choice(self.names)] = neurons[0]
        if count > 1 and random.random() < 0.3:  # so that some meet one to one
            sizes = dict.fromkeys(self.names, random.randint(*neurons))
        if random.random() < 0.15:
            sizes[self.names[0]] = min(neurons[1], max(neurons[0], self.inputs[0].size))
        self.sizes = sizes | {node.name: node.size for node in self.inputs}
        firing = [model for model in models if model.spiking]
        self.models = {name: random.choice(firing) for name in self.names}
        silent = [model for model in models if not model.spiking and model.output is None]
        if silent and random.random() < 0.45:  # never fires, and so has nothing behind it
            self.models[self.names[-1]] = random.choice(silent)
        self.outputs = {}
        valued = [model for model in models if model.output is not None]
        own = Random(repr((self.sizes, self.models)))  # apart, so that all else stays
        for name in self.names:
            if valued and self.models[name].spiking and own.random() < 0.045:
                self.models[name], self.outputs[name] = own.choice(valued), own.choice(OUTPUTS)
        self.spiking = [name for name in self.names if self.models[name].spiking]
        self.emitting = [name for name in self.names if name in {*self.spiking, *self.outputs}]
        self.projections = self._connect()
        self._hold(static)
        self.typical = {name: self._reach(name) for name in self.names}
        self.knobs = {name: self._knobs(name) for name in self.names}
        self.weights = {p.name: p.synapses.matrix().T << p.shift for p in self.projections}

    def _connect(self):
        random = self.random
        projections = []

        def connect(source, target, delay):
            synapses = _synapses(random, self.sizes[source], self.sizes[target])
            bits = None
            if random.random() < 0.3:
                bits = Projection(source, target, synapses).width + random.randint(0, 2)
            taken = {projection.name for projection in projections}
            name = f"{source}->{target} late {delay}"
            name = "" if name not in taken and delay and random.random() < 0.5 else name
            if name in taken or random.random() < 0.1:
                name = f"synapses {len(projections)}"
            own = Random(
                repr((source, target, synapses.values.tolist()))
            )  # apart, so that all else stays
            shift = own.choice([1, 1, 2, 3, 5]) if own.random() < 0.2 else 0
            projections.append(Projection(source, target, synapses, delay, bits, name, shift))

        def late(min_delay=0):
            few = random.random() < 0.6
            return (
                min_delay
                if few or min_delay > self.delay
                else random.randint(min_delay, self.delay)
            )

        for n, target in enumerate(self.names):
            before = [*[node.name for node in self.inputs], *self.names[:n]]
            before = [name for name in before if name not in self.names or name in self.emitting]
            nearest = [before[-1]] if n else [random.choice(before)]
            sources = nearest + [
                name for name in before if name not in nearest and random.random() < 0.2
            ]
            for source in sources:
                connect(source, target, late())
                if random.random() < 0.12:
                    connect(source, target, late())
            if target in self.emitting and self.delay:
                if random.random() < 0.3:
                    connect(target, target, late(1))
                behind = [name for name in self.names[:n] if name in self.emitting]
                if behind and random.random() < 0.3:
                    connect(target, random.choice(behind), late(1))
        used = {projection.source for projection in projections}
        for node in self.inputs:
            if node.name not in used:
                connect(node.name, random.choice(self.names), late())
        return random.sample(projections, len(projections))

    def _hold(self, chance):
        """Let inputs be static that lead to no population which takes others, too."""
        own = Random(
            repr((self.sizes, self.projections))
        )  # apart, so that all else stays as it was
        if own.random() >= chance:
            return
        into = {}
        for projection in self.projections:
            into.setdefault(projection.target, set()).add(projection.source)
        can = {node.name for node in self.inputs}
        for _ in self.inputs:
            for sources in into.values():
                if sources - can:
                    can -= sources
        self.inputs = [replace(node, static=node.name in can) for node in self.inputs]

    def _reach(self, name):
        """Return about how far the current of a population strays, at least 1."""
        total = 0.0
        for projection in self.projections:
            if projection.target == name:
                square = 0.3
                for source in self.inputs:
                    if source.name == projection.source:
                        square = 0.3 * max(source.high, -source.low) ** 2 / 2
                if projection.source in self.outputs:
                    square = 0.3 * max(map(abs, self.outputs[projection.source])) ** 2 / 2
                square *= 4**projection.shift
                total += square * float(
                    (projection.synapses.matrix().astype(float) ** 2).sum(1).mean()
                )
        return max(1.0, total**0.5)

    def _knobs(self, name):
        random, model, size = self.random, self.models[name], self.sizes[name]
        typical = self.typical[name]
        threshold = typical * random.uniform(0.5, 2.5)
        room = threshold * random.choice([1.1, 1.5, 2, 4, 8])
        width = min(24, max(2, int(room).bit_length() + 1))
        knobs = SimpleNamespace(
            threshold=threshold,
            spread=_each(random, size, lambda: random.uniform(0.6, 1.4), 0.35),
            width=width,
            push=0.0,
            bias=0,
            fields={},
        )
        if random.random() < 0.5:
            max_bias = max(1, int(typical / 3))
            knobs.bias = _each(random, size, lambda: random.randint(-max_bias, max_bias), 0.6)
        for declared in fields(model):
            if declared.name in {"decay", "current_decay", "rise_decay"}:
                knobs.fields[declared.name] = _decay(random, size, declared.name)
        if issubclass(model, SpikingNeuron):
            refractory = random.choice([0, 0, 0, 0, 1, 1, 2, 3])
            knobs.fields |= {
                "reset": random.choice(["subtract", "subtract", "zero", "value", "none"]),
                "reset_timing": "next_step" if random.random() < 0.3 else "immediate",
                "fire": random.choice([">", ">="]),
                "refractory": refractory,
                "refractory_input": random.choice(["lost", "kept"]),
            }
            own = Random(repr(threshold))  # apart, so that a seed's other draws stay what they were
            reset, timing = knobs.fields["reset"], knobs.fields["reset_timing"]
            if timing == "next_step" and reset in {"zero", "value"}:
                knobs.fields["reset_timing"] = own.choice(["next_step", "next_step_keep_input"])
            if timing == "immediate" and reset == "subtract" and own.random() < 0.25:
                knobs.fields["reset_timing"] = "snntorch_immediate"
            if refractory and own.random() < 0.4:
                knobs.fields["refractory"] = tuple(own.randint(0, refractory) for _ in range(size))
        own = Random(repr((threshold, "rest")))  # apart, as above
        knobs.towards = None
        if any(declared.name == "rest" for declared in fields(model)) and own.random() < 0.12:
            knobs.towards = _each(own, size, own.random, 0.4)
        knobs.floored = own.random() < 0.5
        knobs.synapses = []
        while own.random() < (0.5 if knobs.synapses else 0.055) and len(knobs.synapses) < 3:
            knobs.synapses.append(_dynamics(own, size, self.typical[name]))
        knobs.coupling = None
        if model.spiking and 1 < size <= 12 and own.random() < 0.14:
            knobs.coupling = WinnerTakeAll(own.choice([0, 0, 0, 1, 1, 3]))
        knobs.receptors = self._receptors(name, Random(repr((threshold, "receptors"))))
        knobs.floor = random.random() < 0.3
        knobs.floor_share = random.choice([0, 0, random.random(), 1])
        knobs.rest = {
            name: _each(random, size, random.random, 0.5)
            for name in ("v", "i", "a", "countdown", "pending")
            if random.random() < 0.2
        }
        knobs.reset_value = _each(random, size, random.random, 0.5)
        knobs.rise = _each(random, size, lambda: random.uniform(0, 0.8), 0.4)
        knobs.current_width = random.choice([1, 1, 2, 3])
        return knobs

    def _receptors(self, name, own):
        """Draw dynamics of several receptors, mostly none, and which of them projections reach."""
        if own.random() >= 0.065:
            return []
        size, typical = self.sizes[name], self.typical[name]
        receptors = [
            _dynamics(own, size, typical) if own.random() < 0.6 else None
            for _ in range(own.choice([2, 2, 2, 3, 4]))
        ]
        self.projections = [
            replace(projection, receptor=own.randrange(len(receptors)))
            if projection.target == name
            else projection
            for projection in self.projections
        ]
        return receptors

    def population(self, name) -> Population:
        """Make a population as the knobs now stand."""
        knobs, model, size = self.knobs[name], self.models[name], self.sizes[name]
        low, high = signed_range(knobs.width)
        settings = dict(knobs.fields, width=knobs.width)
        floor = low
        if issubclass(model, SpikingNeuron):
            if knobs.floor:
                floor = int(low * knobs.floor_share)
                settings["floor"] = floor
            bottom = 0 if settings["reset"] == "subtract" else low
            top = high - (settings["fire"] == ">")

            def limit(share):
                return max(bottom, min(top, round(knobs.threshold * share)))

            settings["threshold"] = _mapped(limit, knobs.spread)
            reach = max(1, min(high, round(knobs.threshold)))
            settings["reset_value"] = _mapped(
                lambda share: max(floor, round(-reach / 2 + share * reach)), knobs.reset_value
            )
            if "countdown" in knobs.rest:
                share, steps = knobs.rest["countdown"], settings["refractory"]
                if isinstance(share, tuple) and isinstance(steps, tuple):
                    settings["countdown"] = tuple(map(_product, share, steps))
                else:
                    steps = min(steps) if isinstance(steps, tuple) else steps
                    settings["countdown"] = _mapped(lambda share: _product(share, steps), share)
            if "pending" in knobs.rest:
                delayed = settings["reset_timing"].startswith("next_step")
                settings["pending"] = _mapped(
                    lambda share: int(delayed and share < 0.5), knobs.rest["pending"]
                )
        else:
            reach = high
            if issubclass(model, Dendrite):
                finest = max(0, min(knobs.width - 1, round(knobs.threshold).bit_length() - 3))
                settings["resolution"] = 1 << finest
                settings["low"], settings["high"] = self.outputs[name]
            if knobs.floored and issubclass(model, Integrator):
                floor = settings["floor"] = int(low * knobs.floor_share)
        if knobs.towards is not None:  # a rest potential near the threshold fires by itself
            share = 0.4 if model.spiking else 1
            settings["rest"] = _mapped(
                lambda at: max(floor, round(share * (2 * at - 1) * reach)), knobs.towards
            )
        if "v" in knobs.rest:
            settings["v"] = _mapped(
                lambda share: max(floor, round(-reach + 2 * share * reach)), knobs.rest["v"]
            )
        if model is CurrentLif:
            wide = max(2, min(28, round(self.typical[name]).bit_length() + knobs.current_width))
            settings["current_width"] = wide
            if "i" in knobs.rest:
                settings["i"] = _mapped(
                    lambda share: round((2 * share - 1) * (2 ** (wide - 1) - 1)), knobs.rest["i"]
                )
        if model is AdaptiveLif:
            settings["rise"] = _mapped(lambda share: round(share * reach), knobs.rise)
            if "a" in knobs.rest:
                settings["a"] = _mapped(lambda share: round(share * reach), knobs.rest["a"])
        bias = _mapped(lambda own: own + round(knobs.push), knobs.bias)
        shape = size
        if size % 2 == 0 and size > 2 and len(name) % 2 == 0:
            shape = (2, size // 2)
        neuron = model(**settings)
        for synapse in knobs.synapses:
            neuron = WithSynapse(neuron=neuron, synapse=synapse)
        if knobs.receptors:
            neuron = WithSynapses(neuron=neuron, synapses=knobs.receptors)
        return Population(name, shape, neuron, bias, knobs.coupling)

    def enliven(self):
        """Move the knobs until populations fire as they should, as far as that can be had."""
        random = Random(self.random.random())
        stimulus = _spikes(self.inputs, random, 6, 14)
        for n in range(14):
            rates, *first = _rates(self, stimulus)
            wrong = [name for name in self.emitting if not 0.05 <= rates[name] <= 0.5]
            for name in wrong:
                self._move(name, rates[name] > 0.5, n in {4, 6, 8}, random)
            if not wrong:
                break
        # Samples may be short, and coupled neurons fire less: now both count.
        stimulus = {name: values[:, : 2 * SHORT] for name, values in stimulus.items()}
        known = not wrong and all(self.knobs[name].coupling is None for name in self.names)
        for n in range(8):
            # What came of the first steps is known already unless something was changed.
            rates, early = first if known and n == 0 else _rates(self, stimulus, coupled=True)[1:]
            firing = [name for name in self.emitting if rates[name] > 0.5]
            silent = [name for name in self.emitting if min(early[name], rates[name]) < 0.05]
            for name in dict.fromkeys(firing + silent):
                self._move(name, name in firing, n in {4, 6, 8}, random)
            if not firing and not silent:
                break

    def _move(self, name, firing, simpler, random):
        """Move the knobs of a population that fires too often, or else too rarely."""
        knobs = self.knobs[name]
        before = self.population(name)
        if simpler and knobs.synapses:  # no threshold suits what it makes of events
            knobs.synapses.pop()
        if firing:
            if knobs.push > 0 or random.random() < 0.3:
                knobs.push -= self.typical[name] * 0.3 + 1
            knobs.threshold = knobs.threshold * 1.5 + 1
            if knobs.threshold > 2 ** (knobs.width - 1) - 2:
                knobs.width = min(28, knobs.width + 1)
        else:
            knobs.threshold *= 0.6
            if knobs.threshold < 1 or getattr(before.neuron, "threshold", 1) == 0:
                knobs.push += self.typical[name] * 0.3 + 1
            elif random.random() < 0.3:
                knobs.push += self.typical[name] * 0.1

    def network(self) -> Network:
        """Make the network."""
        random = self.random
        populations = [self.population(name) for name in random.sample(self.names, len(self.names))]
        readouts = []
        for n in range(random.choice([1, 1, 2, 3])):
            target = self.names[-1] if n == 0 else random.choice(self.names)
            kinds = ["count", "count", "first", *READOUTS]
            if target not in self.spiking:
                kinds = ["last", "largest", "sum"]
            readout = Readout(target, random.choice(kinds), f"read{n}" if n else "")
            readouts.append(replace(readout, groups=_groups(readout, self.sizes[target])))
        max_steps = random.choice([16, 20, 31, 32, 64])
        return Network(self.inputs, populations, self.projections, readouts, max_steps, "random")


def _input(random, name, size) -> Input:
    if random.random() < 0.6:
        return Input(name, size)
    low, high = random.choice([0, 0, -1, -3, -8]), random.choice([1, 2, 3, 7, 15])
    return Input(name, (size, 1) if random.random() < 0.2 else size, low, high)


def _groups(readout, size):
    """Draw into how many groups a readout sums its neurons, or None."""
    own = Random(repr((readout, size)))  # apart, so that all else is what the seed gave before
    if readout.kind not in GROUPED or own.random() < 0.5:
        return None
    return own.choice([n for n in range(1, size + 1) if size % n == 0])


def _each(random, size, draw, chance):
    """Draw one value, or with some chance one per neuron."""
    return tuple(draw() for _ in range(size)) if random.random() < chance else draw()


def _mapped(change, value):
    return tuple(change(item) for item in value) if isinstance(value, tuple) else change(value)


def _product(share, of):
    return round(share * of)


def _decay(random, size, name) -> Decay:
    quick = name == "current_decay"
    form = random.choice(["shift", "shift", "shifts", "multiplier"])
    if random.random() < 0.05:
        return random.choice([Decay(0, 0), Decay(1, 0)])  # keeps all, keeps nothing
    if form == "shift":
        return Decay.shift(random.randint(1, 3 if quick else 5))
    if form == "shifts":
        return Decay.shifts(*random.sample(range(1, 6), random.randint(2, 3)))
    bits = random.randint(3, 8)
    max_numerator = 2**bits if random.random() < 0.1 else 2**bits // 2
    return Decay(_each(random, size, lambda: random.randint(0, max_numerator), 0.6), bits)


def _dynamics(random, size, typical):
    """Draw synaptic dynamics for currents of a typical size."""
    width = max(2, min(24, round(typical).bit_length() + random.choice([1, 2, 3])))
    most = 2 ** (width - 1) - 1

    def start():
        if random.random() < 0.8:
            return 0
        return _each(random, size, lambda: random.randint(-most, most), 0.5)

    decay = _decay(random, size, "current_decay")
    if random.random() < 0.5:
        return FirstOrder(decay=decay, width=width, i=start())
    rise = _decay(random, size, "current_decay")
    return SecondOrder(decay=decay, rise=rise, width=width, slow=start(), fast=start())


def _synapses(random, source, target):
    low, high = signed_range(random.choice([2, 3, 4, 4, 4, 5, 6, 8, 8, 12]))
    if random.random() < 0.15:
        low, high = -1, 1
    lift = random.uniform(0, 0.5) * high

    def weight():
        if random.random() < 0.05:
            return random.choice([low, high])
        return max(low, min(high, round(random.gauss(lift, high / 2))))

    kind = random.choice(["dense", "dense", "sparse"])
    if source == target and random.random() < 0.5:
        return OneToOne(np.array([weight() or 1 for _ in range(source)]))
    matrix = np.array([[weight() for _ in range(source)] for _ in range(target)])
    if kind == "dense":
        return Dense(matrix.astype(random.choice(["int8", "int16"]) if high < 128 else "int64"))
    kept = [[random.random() < 0.4 for _ in range(source)] for _ in range(target)]
    return Sparse.from_matrix(np.where(kept, matrix, 0))


def _rates(plan, stimulus, *, coupled=False):
    """Return the share of slots in which each population fires, or would without coupling.

    The shares in the first ``2 * SHORT`` and ``SHORT`` steps follow.
    """
    populations = {name: plan.population(name) for name in plan.names}
    samples, steps = next(iter(stimulus.values())).shape[:2]
    trains, states, bound, inhibitions = dict(stimulus), {}, {}, {}
    for name, population in populations.items():
        states[name] = {
            key: np.broadcast_to(np.asarray(state.rest), (samples, population.size))
            for key, state in population.neuron.states.items()
        }
        bound[name] = population.neuron.bind({
            key: np.asarray(parameter.value)
            for key, parameter in population.neuron.parameters.items()
        })
        trains[name] = np.zeros((samples, steps, population.size), dtype=np.int64)
        inhibitions[name] = np.zeros((samples, population.size), bool), np.zeros((samples, 1), int)
    into = {name: [p for p in plan.projections if p.target == name] for name in populations}
    for t in range(steps):
        for name, population in populations.items():
            neuron = population.neuron
            currents = np.zeros((neuron.receptors, samples, population.size), dtype=np.int64)
            currents[neuron.bias_receptor] += np.asarray(population.bias)
            for projection in into[name]:
                if t >= projection.delay:
                    events = trains[projection.source][:, t - projection.delay]
                    currents[projection.receptor] += events @ plan.weights[projection.name]
            coupling = population.coupling if coupled else None
            if coupling is not None:
                currents[:, coupling.inhibited(*inhibitions[name])] = 0
            fired, states[name] = neuron.step(
                bound[name], SimpleNamespace(**states[name]), neuron.as_current(currents), ARRAYS
            )
            if coupling is not None:
                fired, *inhibitions[name] = coupling.emit(fired, *inhibitions[name])
            if fired is not None:
                trains[name][:, t] = fired
    events = {name: trains[name] != 0 for name in populations}
    return [
        {name: float(events[name][:, :end].mean()) for name in populations}
        for end in (steps, 2 * SHORT, SHORT)
    ]


def random_spikes(network: Network, random: Random, samples=4, steps=12):
    """Draw input spikes, as ``run`` takes them.

    Parameters
    ----------
    network : Network
    random : Random
    samples : int
    steps : int or (int, int)
        Time steps of every sample, or least and most: then samples differ.

    Returns
    -------
    dict of str to array of shape (samples, steps, size), or to list of such
    """
    if isinstance(steps, int):
        return _spikes(network.inputs, random, samples, steps)
    lengths = [random.randint(*steps) for _ in range(samples)]
    drawn = [_spikes(network.inputs, random, 1, length) for length in lengths]
    return {node.name: [sample[node.name][0] for sample in drawn] for node in network.inputs}


def _spikes(inputs, random, samples, steps):
    """Draw spikes of all densities, with silent and full steps, and extremes of graded values."""
    draw = np.random.default_rng(random.getrandbits(64))
    spikes = {}
    for node in inputs:
        chance = draw.choice([0.1, 0.25, 0.25, 0.4, 0.4, 0.7], size=(samples, 1, 1))
        chance = np.broadcast_to(chance, (samples, steps, 1)).copy()
        special = draw.random((samples, steps, 1))
        chance[special < 0.08] = 0
        chance[special > 0.95] = 1
        events = draw.random((samples, steps, node.size)) < chance
        values = draw.integers(node.low, node.high, (samples, steps, node.size), endpoint=True)
        extreme = draw.random(values.shape) < 0.1
        values[extreme] = draw.choice([node.low, node.high], size=int(extreme.sum()))
        spikes[node.name] = events * (values if node.graded else 1)
        if node.static:
            spikes[node.name][:] = spikes[node.name][:, :1]
    return spikes


def random_mapping(network: Network, random: Random, *, check=True) -> Mapping:
    """Draw a mapping: any lanes, step units, banks, queues (half at their minimum) and so on."""
    form = random.choice(["words", "events"])
    word = random.choice([1, 2, 7, 8, 16, 32, 64, random.randint(1, 256)])
    stores = {
        projection.name: random.choice(["rows", "synapses"]) for projection in network.projections
    }
    stores |= {
        projection.name: "rows"
        for projection in network.projections
        if network.holds(projection.target)
    }
    widths = {}
    for population in network.populations:
        lanes = random.choice([population.size, random.randint(1, population.size)])
        units = random.choice([lanes, random.randint(1, lanes)])
        if lanes < population.size:
            units = random.choice([n for n in range(1, lanes + 1) if lanes % n == 0])
        widths[population.name] = lanes, units
    scanned = {node.name: word if form == "words" else node.size for node in network.inputs}
    scanned |= {name: units for name, (_, units) in widths.items()}
    cores = {}
    for name, (lanes, units) in widths.items():
        # What scans events must have whole items of them.
        sources = [network.nodes[projection.source] for projection in network.into(name)]
        sizes = [scanned[source.name] for source in sources if scanned[source.name] < source.size]
        banks = [n for n in (1, 2, 4, 8) if gcd(*sizes) % n == 0]
        cores[name] = Core(lanes, units, random.choice(banks), random.random() < 0.5)
        cores[name] = replace(cores[name], stages=random.choice([1, 1, 2, 3]))
        # Drawn aside, so that all else is what the seed gave before there were kinds of memory.
        weights, states = Random(f"{name}{lanes}{units}").choices(FILLED, k=2)
        block = Random(f"{units}{name}{lanes}").choice([0, 0, 16])
        cores[name] = replace(cores[name], weights=weights, states=states, block=block)
        gather = Random(f"{units}{lanes}{name}").choice([1, 1, 1, 2, 4])
        cores[name] = replace(cores[name], gather=gather)
        if cores[name].stages == 3:
            cores[name] = replace(cores[name], stages=Random(f"{lanes}{name}").choice([3, 4]))
    spare = random.choice([0, 0, 3, 20])
    queues = {
        projection.name: queue_minimum(network, projection) + random.randint(0, spare)
        for projection in network.projections
    }
    in_flight = Random(f"{form}{word}{spare}").choice([None, None, 1, 2])
    mapping = Mapping(cores, queues, form, word, stores, in_flight)
    if check:
        mapping.check(network)
    return mapping


# -- drawing by Hypothesis -----------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A network, spikes for it, and a mapping; all drawn from ``seed`` and the sizes.

    Members
    -------
    network : Network
    spikes : dict
    mapping : Mapping
    seed : int
    """

    network: Network
    spikes: dict
    mapping: Mapping
    seed: int


@strategies.composite
def networks(draw, *, populations=4, neurons=40, channels=24, delay=4, **limits):
    """Draw networks up to given sizes, which shrink."""
    count = draw(strategies.integers(1, populations), label="populations")
    size = draw(strategies.integers(1, neurons), label="neurons")
    width = draw(strategies.integers(1, channels), label="channels")
    latest = draw(strategies.integers(0, delay), label="delay")
    seed = draw(strategies.integers(0, 2**32 - 1), label="seed")
    return random_network(
        Random(seed),
        populations=(count, count),
        neurons=(1, size),
        channels=(1, width),
        delay=latest,
        **limits,
    )


@strategies.composite
def cases(draw, *, samples=3, steps=12, **limits):
    """Draw networks with up to so many samples of up to so many steps each, and mappings."""
    network = draw(networks(**limits))
    count = draw(strategies.integers(1, samples), label="samples")
    max_steps = draw(strategies.integers(1, steps), label="steps")
    seed = draw(strategies.integers(0, 2**32 - 1), label="seed of spikes")
    random = Random(seed)
    spikes = random_spikes(network, random, count, (1, max_steps))
    return Case(network, spikes, random_mapping(network, random), seed)


# -- what they are -------------------------------------------------------------------------------


def everything(network: Network) -> list[str]:
    """Return the names of all that can be recorded: events of who emits any, and all states."""
    names = [population.name for population in network.populations if population.neuron.emits]
    return names + [
        f"{population.name}.{key}"
        for population in network.populations
        for key in population.neuron.states
    ]


def _rank(network):
    return {name: n for n, name in enumerate(network.order)}


def _population_options(population):
    neuron = population.neuron
    if isinstance(neuron, WithSynapses):
        yield "receptors"
        if None in neuron.synapses:
            yield "plain receptor"
        yield from (type(synapse).__name__ for synapse in neuron.dynamics.values())
        neuron = neuron.neuron
    while isinstance(neuron, WithSynapse):
        yield type(neuron.synapse).__name__
        neuron = neuron.neuron
        if isinstance(neuron, WithSynapse):
            yield "several synapses"
    yield type(neuron).__name__
    if population.size == 1:
        yield "lone neuron"
    if population.coupling is not None:
        yield "inhibition" if population.coupling.steps else "winner takes all"
    if isinstance(population.bias, tuple):
        yield "bias per neuron"
    elif population.bias:
        yield "bias"
    for name, parameter in population.neuron.parameters.items():
        if isinstance(parameter.value, tuple):
            named = {"threshold", "decay", "refractory", "rest"}
            yield f"{name} per neuron" if name in named else "other per neuron"
    if getattr(neuron, "has_rest", False):
        yield "rest potential"
    if getattr(neuron, "floor", None) is not None and not neuron.spiking:
        yield "floor of an integrator"
    if any(isinstance(state.rest, tuple) or state.rest for state in neuron.states.values()):
        yield "rest"
    for item in vars(neuron).values():
        if isinstance(item, Decay):
            shifts = [item.numerator.bit_count()] if isinstance(item.numerator, int) else [9]
            yield {0: "no decay", 1: "decay shift"}.get(max(shifts), "decay multiplier")
    if isinstance(neuron, SpikingNeuron):
        yield f"reset {neuron.reset}"
        yield f"fire {neuron.fire}"
        yield f"reset timing {neuron.reset_timing}"
        if neuron.max_refractory:
            yield f"refractory {neuron.refractory_input}"
        if neuron.floor is not None:
            yield "floor"


def options(network: Network) -> set[str]:
    """Name everything in :data:`OPTIONS` that a network makes use of."""
    used = set()
    for population in network.populations:
        used |= set(_population_options(population))
    rank = _rank(network)
    pairs = Counter((projection.source, projection.target) for projection in network.projections)
    inputs = {node.name: node for node in network.inputs}
    for projection in network.projections:
        used.add(projection.synapses.kind)
        if projection.delay:
            used.add("delay")
        if projection.shift:
            others = {other.shift for other in network.into(projection.target)}
            used.add("shift of its own" if len(others) > 1 else "shift of all")
        if pairs[projection.source, projection.target] > 1:
            used.add("several of a pair")
        if projection.bits is not None:
            used.add("bits declared")
        if projection.source == projection.target:
            used.add("recurrent")
        elif projection.source in rank and rank[projection.source] > rank[projection.target]:
            used.add("backward")
        if projection.source in inputs and rank[projection.target]:
            used.add("skip")
    for node in inputs.values():
        used.add("graded" if node.graded else "binary")
        if node.low < 0:
            used.add("negative values")
    if len(inputs) > 1:
        used.add("several inputs")
    used |= {f"readout {readout.kind}" for readout in network.readouts}
    for readout in network.readouts:
        if readout.groups not in {None, network.population[readout.population].size}:
            spikes = readout.kind in SPIKE_READOUTS
            used.add("groups of spikes" if spikes else "groups of potentials")
    if len(network.readouts) > 1:
        used.add("several readouts")
    if network.order != tuple(population.name for population in network.populations):
        used.add("given out of order")
    return used


OPTIONS = frozenset({
    *(option.__name__ for option in FIRING + SILENT + VALUED),
    *("lone neuron", "bias", "bias per neuron", "threshold per neuron", "decay per neuron"),
    *("other per neuron", "rest", "no decay", "decay shift", "decay multiplier"),
    *("reset subtract", "reset zero", "reset value", "reset none", "fire >", "fire >="),
    *(f"reset timing {timing}" for timing in RESET_TIMINGS),
    *("refractory lost", "refractory kept", "refractory per neuron", "floor"),
    *("rest potential", "rest per neuron", "floor of an integrator"),
    *("FirstOrder", "SecondOrder", "several synapses", "receptors", "plain receptor"),
    *("winner takes all", "inhibition"),
    *("dense", "sparse", "one_to_one", "delay", "several of a pair", "bits declared"),
    *("shift of all", "shift of its own"),
    *("recurrent", "backward", "skip", "graded", "binary", "negative values", "several inputs"),
    *(f"readout {kind}" for kind in READOUTS),
    *("several readouts", "groups of spikes", "groups of potentials", "given out of order"),
})


@dataclass(frozen=True)
class Liveness:
    """What a run showed of a network.

    Members
    -------
    options : set of str
        Those of :data:`OPTIONS` that it uses.
    rates : dict of str to float
        For each population that emits events, the share of slots (sample, step, neuron) in which it
        does.
    saturated : dict of str to float
        For each state recorded that is more than a flag, the share of slots at an end of its range.
    floored : dict of str to float
        For each potential recorded of neurons with a floor, the share of slots at the floor.
    events : float
        Share of slots of the inputs that hold an event.
    """

    options: frozenset
    rates: dict
    saturated: dict
    floored: dict
    events: float

    @property
    def alive(self) -> dict:
        """For each population that emits events, whether it does so in 2 to 60 % of slots."""
        return {name: 0.02 <= rate <= 0.6 for name, rate in self.rates.items()}


def liveness(network: Network, result, spikes) -> Liveness:
    """Measure how alive a network was in a run; states count where they were recorded."""
    steps = int(np.sum(result.steps))
    rates = {
        name: float(np.sum(counts)) / (steps * network.population[name].size)
        for name, counts in result.counts.items()
    }
    saturated, floored = {}, {}
    for name, recorded in result.spikes.items():
        if "." not in name:
            continue
        population, key = name.split(".")
        neuron = network.population[population].neuron
        ends = neuron.states[key]
        while isinstance(neuron, WithSynapse | WithSynapses):
            neuron = neuron.neuron
        values = np.concatenate([np.ravel(sample) for sample in recorded])
        if key not in {"countdown", "pending"}:
            low = None if key == "a" else ends.low
            saturated[name] = float(np.mean((values == low) | (values == ends.high)))
        if key == "v" and getattr(neuron, "floor", None) is not None:
            floored[name] = float(np.mean(values == neuron.floor))
    trains = [np.ravel(sample) for samples in spikes.values() for sample in samples]
    events = float(np.mean(np.concatenate(trains) != 0))
    return Liveness(frozenset(options(network)), rates, saturated, floored, events)


def _share(values):
    values = list(values)
    return sum(values) / max(1, len(values))


def describe(drawn) -> str:
    """Say how alive many networks were, and how often each option occurred."""
    alive = [ok for case in drawn for ok in case.alive.values()]
    rates = sorted(rate for case in drawn for rate in case.rates.values())
    lines = [
        f"{len(drawn)} networks, {len(rates)} populations that emit events",
        f"{_share(alive):6.1%} of them in 2 to 60 % of slots; "
        f"median {rates[len(rates) // 2]:.1%}, never {_share(r == 0 for r in rates):.1%}",
        f"{_share(any(s > 0 for s in case.saturated.values()) for case in drawn):6.1%} of networks "
        "saturate",
        f"{_share(any(s > 0 for s in case.floored.values()) for case in drawn):6.1%} of networks "
        "meet a floor",
    ]
    counts = Counter(option for case in drawn for option in case.options)
    lines += [f"{counts[name] / len(drawn):6.1%} {name}" for name in sorted(OPTIONS)]
    return "\n".join(lines)


def assert_alive(drawn) -> None:
    """Fail unless many networks are alive as a whole, and each option is in 5 % of them."""
    drawn = list(drawn)
    alive = [ok for case in drawn for ok in case.alive.values()]
    assert _share(alive) >= 0.7, describe(drawn)
    assert _share(any(s > 0 for s in case.saturated.values()) for case in drawn) >= 0.3
    assert _share(any(s > 0 for s in case.floored.values()) for case in drawn) >= 0.1
    counts = Counter(option for case in drawn for option in case.options)
    rare = {name: counts[name] for name in OPTIONS if counts[name] < 0.05 * len(drawn)}
    assert not rare, f"of {len(drawn)} networks: {rare}"
    assert set(counts) <= OPTIONS, set(counts) - OPTIONS
