"""Third factors of rules: what reaches each target after the last step of a sample."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spiker_hdl.base.checks import check_choice, check_int, check_kind, check_name
from spiker_hdl.base.frozen import set_fields
from spiker_hdl.model.neurons.base import Component

from .rounding import scramble

if TYPE_CHECKING:
    from spiker_hdl.model.graph import Projection
    from spiker_hdl.model.network import Network

__all__ = ["FEEDBACK", "THIRD_FACTORS", "Feedback", "OutputDelta", "Reward", "ThirdFactor"]

FEEDBACK = {
    "symmetric": "the weights of the projection",
    "sign": "their signs: -1, 0 or 1",
    "random": "-1, 0 or 1 by chance, drawn once from the seed",
}
"""What errors are multiplied with on their way back."""


@dataclass(frozen=True)
class ThirdFactor(Component):
    """A value for each target, computed after the last step of a sample, before any weight changes.

    A subclass defines :meth:`range`, :meth:`compute` and, where it refers to parts of a network,
    :meth:`check`.
    """

    def range(self) -> tuple[int, int]:
        """Return the range of the values."""
        raise NotImplementedError

    def check(self, network: "Network", projection: "Projection") -> None:
        """Check that a network has what the factor refers to.

        Raises
        ------
        ValueError
            If it has not.
        """

    def compute(
        self,
        scores: Mapping[str, np.ndarray],
        weights: Mapping[str, np.ndarray],
        label: int | None,
        reward: int,
    ) -> np.ndarray:
        """Return the factor of each target, or one for all.

        Parameters
        ----------
        scores : mapping of str to array of int, shape (classes,)
            Scores of each readout after the last step.
        weights : mapping of str to array of int, shape (source size, target size)
            Weights of the projections that errors come back through, before they change.
        label : int or None
            Class of the sample; None where it is unknown.
        reward : int
            Reward of the sample.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class Reward(ThirdFactor):
    """One value for all targets, which the caller gives for each sample.

    Parameters
    ----------
    low, high : int
        Range of a reward, ``low <= 0 < high``, at most 4 bits and a sign: weights change by
        products with it.
    """

    low: int = -1
    high: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_int("Reward low", self.low, -16, 0)
        check_int("Reward high", self.high, 1, 16)

    def range(self) -> tuple[int, int]:
        return self.low, self.high

    def compute(self, scores, weights, label, reward) -> np.ndarray:
        return np.array([reward], dtype=np.int64)


@dataclass(frozen=True)
class OutputDelta(ThirdFactor):
    r"""Error of each class: its label minus a softmax with base 2, in small integers.

    .. math::

        q_k &= \lfloor (o_k - \max_j o_j) \, / \, 2^h \rfloor \\
        z_k &= \lfloor 2^{-\lceil -q_k / 8 \rceil}
            \operatorname{round}(2^{8 + (q_k \bmod 8) / 8}) \rfloor \\
        Z &= \text{the power of two nearest to } \textstyle\sum_k z_k \\
        e_k &= -\lfloor E z_k / Z + 1/2 \rfloor \quad (k \ne y) \\
        e_y &= \min(E, -\textstyle\sum_{k \ne y} e_k)

    :math:`o_k`
        score of class :math:`k`
    :math:`h`
        ``temperature``
    :math:`E`
        :math:`2^\text{levels}`
    :math:`y`
        label of the sample; without one, all errors are 0

    The targets of the projection are the neurons of the readout's population; the neurons of a
    group share the error of their class.

    Parameters
    ----------
    readout : str
        Name of the readout.
    temperature : int
        Shift of a score, 0 to 24: an increase of a score by ``8 * 2**temperature`` doubles its
        share.
    levels : int
        Bits of an error without its sign, 1 to 6.
    """

    readout: str
    temperature: int = 0
    levels: int = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        set_fields(self, readout=check_name("Readout of an error", self.readout))
        check_int("Temperature of an error", self.temperature, 0, 24)
        check_int("Levels of an error", self.levels, 1, 6)

    def range(self) -> tuple[int, int]:
        return -(2**self.levels), 2**self.levels

    def check(self, network: "Network", projection: "Projection") -> None:
        readout = self.find(network, projection)
        if readout.population != projection.target:
            raise ValueError(
                f"Projection {projection.name!r}: the error of readout {self.readout!r} must reach "
                f"{readout.population!r}, which it reads, not {projection.target!r}: let "
                "`third` be a Feedback"
            )

    def find(self, network: "Network", projection: "Projection") -> Any:
        """Return the readout in a network."""
        for readout in network.readouts:
            if readout.name == self.readout:
                return readout
        names = [readout.name for readout in network.readouts]
        raise ValueError(
            f"Projection {projection.name!r}: the readout of an error must be one of {names}, not "
            f"{self.readout!r}"
        )

    def compute(self, scores, weights, label, reward) -> np.ndarray:
        values = scores[self.readout].astype(np.int64)
        if label is None:
            return np.zeros(len(values), dtype=np.int64)
        shares = (values - values.max()) >> self.temperature
        table = np.array([round(2 ** (8 + n / 8)) for n in range(8)], dtype=np.int64)
        z = table[shares & 7] >> np.minimum(-(shares >> 3), 62)
        total = int(z.sum())
        power = total.bit_length() - 1
        power += 2 * total >= 3 << power
        errors = -((z * 2 ** (self.levels + 1) + 2**power) >> (power + 1))
        errors[label] = 0
        errors[label] = min(2**self.levels, -int(errors.sum()))
        return errors


