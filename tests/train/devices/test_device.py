"""Tests of a device, stage by stage and as a whole."""

import numpy as np
import pytest
import torch

from spiker_train import (
    Arrhenius,
    Device,
    Faults,
    FlickerNoise,
    GaussianNoise,
    PowerLawDrift,
    PulseUpdate,
    Spread,
    TabulatedDrift,
    generator,
)
from spiker_train.devices.device import Programmed

HIGH = 20e-6


def cells(device, target=10e-6, count=4000, seed=0):
    """Return many cells that are programmed alike."""
    return device.program(torch.full((count,), target), generator(seed))


def test_ideal_device_keeps_what_is_programmed():
    target = torch.tensor([[0.0, 3e-6], [20e-6, 1e-9]])
    programmed = Device(high=HIGH).program(target, generator(1))
    assert programmed.at(1e9).read(generator(2)).equal(target.double())


def test_same_seed_gives_the_same_cells_and_another_does_not():
    device = Device(
        high=HIGH,
        spread=Spread(0.1),
        programming=GaussianNoise(relative=0.1),
        reading=GaussianNoise(relative=0.02),
        faults=Faults(stuck_low=0.1),
    )
    first, again, other = (cells(device, seed=seed) for seed in (3, 3, 4))
    assert first.initial.equal(again.initial)
    assert not first.initial.equal(other.initial)
    reads = [first.read(generator(seed)) for seed in (5, 5, 6)]
    assert reads[0].equal(reads[1])
    assert not reads[0].equal(reads[2])
    assert generator(1, 2).initial_seed() != generator(2, 1).initial_seed()


def test_change_of_a_stage_leaves_the_numbers_of_the_others():
    noise = GaussianNoise(absolute=1e-7)
    plain = cells(Device(high=HIGH, programming=noise))
    more = cells(Device(high=HIGH, programming=noise, drift=PowerLawDrift(exponent=0.1)))
    twice = cells(Device(high=HIGH, programming=GaussianNoise(absolute=2e-7)))
    assert more.initial.equal(plain.initial)
    torch.testing.assert_close(twice.initial - 10e-6, 2 * (plain.initial - 10e-6))


@pytest.mark.parametrize(
    "stages, deviation",
    [
        ({"programming": GaussianNoise(absolute=1e-6)}, 1e-6),
        ({"programming": GaussianNoise(relative=0.05)}, 0.5e-6),
        ({"programming": GaussianNoise(absolute=0.3e-6, relative=0.04)}, 0.5e-6),
        ({"programming": GaussianNoise(curve=lambda g: 0.1 * g)}, 1e-6),
        ({"spread": Spread(0.1)}, 1e-6),
    ],
    ids=["absolute", "relative", "both", "curve", "spread"],
)
def test_noise_of_programming_has_its_deviation(stages, deviation):
    values = cells(Device(high=HIGH, **stages)).conductance
    assert float(values.std()) == pytest.approx(deviation, rel=0.05)
    assert float(values.mean()) == pytest.approx(10e-6, rel=0.01)


def test_levels_reach_over_the_range_of_the_device():
    device = Device(high=10e-6, low=2e-6, levels=3)
    programmed = device.program([2e-6, 3.9e-6, 4.1e-6, 8.1e-6, 10e-6], generator(0))
    assert programmed.initial.tolist() == pytest.approx([2e-6, 2e-6, 6e-6, 10e-6, 10e-6])


def test_spread_between_devices_keeps_their_mean():
    values = cells(Device(high=HIGH, spread=Spread(0.5)), count=20000).initial / 10e-6
    assert float(values.mean()) == pytest.approx(1, abs=0.015)
    assert float(values.log().std()) == pytest.approx(0.5, rel=0.02)


def test_noise_of_programming_follows_the_target_and_not_the_spread():
    stages = {"spread": Spread(0.6), "programming": GaussianNoise(relative=0.1)}
    alone = cells(Device(high=HIGH, spread=stages["spread"])).initial
    noise = cells(Device(high=HIGH, **stages)).initial - alone
    kept = noise > -alone  # at 0 otherwise
    wide, narrow = (float(noise[kept & part].std()) for part in (alone > 12e-6, alone < 12e-6))
    assert wide == pytest.approx(narrow, rel=0.15)


