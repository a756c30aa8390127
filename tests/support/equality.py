"""When two runs in floating point are equal, though rounding differs between them.

In float64, states agree within 1e-12 relative, and spikes are equal wherever no potential is within
1e-9 of its threshold. A sample in which one is nearer is counted and left out, since its spikes may
depend on the last bits of a sum. Gradients are compared where all spikes are equal.
"""

from contextlib import contextmanager

import torch

from spiker_train.network.arithmetic import FloatingPoint

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
        values, other = values[~near].double(), other[~near].double()
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
