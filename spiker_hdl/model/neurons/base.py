"""The base class of neuron models: settings, parameters, states, and one ``step``."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import Field, dataclass, field, fields, replace
from functools import cached_property
from types import SimpleNamespace
from typing import Any, ClassVar

from spiker_hdl.base.checks import check_int, check_ints
from spiker_hdl.base.conversions import plain
from spiker_hdl.base.frozen import set_fields

from .arithmetic import INTEGERS, Arithmetic, Decay

__all__ = [
    "MAX_RECEPTORS",
    "Component",
    "Neuron",
    "Parameter",
    "State",
    "chosen",
    "parameter",
    "signed_range",
    "signed_width",
    "state",
]

MAX_RECEPTORS = 16
"""Greatest number of receptors of a neuron."""

Bound = int | str | tuple[int, int] | Callable[[Any], tuple[int, int]]


def signed_range(width: int) -> tuple[int, int]:
    """Return the minimum and maximum of ``width`` bits in two's complement."""
    width = check_int("Width", width, 1)
    return -(2 ** (width - 1)), 2 ** (width - 1) - 1


def signed_width(low: int, high: int) -> int:
    """Return the bits of two's complement that hold ``low..high``."""
    return (
        max((~low if low < 0 else low).bit_length(), (~high if high < 0 else high).bit_length()) + 1
    )


def parameter(
    within: Bound,
    *,
    default: Any = None,
    scales: bool = False,
    counts: bool = False,
    since: int = 0,
) -> Any:
    """Declare a parameter of a neuron: a field with one integer, or one per neuron.

    Parameters
    ----------
    within : int, str, (int, int) or callable
        Its range: a number of signed bits, the name of the setting that holds that number, both
        ends, or a function of the neuron that returns both ends.
    default : int, optional
        Value where none is given.
    scales : bool
        Whether it is in units of the potential, so that quantisation divides it by the scale.
    counts : bool
        Whether it is a number of time steps, which is not learned.
    since : int
        Version of the format of network files that first has it. It is omitted from files where it
        has its default. 0 is for a parameter that is in all files.
    """
    metadata = {"role": "parameter", "within": within, "scales": scales, "counts": counts}
    metadata |= {"later": since} if since else {}
    if default is None:
        return field(kw_only=True, metadata=metadata)
    return field(default=default, kw_only=True, metadata=metadata)


def state(within: Bound, *, rest: int = 0, scales: bool = True) -> Any:
    """Declare a state of a neuron: a field that holds its value at rest, one or one per neuron.

    Parameters
    ----------
    within : int, str, (int, int) or callable
        Its range, as for :func:`parameter`.
    rest : int
        Value at the start of a sample where none is given.
    scales : bool
        Whether it is in units of the potential.
    """
    metadata = {"role": "state", "within": within, "scales": scales}
    return field(default=rest, kw_only=True, metadata=metadata)


@dataclass(frozen=True)
class Parameter:
    """A parameter's value, one or one per neuron, and declared range.

    Members
    -------
    value : int or tuple of int
    low, high : int
    scales : bool
    """

    value: int | tuple[int, ...]
    low: int
    high: int
    scales: bool


@dataclass(frozen=True)
class State:
    """A state's value at rest, one or one per neuron, and declared range.

    Members
    -------
    rest : int or tuple of int
    low, high : int
    scales : bool
    """

    rest: int | tuple[int, ...]
    low: int
    high: int
    scales: bool


def check_declared(kind: type) -> None:
    """Check how a neuron class declares its fields.

    Raises
    ------
    TypeError
        If the class is no dataclass, so that its declarations are not fields.
    ValueError
        If the range of a parameter or state is given by a setting that does not exist, a field
        has the name ``time_step``, or a neuron both fires and has a value as output.
    """
    for name, value in vars(kind).items():
        if isinstance(value, Field):
            raise TypeError(
                f"{kind.__name__} must be a dataclass for {name!r} to be a field of it: write "
                "@dataclass(frozen=True) above the class"
            )
    for declared in fields(kind):
        setting = declared.metadata.get("within")
        names = [other.name for other in fields(kind)]
        if declared.name == "time_step":
            raise ValueError(
                f"{kind.__name__}: a field must not be named 'time_step', which is the length of "
                "the present step in every step's parameters"
            )
        if isinstance(setting, str) and setting not in names and not hasattr(kind, setting):
            settings = [f.name for f in fields(kind) if "role" not in f.metadata]
            raise ValueError(
                f"{kind.__name__} {declared.name}: the setting that holds its bits must be one of "
                f"{', '.join(map(repr, settings)) or 'none'}, not {setting!r}, which does not exist"
            )
    if getattr(kind, "output", None) is not None and getattr(kind, "spiking", False) is True:
        raise ValueError(
            f"{kind.__name__} must either fire or have a value as output, not both: let `spiking` "
            "be False"
        )


