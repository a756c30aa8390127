r"""Rules that turn the differential equations of NIR into time steps, and conventions of writers.

A membrane with potential :math:`v`, leak potential :math:`v_\mathrm{leak}`, resistance :math:`r`
and input current :math:`I`,

.. math::

    \tau \frac{dv}{dt} = (v_\mathrm{leak} - v) + r I

becomes, over a step :math:`\Delta t` in which :math:`I` is constant,

.. math::

    v' = \beta v + (1 - \beta)(v_\mathrm{leak} + r I)

with :math:`\beta = 1 - \Delta t / \tau` by the rule ``"euler"`` (forward Euler) and
:math:`\beta = e^{-\Delta t / \tau}` by ``"exponential"`` (the exact solution). So the cell has
the decay :math:`\beta`, its incoming weights are multiplied by :math:`(1 - \beta) r`, and its bias
is :math:`(1 - \beta)(v_\mathrm{leak} + r b)` for a constant input :math:`b`; ``v_threshold`` and
``v_reset`` stay as they are. Without leak, :math:`dv/dt = r I` becomes
:math:`v' = v + \Delta t\, r I` by both rules.

A synapse with input spikes :math:`S`, :math:`\tau_\mathrm{syn}\, dI/dt = -I + w_\mathrm{in} S`,
becomes :math:`I' = \alpha I + (1 - \alpha) w_\mathrm{in} S`. A cell stores the current in units of
the potential that it adds in a step, :math:`i = (1 - \beta)(v_\mathrm{leak} + r I)`:

.. math::

    i' &= \alpha i + (1 - \alpha) c + g S \\
    v' &= \beta v + i'

with :math:`c = (1 - \beta) v_\mathrm{leak}` and
:math:`g = (1 - \beta)\, r\, (1 - \alpha)\, w_\mathrm{in}`. Weights are multiplied by :math:`g`,
the bias is :math:`(1 - \alpha) c + g b`, and :math:`i` starts at :math:`c`, which is zero
current. Where the potential takes the current of the step before (``current="old"``), all
connections have one more step of delay, and :math:`i` starts at :math:`c - g b / \alpha`, so
that the current of the first step is still zero.

After its step a neuron fires where :math:`v` is above ``v_threshold``, and is reset to ``v_reset``.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from spiker_hdl.base.checks import check_choice
from spiker_hdl.base.frozen import set_fields
from spiker_hdl.model import Accumulator, CurrentLif, If, Integrator, Lif
from spiker_hdl.model.neurons.spiking import check_reset_timing
from spiker_train.network.cell import Cell

from .files import Leaf

__all__ = ["RULES", "WRITERS", "Rules", "Stepped", "check_step"]

RULES = ("euler", "exponential")


def check_step(dt: Any) -> float:
    """Return a checked time step, in the unit of the time constants."""
    if isinstance(dt, bool) or not isinstance(dt, int | float | np.integer | np.floating):
        raise TypeError(f"Time step dt must be a number, not {dt!r}")
    if not 0 < dt < float("inf"):
        raise ValueError(f"Time step dt must be positive and finite, not {dt!r}")
    return float(dt)


@dataclass(frozen=True)
class Stepped:
    """The cell of a node.

    Members
    -------
    cell : Cell
    gain : array of float, shape () or (size,)
        Factor of the incoming weights.
    bias : array of float, shape (size,), or None
    late : int
        Steps of delay that its connections have in addition to their own.
    """

    cell: Cell
    gain: np.ndarray
    bias: np.ndarray | None
    late: int = 0


@dataclass(frozen=True)
class Rules:
    """The rules by which nodes are turned into cells.

    Parameters
    ----------
    dt : float
        Time of a step, in the unit of the time constants.
    rule : {"euler", "exponential"}
    reset : {"value", "subtract"}
        Whether a spike sets the potential to ``v_reset``, as NIR defines it, or subtracts
        ``v_threshold``, which NIR cannot express and some writers mean.
    reset_timing : str
        When the reset takes place, as for :class:`~spiker_hdl.model.SpikingNeuron`; NIR's is
        ``"immediate"``.
    fire : {">", ">="}
        NIR's is ``">"``.
    current : {"new", "old"}
        Synaptic current that a step adds to the potential: the current with the input of this
        step, or the one before.
    start : {"zero", "leak"}
        Initial value of the potentials, zero or ``v_leak``, which NIR does not define.
    """

    dt: float
    rule: str = "euler"
    reset: str = "value"
    reset_timing: str = "immediate"
    fire: str = ">"
    current: str = "new"
    start: str = "zero"

    def __post_init__(self) -> None:
        set_fields(self, dt=check_step(self.dt))
        check_choice("Rule", self.rule, RULES)
        check_choice("Reset", self.reset, ("value", "subtract"))
        check_reset_timing(self.reset, self.reset_timing)
        check_choice("Fire", self.fire, (">", ">="))
        check_choice("Current", self.current, ("new", "old"))
        check_choice("Start", self.start, ("zero", "leak"))

    def lost(self, leaf: Leaf, what: str) -> np.ndarray:
        """Return the share ``1 - beta`` that is lost in a step, for a time constant."""
        tau = leaf.values[what]
        if (tau <= 0).any():
            raise ValueError(f"{what} of {leaf} must be above 0, not {tau.min()}")
        if self.rule == "exponential":
            return -np.expm1(-self.dt / tau)
        if (tau < self.dt).any():
            raise ValueError(
                f"{what} of {leaf} must be at least dt = {self.dt} by the rule 'euler', "
                f"not {tau.min()}; take a smaller dt, or rule='exponential'"
            )
        return self.dt / tau

    def tau(self, what: str, beta: np.ndarray) -> np.ndarray:
        """Return the time constant of a decay factor below 1: the inverse of :meth:`lost`."""
        if self.rule == "euler":
            return self.dt / (1 - beta)
        if (beta <= 0).any():
            raise ValueError(
                f"{what} must be above 0 by the rule 'exponential', not {beta.min()}; "
                "take rule='euler'"
            )
        return -self.dt / np.log(beta)

    def step(
        self, leaf: Leaf, size: int, constant: np.ndarray | None, fires: Leaf | None = None
    ) -> Stepped:
        """Return the cell of a node.

        Parameters
        ----------
        leaf : Leaf
            A neuron, an integrator, or a threshold alone.
        size : int
        constant : array of float, shape (size,), or None
            Constant input of every step.
        fires : Leaf, optional
            Threshold node behind an integrator; the two are one cell.
        """
        values = {key: value.reshape(-1) for key, value in leaf.values.items()}
        if leaf.kind == "Threshold":
            options = self._firing(leaf, values["threshold"], None)
            return Stepped(Cell(Lif, decay=0.0, **options), np.ones(()), constant)
        options = {}
        if "v_threshold" in values:
            options = self._firing(leaf, values["v_threshold"], values["v_reset"])
        elif fires is not None:
            options = self._firing(fires, fires.values["threshold"].reshape(-1), None)
        if leaf.kind in {"I", "IF"}:
            gain = _plain(self.dt * values["r"], leaf)
            bias = None if constant is None else gain * constant
            return Stepped(Cell(If if options else Accumulator, **options), gain, bias)
        synapse = leaf.kind.startswith("Cuba")
        loss = self.lost(leaf, "tau_mem" if synapse else "tau").reshape(-1)
        options["decay"] = _one(1 - loss)
        if self.start == "leak":
            options["v"] = _one(values["v_leak"])
        gain = loss * values["r"]
        rest = loss * values["v_leak"]
        if not synapse:
            return self._stepped(leaf, Lif if "threshold" in options else Integrator, options,
                                 gain, rest, size, constant)  # fmt: skip
        short = self.lost(leaf, "tau_syn").reshape(-1)
        options["current_decay"] = _one(1 - short)
        gain = _plain(gain, leaf) * _plain(short * values["w_in"], leaf)
        options["i"] = _one(rest)
        if self.current == "old" and constant is not None and constant.any():
            if (short == 1).any():
                raise ValueError(
                    f"tau_syn of {leaf} must be above dt = {self.dt} where a bias flows in and "
                    "current='old'"
                )
            options["i"] = _one(rest - gain * constant / (1 - short))
        if "threshold" not in options:  # spikes without targets and without a reset
            options |= {"threshold": 0.0, "reset": "none"}
        late = int(self.current == "old")
        return self._stepped(leaf, CurrentLif, options, gain, short * rest, size, constant, late)

    def _stepped(
        self, leaf: Leaf, kind: type, options: dict, gain: np.ndarray, rest: np.ndarray, size: int,
        constant: np.ndarray | None, late: int = 0,
    ) -> Stepped:  # fmt: skip
        gain = _plain(gain, leaf)
        bias = None if constant is None else gain * constant
        if rest.any():
            bias = np.broadcast_to(rest, size) + (0.0 if bias is None else bias)
        return Stepped(Cell(kind, **options), gain, bias, late)

    def _firing(
        self, leaf: Leaf, threshold: np.ndarray, value: np.ndarray | None
    ) -> dict[str, Any]:
        options: dict[str, Any] = {"threshold": _one(threshold), "fire": self.fire}
        if value is None:
            return options | {"reset": "none"}
        if self.reset == "subtract":
            if value.any():
                raise ValueError(
                    f"v_reset of {leaf} must be 0 where the reset is to subtract, "
                    f"not {value[value != 0][0]}"
                )
            if (threshold < 0).any():
                raise ValueError(
                    f"v_threshold of {leaf} must be at least 0 to be subtracted, "
                    f"not {threshold.min()}"
                )
            options["reset"] = "subtract"
        elif value.any():
            options |= {"reset": "value", "reset_value": _one(value)}
        else:
            options["reset"] = "zero"
        return options | {"reset_timing": self.reset_timing}


def _one(values: np.ndarray) -> Any:
    """Return one number where all neurons have the same value."""
    return float(values[0]) if (values == values[0]).all() else values


def _plain(gain: np.ndarray, leaf: Leaf) -> np.ndarray:
    """Return 1 for a gain that differs from 1 by the rounding of the node's numbers alone."""
    return np.where(np.abs(gain - 1) <= 8 * leaf.precision, 1.0, gain)


