"""How the differential equations of NIR become steps: the algebra, and what writers leave unsaid.

A membrane ``tau dv/dt = (v_leak - v) + r I`` over a step ``dt`` in which ``I`` is constant becomes

    ``v' = beta v + (1 - beta) (v_leak + r I)``

with ``beta = 1 - dt / tau`` by the rule ``"euler"`` (forward Euler) and ``beta = exp(-dt / tau)``
by ``"exponential"`` (the exact solution). So a cell has the decay ``beta``, its incoming weights
are multiplied by ``(1 - beta) r``, its bias is ``(1 - beta) (v_leak + r b)`` where a constant ``b``
flows in, and ``v_threshold`` and ``v_reset`` stay as they are. Without leak, ``dv/dt = r I``
becomes ``v' = v + dt r I`` by both rules.

A synapse ``tau_syn dI/dt = -I + w_in S`` becomes ``I' = alpha I + (1 - alpha) w_in S``. A cell
holds it in units of the potential that it adds in a step, as ``i = (1 - beta) (v_leak + r I)``:

    ``i' = alpha i + (1 - alpha) c + g S``, ``v' = beta v + i'``

with ``c = (1 - beta) v_leak``, ``g = (1 - beta) r (1 - alpha) w_in``: weights are multiplied by
``g``, the bias is ``(1 - alpha) c + g b``, and ``i`` rests at ``c``, which is no current. Where the
potential takes the current of the step before (``current="old"``), all connections are one step
later, and ``i`` rests at ``c - g b / alpha``, so that its first step still has no current.

After its step a neuron fires where ``v`` is above ``v_threshold``, and goes to ``v_reset``.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from spiker_hdl.base.checks import check_choice
from spiker_hdl.base.frozen import set_fields
from spiker_hdl.model import Accumulator, CurrentLif, If, Integrator, Lif
from spiker_hdl.model.neurons.library import check_reset_timing
from spiker_train.network.cell import Cell

from .files import Leaf

__all__ = ["RULES", "WRITERS", "Rules", "Stepped", "check_step"]

RULES = ("euler", "exponential")


def check_step(dt: Any) -> float:
    """Return a time step in seconds, or in whatever unit the time constants are."""
    if isinstance(dt, bool) or not isinstance(dt, int | float | np.integer | np.floating):
        raise TypeError(f"Time step dt must be a number, not {dt!r}")
    if not 0 < dt < float("inf"):
        raise ValueError(f"Time step dt must be positive and finite, not {dt!r}")
    return float(dt)


@dataclass(frozen=True)
class Stepped:
    """A node, as a cell that steps.

    Members
    -------
    cell : Cell
    gain : array of float, shape () or (size,)
        Factor of the incoming weights.
    bias : array of float, shape (size,), or None
    late : int
        Steps by which its connections are late beyond their own delays.
    """

    cell: Cell
    gain: np.ndarray
    bias: np.ndarray | None
    late: int = 0


@dataclass(frozen=True)
class Rules:
    """What turns nodes into cells.

    Parameters
    ----------
    dt : float
        Time of a step, in the unit of the time constants.
    rule : {"euler", "exponential"}
    reset : {"value", "subtract"}
        Whether a spike sets the potential to ``v_reset``, as NIR says, or takes ``v_threshold``
        from it, which NIR cannot say and some writers mean.
    reset_timing : str
        When the reset takes place, as for :class:`~spiker_hdl.model.SpikingNeuron`; NIR's is
        ``"immediate"``.
    fire : {">", ">="}
        NIR's is ``">"``.
    current : {"new", "old"}
        Which synaptic current a step adds to the potential: the one that the step's input has
        reached, or the one before.
    start : {"zero", "leak"}
        Whether potentials start at zero or at ``v_leak``; NIR does not say.
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
        """Return what a step loses, ``1 - beta``, of a time constant."""
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
        """Return the cell that a node is.

        Parameters
        ----------
        leaf : Leaf
            A neuron, an integrator, or a threshold alone.
        size : int
        constant : array of float, shape (size,), or None
            What flows in with every step.
        fires : Leaf, optional
            Threshold node behind an integrator; the two are one cell.
        """
        values = {one: value.reshape(-1) for one, value in leaf.values.items()}
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
        if "threshold" not in options:  # spikes that nobody takes, and that change nothing
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
    """Return one number where all neurons have the same."""
    return float(values[0]) if (values == values[0]).all() else values


def _plain(gain: np.ndarray, leaf: Leaf) -> np.ndarray:
    """Take a gain that is 1 but for the rounding of the node's numbers as 1."""
    return np.where(np.abs(gain - 1) <= 8 * leaf.precision, 1.0, gain)


# -- what writers leave unsaid -------------------------------------------------------------------


def _as_written(leaf: Leaf, rules: Rules) -> dict[str, Any]:
    return {}


def _norse(leaf: Leaf, rules: Rules) -> dict[str, Any]:
    """Undo that time constants were multiplied by dt; let inputs of LIFCell and IAFCell jump."""
    if leaf.kind == "IF":
        return {"r": leaf.values["r"] / rules.dt}
    found = {
        one: leaf.values[one] / rules.dt
        for one in ("tau", "tau_mem", "tau_syn")
        if one in leaf.values
    }
    if leaf.kind == "CubaLIF":
        found["w_in"] = found["tau_syn"] / rules.dt
    return found


def _rockpool(leaf: Leaf, rules: Rules) -> dict[str, Any]:
    """Let an input enter a synapse before it decays, and a membrane as it is."""
    if leaf.kind in {"Input", "Output"} and leaf.values["shape"] is not None:
        return {"shape": leaf.values["shape"][-1:]}  # before it, the batch of what it was made with
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
    """What a program that writes NIR means and does not write.

    Members
    -------
    rules : dict
        Arguments of :class:`Rules` where the caller gives none.
    mend : callable
        Returns the parameters of a node that are meant otherwise than NIR says.
    """

    rules: dict[str, Any]
    mend: Callable[[Leaf, Rules], dict[str, Any]] = field(default=_as_written)

    def meant(self, leaf: Leaf, rules: Rules) -> Leaf:
        """Return the node that the writer meant."""
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
