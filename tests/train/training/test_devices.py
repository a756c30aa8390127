"""Tests of training with the weights that devices hold."""

import numpy as np
import pytest
import torch

from spiker_train import (
    Device,
    Faults,
    GaussianNoise,
    MonteCarlo,
    Quantization,
    SpikingNetwork,
    TrainingOptions,
    train,
)
from spiker_train.training import trainer

NOISY = Device(high=1.0, programming=GaussianNoise(absolute=0.2))


def make():
    return SpikingNetwork.chain("16-12-3", seed=2)


def samples(count=120):
    """Return spikes of three classes, each with channels of its own that are active."""
    draws = np.random.default_rng(1)
    labels = draws.integers(0, 3, count)
    rates = np.full((3, 16), 0.1)
    for label in range(3):
        rates[label, label * 5 : label * 5 + 5] = 0.5
    return (draws.random((count, 5, 16)) < rates[labels][:, None]).astype(np.uint8), labels


def trained(**options):
    """Return a network after training."""
    net = make()
    defaults = {"epochs": 2, "batch_size": 40, "learning_rate": 0.02, "progress": False}
    integers = options.pop("integers", None)
    train(net, *samples(), TrainingOptions(**{**defaults, **options}), integers=integers)
    return net


def test_each_batch_has_new_devices_and_validation_the_same(monkeypatch):
    seen = []
    draw = trainer.draw_weights
    monkeypatch.setattr(
        trainer, "draw_weights", lambda *args: seen.append(args[2:4]) or draw(*args)
    )
    net = trained(devices=NOISY, seed=7)
    assert all(connection.drawn is None for connection in net.connections)
    numbers = [number for seed, number in seen if seed == 7]
    first = trainer.TRAINING_DRAWS
    assert numbers == [*range(first, first + 3), first - 1, *range(first + 3, first + 6), first - 1]


def test_without_devices_nothing_changes():
    options = ({}, {"devices": {}}, {"devices": NOISY})
    plain, ideal, noisy = (trained(epochs=1, **changes) for changes in options)
    for connection, same, other in zip(
        plain.connections, ideal.connections, noisy.connections, strict=True
    ):
        assert connection.weights.equal(same.weights)
        assert not connection.weights.equal(other.weights)


@pytest.mark.slow
@pytest.mark.parametrize("integers", [None, Quantization(4, 10)], ids=["float", "integers"])
def test_training_for_one_chip_makes_up_for_its_faults(integers):
    broken = Device(high=1.0, faults=Faults(stuck_low=0.2, stuck_high=0.2))
    options = {"epochs": 6, "learning_rate": 0.1, "seed": 3, "integers": integers}
    plain = trained(**options)
    repaired = trained(**options, devices=broken, device_draw=1)
    spikes, labels = samples()
    accuracies = [
        MonteCarlo(net, broken, 2, 3, integers=integers).run(spikes, labels, progress=False)
        for net in (plain, repaired)
    ]
    before, after = (draws.accuracy()[1, 0] for draws in accuracies)
    assert after > before + 0.2
    assert after > 0.9


def test_bad_options_are_refused():
    with pytest.raises(ValueError, match="Device draw must be None where there are no devices"):
        TrainingOptions(epochs=1, device_draw=1)
    with pytest.raises(ValueError, match="Time after programming must be at least 0, not -1"):
        TrainingOptions(epochs=1, device_seconds=-1)
    with pytest.raises(ValueError, match="Devices must be for input->hidden, hidden->output, not"):
        trained(devices={"x": NOISY})
    with pytest.raises(TypeError, match="Devices must have a method 'program', not 3"):
        trained(devices=3)
    assert torch.is_grad_enabled()
