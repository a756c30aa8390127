"""Tests of arrays of devices, which hold signed weights."""

import pytest
import torch

from spiker_train import (
    Device,
    DifferentialPair,
    GaussianNoise,
    PowerLawDrift,
    PulseUpdate,
    ReferenceColumn,
    WireResistance,
    generator,
)
from spiker_train.devices.arrays import as_array

WEIGHTS = torch.tensor([[0.5, -1.0, 0.0], [2.0, -0.25, 1.5]]).double()
KINDS = pytest.mark.parametrize("kind", [DifferentialPair, ReferenceColumn])


@KINDS
@pytest.mark.parametrize("limit", [None, 4.0])
def test_ideal_array_holds_its_weights(kind, limit):
    array = kind(device=Device(low=1e-6, high=20e-6), limit=limit)
    programmed = array.program(WEIGHTS, generator(0))
    torch.testing.assert_close(programmed.at(1e6).read(generator(1)), WEIGHTS)
    greatest = max(float(part.target.max()) for part in programmed.parts)
    assert (greatest == pytest.approx(20e-6)) == (limit is None)


def test_pair_has_the_parts_of_a_weight():
    array = DifferentialPair(device=Device(low=1.0, high=3.0))
    positive, negative = (part.target for part in array.program(WEIGHTS, generator(0)).parts)
    assert positive.tolist() == [[1.5, 1.0, 1.0], [3.0, 1.0, 2.5]]
    assert negative.tolist() == [[1.0, 2.0, 1.0], [1.0, 1.25, 1.0]]


@KINDS
def test_levels_of_the_device_are_those_of_the_weights(kind):
    array = kind(device=Device(high=1.0, levels=3))
    read = array.program(WEIGHTS, generator(0)).read(generator(1))
    step = 1.0 if kind is DifferentialPair else 2.0
    assert (read / step).round().mul(step).sub(read).abs().max() < 1e-12
    assert (read - WEIGHTS).abs().max() <= step / 2


def test_devices_of_a_pair_are_independent():
    device = Device(high=1.0, low=0.2, programming=GaussianNoise(absolute=0.01))
    parts = DifferentialPair(device=device).program(torch.zeros(1000), generator(0)).parts
    noise = torch.stack([part.initial - 0.2 for part in parts])
    assert abs(float(torch.corrcoef(noise)[0, 1])) < 0.1


def test_compensation_undoes_a_common_drift():
    device = Device(high=1.0, drift=PowerLawDrift(exponent=0.1))
    late = [
        DifferentialPair(device=device, compensate=compensate)
        .program(WEIGHTS, generator(0))
        .at(1e5)
        .read(generator(1))
        for compensate in (False, True)
    ]
    torch.testing.assert_close(late[0], WEIGHTS * 1e5**-0.1)
    torch.testing.assert_close(late[1], WEIGHTS)


def test_compensation_of_a_reference_column_leaves_the_reference():
    device = Device(high=1.0, drift=PowerLawDrift(exponent=0.1))
    array = ReferenceColumn(device=device, compensate=True)
    late = array.program(WEIGHTS, generator(0)).at(1e5)
    torch.testing.assert_close(late.read(generator(1)), WEIGHTS)
    silent = DifferentialPair(device=device, compensate=True).program(0 * WEIGHTS, generator(0))
    assert silent.at(1e5).compensation == 1  # there is no current to compare


def test_wires_weaken_weights():
    wires = WireResistance(row=1e3, column=1e3)
    array = DifferentialPair(device=Device(high=20e-6), wires=wires)
    read = array.program(WEIGHTS, generator(0)).read(generator(1))
    there = WEIGHTS != 0
    assert (read[there].abs() < WEIGHTS[there].abs()).all()
    assert (read.sign() == WEIGHTS.sign())[there].all()
    assert (read[~there].abs() < 0.01).all()


@KINDS
def test_pulses_move_weights_in_their_direction(kind):
    array = kind(device=Device(high=1.0, pulses=PulseUpdate(pulses=100)), limit=4.0)
    programmed = array.program(WEIGHTS, generator(0))
    pulses = torch.tensor([[3, -3, 0], [1, 0, -2]])
    changed = programmed.update(pulses, generator(1)).read(generator(2))
    span = 4.0 if kind is DifferentialPair else 8.0
    torch.testing.assert_close(changed, WEIGHTS + pulses * span / 100)


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: DifferentialPair(device=3), TypeError, "Array must be of a Device, not 3"),
        (
            lambda: DifferentialPair(device=Device(high=1), limit=0),
            ValueError,
            "Greatest weight must be greater than 0, not 0",
        ),
        (
            lambda: DifferentialPair(device=Device(high=1), limit=1).program([2.0], generator(0)),
            ValueError,
            "Weights must be at most 1 in magnitude, the limit of their array, not 2",
        ),
        (
            lambda: DifferentialPair(device=Device(high=1)).program([float("nan")], generator(0)),
            ValueError,
            "Weights must be finite, not nan",
        ),
        (lambda: as_array(3), TypeError, "Devices must have a method 'program', not 3"),
        (
            lambda: DifferentialPair(device=Device(high=1), wires=3),
            TypeError,
            "Wires must be a WireResistance or None, not 3",
        ),
        (
            lambda: ReferenceColumn(device=Device(high=1), compensate="no"),
            TypeError,
            "Compensation must be True or False, not 'no'",
        ),
    ],
    ids=["device", "limit", "weight", "nan", "array", "wires", "compensation"],
)
def test_bad_arrays_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()
    assert isinstance(as_array(Device(high=1)), DifferentialPair)
