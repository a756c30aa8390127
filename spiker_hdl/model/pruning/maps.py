"""Nodes whose neurons are maps, of which whole channels are removed."""

from spiker_hdl.model.network import Network
from spiker_hdl.model.synapses.convolution import Convolution

__all__ = ["map_channels"]


def map_channels(network: Network) -> dict[str, int]:
    """Return how many channels the maps have between which there are convolutions or pooled sums.

    Returns
    -------
    dict of str to int
        By input and population; 1 where no channel may be removed without the others, since
        convolutions divide them into groups, or count them differently.
    """
    counts: dict[str, int] = {}

    def take(name: str, channels: int) -> None:
        counts[name] = channels if counts.get(name, channels) == channels else 1

    for projection in network.projections:
        synapses, pooling = projection.synapses, projection.pooling
        if isinstance(synapses, Convolution):
            grouped = synapses.groups > 1
            take(projection.source, 1 if grouped else synapses.shape[0])
            take(projection.target, 1 if grouped else synapses.target_shape[0])
        if pooling is not None:
            take(projection.target, pooling.shape[0])
    return counts
