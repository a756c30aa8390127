"""Tests of checkpoints: a training that goes on ends as one that was not interrupted."""

import re
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from spiker_hdl.base import FileError
from spiker_hdl.model import Lif, Readout
from spiker_train import (
    Cell,
    Duration,
    FastSigmoid,
    FirstOrder,
    Quantization,
    SpikingNetwork,
    Tau,
    TrainingOptions,
    train,
)
from spiker_train.training import trainer
from spiker_train.training.checkpoint import fingerprint


class InterruptedError(Exception):
    """An interruption between two epochs."""


def samples(uneven):
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, 60)
    steps = random.integers(2, 6, 60) if uneven else np.full(60, 4)
    chance = np.where(np.arange(8) % 2 == labels[:, None], 0.6, 0.2)
    rows = [
        (random.random((n, 8)) < p).astype(np.uint8) for n, p in zip(steps, chance, strict=True)
    ]
    return (rows if uneven else np.stack(rows)), labels


OPTIMIZERS = {
    "adam": "adam",
    "AdamW": "AdamW",
    "momentum": partial(torch.optim.SGD, momentum=0.9),
}


def run(path, uneven=False, integers=None, **options):
    net = SpikingNetwork.chain("8-5-2", seed=1)
    settings = {"epochs": 5, "batch_size": 16, "learning_rate": 0.02, "progress": False}
    history = train(
        net,
        *samples(uneven),
        TrainingOptions(**settings | options),
        integers=integers,
        checkpoint=path,
    )
    return net, history


@pytest.mark.parametrize(
    "optimizer, uneven, integers",
    [
        ("adam", False, None),
        ("adam", True, Quantization(3, 8)),
        ("AdamW", True, None),
        ("momentum", False, Quantization(3, 8)),
    ],
    ids=["adam", "adam-integers", "AdamW", "momentum"],
)
def test_resumed_training_ends_with_the_same_weights(
    tmp_path, monkeypatch, optimizer, uneven, integers
):
    call = partial(run, uneven=uneven, integers=integers, optimizer=OPTIMIZERS[optimizer])
    net, history = call(None)
    write, written = trainer.write_checkpoint, []

    def interrupted(path, checkpoint):
        write(path, checkpoint)
        written.append(checkpoint)
        if len(written) == 2:
            raise InterruptedError

    monkeypatch.setattr(trainer, "write_checkpoint", interrupted)
    with pytest.raises(InterruptedError):
        call(tmp_path / "run")
    again, course = call(tmp_path / "run")
    assert len(written) == 5
    for name, value in net.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name
    assert (course.losses, course.validation) == (history.losses, history.validation)
    assert (course.spikes, course.best) == (history.spikes, history.best)


def test_finished_training_returns_its_weights_at_once(tmp_path):
    net, _ = run(tmp_path / "run")
    data = (tmp_path / "run").read_bytes()
    again, _ = run(tmp_path / "run", title="another title")
    assert torch.equal(net.connections[0].weights, again.connections[0].weights)
    assert (tmp_path / "run").read_bytes() == data


@pytest.mark.parametrize("change", [{"seed": 1}, {"learning_rate": 0.03}, {"uneven": True}])
def test_checkpoint_of_another_training_is_refused(tmp_path, change):
    run(tmp_path / "run")
    with pytest.raises(FileError, match=r"run: must be a checkpoint of this training, not of anot"):
        run(tmp_path / "run", **change)


@pytest.mark.parametrize(
    "change",
    [
        lambda net: setattr(net, "dt", 2e-3),
        lambda net: net.layer["hidden"].cell.taus.update(decay=Tau(9e-3)),
        lambda net: net.layer["hidden"].cell.durations.update(refractory=Duration(2e-3)),
        lambda net: setattr(net.connections[0], "dynamics", FirstOrder(Tau(3e-3), gain=0.5)),
        lambda net: setattr(net.connections[1], "delay", Duration(1e-3)),
        lambda net: setattr(net, "readouts", (Readout("output", "largest"),)),
        lambda net: setattr(net.layer["hidden"].cell, "surrogate", FastSigmoid(9.0)),
    ],
    ids=["dt", "tau", "refractory", "dynamics", "delay", "readout", "surrogate"],
)
def test_checkpoint_of_another_network_of_equal_weights_is_refused(tmp_path, change):
    def start(change):
        cell = Cell(Lif, threshold=1.0, decay=Tau(8e-3), refractory=Duration(1e-3))
        net = SpikingNetwork.chain("8-5-2", seed=1, cell=cell)
        net.dt = 1e-3
        net.connections[0].dynamics = FirstOrder(Tau(3e-3))
        change(net)
        options = TrainingOptions(epochs=1, batch_size=64, progress=False)
        train(net, *samples(False), options, checkpoint=tmp_path / "run")

    start(lambda net: None)
    start(lambda net: None)
    with pytest.raises(FileError, match="must be a checkpoint of this training, not of another"):
        start(change)


def test_other_files_are_refused(tmp_path):
    (tmp_path / "run").write_text("{}")
    message = "run: must be a checkpoint of a training, not a file of JSON"
    with pytest.raises(FileError, match=re.escape(message)):
        run(tmp_path / "run")


def test_options_that_are_newer_than_a_checkpoint_do_not_change_it():
    options = TrainingOptions(epochs=2)
    known = (
        "1818ac38861a6915fe5854c05abfd3fe82fa8e1c9ece8d7cbb8c8c5d4fe7e08e"  # of earlier releases
    )
    assert fingerprint(options, (), "network") == known
    assert fingerprint(replace(options, batch_norm=True), (), "network") != known
    assert fingerprint(replace(options, rounded_weights=4), (), "network") != known
