"""What a network answers, worked out a second time: loops over Python integers, and nothing shared.

Written from the prose of what a network and each neuron is, not from the library's code: it uses
no ``step``, no arithmetic, no matrix and no order of the library, only the fields of its classes.
"""

from itertools import product

__all__ = ["advance", "maxima", "settled", "simulate", "synapses_of"]


def own(value, n):
    """Return the value for neuron ``n`` of one that may be per neuron."""
    return value[n] if isinstance(value, tuple) else value


def remain(x, decay, n):
    """Return what a decay leaves: x less floor(x * numerator / 2**bits)."""
    return x - x * own(decay.numerator, n) // 2**decay.bits


def leaked(neuron, v, n):
    """Return a potential after its distance from the rest potential has decayed."""
    return own(neuron.rest, n) + remain(v - own(neuron.rest, n), neuron.decay, n)


def within(x, low, high):
    return low if x < low else high if x > high else x


def fits(x, bits):
    """Saturate to ``bits`` in two's complement."""
    return within(x, -(1 << (bits - 1)), (1 << (bits - 1)) - 1)


def advance(neuron, n, before, x):
    """Advance neuron ``n`` by a step; return whether it fires, or its output, and its state.

    The current ``x`` is one number, or a list of one for each receptor.
    """
    kind = type(neuron).__name__
    after = dict(before)
    if kind == "WithSynapses":
        total, own_after, others = 0, {}, dict(before)
        for k, synapse in enumerate(neuron.synapses):
            passed = x[k]
            if synapse is not None:
                inside = {s: others.pop(f"receptor{k}_{s}") for s in dynamics_states(synapse)}
                passed, inside = current(synapse, n, inside, x[k])
                own_after |= {f"receptor{k}_{s}": value for s, value in inside.items()}
            total += passed
        fired, after = advance(neuron.neuron, n, others, total)
        return fired, after | own_after
    if kind == "WithSynapse":
        names = {f"{prefix(neuron)}{name}": name for name in dynamics_states(neuron.synapse)}
        inside = {inner: before[outer] for outer, inner in names.items()}
        x, inside = current(neuron.synapse, n, inside, x)
        fired, after = advance(
            neuron.neuron, n, {name: v for name, v in before.items() if name not in names}, x
        )
        return fired, after | {outer: inside[inner] for outer, inner in names.items()}
    if kind in {"Integrator", "Dendrite"}:
        v = leaked(neuron, before["v"], n) + x
        if neuron.floor is not None and v < neuron.floor:
            v = neuron.floor
        after["v"] = fits(v, neuron.width)
        if kind == "Dendrite":
            nearest = (2 * after["v"] + neuron.resolution) // (2 * neuron.resolution)
            return within(nearest, neuron.low, neuron.high), after
        return None, after
    if kind == "Accumulator":
        after["v"] = fits(before["v"] + x, neuron.width)
        return None, after
    theta = own(neuron.threshold, n)
    v = before["v"]
    if kind != "If":
        v = leaked(neuron, v, n)
    if kind == "CurrentLif":
        x = fits(remain(before["i"], neuron.current_decay, n) + x, neuron.current_width)
        after["i"] = x
    if kind == "AdaptiveLif":
        theta += before["a"]
    silent = before["countdown"] > 0
    if silent and neuron.refractory_input == "lost":
        x = 0
    delayed = neuron.reset_timing in {"next_step", "next_step_keep_input"}
    if delayed and before["pending"]:
        added = x if neuron.reset_timing == "next_step_keep_input" else 0
        if neuron.reset in {"subtract", "none"}:
            v += x
        if neuron.reset == "subtract":
            v -= theta
        if neuron.reset == "zero":
            v = added
        if neuron.reset == "value":
            v = own(neuron.reset_value, n) + added
    else:
        v += x
    if neuron.floor is not None and v < neuron.floor:
        v = neuron.floor
    v = fits(v, neuron.width)
    tested = v
    high = before["v"] > theta or (neuron.fire == ">=" and before["v"] == theta)
    if neuron.reset_timing == "snntorch_immediate" and high:
        # As snnTorch: subtracted before the comparison, and added again after it.
        tested -= theta
    fired = not silent and (tested > theta or (neuron.fire == ">=" and tested == theta))
    if fired and not delayed:
        if neuron.reset == "subtract":
            v -= theta
        if neuron.reset == "zero":
            v = 0
        if neuron.reset == "value":
            v = own(neuron.reset_value, n)
    after["v"] = v
    after["countdown"] = before["countdown"] - 1 if silent else 0
    if fired:
        after["countdown"] = own(neuron.refractory, n)
    after["pending"] = int(delayed and fired)
    if kind == "AdaptiveLif":
        a = remain(before["a"], neuron.rise_decay, n)
        if fired:
            a += own(neuron.rise, n)
        after["a"] = within(a, 0, (1 << (neuron.width - 1)) - 1)
    return fired, after


