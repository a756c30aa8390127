"""Linear layers on the spikes of the last neurons, as populations that sum and never fire."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from spiker_hdl.model import Accumulator, Decay, Integrator
from spiker_train.network.cell import Cell
from spiker_train.network.layers import Layer

__all__ = ["Head", "head_of", "of_record"]

NEAR = 1e-6


@dataclass
class Head:
    r"""Values that are linear in spikes, with the same weights in each step.

    With the spikes :math:`s_t` of step :math:`t`, the values are

    .. math::

        y_t = \beta y_{t-1} + W s_t + b, \qquad y_{-1} = r

    Members
    -------
    weights : dict of str to array, shape (values, neurons)
        Weights :math:`W`, by the label of the spiking neurons.
    decay : float
        Factor :math:`\beta`: 1 where spikes are counted, 0 for the spikes of one step.
    bias : array, shape (values,)
        Bias :math:`b` of each step.
    rest : array, shape (values,)
        Initial value :math:`r`, which is added once per sample where spikes are counted.
    name : str
        Name in messages.
    """

    weights: dict[str, np.ndarray]
    decay: float
    bias: np.ndarray
    rest: np.ndarray
    name: str

    @property
    def size(self) -> int:
        """Number of values."""
        return len(self.bias)

    @property
    def kind(self) -> str:
        """Name of the population that computes the head."""
        return "Accumulator" if self.decay == 1 else "Integrator"

    def potentials(self, spikes: dict[str, np.ndarray]) -> np.ndarray:
        """Return the values after each step, shape (steps, samples, values).

        ``spikes`` has, by label, arrays of the shape (steps, samples, neurons).
        """
        flowing = self.bias + sum(spikes[name] @ part.T for name, part in self.weights.items())
        potential, potentials = np.broadcast_to(self.rest, flowing.shape[1:]), []
        for current in flowing:
            potential = self.decay * potential + current
            potentials.append(potential)
        return np.stack(potentials)

    def layer(self, name: str) -> Layer:
        """Return the layer that computes the head."""
        rest = self.rest if self.rest.any() else 0.0
        if self.decay == 1:
            cell = Cell(Accumulator, v=rest)
        else:
            decay = Decay.shift(0) if self.decay == 0 else self.decay
            cell = Cell(Integrator, decay=decay, v=rest)
        return Layer(name, self.size, cell, self.bias if self.bias.any() else False)

    def arrangement(self, label: str) -> dict[str, Any]:
        """Return keywords of :class:`~.layers.Connection` for the weights from these neurons."""
        weights = self.weights[label]
        matrix = np.diag(weights)
        if weights.shape == (len(matrix), len(matrix)) and (weights == np.diag(matrix)).all():
            return {"weights": matrix.copy(), "kind": "one_to_one"}
        sparse = np.count_nonzero(weights) * 2 <= weights.size
        return {"weights": weights, "kind": "sparse" if sparse else "dense"}

    def __str__(self) -> str:
        kinds = {0.0: "spikes of a step", 1.0: "counted spikes"}
        kept = kinds.get(self.decay, f"spikes that leak by {self.decay:.6g}")
        where = "in each step" if self.bias.any() else "once in a sample"
        biased = self.bias.any() or self.rest.any()
        return f"{self.name} on {kept}" + (f" (its bias {where})" if biased else "")


def head_of(factors: dict[str, np.ndarray], added: np.ndarray, name: str) -> Head | None:
    """Return the head whose values have these factors, or None if there is none.

    Parameters
    ----------
    factors : dict of str to array, shape (values, steps, neurons)
        Factors of the spikes of each step, by the label of the spiking neurons.
    added : array, shape (values,)
        Constant; taken as added once per sample where spikes are counted, and else in each step.
    name : str
    """
    whole = np.concatenate(list(factors.values()), axis=2)
    last = whole[:, -1]
    size = float((last**2).sum())
    if size == 0:
        return None
    profile = np.einsum("ktn,kn->t", whole, last) / size
    if not np.allclose(whole, profile[None, :, None] * last[:, None], 0, NEAR * np.abs(last).max()):
        return None
    steps = len(profile)
    decay = float(profile[-2]) if steps > 1 else 0.0
    decay = 1.0 if abs(decay - 1) < NEAR else 0.0 if abs(decay) < NEAR else decay
    if not 0 <= decay <= 1:
        return None
    powers = decay ** np.arange(steps - 1, -1, -1.0)
    if not np.allclose(profile, powers, 0, NEAR):
        return None
    none = np.zeros_like(added)
    weights = {key: factor[:, -1] for key, factor in factors.items()}
    if decay == 1:
        return Head(weights, decay, none, added, name)
    return Head(weights, decay, added / powers.sum(), none, name)


def of_record(head: Head, spikes: dict[str, np.ndarray], record: np.ndarray) -> Head | None:
    """Return the head whose values after each step are recorded, or None.

    Parameters
    ----------
    head : Head
        Head as the last step shows it, from which it is not known yet whether the bias is added in
        each step or once.
    spikes : dict of str to array, shape (steps, samples, neurons)
    record : array, shape (steps, samples, values)
    """
    steps, none = len(record), np.zeros_like(head.bias)
    once = head.rest if head.decay == 1 else none
    in_each_step = head.rest / steps if head.decay == 1 else head.bias
    for bias, rest in ((in_each_step, none), (none, once)):
        head_of_record = Head(head.weights, head.decay, bias, rest, head.name)
        if np.allclose(head_of_record.potentials(spikes), record, NEAR, NEAR):
            return head_of_record
    return None