@dataclass(frozen=True)
class Feedback(ThirdFactor):
    r"""Errors of classes that come back through a projection.

    .. math::

        d_j &= \textstyle\sum_k e_k B_{kj} \\
        L_j &= \operatorname{sign}(d_j) \, \min(\lfloor 2^{-s} |d_j| + 1/2 \rfloor, \, \text{limit})

    :math:`e_k`
        ``error`` of class :math:`k`
    :math:`B`
        feedback: see :data:`FEEDBACK`
    :math:`s`
        ``shift``

    With the weights of the projection, it is backpropagation; random weights in their place are
    feedback alignment (Lillicrap et al., Nature Communications 7, 2016).

    Parameters
    ----------
    error : OutputDelta
    projection : str
        Name of the projection from this rule's target to the classes.
    shift : int
        Bits that are rounded off, 0 to 24.
    limit : int
        Greatest magnitude, 1 to 255.
    feedback : {"symmetric", "sign", "random"}
    seed : int
        Of random weights.
    """

    error: OutputDelta
    projection: str
    shift: int = 0
    limit: int = 63
    feedback: str = "symmetric"
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_kind("Error that comes back", self.error, OutputDelta)
        what = "Projection that errors come back through"
        set_fields(self, projection=check_name(what, self.projection))
        check_int("Feedback shift", self.shift, 0, 24)
        check_int("Feedback limit", self.limit, 1, 255)
        set_fields(self, feedback=check_choice("Feedback", self.feedback, FEEDBACK))
        check_int("Feedback seed", self.seed, 0, 2**32 - 1)

    def range(self) -> tuple[int, int]:
        return -self.limit, self.limit

    def check(self, network: "Network", projection: "Projection") -> None:
        readout = self.error.find(network, projection)
        links = {link.name: link for link in network.projections}
        link = links.get(self.projection)
        ends = None if link is None else (link.source, link.target)
        if ends != (projection.target, readout.population):
            raise ValueError(
                f"Projection {projection.name!r}: errors must come back through a projection from "
                f"{projection.target!r} to {readout.population!r}, not {self.projection!r}"
            )
        if link is not None and link.synapses.kind != "dense":
            raise ValueError(
                f"Projection {projection.name!r}: errors must come back through a dense "
                f"projection, not {self.projection!r}, which is {link.synapses.kind}"
            )

    def compute(self, scores, weights, label, reward) -> np.ndarray:
        errors = self.error.compute(scores, weights, label, reward)
        forward = weights[self.projection]
        if not errors.any():
            return np.zeros(len(forward), dtype=np.int64)
        errors = np.repeat(errors, forward.shape[1] // len(errors))
        if self.feedback == "sign":
            forward = np.sign(forward)
        elif self.feedback == "random":
            forward = self.drawn(*forward.shape)
        sums = forward @ errors
        half = 2**self.shift >> 1
        return np.sign(sums) * np.minimum((np.abs(sums) + half) >> self.shift, self.limit)

    def drawn(self, sources: int, targets: int) -> np.ndarray:
        """Return random feedback: -1 and 1 for a quarter of the pairs each, else 0."""
        pairs = np.arange(sources * targets, dtype=np.int64).reshape(sources, targets)
        words = scramble(scramble(self.seed) ^ pairs) >> 30
        return np.array([-1, 0, 0, 1])[words]


THIRD_FACTORS: dict[str, type[ThirdFactor]] = {
    kind.__name__: kind for kind in (Reward, OutputDelta, Feedback)
}
"""Third factors that come with the library, by name."""