# -- what writers leave unsaid -------------------------------------------------------------------


def _as_written(leaf: Leaf, rules: Rules) -> dict[str, Any]:
    return {}


def _norse(leaf: Leaf, rules: Rules) -> dict[str, Any]:
    """Return a node of Norse with time constants divided by dt, and inputs of cells that jump."""
    if leaf.kind == "IF":
        return {"r": leaf.values["r"] / rules.dt}
    scaled = {
        name: leaf.values[name] / rules.dt
        for name in ("tau", "tau_mem", "tau_syn")
        if name in leaf.values
    }
    if leaf.kind == "CubaLIF":
        scaled["w_in"] = scaled["tau_syn"] / rules.dt
    return scaled


def _rockpool(leaf: Leaf, rules: Rules) -> dict[str, Any]:
    """Return a node of Rockpool, whose input enters the synapse before the decay."""
    if leaf.kind in {"Input", "Output"} and leaf.values["shape"] is not None:
        return {"shape": leaf.values["shape"][-1:]}  # the axis before it is the batch of the writer
    if leaf.kind == "LI":  # a synapse alone
        loss = rules.lost(leaf, "tau")
        return {"r": (1 - loss) / loss}
    if leaf.kind == "LIF":
        return {"r": 1 / rules.lost(leaf, "tau")}
    if leaf.kind == "CubaLIF":
        loss = rules.lost(leaf, "tau_syn")
        return {"r": 1 / rules.lost(leaf, "tau_mem"), "w_in": (1 - loss) / loss}
    return {}