def prefix(neuron):
    """Return how the names of a synapse's states begin: it counts the synapses, from the neuron."""
    depth, inner = 1, neuron.neuron
    while type(inner).__name__ == "WithSynapse":
        depth, inner = depth + 1, inner.neuron
    return "synapse_" if depth == 1 else f"synapse{depth}_"


def dynamics_states(synapse):
    return {"FirstOrder": ["i"], "SecondOrder": ["slow", "fast"]}[type(synapse).__name__]


def current(synapse, n, before, x):
    """Advance a synapse of neuron ``n`` by a step with events ``x``."""
    if type(synapse).__name__ == "FirstOrder":
        i = fits(remain(before["i"], synapse.decay, n) + x, synapse.width)
        return i, {"i": i}
    slow = fits(remain(before["slow"], synapse.decay, n) + x, synapse.width)
    fast = fits(remain(before["fast"], synapse.rise, n) + x, synapse.width)
    return slow - fast, {"slow": slow, "fast": fast}


def rest(neuron, n):
    if type(neuron).__name__ == "WithSynapses":
        own_rest = {
            f"receptor{k}_{name}": own(getattr(synapse, name), n)
            for k, synapse in enumerate(neuron.synapses)
            if synapse is not None
            for name in dynamics_states(synapse)
        }
        return rest(neuron.neuron, n) | own_rest
    if type(neuron).__name__ == "WithSynapse":
        own_rest = {
            name: own(getattr(neuron.synapse, name), n) for name in dynamics_states(neuron.synapse)
        }
        return rest(neuron.neuron, n) | {prefix(neuron) + k: v for k, v in own_rest.items()}
    names = {
        "Integrator": ["v"],
        "Dendrite": ["v"],
        "Accumulator": ["v"],
        "CurrentLif": ["v", "countdown", "pending", "i"],
        "AdaptiveLif": ["v", "countdown", "pending", "a"],
    }.get(type(neuron).__name__, ["v", "countdown", "pending"])
    return {name: own(getattr(neuron, name), n) for name in names}


def positions_of(window, part, size):
    """Yield the offset and the position of each of a window's places that is no padding."""
    for offset in product(*map(range, size)):
        position = [
            t * stride - before + n * dilation
            for t, stride, (before, _), n, dilation in zip(
                window, part.stride, part.padding, offset, part.dilation, strict=True
            )
        ]
        if all(0 <= p < limit for p, limit in zip(position, part.shape[1:], strict=True)):
            yield offset, position


def counts_of(part, size):
    """Return how many windows fit into each axis."""
    return [
        len([t for t in range(limit + 1000) if t * stride + (n - 1) * dilation < limit + sum(ends)])
        for limit, stride, ends, n, dilation in zip(
            part.shape[1:], part.stride, part.padding, size, part.dilation, strict=True
        )
    ]


def number(channel, position, axes):
    """Return the number of a channel's position, counted by channel, row and column."""
    at = channel
    for p, limit in zip(position, axes, strict=True):
        at = at * limit + p
    return at


def convolution(synapses):
    """List (source, target, weight) of every synapse of a convolution."""
    outputs, fan_in, *size = synapses.kernel.shape
    counts, listed = counts_of(synapses, size), []
    for channel, *window in product(range(outputs), *map(range, counts)):
        group = channel // (outputs // synapses.groups)
        for offset, position in positions_of(window, synapses, size):
            for n in range(fan_in):
                source = number(group * fan_in + n, position, synapses.shape[1:])
                weight = int(synapses.kernel[(channel, n, *offset)])
                listed.append((source, number(channel, window, counts), weight))
    return listed


def maxima(pooling, sums):
    """Return the maximum of each window of sums."""
    return [
        max(
            sums[number(channel, position, pooling.shape[1:])]
            for _, position in positions_of(window, pooling, pooling.size)
        )
        for channel, *window in product(
            range(pooling.shape[0]), *map(range, counts_of(pooling, pooling.size))
        )
    ]


def synapses_of(projection):
    """List (source, target, weight) of every synapse."""
    synapses = projection.synapses
    if synapses.kind == "sparse":
        ends = zip(synapses.sources.tolist(), synapses.targets.tolist(), strict=True)
        return [(*pair, w) for pair, w in zip(ends, synapses.weights.tolist(), strict=True)]
    if synapses.kind == "convolution":
        return convolution(synapses)
    if synapses.kind == "one_to_one":
        return [(n, n, w) for n, w in enumerate(synapses.weights.tolist())]
    return [
        (source, target, w)
        for target, row in enumerate(synapses.weights.tolist())
        for source, w in enumerate(row)
    ]


