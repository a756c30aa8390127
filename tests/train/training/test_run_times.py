"""Tests of trainings and checks of networks in seconds: with a step, a plan, and initial states."""

import re

import numpy as np
import pytest
import torch

from spiker_hdl.base import FileError
from spiker_hdl.model import Input, Integrator, Lif, Readout
from spiker_train import (
    Cell,
    Connection,
    Device,
    Duration,
    FirstOrder,
    Layer,
    MonteCarlo,
    Quantization,
    SpikingNetwork,
    Tau,
    TrainingOptions,
    accuracy,
    compare,
    fit_readout,
    quantize,
    train,
)
from spiker_train.training.answers import answer
from spiker_train.training.run_times import RunTimes

PLAN = [(1e-3, 4), (4e-3, 2)]


def network(dt=None, seed=2):
    """Make a network whose time constants are in seconds."""
    hidden = Cell(Lif, threshold=1.0, decay=Tau(6e-3), refractory=Duration(1e-3))
    return SpikingNetwork(
        [Input("in", 8)],
        [Layer("hidden", 10, hidden), Layer("out", 2, Cell(Integrator, decay=Tau(8e-3)))],
        [
            Connection("in", "hidden", dynamics=FirstOrder(Tau(3e-3)), delay=Duration(1e-3)),
            Connection("hidden", "out"),
        ],
        [Readout("out", "last")],
        seed=seed,
        dt=dt,
    )


def samples(count=20, steps=6, seed=0):
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    chance = np.where(np.arange(8) % 2 == labels[:, None], 0.8, 0.3)
    return (random.random((count, steps, 8)) < chance[:, None]).astype(np.uint8), labels


def options(**settings):
    known = {"epochs": 1, "batch_size": 9, "learning_rate": 0.02, "progress": False}
    return TrainingOptions(**known | settings)


def weights(net):
    return torch.cat([value.detach().flatten() for value in net.parameters()])


def trained(net=None, spikes=None, **keywords):
    net = network() if net is None else net
    x, y = samples()
    history = train(net, x if spikes is None else spikes, y, options(), **keywords)
    return weights(net), history


def states(count, plan=((2e-3, 5),)):
    """Return the state after a run of samples of their own."""
    return network()(samples(count, sum(n for _, n in plan), seed=3)[0], plan=list(plan)).after


def test_plan_of_equal_steps_trains_as_the_fixed_step():
    expected, history = trained(dt=1e-3)
    assert torch.equal(trained(plan=[(1e-3, 2), (1e-3, 4)])[0], expected)
    assert torch.equal(trained(network(dt=1e-3))[0], expected)
    other, course = trained(plan=PLAN)
    assert not torch.equal(other, expected)
    assert course.losses != history.losses


def test_training_under_a_plan_descends_the_gradient_of_its_runs():
    net, (x, y) = network(), samples()
    settings = options(optimizer="SGD", epochs=1, batch_size=20, schedule="constant")
    before = net.connections[1].weights.detach().clone()
    loss = torch.nn.functional.cross_entropy(net(x, plan=PLAN).logits, torch.as_tensor(y))
    loss.backward()
    gradient = net.connections[1].weights.grad.clone()
    history = train(net, x, y, settings, validation=(x, y), plan=PLAN)
    step = before - net.connections[1].weights.detach()
    factor = float((step * gradient).sum() / gradient.square().sum())
    assert factor > 0
    assert torch.allclose(step, factor * gradient, rtol=1e-3, atol=1e-7)
    assert history.losses == [pytest.approx(float(loss.detach()))]


def test_uneven_samples_have_the_first_steps_of_the_plan():
    x, y = samples()
    uneven = [row[: 3 + n % 4] for n, row in enumerate(x)]
    assert len(trained(spikes=uneven, plan=PLAN)[1].losses) == 1
    net = network()
    alone = [
        int(
            net(
                row[None], plan=[(1e-3, min(4, len(row)))] + [(4e-3, len(row) - 4)] * (len(row) > 4)
            ).scores.argmax()
        )
        for row in uneven
    ]
    assert accuracy(net, uneven, y, plan=PLAN) == np.mean(np.array(alone) == y)


def test_each_sample_starts_from_its_own_state():
    net, (x, y) = network(), samples()
    before = states(20)
    expected = net(x, plan=PLAN, start=before).scores.argmax(1).numpy()
    assert accuracy(net, x, y, plan=PLAN, start=before, batch=7) == (expected == y).mean()
    times = RunTimes(None, PLAN, before)
    members = np.array([5, 0, 17])
    batch = {"in": torch.as_tensor(x[members])}
    own = answer(net, batch, None, None, times=times.of_batch(members, 6)).outcome.scores
    assert torch.allclose(own, net(x, plan=PLAN, start=before).scores[members], atol=1e-6)
    assert not torch.allclose(own, net(x, plan=PLAN).scores[members], atol=1e-3)
    with_states, _ = trained(plan=PLAN, start=before)
    assert not torch.equal(with_states, trained(plan=PLAN)[0])


def test_one_state_is_the_start_of_all_samples():
    one = states(1)
    many = one.map(lambda value: value.expand(20, *value.shape[1:]))
    expected = trained(plan=PLAN, start=many)[0]
    assert torch.equal(trained(plan=PLAN, start=one)[0], expected)


def test_no_gradient_passes_to_the_run_before():
    net, (x, y) = network(), samples()
    before = net(x, dt=1e-3).after
    assert before.neurons["hidden"]["v"].requires_grad
    assert len(train(net, x, y, options(), dt=1e-3, start=before).losses) == 1


