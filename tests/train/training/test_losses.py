"""Tests of losses and regularisers: against their definitions, and samples of any length."""

import math
import re

import numpy as np
import pytest
import torch

from spiker_hdl.model import Input, Integrator, Lif, Readout
from spiker_train import Cell, Connection, Layer, Quantization, SpikingNetwork
from spiker_train.training.answers import answer
from spiker_train.training.batches import checked_samples
from spiker_train.training.losses import (
    LOSSES,
    ActivityBand,
    Answers,
    CountCrossEntropy,
    CrossEntropy,
    MeanSquare,
    PotentialCrossEntropy,
    SpikeL1,
    VanRossum,
)


def network(readout="last", groups=None):
    spiking = readout in {"count", "first"}
    cell = Cell(Lif, threshold=1.0, decay=0.875)
    last = cell if spiking else Cell(Integrator, decay=0.875)
    return SpikingNetwork(
        [Input("in", 6)],
        [Layer("hidden", 8, Cell(Lif, threshold=0.6, decay=0.75)), Layer("out", 4, last)],
        [
            Connection("in", "hidden"),
            Connection("hidden", "out"),
            Connection("hidden", "hidden", delay=1),
        ],
        [Readout("out", readout, groups=groups), Readout("out", "last", name="other")],
        seed=3,
    )  # fmt: skip


LENGTHS = (5, 9, 2, 7)


def uneven(seed=0):
    random = np.random.default_rng(seed)
    return [random.integers(0, 2, (steps, 6), dtype=np.uint8) for steps in LENGTHS]


# -- samples of any length -----------------------------------------------------------------------