def visits(network):
    """Order the populations so that each comes after all that reach it without delay."""
    left = [population.name for population in network.populations]
    done = []
    while left:
        for name in left:
            waits = [
                projection.source
                for projection in network.projections
                if projection.target == name and projection.delay == 0 and projection.source in left
            ]
            if not waits:
                break
        left.remove(name)
        done.append(name)
    return done


def simulate(network, sample, window=None):
    """Run one sample.

    Parameters
    ----------
    network : Network
    sample : dict of str to list of list of int
        For each input, the values of each step.
    window : int, optional
        Steps from one answer to the next; the whole sample where none is given.

    Returns
    -------
    answers : dict of str to list of (int, list of int)
        For each readout, class and scores of each window.
    record : dict of str to list of list
        Spikes or outputs by population, and states by ``population.state``, after each step.
    """
    steps = len(next(iter(sample.values())))
    populations = {population.name: population for population in network.populations}
    state = {
        name: [rest(population.neuron, n) for n in range(population.size)]
        for name, population in populations.items()
    }
    trains = {name: [list(step) for step in train] for name, train in sample.items()}
    record = {}
    for name in populations:
        trains[name] = []
        for key in state[name][0]:
            record[f"{name}.{key}"] = []
    order = visits(network)
    winners, left = dict.fromkeys(order), dict.fromkeys(order, 0)
    for t in range(steps):
        for name in order:
            population = populations[name]
            plain = getattr(population.neuron, "synapses", None)
            count = 1 if plain is None else len(plain)
            biased = plain.index(None) if plain is not None and None in plain else 0
            totals = [[0] * population.size for _ in range(count)]
            totals[biased] = [own(population.bias, n) for n in range(population.size)]
            for projection in network.projections:
                when = t - projection.delay
                if projection.target == name and when >= 0:
                    events = trains[projection.source][when]
                    sums = [0] * projection.synapses.target_size
                    for source, target, weight in synapses_of(projection):
                        sums[target] += weight * 2**projection.shift * events[source]
                    if projection.pooling is not None:
                        sums = maxima(projection.pooling, sums)
                    at = projection.receptor
                    totals[at] = [a + b for a, b in zip(totals[at], sums, strict=True)]
            fired = []
            for n in range(population.size):
                x = [total[n] for total in totals]
                if left[name] and n != winners[name]:
                    x = [0] * count
                x = x[0] if plain is None else x
                spike, state[name][n] = advance(population.neuron, n, state[name][n], x)
                fired.append(spike)
            if population.coupling is not None:
                inhibited = left[name] > 0
                left[name] -= inhibited
                if not inhibited:
                    winners[name] = fired.index(True) if True in fired else None
                    left[name] = population.coupling.steps if True in fired else 0
                fired = [spike and n == winners[name] for n, spike in enumerate(fired)]
            trains[name].append([int(spike or 0) for spike in fired])
            for key in state[name][0]:
                record[f"{name}.{key}"].append([neuron_state[key] for neuron_state in state[name]])
    for name in populations:
        neuron = populations[name].neuron
        while type(neuron).__name__ in {"WithSynapse", "WithSynapses"}:
            neuron = neuron.neuron
        if type(neuron).__name__ not in {"Integrator", "Accumulator"}:
            record[name] = trains[name]
    answers = {}
    for readout in network.readouts:
        answers[readout.name] = []
        for start in range(0, steps, window or steps):
            stop = start + (window or steps)
            scores = [
                score(readout.kind, n, record, readout.population, start, stop)
                for n in range(populations[readout.population].size)
            ]
            if readout.groups is not None:
                share = len(scores) // readout.groups
                scores = [sum(scores[n : n + share]) for n in range(0, len(scores), share)]
            best = 0
            for n, value in enumerate(scores):
                if value > scores[best]:
                    best = n
            answers[readout.name].append((best, scores))
    return answers, record


def score(kind, n, record, population, start, stop):
    if kind == "count":
        return sum(record[population][t][n] for t in range(start, stop))
    if kind == "first":
        for t in range(start, stop):
            if record[population][t][n]:
                return stop - t
        return 0
    potentials = [record[f"{population}.v"][t][n] for t in range(start, stop)]
    if kind == "last":
        return potentials[-1]
    return max(potentials) if kind == "largest" else sum(potentials)


def settled(kind, scores, left, early, share=1):
    """Tell whether a leader is sure with ``left`` steps to go, by trying who may overtake it.

    A class is of ``share`` neurons.
    """
    best = scores.index(max(scores))
    others = [n for n in range(len(scores)) if n != best]
    if early != "exact":
        return all(scores[best] - scores[n] >= early for n in others)
    for n in others:
        if kind == "count":  # all of its steps to come, and none of the others'
            later = [score + left * share * (other == n) for other, score in enumerate(scores)]
        else:  # who has fired counts on; who has not may begin in the next step
            later = [score + left if score else 0 for score in scores]
            later[n] = later[n] or left
        if later.index(max(later)) != best:
            return False
    return True if kind == "count" else max(scores) > 0
