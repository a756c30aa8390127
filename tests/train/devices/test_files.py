"""Tests of files of devices."""

import json
from dataclasses import dataclass, replace

import pytest
import torch

from spiker_hdl.base import FileError
from spiker_train import (
    Arrhenius,
    Device,
    DifferentialPair,
    FlickerNoise,
    GaussianNoise,
    MeasuredLevels,
    PulseUpdate,
    ReferenceColumn,
    WireResistance,
    generator,
    hfox_reram,
    load_devices,
    pcm,
    save_devices,
)
from spiker_train.devices.curves import Table
from spiker_train.devices.faults import Faults
from spiker_train.devices.noise import Spread


def whole():
    """Return a device with every stage."""
    return replace(
        pcm(),
        levels=MeasuredLevels((0.0, 1e-6, 7e-6, 25e-6)),
        programming=GaussianNoise(relative=0.01, curve=Table((0.0, 1.0), (0.01, 0.02))),
        spread=Spread(0.1),
        reading=FlickerNoise(amplitude=0.01, read_time=1e-6),
        faults=Faults(stuck_low=0.05, open=0.01),
        pulses=PulseUpdate(pulses=64, down=20.0),  # up is infinite
        temperature=Arrhenius(energy=0.4, reference=300.0),
        kelvin=330.0,
    )


def test_devices_come_back_as_they_were_with_their_seed(tmp_path):
    devices = {
        "in->hidden": DifferentialPair(device=whole(), compensate=True, limit=2.0),
        "hidden->out": ReferenceColumn(
            device=hfox_reram(), wires=WireResistance(row=1.0, column=2.0, tile=(8, 4))
        ),
        "kind": Device(high=1e-6, levels=4),
    }
    save_devices(devices, tmp_path / "devices.json", seed=7)
    again, seed = load_devices(tmp_path / "devices.json")
    assert (again, seed) == (devices, 7)
    assert again["in->hidden"].device.pulses.up == float("inf")
    weights = torch.linspace(-1, 1, 12).reshape(3, 4)
    for name, device in list(devices.items())[:2]:
        read = [
            array.program(weights, generator(seed)).at(50.0).read(generator(seed, 1))
            for array in (device, again[name])
        ]
        assert torch.equal(*read)


@dataclass(frozen=True)
class Halving:
    """Noise of one's own."""

    share: float = 0.5

    def sigma(self, conductance, target, high, seconds):
        return self.share * conductance


def test_kind_of_ones_own_must_be_handed_over(tmp_path):
    path = tmp_path / "devices.json"
    device = Device(high=1e-6, reading=Halving(0.25))
    save_devices(device, path)
    with pytest.raises(FileError, match=r"must name kinds of .*, not 'Halving'; hand the classes"):
        load_devices(path)
    assert load_devices(path, kinds=[Halving]) == (device, None)


def test_function_in_a_device_is_not_written(tmp_path):
    device = Device(high=1e-6, reading=GaussianNoise(curve=lambda g: g))
    with pytest.raises(TypeError, match="GaussianNoise curve must be a dataclass or a number"):
        save_devices(device, tmp_path / "devices.json")
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    "change, message",
    [
        ({"spiker-devices": 2}, "must be 'spiker-devices' of version 1, not 2"),
        ({"seed": -1}, "seed must be a whole number of at least 0, not -1"),
        ({"devices": {"a": {"kind": "Spread", "values": {"sigma": 0.1}}}}, "must be of devices"),
        ({"devices": {"a": {"kind": "Device", "values": {"high": -1}}}}, "greater than 0"),
        ({"devices": {"a": {"kind": "Device", "values": {"hihg": 1}}}}, "hihg"),
        ({"devices": []}, "a file of devices in JSON, whole"),
    ],
    ids=["version", "seed", "no-device", "range", "parameter", "list"],
)
def test_damaged_file_is_refused(tmp_path, change, message):
    path = tmp_path / "devices.json"
    save_devices({"a": Device(high=1e-6)}, path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(FileError, match=message):
        load_devices(path)
