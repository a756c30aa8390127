"""Pictures of convolutional layers: their kernels, and their activity as maps."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from spiker_hdl.base.checks import check_kind, check_shape, shown
from spiker_hdl.base.conversions import number_array
from spiker_hdl.model import Convolution, Network
from spiker_train.network.network import SpikingNetwork

from .style import FAINT, INK, blank, plain

__all__ = ["draw_kernels", "draw_maps"]

MOST = 64
"""Most kernels or maps of a picture."""


def draw_kernels(net: SpikingNetwork | Network, name: str, *, title: str = "") -> Figure:
    """Draw the kernels of a convolution, red where positive and blue where negative.

    Rows are output channels and columns the channels that they receive, at most 64 kernels in all.

    Parameters
    ----------
    net : SpikingNetwork or Network
        In floating point or in integers.
    name : str
        Name of the connection.
    title : str

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    TypeError
        If it is no network.
    ValueError
        If there is no convolution of this name.
    """
    kernels: dict[str, np.ndarray] = {}
    if isinstance(net, Network):
        for projection in net.projections:
            if isinstance(projection.synapses, Convolution):
                kernels[projection.name] = projection.synapses.kernel
    else:
        check_kind("Network", net, SpikingNetwork)
        for connection in net.connections:
            if connection.kind == "convolution":
                kernels[connection.name] = connection.weights.detach().cpu().double().numpy()
    if name not in kernels:
        raise ValueError(f"Convolution must be one of {sorted(kernels)}, not {shown(name)}")
    kernel = kernels[name]
    if kernel.ndim == 3:  # of one axis
        kernel = kernel[:, :, None]
    columns = min(kernel.shape[1], 8)
    rows = min(len(kernel), MOST // columns)
    limit = float(np.abs(kernel).max()) or 1.0
    figure = blank(0.9 * columns + 1.2, 0.9 * rows + 0.6)
    axes = figure.subplots(rows, columns, squeeze=False)
    image = None
    for output, row in enumerate(axes):
        for channel, axis in enumerate(row):
            image = axis.imshow(kernel[output, channel], cmap="RdBu_r", vmin=-limit, vmax=limit)
            axis.set(xticks=[], yticks=[])
        row[0].set_ylabel(str(output), fontsize=9, color=INK)
    if image is not None:
        bar = figure.colorbar(image, ax=axes.ravel().tolist(), shrink=0.8)
        bar.set_label("weight", fontsize=9, color=INK)
        bar.ax.tick_params(labelsize=8, color=FAINT, labelcolor=INK)
    figure.suptitle(title or name, color=INK, fontsize=12)
    return figure


def draw_maps(values: Any, shape: Any, *, title: str = "", label: str = "spikes") -> Figure:
    """Draw values of the neurons of maps, such as the spikes of a sample: one panel a channel.

    Parameters
    ----------
    values : array, shape (neurons,) or (steps, neurons)
        Those of several steps are added.
    shape : (int, int, int) or (int, int)
        Channels, rows and columns; or channels and positions.
    title : str
    label : str
        What the values are.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    TypeError, ValueError
        If the values do not have the shape.
    """
    maps = check_shape("Maps", shape, 2**24)
    array = np.asarray(number_array("Values", values), dtype=np.float64)
    if not isinstance(maps, tuple) or len(maps) not in {2, 3}:
        raise ValueError(
            f"Maps must have the shape (channels, y, x) or (channels, x), not {shown(shape)}"
        )
    if array.ndim not in {1, 2} or array.shape[-1] != np.prod(maps):
        raise ValueError(
            f"Values must have the shape ({np.prod(maps)},) or (steps, {np.prod(maps)}), not "
            f"{array.shape}"
        )
    array = array.reshape(-1, *maps).sum(0)[:MOST]
    if len(maps) == 2:
        array = array[:, None]
    columns = min(len(array), 8)
    rows = -(-len(array) // columns)
    low, high = min(0.0, float(array.min())), float(array.max())
    figure = blank(1.2 * columns + 1.0, 1.3 * rows + 0.5)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    image = None
    for channel, (axis, part) in enumerate(zip(axes, array, strict=False)):
        image = axis.imshow(part, cmap="viridis", vmin=low, vmax=high or 1.0, aspect="auto")
        plain(axis, str(channel))
        axis.set(xticks=[], yticks=[])
    for axis in axes[len(array) :]:
        axis.remove()
    if image is not None:
        bar = figure.colorbar(image, ax=axes[: len(array)].tolist(), shrink=0.8)
        bar.set_label(label, fontsize=9, color=INK)
        bar.ax.tick_params(labelsize=8, color=FAINT, labelcolor=INK)
    figure.suptitle(title, color=INK, fontsize=12)
    return figure
