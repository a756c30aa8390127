"""Random networks that learn, and what they learn, worked out a second time pair by pair.

The second way visits every pair in every step, in Python integers, and shares with the library
neither a step, nor a rule's update, nor the function of the random bits.
"""

from dataclasses import replace
from random import Random

import numpy as np

from spiker_hdl.model import (
    Accumulator,
    Decay,
    DeltaRule,
    Dense,
    EProp,
    Feedback,
    Homeostasis,
    If,
    Input,
    LearningState,
    Lif,
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
    Sparse,
    TripletStdp,
    Voltage,
)

from support.naive import advance, rest

__all__ = ["lessons", "naive_learn", "random_learner", "random_rule"]

RULES = (PairStdp, PostStdp, TripletStdp, RewardStdp, DeltaRule, EProp, Voltage)


def random_decay(random: Random) -> Decay:
    bits = random.randint(1, 4)
    return Decay(random.randint(1, 2**bits - 1), bits)


def random_rule(random: Random, kind=None, third=None):
    """Draw a rule, of a kind with a third factor where one is given."""
    decays = {
        name: random_decay(random)
        for name in ("pre_decay", "post_decay", "slow_pre_decay", "slow_post_decay")
    }
    options = {
        "shift": random.randint(0, 3 if kind in {None, DeltaRule, Voltage} else 5),
        "rounding": random.choice(["stochastic", "stochastic", "nearest", "down"]),
    }
    pair = {name: decays[name] for name in ("pre_decay", "post_decay")}
    bounds = {"bounds": random.choice(["hard", "soft"]), "distance_shift": random.randint(0, 2)}
    kind = kind or random.choice([r for r in RULES if r.has_third == (third is not None)])
    if not kind.has_third:
        options["apply"] = random.choice(["step", "step", "sample"])
    else:
        options["third"] = third
    big, small = random.randint(30, 255), random.randint(30, 255)
    if kind is PairStdp:
        pairing = random.choice(["all", "nearest"])
        options |= pair | bounds | {"pairing": pairing}
        return PairStdp(potentiation=big, depression=small, **options)
    if kind is PostStdp:
        options |= bounds | {"pre_decay": decays["pre_decay"], "target": random.randint(10, 90)}
        return PostStdp(potentiation=big, **options)
    if kind is TripletStdp:
        jumps = {f"slow_{side}_jump": random.randint(0, 15) for side in ("pre", "post")}
        options |= {"product_shift": random.randint(0, 3), "pair_term": random.random() < 0.6}
        options |= jumps
        return TripletStdp(pair_potentiation=big, pair_depression=small, **decays, **options)
    if kind is RewardStdp:
        options |= pair | {"eligibility_decay": random_decay(random), "eligibility_bits": 9}
        return RewardStdp(potentiation=big, depression=small, **options)
    gate = {"gate_low": random.randint(-9, 0), "gate_high": random.randint(5, 60)}
    if kind is DeltaRule:
        gate = gate if random.random() < 0.6 else {}
        return DeltaRule(count_bits=random.randint(2, 4), **gate, **options)
    if kind is EProp:
        options |= gate | {"eligibility_shift": random.randint(0, 3), "eligibility_bits": 9}
        return EProp(pre_decay=decays["pre_decay"], jump=big // 2, **options)
    thresholds = {"threshold_plus": random.randint(0, 30), "threshold_minus": random.randint(-9, 9)}
    options |= thresholds | {"plus_shift": random.randint(1, 3), "spike_potential": 60}
    return Voltage(pre_decay=decays["pre_decay"], potentiation=random.randint(1, 9), **options)


def _synapses(random: Random, targets: int, sources: int, bits: int):
    most = 2 ** (bits - 1) - 1
    matrix = [[random.randint(-most // 3, most) for _ in range(sources)] for _ in range(targets)]
    if targets == sources and random.random() < 0.3:
        return OneToOne([row[0] for row in matrix])
    if random.random() < 0.3:
        matrix = [[w if random.random() < 0.6 else 0 for w in row] for row in matrix]
        return Sparse.from_matrix(np.array(matrix))
    return Dense(matrix)


def random_learner(random: Random, kind=None) -> Network:
    """Draw a network that learns: an input, a hidden layer and classes, with delays and loops.

    Parameters
    ----------
    random : Random
    kind : type, optional
        Kind of the first rule.
    """
    channels, hidden, classes = (random.randint(2, 7) for _ in range(3))
    bits = random.randint(5, 8)
    graded = {"low": -2, "high": 3} if random.random() < 0.3 else {}
    firing = [
        Lif(threshold=random.randint(10, 90), width=10, decay=Decay.shift(2), reset="zero"),
        If(threshold=random.randint(10, 90), width=9),
    ]
    summed = random.random() < 0.5
    output = Accumulator(width=16) if summed else random.choice(firing)
    readout = Readout("classes", "last" if summed else "count")
    error = OutputDelta("classes", temperature=random.randint(0, 3), levels=random.randint(2, 4))
    back = Feedback(
        error,
        "out",
        shift=random.randint(0, 2),
        limit=random.choice([15, 63]),
        feedback=random.choice(["symmetric", "sign", "random"]),
        seed=random.randint(0, 99),
    )
    third = {RewardStdp: Reward(-2, 1), DeltaRule: back, EProp: back}.get(kind)
    if kind is None:
        third = random.choice([None, None, Reward(-2, 1), back])
    limits = {"low": -3, "high": 6} if random.random() < 0.2 else {}
    first = replace(random_rule(random, kind, third), **limits)
    drawn = _synapses(random, hidden, channels, bits)
    low, high = first.weight_range(bits)
    links = [
        Projection(
            "in",
            "hidden",
            drawn.with_values(np.clip(drawn.values, low, high)),
            random.randint(0, 2),
            bits,
            rule=first,
            shift=random.choice([0, 0, 1]),
        ),
        Projection(
            "hidden",
            "classes",
            [[random.randint(-15, 15) for _ in range(hidden)] for _ in range(classes)],
            bits=bits,
            name="out",
            rule=random.choice([None, DeltaRule(third=error, shift=random.randint(0, 3))]),
        ),
    ]
    if random.random() < 0.5:
        loop = random_rule(random, random.choice([PairStdp, TripletStdp]))
        loop = loop if random.random() < 0.6 else None
        synapses = _synapses(random, hidden, hidden, bits)
        links.append(Projection("hidden", "hidden", synapses, 1, bits, rule=loop))
    random.shuffle(links)
    return Network(
        [Input("in", channels, **graded)],
        [
            Population(
                "hidden",
                hidden,
                random.choice(firing),
                bias=random.randint(0, 5),
                homeostasis=Homeostasis(random.randint(0, 9), random.randint(0, 5), 5, 120)
                if random.random() < 0.4
                else None,
            ),
            Population("classes", classes, output),
        ],
        links,
        [readout],
        learning=LearningState(random.randint(0, 2**32 - 1), random.randint(0, 9)),
    )


def lessons(network, random, samples=3, steps=8):
    """Draw spikes, and the labels and rewards that the rules of a network need."""
    node = network.inputs[0]
    spikes = [
        [
            random.randint(node.low, node.high) if random.random() < 0.5 else 0
            for _ in range(node.size)
        ]
        for _ in range(samples * steps)
    ]
    spikes = np.array(spikes).reshape(samples, steps, node.size)
    thirds = [link.rule.third for link in network.projections if link.rule is not None]
    options = {}
    if any(isinstance(third, Feedback | OutputDelta) for third in thirds):
        classes = network.population["classes"].size
        options["labels"] = [random.randint(-1, classes - 1) for _ in range(samples)]
    if any(isinstance(third, Reward) for third in thirds):
        options["rewards"] = [random.choice([-2, -1, 1]) for _ in range(samples)]
    return spikes, options


# -- the second way ------------------------------------------------------------------------------


def mixed(x):
    x ^= 0x6A09E667
    for left, right in ((10, 15), (3, 11), (7, 16), (12, 13)):
        x = (x + x * 2**left + 0x3C6EF372) % 2**32
        x ^= x // 2**right
    return x


def bits_of(seed, sample, step, projection, source, target, bits):
    x = mixed(mixed(seed) ^ sample % 2**32)
    x = mixed(mixed(x ^ (step + 65536 * projection)) ^ source)
    return (x + mixed(2**31 + target)) % 2**32 // 2 ** (32 - bits)


def lost(x, decay):
    """Return what remains of a trace: its size loses its share, rounded up."""
    size = abs(x) - -(-abs(x) * decay.numerator // 2**decay.bits)
    return size if x > 0 else -size


def cut(x, low, high):
    return min(max(x, low), high)


class Pairs:
    """One projection: weights by (source, target), and traces."""

    def __init__(self, network, number):
        self.link = network.projections[number]
        self.number = number
        synapses = self.link.synapses
        if synapses.kind == "sparse":
            ends = zip(synapses.sources.tolist(), synapses.targets.tolist(), strict=True)
        elif synapses.kind == "one_to_one":
            ends = [(n, n) for n in range(synapses.source_size)]
        else:
            ends = [
                (i, j) for j in range(synapses.target_size) for i in range(synapses.source_size)
            ]
        values = np.ravel(synapses.values).tolist()
        self.weights = dict(zip(ends, values, strict=True))
        self.begin()

    def begin(self):
        self.pre, self.post, self.pair, self.kept = {}, {}, {}, {}

    def values(self):
        values = np.array(list(self.weights.values()))
        return values.reshape(self.link.synapses.values.shape)

    def range(self):
        rule, bits = self.link.rule, self.link.bits
        low = -(2 ** (bits - 1)) if rule.low is None else rule.low
        return low, 2 ** (bits - 1) - 1 if rule.high is None else rule.high

    def change(self, key, amount, seed, sample, step):
        rule = self.link.rule
        unit = 2**rule.shift
        if rule.rounding == "stochastic" and rule.shift:
            amount += bits_of(seed, sample, step, self.number, *key, rule.shift)
        elif rule.rounding == "nearest" and rule.shift:
            amount += unit // 2
        self.weights[key] = cut(self.weights[key] + amount // unit, *self.range())

    def step(self, t, seed, sample, pre_events, post_events, potentials):
        rule = self.link.rule
        kind = type(rule).__name__
        sources = {i: self.source_traces(rule, kind, i, pre_events[i]) for i, _ in self.weights}
        targets = {
            j: self.target_traces(rule, kind, j, post_events[j], potentials[j])
            for _, j in self.weights
        }
        for i, j in self.weights:
            x, y = sources[i][0], targets[j][0]
            amount = self.amount(rule, kind, (i, j), x, y, pre_events[i], post_events[j])
            if amount is None:
                continue
            if rule.apply == "sample":
                self.kept[i, j] = self.kept.get((i, j), 0) + amount
            else:
                self.change((i, j), amount, seed, sample, t)
        self.pre = {i: after for i, (_, after) in sources.items()}
        self.post = {j: after for j, (_, after) in targets.items()}

    def source_traces(self, rule, kind, i, event):
        """Return what an update sees of a source, and its traces after the step."""
        old = self.pre.get(i, (0, 0))
        if kind == "DeltaRule":
            n = min(old[0] + bool(event), 2**rule.count_bits - 1)
            return (n, 0), (n, 0)
        x = lost(old[0], rule.pre_decay)
        jump = {"TripletStdp": "pair_potentiation", "EProp": "jump"}.get(kind, "potentiation")
        jump = getattr(rule, jump)
        nearest = kind == "PostStdp" or getattr(rule, "pairing", "") == "nearest"
        after = min((0 if nearest else x) + jump, 2**rule.trace_bits - 1) if event else x
        slow = slow_after = 0
        if kind == "TripletStdp":
            slow = slow_after = lost(old[1], rule.slow_pre_decay)
            if event:
                slow_after = min(slow + rule.slow_pre_jump, 2**rule.slow_bits - 1)
        return (after if kind in {"EProp", "PostStdp"} else x, slow), (after, slow_after)

    def target_traces(self, rule, kind, j, event, potential):
        old = self.post.get(j, (0, 0))
        if kind in {"PairStdp", "RewardStdp", "TripletStdp"}:
            y = lost(old[0], rule.post_decay)
            jump = rule.pair_depression if kind == "TripletStdp" else rule.depression
            nearest = getattr(rule, "pairing", "") == "nearest"
            after = min((0 if nearest else y) + jump, 2**rule.trace_bits - 1) if event else y
            slow = slow_after = 0
            if kind == "TripletStdp":
                slow = slow_after = lost(old[1], rule.slow_post_decay)
                if event:
                    slow_after = min(slow + rule.slow_post_jump, 2**rule.slow_bits - 1)
            return (y, slow), (after, slow_after)
        if kind == "Voltage":
            u = rule.spike_potential if event else cut(potential >> rule.potential_shift, -128, 127)
            fraction = 2 ** (rule.average_bits - 8)
            ends = -(2 ** (rule.average_bits - 1)), 2 ** (rule.average_bits - 1) - 1
            after = [
                cut(average + (u * fraction - average) // 2**shift, *ends)
                for average, shift in zip(old, (rule.plus_shift, rule.minus_shift), strict=True)
            ]
            return (old[0] // fraction, old[1] // fraction, u), tuple(after)
        if kind in {"DeltaRule", "EProp"} and rule.gate_low is not None:
            inside = rule.gate_low < potential < rule.gate_high
            g = min(old[0] + inside, 2**rule.gate_bits - 1) if kind == "DeltaRule" else inside
            return (g, 0), (g, 0)
        return (0, 0), (0, 0)

    def amount(self, rule, kind, key, x, y, pre_event, post_event):
        """Return the change of a weight in a step, or None where it comes at the sample's end."""
        w, (low, high) = self.weights[key], self.range()
        if kind in {"PairStdp", "PostStdp"}:
            up = x[0] if post_event else 0
            down = y[0] if pre_event else 0
            if kind == "PostStdp":
                excess = x[0] - rule.target if post_event else 0
                up, down = max(excess, 0), max(-excess, 0)
            if rule.bounds == "soft":
                up *= (high - w) // 2**rule.distance_shift
                down *= (w - low) // 2**rule.distance_shift
            return up - down
        if kind == "TripletStdp":
            up = x[0] * y[1] // 2**rule.product_shift + (x[0] if rule.pair_term else 0)
            down = y[0] + y[0] * x[1] // 2**rule.product_shift
            return (up if post_event else 0) - (down if pre_event else 0)
        if kind == "Voltage":
            top = 2**rule.distance_bits - 1
            plus = cut(y[0] - rule.threshold_minus, 0, top)
            minus = cut(y[1] - rule.threshold_minus, 0, top)
            now = cut(y[2] - rule.threshold_plus, 0, top)
            return now * plus * x[0] - (minus if pre_event else 0)
        if kind in {"RewardStdp", "EProp"}:
            e = self.pair.get(key, 0)
            if kind == "RewardStdp":
                e = lost(e, rule.eligibility_decay)
                e += (x[0] if post_event else 0) - (y[0] if pre_event else 0)
            elif y[0]:
                e += x[0] // 2**rule.eligibility_shift
            top = 2 ** (rule.eligibility_bits - 1)
            self.pair[key] = cut(e, -top, top - 1)
        return None

    def end(self, steps, seed, sample, factors):
        rule = self.link.rule
        for key in self.weights:
            if key in self.kept:
                self.change(key, self.kept[key], seed, sample, steps)
            if factors is None:
                continue
            factor = factors[key[1]]
            if isinstance(rule, DeltaRule):
                if rule.gate_low is not None:
                    g = self.post.get(key[1], (0, 0))[0]
                    factor = factor * 2 ** (g.bit_length() - 1) if g else 0
                amount = factor * self.pre.get(key[0], (0, 0))[0]
            else:
                amount = factor * self.pair.get(key, 0)
            self.change(key, amount, seed, sample, steps)


def errors(third, scores, label):
    """Return the error of each class, from powers of two in eighths."""
    if label < 0:
        return [0] * len(scores)
    z = []
    for score in scores:
        eighths = (score - max(scores)) // 2**third.temperature
        z.append(round(256 * 2 ** (eighths % 8 / 8)) // 2 ** (-(eighths // 8)))
    power = 1
    while 2 * power <= sum(z):
        power *= 2
    power *= 2 if 2 * sum(z) >= 3 * power else 1
    level = 2**third.levels
    e = [-((2 * level * share + power) // (2 * power)) for share in z]
    e[label] = min(level, -sum(e[:label] + e[label + 1 :]))
    return e


def back(third, e, matrix):
    """Return errors that came back, for each neuron of ``matrix[class][neuron]``."""
    factors = []
    for j in range(len(matrix[0])):
        d = 0
        for k in range(len(matrix)):
            w = matrix[k][j]
            if third.feedback == "sign":
                w = (w > 0) - (w < 0)
            if third.feedback == "random":
                pair = j * len(matrix) + k
                w = (-1, 0, 0, 1)[mixed(mixed(third.seed) ^ pair) >> 30]
            d += e[k] * w
        size = min((abs(d) + 2**third.shift // 2) // 2**third.shift, third.limit)
        factors.append(size if d > 0 else -size)
    return factors


def naive_learn(network, spikes, labels, rewards):
    """Return weights and thresholds after each sample, by name, and the scores of each sample."""
    neurons = {population.name: population.neuron for population in network.populations}
    pairs = {link.name: Pairs(network, n) for n, link in enumerate(network.projections)}
    seed, sample = network.learning.seed, network.learning.samples
    history, scores = [], []
    for number, events in enumerate(np.asarray(spikes).tolist()):
        for projection in pairs.values():
            projection.begin()
        trains = {"in": events, "hidden": [], "classes": []}
        states = {p.name: [rest(p.neuron, n) for n in range(p.size)] for p in network.populations}
        for t in range(len(events)):
            for name in network.order:
                population = network.population[name]
                x = [population.bias] * population.size
                for projection in pairs.values():
                    link = projection.link
                    if link.target == name and t >= link.delay:
                        for (i, j), w in projection.weights.items():
                            x[j] += trains[link.source][t - link.delay][i] * w * 2**link.shift
                steps = [advance(neurons[name], n, states[name][n], x[n]) for n in range(len(x))]
                trains[name].append([int(bool(fired)) for fired, _ in steps])
                states[name] = [after for _, after in steps]
            for projection in pairs.values():
                link = projection.link
                if link.rule is None:
                    continue
                silent = [0] * link.synapses.source_size
                pre = trains[link.source][t - link.delay] if t >= link.delay else silent
                potentials = [state["v"] for state in states[link.target]]
                projection.step(t, seed, sample, pre, trains[link.target][t], potentials)
        if network.readout.kind == "last":
            own = [state["v"] for state in states["classes"]]
        else:
            own = [sum(column) for column in zip(*trains["classes"], strict=True)]
        scores.append(own)
        matrix = np.array(pairs["out"].values()).tolist()
        factors = {
            name: factors_of(pairs[name].link, own, labels[number], rewards[number], matrix)
            for name in pairs
        }
        for name, projection in pairs.items():
            if projection.link.rule is not None:
                projection.end(len(events), seed, sample, factors[name])
        history.append({name: projection.values() for name, projection in pairs.items()})
        for p in network.populations:
            if p.homeostasis is not None:
                neurons[p.name] = replace(
                    neurons[p.name], threshold=tuple(thresholds(p, neurons[p.name], trains[p.name]))
                )
                history[-1][p.name] = neurons[p.name].threshold
        sample += 1
    return history, scores


def thresholds(population, neuron, spikes):
    """Return the thresholds after a sample: each spike raises them, each sample lowers them."""
    rule = population.homeostasis
    own = neuron.threshold
    own = own if isinstance(own, tuple) else (own,) * population.size
    totals = [sum(column) for column in zip(*spikes, strict=True)]
    return [
        cut(value + n * rule.rise - rule.fall, rule.low, rule.high)
        for value, n in zip(own, totals, strict=True)
    ]


def factors_of(link, scores, label, reward, matrix):
    third = None if link.rule is None else link.rule.third
    size = link.synapses.target_size
    if third is None:
        return None
    if isinstance(third, Reward):
        return [reward] * size
    if isinstance(third, Feedback):
        return back(third, errors(third.error, scores, label), matrix)
    return errors(third, scores, label)
