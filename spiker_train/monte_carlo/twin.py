"""Draws of devices in one built design, with the integers of the Monte-Carlo."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from spiker_hdl.base.checks import check_int, check_kind
from spiker_hdl.model import Dense, Mapping, Network, Result, reference

from .bit_faults import BitFaults
from .monte_carlo import MonteCarlo
from .neurons import NeuronSpread, draw_neurons

__all__ = ["Chip", "Twin"]


@dataclass(frozen=True)
class Chip:
    """A draw of a :class:`Twin`.

    Members
    -------
    network : Network
        What is loaded into the design, of the structure of the twin's network.
    clipped : int
        Number of weights that were clipped to their declared bits.
    """

    network: Network
    clipped: int


class Twin:
    """A design that is built once, and holds every draw of the devices.

    Scales, widths, biases and the declared bits of weights are those of the nominal network. A draw
    is what the devices hold of the nominal integers, rounded and clipped to the declared bits; it
    is loaded into the writable memories of the design, which is not built anew. A Monte-Carlo of
    the same seed computes with the same integers.

    Parameters
    ----------
    network : Network
        The nominal network.
    devices, seed, neurons, bit_faults
        As for :class:`~spiker_train.MonteCarlo`.
    mapping : Mapping, optional
        How the network is mapped to hardware; the default where none is given. All populations are
        made writable.

    Members
    -------
    network : Network
        The network to build, with dense weights of the declared bits.
    mapping : Mapping
        The mapping to build it with.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit, or neurons cannot keep their states in range with every weight.
    """

    def __init__(
        self,
        network: Network,
        devices: Any,
        seed: int,
        *,
        mapping: Mapping | None = None,
        neurons: NeuronSpread | None = None,
        bit_faults: BitFaults | None = None,
    ):
        check_kind("Network", network, Network)
        self._options: dict[str, Any] = {"neurons": neurons, "bit_faults": bit_faults}
        self._nominal, self._devices, self._seed = network, devices, seed
        self._study = self.monte_carlo(1)
        names = [population.name for population in network.populations]
        mapping = Mapping.default(network) if mapping is None else mapping
        self.mapping = mapping.with_writable(network, names)
        self.network = replace(
            network,
            projections=[
                replace(
                    projection,
                    synapses=Dense(projection.synapses.matrix()),
                    bits=projection.width,
                )
                for projection in network.projections
            ],
        )

    def monte_carlo(self, draws: int, **options: Any) -> MonteCarlo:
        """Return a Monte-Carlo of the same draws.

        Parameters
        ----------
        draws : int
        **options
            ``times``, ``batch``, ``stack`` and ``memory`` of a
            :class:`~spiker_train.MonteCarlo`.
        """
        return MonteCarlo(
            self._nominal, self._devices, draws, self._seed, **self._options, **options
        )

    def chip(self, draw: int, seconds: float = 0.0) -> Chip:
        """Return the network of a draw at a time after programming."""
        draw = check_int("Draw", draw, 0)
        weights, clipped = self._study.drawn(draw, seconds)
        projections = []
        for projection, connection in zip(
            self.network.projections, self._study.net.connections, strict=True
        ):
            if projection.name in weights:
                values = weights[projection.name]
                if connection.mask is not None:
                    values = values * connection.mask
                if connection.kind == "one_to_one":
                    values = values.diag()
                integers = (values / 2.0**projection.shift).round().long().numpy()
                if connection.convolution is not None:
                    integers = connection.convolution.with_values(integers).matrix()
                projection = replace(projection, synapses=Dense(integers))
            projections.append(projection)
        populations = list(self.network.populations)
        if self._study.neurons is not None:
            drawn = draw_neurons(self._study.net, self._study.neurons, self._seed, draw)
            for n, population in enumerate(populations):
                changes = {
                    field: tuple(int(value) for value in values.tolist())
                    for (name, field), values in drawn.items()
                    if name == population.name
                }
                if changes:
                    neuron = population.neuron.with_values(changes)
                    populations[n] = replace(population, neuron=neuron)
        network = replace(self.network, populations=populations, projections=projections)
        return Chip(network, clipped)

    def differences(
        self,
        draws: Iterable[int],
        spikes: Any,
        run: Callable[[Network, Any], Result],
        seconds: float = 0.0,
    ) -> list[str]:
        """Return in what draws differ between the reference and an engine, empty where in nothing.

        Parameters
        ----------
        draws : iterable of int
        spikes : array of int, or mapping from input names to such
        run : callable
            Takes the network of a draw and the spikes, loads and runs it, and returns a result;
            such as ``partial(spiker_hdl.run, engine="compiled", mapping=twin.mapping,
            built=twin.network)``, which builds the design once and loads each draw into it.
        seconds : float
        """
        found = []
        for draw in draws:
            network = self.chip(draw, seconds).network
            expected = reference.run(network, spikes)
            found += [f"draw {draw}: {text}" for text in expected.differences(run(network, spikes))]
        return found