@dataclass(frozen=True)
class Writer:
    """The conventions of a program that writes NIR, which its files do not contain.

    Members
    -------
    rules : dict
        Default arguments of :class:`Rules`.
    mend : callable
        Returns the parameters of a node that are meant differently than NIR defines them.
    """

    rules: dict[str, Any]
    mend: Callable[[Leaf, Rules], dict[str, Any]] = field(default=_as_written)

    def meant(self, leaf: Leaf, rules: Rules) -> Leaf:
        """Return the node with the parameters that the writer meant."""
        return replace(leaf, values=leaf.values | self.mend(leaf, rules))


WRITERS = {
    "nir": Writer({}),
    "snntorch": Writer({"dt": 1e-4, "reset": "subtract", "reset_timing": "next_step"}),
    "norse": Writer({"dt": 1e-3, "start": "leak"}, _norse),
    "sinabs": Writer({"dt": 1.0, "rule": "exponential", "reset": "subtract", "fire": ">="}),
    "rockpool": Writer({"rule": "exponential", "reset": "subtract", "fire": ">="}, _rockpool),
}
"""Programs whose files :func:`~spiker_train.from_nir` reads as they are meant.

snnTorch 1.0.0 writes decays as time constants at ``dt = 1e-4`` and loses the reset: its default
subtracts, one step late. Norse 1.1.0 multiplies time constants by its ``dt``, and writes inputs
that jump (of ``LIFCell`` into the current, of ``IAFCell`` into the potential) as if they flowed;
its potentials start at ``v_leak``. sinabs 2.0.3 has time constants in steps, subtracts, and fires
at the threshold. Rockpool 3.1.0 lets an input enter the synapse before it decays, subtracts,
and fires at the threshold; its ``dt`` is not in the file.
"""