def chosen(value: Any, indices: Any) -> Any:
    """Return the values of some neurons, where there is one for each."""
    return tuple(value[n] for n in indices) if isinstance(value, tuple) else value


@dataclass(frozen=True)
class Component:
    """A frozen dataclass with declared parameters and states: a neuron model, or a part of one.

    Fields made by :func:`parameter` are parameters, those made by :func:`state` are states, those
    that hold a :class:`~.arithmetic.Decay` are parameters too; all others are settings.
    """

    def __new__(cls, *_: Any, **__: Any):
        check_declared(cls)
        return super().__new__(cls)

    def __post_init__(self) -> None:
        self._make_plain()
        for name, operand in {**self.parameters, **self.states}.items():
            value = operand.value if isinstance(operand, Parameter) else operand.rest
            what = f"{type(self).__name__} {name.replace('_', ' ')}"
            check_ints(what, value, operand.low, operand.high)

    def _make_plain(self) -> None:
        # Before any check: with a width of 8 as an np.int8, 2 ** (width - 1) would overflow.
        for declared in fields(self):
            value = getattr(self, declared.name)
            set_fields(self, **{declared.name: plain(value)})

    def _ends(self, within: Bound) -> tuple[int, int]:
        if callable(within):
            return within(self)
        ends: Any = plain(getattr(self, within) if isinstance(within, str) else within)
        return ends if isinstance(ends, tuple) else signed_range(ends)

    @cached_property
    def parameters(self) -> Mapping[str, Parameter]:
        """Parameters by name, decays as their numerators."""
        parameters = {}
        for declared in fields(self):
            value = getattr(self, declared.name)
            if declared.metadata.get("role") == "parameter":
                ends = self._ends(declared.metadata["within"])
                parameters[declared.name] = Parameter(value, *ends, declared.metadata["scales"])
            elif isinstance(value, Decay):
                parameters[declared.name] = Parameter(value.numerator, 0, 2**value.bits, False)
        return parameters

    @property
    def replaceable(self) -> dict[str, tuple[int, int]]:
        """Ranges of the parameters that can be replaced where a population is writable."""
        return {
            name: (parameter.low, parameter.high)
            for name, parameter in self.parameters.items()
            if parameter.scales
        }

    @cached_property
    def states(self) -> Mapping[str, State]:
        """States by name."""
        return {
            declared.name: State(
                getattr(self, declared.name),
                *self._ends(declared.metadata["within"]),
                declared.metadata["scales"],
            )
            for declared in fields(self)
            if declared.metadata.get("role") == "state"
        }

    @cached_property
    def settings(self) -> Mapping[str, Any]:
        """Fields that are neither parameters nor states."""
        return {
            declared.name: getattr(self, declared.name)
            for declared in fields(self)
            if "role" not in declared.metadata
            and not isinstance(getattr(self, declared.name), Decay)
        }

    def bind(self, operands: Mapping[str, Any]) -> SimpleNamespace:
        """Return the parameters of a step from an operand for each of :attr:`parameters`.

        The length of the step, ``time_step``, is 1.
        """
        bound = SimpleNamespace(time_step=1, **operands)
        for name in operands:
            own = getattr(self, name)
            if isinstance(own, Decay):
                setattr(bound, name, Decay.of(operands[name], own.bits))
        return bound

    @property
    def sizes(self) -> set[int]:
        """Numbers of neurons for which there are values per neuron."""
        values = [p.value for p in self.parameters.values()]
        values += [s.rest for s in self.states.values()]
        return {len(value) for value in values if isinstance(value, tuple)}

    def with_values(self, values: Mapping[str, Any]) -> Any:
        """Return the component with other values of some parameters or states, by their names."""
        return replace(self, **values)

    def choose(self, indices: Any) -> Any:
        """Return the component for some of the neurons, by their indices."""
        changes: dict[str, Any] = {}
        for declared in fields(self):
            value = getattr(self, declared.name)
            if isinstance(value, Decay):
                changes[declared.name] = Decay(chosen(value.numerator, indices), value.bits)
            elif isinstance(value, Component):
                changes[declared.name] = value.choose(indices)
            elif "role" in declared.metadata:
                changes[declared.name] = chosen(value, indices)
        return replace(self, **changes)


