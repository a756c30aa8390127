"""Tests of files of the state of a network."""

import pytest
import torch

from spiker_hdl.model import FileError
from spiker_train import load_network_state, save_floating_point, save_network_state
from tests.support.timed import random_spikes, timed_network


def test_run_goes_on_from_a_state_that_was_saved(tmp_path):
    net, x = timed_network(0), random_spikes()
    begin = net(x[:, :10], dt=1e-3)
    save_network_state(begin.after, tmp_path / "state.safetensors")
    state = load_network_state(tmp_path / "state.safetensors")
    assert state.clock == begin.after.clock
    with torch.no_grad():
        expected, actual = (net(x[:, 10:], dt=5e-4, start=s) for s in (begin.after, state))
    assert torch.equal(expected.scores, actual.scores)
    assert expected.times.tolist() == actual.times.tolist()
    for name, spikes in expected.spikes.items():
        assert torch.equal(spikes, actual.spikes[name])


def test_what_is_no_state_is_refused(tmp_path):
    net = timed_network(0)
    path = tmp_path / "net.safetensors"
    save_floating_point(net, path)
    with pytest.raises(FileError, match="must say of itself 'spiker-network-state', not"):
        load_network_state(path)
    with pytest.raises(TypeError, match="State must be a NetworkState"):
        save_network_state(net, path)
    with pytest.raises(FileError):
        load_network_state(__file__)
