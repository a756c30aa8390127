"""NIR graphs integrated node by node, by the equations as the paper has them.

Pedersen et al., Nature Communications 15, 8122 (2024), table 1. Nothing is folded: every node holds
its own state and every edge its own values, and a node in a cycle sees what the others put out in
the step before. Convolutions and pooling are PyTorch's.
"""

import nir
import numpy as np
import torch
from torch.nn import functional


def opened(graph, prefix=""):
    """Return nodes by full name, and edges, of a graph with its subgraphs."""
    nodes, edges, inlet, outlet = {}, [], {}, {}
    for label, node in graph.nodes.items():
        name = prefix + label
        inlet[label] = outlet[label] = name
        if isinstance(node, nir.NIRGraph):
            inner, more = opened(node, f"{name}.")
            nodes |= inner
            edges += more
            own = {type(inner_node): f"{name}.{key}" for key, inner_node in node.nodes.items()}
            inlet[label], outlet[label] = own[nir.Input], own[nir.Output]
        else:
            nodes[name] = node
    return nodes, edges + [(outlet[a], inlet[b]) for a, b in graph.edges]


def order(nodes, edges):
    """Return names so that a node comes after those it takes from, cycles broken late.

    What is in a cycle is taken as soon as it is a neuron that an earlier node leads to.
    """
    left, ordered = list(nodes), []
    while left:
        ready = [n for n in left if all(a in ordered for a, b in edges if b == n)]
        if not ready:
            ready = [
                n
                for n in left
                if type(nodes[n]).__name__ in {"IF", "LIF", "CubaLIF"}
                and any(a in ordered for a, b in edges if b == n)
            ][:1]
        ordered += ready
        left = [n for n in left if n not in ready]
    return ordered


class Node:
    """A node with its state."""

    def __init__(self, node, dt, rule, start):
        self.node, self.dt, self.rule = node, dt, rule
        self.kind = type(node).__name__
        self.p = {
            key: np.asarray(value, dtype=float)
            for key, value in vars(node).items()
            if isinstance(value, np.ndarray | float)
        }
        self.v = self.p["v_leak"].copy() if start == "leak" and "v_leak" in self.p else 0.0
        self.i = 0.0
        self.past = []

    def towards(self, value, goal, tau):
        """Relax towards a goal that stands still in the step."""
        share = self.dt / tau if self.rule == "euler" else 1 - np.exp(-self.dt / tau)
        return value + share * (goal - value)

    def step(self, x):
        """Return what a sample of inputs makes the node put out."""
        p, kind = self.p, self.kind
        if kind in {"Input", "Output"}:
            return x
        if kind in {"Linear", "Affine"}:
            y = np.einsum("...oi,n...i->n...o", p["weight"], x)
            return y + p["bias"] if kind == "Affine" else y
        if kind == "Scale":
            return x * p["scale"]
        if kind == "Flatten":
            return x.reshape(len(x), *self.node.output_type["output"])
        if kind == "Threshold":
            return (x > p["threshold"]).astype(float)
        if kind == "Delay":
            self.past.append(x)
            steps = np.broadcast_to(np.rint(p["delay"] / self.dt).astype(int), x.shape[1:])
            y = np.zeros_like(x)
            for late in np.unique(steps):
                if late < len(self.past):
                    y = np.where(steps == late, self.past[-1 - late], y)
            return y
        if kind.startswith("Conv") or kind.endswith("Pool2d"):
            return self.windows(x)
        return self.neuron(x)

    def windows(self, x):
        """Convolve or pool as PyTorch does."""
        n, x = self.node, torch.as_tensor(x)

        def pair(value):
            return value if isinstance(value, str) else np.atleast_1d(value).astype(int).tolist()

        if self.kind.startswith("Conv"):
            run = functional.conv1d if self.kind == "Conv1d" else functional.conv2d
            weight, bias = (torch.as_tensor(np.asarray(w, dtype=float)) for w in (n.weight, n.bias))
            return run(x, weight, bias, pair(n.stride), pair(n.padding), pair(n.dilation),
                       int(n.groups)).numpy()  # fmt: skip
        size = pair(n.kernel_size)
        pooled = functional.avg_pool2d(x, size, pair(n.stride), pair(n.padding)).numpy()
        return pooled * np.prod(size) if self.kind == "SumPool2d" else pooled

    def neuron(self, x):
        """Integrate, fire and reset."""
        p, kind = self.p, self.kind
        if kind.startswith("Cuba"):
            self.i = self.towards(self.i, p["w_in"] * x, p["tau_syn"])
            x = self.i
        if kind in {"I", "IF"}:
            self.v = self.v + self.dt * p["r"] * x
        else:
            self.v = self.towards(self.v, p["v_leak"] + p["r"] * x, p.get("tau", p.get("tau_mem")))
        if "v_threshold" not in p:
            return self.v
        fired = self.v > p["v_threshold"]
        self.v = np.where(fired, p["v_reset"], self.v)
        return fired.astype(float)


def integrate(graph, x, dt, rule="euler", start="zero"):
    """Run samples through a graph.

    Parameters
    ----------
    graph : NIRGraph
    x : array, shape (samples, steps, size), or mapping from input names to such
    dt : float
    rule : {"euler", "exponential"}
    start : {"zero", "leak"}

    Returns
    -------
    outputs, states : dict of str to array, shape (samples, steps, ...)
        What each node puts out, and the potential after the step of those that have one.
    """
    nodes, edges = opened(graph)
    at = order(nodes, edges)
    running = {name: Node(node, dt, rule, start) for name, node in nodes.items()}
    inputs = [name for name in graph.nodes if isinstance(graph.nodes[name], nir.Input)]
    x = x if isinstance(x, dict) else dict.fromkeys(inputs, x)
    before = {a: [s for s, b in edges if b == a] for a in nodes}
    samples, steps = next(iter(x.values())).shape[:2]
    # What went on before was silence, in which an Affine puts out its bias.
    last = {name: getattr(node, "bias", 0.0) for name, node in nodes.items()}
    outputs, states = ({name: [] for name in nodes} for _ in range(2))
    for t in range(steps):
        now = {}
        for name in at:
            if name in x:
                shape = np.asarray(nodes[name].input_type["input"]).astype(int)
                current = x[name][:, t].reshape(samples, *shape).astype(float)
            else:
                current = sum(now.get(source, last[source]) for source in before[name])
            now[name] = running[name].step(current)
            outputs[name].append(now[name])
            states[name].append(running[name].v)
        last = now
    return tuple(
        {name: np.stack(trace, 1) for name, trace in traces.items() if np.ndim(trace[0])}
        for traces in (outputs, states)
    )