@dataclass(frozen=True)
class Neuron(Component):
    """A neuron model: a frozen dataclass with declared fields and one ``step``.

    A subclass is a frozen dataclass. Its fields made by :func:`parameter` are parameters, those
    made by :func:`state` are states, those that hold a :class:`~.arithmetic.Decay` are parameters
    too; all others are settings, which shape the equations and are the same for all neurons.

    Attributes
    ----------
    spiking : bool
        Whether neurons fire, so that :meth:`step` returns which do.
    output : int, str, (int, int) or callable, optional
        Range of the value that neurons emit in each step, for neurons whose output is a value,
        such as dendrites: as for :func:`parameter`, from at most 0 to at least 1. :meth:`step`
        then returns the value; 0 is no event. It does not scale with the potential: a step divides
        by a setting that does, as that of ``Dendrite``. Such neurons do not fire: ``spiking`` is
        False.
        Neurons that neither fire nor have an output emit nothing, and :meth:`step` returns None.
    potential : str
        The state that a readout of potentials compares.
    receptors : int
        Number of receptors: of the input currents that :meth:`step` takes, each the sum of the
        weighted events of the projections that name it.
    bias_receptor : int
        Receptor at which the bias is added.
    """

    spiking: ClassVar[bool] = True
    output: ClassVar[Any] = None
    potential: ClassVar[str] = "v"
    receptors: ClassVar[int] = 1
    bias_receptor: ClassVar[int] = 0

    @property
    def event_range(self) -> tuple[int, int] | None:
        """Range of the value of an event: (0, 1) for a spike, None if no events are emitted."""
        output = type(self).output  # of the class, where a function is not a bound method
        if output is not None:
            return self._ends(output)
        return (0, 1) if self.spiking else None

    @property
    def emits(self) -> bool:
        """Whether neurons emit events, which are spikes or values."""
        return self.event_range is not None

    def step(self, p: Any, s: Any, current: Any, via: Arithmetic = INTEGERS) -> tuple[Any, dict]:
        """Advance one time step.

        Parameters
        ----------
        p : namespace
            Parameters, by name, and ``time_step``: the length of the present step, in the unit of
            parameters that count steps, which is 1 in integers. Only a state that counts down to
            the end of a time may read it.
        s : namespace
            States before the step, by name.
        current : operand
            Sum of the weighted input events of this step, and the bias; with several receptors, a
            sequence of such sums, one for each receptor.
        via : Arithmetic
            Operations on such operands.

        Returns
        -------
        fired : test, operand or None
            Whether the neuron fires; for a neuron whose output is a value, this value.
        after : dict
            States after the step, by name.
        """
        raise NotImplementedError(f"{type(self).__name__} must define step(p, s, current, via)")

    def check_settings(self) -> None:
        """Check the settings that mean the same in integers and in floating point.

        ``__post_init__`` of a model calls it, and so does a cell in floating point, whose
        parameters and states are no integers.

        Raises
        ------
        ValueError
            If a setting is unknown or out of range.
        """

    def as_current(self, currents: Sequence[Any]) -> Any:
        """Return currents, one for each receptor, as :meth:`step` takes them.

        Raises
        ------
        ValueError
            If there are more or fewer than receptors.
        """
        if len(currents) != self.receptors:
            raise ValueError(
                f"Currents must be those of {self.receptors} receptors, not {len(currents)}"
            )
        return currents if self.receptors > 1 else currents[0]
