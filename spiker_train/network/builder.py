"""Networks that are built step by step: parts are added, replaced, changed and removed by name."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from spiker_hdl.base.checks import check_int, check_kind, check_name, shown
from spiker_hdl.model import Input, Neuron, Readout

from .cell import Cell, IntegerCell
from .coupling import WinnerTakeAll
from .layers import Connection, Layer
from .network import SpikingNetwork
from .ordering import in_order, layer_order
from .time import Duration, make_steps

__all__ = ["NetworkBuilder"]


@dataclass
class _Part:
    """A part as it was described: who makes it, and from which keywords."""

    make: Callable[..., Any]
    keywords: dict[str, Any]

    def build(self) -> Any:
        return self.make(**deepcopy(self.keywords))


class NetworkBuilder:
    """A network that is described part by part, in any order, and then built as a whole.

    Parts have names: those of inputs and layers are given, that of a connection is
    ``"source->target"`` where none is given, and that of a readout is its layer's. A description
    may be incomplete or contradictory as long as it grows; :meth:`build` checks it as a whole.

    The network does not depend on the order in which inputs, layers and connections were added:
    layers are updated in one order, a layer after those that reach it without delay, and by name
    where that leaves a choice; currents are added, and random weights drawn, in that order too.
    Readouts keep their order, since the first one gives the scores.

    Parameters
    ----------
    name : str
        Name of the network.
    seed : int
        Seed of the weights that are drawn at random.
    dt : float, optional
        Length of the steps, as for :class:`~.network.SpikingNetwork`.

    Examples
    --------
    >>> from spiker_hdl.model import Decay, Integrator, Lif
    >>> from spiker_train import NetworkBuilder
    >>> builder = NetworkBuilder("sum", seed=1)
    >>> builder.input("in", 4)
    >>> builder.layer("out", 2, Integrator, decay=Decay.shift(3))
    >>> builder.layer("hidden", 8, Lif, threshold=1.0, decay=Decay.shift(3))
    >>> builder.connect("in", "hidden")
    >>> builder.connect("hidden", "out")
    >>> builder.readout("out", "last")
    >>> builder.change("hidden", threshold=0.5)
    >>> builder.build().graph.order
    ('hidden', 'out')
    """

    def __init__(self, name: str = "network", *, seed: int = 0, dt: float | None = None):
        self.name = check_name("Network name", name)
        self.seed = check_int("Seed", seed, 0)
        self.dt = dt
        make_steps(dt, None, 1)  # checks it
        self._inputs: dict[str, _Part] = {}
        self._layers: dict[str, _Part] = {}
        self._connections: dict[str, _Part] = {}
        self._readouts: dict[str, _Part] = {}

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of all inputs, layers and connections that were added, in alphabetical order."""
        return tuple(sorted([*self._inputs, *self._layers, *self._connections]))

    # -- adding ----------------------------------------------------------------------------------

    def input(self, name: str, shape: int | tuple[int, ...], **options: Any) -> None:
        """Add an input.

        Parameters
        ----------
        name : str
        shape : int or tuple of int
            Number of channels, or their arrangement.
        **options
            Further fields of :class:`~spiker_hdl.model.Input`.

        Raises
        ------
        ValueError
            If the name is taken already.
        """
        self._add(self._inputs, name, Input, {"name": name, "shape": shape, **options})

    def layer(
        self,
        name: str,
        shape: int | tuple[int, ...],
        cell: type[Neuron] | Cell | IntegerCell | Neuron,
        *,
        bias: Any = False,
        coupling: WinnerTakeAll | None = None,
        **values: Any,
    ) -> None:
        """Add a layer.

        Parameters
        ----------
        name : str
        shape : int or tuple of int
            Number of neurons, or their arrangement.
        cell : type, Cell, IntegerCell or Neuron
            A neuron class, whose fields are ``values``, or a finished cell.
        bias : bool, float or array of float
        coupling : WinnerTakeAll, optional
            As for :class:`~.layers.Layer`.
        **values
            Keywords of :class:`~.cell.Cell`, where ``cell`` is a neuron class.

        Raises
        ------
        ValueError
            If the name is taken already.
        TypeError
            If there are values for a finished cell.
        """
        if values and not isinstance(cell, type):
            raise TypeError(
                f"Layer {name!r}: values must be of a neuron class, not of {shown(cell)}, which "
                "has its own"
            )
        keywords = _layer_keywords(name, shape, cell, bias, coupling, values)
        self._add(self._layers, name, _layer, keywords)

    def connect(self, source: str, target: str, weights: Any = None, **options: Any) -> None:
        """Add a connection.

        Parameters
        ----------
        source, target : str
            Names of an input or layer, and of a layer, which may be added later.
        weights : array of float, optional
        **options
            Further parameters of :class:`~.layers.Connection`.

        Raises
        ------
        ValueError
            If its name is taken already.
        """
        keywords = {"source": source, "target": target, "weights": weights, **options}
        self._add(self._connections, _connection_name(keywords), Connection, keywords)

    def readout(self, layer: str, kind: str, **options: Any) -> None:
        """Add a readout.

        Parameters
        ----------
        layer : str
            Name of the layer that is read, which may be added later.
        kind : str
            See :data:`~spiker_hdl.model.READOUTS`.
        **options
            Further fields of :class:`~spiker_hdl.model.Readout`.

        Raises
        ------
        ValueError
            If its name is taken already.
        """
        name = options.get("name") or layer
        if name in self._readouts:
            raise ValueError(f"Readout name must be new, not {shown(name)}, which is taken")
        keywords = {"population": layer, "kind": kind, **options}
        self._readouts[name] = _Part(Readout, keywords)

    # -- changing --------------------------------------------------------------------------------

    def change(self, name: str, /, **values: Any) -> None:
        """Give other values to some parameters of an input, layer or connection.

        Parameters
        ----------
        name : str
        **values
            Keywords with which the part could have been added. A layer of a neuron class takes the
            fields of its neurons, too.

        Raises
        ------
        ValueError
            If there is no such part, a connection would get a name that is taken, or another part
            a new one.
        TypeError
            If a value is of a finished cell, which cannot be changed but replaced.
        """
        parts = self._of(name)
        part = parts[name]
        keywords = dict(part.keywords)
        if parts is self._layers:
            own = {key: value for key, value in values.items() if key in keywords}
            cell = {key: value for key, value in values.items() if key not in keywords}
            if cell and not isinstance(keywords["cell"], type):
                raise TypeError(
                    f"Layer {name!r}: {', '.join(cell)} must be changed by cell=..., not by name: "
                    "its cell was finished before"
                )
            own["values"] = {**keywords["values"], **cell}
            values = own
        keywords.update(values)
        if "name" in values and parts is not self._connections:
            raise ValueError(f"Name of {name!r} must stay as it is, not {shown(values['name'])}")
        renamed = _connection_name(keywords) if parts is self._connections else name
        if renamed != name and renamed in self.parts:
            raise ValueError(f"Name must be new, not {shown(renamed)}, which is taken")
        del parts[name]
        parts[renamed] = _Part(part.make, keywords)

    def replace(
        self,
        name: str,
        cell: type[Neuron] | Cell | IntegerCell | Neuron,
        /,
        *,
        shape: int | tuple[int, ...] | None = None,
        bias: Any = False,
        coupling: WinnerTakeAll | None = None,
        **values: Any,
    ) -> None:
        """Replace the neurons of a layer; its connections and readouts stay.

        Parameters
        ----------
        name : str
        cell, bias, coupling, **values
            As for :meth:`layer`.
        shape : int or tuple of int, optional
            As for :meth:`layer`; as before, where none is given.

        Raises
        ------
        ValueError
            If there is no such layer.
        TypeError
            As for :meth:`layer`.
        """
        if name not in self._layers:
            raise ValueError(f"Layer must be one of {_listed(self._layers)}, not {shown(name)}")
        before = self._layers.pop(name)
        try:
            size = before.keywords["shape"] if shape is None else shape
            self.layer(name, size, cell, bias=bias, coupling=coupling, **values)
        except TypeError:
            self._layers[name] = before
            raise

    def remove(self, name: str) -> tuple[str, ...]:
        """Remove an input, layer or connection, and whatever cannot be without it.

        Parameters
        ----------
        name : str

        Returns
        -------
        removed : tuple of str
            The name, and those of the connections and readouts that went with it.

        Raises
        ------
        ValueError
            If there is no such part.
        """
        parts = self._of(name)
        del parts[name]
        if parts is self._connections:
            return (name,)
        links = [
            link
            for link, part in self._connections.items()
            if name in {part.keywords["source"], part.keywords["target"]}
        ]
        reads = [
            read for read, part in self._readouts.items() if part.keywords["population"] == name
        ]
        for link in links:
            del self._connections[link]
        for read in reads:
            del self._readouts[read]
        return (name, *links, *reads)

    # -- building --------------------------------------------------------------------------------

    def build(self) -> SpikingNetwork:
        """Return the network; the description stays, and can be changed and built again.

        Raises
        ------
        ValueError
            If a connection names no part, a cycle has no delay, or the parts do not fit together.
        TypeError
            If a part has a keyword that does not exist, or of a wrong type.
        """
        for name, part in self._connections.items():
            for end, known in (
                ("source", {**self._inputs, **self._layers}),
                ("target", self._layers),
            ):
                if part.keywords[end] not in known:
                    raise ValueError(
                        f"Connection {name!r}: {end} must be one of {_listed(known)}, "
                        f"not {shown(part.keywords[end])}"
                    )
        ends = self._ends()
        order = layer_order(self._layers, ends)
        return SpikingNetwork(
            [self._inputs[name].build() for name in sorted(self._inputs)],
            [self._layers[name].build() for name in order],
            [self._connections[name].build() for name in in_order(self._layers, ends)],
            [part.build() for part in self._readouts.values()],
            seed=self.seed,
            name=self.name,
            dt=self.dt,
        )

    def _ends(self) -> list[tuple[str, str, str, bool]]:
        """Return the name, the ends, and whether it has a delay, of each connection."""
        ends = []
        for name, part in self._connections.items():
            delay = part.keywords.get("delay", 0)
            late = not (delay == 0 or delay == Duration(0))
            ends.append((name, part.keywords["source"], part.keywords["target"], late))
        return ends

    # -- parts by name ---------------------------------------------------------------------------

    def _add(
        self,
        parts: dict[str, _Part],
        name: str,
        make: Callable[..., Any],
        keywords: dict[str, Any],
    ) -> None:
        name = check_name("Name", name)
        if name in self.parts:
            raise ValueError(f"Name must be new, not {shown(name)}, which is taken")
        parts[name] = _Part(make, keywords)

    def _of(self, name: str) -> dict[str, _Part]:
        for parts in (self._inputs, self._layers, self._connections):
            if name in parts:
                return parts
        raise ValueError(f"Part must be one of {_listed(self.parts)}, not {shown(name)}")


def _layer(
    name: str,
    shape: int | tuple[int, ...],
    cell: Any,
    bias: Any,
    coupling: WinnerTakeAll | None,
    values: dict[str, Any],
) -> Layer:
    if isinstance(cell, type):
        cell = Cell(cell, **values)
    return Layer(name, shape, cell, bias, coupling)


def _layer_keywords(
    name: str, shape: Any, cell: Any, bias: Any, coupling: Any, values: dict[str, Any]
) -> dict:
    if isinstance(cell, type) and not issubclass(cell, Neuron):
        check_kind(f"Cell of layer {name!r}", cell, Neuron)
    keywords = {"name": name, "shape": shape, "cell": cell, "bias": bias, "coupling": coupling}
    return keywords | {"values": values}


def _connection_name(keywords: dict[str, Any]) -> str:
    if keywords.get("name"):
        return keywords["name"]
    delay = keywords.get("delay", 0)
    # Projections name themselves by ends and delay; one place says how.
    return Connection(keywords["source"], keywords["target"], delay=delay).name


def _listed(names: Any) -> str:
    return ", ".join(map(repr, sorted(names))) or "none, since there is none yet"
