"""Tests of training: it learns, it is the same twice, and it says what it cannot take."""

import re

import numpy as np
import pytest
import torch

from spiker_hdl.model import (
    AdaptiveLif,
    CurrentLif,
    Input,
    Integrator,
    Lif,
    Readout,
    encoders,
    reference,
)
from spiker_train import (
    Cell,
    Connection,
    Dataset,
    EventDataset,
    Layer,
    Quantization,
    SpikingNetwork,
    TrainingOptions,
    accuracy,
    dense_to_events,
    quantize,
    recipes,
    train,
)
from spiker_train.data.augmentation import Drop
from spiker_train.recipes import encode, train_network
from spiker_train.training.batches import ImageShifter, split
from spiker_train.training.losses import ActivityBand, SpikeL1, VanRossum
from spiker_train.training.optimizer import parameter_groups


def task(samples=300, seed=0):
    """Make spikes of two classes, each with channels of its own that are busier."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, samples)
    chance = np.where(np.arange(16) % 2 == labels[:, None], 0.5, 0.2)
    spikes = random.random((samples, 4, 16)) < chance[:, None]
    return spikes.astype(np.uint8), labels


def pictures(samples=120, seed=0):
    """Make a data set of bars, upright or lying."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 2, samples)
    x = random.integers(0, 40, (samples, 6, 6)).astype(np.uint8)
    for picture, label, at in zip(x, y, random.integers(0, 6, samples), strict=True):
        (picture if label else picture.T)[at] = 220
    half = samples // 2
    return Dataset(x[:half], y[:half], x[half:], y[half:], "bars")


@pytest.mark.parametrize("readout", ["last", "largest", "sum", "count", "first"])
@pytest.mark.parametrize("integers", [None, Quantization(3, 8)])
def test_training_learns_by_every_readout(readout, integers):
    x, y = task()
    net = SpikingNetwork.chain("16-12-2", readout=readout, seed=4)
    history = train(
        net,
        x,
        y,
        TrainingOptions(epochs=12, batch_size=20, learning_rate=1e-2, progress=False),
        integers=integers,
    )
    assert min(history.losses[-3:]) < 0.75 * history.losses[0]
    x, y = task(200, seed=1)
    assert accuracy(net, x, y, history.integers) > 0.8
    if integers is not None:
        answers = reference.run(quantize(net, history.integers), x)
        assert (answers.classes == y).mean() == accuracy(net, x, y, history.integers)


MEMORY = {
    "second order": (CurrentLif, {"decay": 0.75, "current_decay": 0.5}),
    "adaptive": (AdaptiveLif, {"decay": 0.875, "rise": 0.3, "rise_decay": 0.75}),
}


