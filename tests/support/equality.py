"""When two runs in floating point are equal, though rounding differs between them.

In float64, states agree within 1e-12 relative, and spikes are equal wherever no potential is within
1e-9 of its threshold. A sample in which one is nearer is counted and left out, since its spikes may
depend on the last bits of a sum. Gradients are compared with the spikes forced equal.
"""

from contextlib import contextmanager

import torch

from spiker_train.network.arithmetic import FloatingPoint, through
from spiker_train.network.runs.run import _Population

RELATIVE = 1e-12
NEAR = 1e-9


@contextmanager
def distances():
    """Record, for as long as it lasts, how far all potentials are from their thresholds."""
    seen = []
    spike = FloatingPoint._spike

    def recording(self, distance, fired):
        seen.append(distance.detach().abs())
        return spike(self, distance, fired)

    FloatingPoint._spike = recording
    try:
        yield seen
    finally:
        FloatingPoint._spike = spike


def near_threshold(seen, samples):
    """Return which samples have a potential near its threshold in any step of a run."""
    near = torch.zeros(samples, dtype=torch.bool)
    for distance in seen:
        near |= (distance.expand(samples, -1) < NEAR).any(1)
    return near


@contextmanager
def decisions(known=None, first=0):
    """Record which neurons fire in each step, or force the neurons to fire as in another run.

    The tests of thresholds are those of neurons by themselves: a refractory neuron may pass one,
    and emits no spike. A forced one has the gradient of its own distance.

    Parameters
    ----------
    known : dict, optional
        What the context of another run returned.
    first : int
        Step of that run in which the runs of this context begin.
    """
    seen, at = {}, [None]
    spike, advance = FloatingPoint._spike, _Population.advance

    def forced(self, distance, fired):
        name, t, count = at[0]
        at[0] = name, t, count + 1
        if known is not None:
            fired = known[name, first + t, count]
        seen[at[0][0], first + t, count] = fired.detach()
        return through(self.surrogate(distance), fired.to(self.dtype))

    def advancing(self, t, length, fired):
        at[0] = self.name, t, 0
        return advance(self, t, length, fired)

    FloatingPoint._spike, _Population.advance = forced, advancing
    try:
        yield seen
    finally:
        FloatingPoint._spike, _Population.advance = spike, advance


def gradients(net, loss):
    """Return the gradients of all parameters of a network, by name."""
    net.zero_grad()
    loss.backward()
    return {
        name: None if value.grad is None else value.grad.clone()
        for name, value in net.named_parameters()
    }


def assert_equal_gradients(expected, actual, relative=1e-9):
    """Compare gradients by name, each relative to its largest."""
    assert set(expected) == set(actual)
    assert any(value is not None and value.any() for value in expected.values())
    for name, value in expected.items():
        other = actual[name]
        if value is None or other is None:
            given = value if other is None else other
            assert given is None or not given.any(), name
            continue
        error = float((value - other).abs().max())
        assert error <= relative * max(float(value.abs().max()), 1e-300), (name, error)


def assert_equal_runs(expected, actual, near):
    """Compare spikes and states by name, but of the samples that are near a threshold.

    Each of ``expected`` and ``actual`` is a mapping of names to tensors of shape (samples, ...).
    """
    assert set(expected) == set(actual)
    print(f"{int(near.sum())} of {len(near)} samples near a threshold")
    assert not near.all(), "every sample is near a threshold, so that nothing is compared"
    for name, values in expected.items():
        other = actual[name]
        assert values.shape == other.shape, name
        values, other = (x.detach()[~near].double() for x in (values, other))
        if not values.numel():
            continue
        if "." in name:
            error = float((values - other).abs().max())
            assert error <= RELATIVE * max(float(values.abs().max()), 1e-300), (name, error)
        else:
            assert torch.equal(values, other), name


def traces(outcome):
    """Return all that an outcome has over time, by name."""
    return {**outcome.spikes, **outcome.states}


def joined(outcomes):
    """Return the traces of runs that follow each other as those of one run."""
    parts = [traces(outcome) for outcome in outcomes]
    return {name: torch.cat([part[name] for part in parts], dim=1) for name in parts[0]}
