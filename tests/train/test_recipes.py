"""Tests of the recipe for known data sets: what its report has of every stage."""

import numpy as np
import pytest

from spiker_train import Dataset, Recipe, recipes, train, train_network


def test_the_report_has_every_stage_of_training():
    x = np.zeros((60, 2, 8), np.uint8)
    y = np.arange(60) % 2
    x[y == 0, 0] = x[y == 1, 1] = 200  # a bright row above, or below
    data = Dataset(x[:40], y[:40], x[40:], y[40:], name="rows")
    network, report = train_network(data, "16-6-2", epochs=2, progress=False)
    assert report["accuracy"].keys() == {"float", "rounded", "integers"}
    assert report["validation"].keys() == {"float", "integers"}
    shares = [*report["accuracy"].values(), *report["validation"].values()]
    assert min(shares) >= 0
    assert max(shares) <= 1
    assert (report["data"], report["layers"], report["epochs"]) == ("rows", "16-6-2", [1, 1])
    assert report["quantization"]["widths"] == {"hidden": 8, "output": 8}
    assert [population.size for population in network.populations] == [6, 2]
    assert dict(network.notes) == {"data": "rows", "encoder": "rate", "seed": "0", "steps": "4"}


def pictures(name="rows"):
    x = np.zeros((60, 4, 6), np.uint8)
    y = np.arange(60) % 2
    x[y == 0, 1] = x[y == 1, 2] = 200
    return Dataset(x[:40], y[:40], x[40:], y[40:], name=name)


def test_pictures_are_altered_in_each_batch():
    seen = []

    def alter(picture, generator):
        seen.append((picture.shape, picture.dtype, float(generator.random())))
        return np.zeros_like(picture)

    network, report = train_network(
        pictures(), "4x6-2c3-p2-2", 1, epochs=2, augment=alter, progress=False
    )
    assert [shape for shape, *_ in seen] == [(4, 6)] * 72  # 36 samples in each of two epochs
    assert {kind for _, kind, _ in seen} == {np.dtype(np.uint8)}
    assert len({draw for *_, draw in seen}) == 36  # both trainings begin with one seed
    assert report["shift"] == 0
    assert network.population["hidden"].shape == (2, 2, 3)
    assert report["layers"] == "4x6-2c3-p2-2"


def test_convolutional_network_ships_its_kernels():
    options = {"encoder": "graded", "static": True, "shifts": 2}
    network, report = train_network(
        pictures(), "4x6-2c3-p2-3c3/2-2", 2, potentials=12, epochs=2, progress=False, **options
    )
    assert [projection.shift for projection in network.projections] == [2, 2, 2]
    assert report["shifts"] == 2
    kernels = [p.synapses.kernel.shape for p in network.projections[:2]]
    assert kernels == [(2, 1, 3, 3), (3, 2, 3, 3)]
    assert report["accuracy"].keys() == {"float", "rounded", "integers"}


def test_currents_of_hidden_layers_are_normalised_in_floating_point(monkeypatch):
    trained, rounded = [], []

    def watch(net, spikes, labels, options, **others):
        trained.append((options.batch_norm, others.get("integers")))
        rounded.append(options.rounded_weights)
        return train(net, spikes, labels, options, **others)

    monkeypatch.setattr(recipes, "train", watch)
    network, _ = train_network(pictures(), "24-4-3-2", 1, epochs=2, batch_norm=True, progress=False)
    (in_float, none), (in_integers, quantization) = trained
    assert in_float == ("input->hidden1", "hidden1->hidden2")
    assert (none, in_integers) == (None, False)
    assert rounded == [4, None]
    assert quantization is not None
    assert any(network.population["hidden1"].bias)


def test_settings_of_a_recipe_are_those_of_both_trainings(monkeypatch):
    trained = []

    def watch(net, spikes, labels, options, **others):
        trained.append(options)
        return train(net, spikes, labels, options, **others)

    monkeypatch.setattr(recipes, "train", watch)
    recipe = Recipe(1, 1, 7, 0.01, 0.5, 0, integer_rate=0.2)
    _, report = train_network(pictures(), "24-2", 1, recipe=recipe, progress=False)
    in_float, in_integers = trained
    assert (in_float.batch_size, in_float.activity_penalty) == (7, 0.5)
    assert (in_float.learning_rate, in_integers.learning_rate) == (0.01, 0.002)
    assert report["epochs"] == [1, 1]
    with pytest.raises(TypeError, match="Recipe must be a Recipe, not 3"):
        train_network(pictures(), "24-2", 1, recipe=3)


def test_rows_of_a_flat_picture_are_said_by_its_layers():
    data = pictures()
    flat = Dataset(
        data.x_train.reshape(40, 24), data.y_train, data.x_test.reshape(20, 24), data.y_test, "flat"
    )
    network, _ = train_network(flat, "4x6-2c3-p2-2", 1, epochs=2, progress=False)
    assert network.projections[0].synapses.shape == (1, 4, 6)
    network, _ = train_network(data, "24-2c3-2", 1, epochs=2, progress=False)
    assert network.projections[0].synapses.shape == (1, 4, 6)
    with pytest.raises(ValueError, match="must be behind an input such as 28x28"):
        train_network(flat, "24-2c3-2", 1)
    with pytest.raises(ValueError, match="Layers for 'rows' must begin with 4x6, not 6x4"):
        train_network(data, "6x4-2c3-2", 1)


@pytest.mark.slow
def test_convolutional_network_learns_digits():
    settings = {"encoder": "graded", "static": True, "epochs": 15, "progress": False}
    network, report = train_network("digits", "8x8-8c3-p2-16c3-10", 3, 4, 10, **settings)
    assert report["accuracy"]["integers"] >= 0.92
    assert sum(report["spikes"].values()) < 700
    assert network.projections[0].synapses.kernel.shape == (8, 1, 3, 3)