def order(samples=240, seed=0):
    """Make spikes of two classes that differ in what comes first alone."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, samples)
    first = (np.arange(16) < 8) == (labels[:, None] == 1)
    halves = [np.where(first, 0.5, 0.05), np.where(first, 0.05, 0.5)]
    chance = np.repeat(np.stack(halves, 1), 4, axis=1)
    return (random.random((samples, 8, 16)) < chance).astype(np.uint8), labels


@pytest.mark.parametrize("recurrent", [False, True], ids=["forward", "recurrent"])
@pytest.mark.parametrize("kind", MEMORY)
def test_networks_with_memory_learn_in_integers(kind, recurrent):
    model, options = MEMORY[kind]
    links = [Connection("input", "hidden"), Connection("hidden", "output")]
    if recurrent:
        links.append(Connection("hidden", "hidden", delay=1))
    net = SpikingNetwork(
        [Input("input", 16)],
        [
            Layer("hidden", 14, Cell(model, threshold=1.0, **options)),
            Layer("output", 2, Cell(Integrator, decay=0.75)),
        ],
        links,
        [Readout("output", "last")],
        seed=2,
    )
    before = {
        connection.name: connection.weights.detach().clone() for connection in net.connections
    }
    q = Quantization(4, 10, "multiplier").fit(net)
    x, y = order()
    history = train(
        net,
        x,
        y,
        TrainingOptions(epochs=10, batch_size=20, learning_rate=3e-2, progress=False),
        integers=q,
    )
    assert min(history.losses[-3:]) < 0.75 * history.losses[0]
    for connection in net.connections:
        assert not torch.equal(connection.weights, before[connection.name]), connection.name
    x, y = order(200, seed=1)
    record = [
        "hidden",
        *(f"hidden.{state}" for state in net.layer["hidden"].cell.states),
        "output.v",
    ]
    result = reference.run(quantize(net, q), x, record=record)
    assert result.differences(net.run(x, q, record=record)) == []
    assert 0.02 < result.spikes["hidden"].mean() < 0.8
    assert (result.classes == y).mean() > 0.8


def test_the_weights_stay_where_integers_are():
    x, y = task()
    net = SpikingNetwork.chain("16-12-2")
    q = Quantization("ternary", 8).fit(net)
    train(net, x, y, TrainingOptions(epochs=3, learning_rate=0.2, progress=False), integers=q)
    for connection in net.connections:
        assert float(connection.weights.detach().abs().max()) <= q.scales[connection.target] * (
            1 + 1e-6
        )


def test_learned_thresholds_stay_where_neurons_can_be():
    x, y = task()
    cell = Cell(Lif, threshold=0.05, decay=0.9, learn=["threshold", "decay"])
    net = SpikingNetwork.chain("16-12-2", cell=cell)
    q = Quantization(4, 6, "multiplier").fit(net)
    train(net, x, y, TrainingOptions(epochs=3, learning_rate=0.1, progress=False), integers=q)
    neuron = quantize(net, q).population["hidden"].neuron
    assert 0 <= neuron.threshold <= 30
    assert float(net.layer["hidden"].cell.value("threshold")) != pytest.approx(0.05)


def test_the_same_seed_trains_the_same_weights():
    x, y = task()

    def weights(seed):
        net = SpikingNetwork.chain("16-8-2", seed=1)
        torch.rand(seed + 1)  # what else draws random numbers does not matter
        train(net, x, y, TrainingOptions(epochs=2, seed=seed, progress=False))
        return torch.cat([parameter.flatten() for parameter in net.parameters()])

    assert torch.equal(weights(0), weights(0))
    assert not torch.equal(weights(0), weights(1))


def test_spikes_may_come_from_a_function_for_each_batch():
    x, y = task()
    held_out = task(60, seed=5)
    asked = []

    def weights(spikes):
        net = SpikingNetwork.chain("16-8-2", seed=1)
        train(
            net,
            spikes,
            y,
            TrainingOptions(epochs=2, batch_size=128, progress=False),
            validation=held_out,
        )
        return torch.cat([parameter.flatten() for parameter in net.parameters()])

    def drawn_samples(members, draws):
        assert isinstance(draws, np.random.Generator)
        asked.append(members)
        return x[members]

    assert torch.equal(weights(drawn_samples), weights(x))
    assert [len(call) for call in asked] == [128, 128, 44] * 2
    for epoch in (asked[:3], asked[3:]):
        assert sorted(np.concatenate(epoch).tolist()) == list(range(300))


def test_random_samples_of_a_function_are_new_in_each_epoch_and_reproducible():
    _, y = task()
    held_out = task(60, seed=5)

    def drawn(seed):
        seen = []

        def drawn_samples(members, draws):
            seen.append(draws.integers(0, 2, (len(members), 4, 16)))
            return {"input": seen[-1]}

        net = SpikingNetwork.chain("16-8-2", seed=1)
        train(
            net,
            drawn_samples,
            y,
            TrainingOptions(epochs=2, batch_size=300, seed=seed, progress=False),
            validation=held_out,
        )
        return seen

    first, other = drawn(0)
    assert not np.array_equal(first, other)
    assert np.array_equal(first, drawn(0)[0])
    assert not np.array_equal(first, drawn(1)[0])


def test_the_best_epoch_is_kept():
    x, y = task(120)
    net = SpikingNetwork.chain("16-8-2", seed=2)
    held_out = task(60, seed=5)
    history = train(
        net,
        x,
        y,
        TrainingOptions(epochs=8, learning_rate=3e-2, progress=False),
        validation=held_out,
    )
    best = max(history.validation)
    assert history.best == max(n for n, epoch in enumerate(history.validation) if epoch == best)
    assert accuracy(net, *held_out) == best


def test_an_activity_penalty_saves_spikes():
    x, y = task()

    def spikes(activity):
        net = SpikingNetwork.chain("16-12-2", seed=3)
        history = train(
            net,
            x,
            y,
            TrainingOptions(
                epochs=10, learning_rate=1e-2, activity_penalty=activity, progress=False
            ),
        )
        return history.spikes[-1]

    assert spikes(20.0) < 0.7 * spikes(0.0)


def test_pictures_are_moved_whole():
    net = SpikingNetwork.chain("12-2", shape=(3, 4))
    picture = torch.zeros(50, 2, 3, 4)
    picture[:, 0, 1, 1] = 1
    picture[:, 1, 1, 2] = 1
    moved = ImageShifter(net, 1)({"input": picture.reshape(50, 2, 12)}, np.random.default_rng(0))
    result = moved["input"].reshape(50, 2, 3, 4)
    places = {tuple(position) for position in result[:, 0].nonzero()[:, 1:].tolist()}
    assert places == {(r, c) for r in range(3) for c in range(3)}
    first, second = (result[:, n].nonzero() for n in (0, 1))
    assert torch.equal(first[:, :2], second[:, :2])
    assert torch.equal(first[:, 2] + 1, second[:, 2])


def test_channels_of_pictures_are_moved_alike():
    draws = torch.rand(20, 3, 2, 3, 4)
    net = SpikingNetwork.chain("2x3x4-1c1-2")
    moved = ImageShifter(net, 1)({"input": draws.reshape(20, 3, 24)}, np.random.default_rng(0))
    plain = SpikingNetwork.chain("12-2", shape=(3, 4))
    for channel in range(2):
        alone = {"input": draws[:, :, channel].reshape(20, 3, 12)}
        expected = ImageShifter(plain, 1)(alone, np.random.default_rng(0))["input"]
        assert torch.equal(moved["input"].reshape(20, 3, 2, 12)[:, :, channel], expected)


def test_graded_pictures_train_as_they_are_encoded():
    pictures = np.random.default_rng(0).integers(0, 256, (40, 3, 4))
    spikes = encoders.graded(pictures, 2)  # of 16 bits, unsigned
    net = SpikingNetwork.chain("12-3", shape=(3, 4), values=(0, 15))
    labels = np.arange(40) % 3
    history = train(net, spikes, labels, TrainingOptions(epochs=1, max_shift=1, progress=False))
    assert len(history.losses) == 1


def test_static_input_trains_and_is_static():
    network, _ = train_network(
        pictures(), "36-6-2", 3, encoder="binary", static=True, epochs=3, progress=False
    )
    assert network.inputs[0].static
    assert not network.inputs[0].graded


def test_a_split_takes_every_sample_once():
    kept, validation = split(50, 0.2, seed=3)
    assert len(validation) == 10
    assert sorted([*kept, *validation]) == list(range(50))
    assert not np.array_equal(validation, split(50, 0.2, seed=4)[1])


def test_a_recipe_gives_the_same_file_twice(tmp_path):
    data = pictures(400)
    for name in ("a", "b"):
        network, report = train_network(data, "36-12-2", epochs=24, progress=False)
        network.save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert report["accuracy"]["integers"] > 0.8
    assert network.note["encoder"] == "rate"
    assert network.note["steps"] == "4"
    result = reference.run(network, encode(data.x_test, 4))
    assert (result.classes == data.y_test).mean() == report["accuracy"]["integers"]


@pytest.mark.parametrize(
    "options, readout",
    [
        ({"loss": "count_cross_entropy"}, "count"),
        ({"loss": "potential_cross_entropy", "optimizer": "AdamW"}, "last"),
        ({"loss": lambda answers, y: answers.outcome.logits.square().mean()}, "last"),
        ({"regularizers": [ActivityBand(0.1, 0.3), SpikeL1(0.01)], "schedule": "constant"}, "last"),
    ],
    ids=["counts", "potentials", "function", "regularizers"],
)
def test_losses_and_optimisers_of_options_lessen_the_loss(options, readout):
    x, y = task(120)
    net = SpikingNetwork.chain("16-12-2", readout=readout, seed=4)
    settings = {"epochs": 6, "batch_size": 20, "learning_rate": 1e-2, "progress": False}
    history = train(net, x, y, TrainingOptions(**settings | options))
    assert min(history.losses[-2:]) < 0.9 * history.losses[0]
    assert len(history.validation) == 6
    assert history.validation_losses == []


@pytest.mark.parametrize("loss", ["mean_square", VanRossum(3.0)], ids=["mean_square", "van_rossum"])
def test_targets_over_time_are_learned_by_uneven_samples(loss):
    random = np.random.default_rng(0)
    x = [random.integers(0, 2, (steps, 16)) for steps in random.integers(3, 7, 60)]
    spikes = not isinstance(loss, str)
    targets = [
        np.stack([sample[:, 0], sample[:, 1]], axis=1) * (1 if spikes else 0.5) for sample in x
    ]
    net = SpikingNetwork.chain("16-12-2", readout="count" if spikes else "last", seed=4)
    options = TrainingOptions(
        epochs=15, batch_size=10, learning_rate=2e-2, loss=loss, progress=False
    )
    history = train(net, x, targets, options)
    assert history.validation == []
    assert min(history.validation_losses) == history.validation_losses[history.best]
    assert history.validation_losses[history.best] < 0.8 * history.validation_losses[0]


def test_uneven_samples_of_one_length_train_as_even_ones():
    x, y = task(60)
    options = TrainingOptions(epochs=2, batch_size=20, progress=False)
    nets = [SpikingNetwork.chain("16-6-2", seed=4) for _ in range(2)]
    for net, spikes in zip(nets, (x, list(x)), strict=True):
        train(net, spikes, y, options)
    for a, b in zip(*(net.parameters() for net in nets), strict=True):
        assert torch.equal(a, b)


def test_uneven_samples_learn_and_are_scored():
    x, y = task(200)
    lengths = np.random.default_rng(1).integers(3, 5, 200)
    x = [sample[:length] for sample, length in zip(x, lengths, strict=True)]
    net = SpikingNetwork.chain("16-12-2", seed=4)
    options = TrainingOptions(epochs=8, batch_size=20, learning_rate=1e-2, progress=False)
    history = train(net, x, y, options, integers=Quantization(4, 10))
    answers = reference.run(quantize(net, history.integers), x)
    share = (answers.classes == y).mean()
    assert share == accuracy(net, x, y, history.integers) > 0.75


def recorded(samples=80):
    """Make recordings of two classes, each with channels of its own that are busier."""
    x, y = task(samples, seed=3)
    events = dense_to_events(x, 0.001)
    half = samples // 2
    return EventDataset(events[:half], y[:half], events[half:], y[half:], "own", 0.001, 4)


def test_a_recipe_takes_recordings(monkeypatch):
    data = recorded()
    network, report = train_network(data, "16-4-2", epochs=12, progress=False)
    assert (report["dt"], report["steps"], network.note["dt"]) == (0.001, 4, "0.001")
    result = reference.run(network, data.dense("test"))
    assert report["accuracy"]["integers"] == (result.classes == data.y_test).mean()
    # Those that are too many to keep are binned for each batch, and are the same.
    monkeypatch.setattr(recipes, "MOST_BYTES", 0)
    again, _ = train_network(data, "16-4-2", epochs=12, progress=False)
    assert again.digest == network.digest
    altered, _ = train_network(data, "16-4-2", epochs=12, progress=False, augment=Drop(0.5))
    assert altered.digest != network.digest


@pytest.mark.parametrize("encoder", ["bernoulli", "first_spike", "graded"])
def test_a_recipe_takes_every_encoder(encoder):
    network, report = train_network(
        pictures(400), "36-12-2", 3, 4, 10, encoder=encoder, epochs=24, progress=False
    )
    assert network.inputs[0].high == (15 if encoder == "graded" else 1)
    assert report["accuracy"]["integers"] > 0.7


# -- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"epochs": 0}, ValueError, "Epochs must be at least 1, not 0"),
        ({"batch_size": 2.0}, TypeError, "Batch size must be an int, not 2.0"),
        (
            {"learning_rate": float("nan")},
            ValueError,
            "Learning rate must be a positive number, not nan",
        ),
        (
            {"activity_penalty": float("nan")},
            ValueError,
            "Activity penalty must be finite, not nan",
        ),
        ({"activity_penalty": -0.1}, ValueError, "Activity penalty must be at least 0, not -0.1"),
        (
            {"validation_share": 0.0},
            ValueError,
            "Validation share must leave samples on both sides, not 0.0 of 300",
        ),
        (
            {"loss": "hinge"},
            ValueError,
            "Loss must be one of 'cross_entropy', 'count_cross_entropy', "
            "'potential_cross_entropy', 'van_rossum', 'mean_square', not 'hinge'",
        ),
        ({"loss": 3}, TypeError, "Loss must be a name or a function, not 3"),
        ({"regularizers": [3]}, TypeError, "Regularizers must be functions, not [3]"),
        (
            {"optimizer": "Adamant"},
            ValueError,
            "Optimizer must be 'adam', a class of torch.optim such as 'SGD', or a function, not "
            "'Adamant'",
        ),
        (
            {"optimizer": lambda groups: 3},
            TypeError,
            "Optimizer must return a torch.optim.Optimizer, not int",
        ),
        (
            {"schedule": "linear"},
            ValueError,
            "Schedule must be one of 'cosine', 'constant', not 'linear'",
        ),
        (
            {"loss": "mean_square"},
            ValueError,
            "Targets of sample 0 must be finite numbers of the shape (4, 2), not ()",
        ),
        (
            {"loss": lambda answers, y: answers.outcome.logits},
            TypeError,
            "Loss must return a tensor of one number, not a tensor of (128, 2)",
        ),
        ({"labels": np.zeros(9, int)}, ValueError, "Labels must have the shape (300,), not (9,)"),
        ({"labels": np.zeros(300)}, TypeError, "Labels must be integers, not float64"),
        ({"labels": np.full(300, 2)}, ValueError, "Labels must be in 0..1, not 2"),
        (
            {"spikes": np.zeros((300, 4, 15), int)},
            ValueError,
            "Spikes of input 'input' must have the shape (samples, steps, 16), not (300, 4, 15)",
        ),
        (
            {"spikes": np.full((300, 4, 16), 2)},
            ValueError,
            "Spikes of input 'input' must be in 0..1, not 2",
        ),
        (
            {"max_shift": 1},
            ValueError,
            "Input 'input' must have two axes to be shifted, or channels and two axes, not 16",
        ),
        (
            {"spikes": lambda members, draws: task(len(members))[0]},
            TypeError,
            "Validation of spikes from a function must be (spikes, labels), not None",
        ),
        (
            {"spikes": lambda members, draws: task(9)[0], "validation": task(60)},
            ValueError,
            "Function must return spikes of 128 samples, not 9",
        ),
    ],
)
def test_train_rejects(options, error, message):
    x, y = task()
    data = {"spikes": x, "labels": y} | {
        name: value for name, value in options.items() if name in {"spikes", "labels", "validation"}
    }
    settings = {name: value for name, value in options.items() if name not in data}
    net = SpikingNetwork.chain("16-4-2")
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        train(net, options=TrainingOptions(**{"epochs": 1, "progress": False} | settings), **data)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"layers": "35-2"}, "Layers for 'bars' must begin with 36, not 35"),
        ({"layers": "36-1"}, "Layers for 'bars' must end with at least 2, not 1"),
        ({"encoder": "phase"}, "Encoder must be one of 'rate', 'bernoulli', 'first_spike', "
         "'graded', 'binary', not 'phase'"),
        (
            {"static": True},
            "Encoder of a static input must be one of 'graded', 'binary', not 'rate'",
        ),
        ({"seed": -1}, "Seed must be at least 0, not -1"),
        ({"epochs": 1}, "Epochs must be at least 2, not 1"),
        ({"weights": 40}, "Weight bits must be in 2..16, not 40"),
    ],
)  # fmt: skip
def test_recipes_reject(options, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        train_network(pictures(), **{"layers": "36-4-2", "progress": False} | options)


# -- real data -----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_digits_are_learned(seed):
    pytest.importorskip("sklearn")
    network, report = train_network("digits", "64-32-10", seed=seed, progress=False)
    assert report["accuracy"]["integers"] >= 0.97
    assert network.weight_bits == 4 * (64 * 32 + 32 * 10)


FLAT = {
    "as they are": ((8, 6), None, 1),
    "flattened": ((48,), None, 0),
    "flattened and said": ((48,), (8, 6), 1),
    "with a channel": ((1, 8, 6), None, 1),
    "of other axes": ((2, 4, 6), None, 0),
}


def oblong(shape):
    draws = np.random.default_rng(3)
    x = draws.integers(0, 256, (60, 8, 6)).astype(np.uint8).reshape(60, *shape)
    return Dataset(x, np.arange(60) % 3, x[:6], np.arange(6) % 3, "pictures")


@pytest.mark.parametrize("case", FLAT)
def test_images_are_shifted_or_a_warning_says_why_not(case, monkeypatch):
    monkeypatch.setattr(recipes, "MANY", 0)  # the recipe for many samples, which shifts
    shape, picture, shift = FLAT[case]
    known = train_network(oblong((8, 6)), "48-4-3", epochs=2, progress=False)
    network, report = train_network(
        oblong(shape), "48-4-3", epochs=2, progress=False, picture=picture
    )
    same = [
        np.array_equal(projection.synapses.values, other.synapses.values)
        for projection, other in zip(network.projections, known[0].projections, strict=True)
    ]
    assert report["shift"] == shift
    assert all(same) == bool(shift)
    assert [
        f"samples of the shape {shape} are not" in warning for warning in report["warnings"]
    ] == ([] if shift else [True])


@pytest.mark.parametrize("picture", [(8, 5), (48,), (2, 4, 6)])
def test_a_picture_of_another_size_is_refused(picture):
    with pytest.raises(ValueError, match=r"^Picture must be a height and a width of 48 values"):
        train_network(oblong((48,)), "48-4-3", epochs=2, progress=False, picture=picture)


@pytest.mark.slow
def test_mnist_in_training_computes_the_same_as_the_reference(data_file, monkeypatch):
    data_file("mnist.npz")
    from spiker_train import load_dataset

    data = load_dataset("mnist")
    net = SpikingNetwork.chain("784-128-10", shape=(28, 28))
    x = encode(data.x_train[:12000], 4)
    q = Quantization(4, 8).fit(net)
    train(net, x, data.y_train[:12000], TrainingOptions(epochs=2, progress=False), integers=q)
    test = encode(data.x_test, 4)
    record = ["hidden", "hidden.v", "output.v"]
    result = reference.run(quantize(net, q), test, record=record)
    assert len(result.classes) == 10_000
    assert result.differences(net.run(test, q, record=record)) == []
    assert 20 < result.counts["hidden"].mean() < 300
    assert (result.classes == data.y_test).mean() > 0.9


def test_training_that_diverges_is_refused_and_keeps_the_best_weights():
    net = SpikingNetwork.chain("6-3", seed=1)
    random = np.random.default_rng(0)
    x, y = random.integers(0, 2, (40, 5, 6)), random.integers(0, 3, 40)
    seen = []

    def penalty(answers):
        seen.append(net.connections[0].weights.detach().clone())
        total = answers.outcome.logits.sum() * 0
        return total * float("nan") if len(seen) > 1 else total  # in the second epoch

    options = TrainingOptions(epochs=3, batch_size=40, regularizers=[penalty], progress=False)
    message = "Weights of 'input->output' must be finite, not nan, which they are after epoch 2: "
    with pytest.raises(ValueError, match=f"^{message}"):
        train(net, x, y, options)
    assert torch.equal(net.connections[0].weights, seen[1])  # those after the first epoch


def test_weights_of_large_values_are_drawn_and_moved_in_proportion():
    small, large = (SpikingNetwork.chain("16-12-2", values=(0, value), seed=4) for value in (1, 20))
    for net, typical in ((small, 1), (large, 10)):
        sizes = [size for _, size in parameter_groups(net)]
        assert sizes[:2] == [1 / typical, 1]
    ends = [float(net.connections[0].weights.detach().abs().max()) for net in (small, large)]
    assert ends[0] == pytest.approx(10 * ends[1])
    others = [net.connections[1].weights.detach() for net in (small, large)]
    assert torch.equal(*others)
