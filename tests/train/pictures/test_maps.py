"""Tests of pictures of convolutional layers."""

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from spiker_train import SpikingNetwork, quantize
from spiker_train.pictures import draw_kernels, draw_maps


def test_kernels_are_drawn_by_output_and_input_channel():
    net = SpikingNetwork.chain("2x6x6-3c3-p2-2", seed=1)
    figure = draw_kernels(net, "input->hidden")
    drawn = np.array([axis.images[0].get_array() for axis in figure.axes[:-1]])
    kernel = net.connections[0].weights.detach().double().numpy()
    np.testing.assert_array_equal(drawn.reshape(kernel.shape), kernel)
    integers = quantize(net)
    panel = draw_kernels(integers, "input->hidden").axes[1].images[0]
    np.testing.assert_array_equal(panel.get_array(), integers.projections[0].synapses.kernel[0, 1])
    assert panel.get_clim() == (-8, 8)
    with pytest.raises(ValueError, match=r"one of \['input->hidden'\], not 'hidden->output'"):
        draw_kernels(net, "hidden->output")
    with pytest.raises(TypeError, match="Network must be a SpikingNetwork"):
        draw_kernels(3, "a")


def test_maps_are_drawn_by_channel_and_summed_over_steps():
    spikes = np.random.default_rng(0).integers(0, 2, (5, 3 * 4 * 2))
    figure = draw_maps(spikes, (3, 4, 2), title="sample 0")
    drawn = [axis.images[0].get_array() for axis in figure.axes[:3]]
    np.testing.assert_array_equal(drawn, spikes.sum(0).reshape(3, 4, 2))
    line = draw_maps(np.arange(6), (2, 3), label="potential").axes
    np.testing.assert_array_equal(line[1].images[0].get_array(), [[3, 4, 5]])
    assert line[-1].get_ylabel() == "potential"
    with pytest.raises(ValueError, match=r"must have the shape \(24,\) or \(steps, 24\), not"):
        draw_maps(np.zeros(23), (3, 4, 2))
    with pytest.raises(ValueError, match=r"Maps must have the shape \(channels, y, x\)"):
        draw_maps(np.zeros(24), 24)