@pytest.mark.parametrize("integers", [None, Quantization(4, 10)], ids=["float", "integers"])
@pytest.mark.parametrize("readout", ["last", "largest", "sum", "count", "first"])
def test_padded_samples_answer_as_each_alone(readout, integers):
    net = network(readout, groups=2 if readout in {"last", "sum", "count"} else None)
    integers = None if integers is None else integers.fit(net)
    samples = checked_samples(net, uneven())
    batch, lengths = samples.batch(np.arange(4))
    together = answer(net, batch, lengths, integers).outcome
    for n, sample in enumerate(uneven()):
        alone = net(sample[None], integers)
        torch.testing.assert_close(together.scores[n], alone.scores[0], rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(together.logits[n], alone.logits[0], rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(
            together.answers["other"][n], alone.answers["other"][0], rtol=1e-5, atol=1e-5
        )
        if integers is not None:
            assert torch.equal(together.scores[n], alone.scores[0])
        spikes = together.spikes["hidden"][n]
        assert torch.equal(spikes[: LENGTHS[n]], alone.spikes["hidden"][0])
        assert not spikes[LENGTHS[n] :].any()


TARGETS = [
    (CrossEntropy(0.5), "last"),
    (CountCrossEntropy(2.0), "count"),
    (PotentialCrossEntropy(0.7), "last"),
    (VanRossum(4.0), "count"),
    (MeanSquare(), "last"),
    (ActivityBand(0.4, 0.5), "last"),
    (SpikeL1(0.1), "last"),
]


@pytest.mark.parametrize("loss, readout", TARGETS, ids=lambda case: type(case).__name__)
def test_loss_and_gradient_of_a_batch_are_those_of_each_sample_alone(loss, readout):
    random = np.random.default_rng(1)
    labels = torch.tensor([0, 3, 1, 2])
    targets = [random.integers(0, 2, (steps, 4)).astype(np.float32) for steps in LENGTHS]

    def value(net, members):
        batch, lengths = checked_samples(net, [uneven()[n] for n in members]).batch(
            np.arange(len(members))
        )
        answers = answer(net, batch, lengths, None, getattr(loss, "potentials", False))
        if not hasattr(loss, "classes"):
            return loss(answers)
        if loss.classes:
            return loss(answers, labels[members])
        most = max(LENGTHS[n] for n in members)
        padded = np.full((len(members), most, 4), 7.0, np.float32)  # which no loss may read
        for place, n in zip(padded, members, strict=True):
            place[: LENGTHS[n]] = targets[n]
        return loss(answers, torch.as_tensor(padded))

    together, alone = network(readout), network(readout)
    total = value(together, [0, 1, 2, 3])
    total.backward()
    if isinstance(loss, ActivityBand):  # of the mean rate, which is no sum over samples
        net = network(readout)
        spikes = [net(sample[None]).spikes["hidden"].sum((0, 1)) for sample in uneven()]
        rates = torch.stack(spikes).sum(0) / sum(LENGTHS)
        expected = (torch.relu(0.4 - rates) ** 2 + torch.relu(rates - 0.5) ** 2).mean()
        assert total.item() == pytest.approx(expected.item(), rel=1e-5)
        assert total.item() > 0
        return
    separate = sum(value(alone, [n]) for n in range(4)) / 4
    separate.backward()
    assert total.item() == pytest.approx(separate.item(), rel=1e-5)
    for a, b in zip(together.parameters(), alone.parameters(), strict=True):
        if a.grad is not None:
            torch.testing.assert_close(a.grad, b.grad, rtol=1e-4, atol=1e-6)


# -- definitions ---------------------------------------------------------------------------------


def ones():
    """Return the answers of a network to a spike in all channels and steps."""
    return answer(network(), {"in": torch.ones(1, 2, 6)}, None, None)


def of_trains(spikes, potentials=None):
    """Return answers with these spikes, all of whose steps are their own."""
    spikes = torch.as_tensor(spikes, dtype=torch.float64)
    mask = torch.ones(spikes.shape[:2], dtype=torch.bool)
    return Answers(None, spikes, potentials, mask)


def distance(one, other, tau):
    size = max([*one, *other], default=0) + 1
    trains = torch.zeros(2, 1, size, 1, dtype=torch.float64)
    trains[0, 0, list(one)] = 1
    trains[1, 0, list(other)] = 1
    return float(VanRossum(tau)(of_trains(trains[0]), trains[1]))


@pytest.mark.parametrize("tau", [0.5, 3.0, 200.0])
def test_van_rossum_distance_is_the_papers(tau):
    assert distance([4], [], tau) == pytest.approx(0.5)
    assert distance([], [], tau) == 0
    for gap in (1, 5):
        assert distance([2], [2 + gap], tau) == pytest.approx(1 - math.exp(-gap / tau))
    # Of any trains: half the sum of e^(-|t - t'| / tau) over all pairs, with signs.
    one, other = [0, 3, 4, 9], [1, 4, 7]
    signed = [(t, 1) for t in one] + [(t, -1) for t in other]
    expected = sum(a * b * math.exp(-abs(t - u) / tau) for t, a in signed for u, b in signed) / 2
    assert distance(one, other, tau) == pytest.approx(expected)


def test_cross_entropies_are_of_counts_and_of_potentials():
    spikes = np.zeros((1, 3, 2))
    spikes[0, :, 1] = 1
    labels = torch.tensor([1])
    expected = -math.log(math.exp(1.5) / (1 + math.exp(1.5)))
    assert CountCrossEntropy(2.0)(of_trains(spikes), labels).item() == pytest.approx(expected)
    potentials = torch.tensor([[[0.0, 2.0], [1.0, 0.0]]])
    loss = PotentialCrossEntropy()(of_trains(np.zeros((1, 2, 2)), potentials), labels)
    each = [math.log(1 + math.exp(-2)), math.log(1 + math.exp(1))]
    assert loss.item() == pytest.approx(sum(each) / 2)


def test_spike_l1_counts_the_layers_that_are_named():
    net = network("count")
    answers = answer(net, {"in": torch.ones(2, 5, 6)}, None, None)
    hidden = answers.outcome.spikes["hidden"].sum() / 2
    assert SpikeL1(0.5, ["hidden"])(answers).item() == pytest.approx(0.5 * hidden.item())
    both = hidden + answers.outcome.spikes["out"].sum() / 2
    assert SpikeL1(1.0)(answers).item() == pytest.approx(both.item())


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: VanRossum(0), ValueError, "Time constant must be a positive number, not 0"),
        (lambda: CrossEntropy(True), TypeError, "Temperature must be a number, not True"),
        (lambda: ActivityBand(0.5, 0.2), ValueError, "Rates must be in order, not 0.5..0.2"),
        (lambda: ActivityBand(-0.1, 0.2), ValueError, "Low rate must be in 0..1, not -0.1"),
        (
            lambda: SpikeL1(1.0, ["out"])(ones()),
            ValueError,
            "Layer must be one that spikes, hidden, not 'out'",
        ),
        (
            lambda: VanRossum()(ones(), None),
            ValueError,
            "Loss of spikes must have a first readout whose population spikes, not an integrator",
        ),
    ],
)  # fmt: skip
def test_losses_reject(call, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        call()
    assert set(LOSSES) >= {"cross_entropy", "van_rossum", "mean_square"}