def test_conductances_are_never_negative():
    device = Device(
        high=HIGH,
        programming=GaussianNoise(absolute=HIGH),
        reading=GaussianNoise(absolute=HIGH),
    )
    programmed = cells(device, 1e-6)
    for values in (programmed.initial, programmed.read(generator(1))):
        assert values.min() == 0
        assert 0.3 < (values == 0).double().mean() < 0.7


def test_read_noise_is_new_at_every_read_and_grows_where_it_flickers():
    device = Device(high=HIGH, reading=FlickerNoise(amplitude=0.02, read_time=1e-6))
    programmed, rng = cells(device), generator(1)
    assert programmed.read(rng).equal(programmed.conductance)  # before the first read time
    late = programmed.at(1e3)
    first, second = late.read(rng), late.read(rng)
    assert not first.equal(second)
    expected = 10e-6 * 0.02 * np.log((1e3 + 1e-6) / 2e-6) ** 0.5
    assert float(first.std()) == pytest.approx(expected, rel=0.05)
    unit = torch.ones(1).double()
    exact = FlickerNoise(amplitude=0.5, read_time=2.0).sigma(3 * unit, unit, 1.0, 6.0)
    assert float(exact) == pytest.approx(3 * 0.5 * np.log(2) ** 0.5)


def test_power_law_by_hand_and_its_spread():
    drift = PowerLawDrift(exponent=0.05, start=2.0)
    programmed = cells(Device(high=HIGH, drift=drift), count=1)
    for seconds, factor in ((0, 1), (2, 1), (200, 100**-0.05), (2e6, 1e6**-0.05)):
        assert float(programmed.at(seconds).conductance) == pytest.approx(10e-6 * factor)
    spread = cells(Device(high=HIGH, drift=PowerLawDrift(exponent=0.05, deviation=0.01)))
    exponents = -(spread.at(1e4).conductance / 10e-6).log() / np.log(1e4)
    assert float(exponents.mean()) == pytest.approx(0.05, abs=0.001)
    assert float(exponents.std()) == pytest.approx(0.01, rel=0.05)


def test_tabulated_drift_interpolates_over_the_logarithm_of_time():
    drift = TabulatedDrift(times=(1, 100), factors=(1.0, 0.5), deviations=(0.0, 0.1))
    programmed = cells(Device(high=HIGH, drift=drift))
    for seconds, factor, deviation in ((0.1, 1, 0), (1, 1, 0), (10, 0.75, 1e-6), (100, 0.5, 2e-6)):
        now = programmed.at(seconds).conductance
        assert float(now.mean()) == pytest.approx(10e-6 * factor, rel=0.02)
        assert float(now.std()) == pytest.approx(deviation, rel=0.05)
    with pytest.raises(ValueError, match=r"Time must be at most 100 s, .* not 101 s"):
        _ = programmed.at(101).conductance


def test_temperature_makes_time_run_faster():
    drift = PowerLawDrift(exponent=0.1)
    law = Arrhenius(energy=1.0, reference=300.0)
    assert law.acceleration(300.0) == 1
    assert law.acceleration(400.0) == pytest.approx(np.exp(1 / 8.617333262e-5 / 1200))
    cold = Device(high=HIGH, drift=drift, temperature=law)
    hot = Device(high=HIGH, drift=drift, temperature=law, kelvin=310.0)
    a = law.acceleration(310.0)
    flicker = {"reading": FlickerNoise(amplitude=0.1, read_time=1e-3), "temperature": law}
    late, later = (
        cells(Device(high=HIGH, kelvin=kelvin, **flicker)).at(seconds).read(generator(1))
        for kelvin, seconds in ((310.0, 1.0), (None, a))
    )
    torch.testing.assert_close(late, later)  # the noise of a read grows as fast
    torch.testing.assert_close(cells(hot).at(50).conductance, cells(cold).at(50 * a).conductance)


def test_faulty_cells_have_their_conductance_for_ever_and_no_noise():
    device = Device(
        high=HIGH,
        low=1e-6,
        programming=GaussianNoise(relative=0.1),
        reading=GaussianNoise(relative=0.1),
        drift=PowerLawDrift(exponent=0.1),
        pulses=PulseUpdate(pulses=10),
        faults=Faults(stuck_low=0.2, stuck_high=0.1, open=0.05),
    )
    programmed = cells(device)
    for seen in (programmed.at(1e3), programmed.update(torch.tensor(3), generator(1))):
        values = seen.read(generator(2))
        for value, share in ((1e-6, 0.2), (HIGH, 0.1), (0.0, 0.05)):
            assert float((values == value).double().mean()) == pytest.approx(share, abs=0.02)