def test_validation_samples_have_states_of_their_own():
    net, (x, y) = network(), samples()
    own = (x[:8], y[:8], states(8))
    history = train(net, x, y, options(epochs=1), validation=own, plan=PLAN, start=states(20))
    assert history.validation == [accuracy(net, *own[:2], plan=PLAN, start=own[2])]
    text = (
        "Validation must be (spikes, labels, start) where each training sample has a start of its "
        "own, not (spikes, labels)"
    )
    with pytest.raises(ValueError, match=re.escape(text)):
        train(net, x, y, options(), validation=own[:2], plan=PLAN, start=states(20))


def test_spikes_of_a_function_run_under_the_plan():
    x, y = samples()
    drawn = trained(spikes=lambda members, rng: x[members], validation=(x, y), plan=PLAN)[0]
    assert torch.equal(drawn, trained(validation=(x, y), plan=PLAN)[0])


def test_step_is_that_of_the_integers():
    expected, _ = trained(integers=Quantization(6, 10, "multiplier", dt=1e-3))
    given, again = trained(integers=Quantization(6, 10, "multiplier"), dt=1e-3)
    assert torch.equal(given, expected)
    assert again.integers.dt == 1e-3
    net, (x, y) = network(), samples()
    integers = Quantization(6, 10, "multiplier")
    shares = accuracy(net, x, y, integers, dt=1e-3)
    assert shares == accuracy(net, x, y, Quantization(6, 10, "multiplier", dt=1e-3))


def test_checkpoint_of_another_plan_is_refused(tmp_path):
    path = tmp_path / "run"
    first = trained(plan=PLAN, checkpoint=path)[0]
    assert torch.equal(trained(plan=PLAN, checkpoint=path)[0], first)
    for other in ({"dt": 1e-3}, {"plan": PLAN, "start": states(1)}):
        with pytest.raises(FileError, match="must be a checkpoint of this training"):
            trained(checkpoint=path, **other)


def test_ridge_regression_under_a_plan_has_the_scores_of_the_network():
    net, (x, y) = network(), samples()
    for start in (None, states(20), states(1)):
        share = fit_readout(net, x, y, plan=PLAN, start=start)
        assert share == accuracy(net, x, y, plan=PLAN, start=start)
        assert share > 0.8


def test_draws_of_devices_run_under_a_plan(tmp_path):
    net, (x, y) = network(), samples()
    study = MonteCarlo(net, Device(high=1.0), draws=2, seed=1, plan=PLAN)
    drawn = study.run(x, y, progress=False, file=tmp_path / "study.json")
    expected = accuracy(net, x, y, plan=PLAN)
    assert expected != accuracy(net, x, y, dt=1e-3)
    assert drawn.accuracy()[:, 0].tolist() == [expected] * 2
    again = MonteCarlo(net, Device(high=1.0), draws=2, seed=1, plan=PLAN)
    assert again.run(x, y, progress=False, file=tmp_path / "study.json").right == drawn.right
    other = MonteCarlo(net, Device(high=1.0), draws=2, seed=1, dt=1e-3)
    with pytest.raises(FileError, match="must be of the same network"):
        other.run(x, y, progress=False, file=tmp_path / "study.json")


def test_comparison_has_the_step_of_the_quantization():
    net, (x, y) = network(), samples()
    integers = quantize(net, 6, 10, "multiplier", dt=1e-3)
    assert compare(net, integers, x, y, dt=1e-3).accuracy["float"] == accuracy(net, x, y, dt=1e-3)


BAD = {
    "both": ({"dt": 1e-3, "plan": PLAN}, ValueError, "A run must have dt or plan, not both"),
    "steps": (
        {"plan": [(1e-3, 5)]},
        ValueError,
        "Plan must have as many steps as the samples, which is 6, not 5",
    ),
    "form": ({"plan": 6}, TypeError, "Plan must be a sequence of (seconds, steps), such as"),
    "negative": ({"dt": -1.0}, ValueError, "Step dt must be a positive number of seconds"),
    "nothing": ({}, ValueError, "has times in seconds, and so a run must have the length"),
    "integers": (
        {"plan": PLAN, "integers": Quantization(6, 10)},
        ValueError,
        "Plan must be None in integers, in which all steps have one length: give dt",
    ),
    "other step": (
        {"dt": 2e-3, "integers": Quantization(6, 10, dt=1e-3)},
        ValueError,
        "Step dt must be that of the integers, 0.001, not 0.002",
    ),
    "start": (
        {"dt": 1e-3, "start": 3},
        TypeError,
        "Start must be the NetworkState after another run, not 3",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_steps_and_states_are_refused(case):
    keywords, error, text = BAD[case]
    net, (x, y) = network(), samples()
    with pytest.raises(error, match=re.escape(text)):
        train(net, x, y, options(), **keywords)
    with pytest.raises(error, match=re.escape(text)):
        accuracy(net, x, y, **keywords)


def test_state_of_another_number_of_samples_is_refused():
    net, (x, y) = network(), samples()
    text = "Start must be of one sample, or of as many as the training samples, 20, not 8"
    with pytest.raises(ValueError, match=re.escape(text)):
        train(net, x, y, options(), plan=PLAN, start=states(8))


def test_plan_of_an_integer_network_is_refused():
    integers = quantize(network(), 6, 10, "multiplier", dt=1e-3)
    text = "Both dt and plan must be None for a network that has integers"
    with pytest.raises(ValueError, match=text):
        MonteCarlo(integers, Device(high=1.0), draws=1, seed=0, plan=PLAN)