def test_updates_start_drift_anew():
    device = Device(high=HIGH, drift=PowerLawDrift(exponent=0.1), pulses=PulseUpdate(pulses=10))
    late = cells(device, count=2).at(1e5)
    changed = late.update(torch.tensor([1, 0]), generator(1))
    assert isinstance(changed, Programmed)
    assert changed.seconds == 0
    torch.testing.assert_close(
        changed.conductance, late.conductance + torch.tensor([0.1 * HIGH, 0]).double()
    )


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: Device(high=0), ValueError, "Greatest conductance must be greater than 0, not 0"),
        (lambda: Device(high=float("nan")), ValueError, "conductance must be finite, not nan"),
        (lambda: Device(high=1, levels=1), ValueError, "levels must be at least 2, not 1"),
        (lambda: Device(high=1, levels=2.5), TypeError, "Levels must be an int, conductances"),
        (lambda: Device(high=1, drift=0.1), TypeError, "drift must have a method 'after' or"),
        (lambda: Device(high=1, kelvin=300), ValueError, "must say what it changes, by an"),
        (lambda: Faults(open=1.2), ValueError, "Share of open cells must be in 0..1, not 1.2"),
        (lambda: Faults(open=float("nan")), ValueError, "open cells must be finite, not nan"),
        (
            lambda: Faults(open=0.6, stuck_low=0.6),
            ValueError,
            "Shares of faulty cells must sum to at most 1, not 1.2",
        ),
        (lambda: GaussianNoise(relative=-1), ValueError, "noise must be at least 0, not -1"),
        (lambda: GaussianNoise(curve=[1.0]), TypeError, "Curve of noise must be a number or"),
        (lambda: Spread("a"), TypeError, "Spread of devices must be a number, not 'a'"),
        (
            lambda: FlickerNoise(amplitude=1, read_time=0),
            ValueError,
            "Read time must be greater than 0, not 0",
        ),
        (
            lambda: TabulatedDrift(times=(1, 3, 2)),
            ValueError,
            "Times of drift must increase from entry to entry, not from 3 to 2 at entry 2",
        ),
        (lambda: TabulatedDrift(times=()), ValueError, "must have at least one entry, not"),
        (
            lambda: TabulatedDrift(times=(1, 2), factors=(1,)),
            ValueError,
            "Drift factors must be 2, one for each time, not 1",
        ),
        (lambda: Arrhenius(energy=-1), ValueError, "Activation energy must be at least 0"),
        (lambda: cells(Device(high=1e-6)), ValueError, "Target conductance must be in 0..1e-06 S"),
        (
            lambda: cells(Device(high=1e-6), float("nan")),
            ValueError,
            "Target conductance must be finite, not nan",
        ),
        (
            lambda: Device(high=1).program([0.5], 3),
            TypeError,
            "Random numbers must be of a torch.Generator, not 3",
        ),
        (lambda: cells(Device(high=HIGH)).at(-1), ValueError, "programming must be at least 0"),
        (
            lambda: cells(Device(high=HIGH)).update([1], generator(0)),
            ValueError,
            "Device must have pulses to be updated by them, not None",
        ),
        (
            lambda: Device(high=1, levels=[0.0, 2.0]),
            ValueError,
            "Levels must be in the range of the device, 0..1 S, not 2",
        ),
        (
            lambda: Device(high=1, low=0.5, levels=(0.0, 1.0)),
            ValueError,
            "Levels must be in the range of the device, 0.5..1 S, not 0",
        ),
        (
            lambda: cells(Device(high=HIGH, pulses=PulseUpdate(pulses=9)), count=2).update(
                [1, 2, 3], generator(0)
            ),
            ValueError,
            r"Pulses must have the shape of the cells, \(2,\), not \(3,\)",
        ),
        (lambda: generator(-1), ValueError, "Seed must be at least 0, not -1"),
    ],
)  # fmt: skip
def test_bad_input_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()
